"""``tengri compare`` of a surrogate of spectra: residuals, lines, colours, worst galaxies."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np

from emulator.spectral.model import EmulatedSpectrumModel
from tengri.analysis import accuracy
from tengri.cli import html_page
from tengri.errors import ConfigError
from tengri.forward.model import SEDModel
from tengri.io import atomic
from train import page_parts
from train.spectral import figures
from train.spectral import page_parts as spectral_parts
from train.spectral.evaluation import JudgedSpectra, draws, judge, line_errors, table
from train.spectral.report import spectra_text

logger = logging.getLogger(__name__)
SEED = 17


def run(fast: EmulatedSpectrumModel, args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Write the page, its figures and return its numbers: prior draws through both models.

    Raises
    ------
    ConfigError
        Options of comparisons in bands, which are drawn through any band by ``tengri sweep``.
    """
    given = {"--sweep": args.sweep, "--grid": args.grid, "--track": args.track, "OTHER": args.other}
    if named := [name for name, value in given.items() if value]:
        raise ConfigError(
            f"{', '.join(named)}: a surrogate of spectra is compared on prior draws. Sweep either "
            "model with tengri sweep … --spectrum."
        )
    from tengri import load_ssp_data

    exact = fast.exact_model(load_ssp_data(args.ssp) if args.ssp else None)
    part = judge("prior draws", fast, exact, draws(fast.spec, SEED, args.n))
    tables = _tables(fast, exact, part)
    out.mkdir(parents=True, exist_ok=True)
    text = f"{spectra_text(tables)}\n\n{accuracy.table_text(tables['bands'])}\n\n{_colours(tables)}"
    told = [*spectral_parts.sentences(tables), *page_parts.sentences(tables["bands"])]
    parts = [
        html_page.beside(html_page.lead(told), page_parts.box(fast.spec)),
        html_page.heading("Pixels and lines"),
        spectral_parts.pixel_table(tables),
        page_parts.kept(out, "residuals", figures.residuals([part]), "Residuals by wavelength."),
        html_page.heading("The worst galaxies"),
        spectral_parts.worst_galaxies(fast, exact, part),
        page_parts.kept(out, "worst", figures.worst(part), "Residuals of the worst galaxies."),
        html_page.heading("Bands"),
        page_parts.accuracy_table(tables["bands"]),
        html_page.pre(_colours(tables)),
    ]
    logger.info(text)
    page = html_page.render(f"Exact and emulated: {args.surrogate}", parts)
    atomic.write_text(out / "compare.html", page)
    return {"surrogate_sha256": fast.artefact.sha256, **tables}


def _tables(fast: EmulatedSpectrumModel, exact: SEDModel, part: JudgedSpectra) -> dict[str, Any]:
    """Return the errors of pixels [%], bands and colours [mmag], and lines [%]."""
    bands = accuracy.summary(part.exact, part.emulated, fast.filter_names)
    dm = accuracy.delta_mag(part.exact, part.emulated)
    lit = accuracy.bright(part.exact)
    both = lit[:, 1:] & lit[:, :-1]
    colours = 1e3 * np.abs(np.diff(dm, axis=1))[both]
    names = ("p50", "p95", "p99", "p100")
    return {
        "spectrum": {"all": table(part.error)},
        "lines": _lines(fast, exact, part),
        "bands": bands,
        "colours": dict(zip(names, map(float, np.percentile(colours, [50, 95, 99, 100])))),
    }


def _lines(fast: EmulatedSpectrumModel, exact: SEDModel, part: JudgedSpectra) -> dict[str, Any]:
    """Return the errors of lines, where the model has any."""
    if fast.spec.composition.nebular is None:
        return {}
    return line_errors(fast, exact, part.params)


def _colours(tables: dict[str, Any]) -> str:
    shown = ", ".join(f"{q[1:]} %: {v:.2f}" for q, v in tables["colours"].items())
    return f"neighbouring colours [mmag]  {shown}"
