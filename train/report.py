"""The report of one training: a page that needs nothing else, its numbers, its figures, a card."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emulator import verification
from emulator.artefact import Artefact
from emulator.surrogate import EmulatedSEDModel
from tengri.analysis import accuracy
from tengri.analysis.style import pdf, png
from tengri.cli import html_page
from tengri.errors import DataError
from tengri.io import atomic
from tengri.progress import duration
from train import advice, evaluate, figures, page_parts
from train.evaluate import Evaluation
from train.logs import read_metrics
from train.parameter_figure import by_parameter
from train.problem import Problem
from train.runfolder import RunFolder

SWEEP_POINTS = 81


def write(
    problem: Problem,
    folder: RunFolder,
    artefact: Artefact,
    result: Evaluation,
    speed: list[dict[str, Any]],
) -> None:
    """Write ``report.html``, ``report.json``, the figures and ``card.md``."""
    try:
        folder.report.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder.report}: cannot be made ({error}).") from error
    drawn = _figures(problem, folder, artefact, result, speed)
    images = {name: png(figure) for name, (figure, _) in drawn.items()}
    for name, data in images.items():
        atomic.write_bytes(folder.report / f"{name}.png", data)
        atomic.write_bytes(folder.report / f"{name}.pdf", pdf(drawn[name][0]))
    captions = {name: caption for name, (_, caption) in drawn.items()}
    numbers = {"accuracy": result.tables, "speed": speed, "training": artefact.training,
               "error_bars_mag": {k: v.tolist() for k, v in result.error_bars.items()},
               "covariance_mag2": result.covariance.tolist()}  # fmt: skip
    atomic.write_text(folder.report / "report.json", json.dumps(_finite(numbers), indent=1) + "\n")
    atomic.write_text(folder.report / "card.md", artefact.card)
    text = _page(problem, folder.path.name, artefact, result, speed, images, captions)
    atomic.write_text(folder.report / "report.html", text)


def _figures(
    problem: Problem,
    folder: RunFolder,
    artefact: Artefact,
    result: Evaluation,
    speed: list[dict[str, Any]],
) -> dict[str, tuple[Any, str]]:
    """Return figure and caption by name."""
    drawn = {
        "cdf": (figures.cdf(problem, result), "How many galaxies exceed a given error."),
        "parameters": (_by_parameter(problem, result),
                       "Error along every parameter. Along the redshift, coloured bars show "
                       "which break or line is in which band."),
        "brightness": (figures.by_brightness(problem, result),
                       "Error in flux against the share of the brightest band: left of the dotted "
                       "line bands are judged in flux, not in magnitudes."),
        "correlation": (figures.correlation(problem, result),
                        "Correlation of residuals: bands that err together keep their colour."),
        "colours": (figures.colours(problem, result), "Residuals of neighbouring colours."),
        "worst": (figures.worst(problem, result),
                  "The ten worst galaxies: exact (black), emulated (red)."),
        "sweeps": (figures.sweeps(problem, sweep_curves(problem, artefact)),
                   "Sweeps through the middle of the box: exact (lines), emulated (dots)."),
        "coverage": (figures.coverage(result), "Error bars: promised and found coverage."),
    }  # fmt: skip
    if records := read_metrics(folder.path / "metrics.jsonl"):
        drawn["training"] = (figures.training(records),
                             "Training: loss, and error on the validation draws.")  # fmt: skip
    if speed:
        drawn["speed"] = (figures.speed(speed), "Time per galaxy, both models in one process.")
    if result.tables["jacobian"]:
        drawn["jacobian"] = (figures.jacobian(result),
                             "Derivatives: their size and the surrogate's error.")  # fmt: skip
    return drawn


def _by_parameter(problem: Problem, result: Evaluation) -> Any:
    filters = problem.model.observation.photometry.filters
    lgmet = np.asarray(problem.model.ssp.ssp_lgmet)
    return by_parameter(result.held_out.params, result.delta_mag, problem.spec, filters, lgmet)


def sweep_curves(problem: Problem, artefact: Artefact) -> dict[str, Any]:
    """Return per parameter (values, exact magnitudes, emulated magnitudes), each (n, n_bands).

    Every other parameter is at the median of its prior.
    """
    spec = problem.spec
    middle = {n: float(spec.get_distribution(n).from_unit(jnp.asarray(0.5)))
              for n in spec.free_params if spec.composition.params[n].shape == ()}  # fmt: skip
    names = [n for n in problem.target.input_names if n in middle]
    grids = {n: np.linspace(*problem.ranges[n], SWEEP_POINTS + 2)[1:-1] for n in names}
    n_rows = SWEEP_POINTS * len(names)
    batch = {k: np.full(n_rows, v, np.float32) for k, v in middle.items()}
    for i, name in enumerate(names):
        batch[name][i * SWEEP_POINTS : (i + 1) * SWEEP_POINTS] = grids[name]
    with jax.enable_x64(True):
        exact = verification.evaluate(problem.model, batch)
    emulated = verification.evaluate(EmulatedSEDModel(artefact), batch)
    both = [-2.5 * np.log10(np.split(flux, len(names))) for flux in (exact, emulated)]
    return {name: (grids[name], both[0][i], both[1][i]) for i, name in enumerate(names)}


# --- words ----------------------------------------------------------------------------------


def model_card(artefact: Artefact, name: str) -> str:
    """Return the model card, Markdown."""
    tables, training = artefact.accuracy, artefact.training
    rows = ["| parameter | prior | unit |", "|---|---|---|"]
    for parameter, prior in artefact.spec.distributions.items():
        unit = artefact.spec.composition.params[parameter].unit
        rows.append(f"| `{parameter}` | {prior!r} | {unit} |")
    return "\n".join(
        [
            f"# Surrogate `{name}`",
            "",
            f"**{accuracy.VERDICTS[tables['verdict']]}**",
            "",
            f"Bands: {html_page.escaped(', '.join(artefact.band_names))}.",
            f"Exact model: {training['exact_model']}; cosmology {artefact.cosmology}.",
            _made(training),
            f"Command: `{training['command']}`.",
            "",
            "## Accuracy",
            "",
            f"|Δm| against the float64 exact model on {tables['rows']} fresh draws from the prior "
            "below, entries brighter than 1e-4 of the galaxy's brightest band:",
            "",
            "```",
            accuracy.table_text(tables),
            "```",
            "",
            f"Worst region: {evaluate.worst_region_text(tables['worst_region'])}.",
            "",
            "## For which data, and what to change",
            "",
            f"For data of S/N up to {advice.largest_signal_to_noise(tables):.3g}.",
            "",
            *(f"- {line}" for line in advice.grades(tables)),
            "",
            *(f"- {html_page.escaped(line)}" for line in advice.steps(tables, training)),
            "",
            *_family_lines(artefact),
            *(line for note in artefact.target.notes() for line in (note, "")),
            "## Where it may be used",
            "",
            *rows,
            "",
            "Outside this box the surrogate raises (or warns, clips, gives NaN, as asked). It "
            "gives band fluxes and all that follows from the star-formation history; not spectra.",
            "",
        ]
    )


def _made(training: dict[str, Any]) -> str:
    """Return how the surrogate was made, in a sentence."""
    cost = f"{duration(training['seconds'])} on {training['hardware']}"
    if not training["steps"]:
        return f"Tabulated at {training['rows']} redshifts in {cost}; nothing was learnt."
    return (f"Trained on {training['rows']} rows in {cost}; {training['steps']} steps, seed "
            f"{training['seed']}.")  # fmt: skip


def _family_lines(artefact: Artefact) -> list[str]:
    """Return the accuracy by family of histories, where there are several."""
    families = artefact.accuracy.get("families", {})  # early files have none
    if len(families) < 2:
        return []
    named = any(", " in family for family in families)
    laws = " (after a comma: a dust law that is not that of the prior below)" if named else ""
    columns = ("p50", "p68", "p95", "p99", "p99.9")
    rows = [
        "| family of histories | 50 % | 68 % | 95 % | 99 % | 99.9 % |",
        "|---|---|---|---|---|---|",
    ]
    for family, table in families.items():
        shown = " | ".join(f"{table[q]:.2f}" for q in columns)
        rows.append(f"| {'that of the prior below' if family == 'prior' else family} | {shown} |")
    return [
        f"The draws are in equal parts from these families, each with its default priors{laws}:",
        "",
        *rows,
        "",
    ]


def _page(
    problem: Problem,
    name: str,
    artefact: Artefact,
    result: Evaluation,
    speed: list[dict[str, Any]],
    images: dict[str, bytes],
    captions: dict[str, str],
) -> str:
    tables = result.tables
    verdict = accuracy.VERDICTS[tables["verdict"]]
    parts = [
        f"<p class='{tables['verdict']}'>{html_page.escaped(verdict)}</p>",
        html_page.beside(
            html_page.lead(_sentences(problem, artefact, result, speed)),
            page_parts.box(problem.spec),
        ),
        html_page.heading("For which data, and what to change"),
        html_page.words(advice.text(tables, artefact.training, name)),
        html_page.heading("Accuracy"),
        html_page.paragraph(f"|Δm| against the float64 exact model on {tables['rows']} fresh prior "
                            "draws. A click on a head sorts."),
        page_parts.accuracy_table(tables),
        html_page.pre(_flux_text(tables)),
        html_page.heading("The worst galaxies"),
        html_page.paragraph("Exact and emulated; bars of the residuals are the surrogate's 68 % "
                            "error bars."),
        _worst(problem, result),
    ]  # fmt: skip
    if speed:
        parts += [html_page.heading("Speed"), html_page.pre(evaluate.throughput_text(speed))]
    parts.append(html_page.heading("Figures"))
    for key, data in images.items():
        parts.append(html_page.image(key, data, captions[key]))
    training = dict(artefact.training)
    training.pop("config")
    parts += [
        html_page.heading("Reproducibility"),
        html_page.pre(json.dumps(training, indent=1)),
        html_page.pre(f"SSP {artefact.ssp['name']} sha256 {artefact.ssp['sha256']}"),
    ]
    return html_page.render(f"Surrogate {name}", parts)


def _sentences(
    problem: Problem, artefact: Artefact, result: Evaluation, speed: list[dict[str, Any]]
) -> list[str]:
    """Return what the page says before any number is looked up."""
    tables = result.tables
    worst = evaluate.worst_region_text(tables["worst_region"])
    found = [
        page_parts.bands_and_box(problem.bands, problem.spec),
        *page_parts.sentences(tables),
        f"Errors are largest at {worst}.",
    ]
    if bars := tables["coverage"].get("68"):
        found.append(f"Its 68 % error bars hold {100 * bars['found']:.1f} % of the magnitudes of "
                     "galaxies that did not calibrate them.")  # fmt: skip
    if batches := [row for row in speed if row["what"] == "flux"]:
        most = max(batches, key=lambda row: row["galaxies"])
        found.append(f"In batches of {most['galaxies']} a galaxy costs "
                     f"{1e6 * most['emulated']:.2g} µs, the exact model "
                     f"{1e6 * most['exact']:.2g} µs.")  # fmt: skip
    return [*found, _made(artefact.training)]


def _worst(problem: Problem, result: Evaluation) -> str:
    """Return the worst galaxies, in magnitudes below the brightest band of each."""
    pivots = np.array([f.pivot for f in problem.model.observation.photometry.filters]) / 1e4
    top = result.exact.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        below = -2.5 * np.log10(result.exact / top)
    magnitude = np.where(np.isfinite(result.delta_mag), below, np.nan)
    look = replace(page_parts.LOOK, y="m − m(brightest) [mag]")
    return page_parts.worst_galaxies(
        result.held_out.params, magnitude, result.delta_mag, problem.bands, pivots,
        result.error_bars["68"], look,
    )  # fmt: skip


def _flux_text(tables: dict[str, Any]) -> str:
    shown = ", ".join(f"{q[1:]} %: {v:.2e}" for q, v in tables["flux"].items())
    bars = ", ".join(f"{100 * r['expected']:.0f} % bars hold {100 * r['found']:.1f} %"
                     for r in tables["coverage"].values())  # fmt: skip
    return f"relative flux |Δf/f|  {shown}\nerror bars: {bars}"


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold by null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
