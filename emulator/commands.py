"""``tengri info`` and ``tengri verify``: look at a surrogate, and make sure of it."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the commands of this package to the program ``tengri``."""
    info = commands.add_parser(
        "info",
        help="describe a surrogate: ranges, bands, accuracy, provenance",
        description="Describe a surrogate: trained ranges, bands, accuracy, SSP grid, hash.",
    )
    info.add_argument("surrogate", metavar="FILE", help="a file, a run folder or a name")
    info.add_argument("--card", action="store_true", help="print its model card instead")
    info.set_defaults(func=_info)
    verify = commands.add_parser(
        "verify",
        help="check a surrogate against its seal and its check pairs",
        description="Re-hash a surrogate, re-evaluate its check pairs, and with --exact compare "
        "them with the exact model on the SSP grid of the training.",
    )
    verify.add_argument("surrogate", metavar="FILE", help="a file, a run folder or a name")
    verify.add_argument("--exact", action="store_true", help="evaluate the exact model too")
    verify.set_defaults(func=_verify)


def _info(args: argparse.Namespace) -> int:
    from emulator.loading import load

    surrogate = load(args.surrogate)
    artefact = surrogate.artefact
    print(artefact.card if args.card else f"{surrogate.summary()}\nsha256 {artefact.sha256}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from emulator import published, verification
    from emulator.loading import load

    file = published.resolve(args.surrogate)
    exact = load(file).exact_model() if args.exact else None
    print(verification.verify(file, exact))
    return 0
