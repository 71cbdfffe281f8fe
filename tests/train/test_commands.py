"""The command line: light to import, clear about mistakes, several ways to the same data."""

from __future__ import annotations

import argparse
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
