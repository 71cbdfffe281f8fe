"""Promise: in read-only, full or missing surroundings a process works, or says why in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tengri.catalogue.table import Field, Schema, format_of, open_table
from tengri.errors import DataError
from tengri.io import atomic
from tests.faults import catalogue
from tests.faults.test_streams import ROOT, shell

Counter = Callable[..., None]
#: Runs the program where nothing can be written below some folders, whoever runs it.
READ_ONLY = """
import errno, os, sys
import tengri
CLOSED = tuple(os.path.realpath(p) for p in os.environ["CLOSED"].split(":"))
CHANGES = {"os." + name for name in "mkdir rename remove rmdir symlink chmod truncate".split()}
def refuse(event, args):
    opened = event == "open" and isinstance(args[0], str) and isinstance(args[2], int)
    writes = opened and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes or event in CHANGES) and isinstance(args[0], (str, os.PathLike)):
        if os.path.realpath(args[0]).startswith(CLOSED):
            raise OSError(errno.EROFS, "Read-only file system", os.fspath(args[0]))
sys.addaudithook(refuse)
from tengri.__main__ import main
raise SystemExit(main())
"""


def closed(words: list[str], folders: list[Path], **environment: str) -> tuple[int, str]:
    """Return exit code and standard error of the program where some folders cannot be written."""
    environment |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": ROOT, "MPLBACKEND": "agg",
                    "CLOSED": ":".join(map(str, folders))}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", READ_ONLY, *words], env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.slow
def test_read_only_home_and_packages(tmp_path: Path, injected: Counter) -> None:
    """Compiled programs and figures find no place to be kept; the work is done all the same."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    packages = [Path(np.__file__).parents[1], Path(ROOT, "tengri"), Path(ROOT, "emulator")]
    out = str(work / "sweep.png")
    for words in (["predict", *catalogue.written(work)],
                  ["sweep", "redshift", "0.1", "0.2", "-n", "3", "--model", "sdss", "-o", out,
                   "--quiet"]):  # fmt: skip
        code, said = closed(words, [home, *packages], HOME=str(home))
        own = [line for line in said.splitlines() if "atplotlib" not in line]  # it says so itself
        assert code == 0 and own == [], said
        injected("surroundings")
    assert os.listdir(home) == []


def test_no_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """A catalogue that is unpacked to be read: neither it nor a filter is to blame."""
    path = tmp_path / "cat.csv"
    path.write_text("redshift\n0.1\n")
    for place in ("/dev/full", "/proc/nothing", str(path)):
        monkeypatch.setattr(tempfile, "tempdir", place)
        with pytest.raises(DataError, match="no temporary file can be made"), open_table(path):
            pass
        injected("surroundings")

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(DataError, match="No usable temporary directory"), open_table(path):
        pass
    injected("surroundings")


@pytest.mark.slow
def test_a_working_folder_that_is_gone(tmp_path: Path, injected: Counter) -> None:
    """Commands that name their files in full need none."""
    words = " ".join(catalogue.written(tmp_path))
    home = {"HOME": str(tmp_path), "TENGRI_COMPILATION_CACHE": "0"}
    gone = f"mkdir {tmp_path}/x; cd {tmp_path}/x; rmdir {tmp_path}/x; {sys.executable} -m tengri"
    code, said = shell(f"{gone} predict {words}", **home)
    assert (code, said) == (0, "") and (tmp_path / "out.h5").exists()
    code, said = shell(f"{gone} train tiny", **home)
    assert code == 1 and len(said.splitlines()) == 1
    injected("surroundings", 2)


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o277])
def test_masks_of_rights(tmp_path: Path, mask: int, injected: Counter) -> None:
    """What a mask takes away, a file that is written does not have; it is whole all the same."""
    schema, rows = Schema({"x": Field(np.dtype("f8"))}, {}, 3), {"x": np.arange(3.0)}
    before = os.umask(mask)
    try:
        for ending in (".h5", ".fits", ".fits.gz", ".parquet", ".csv", ".ecsv", ".vot"):
            path = tmp_path / f"x{ending}"
            with atomic.whole(path) as temporary:
                format_of(path).write_table(temporary, schema, [rows])
            assert path.stat().st_mode & 0o777 & mask == 0
            with open_table(path) as table:
                np.testing.assert_array_equal(table.read(["x"], 0, 3)["x"], rows["x"])
            injected("surroundings")
    finally:
        os.umask(before)
