"""The command line: light to import, clear about mistakes, several ways to the same data."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tengri.errors import ConfigError, DataError
from train.commands import add_parser


def program(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="command"))
    args = parser.parse_args(argv)
    return args.func(args)


def test_importing_the_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys, train.commands; "
        "print([m for m in ('jax', 'numpy', 'orbax', 'flax', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["train", "sdsss"], ConfigError, "sdss"),
        (["train", "tiny", "--set", "run.step=3"], ConfigError, "steps"),
        (["train", "tiny", "--until", "p99=fast"], ConfigError, "p99=5mmag"),
        (["resume", "nowhere"], DataError, "no run folder"),
        (["dataset", "verify", "nowhere"], DataError, "holds no data set"),
        (["dataset", "verify"], ConfigError, "needs the folder"),
        (["dataset", "tiny", "--shard", "9/4", "-o", "x"], ConfigError, "from 1 to 4"),
        (["dataset", "tiny"], ConfigError, "needs -o"),
    ],
)
def test_mistakes_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], error: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        program(*argv)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("words", [["train", "tiny"], ["dataset", "tiny", "--shard", "2/3"]])
def test_a_dry_run_measures_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert program(*words, "--dry-run", "--out", "there") == 0
    text = capsys.readouterr().out
    for said in ("pivot", "µs/row", "ETA", "disk: about", "would write: there/", "nothing has"):
        assert said in text
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_json_alone_is_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run, its row and its comparison: what is told on the way goes to standard error."""
    monkeypatch.chdir(tmp_path)

    def printed(*words: str) -> Any:
        assert program(*words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    short = ("run.steps=40", "run.evaluation_rows=300", "run.validation_rows=64", "data.pool=512")
    settings = [word for item in short for word in ("--set", item)]
    done = printed("train", "tiny", *settings, "--out", "run")
    assert done["artefact"] == "run/surrogate.h5" and done["pooled"]["p99"] > 0.0
    assert printed("resume", "run")["sha256"] == done["sha256"]
    row = printed("replay", "run", "--row", "3")
    assert set(row["parameters"]) and row["unit fluxes, float64"].keys()
    numbers = printed("compare", "run", "--sweep", "dust_tau_diff", "-o", "c")
    assert (tmp_path / numbers["page"]).is_file() and "sweep_dust_tau_diff" in numbers[
        "comparisons"
    ]
    grid = "ssp_bc03_miles_kroupa_noneb"
    words = "--stars", f"{grid}.h5,imf=Kroupa", "--n", "32", "--fits", "0", "-o", "s"
    stars = printed("compare", "run", *words)
    assert (tmp_path / stars["page"]).is_file() and stars["stars"]["grids"][1] == grid
    assert stars["stars"]["own_error_p95"]


def test_dataset_by_shards_then_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--set", "data.rows=200", "--set", "data.chunk=64", "-o", "set"]
    assert program("dataset", "tiny", "--shard", "2/2", *small) == 0
    assert program("dataset", "verify", "set") == 1
    out = capsys.readouterr().out
    command = next(line for line in out.splitlines() if "remake it: " in line).split("it: ")[1]
    assert command.startswith("tengri dataset tiny --set data.rows=200")
    assert program(*command.split()[1:]) == 0  # the command that was printed works
    assert program("dataset", "verify", "set") == 0
    assert "2 of 2 shards are intact, 200 rows" in capsys.readouterr().out
