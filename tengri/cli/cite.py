"""``tengri cite``: BibTeX of the references of a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from tengri.cli import models
from tengri.cli.output import add_output, emit


def add_parser(commands: Any) -> None:
    """Add ``cite`` to the program."""
    parser = commands.add_parser(
        "cite",
        help="print BibTeX for the components of a model",
        description="Print BibTeX for the software, SSP grid, components, cosmology and bands of "
        "a surrogate, or of the exact model that the options describe.",
        epilog="examples: tengri cite sdss > paper.bib; "
        "tengri cite --instrument JWST_NIRCam --set dust_law=calzetti",
    )
    parser.add_argument("surrogate", nargs="?", metavar="ARTEFACT", help="as --model ARTEFACT")
    models.add_options(parser)
    add_output(parser)
    parser.set_defaults(func=_cite)


def _cite(args: argparse.Namespace) -> int:
    from tengri.citations import bibtex, cited

    args.model = args.surrogate or args.model
    items = [(item, bibtex(item.reference))
             for item in cited(models.build(args, units="maggies"))]  # fmt: skip
    data = [{"what": item.what, "reference": item.reference, "keys": list(found)}
            for item, found in items]  # fmt: skip
    emit(args.json, _document(items), data)
    return 0


def _document(items: Iterable[tuple[Any, dict[str, str]]]) -> str:
    """Return one BibTeX file: each work once, with comments that say what it is cited for."""
    comments, works = [], {}
    for item, found in items:
        keys = ", ".join(found) or item.reference or "no reference"
        comments.append(f"% {item.what}: {keys}")
        works.update(found)
    return "\n".join([*comments, "", *works.values()]).rstrip()
