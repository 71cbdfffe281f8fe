"""``tengri compare A B``: two surrogates side by side, their errors against their throughput."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from emulator.surrogate import EmulatedSEDModel
from tengri.analysis import accuracy
from tengri.analysis.compare import microseconds_per_galaxy
from tengri.cli import html_page
from tengri.errors import ConfigError, ParameterError
from tengri.io import atomic
from train import page_parts

logger = logging.getLogger(__name__)


def run(
    a: EmulatedSEDModel, b: EmulatedSEDModel, names: tuple[str, str], n: int, out: Path
) -> dict[str, Any]:
    """Write the accuracy tables side by side and the error against throughput."""
    if n < 1:
        raise ParameterError(f"--n must be positive, got {n}.")
    if not set(a.filter_names) & set(b.filter_names):
        raise ConfigError(
            f"{names[0]} and {names[1]} have no band in common, so that their errors say nothing "
            f"about each other: {', '.join(a.filter_names)}; {', '.join(b.filter_names)}."
        )
    rows = {}
    for name, model in zip(names, (a, b)):
        table = model.artefact.accuracy
        rate = 1e6 / microseconds_per_galaxy(model, 65536)
        rows[name] = {"accuracy": table, "galaxies_per_second": rate, "bands": model.filter_names,
                      "training_seconds": model.artefact.training["seconds"]}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    parts = [html_page.lead(_which(rows)), html_page.table(*_side_by_side(rows))]
    caption = "Error against throughput; lower right is better."
    parts.append(page_parts.kept(out, "pareto", _pareto(rows), caption))
    for (name, row), model in zip(rows.items(), (a, b)):
        logger.info(f"{name}: {_cost(row)}\n{accuracy.table_text(row['accuracy'])}\n")
        parts += [
            html_page.heading(name),
            html_page.paragraph(f"{_cost(row)}."),
            page_parts.accuracy_table(row["accuracy"]),
            html_page.folded("Its priors", [page_parts.box(model.spec)]),
        ]  # fmt: skip
    atomic.write_text(out / "compare.html", html_page.render(" and ".join(names), parts))
    return rows


def _cost(row: dict[str, Any]) -> str:
    return (f"{row['galaxies_per_second']:.3g} galaxies/s in batch, trained in "
            f"{row['training_seconds']:.0f} s")  # fmt: skip


def _which(rows: dict[str, Any]) -> list[str]:
    """Return which of two surrogates is closer to the exact model, and which is faster."""
    (one, first), (other, second) = rows.items()
    found = []
    for what, quantity in (
        ("is closer to the exact model", lambda r: r["accuracy"]["pooled"]["p95"]),
        ("is faster", lambda r: 1.0 / r["galaxies_per_second"]),
    ):
        a, b = quantity(first), quantity(second)
        better, ratio = (one, b / a) if a <= b else (other, a / b)
        found.append(f"{better} {what}: {ratio:.3g} times.")
    return [f"{found[0][:-1]} at 95 %, each on draws from its own prior.", found[1]]


def _side_by_side(rows: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return accuracy and cost of both, as a table."""
    head = ["surrogate", "50 %", "95 %", "99 %", "worst [mmag]", "galaxies/s", "trained in [s]"]
    body = []
    for name, row in rows.items():
        pooled = row["accuracy"]["pooled"]
        errors = [f"{pooled[q]:.3g}" for q in ("p50", "p95", "p99", "max")]
        rate, seconds = row["galaxies_per_second"], row["training_seconds"]
        body.append([name, *errors, f"{rate:,.0f}", f"{seconds:.0f}"])
    return head, body


def _pareto(rows: dict[str, Any]) -> Figure:
    figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for (name, row), marker in zip(rows.items(), "os"):
        pooled = row["accuracy"]["pooled"]
        rate = row["galaxies_per_second"]
        ax.plot([rate] * 3, [pooled[q] for q in ("p50", "p95", "p99")], marker, label=name)
        for q in ("p50", "p95", "p99"):
            ax.annotate(f"{q[1:]} %", (rate, pooled[q]), textcoords="offset points", xytext=(6, -3))
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.margins(x=0.3)
    ax.set_xlabel("galaxies per second, batch")
    ax.set_ylabel("|Δm| against the exact model [mmag]")
    ax.legend(fontsize=9)
    return figure
