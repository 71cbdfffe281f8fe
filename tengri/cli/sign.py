"""``tengri sign``: a signature beside a file, for those who publish."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli.output import add_output, emit


def add_parser(commands: Any) -> None:
    """Add ``sign`` to the program."""
    parser = commands.add_parser(
        "sign",
        help="sign a file that you publish",
        description="Write FILE.sig: the Ed25519 signature of the SHA-256 of the file, with a "
        "secret key in PEM (openssl genpkey -algorithm ed25519 -out secret.pem). Whoever has the "
        "public key from you checks it with `tengri verify FILE --public-key public.pem`.",
        epilog="example: tengri sign runs/mine/surrogate.h5 --key secret.pem",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--key", metavar="SECRET.pem", type=Path, required=True)
    add_output(parser)
    parser.set_defaults(func=_sign)


def _sign(args: argparse.Namespace) -> int:
    from tengri.io import signature

    written = signature.sign(args.file, args.key)
    emit(args.json, f"{written}: signature of {args.file}", {"signature": str(written)})
    return 0
