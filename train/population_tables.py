"""What is said of a surrogate on a population: errors, and whether error bars hold for it.

Entries above 1e-4 of a galaxy's brightest band count, all bands pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emulator.surrogate import EmulatedSEDModel
from tengri.analysis import accuracy
from tengri.constants import MAG_PER_LN
from tengri.errors import ConfigError
from train.populations import Draws, Judged

QUANTILES = (50.0, 95.0, 99.0, 99.9, 100.0)
LEVELS = (68, 95, 99)
#: Parts of the range of redshift in which error bars are judged by themselves, and the fewest
#: entries that are judged.
TENTHS, LEAST_ENTRIES = 10, 100


def table(parts: Sequence[Judged]) -> dict[str, Any]:
    """Return the errors of all groups of a population.

    Returns
    -------
    dict
        Percentiles of |Δm| [mmag]; ``inside``: by level the share of entries within the error
        bar, of all and the least and most of any tenth of the redshifts; ``chi2``: the mean χ² per
        band of residuals under the covariance, likewise.
    """
    dm, bars, chi2, z = (np.concatenate(x) for x in zip(*map(_errors, parts)))
    size, lit = np.abs(dm), np.isfinite(dm)
    found: dict[str, Any] = {"galaxies": len(dm), "entries": int(lit.sum())}
    found |= {f"p{q:g}": float(1e3 * np.percentile(size[lit], q)) for q in QUANTILES}
    tenth = _tenths(z)
    inside = {str(level): (size <= bars[:, i])[lit] for i, level in enumerate(LEVELS)}
    of = np.broadcast_to(tenth[:, None], lit.shape)[lit]
    found["inside"] = {level: _spread(values, of) for level, values in inside.items()}
    found["chi2"] = _spread(chi2, tenth)
    return found


def _errors(part: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return residuals (n, n_bands), bars (n, n_level, n_bands), χ² per band (n,), redshifts."""
    lit = accuracy.bright(part.exact)
    dm = np.where(lit, accuracy.delta_mag(part.exact, part.emulated), np.nan)
    z = np.asarray(part.model.spec.resolve(part.params, batch=True)["redshift"], float)
    z = np.broadcast_to(z, len(dm))
    magnitudes = -MAG_PER_LN * np.log(np.maximum(part.emulated, 1e-300))
    bars = np.stack([part.model.errors_at(magnitudes, z, level) for level in LEVELS])
    return dm, np.moveaxis(bars, 0, 1), _chi2(part.model, dm, magnitudes, z), z


def _chi2(
    model: EmulatedSEDModel, dm: np.ndarray, magnitudes: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Return χ² per band (n,) of the bright bands under their covariance; NaN where none is."""
    lit = np.isfinite(dm)
    try:
        covariance = np.asarray(model.emulation_covariance_at(magnitudes, z), float)
    except ConfigError:
        return np.full(len(dm), np.nan)
    # a band that does not count has a residual of 0 and an error of its own
    both = lit[:, :, None] & lit[:, None, :]
    matrix = np.where(both, covariance, 0.0) + np.where(lit, 0.0, 1.0)[:, :, None] * np.eye(
        dm.shape[1]
    )
    scale = np.sqrt(np.einsum("nii->ni", matrix))
    residual = np.where(lit, dm, 0.0) / scale
    matrix = matrix / (scale[:, :, None] * scale[:, None, :])
    solved = np.linalg.solve(matrix, residual[..., None])[..., 0]
    return np.asarray(np.sum(residual * solved, axis=1) / np.maximum(lit.sum(axis=1), 1))


def _tenths(z: np.ndarray) -> np.ndarray:
    """Return in which tenth of the range of redshifts each galaxy is, (n,)."""
    low, high = float(z.min()), float(z.max())
    return np.minimum((TENTHS * (z - low) / max(high - low, 1e-12)).astype(int), TENTHS - 1)


def _spread(values: np.ndarray, tenth: np.ndarray) -> dict[str, float]:
    """Return the mean of all, and the least and largest of the tenths that have enough entries."""
    means = [float(np.mean(values[tenth == i])) for i in range(TENTHS)
             if np.count_nonzero(tenth == i) >= LEAST_ENTRIES]  # fmt: skip
    means = means or [float(np.mean(values))]
    return {"all": float(np.mean(values)), "least": min(means), "most": max(means)}


def text(name: str, found: dict[str, Any]) -> str:
    """Return a table in words."""
    sizes = " / ".join(f"{found[f'p{q:g}']:.2f}" for q in QUANTILES)
    lines = [
        f"{name}: {found['galaxies']} galaxies, {found['entries']} entries",
        f"  |Δm| {sizes} mmag at {' / '.join(f'{q:g}' for q in QUANTILES)} %",
    ]
    for level, share in found["inside"].items():
        lines.append(f"  inside the {level} % bar: {100 * share['all']:.1f} %; by tenths of "
                     f"z {100 * share['least']:.1f}–{100 * share['most']:.1f} %")  # fmt: skip
    chi2 = found["chi2"]
    lines.append(f"  mean χ² per band: {chi2['all']:.2f}; by tenths {chi2['least']:.2f}–"
                 f"{chi2['most']:.2f}")  # fmt: skip
    return "\n".join(lines)


def sentences(tables: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return what the tables of populations say, in plain sentences."""
    found = []
    for name, row in tables.items():
        bar = row["inside"]["68"]
        found.append(
            f"{name}: half of the magnitudes are within {row['p50']:.2g} mmag of the exact "
            f"model's, 99 % within {row['p99']:.2g}; 68 % error bars hold {100 * bar['all']:.0f} % "
            f"of them, and from {100 * bar['least']:.0f} to {100 * bar['most']:.0f} % by redshift."
        )
    return found


def columns(tables: Mapping[str, dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of a table of all populations."""
    head = ["|Δm| [mmag]", *(f"{q:g} %" for q in QUANTILES), "inside the 68 % bar", "χ² per band"]
    rows = [[name, *(f"{row[f'p{q:g}']:.3g}" for q in QUANTILES),
             f"{100 * row['inside']['68']['all']:.1f} %", f"{row['chi2']['all']:.2f}"]
            for name, row in tables.items()]  # fmt: skip
    return head, rows


# --- slopes -----------------------------------------------------------------------------------


def slopes(model: EmulatedSEDModel, params: Draws) -> dict[str, dict[str, float]]:
    """Return the errors of first and second derivatives of magnitudes in every free parameter.

    Computed in float64; the surrogate's table and networks are of float32 all the same. The
    bands above 1e-4 of the brightest count.

    Returns
    -------
    dict
        By parameter: ``slope`` and ``curvature``, the rms of the error over the rms of the exact
        one; ``sign``: the share of right signs where a slope exceeds a tenth of its rms.
    """
    with jax.enable_x64(True):
        given = {name: jnp.asarray(v, float) for name, v in params.items()}
        exact_model = model.exact_model()
        found, true = (_derivatives(m, given) for m in (model, exact_model))
        lit = accuracy.bright(np.asarray(exact_model.predict_photometry_batch(params)))
    return {name: _compared(found[name], true[name], lit) for name in params}


def _derivatives(model: Any, params: dict[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return first and second derivatives by parameter, (n, n_bands) each."""

    def one(p: dict[str, Any], name: str) -> Any:
        def along(x: Any) -> Any:
            return model.predict_magnitudes({**p, name: x})

        def slope(x: Any) -> Any:
            return jax.jvp(along, (x,), (jnp.ones_like(x),))[1]

        return jax.jvp(slope, (p[name],), (jnp.ones_like(p[name]),))

    every = jax.jit(jax.vmap(lambda p: {name: one(p, name) for name in p}))
    return {k: (np.asarray(a), np.asarray(b)) for k, (a, b) in every(params).items()}


def _compared(
    found: tuple[np.ndarray, np.ndarray], true: tuple[np.ndarray, np.ndarray], lit: np.ndarray
) -> dict[str, float]:
    use = lit & np.isfinite(np.stack([*found, *true])).all(axis=0)
    out = {}
    for what, a, b in zip(("slope", "curvature"), found, true):
        rms = np.sqrt(np.mean(b[use] ** 2))
        out[what] = float(np.sqrt(np.mean((a - b)[use] ** 2)) / rms) if rms > 0.0 else 0.0
    a, b = found[0][use], true[0][use]
    steep = np.abs(b) > 0.1 * np.sqrt(np.mean(b**2))
    out["sign"] = float(np.mean(np.sign(a[steep]) == np.sign(b[steep]))) if steep.any() else 1.0
    return out
