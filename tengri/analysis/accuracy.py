"""Accuracy, defined once: |Δm| against the exact model, and Δf where a band is faint.

An entry is one band of one galaxy. Entries brighter than 1e-4 of the galaxy's brightest band
are judged in magnitudes, all bands pooled; the fainter ones by Δf over the brightest flux.

Shapes: ``exact`` and ``emulated`` (n, n_bands), positive, in one linear unit per galaxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tengri.analysis.galaxy import galaxy_text
from tengri.constants import MAG_PER_LN

BRIGHT = 1e-4  # a band fainter than this share of the brightest is judged in flux
PERCENTILES = (50.0, 68.0, 95.0, 99.0, 99.9)
THRESHOLDS_MMAG = (1, 5, 10, 20, 50)
HUGE_MMAG = 1e9


def bright(exact: np.ndarray) -> np.ndarray:
    """Say which entries are judged in magnitudes."""
    return exact > BRIGHT * exact.max(axis=1, keepdims=True)


def delta_mag(exact: np.ndarray, emulated: np.ndarray) -> np.ndarray:
    """Return m(emulated) - m(exact) [mag]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -MAG_PER_LN * np.log(emulated / exact)


def summary(exact: np.ndarray, emulated: np.ndarray, bands: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy of a set of held-out galaxies, all |Δm| in mmag.

    Returns
    -------
    dict
        ``pooled`` and ``bands`` (tables of `_table`), ``faint`` (share of entries and
        percentiles of |Δf|/f_max), ``flux`` (percentiles of |Δf/f| of bright entries), ``rows``.
    """
    dm = delta_mag(exact, emulated)
    is_bright = bright(exact)
    if not np.isfinite(dm[is_bright]).all():
        raise ArithmeticError("the surrogate gave a flux that is not finite and positive.")
    relative = np.abs(emulated[is_bright] / exact[is_bright] - 1.0)
    return {
        "rows": len(exact),
        "pooled": _table(dm[is_bright]),
        "bands": {b: _table(dm[is_bright[:, i], i]) for i, b in enumerate(bands)},
        "flux": {_name(q): float(np.percentile(relative, q)) for q in PERCENTILES},
        "faint": _faint(exact, emulated, ~is_bright),
    }


def _table(dm: np.ndarray) -> dict[str, float]:
    """Return what is said about a set of Δm [mag]: everything in mmag, fractions of entries."""
    if dm.size == 0:
        return {"entries": 0}
    mmag = 1e3 * dm
    size = np.abs(mmag)
    median = float(np.median(mmag))
    return {
        "entries": int(dm.size),
        "bias": float(mmag.mean()),
        "sigma_mad": float(1.4826 * np.median(np.abs(mmag - median))),
        "rms": float(np.sqrt(np.mean(mmag**2))),
        **{_name(q): float(np.percentile(size, q)) for q in PERCENTILES},
        "max": float(size.max()),
        **{f"over_{t}": float(np.mean(size > t)) for t in THRESHOLDS_MMAG},
    }


def _faint(exact: np.ndarray, emulated: np.ndarray, faint: np.ndarray) -> dict[str, float]:
    share = float(faint.mean())
    if not faint.any():
        return {"share": share}
    relative = (np.abs(emulated - exact) / exact.max(axis=1, keepdims=True))[faint]
    percentiles = {_name(q): float(np.percentile(relative, q)) for q in PERCENTILES}
    return {"share": share, **percentiles, "max": float(relative.max())}


def _name(q: float) -> str:
    return f"p{q:g}"


def live(exact: np.ndarray, emulated: np.ndarray) -> dict[str, float]:
    """Return the numbers of the progress line [mmag]; NaN stays NaN."""
    size = _sizes(exact, emulated)
    quantiles = np.percentile(size, [50.0, 95.0, 99.0])
    return dict(zip(("median", "p95", "p99", "worst"), [*map(float, quantiles), float(size.max())]))


def percentile(exact: np.ndarray, emulated: np.ndarray, q: float) -> float:
    """Return one pooled percentile of |Δm| [mmag]."""
    return float(np.percentile(_sizes(exact, emulated), q))


def _sizes(exact: np.ndarray, emulated: np.ndarray) -> np.ndarray:
    """Return |Δm| [mmag] of the bright entries, a flux of 0 or infinity as a huge number."""
    size = np.abs(delta_mag(exact, emulated))[bright(exact)] * 1e3
    return np.minimum(size, HUGE_MMAG)


def verdict(table: dict[str, Any], constant: dict[str, Any]) -> str:
    """Return one word for the surrogate's accuracy relative to the best constant colours.

    Parameters
    ----------
    table : dict
        `summary` of the surrogate.
    constant : dict
        `summary` of a predictor that gives every galaxy the same fluxes.
    """
    pooled = table["pooled"]
    if pooled["p50"] > 0.5 * constant["pooled"]["p50"]:
        return "useless"
    if pooled["p50"] > 50.0 or pooled["p95"] > 300.0:
        return "poor"
    if pooled["p50"] <= 5.0 and pooled["p95"] <= 20.0 and pooled["p99"] <= 50.0:
        return "good"
    return "usable"


VERDICTS = {
    "useless": "USELESS: no better than giving every galaxy the same colours. Do not use it.",
    "poor": "POOR: errors are larger than most photometry. Train longer before using it.",
    "usable": "USABLE: compare the errors below with those of your data.",
    "good": "GOOD: at most 5 / 20 / 50 mmag at 50 / 95 / 99 %.",
}


def band_excess(table: dict[str, Any], factor: float = 2.0) -> list[str]:
    """Return the bands above ``factor`` times the pooled |Δm| at 50, 95 or 99 %."""
    pooled = table["pooled"]
    return [
        band
        for band, row in table["bands"].items()
        if row["entries"] and any(row[q] > factor * pooled[q] for q in ("p50", "p95", "p99"))
    ]


def table_text(table: dict[str, Any]) -> str:
    """Return the accuracy table as plain text, |Δm| in mmag, and the galaxy it is of."""
    names = [_name(q) for q in PERCENTILES]
    wide = max(16, *(len(band) + 2 for band in table["bands"]))
    head = f"{'|Δm| [mmag]':<{wide}s}" + "".join(f"{n.replace('p', '') + ' %':>9s}" for n in names)
    rows = [head + f"{'max':>9s}{'bias':>8s}{'entries':>10s}"]
    for label, row in [("all bands", table["pooled"]), *table["bands"].items()]:
        if not row["entries"]:
            rows.append(f"{label:<{wide}s}  never above 1e-4 of the brightest band")
            continue
        values = "".join(f"{row[n]:>9.2f}" for n in (*names, "max"))
        rows.append(f"{label:<{wide}s}{values}{row['bias']:>8.2f}{row['entries']:>10d}")
    faint = table["faint"]
    line = f"fainter than 1e-4 of the brightest band: {100 * faint['share']:.2f} % of entries"
    if "p50" in faint:
        line += f", |Δf|/f_max {faint['p50']:.1e} median, {faint['p99']:.1e} at 99 %"
    galaxy = [f"galaxy: {galaxy_text(table['galaxy'])}"] if "galaxy" in table else []
    return "\n".join([*rows, line, *galaxy])
