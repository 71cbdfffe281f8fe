"""``tengri data``: build grids from public sources, download files, list what is there."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.grids import files


def add_parser(subparsers: Any) -> None:
    """Register ``data`` and its subcommands; each sets ``func(options) -> int``."""
    data = subparsers.add_parser(
        "data",
        help="build, download and list data files",
        description="Build grids from public files, download files, list what is found.",
        epilog="example: tengri data list",
    )
    actions = data.add_subparsers(dest="action", required=True)
    _add_build(actions)
    _add_fetch(actions)
    listing = actions.add_parser("list", help="list the data files that are found")
    listing.set_defaults(func=list_files)


def _add_build(actions: Any) -> None:
    build = actions.add_parser("build", help="build a grid from public files")
    build.add_argument("grid", choices=("bc03-miles", "nebular", "dl07"))
    build.add_argument(
        "--nebular",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with nebular emission around stars younger than 10 Myr (default)",
    )
    build.add_argument("--logu", type=float, default=-3.0, help="ionisation parameter")
    build.add_argument("--resolution", choices=("compact", "full"), default="compact")
    build.add_argument("-o", "--output", type=Path, help="default: the folder for downloads")
    build.add_argument("--wheel", type=Path, help="the wheel of the source, if at hand")
    build.set_defaults(func=build_grid)


def _add_fetch(actions: Any) -> None:
    fetch = actions.add_parser("fetch", help="download a file; goes on where it was interrupted")
    fetch.add_argument("url")
    fetch.add_argument("--sha256", help="expected digest, hexadecimal")
    fetch.add_argument("-o", "--output", type=Path, help="default: the folder for downloads")
    fetch.set_defaults(func=fetch_file)


def build_grid(options: argparse.Namespace) -> int:
    """Build the named grid and print where it is."""
    from tengri.grids import bc03, build

    full = options.resolution == "full"
    with bc03.wheel(options.wheel) as wheel:
        if options.grid == "dl07":
            output = options.output or files.download_folder() / files.DUST_DL07
            build.build_dl07(wheel, output)
        elif options.grid == "nebular":
            output = options.output or files.download_folder() / files.NEBULAR
            build.build_nebular(wheel, output)
        else:
            name = build.ssp_name(options.nebular, options.logu, full)
            output = options.output or files.download_folder() / name
            build.build_ssp(wheel, output, with_gas=options.nebular, logu=options.logu, full=full)
    print(_line(output))
    return 0


def fetch_file(options: argparse.Namespace) -> int:
    """Download a file and print where it is."""
    from tengri.grids.fetch import fetch

    print(_line(fetch(options.url, options.output, sha256=options.sha256)))
    return 0


def list_files(options: argparse.Namespace) -> int:
    """Print every data file that a bare name finds, in the order of the search."""
    del options  # the listing has no settings
    for path in files.available():
        print(_line(path))
    return 0


def _line(path: Path) -> str:
    return f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)"
