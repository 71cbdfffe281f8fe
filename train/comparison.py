"""``tengri compare``: a surrogate, its exact model, another surrogate, another grid of stars."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from emulator.loading import load
from emulator.spectral.model import EmulatedSpectrumModel
from emulator.surrogate import EmulatedSEDModel
from tengri import PhotometricModel, SEDModel
from tengri.analysis import accuracy
from tengri.analysis.compare import (
    Comparison,
    break_even_text,
    compare,
    microseconds_per_galaxy,
)
from tengri.analysis.stars import compare_stars
from tengri.analysis.style import png
from tengri.cli import html_page
from tengri.cli.output import emit, narrated
from tengri.components.stellar.ssp import load_named_ssp
from tengri.errors import ConfigError, ParameterError, unknown
from tengri.forward.grid_parameters import on_grid
from tengri.io import atomic
from train import population_tables, populations
from train.spectral import comparison as spectral

logger = logging.getLogger(__name__)
POINTS = 81
GRID_POINTS = 24


@dataclass(frozen=True)
class Shown:
    """One comparison of a page: its name, caption, figure and accuracy table."""

    name: str
    caption: str
    figure: Figure
    table: dict[str, Any]


def run(args: argparse.Namespace) -> int:
    """Write the page that the command line asks for; return the exit code."""
    out = Path(args.out or f"compare-{Path(args.surrogate).stem}")
    with narrated(args):
        model = load(args.surrogate)
        if isinstance(model, EmulatedSpectrumModel):
            numbers = spectral.run(model, args, out)
        else:
            numbers = _compared(model, args, out)
    atomic.write_text(out / "compare.json", json.dumps(numbers, indent=1) + "\n")
    names = (["compare"] if not args.stars else []) + (["stars"] if "stars" in numbers else [])
    pages = [str(out / f"{name}.html") for name in names]
    text = "\n".join([*(f"page     {page}" for page in pages), f"numbers  {out / 'compare.json'}"])
    emit(args.json, text, {"page": pages[0], "pages": pages, **numbers})
    return 0


def _compared(first: EmulatedSEDModel, args: argparse.Namespace, out: Path) -> dict[str, Any]:
    if args.stars:
        ssp = load_named_ssp(args.stars)
        first = first.with_spec(on_grid(first.spec, ssp))
        with_stars = SEDModel(first.spec, ssp, first.observation, first.cosmology, first.units)
        return _stars(first, with_stars, args, out)
    if args.population:
        return _populations(first, args, out)
    if args.other:
        other = load(args.other)
        if isinstance(other, EmulatedSpectrumModel):
            raise ConfigError(f"{args.other} is a surrogate of spectra: compare it by itself.")
        rows = _two(first, other, (args.surrogate, args.other), args.n, out)
        alike = first.artefact.ssp["sha256"] == other.artefact.ssp["sha256"]
        return rows if alike else {**rows, **_stars(first, other, args, out)}
    exact = first.exact_model(load_named_ssp(args.ssp) if args.ssp else None)
    return _one(exact, first, args, out)


# --- a surrogate and its exact model ----------------------------------------------------------


def _one(
    exact: SEDModel, emulated: EmulatedSEDModel, args: argparse.Namespace, out: Path
) -> dict[str, Any]:
    shown = list(_comparisons(exact, emulated, args))
    out.mkdir(parents=True, exist_ok=True)
    costs = microseconds_per_galaxy(exact, 1024), microseconds_per_galaxy(emulated, 65536)
    line = break_even_text(float(emulated.artefact.training["seconds"]), *costs)
    parts = [html_page.pre(line)]
    for item in shown:
        picture = png(item.figure)
        plt.close(item.figure)
        atomic.write_bytes(out / f"{item.name}.png", picture)
        parts += [
            html_page.heading(item.caption),
            html_page.image(item.name, picture, item.caption),
        ]
        parts.append(html_page.pre(accuracy.table_text(item.table)))
        logger.info(f"{item.caption}\n{accuracy.table_text(item.table)}\n")
    logger.info(line)
    atomic.write_text(
        out / "compare.html", html_page.render(f"Exact and emulated: {args.surrogate}", parts)
    )
    return {
        "surrogate_sha256": emulated.artefact.sha256,
        "exact_us_per_galaxy": costs[0],
        "emulated_us_per_galaxy": costs[1],
        "break_even": line,
        "comparisons": {item.name: item.table for item in shown},
    }


def _comparisons(exact: SEDModel, emulated: EmulatedSEDModel, args: argparse.Namespace) -> Any:
    """Yield what was asked for; with nothing asked, a sweep of every parameter and prior draws."""
    base = middle(emulated)
    colour = _colour(args.colour, emulated.filter_names)
    sweeps = args.sweep or ([] if args.grid or args.track else list(base))

    def without(*names: str) -> dict[str, float]:
        return {k: v for k, v in base.items() if k not in names}

    for name in sweeps:
        values = _values(emulated, name, POINTS)
        c = compare(exact, emulated, sweep=(name, values), base=without(name))
        yield _shown(f"sweep_{name}", f"Sweep of {name}", c, c.plot())
    if args.grid:
        names = args.grid.split(",")
        if len(names) != 2:
            raise ConfigError(f"--grid takes two parameters, a,b; got {args.grid!r}.")
        axes = {n: _values(emulated, n, GRID_POINTS) for n in names}
        c = compare(exact, emulated, grid=axes, base=without(*names))
        yield _shown("grid", f"Grid of {' and '.join(names)}", c, c.plot(colour))
    if args.track:
        if args.track != "redshift":
            raise ConfigError(f"--track takes redshift; got {args.track!r}.")
        z = _values(emulated, "redshift", POINTS)
        c = compare(exact, emulated, track=z, base=without("redshift"))
        yield _shown("track", "Redshift track", c, c.plot())
    if not (args.sweep or args.grid or args.track):
        c = compare(exact, emulated, n_draws=args.n)
        yield _shown("draws", f"{args.n} prior draws", c, c.plot())


def _populations(
    surrogate: EmulatedSEDModel, args: argparse.Namespace, out: Path
) -> dict[str, Any]:
    """Write how large errors are on populations, and whether error bars hold for them."""
    if args.other or args.sweep or args.grid or args.track or args.ssp:
        raise ConfigError(
            "--population takes one surrogate and no --sweep, --grid, --track, --ssp."
        )
    tables, parts = {}, []
    for name in args.population:
        found = population_tables.table(populations.judged(surrogate, name, args.n))
        tables[name] = found
        parts += [html_page.heading(name), html_page.pre(population_tables.text(name, found))]
        logger.info(population_tables.text(name, found))
    out.mkdir(parents=True, exist_ok=True)
    atomic.write_text(
        out / "compare.html", html_page.render(f"Populations: {args.surrogate}", parts)
    )
    return {"surrogate_sha256": surrogate.artefact.sha256, "populations": tables}


def _shown(name: str, caption: str, c: Comparison, figure: Figure) -> Shown:
    return Shown(name, caption, figure, c.numbers())


def middle(model: EmulatedSEDModel) -> dict[str, float]:
    """Return the prior median of every free scalar parameter."""
    spec = model.spec
    return {
        name: float(spec.get_distribution(name).from_unit(jnp.asarray(0.5)))
        for name in spec.free_params
        if spec.composition.params[name].shape == ()
    }


def _values(model: EmulatedSEDModel, name: str, n: int) -> np.ndarray:
    if name not in model.spec.free_params:
        raise unknown("free parameter", name, model.spec.free_params)
    prior = model.spec.get_distribution(name)
    ends = prior.from_unit(jnp.asarray([1e-4, 1.0 - 1e-4]))
    return np.linspace(float(ends[0]), float(ends[1]), n)


def _colour(text: str | None, bands: Sequence[str]) -> tuple[str, str] | None:
    if text is None:
        return None
    blue, _, red = text.partition("-")
    for band in (blue, red):
        if band not in bands:
            raise unknown("band", band, bands)
    return blue, red


# --- two surrogates ---------------------------------------------------------------------------


def _two(
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
    figure = _pareto(rows)
    picture = png(figure)
    plt.close(figure)
    atomic.write_bytes(out / "pareto.png", picture)
    parts = [html_page.image("pareto", picture, "Error against throughput; lower right is better.")]
    for name, row in rows.items():
        text = accuracy.table_text(row["accuracy"])
        line = (f"{row['galaxies_per_second']:.3g} galaxies/s in batch, trained in "
                f"{row['training_seconds']:.0f} s")  # fmt: skip
        logger.info(f"{name}: {line}\n{text}\n")
        parts += [html_page.heading(name), html_page.pre(line), html_page.pre(text)]
    atomic.write_text(out / "compare.html", html_page.render(" and ".join(names), parts))
    return rows


# --- another choice of stars ------------------------------------------------------------------


def _stars(
    one: EmulatedSEDModel, other: PhotometricModel, args: argparse.Namespace, out: Path
) -> dict[str, Any]:
    """Write what the stars of ``other`` do to light, masses and ages, beside the errors of one."""
    found = compare_stars(one, other, args.n, args.fits)
    out.mkdir(parents=True, exist_ok=True)
    figure = found.plot()
    picture = png(figure)
    plt.close(figure)
    atomic.write_bytes(out / "stars.png", picture)
    text = found.text()
    logger.info(text)
    caption = "Medians and the central 68 % over galaxies of the prior."
    parts = [html_page.image("stars", picture, caption), html_page.pre(text)]
    title = f"Stars of {found.names[0]} and of {found.names[1]}"
    atomic.write_text(out / "stars.html", html_page.render(title, parts))
    return {"stars": found.numbers()}


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
