"""Two choices of stars on the same galaxies: light, and masses and ages that a fit would find.

The light of prior draws through both models gives the difference in every band and colour. Masses
and ages: photometry of the first model, at a signal-to-noise ratio, without scatter, is fitted
with both; the difference of the two posteriors' medians is what the choice of stars does, at the
same prior and noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from tengri.analysis.accuracy import bright
from tengri.analysis.labels import band_label, colour_label
from tengri.analysis.style import colours
from tengri.errors import ConfigError, ParameterError
from tengri.forward.photometric_model import PhotometricModel
from tengri.inference import Observations, fit

Array = np.ndarray

#: Fitted quantities, in words; all are compared in dex but A_V, which is in mag.
QUANTITIES = {
    "stellar_mass": "mass formed [dex]",
    "stellar_mass_surviving": "mass in stars [dex]",
    "mass_weighted_age_gyr": "age by mass [dex]",
    "ssfr": "specific star-formation rate [dex]",
    "a_v": "A_V [mag]",
}
LINEAR = frozenset({"a_v"})
#: Of the flux, in each band.
SIGNAL_TO_NOISE = 20.0
UNITS = "nJy"


@dataclass(frozen=True, eq=False)
class StarsComparison:
    """What another choice of stars does.

    Attributes
    ----------
    names : (str, str)
        Grids of the two models.
    bands : tuple of str
    offset_mag : ndarray, shape (n, n_bands)
        Magnitudes of the second less those of the first, of prior draws; NaN where faint.
    fitted : dict
        By quantity, second less first (n_fits,): dex, of A_V mag; NaN where a fit failed.
    own_error_mag : ndarray, shape (n_bands,), or None
        What 95 % of the first model's own errors stay below, where it is a surrogate.
    """

    names: tuple[str, str]
    bands: tuple[str, ...]
    offset_mag: Array
    fitted: Mapping[str, Array] = field(default_factory=dict)
    own_error_mag: Array | None = None

    @property
    def colour_offset_mag(self) -> Array:
        """Offsets of the colours of neighbouring bands, bluer less redder, (n, n_bands - 1)."""
        return self.offset_mag[:, :-1] - self.offset_mag[:, 1:]

    @property
    def colours(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"{blue} − {red}" for blue, red in zip(self.bands, self.bands[1:]))

    @property
    def labels(self) -> dict[str, str]:
        """Names of bands and colours as papers write them."""
        pairs = zip(self.bands, self.bands[1:])
        shown = [colour_label(*pair).removesuffix(" [mag]") for pair in pairs]
        return {band: band_label(band) for band in self.bands} | dict(zip(self.colours, shown))

    def numbers(self) -> dict[str, Any]:
        """Return median and half of the central 68 % of every difference, JSON-serialisable."""
        rows = {
            "magnitudes": dict(zip(self.bands, self.offset_mag.T)),
            "colours": dict(zip(self.colours, self.colour_offset_mag.T)),
            "fitted": dict(self.fitted),
        }
        spread = {kind: {n: _spread(v) for n, v in each.items()} for kind, each in rows.items()}
        own = self.own_error_mag
        errors = {} if own is None else dict(zip(self.bands, map(float, own)))
        return {"grids": list(self.names), "galaxies": len(self.offset_mag),
                **spread, "own_error_p95": errors}  # fmt: skip

    def sentences(self) -> list[str]:
        """Return what the numbers say, in plain sentences."""
        found = self.numbers()
        told = [f"{self.names[1]} in place of {self.names[0]}, everything else equal, on "
                f"{found['galaxies']} galaxies of the prior."]  # fmt: skip
        for kind, one in (("magnitudes", "magnitude"), ("colours", "colour")):
            if rows := found[kind]:
                name = max(rows, key=lambda n: abs(rows[n]["median"]))
                row = rows[name]
                told.append(
                    f"The {one} that moves most is {self.labels[name]}: by "
                    f"{1e3 * row['median']:+.3g} mmag in the median, "
                    f"± {1e3 * row['half68']:.2g} from galaxy to galaxy."
                )
        for name, row in found["fitted"].items():
            quantity, _, unit = QUANTITIES[name].rstrip("]").partition(" [")
            told.append(f"A fit finds the {quantity} changed by {row['median']:+.2g} {unit} in the "
                        f"median, ± {row['half68']:.2g}.")  # fmt: skip
        if own := found["own_error_p95"]:
            told.append(f"The surrogate's own errors are below {1e3 * max(own.values()):.2g} mmag "
                        "at 95 % in every band.")  # fmt: skip
        return told

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of a table of all differences."""
        found = self.numbers()
        head = ["second less first", "median", "± 68 %", "galaxies", "surrogate, 95 %"]
        body = []
        for kind, unit in (("magnitudes", " [mag]"), ("colours", " [mag]"), ("fitted", "")):
            for name, row in found[kind].items():
                own = found["own_error_p95"].get(name) if kind == "magnitudes" else None
                label = QUANTITIES.get(name, self.labels.get(name, name))
                body.append([label + unit, f"{row['median']:+.4f}",
                             f"{row['half68']:.4f}", str(row["n"]),
                             "" if own is None else f"{own:.4f}"])  # fmt: skip
        return head, body

    def text(self) -> str:
        """Return the numbers as a plain table."""
        found = self.numbers()
        own = found["own_error_p95"]
        head = f"{'second less first':<36s}{'median':>10s}{'± 68 %':>10s}"
        lines = [f"stars: {self.names[0]}, then {self.names[1]}",
                 head + (f"{'surrogate, 95 %':>18s}" if own else "")]  # fmt: skip
        for kind, unit in (("magnitudes", " [mag]"), ("colours", " [mag]"), ("fitted", "")):
            for name, row in found[kind].items():
                label = QUANTITIES.get(name, name) + unit
                beside = f"{own[name]:>18.4f}" if name in own and kind == "magnitudes" else ""
                lines.append(f"{label:<36s}{row['median']:>+10.4f}{row['half68']:>10.4f}{beside}")
        if self.fitted:
            n = next(iter(found["fitted"].values()))["n"]
            lines.append(f"fitted: {n} galaxies of the first grid, signal-to-noise "
                         f"{SIGNAL_TO_NOISE:g} in each band")  # fmt: skip
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Return the figure: light on the left, masses and ages on the right."""
        figure, axes = plt.subplots(1, 1 + bool(self.fitted), figsize=(11, 4.2), squeeze=False,
                                    layout="constrained")  # fmt: skip
        _plot_light(axes[0, 0], self)
        if self.fitted:
            _plot_fitted(axes[0, 1], self.fitted)
        return figure


def compare_stars(
    one: PhotometricModel,
    other: PhotometricModel,
    n: int = 2000,
    n_fits: int = 64,
    seed: int = 0,
) -> StarsComparison:
    """Compare the light of two models that differ in their stars, and what fits find.

    Parameters
    ----------
    one, other : PhotometricModel
        Exact or emulated; bands and free parameters of ``one`` must be those of ``other``.
    n : int
        Draws from the prior of ``one``; those that ``other`` cannot answer for are left out.
    n_fits : int
        How many of them are fitted, each with both; 0 for none.
    seed : int

    Raises
    ------
    ConfigError
        Other bands or free parameters; no draw that both can answer for.
    ParameterError
        No draws.
    """
    if n < 1 or n_fits < 0:
        raise ParameterError(f"n must be positive and n_fits not negative, got {n} and {n_fits}.")
    _check_alike(one, other)
    drawn = one.spec.sample_batch(jax.random.key(seed), n)
    both = one.in_domain(drawn) & other.in_domain(drawn)
    if not both.any():
        raise ConfigError("No galaxy of the prior is one that both models can answer for.")
    kept = {name: np.asarray(value)[both] for name, value in drawn.items()}
    index = [other.filter_names.index(band) for band in one.filter_names]
    first = np.asarray(one.predict_photometry_batch(kept, units=UNITS), np.float64)
    second = np.asarray(other.predict_photometry_batch(kept, units=UNITS), np.float64)[:, index]
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.where(bright(first), -2.5 * np.log10(second / first), np.nan)
    fitted = _fitted(one, other, first[:n_fits], kept) if n_fits else {}
    return StarsComparison(
        (one.ssp_name, other.ssp_name), one.filter_names, offset, fitted, _own_error(one)
    )


def _check_alike(one: PhotometricModel, other: PhotometricModel) -> None:
    if missing := [band for band in one.filter_names if band not in other.filter_names]:
        raise ConfigError(f"The second model lacks the bands {', '.join(missing)}.")
    if apart := set(one.spec.free_params) ^ set(other.spec.free_params):
        raise ConfigError(
            f"Free in one model alone: {', '.join(sorted(apart))}. Two choices of stars are "
            "compared with everything else equal: fix or free it in both."
        )


def _own_error(model: PhotometricModel) -> Array | None:
    """Return what 95 % of a surrogate's errors stay below [mag], (n_bands,); None of an exact."""
    bars = getattr(model, "predict_errors", None)
    return None if bars is None else np.asarray(bars(level=95), np.float64)


def _fitted(
    one: PhotometricModel, other: PhotometricModel, flux: Array, drawn: Mapping[str, Array]
) -> dict[str, Array]:
    """Return what a fit with the second model finds less than one with the first."""
    free = not one.spec.is_fixed("redshift")
    redshift = drawn["redshift"][: len(flux)] if free else None
    error = np.maximum(np.abs(flux), 1e-3 * flux.max(axis=1, keepdims=True)) / SIGNAL_TO_NOISE
    data = Observations.of(flux, error, one.filter_names, redshift=redshift)
    first, second = (fit(model, data, method="map").columns for model in (one, other))
    found = {}
    for name in QUANTITIES:
        if (key := f"{name}_p50") in first and key in second:
            a, b = (np.asarray(columns[key], np.float64) for columns in (first, second))
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name] = b - a if name in LINEAR else np.log10(b / a)
    return found


def _spread(values: Array) -> dict[str, float]:
    good = values[np.isfinite(values)]
    if not good.size:
        return {"median": float("nan"), "half68": float("nan"), "n": 0}
    low, middle, high = np.percentile(good, [16.0, 50.0, 84.0])
    return {"median": float(middle), "half68": float(0.5 * (high - low)), "n": int(good.size)}


# --- figure -----------------------------------------------------------------------------------


def _plot_light(ax: Any, c: StarsComparison) -> None:
    shades = colours(2)
    for values, names, marker, shade, label in (
        (c.offset_mag, c.bands, "o", shades[0], "magnitudes"),
        (c.colour_offset_mag, c.colours, "s", shades[1], "colours"),
    ):
        start = 0 if label == "magnitudes" else len(c.bands) + 1
        rows = [_spread(column) for column in values.T]
        place = start + np.arange(len(names))
        ax.errorbar(place, [1e3 * row["median"] for row in rows],
                    [1e3 * row["half68"] for row in rows],
                    fmt=marker, color=shade, capsize=3, label=label)  # fmt: skip
    if c.own_error_mag is not None:
        place, half = np.arange(len(c.bands)), 1e3 * c.own_error_mag
        ax.bar(place, 2.0 * half, bottom=-half, width=0.8, color="0.8", zorder=0,
               label="surrogate's own errors, 95 %")  # fmt: skip
    ax.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    ticks = [*range(len(c.bands)), *range(len(c.bands) + 1, 2 * len(c.bands))]
    ax.set_xticks(ticks, list(c.labels.values()), rotation=60, ha="right", fontsize=8)
    ax.set_ylabel("second − first [mmag]")
    ax.set_title(f"{c.names[1]} − {c.names[0]}", fontsize=9)
    ax.legend(fontsize=8)


def _plot_fitted(ax: Any, fitted: Mapping[str, Array]) -> None:
    for place, values in enumerate(fitted.values()):
        good = values[np.isfinite(values)]
        beside = place + 0.3 * np.linspace(-1.0, 1.0, max(len(good), 1))[: len(good)]
        ax.plot(beside, good, ".", color="0.7", ms=4, zorder=0)
        row = _spread(values)
        ax.errorbar(place, row["median"], row["half68"], fmt="o", color=colours(1)[0], capsize=3)
    ax.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    labels = [QUANTITIES[name] for name in fitted]
    ax.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize=8)
    ax.set_ylabel("fitted with second − with first")
