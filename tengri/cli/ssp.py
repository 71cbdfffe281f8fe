"""``tengri data inspect`` and ``convert``: what a grid of stars is, and the same grid sealed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli import figure_file
from tengri.cli.output import add_output, emit
from tengri.grids import files

#: Endings of pages: the figure with everything that was found.
PAGES = (".html", ".htm")


def add_inspect(actions: Any) -> None:
    """Add ``inspect`` to the actions of ``data``."""
    inspect = actions.add_parser(
        "inspect",
        help="say what a grid of stars is: gas, units, air, metallicities",
        description="Measure what a grid of stellar populations is on its spectra, hold that "
        "against its file and name, and print the verdict; exit code 1 if it cannot be used so.",
        epilog="example: tengri data inspect my_grid.h5 -o page.png",
    )
    inspect.add_argument("file", metavar="FILE")
    inspect.add_argument("-o", "--output", type=Path, metavar="PAGE",
                         help="spectra, ionising photons, M/L, D4000: .png .pdf .svg, or .html "
                         "with the verdict")  # fmt: skip
    _add_stated(inspect)
    add_output(inspect)
    inspect.set_defaults(func=inspect_grid)


def add_convert(actions: Any) -> None:
    """Add ``convert`` to the actions of ``data``."""
    convert = actions.add_parser(
        "convert",
        help="write a grid of stars as a sealed file of the DSPS schema",
        description="Read a grid of stellar populations of any known layout and write it as a "
        "sealed file of the DSPS schema, one metallicity at a time; with --instrument on the "
        "wavelengths that those bands need, and say what is lost.",
        epilog="example: tengri data convert bc03.fits out.h5 --zsun 0.02 --air --instrument SDSS",
    )
    convert.add_argument("file", metavar="IN")
    convert.add_argument("output", metavar="OUT", type=Path)
    convert.add_argument("--instrument", nargs="+", default=[], metavar="NAME",
                         help="instruments of `tengri list instruments`")  # fmt: skip
    convert.add_argument("--largest-redshift", type=float, default=8.0, metavar="Z",
                         help="up to which those bands look (default 8)")  # fmt: skip
    _add_stated(convert)
    add_output(convert)
    convert.set_defaults(func=convert_grid)


def _add_stated(parser: argparse.ArgumentParser) -> None:
    """Add what a file may leave open, keywords of ``load_ssp_data``."""
    group = parser.add_argument_group("what the file does not say")
    gas = group.add_mutually_exclusive_group()
    gas.add_argument("--nebular", action="store_true", default=None, dest="nebular",
                     help="nebular light is part of the spectra")  # fmt: skip
    gas.add_argument("--stars-alone", action="store_false", dest="nebular", help="it is not")
    place = group.add_mutually_exclusive_group()
    place.add_argument("--vacuum", action="store_true", default=None, dest="vacuum",
                       help="wavelengths are in vacuum")  # fmt: skip
    place.add_argument("--air", action="store_false", dest="vacuum",
                       help="they are in air: convert them")  # fmt: skip
    group.add_argument("--zsun", type=float, help="solar Z of relative metallicities")
    group.add_argument("--metallicity", type=float, metavar="Z", help="Z of a file of one")
    group.add_argument("--mass", type=float, dest="mass_msun", metavar="MSUN",
                       help="mass formed of the population")  # fmt: skip
    group.add_argument("--spectrum", help="one of several, or a sum: transmitted+nebular")
    group.add_argument("--afe", type=float, help="[α/Fe] at which the grid is taken")
    group.add_argument("--axis", action="append", default=[], metavar="NAME=VALUE",
                       help="value at which another axis is taken")  # fmt: skip
    group.add_argument("--imf", help="initial mass function, for the record")


def _stated(options: argparse.Namespace) -> dict[str, Any]:
    from tengri.errors import ConfigError
    from tengri.grids.stated import Stated

    given = {n: getattr(options, n, None) for n in Stated.__annotations__ if n != "axes"}
    stated = {name: value for name, value in given.items() if value is not None}
    for text in options.axis:
        name, _, value = text.partition("=")
        try:
            stated.setdefault("axes", {})[name] = float(value)
        except ValueError:
            raise ConfigError(f"--axis {text}: expected NAME=VALUE.") from None
    return stated


def inspect_grid(options: argparse.Namespace) -> int:
    """Print the verdict on a grid, and draw its page."""
    from tengri.components.stellar.ssp import examined, grid_of
    from tengri.grids.verdict import described

    if options.output is not None and options.output.suffix not in PAGES:
        figure_file.check(options.output)
    stated = _stated(options)
    path = files.resolve(options.file)
    contents, verdict = examined(path, stated)
    rows = described(contents, verdict)
    told = [("contradicts", verdict.contradictions), ("note", verdict.notes),
            ("problem", verdict.problems)]  # fmt: skip
    rows += [(kind, sentence) for kind, sentences in told for sentence in sentences]
    usable = "no" if verdict.problems else "yes"
    head = [("file", str(path)), ("layout", contents.layout)]
    lines = [f"{name:16}{text}" for name, text in [*head, *rows, ("usable", usable)]]
    if options.output is not None:
        _write_page(grid_of(contents, verdict, stated), [*head, *rows], options.output)
        lines.append(f"{'page':16}{options.output}")
    found = {
        "file": path, "layout": contents.layout, "gas": verdict.gas,
        "measured": vars(verdict.measured), "contradictions": verdict.contradictions,
        "notes": verdict.notes, "problems": verdict.problems, "page": options.output,
    }  # fmt: skip
    emit(options.json, "\n".join(lines), found)
    return 1 if verdict.problems else 0


def _drawn(ssp: Any) -> Any:
    """Return the figure of a grid."""
    import matplotlib

    matplotlib.use("Agg")
    from tengri.analysis.plotting import setup_style
    from tengri.analysis.plotting.populations import grid_page

    setup_style()
    return grid_page(ssp, f"{ssp.name}: {'stars and gas' if ssp.nebular else 'stars alone'}")


def _write_page(ssp: Any, rows: list[tuple[str, str]], out: Path) -> None:
    """Write what was found and the figure: as a page, or the figure alone."""
    from tengri.io import atomic

    figure = _drawn(ssp)
    if out.suffix not in PAGES:
        figure_file.save(figure, out)
        return
    from tengri.analysis.style import png
    from tengri.cli import html_page

    caption = ("Spectra at ten ages, next to solar; ionising photons, mass over light and the "
               "4000 Å break against age, a curve for each metallicity.")  # fmt: skip
    parts = [
        html_page.table(("what", "found"), rows, wraps=True),
        html_page.image("grid", png(figure), caption),
    ]
    atomic.write_text(out, html_page.render(f"Stellar populations: {ssp.name}", parts))


def convert_grid(options: argparse.Namespace) -> int:
    """Write a grid anew and print what was lost."""
    from tengri.grids import checks, readers
    from tengri.grids.conversion import convert
    from tengri.grids.verdict import accepted, judge, sample_of

    stated = _stated(options)
    contents = readers.read(files.resolve(options.file), stated)
    checks.check_axes(contents)
    contents, cleaned = checks.checked_flux(contents)
    sample = sample_of(contents)
    checks.check_brightness(sample.solar[None], sample.wave, contents.path)
    verdict = judge(contents, sample, stated)
    contents = accepted(contents, verdict, stated)
    bands = _bands(options)
    n_wave, loss = convert(contents, verdict.gas, options.output, bands)
    notes = (*verdict.notes, *checks.cleaned_notes(cleaned))
    n_met, n_age, n_source = contents.flux.shape
    size = options.output.stat().st_size
    kind = "stars and gas" if verdict.gas else "stars alone"
    lines = [
        f"{options.output}  ({size / 2**20:.1f} MiB)",
        f"{kind}: {n_met} metallicities × {n_age} ages × {n_wave} of {n_source} wavelengths",
        "lost: what float32 rounds" if loss is None else
        f"lost: |Δm| median {loss.median:.3g}, 99 % {loss.p99:.3g}, worst {loss.worst:.3g} mmag "
        f"({loss.n_compared} bands of populations up to z = {options.largest_redshift:g})",
        *verdict.contradictions, *notes,
    ]  # fmt: skip
    told = {"path": options.output, "bytes": size, "gas": verdict.gas, "n_wave": n_wave,
            "n_wave_source": n_source, "loss_mmag": None if loss is None else vars(loss),
            "contradictions": verdict.contradictions, "notes": notes}  # fmt: skip
    emit(options.json, "\n".join(lines), told)
    return 0


def _bands(options: argparse.Namespace) -> Any:
    if not options.instrument:
        return None
    from tengri.components.igm.double import inoue
    from tengri.factory import build_observation
    from tengri.grids.conversion import SeenBands

    filters = build_observation(options.instrument, []).photometry.filters
    curves = {f.name: (f.wave, f.trans) for f in filters}
    return SeenBands(curves, options.largest_redshift, inoue)
