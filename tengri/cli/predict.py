"""``tengri predict``: a catalogue of parameters in, a catalogue of photometry out."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from tengri.cli import models
from tengri.cli.output import add_output, emit


def add_parser(commands: Any) -> None:
    """Add ``predict`` to the program."""
    parser = commands.add_parser(
        "predict",
        help="predict the photometry of a catalogue",
        description="Read parameters from the columns of a catalogue (HDF5, FITS, Parquet, CSV, "
        "ECSV or VOTable, by its ending) and write band fluxes, error bars and a flag, in the "
        "same order. A command that was interrupted goes on where it was; --shard i/n makes one "
        "part, for job arrays.",
        epilog="example: tengri predict cat.h5 -o phot.h5 --model sdss --units nJy --keep id",
    )
    parser.add_argument("catalogue", metavar="CATALOGUE", type=Path)
    parser.add_argument("-o", "--out", type=Path, metavar="OUT", required=True,
                        help="its ending says the format: .h5 .fits .fits.gz .parquet .csv "
                        ".ecsv .vot")  # fmt: skip
    models.add_options(parser)
    _column_options(parser.add_argument_group("columns"))
    _work_options(parser.add_argument_group("work"))
    add_output(parser)
    parser.set_defaults(func=_predict, compiles=True)


def _column_options(group: Any) -> None:
    for names, settings in (
        (["--units"], {"default": "nJy", "help": "of the fluxes, or mag_ab (default nJy)"}),
        (["--lines"], {"default": "", "metavar": "A,B",
                       "help": "emission lines of the exact model, e.g. Ha_6565,OIII_5008: flux, "
                       "luminosity, equivalent widths"}),
        (["--table"], {"metavar": "NAME",
                       "help": "HDF5 group or dataset, FITS extension, table of a VOTable"}),
        (["--column"], {"action": "append", "default": [], "metavar": "PARAMETER=COLUMN",
                        "help": "where names differ; may be repeated"}),
        (["--ignore"], {"default": "", "metavar": "A,B", "help": "columns that are no parameters"}),
        (["--keep"], {"default": "", "metavar": "A,B", "help": "columns to copy to the output"}),
        (["--ignore-units"], {"action": "store_true", "help": "the numbers are in the parameters' "
                             "units, whatever the file states"}),
        (["--errors"], {"default": "68", "metavar": "LEVEL|none",
                        "help": "coverage of a surrogate's error bars in per cent (default 68)"}),
        (["--out-of-domain"], {"default": "nan", "choices": ("nan", "clip", "raise"),
                               "metavar": "nan|clip|raise",
                               "help": "what flagged rows get (default nan)"}),
    ):  # fmt: skip
        group.add_argument(*names, **settings)


def _work_options(group: Any) -> None:
    group.add_argument("--shard", metavar="i/n|env", help="make one of n parts, env: the one of "
                       "this task of SLURM, MPI or Flux; join them without it")  # fmt: skip
    group.add_argument("--dry-run", action="store_true", help="measure, write nothing")


def _predict(args: argparse.Namespace) -> int:
    from tengri.catalogue.table import open_table
    from tengri.io.lock import held

    with open_table(args.catalogue, args.table) as table:
        job = _job(args, table)
        if args.dry_run:
            plan = _planned(args, job)
            text = "\n".join(f"{name:<10s} {value}" for name, value in plan.items())
            emit(args.json, f"{text}\nnothing has been written (dry run)", plan)
            return 0
        with held(job.folder, shared=bool(args.shard)):
            return _one_shard(args, job) if args.shard else _all(args, job)


def _all(args: argparse.Namespace, job: Any) -> int:
    from tengri.progress import Meter

    begin = time.perf_counter()
    job.prepare()
    with Meter(job.table.n_rows, str(args.out), quiet=args.quiet) as meter:
        made, counts = job.run(meter.advance)
    seconds = time.perf_counter() - begin
    flagged = ", ".join(f"{n} {what}" for what, n in counts.items() if what != "rows")
    text = f"{args.out}: {counts['rows']} rows in {seconds:.1f} s; flagged: {flagged}"
    emit(args.json, text, {"out": str(args.out), "seconds": seconds, "shards": job.n_shards,
                           "shards_made": made, **counts})  # fmt: skip
    return 0


def _one_shard(args: argparse.Namespace, job: Any) -> int:
    from tengri.io.sharding import parse_shard, shard_bounds
    from tengri.progress import Meter

    number, shards = parse_shard(args.shard)
    start, stop = shard_bounds(job.table.n_rows, shards, number)
    job.prepare()
    with Meter(stop - start, f"shard {args.shard}", quiet=args.quiet) as meter:
        made = job.make(number, meter.advance)
    state, path = "made" if made else "good already", str(job.path(number))
    data = {"shard": number, "shards": shards, "path": path, "state": state}
    emit(args.json, f"{path}: rows {start} to {stop}, {state}", data)
    return 0


# --- what is to be done -----------------------------------------------------------------------


def _job(args: argparse.Namespace, table: Any) -> Any:
    from tengri.catalogue.columns import (
        check_complete,
        check_free_of,
        check_numbers,
        check_units,
        parameter_columns,
    )
    from tengri.catalogue.job import Job, Options
    from tengri.catalogue.predict import check_level
    from tengri.catalogue.words import OPTIONS

    columns = parameter_columns(table.names, _renamed(args.column), _names(args.ignore), OPTIONS)
    check_numbers(args.catalogue, table, columns)
    check_free_of(columns, dict(map(models.pair, args.values)))
    if not args.ignore_units:
        check_units({name: table.unit(column) for name, column in columns.items()})
    model = models.build(
        args, _changes(args, table, columns), units=args.units,
        out_of_domain="clip" if args.out_of_domain == "clip" else "nan",
    )  # fmt: skip
    check_complete(model.spec, columns, table.names, OPTIONS)
    level = None if args.errors == "none" else _level(args.errors)
    check_level(model, level)
    options = Options(args.out_of_domain, level, _names(args.keep), not args.ignore_units,
                      _names(args.lines))  # fmt: skip
    return Job(table, columns, model, args.out, _shards(args, table.n_rows), options)


def _renamed(items: list[str]) -> dict[str, str]:
    """Return parameter → column of ``PARAMETER=COLUMN``; a column may have any name."""
    from tengri.errors import ConfigError

    renamed: dict[str, str] = {}
    for item in items:
        parameter, equals, column = (part.strip() for part in item.partition("="))
        if not (equals and parameter and column):
            raise ConfigError(f"--column {item!r}: write it as PARAMETER=COLUMN, e.g. redshift=z.")
        if parameter in renamed:
            raise ConfigError(f"--column gives {parameter} twice.")
        renamed[parameter] = column
    return renamed


def _level(text: str) -> int:
    from tengri.errors import ConfigError

    if not text.isdigit():
        raise ConfigError(f"--errors {text!r}: a level in per cent such as 68, or none.")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _shards(args: argparse.Namespace, n_rows: int) -> int:
    from tengri.catalogue.job import SHARD_ROWS
    from tengri.catalogue.sharded_job import existing_shards
    from tengri.io.sharding import parse_shard

    if args.shard:
        return parse_shard(args.shard)[1]
    return existing_shards(args.out) or max(1, -(-n_rows // SHARD_ROWS))


def _changes(args: argparse.Namespace, table: Any, columns: dict[str, str]) -> dict[str, Any]:
    """Return what the catalogue declares: its parameters and, of the exact model, its redshifts."""
    from tengri.components.composition import registered_params

    params = registered_params()
    arrays = [name for name in columns if params[name].shape]
    changes = {name: params[name].default for name in columns if name not in arrays}
    changes |= _first_usable(table, {name: columns[name] for name in arrays})
    if "redshift" in columns and args.model == models.EXACT:
        at_zero = "distance_mpc" in columns or "distance_mpc" in models.parameters(args)
        changes["redshift"] = _redshifts(args, table, columns["redshift"], at_zero)
    return changes


def _first_usable(table: Any, columns: dict[str, str]) -> dict[str, Any]:
    """Return the arrays of the first row that has them all: they say their lengths."""
    import numpy as np

    from tengri.catalogue.job import CHUNK

    if not columns:
        return {}
    rows = table.read(sorted(set(columns.values())), 0, min(CHUNK, table.n_rows))
    found = {name: np.ma.filled(np.ma.asarray(rows[c]).astype(float), np.nan)
             for name, c in columns.items()}  # fmt: skip
    whole = [np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in found.values()]
    usable = np.flatnonzero(np.logical_and.reduce(whole))
    row = int(usable[0]) if len(usable) else 0
    return {name: v[row] for name, v in found.items() if len(v)}


def _redshifts(args: argparse.Namespace, table: Any, column: str, at_zero: bool) -> Any:
    """Return the range of the usable redshifts: the exact model is cut to it.

    ``at_zero`` says that 0 is one of them: a distance is given.
    """
    import numpy as np

    from tengri.catalogue.job import CHUNK
    from tengri.quantities import plain_values

    lo, hi, unit = np.inf, -np.inf, "" if args.ignore_units else table.unit(column)
    for start in range(0, table.n_rows, CHUNK):
        rows = table.read([column], start, min(start + CHUNK, table.n_rows))[column]
        z, _ = plain_values(rows, "", "redshift", unit)
        z = z[(z >= 0.0 if at_zero else z > 0.0) & (z <= 20.0)]
        lo, hi = min(lo, z.min(initial=np.inf)), max(hi, z.max(initial=-np.inf))
    if lo > hi:
        return 0.1  # no usable redshift at all: every row will be flagged
    return float(lo) if lo == hi else (float(lo), float(hi))


def _planned(args: argparse.Namespace, job: Any) -> dict[str, str]:
    """Return what would be done, with a measured speed."""
    rows = min(job.table.n_rows, job.chunk, 4096)
    job.rows(0, rows)
    begin = time.perf_counter()
    job.rows(0, rows)
    rate = max(1, rows) / (time.perf_counter() - begin)
    size = sum(field.dtype.itemsize for field in job.schema.fields.values()) * job.table.n_rows
    return {
        "catalogue": f"{args.catalogue}: {job.table.n_rows} rows",
        "model": repr(job.model),
        "columns": ", ".join(p if p == c else f"{p} from {c}" for p, c in job.columns.items()),
        "output": f"{', '.join(job.schema.fields)} [{args.units}]",
        "work": f"{job.n_shards} shards in {job.folder}",
        "measured": f"{rate:.0f} rows/s on {rows} rows; all in {job.table.n_rows / rate:.0f} s",
        "disk": f"{2 * size / 1e6:.0f} MB while joining, {size / 1e6:.0f} MB after",
    }
