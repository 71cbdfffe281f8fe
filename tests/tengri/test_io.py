"""Files come into being whole; sealed JSON finds every flipped bit and every truncation."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tengri.errors import DataError
from tengri.io import atomic, sealed_json

ROOT = Path(__file__).resolve().parents[2]

CONTENT = {"a": [1, 2.5, "x"], "b": {"c": None, "d": True}}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    sealed_json.write_json(path, CONTENT)
    assert sealed_json.read_json(path) == CONTENT
    assert os.listdir(tmp_path) == ["x.json"]


def test_every_bit_flip_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    sealed_json.write_json(path, CONTENT)
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"x\.json"):
            sealed_json.read_json(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    sealed_json.write_json(path, CONTENT)
    good = path.read_bytes()
    for length in random.Random(0).sample(range(len(good)), 40):
        path.write_bytes(good[:length])
        with pytest.raises(DataError):
            sealed_json.read_json(path)


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        sealed_json.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        sealed_json.write_json(tmp_path / "nowhere" / "x.json", CONTENT)


# --- one way to write a file whole ----------------------------------------------------------

#: What puts a file in its place, or begins one, beside `tengri.io.atomic`; and why it may.
ELSEWHERE = {
    "train/recovery.py: os.rename": "sets a damaged file aside",
    "train/logs.py: os.fsync": "a log grows line by line",
    "tengri/compilation_cache/entries.py: os.replace": "not synced: after a power cut a seal tells",
}
BY_HAND = {"os.replace", "os.rename", "os.renames", "os.fsync", "tempfile.mkstemp"}


def test_there_is_one_way_to_write_a_file_whole() -> None:
    found = {
        f"{file.relative_to(ROOT)}: {ast.unparse(node.func)}"
        for package in ("tengri", "emulator", "train", "tools")
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in BY_HAND
        if file != ROOT / "tengri/io/atomic.py"
    }
    assert found == set(ELSEWHERE)


READER, WRITER = "tengri/io/hdf5_reader.py", "tengri/io/hdf5_writer.py"
#: What opens HDF5, looks at its links or at where its data are → the modules that may.
HDF5 = {"h5py.File": {READER, WRITER}, "getlink": {READER}, "HardLink": {READER},
        "is_virtual": {READER}}  # fmt: skip
#: Other readers of HDF5.
OTHER_READERS = {f"import {name}" for name in ("tables", "netCDF4", "xarray", "h5netcdf", "pandas")}


def said(tree: ast.AST) -> set[str]:
    """Return functions that are called, keywords, attributes and imported packages."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, keywords=keywords):
                found |= {ast.unparse(func), *(str(keyword.arg) for keyword in keywords)}
            case ast.Attribute(attr=attr):
                found.add(attr)
            case ast.Import(names=names):
                found |= {f"import {name.name.split('.')[0]}" for name in names}
            case ast.ImportFrom(module=module):
                found.add(f"import {str(module).split('.')[0]}")
    return found


def test_there_is_one_reader_of_hdf5() -> None:
    """Links, data in other files and sizes that are declared only are looked at in one place."""
    users: dict[str, set[str]] = {name: set() for name in HDF5}
    for package in ("tengri", "emulator", "train", "tools"):
        for file in (ROOT / package).rglob("*.py"):
            used = said(ast.parse(file.read_text()))
            assert not used & OTHER_READERS, file
            for name in used & set(HDF5):
                users[name].add(str(file.relative_to(ROOT)))
    assert users == HDF5


def test_a_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    atomic.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic.whole(path) as temporary:
        temporary.write_text("half of the n")
        raise ZeroDivisionError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.b.png", "a"])
def test_a_temporary_name_tells_the_format(name: str, tmp_path: Path) -> None:
    temporary = atomic.temporary_name(tmp_path / name)
    ending = "".join(Path(name).suffixes[-2:]) if name.endswith(".gz") else Path(name).suffix
    assert temporary.name.endswith(ending) and temporary.parent == tmp_path


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("old")
    atomic.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"


def test_a_device_takes_what_it_is_given() -> None:
    atomic.write_text(Path("/dev/null"), "anything")
    with pytest.raises(DataError, match="/dev/full: cannot be written"):
        atomic.write_text(Path("/dev/full"), "anything")
    assert Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()


def test_the_dead_are_swept_and_other_machines_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    dead = tmp_path / f".x.txt.tmp-{atomic.HOST}-{2**22 + 1}-7.txt"
    living = tmp_path / f".x.txt.tmp-{atomic.HOST}-{os.getpid()}-7.txt"
    elsewhere = tmp_path / f".x.txt.tmp-00000000-{2**22 + 1}-7.txt"
    for begun in (dead, living, elsewhere):
        begun.write_text("half")
    atomic.write_text(path, "whole")
    assert not dead.exists() and living.exists() and elsewhere.exists()


def test_a_folder_is_made_with_its_contents(tmp_path: Path) -> None:
    with atomic.whole_folder(tmp_path / "a" / "run") as folder:
        (folder / "config.json").write_text("{}")
        assert not (tmp_path / "a" / "run").exists()
    assert os.listdir(tmp_path / "a") == ["run"]
    with pytest.raises(ZeroDivisionError), atomic.whole_folder(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path / "a") == ["run"]


def test_long_names_have_temporary_ones(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".txt", "v1." + "y" * 240):
        atomic.write_text(tmp_path / name, "whole")
        dead = atomic.temporary_name(tmp_path / name)
        assert len(dead.name) < 255
    assert sorted(len(name) for name in os.listdir(tmp_path)) == [243, 255]


def test_rights_stay(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    atomic.write_text(path, "old")
    path.chmod(0o600)
    atomic.write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_stream_is_not_replaced(tmp_path: Path) -> None:
    """With the output in a file, ``/dev/stdout`` leads to that file."""
    code = ("import sys; from pathlib import Path; from tengri.io import atomic; print(1, "
            "flush=True); atomic.write_text(Path('/dev/stdout'), 'data\\n'); print(2)")  # fmt: skip
    with (tmp_path / "log").open("a") as log:
        log.write("before\n")
        log.flush()
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert (tmp_path / "log").read_text().splitlines() == ["before", "1", "data", "2"]
