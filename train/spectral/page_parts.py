"""What pages of surrogates of spectra share: sentences, tables, galaxies that open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emulator.spectral.model import EmulatedSpectrumModel
from tengri.cli import html_page
from tengri.cli.html_galaxies import GalaxyCard, Look, galaxies
from tengri.constants import C_AA_PER_S
from tengri.forward.model import SEDModel
from train import page_parts
from train.spectral.evaluation import JudgedSpectra
from train.spectral.figures import SHOWN_AA, worst_rows

COLUMNS = {"p50": "50 %", "p68": "68 %", "p95": "95 %", "p99": "99 %", "p99.9": "99.9 %",
           "p100": "worst"}  # fmt: skip
#: Wavelengths of a spectrum that a page draws.
MOST_POINTS = 900
LOOK = Look("rest wavelength [µm]", "log10 λL_λ, maximum 0", "Δ [%]", kind="spectrum")


def sentences(tables: Mapping[str, Any]) -> list[str]:
    """Return what the errors of pixels and lines say, in plain sentences."""
    found = []
    for name, row in tables["spectrum"].items():
        which = "Pixels" if name == "all" else f"Pixels of {name}"
        found.append(f"{which}: half are within {row['p50']:.2g} % of the exact model's, 99 % "
                     f"within {row['p99']:.2g} %; the worst is off by "
                     f"{row['p100']:.3g} %.")  # fmt: skip
    for name, row in tables["lines"].items():
        found.append(f"Lines, {name}: 99 % within {row['p99']:.2g} %.")
    return found


def pixel_table(tables: Mapping[str, Any]) -> str:
    """Return the errors of pixels and lines, sortable."""
    rows = {**tables["spectrum"], **{f"lines: {k}": v for k, v in tables["lines"].items()}}
    body = [[name, *(f"{row[q]:.3g}" if q in row else "–" for q in COLUMNS)]
            for name, row in rows.items()]  # fmt: skip
    return html_page.table(["|ΔL/L| [%]", *COLUMNS.values()], body)


def worst_galaxies(fast: EmulatedSpectrumModel, exact: SEDModel, part: JudgedSpectra) -> str:
    """Return the galaxies with the largest errors, closed: both spectra and their difference."""
    rows = worst_rows(part, page_parts.N_WORST)
    some = {name: values[rows] for name, values in part.params.items()}
    shown = np.flatnonzero((part.wave >= SHOWN_AA[0]) & (part.wave <= SHOWN_AA[1]))
    shown = shown[:: max(1, -(-len(shown) // MOST_POINTS))]
    wave = part.wave[shown]
    both = [np.asarray(model.predict_rest_sed_batch(some).sed, np.float64)[:, shown]
            for model in (exact, fast)]  # fmt: skip
    cards = []
    for i, row in enumerate(rows):
        light = [sed[i] * C_AA_PER_S / wave for sed in both]
        top = light[0].max()
        with np.errstate(divide="ignore", invalid="ignore"):
            true, ours = (np.log10(np.maximum(values / top, 1e-6)) for values in light)
        residual = 100.0 * part.error[row, shown]
        size = float(np.nanpercentile(np.abs(part.error[row]), 99.0))
        title = f"99 % of its pixels within {100 * size:.3g} %"
        values = page_parts.values_of(part.params, row)
        cards.append(GalaxyCard(title, wave / 1e4, true, ours, residual, values))
    return galaxies(cards, LOOK)
