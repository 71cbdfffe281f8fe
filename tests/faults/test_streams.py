"""Promise: any standard stream ends in an exit code; what a file says steers no terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tengri.__main__ import main as program
from tengri.cli import html_page, streams
from tengri.errors import ConfigError
from tengri.observation import FilterCurve
from tests.faults import catalogue

Counter = Callable[..., None]
ROOT = str(Path(__file__).resolve().parents[2])
TENGRI = f"{sys.executable} -m tengri"
#: A sequence that clears the screen, one of 8 bits, an override of direction, a bell.
STEERING = "a\x1b[2Jb\x9b31mc\u202ed\x07e\u2028f"


def shell(line: str, **environment: str) -> tuple[int, str]:
    """Return exit code and standard error of a line of the shell."""
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ROOT, **environment},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path: Path, closed: str, injected: Counter) -> None:
    """No file gets a number below 3, so that nothing that is printed lands in it."""
    code = (
        "import os, sys; from tengri.cli import streams; streams.prepare()\n"
        f"file = open({str(tmp_path / 'x')!r}, 'w'); assert file.fileno() > 2\n"
        "print('said', flush=True); print('said', file=sys.stderr, flush=True)\n"
        "assert sys.stdin.read() == '' or True\n"
        "[os.write(n, b'by a library') for n in (1, 2)]; file.write('mine')"
    )
    (tmp_path / "code.py").write_text(code)
    assert shell(f"{sys.executable} {tmp_path / 'code.py'} {closed}")[0] == 0
    assert (tmp_path / "x").read_text() == "mine"
    assert shell(f"{TENGRI} list units {closed}")[0] == 0
    injected("streams", 2)


def test_nobody_reads_on(injected: Counter) -> None:
    for words in ("list units", "predict --help"):
        _, said = shell(f"({TENGRI} {words}; echo code $? >&2) | true")
        assert "Traceback" not in said and "Exception" not in said
        assert said.strip() in ("code 0", "code 1")
        injected("streams")


def test_a_full_disk_under_standard_output(injected: Counter) -> None:
    code, said = shell(f"{TENGRI} list units > /dev/full")
    assert code == 1 and len(said.splitlines()) == 1 and "the disk is full" in said
    injected("streams")


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.slow)])
def test_terminals_that_know_few_characters(encoding: str, injected: Counter) -> None:
    for words in ("predict --help", "list instruments", "list instruments --json"):
        code, said = shell(f"{TENGRI} {words} > /dev/null", PYTHONIOENCODING=encoding)
        assert (code, said) == (0, "")
        injected("streams")


def test_what_steers_a_terminal_is_escaped(injected: Counter) -> None:
    shown = streams.printable(STEERING)
    assert shown == r"a\x1b[2Jb\x9b31mc\u202ed\x07e\u2028f"
    assert streams.printable("Δm [µm]\n\tok") == "Δm [µm]\n\tok"
    again = json.loads(streams.printable_json(json.dumps(STEERING, ensure_ascii=False)))
    assert again == STEERING and "\x9b" not in streams.printable_json(json.dumps(STEERING))
    assert html_page.pre(STEERING + "<script>") == f"<pre>{shown}&lt;script&gt;</pre>"
    injected("streams", 3)


def test_json_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow:
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Narrow())
    text = json.dumps({"µ": "a😀b\x9b"}, ensure_ascii=False)
    assert streams.printable_json(text).isascii()
    assert json.loads(streams.printable_json(text)) == {"µ": "a😀b\x9b"}


def test_names_of_columns_and_curves(
    tmp_path: Path, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        file["\x1b[2Jz_best"] = np.ones(3)
    words = ["predict", str(tmp_path / "cat.h5"), "-o", str(tmp_path / "out.h5")]
    assert program([*words, "--model", "sdss"]) == 1
    said = capsys.readouterr().err
    assert "\x1b" not in said and r"\x1b[2Jz_best" in said
    with pytest.raises(ConfigError, match="control characters"):
        FilterCurve("g\x1b[2J", np.array([4000.0, 5000.0, 6000.0]), np.array([0.0, 1.0, 0.0]))
    injected("streams", 2)


# --- limits of the process ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit", ["ulimit -v 1500000", pytest.param("ulimit -n 28", marks=pytest.mark.slow)]
)
def test_limits_of_the_process(tmp_path: Path, limit: str, injected: Counter) -> None:
    """It works, or says in one line why not; never a signal."""
    words = " ".join(catalogue.written(tmp_path))
    home = {"HOME": str(tmp_path), "TENGRI_COMPILATION_CACHE": "0", "MPLBACKEND": "agg"}
    code, said = shell(f"{limit}; {TENGRI} predict {words}", **home)
    assert (code, said) == (0, "") or (code == 1 and "ulimit -v" in said)
    assert (code == 0) == ("-n" in limit) and len(said.splitlines()) <= 1
    injected("streams")


def test_a_working_folder_that_is_gone(tmp_path: Path, injected: Counter) -> None:
    code, said = shell(
        f"mkdir {tmp_path}/x; cd {tmp_path}/x; rmdir {tmp_path}/x; {TENGRI} verify nothing"
    )
    assert code == 1 and len(said.splitlines()) == 1
    injected("streams")
