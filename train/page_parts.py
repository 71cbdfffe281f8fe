"""What pages of surrogates share: sentences on top, the box, accuracy, galaxies that open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from tengri import Parameters
from tengri.analysis import prior_curve
from tengri.analysis.accuracy import PERCENTILES
from tengri.analysis.labels import band_label
from tengri.analysis.style import pdf, png
from tengri.cli import html_page
from tengri.cli.html_galaxies import GalaxyCard, Look, galaxies
from tengri.io import atomic
from train import advice

#: Galaxies that a page opens.
N_WORST = 12
MMAG = 1e3
LOOK = Look("pivot wavelength [µm]", "AB magnitude", "Δm [mmag]", upside=True)


def sentences(tables: Mapping[str, Any]) -> list[str]:
    """Return what an accuracy table says, in plain sentences."""
    pooled = tables["pooled"]
    limit = float(f"{advice.largest_signal_to_noise(tables):.2g}")
    found = [
        f"Half of all magnitudes are within {pooled['p50']:.2g} mmag of the exact model's, 95 % "
        f"within {pooled['p95']:.2g}, 99 % within {pooled['p99']:.2g}; the worst of "
        f"{tables['rows']} galaxies is off by {pooled['max']:.3g} mmag in one band.",
        f"That is enough for photometry of a signal-to-noise up to "
        f"{limit:g}: there, 95 % of error bars grow by at most "
        f"{100 * advice.GROWTH:.0f} %.",
    ]
    errors = {b: row["p95"] for b, row in tables["bands"].items() if row["entries"]}
    if len(errors) > 1:
        best, worst = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
        found.append(
            f"The best band is {band_label(best)} (95 % within {errors[best]:.2g} mmag), the worst "
            f"{band_label(worst)} ({errors[worst]:.2g} mmag)."
        )
    if share := tables["faint"]["share"]:
        found.append(
            f"{100 * share:.2g} % of the fluxes are fainter than 1e-4 of the galaxy's brightest "
            "band; these are judged in flux, and in none of the numbers above."
        )
    return found


def bands_and_box(bands: Sequence[str], spec: Parameters) -> str:
    """Return one sentence on what a surrogate predicts, of which galaxies."""
    shown = ", ".join(map(band_label, bands if len(bands) < 13 else [*bands[:11], bands[-1]]))
    if len(bands) > 12:
        shown = shown.replace(f", {band_label(bands[-1])}", f" … {band_label(bands[-1])}")
    low, high = spec.get_distribution("redshift").bounds
    where = f"at redshift {low:.3g}" if low == high else f"at redshifts {low:.3g} to {high:.3g}"
    n_free = len(spec.free_params)
    free = "one free parameter" if n_free == 1 else f"{n_free} free parameters"
    return f"It predicts {len(bands)} bands ({shown}) of galaxies {where}, from {free}."


def box(spec: Parameters) -> str:
    """Return the free parameters and their priors, drawn, and what is fixed behind a line."""
    params = spec.composition.params
    rows = [
        (f"<code>{html_page.escaped(name)}</code>", prior_curve.svg(prior),
         html_page.escaped(_in_words(prior)), html_page.escaped(params[name].unit))
        for name in spec.free_params for prior in [spec.get_distribution(name)]
    ]  # fmt: skip
    table = html_page.raw_table(("parameter", "prior", "range", "unit"), rows)
    return table + html_page.folded("All parameters and settings", [html_page.pre(spec.summary())])


def _in_words(prior: Any) -> str:
    """Return a prior as a range, or as it was written."""
    low, high = prior.bounds
    return (
        f"{low:g} to {high:g}".replace("-", "−")
        if type(prior).__name__ == "Uniform"
        else repr(prior)
    )


def accuracy_table(tables: Mapping[str, Any]) -> str:
    """Return |Δm| by band, sortable."""
    names = [f"p{q:g}" for q in PERCENTILES]
    head = ["|Δm| [mmag]", *(f"{q:g} %" for q in PERCENTILES), "worst", "bias", "entries"]
    rows = []
    for name, row in [("all bands", tables["pooled"]), *tables["bands"].items()]:
        shown = [f"{row[q]:.3g}" for q in (*names, "max", "bias")] if row["entries"] else ["–"] * 7
        label = name if name == "all bands" else band_label(name)
        rows.append([label, *shown, str(row["entries"])])
    return html_page.table(head, rows)


def worst_galaxies(
    params: Mapping[str, np.ndarray],
    magnitude: np.ndarray,
    delta_mag: np.ndarray,
    bands: Sequence[str],
    pivots_um: np.ndarray,
    bars_mag: np.ndarray | None = None,
    look: Look = LOOK,
) -> str:
    """Return the galaxies with the largest |Δm|, closed.

    Parameters
    ----------
    params : mapping
        Free parameters of all galaxies, (n, …).
    magnitude, delta_mag : ndarray, shape (n, n_bands)
        Exact magnitudes, and emulated less exact; NaN where a band does not count.
    bands : sequence of str
    pivots_um : ndarray, shape (n_bands,)
    bars_mag : ndarray, shape (n_bands,), optional
        Error bars of the residuals, 68 per cent.
    look : Look
    """
    size = np.nan_to_num(np.abs(delta_mag))
    rows = np.argsort(-size.max(axis=1), kind="stable")[:N_WORST]
    by_wave = np.argsort(pivots_um)
    names = tuple(band_label(bands[i]) for i in by_wave)
    cards = []
    for row in rows:
        band = int(size[row].argmax())
        title = f"{MMAG * size[row, band]:.3g} mmag in {band_label(bands[band])}"
        if "redshift" in params:
            title += f", z = {float(params['redshift'][row]):.3f}"
        here, off = magnitude[row, by_wave], delta_mag[row, by_wave]
        cards.append(GalaxyCard(
            title, pivots_um[by_wave], here, here + off, MMAG * off, values_of(params, row), names,
            None if bars_mag is None else MMAG * bars_mag[by_wave],
        ))  # fmt: skip
    return galaxies(cards, look)


def values_of(params: Mapping[str, np.ndarray], row: int) -> dict[str, str]:
    """Return the parameters of one galaxy as text."""
    found = {}
    for name, values in params.items():
        value = np.asarray(values[row], float)
        found[name] = f"{float(value):.5g}" if value.ndim == 0 else f"{value.size} values"
    return found


def kept(folder: Path, name: str, figure: Figure, caption: str) -> str:
    """Write a figure as PNG and PDF, close it, and return it as part of a page."""
    picture = png(figure)
    atomic.write_bytes(folder / f"{name}.png", picture)
    atomic.write_bytes(folder / f"{name}.pdf", pdf(figure))
    plt.close(figure)
    return html_page.image(name, picture, caption)
