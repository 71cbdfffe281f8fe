"""``tengri fit``: a catalogue of fluxes in, a catalogue of posteriors out."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from tengri.cli import fit_options, fit_pages, models
from tengri.cli.output import add_output, emit

#: Keys of a band in the file of ``--mapping``.
KEYS = ("flux", "error", "limit")
#: The files of ``--mapping`` and ``--priors`` are no larger.
MAX_SETTINGS_BYTES = 1 << 20


def add_parser(commands: Any) -> None:
    """Add ``fit`` to the program."""
    parser = commands.add_parser(
        "fit",
        help="fit the galaxies of a catalogue",
        description="Read fluxes or magnitudes from the columns of a catalogue (HDF5, FITS, "
        "Parquet, CSV, ECSV or VOTable) and write quantiles of every free parameter and derived "
        "quantity, diagnostics and a flag, one row for each galaxy, in the same order. A command "
        "that was interrupted goes on where it was; --shard i/n makes one part.",
        epilog="example: tengri fit cat.h5 -o fits.h5 --model sdss --flux '{band}' "
        "--error '{band}_err' --redshift z_spec --keep id",
    )
    parser.add_argument("catalogue", metavar="CATALOGUE", type=Path)
    parser.add_argument("-o", "--out", type=Path, metavar="OUT", required=True,
                        help="its ending says the format: .h5 .fits .fits.gz .parquet .csv "
                        ".ecsv .vot")  # fmt: skip
    models.add_options(parser)
    fit_options.add_data(parser.add_argument_group("data"))
    fit_options.add_method(parser.add_argument_group("method"))
    fit_options.add_work(parser.add_argument_group("work"))
    add_output(parser)
    parser.set_defaults(func=_fit, compiles=True)


def _fit(args: argparse.Namespace) -> int:
    from tengri.catalogue.table import open_table

    with open_table(args.catalogue, args.table) as table:
        job = _job(args, table)
        if args.dry_run:
            return _dry_run(args, job)
        if args.look:
            return fit_pages.look(args, job)
        return _one_shard(args, job) if args.shard else _all(args, job)


def _all(args: argparse.Namespace, job: Any) -> int:
    from tengri.catalogue import qp_ensemble
    from tengri.errors import ConfigError
    from tengri.progress import Meter

    fit_pages.check(args.page)
    if args.qp:
        qp_ensemble.check(args.qp)
        if not args.draws:
            raise ConfigError("--qp makes histograms of draws: say --draws 400, for example.")
    begin = time.perf_counter()
    job.prepare()
    with Meter(job.table.n_rows, str(args.out), "galaxies", quiet=args.quiet) as meter:
        made, counts = job.run(meter.advance)
    seconds = time.perf_counter() - begin
    if args.page:
        fit_pages.catalogue(args, job)
    if args.qp:
        qp_ensemble.write(args.qp, args.out)
    flagged = ", ".join(f"{n} {what}" for what, n in counts.items()
                        if n and what not in ("rows", "usable"))  # fmt: skip
    text = (
        f"{args.out}: {counts['rows']} galaxies in {seconds:.1f} s, {counts['usable']} with a "
        f"usable posterior; flagged: {flagged or 'none'}"
    )
    emit(args.json, text, {"out": str(args.out), "seconds": seconds, "shards": job.n_shards,
                           "shards_made": made, **counts})  # fmt: skip
    return 0


def _one_shard(args: argparse.Namespace, job: Any) -> int:
    from tengri.io.sharding import parse_shard, shard_bounds
    from tengri.progress import Meter

    number, shards = parse_shard(args.shard)
    start, stop = shard_bounds(job.table.n_rows, shards, number)
    job.prepare()
    with Meter(stop - start, f"shard {args.shard}", "galaxies", quiet=args.quiet) as meter:
        made = job.make(number, meter.advance)
    state, path = "made" if made else "good already", str(job.path(number))
    data = {"shard": number, "shards": shards, "path": path, "state": state}
    emit(args.json, f"{path}: rows {start} to {stop}, {state}", data)
    return 0


def _dry_run(args: argparse.Namespace, job: Any) -> int:
    rows = min(job.table.n_rows, 64)
    job.rows(0, rows)
    begin = time.perf_counter()
    job.rows(0, rows)
    rate = max(1, rows) / (time.perf_counter() - begin)
    plan = {
        "catalogue": f"{args.catalogue}: {job.table.n_rows} rows",
        "model": repr(job.model),
        "free": ", ".join(job.fitter.density.space.labels),
        "bands": ", ".join(f"{name} from {band.flux}, {band.error}"
                           for name, band in job.measurements.bands.items()),
        "redshift": job.measurements.redshift or "free",
        "output": f"{len(job.schema.fields)} columns",
        "work": f"{job.n_shards} shards in {job.folder}",
        "measured": f"{60 * rate:.0f} galaxies/min on {rows}; all in "
                    f"{job.table.n_rows / rate:.0f} s",
    }  # fmt: skip
    text = "\n".join(f"{name:<10s} {value}" for name, value in plan.items())
    emit(args.json, f"{text}\nnothing has been written (dry run)", plan)
    return 0


# --- what is to be done -----------------------------------------------------------------------


def _job(args: argparse.Namespace, table: Any) -> Any:
    from tengri.catalogue.fit import FitJob, Measurements
    from tengri.catalogue.zero_points import calibrated
    from tengri.inference import FitSettings, Noise

    model = _model(args, table)
    settings = FitSettings(
        method=args.method, noise=Noise(outliers=args.outliers), seed=args.seed, draws=args.draws,
        certify=args.certify, refit=args.refit, magnitude_prior=args.magnitude_prior,
        library=args.library,
    )  # fmt: skip
    measurements = Measurements(
        _bands(args, model.filter_names), args.redshift, args.redshift_error, args.units,
        not args.ignore_units, args.floor, _zero_points(args.zero_point),
    )  # fmt: skip
    if args.zero_points:
        measurements = calibrated(
            measurements, model, table, settings, args.out, args.zero_points,
            args.zero_points_redshift, args.zero_points_reference,
        )  # fmt: skip
    kept = tuple(name for name in args.keep.split(",") if name)
    n_shards = _shards(args, table.n_rows)
    return FitJob(table, measurements, model, args.out, n_shards, settings, kept)


def _model(args: argparse.Namespace, table: Any) -> Any:
    """Return the model under the priors of the command line."""
    from tengri.errors import ConfigError
    from tengri.factory import changed_spec

    priors = _toml(args.priors) if args.priors else {}
    exact = args.model == models.EXACT
    changes = dict(priors) if exact else {}
    if exact and args.redshift and not args.redshift_error and "redshift" not in priors:
        changes["redshift"] = _range(table, args.redshift)
    if spectrographs := models.instruments(args)[1]:
        raise ConfigError(
            f"--instrument {spectrographs[0]}: tengri fit takes fluxes in bands. Fit spectra by "
            "model.joint_posterior, as notebooks/15_fit_a_spectrum.py does."
        )
    model = models.build(args, changes, units="nJy", out_of_domain="nan")
    return model if exact or not priors else model.with_spec(changed_spec(model.spec, priors))  # type: ignore[attr-defined]


def _range(table: Any, column: str) -> tuple[float, float]:
    """Return a range that holds the usable redshifts: the exact model is cut to it."""
    import numpy as np

    from tengri.catalogue.table import check_columns
    from tengri.constants import MAX_REDSHIFT
    from tengri.quantities import plain_values

    check_columns([column], table)
    z, _ = plain_values(table.read([column], 0, table.n_rows)[column], "", "redshift")
    z = z[np.isfinite(z) & (z > 0.0) & (z <= MAX_REDSHIFT)]
    return (0.9 * float(z.min()), 1.01 * float(z.max())) if len(z) else (0.01, 1.0)


def _bands(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the columns of each band: by the file, else by the patterns."""
    from tengri.catalogue.fit import BandColumns
    from tengri.errors import ConfigError, unknown

    given = _toml(args.mapping) if args.mapping else {}
    for name, keys in given.items():
        if name not in names:
            raise unknown("band of --mapping", name, names)
        if not isinstance(keys, dict):
            raise ConfigError(f"--mapping: [{name}] is a table of {', '.join(KEYS)}.")
        for key in keys:
            if key not in KEYS:
                raise unknown(f"key of band {name}", key, KEYS)
    patterns = {"flux": args.flux, "error": args.error, "limit": args.limit}
    for option, pattern in patterns.items():
        if pattern is not None and "{band}" not in pattern:
            raise ConfigError(f"--{option} {pattern!r}: write it with {{band}}, e.g. 'f_{{band}}'.")
    filled = {key: pattern for key, pattern in patterns.items() if pattern is not None}
    return {
        name: BandColumns(**{**{k: p.replace("{band}", name) for k, p in filled.items()},
                             **given.get(name, {})})
        for name in names
    }  # fmt: skip


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    from tengri.errors import ConfigError, DataError
    from tengri.io import hdf5_reader

    try:
        return tomllib.loads(hdf5_reader.read_text(path, MAX_SETTINGS_BYTES))
    except DataError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from None


def _zero_points(items: list[str]) -> dict[str, float]:
    from tengri.errors import ConfigError

    found: dict[str, float] = {}
    for name, value in map(models.pair, items):
        if not isinstance(value, int | float):
            raise ConfigError(f"--zero-point {name}={value}: give an offset in magnitudes.")
        found[name] = float(value)
    return found


def _shards(args: argparse.Namespace, n_rows: int) -> int:
    from tengri.catalogue.sharded_job import existing_shards
    from tengri.inference.fitter import BLOCK
    from tengri.io.sharding import parse_shard

    if args.shard:
        return parse_shard(args.shard)[1]
    return existing_shards(args.out) or max(1, -(-n_rows // BLOCK))
