"""``tengri verify PATH``: whether files are as they were written.

Each package contributes verifiers through entry points of the group ``tengri.verifiers``:
functions ``(path, exact) -> list of Check``, or None where the path is nothing of theirs. All
that recognise a path are run, so that a run folder is checked as a run and as a surrogate.
"""

from __future__ import annotations

import argparse
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tengri.cli.doctor import FAILURE, OK, WARNING, Check, in_words, line
from tengri.cli.output import add_output, emit
from tengri.errors import DataError

GROUP = "tengri.verifiers"


def add_parser(commands: Any) -> None:
    """Add ``verify`` to the program."""
    parser = commands.add_parser(
        "verify",
        help="check a run, a data set, a surrogate or a grid: every byte, and what it computes",
        description="Check every byte that would be read back against its SHA-256: of a run "
        "folder (configuration, plan, checkpoints, log, artefact), a data set (manifest, shards), "
        "an SSP grid or a surrogate. Surrogates are evaluated as well and must repeat their check "
        "pairs; with --exact so must the exact model on the grid of the training; with "
        "--public-key the file must carry its owner's signature (`tengri sign`). Exit code 1 if "
        "anything is damaged.",
        epilog="examples: tengri verify runs/mine; tengri verify sdss --exact",
    )
    parser.add_argument("path", metavar="PATH", help="a file, a folder or a surrogate's name")
    parser.add_argument("--exact", action="store_true", help="evaluate the exact model too")
    parser.add_argument("--public-key", type=Path, metavar="PUBLIC.pem",
                        help="whose signature FILE.sig must be")  # fmt: skip
    add_output(parser)
    parser.set_defaults(func=_verify, compiles=True)


def _verify(args: argparse.Namespace) -> int:
    signed = [] if args.public_key is None else [_signature(Path(args.path), args.public_key)]
    checks = [in_words(check) for check in (*signed, *run(args.path, args.exact))]
    bad = sum(check.state == FAILURE for check in checks)
    total = f"{args.path}: {len(checks) - bad} of {len(checks)} checks passed"
    emit(args.json, "\n".join([*map(line, checks), total]), [check._asdict() for check in checks])
    return int(bad > 0)


def _signature(file: Path, public_key: Path) -> Check:
    from tengri.io import signature

    try:
        signature.check(file, public_key)
    except DataError as error:
        return Check("signature", FAILURE, str(error), "get the file from who made it")
    return Check("signature", OK, f"{file}: signed by the owner of {public_key}")


def run(path: str, exact: bool = False) -> list[Check]:
    """Return what every verifier that recognises ``path`` finds.

    Raises
    ------
    DataError
        Nothing of that name, or nothing that can be verified.
    """
    verifiers = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    found = [entry.load()(path, exact) for entry in verifiers]
    if all(checks is None for checks in found):
        raise DataError(f"{path}: no run folder, data set, surrogate or grid, nor a sealed file.")
    return [check for checks in found for check in checks or ()]


def sealed_file(path: str, exact: bool) -> list[Check] | None:
    """Check the seal of a tengri file, or the contents of any SSP grid."""
    from tengri.components.stellar.ssp import load_ssp_data
    from tengri.io import seal

    file = Path(path)
    if not file.is_file():
        return None
    sealed, grid = seal.is_sealed(file), _is_grid(file)
    if not (sealed or grid):
        return None
    if sealed:
        try:
            found = Check("seal", OK, f"{file}: intact, sha256 {seal.verify(file)}")
        except DataError as error:
            return [Check("seal", FAILURE, str(error), "get a fresh copy, or make it again")]
    else:
        found = Check("seal", WARNING, f"{file} has none; sha256 {seal.file_sha256(file)}",
                      "keep the digest, and compare it with that of a later day")  # fmt: skip
    if not grid:
        return [found]
    try:
        return [found, Check("grid", OK, f"{load_ssp_data(file)!r}: shapes, values, units")]
    except DataError as error:
        return [found, Check("grid", FAILURE, str(error), "get a fresh copy")]


def _is_grid(file: Path) -> bool:
    from tengri.io import hdf5_reader

    try:
        with hdf5_reader.open_hdf5(file) as contents:
            return hdf5_reader.has(contents, "ssp_flux")
    except (OSError, RuntimeError):
        return False
