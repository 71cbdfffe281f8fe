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
from tengri.cli import html_page
from tengri.cli.output import emit, narrated
from tengri.components.stellar.ssp import load_named_ssp
from tengri.errors import ConfigError, unknown
from tengri.forward.grid_parameters import on_grid
from tengri.io import atomic
from train import page_parts, population_tables, populations, surrogate_pair
from train.parameter_figure import by_parameter
from train.spectral import comparison as spectral

logger = logging.getLogger(__name__)
POINTS = 81
GRID_POINTS = 24


@dataclass(frozen=True)
class Shown:
    """One comparison of a page: its name, caption, figure, accuracy table, and itself."""

    name: str
    caption: str
    figure: Figure
    table: dict[str, Any]
    comparison: Comparison


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
        rows = surrogate_pair.run(first, other, (args.surrogate, args.other), args.n, out)
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
    draws = next((item for item in shown if item.comparison.drawn), shown[0])
    told = [page_parts.bands_and_box(emulated.filter_names, emulated.spec),
            *page_parts.sentences(draws.table), f"{line[0].upper()}{line[1:]}."]  # fmt: skip
    parts = [html_page.beside(html_page.lead(told), page_parts.box(emulated.spec))]
    if draws.comparison.drawn:
        parts += _of_draws(exact, emulated, draws, out)
    for item in shown:
        parts += [
            html_page.heading(item.caption),
            page_parts.kept(out, item.name, item.figure, item.caption),
        ]
        text = accuracy.table_text(item.table)
        parts.append(html_page.folded("Errors by band", [page_parts.accuracy_table(item.table)]))
        logger.info(f"{item.caption}\n{text}\n")
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


def _of_draws(exact: SEDModel, emulated: EmulatedSEDModel, item: Shown, out: Path) -> list[str]:
    """Return accuracy by band, the worst galaxies, and errors along every parameter."""
    filters = emulated.observation.photometry.filters
    pivots = np.array([f.pivot for f in filters]) / 1e4
    c, residual = item.comparison, 1e-3 * item.comparison.residual_mmag
    magnitude = np.where(np.isfinite(residual), c.exact.magnitudes(), np.nan)
    bars = np.asarray(emulated.predict_errors(level=68), float)
    figure = by_parameter(
        c.drawn, residual, emulated.spec, filters, np.asarray(exact.ssp.ssp_lgmet)
    )
    caption = ("Error along every parameter. Along the redshift, coloured bars show which break or "
               "line is in which band.")  # fmt: skip
    return [
        html_page.heading("Errors by band"),
        html_page.paragraph("|Δm| of draws from the prior. A click on a head sorts."),
        page_parts.accuracy_table(item.table),
        html_page.heading("The worst galaxies"),
        page_parts.worst_galaxies(
            c.drawn, magnitude, residual, emulated.filter_names, pivots, bars
        ),
        html_page.heading("Errors along every parameter"),
        page_parts.kept(out, "parameters", figure, caption),
    ]  # fmt: skip


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
    head = [html_page.lead(population_tables.sentences(tables)),
            html_page.table(*population_tables.columns(tables))]  # fmt: skip
    parts = [html_page.beside("".join(head), page_parts.box(surrogate.spec)), *parts]
    out.mkdir(parents=True, exist_ok=True)
    atomic.write_text(
        out / "compare.html", html_page.render(f"Populations: {args.surrogate}", parts)
    )
    return {"surrogate_sha256": surrogate.artefact.sha256, "populations": tables}


def _shown(name: str, caption: str, c: Comparison, figure: Figure) -> Shown:
    return Shown(name, caption, figure, c.numbers(), c)


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


# --- another choice of stars ------------------------------------------------------------------


def _stars(
    one: EmulatedSEDModel, other: PhotometricModel, args: argparse.Namespace, out: Path
) -> dict[str, Any]:
    """Write what the stars of ``other`` do to light, masses and ages, beside the errors of one."""
    found = compare_stars(one, other, args.n, args.fits)
    out.mkdir(parents=True, exist_ok=True)
    text = found.text()
    logger.info(text)
    caption = "Medians and the central 68 % over galaxies of the prior."
    summary = html_page.beside(html_page.lead(found.sentences()), page_parts.box(one.spec))
    parts = [summary, page_parts.kept(out, "stars", found.plot(), caption),
             html_page.table(*found.rows())]  # fmt: skip
    title = f"Stars of {found.names[0]} and of {found.names[1]}"
    atomic.write_text(out / "stars.html", html_page.render(title, parts))
    return {"stars": found.numbers()}
