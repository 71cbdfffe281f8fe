"""``tengri info``, ``card`` and ``export``: one surrogate, looked at and taken out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli.output import add_output, emit

SURROGATE = "a file, a run folder or a name (tengri list surrogates)"


def add_parser(commands: Any) -> None:
    """Add the commands of this package to the program ``tengri``."""
    _info_parser(commands)
    _card_parser(commands)
    _export_parser(commands)
    _publish_parser(commands)


def _info_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "info",
        help="describe a surrogate: ranges, bands, accuracy, provenance",
        description="Describe a surrogate: trained box, bands, accuracy, SSP grid, hash.",
        epilog="example: tengri info sdss",
    )
    parser.add_argument("surrogate", metavar="FILE", help=SURROGATE)
    parser.add_argument("--card", action="store_true", help="print its model card instead")
    add_output(parser)
    parser.set_defaults(func=_info)


def _card_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "card",
        help="print the model card of a surrogate (Markdown)",
        description="Print the model card of a surrogate: what it is, how exact, where it fails.",
        epilog="example: tengri card sdss > sdss.md",
    )
    parser.add_argument("surrogate", metavar="FILE", help=SURROGATE)
    add_output(parser)
    parser.set_defaults(func=_info, card=True)


def _export_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a surrogate as NumPy weights and code, or its network as ONNX",
        description="With --numpy write NAME.npz (weights, scalings, JSON description) and "
        "NAME.py, which needs NumPy alone and reproduces the surrogate's fluxes; the pair is run "
        "against the surrogate's check pairs before the command succeeds. End-to-end surrogates "
        "and kernels have both forms, tables have none. With --onnx write NAME.onnx, the network "
        "alone (scalings inside; distance, amplitude, history and dust are algebra of the NumPy "
        "file), which agrees with NumPy to 1e-5.",
        epilog="example: tengri export sdss --numpy -o exported",
    )
    parser.add_argument("surrogate", metavar="FILE", help=SURROGATE)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--numpy", action="store_true", help="weights and code that needs NumPy")
    form.add_argument("--onnx", action="store_true",
                      help="the network as a graph (pip install 'tengri-sed[onnx]')")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path("."),
                        help="output folder (default: this one)")  # fmt: skip
    parser.add_argument("--name", help="name of the two files (default: the surrogate's)")
    add_output(parser)
    parser.set_defaults(func=_export, compiles=True)


def _publish_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "publish",
        help="prepare a surrogate for a repository of files: card, digests, DOI metadata",
        description="Verify a surrogate and write NAME.h5, its card, its entry of the registry of "
        "published files, zenodo.json (metadata that Zenodo's deposit interface takes to mint a "
        "DOI) and SHA256SUMS. Nothing is sent anywhere.",
        epilog="example: tengri publish runs/mine --name mine --author 'Family, Given' -o upload",
    )
    parser.add_argument("surrogate", metavar="RUN", help=SURROGATE)
    parser.add_argument("--name", required=True, help="by which it is to be loaded")
    parser.add_argument("--author", action="append", default=[], metavar="'FAMILY, GIVEN; …'",
                        help="with affiliation and ORCID after semicolons; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--licence", default="cc-by-4.0", help="as Zenodo abbreviates it")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path("upload"),
                        help="output folder (default: upload)")  # fmt: skip
    add_output(parser)
    parser.set_defaults(func=_publish, compiles=True)


def _publish(args: argparse.Namespace) -> int:
    from emulator import publication

    made = publication.prepare(args.surrogate, args.out, args.name, args.author, args.licence)
    emit(args.json, str(made), made._asdict())
    return 0


def _info(args: argparse.Namespace) -> int:
    from emulator import description

    found = description.describe(args.surrogate)
    emit(args.json, found["card"] if args.card else description.text(found), found)
    return 0


def _export(args: argparse.Namespace) -> int:
    from emulator import export, onnx_export

    write: Any = onnx_export.to_onnx if args.onnx else export.to_numpy
    made = write(args.surrogate, args.out, args.name)
    emit(args.json, str(made), made._asdict())
    return 0
