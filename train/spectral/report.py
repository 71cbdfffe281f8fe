"""The report of a surrogate of spectra: a page, its numbers, its figures, a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.spectral.artefact import SpectralArtefact
from tengri.analysis import accuracy
from tengri.cli import html_page
from tengri.io import atomic
from tengri.io.jsonable import jsonable
from tengri.progress import duration
from train import page_parts
from train.spectral import figures
from train.spectral import page_parts as spectral_parts
from train.spectral.evaluation import SpectralEvaluation


def numbers(artefact: SpectralArtefact) -> dict[str, Any]:
    """Return what ``report.json`` holds."""
    return {"accuracy": artefact.accuracy, "speed": [], "training": artefact.training}


def write(folder: Path, name: str, artefact: SpectralArtefact, found: SpectralEvaluation) -> None:
    """Write ``report.html``, ``report.json``, the figures and ``card.md``."""
    folder.mkdir(exist_ok=True)
    tables = artefact.accuracy
    verdict = accuracy.VERDICTS[tables["verdict"]]
    told = [*spectral_parts.sentences(tables), *page_parts.sentences(tables)]
    parts = [
        f"<p class='{tables['verdict']}'>{html_page.escaped(verdict)}</p>",
        html_page.beside(html_page.lead(told), page_parts.box(artefact.spec)),
        html_page.heading("Pixels and lines"),
        spectral_parts.pixel_table(tables),
        page_parts.kept(
            folder, "residuals", figures.residuals(found.parts), "Residuals by wavelength."
        ),
        page_parts.kept(
            folder, "worst", figures.worst(found.parts[0]), "The worst galaxies of the prior."
        ),
        html_page.heading("Bands"),
        page_parts.accuracy_table(tables),
    ]
    training = {k: v for k, v in artefact.training.items() if k != "config"}
    parts += [html_page.heading("Reproducibility"), html_page.pre(json.dumps(training, indent=1))]
    text = json.dumps(jsonable(numbers(artefact)), indent=1) + "\n"
    atomic.write_text(folder / "report.json", text)
    atomic.write_text(folder / "card.md", artefact.card)
    atomic.write_text(folder / "report.html", html_page.render(f"Surrogate {name}", parts))


def spectra_text(tables: Mapping[str, Any]) -> str:
    """Return the errors of pixels, and of lines, as plain text."""
    heads = "".join(f"{head:>9s}" for head in spectral_parts.COLUMNS.values())
    lines = [f"{'|ΔL/L| [%] of pixels':<32s}{heads}"]
    lines += [_row(name, row) for name, row in tables["spectrum"].items()]
    if tables["lines"]:
        lines += [_row(f"lines: {name}", row) for name, row in tables["lines"].items()]
    return "\n".join(lines)


def _row(name: str, row: Mapping[str, float]) -> str:
    return f"{name:<32s}" + "".join(
        f"{row.get(q, float('nan')):>9.3f}" for q in spectral_parts.COLUMNS
    )


def card(artefact: SpectralArtefact, name: str) -> str:
    """Return the model card, Markdown."""
    tables, training = artefact.accuracy, artefact.training
    rows = ["| parameter | prior | unit |", "|---|---|---|"]
    for parameter, prior in artefact.spec.distributions.items():
        unit = artefact.spec.composition.params[parameter].unit
        rows.append(f"| `{parameter}` | {prior!r} | {unit} |")
    cost = f"{duration(training['seconds'])} on {training['hardware']}"
    wave = artefact.grids[0].axes["wave"]
    lines = [
        f"# Surrogate `{name}`",
        "",
        f"**{accuracy.VERDICTS[tables['verdict']]}**",
        "",
        f"Spectra from {wave[0]:.4g} to {wave[-1]:.4g} Å at rest, {len(wave)} wavelengths, and all "
        "that follows from them: bands, lines, derived quantities.",
        f"Exact model: SEDModel on {' and '.join(grid.name for grid in artefact.grids)}; cosmology "
        f"{artefact.cosmology}.",
        f"Decomposed in {cost}; nothing was learnt.",
        f"Command: `{training['command']}`.",
        "",
        "## Accuracy",
        "",
        f"Against the float64 exact model on {tables['rows']} fresh draws, in equal parts from the "
        "spec below and from other histories behind other laws of dust, each with its default "
        "priors. Relative errors of pixels with more than 1e-3 of the galaxy's largest λL_λ:",
        "",
        "```",
        spectra_text(tables),
        "```",
        "",
        f"|Δm| in {', '.join(artefact.band_names)}, entries brighter than 1e-4 of the galaxy's "
        "brightest band:",
        "",
        "```",
        accuracy.table_text(tables),
        "```",
        "",
        *(line for note in artefact.notes for line in (note, "")),
        "## The spec that it has by default",
        "",
        *rows,
        "",
    ]
    return "\n".join(lines)
