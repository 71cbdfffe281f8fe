"""Options of ``tengri fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Those of `tengri.inference.fitter`, which no --help should load.
METHODS = ("auto", "importance", "nuts", "map", "library")


def add_data(group: Any) -> None:
    """Add options of columns, units, errors and zero points."""
    for names, settings in (
        (["--table"], {"metavar": "NAME",
                       "help": "HDF5 group or dataset, FITS extension, table of a VOTable"}),
        (["--flux"], {"default": "{band}", "metavar": "PATTERN",
                      "help": "columns of the fluxes (default '{band}')"}),
        (["--error"], {"default": "{band}_err", "metavar": "PATTERN",
                       "help": "columns of their errors (default '{band}_err')"}),
        (["--limit"], {"metavar": "PATTERN",
                       "help": "columns that are true where the flux is an upper limit"}),
        (["--mapping"], {"type": Path, "metavar": "FILE.toml",
                         "help": "columns band by band: [BAND] flux = …, error = …, limit = …"}),
        (["--units"], {"default": "nJy",
                       "help": "of columns that state none: a flux unit or mag_ab (default nJy)"}),
        (["--ignore-units"], {"action": "store_true",
                              "help": "all are in --units, whatever the file states"}),
        (["--redshift"], {"metavar": "COLUMN", "help": "known redshifts; default: free"}),
        (["--redshift-error"], {"metavar": "COLUMN",
                                "help": "then the redshifts are centres of normal priors"}),
        (["--floor"], {"type": float, "default": 0.0, "metavar": "SHARE",
                       "help": "error floor as a share of the flux (default 0)"}),
        (["--zero-point"], {"action": "append", "default": [], "metavar": "BAND=MAG",
                            "help": "is added to the magnitudes of a band; may be repeated"}),
        (["--zero-points"], {"metavar": "solve|FILE.json",
                             "help": "solve: offsets of all bands over the whole catalogue, with "
                             "the galaxies; are written to OUT.zero_points.json, and taken from a "
                             "file like it"}),
        (["--zero-points-redshift"], {"metavar": "COLUMN",
                                      "help": "solve with the galaxies that have a redshift here, "
                                      "at that redshift"}),
        (["--zero-points-reference"], {"default": "", "metavar": "BAND",
                                       "help": "the band whose offset is 0 (default: none, their "
                                       "common level is held near 0 by a prior)"}),
        (["--keep"], {"default": "", "metavar": "A,B", "help": "columns to copy to the output"}),
    ):  # fmt: skip
        group.add_argument(*names, **settings)


def add_method(group: Any) -> None:
    """Add options of how galaxies are fitted."""
    for names, settings in (
        (["--method"], {"default": "auto", "choices": METHODS, "metavar": "|".join(METHODS),
                        "help": "default auto: importance sampling, then NUTS where it fails; "
                        "library: photometric redshifts"}),
        (["--magnitude-prior"], {"default": "", "metavar": "BAND",
                                 "help": "free redshifts are as likely as Benítez (2000) found for "
                                 "the magnitude in this band, near 8140 Å"}),
        (["--library"], {"type": int, "default": 2**18, "metavar": "N",
                         "help": "draws of the library, a power of two (default 262144)"}),
        (["--priors"], {"type": Path, "metavar": "FILE.toml",
                        "help": "priors by parameter: a number, [lo, hi], or {kind = …, …}"}),
        (["--outliers"], {"type": float, "default": 0.0, "metavar": "P",
                          "help": "probability that a band is an outlier (default 0)"}),
        (["--draws"], {"type": int, "default": 0, "metavar": "N",
                       "help": "keep N draws with equal weights of each galaxy"}),
        (["--certify"], {"type": int, "default": 0, "metavar": "N",
                         "help": "weight N draws of each posterior with the exact model"}),
        (["--refit"], {"action": "store_true",
                       "help": "fit with the exact model where --certify fails"}),
        (["--seed"], {"type": int, "default": 0, "help": "of the random numbers (default 0)"}),
    ):  # fmt: skip
        group.add_argument(*names, **settings)


def add_work(group: Any) -> None:
    """Add options of shards, pages and what else is written."""
    group.add_argument("--shard", metavar="i/n|env", help="make one of n parts, env: the one of "
                       "this task of SLURM, MPI or Flux; join them without it")  # fmt: skip
    group.add_argument("--dry-run", action="store_true", help="measure, write nothing")
    group.add_argument("--page", type=Path, metavar="FILE.html",
                       help="a page of the fitted catalogue")  # fmt: skip
    group.add_argument("--page-redshift", metavar="COLUMN",
                       help="spectroscopic redshifts to compare with on pages")  # fmt: skip
    group.add_argument(
        "--qp",
        type=Path,
        metavar="FILE.hdf5",
        help="P(z) of all galaxies, from draws, as an ensemble of qp",
    )
    group.add_argument("--look", metavar="ROW,ROW…",
                       help="fit these rows alone (from 0) and write a page of each, OUT-ROW.html; "
                       "no catalogue")  # fmt: skip
