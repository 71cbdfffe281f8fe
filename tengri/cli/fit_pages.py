"""``tengri fit --page`` and ``--look``: pages of a fitted catalogue and of single galaxies."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tengri.cli.output import emit


def catalogue(args: argparse.Namespace, job: Any) -> None:
    """Write the page of the fitted catalogue."""
    from tengri.catalogue.zero_points import solved
    from tengri.cli import fit_page

    read = job.table.read(job.kept, 0, job.table.n_rows) if job.kept else {}
    fit_page.write(
        args.page, args.out, read, f"{args.catalogue.name} by {args.model}", _z_spec(args, job),
        solved(args.out).ordered(job.model.filter_names) if args.zero_points else None,
        _settings(job),
    )  # fmt: skip


def look(args: argparse.Namespace, job: Any) -> int:
    """Fit some rows and write the page of each."""
    from tengri.cli import galaxy_page
    from tengri.inference.fitter import Fitter

    rows = _rows(args.look, job.table.n_rows)
    settings = replace(job.settings, draws=galaxy_page.DRAWS, derived=True)
    fitter = Fitter.of(job.model, job.observed(rows[0], rows[0] + 1), settings)
    z_spec = _z_spec(args, job)
    made = []
    for row in rows:
        path = args.out.with_name(f"{args.out.name}-{row}.html")
        known = None if z_spec is None else float(z_spec[row])
        data = job.observed(row, row + 1)
        galaxy_page.write(path, fitter, data, f"{args.catalogue.name}, row {row}", known,
                          _settings(job))  # fmt: skip
        made.append(str(path))
    emit(args.json, "\n".join(made), {"pages": made})
    return 0


def _rows(text: str, n_rows: int) -> list[int]:
    from tengri.errors import ConfigError

    rows = [int(part) if part.strip().isdecimal() else -1 for part in text.split(",")]
    if not all(0 <= row < n_rows for row in rows):
        raise ConfigError(
            f"--look {text}: give rows of the catalogue, 0 to {n_rows - 1}, e.g. --look 0,17."
        )
    return rows


def _z_spec(args: argparse.Namespace, job: Any) -> Any:
    """Return spectroscopic redshifts of all rows, NaN where there is none, if a column has them."""
    from tengri.catalogue.zero_points import redshifts

    return None if not args.page_redshift else redshifts(job.table, args.page_redshift)


def _settings(job: Any) -> str:
    from tengri.io.jsonable import jsonable

    return json.dumps(jsonable(job.description), indent=1, ensure_ascii=False)


def check(page: Path | None) -> None:
    """Raise ConfigError for a page that would not be one."""
    from tengri.errors import ConfigError

    if page is not None and page.suffix not in (".html", ".htm"):
        raise ConfigError(f"--page {page}: a page ends in .html.")
