"""``tengri train``, ``resume``, ``replay``, ``dataset`` and ``compare``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tengri.cli.output import add_output, emit, narrated
from tengri.progress import write_line


def add_parser(commands: Any) -> None:
    """Add the commands of this package to the program ``tengri``."""
    _train_parser(commands)
    _resume_parser(commands)
    _replay_parser(commands)
    _dataset_parser(commands)
    _compare_parser(commands)


def _train_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a surrogate of the exact model for named bands and priors",
        description="Train, evaluate and report a surrogate. CONFIG is the name of a shipped "
        "configuration (tengri list configs) or a .toml file.",
        epilog="example: tengri train sdss --until p99=15mmag --out runs/sdss",
    )
    parser.add_argument("config", metavar="CONFIG")
    _config_options(parser)
    parser.add_argument("--until", metavar="p99=5mmag", help="stop when this accuracy is reached")
    parser.add_argument("--dry-run", action="store_true", help="measure, write nothing")
    parser.add_argument(
        "--population", action="append", default=[], metavar="NAME|FILE",
        help="let error bars hold for these galaxies too: smooth, bursty, young, spike, laws, or a "
        "catalogue of parameters; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder, default runs/CONFIG")
    _process_options(parser)
    add_output(parser)
    parser.set_defaults(func=_train, compiles=True)


def _resume_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "resume", help="continue a run, or verify a finished one",
        description="Continue a run from its newest good checkpoint; verify a finished one. With "
        "--set run.minutes=… or run.steps=… (of the whole run) it goes on longer.",
        epilog="example: tengri resume runs/sdss --set run.minutes=60",
    )  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path)
    _config_options(parser)
    _process_options(parser)
    add_output(parser)
    parser.set_defaults(func=_resume, compiles=True)


def _replay_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "replay", help="compute one training row in the exact model",
        description="Print the parameters and exact fluxes of one training row of a run.",
        epilog="example: tengri replay runs/sdss --row 12345",
    )  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--row", type=int, required=True, metavar="N", help="global row index")
    add_output(parser)
    parser.set_defaults(func=_replay, compiles=True)


def _dataset_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "dataset", help="make or verify stored training data",
        description="Make shards of a training set, under any launcher and in any order: "
        "`tengri dataset CONFIG --shard 3/16 -o DIR`. `tengri dataset verify DIR` names missing "
        "and bad shards.",
        epilog="example: tengri dataset sdss --shard 3/16 -o rows",
    )  # fmt: skip
    parser.add_argument("config", metavar="CONFIG|verify")
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="with verify")
    parser.add_argument("--shard", metavar="i/n|env", help="make one of n shards; default: all")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR")
    parser.add_argument("--dry-run", action="store_true", help="measure, write nothing")
    _config_options(parser)
    add_output(parser)
    parser.set_defaults(func=_dataset, compiles=True)


def _compare_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "compare", help="compare a surrogate with its exact model, another one, or other stars",
        description="Write figures, a page and numbers: sweeps, a grid, a redshift track or prior "
        "draws through both models; or errors and error bars on populations of galaxies. With "
        "--stars, or two surrogates on different grids of stars: what the choice of stars does to "
        "magnitudes, colours and fitted masses and ages.",
        epilog="example: tengri compare sdss --sweep dust_tau_diff",
    )  # fmt: skip
    parser.add_argument("surrogate", metavar="FILE", help="a file, a run folder or a name")
    parser.add_argument("other", nargs="?", metavar="OTHER", help="a second surrogate")
    parser.add_argument("--sweep", action="append", metavar="PARAMETER", help="may be repeated")
    parser.add_argument("--grid", metavar="A,B", help="two parameters")
    parser.add_argument("--track", metavar="redshift", help="one galaxy moved through redshift")
    parser.add_argument(
        "--population", action="append", default=[], metavar="NAME|FILE",
        help="galaxies unlike the prior: smooth, bursty, young, spike, laws, prior, or a catalogue "
        "of parameters; may be repeated",
    )  # fmt: skip
    parser.add_argument("--colour", metavar="BLUE-RED", help="colour of the grid's maps")
    parser.add_argument("--n", type=int, default=5000, help="prior draws (default 5000)")
    parser.add_argument("--ssp", metavar="FILE", help="SSP grid, default the one of the training")
    parser.add_argument("--stars", metavar="FILE[,afe=…]", help="another grid of stars")
    parser.add_argument("--fits", type=int, default=64, metavar="N",
                        help="galaxies fitted with both stars, 0: none (default 64)")  # fmt: skip
    parser.add_argument("-o", "--out", metavar="DIR", help="output folder, default compare-NAME")
    add_output(parser)
    parser.set_defaults(func=_compare, compiles=True)


def _compare(args: argparse.Namespace) -> int:
    from train import comparison

    return comparison.run(args)


def _config_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="section.key=value", dest="overrides",
        help="change one value of the configuration; may be repeated",
    )  # fmt: skip


def _process_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several processes (jax.distributed)")
    group.add_argument("--coordinator", default="", metavar="HOST:PORT")
    group.add_argument("--processes", type=int, default=1, metavar="N")
    group.add_argument("--process", type=int, default=0, metavar="I", help="from 0")


def _train(args: argparse.Namespace) -> int:
    from train import config as configs

    until = [f"run.until={args.until}"] if args.until else []
    if args.population:
        until.append(f"run.populations={json.dumps(args.population)}")
    config = configs.load(args.config, [*args.overrides, *until])
    out = args.out or Path("runs") / Path(args.config).stem
    if args.dry_run:
        from train.dryrun import describe

        lines = describe(config, out)
        emit(args.json, "\n".join(lines), {"dry run": lines})
        return 0
    from train import devices

    with devices.joined(args.coordinator, args.processes, args.process, f"tengri resume {out}"):
        from train import pipeline

        return _guarded(args, out, lambda: pipeline.start(config, out, _command()))


def _resume(args: argparse.Namespace) -> int:
    from train import devices

    again = f"tengri resume {args.run}"
    with devices.joined(args.coordinator, args.processes, args.process, again):
        from train import pipeline

        return _guarded(args, args.run, lambda: pipeline.resume(args.run, args.overrides))


def _replay(args: argparse.Namespace) -> int:
    from train import pipeline

    found = pipeline.replay(args.run, args.row)
    lines = [f"row {args.row}:", *(f"  {n} = {v!r}" for n, v in found["parameters"].items())]
    for kind in ("float32", "float64"):
        shown = ", ".join(f"{b} {f:.6g}" for b, f in found[f"unit fluxes, {kind}"].items())
        lines.append(f"unit fluxes, {kind}: {shown}")
    emit(args.json, "\n".join(lines), found)
    return 0


def _guarded(args: argparse.Namespace, path: Path, call: Callable[[], int]) -> int:
    """Train; with ``--json`` say on standard output only what became of it."""
    from train import devices, pipeline
    from train.signals import Stopped

    try:
        with narrated(args):
            code = call()
        if args.json and devices.is_first():
            emit(True, "", pipeline.summary(path))
        return code
    except Stopped as stopped:
        write_line(str(stopped))
        return 130
    except ArithmeticError as error:  # numbers that are not finite: named, never saved
        print(f"tengri: {error}", file=sys.stderr)
        return 1


def _dataset(args: argparse.Namespace) -> int:
    from tengri.errors import ConfigError
    from tengri.io.sharding import parse_shard
    from train import config as configs

    if args.config == "verify":
        return _dataset_verify(args)
    config = configs.load(args.config, args.overrides)
    number, shards = parse_shard(args.shard) if args.shard else (0, config.data.shards)
    numbers = [number] if number else list(range(1, shards + 1))
    if args.out is None:
        raise ConfigError("tengri dataset needs -o DIR, the folder of the data set.")
    if args.dry_run:
        from train.dryrun import describe_rows

        lines = describe_rows(config, numbers, shards, args.out)
        emit(args.json, "\n".join(lines), {"dry run": lines})
        return 0
    with narrated(args):
        states, bad = _made(args, config, numbers, shards)
        _say_bad(bad)
    emit(args.json, f"{args.out}: done", {"folder": args.out, "shards": states, "bad rows": bad})
    return 0


def _made(
    args: argparse.Namespace, config: Any, numbers: list[int], shards: int
) -> tuple[dict[int, str], list[int]]:
    """Make shards; return the state of each, and the rows without a finite flux."""
    from train.dataset import Dataset, with_physics_of
    from train.problem import Problem
    from train.rows import RowMaker

    problem = Problem.build(with_physics_of(args.out, config))
    settings = [word for o in args.overrides for word in ("--set", o)]
    command = shlex.join(["tengri", "dataset", args.config, *settings])
    dataset = Dataset.create(args.out, problem, shards, command)
    maker = RowMaker(problem, config.run.seed, config.data.sampler)
    states: dict[int, str] = {}
    for n in numbers:
        states[n] = "made" if dataset.make(maker, n) else "good already"
        print(f"shard {n}/{shards}: {states[n]}", flush=True)
    return states, dataset.bad_rows(numbers)


def _say_bad(rows: list[int]) -> None:
    if rows:
        shown = ", ".join(map(str, rows[:10])) + (" …" if len(rows) > 10 else "")
        print(f"{len(rows)} rows have no finite flux (kept, and counted when training): {shown}")


def _dataset_verify(args: argparse.Namespace) -> int:
    from tengri.errors import ConfigError
    from train.dataset import Dataset

    folder = args.folder or args.out
    if folder is None:
        raise ConfigError("tengri dataset verify needs the folder of the data set.")
    dataset = Dataset.open(folder)
    problems = dataset.verify()
    bad = [] if problems else dataset.bad_rows(range(1, dataset.n_shards + 1))
    with narrated(args):
        for number, problem in problems.items():
            print(f"shard {number}: {problem}\n  remake it: {dataset.remake(number)}")
        _say_bad(bad)
    good = dataset.n_shards - len(problems)
    text = f"{folder}: {good} of {dataset.n_shards} shards are intact, {dataset.n_rows} rows in all"
    emit(args.json, text, {"folder": folder, "shards": dataset.n_shards, "rows": dataset.n_rows,
                           "problems": problems, "bad rows": bad})  # fmt: skip
    return int(bool(problems))


def _command() -> str:
    """Return the command line for the record, without where its output went."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in ("--out", "-o"):
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return " ".join(["tengri", *kept])
