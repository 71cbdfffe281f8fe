"""What users install: every package and data file is in the wheel, and it works by itself."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tengri.__main__ import build_parser
from tengri.grids import files
from tools.clean_wheel import COMMANDS, PACKAGES, ROOT, build, run_all


def test_every_folder_of_code_is_a_package():
    """setuptools leaves a folder without __init__.py out of the wheel, and says nothing."""
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []
    # an empty folder is not in a clone, and setup.py names both
    assert all(any((ROOT / name).glob("*.md")) for name in ("data", "checkpoints"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy."""
    return build(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


def test_every_command_is_among_those_that_are_run() -> None:
    """`tengri --help` lists what `COMMANDS` runs."""
    listed = set(re.findall(r"^    (\w+) ", build_parser()[0].format_help(), re.MULTILINE))
    assert {"train", "predict"} <= listed <= {command.split()[0] for command in COMMANDS}


@pytest.mark.slow
def test_contents_of_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == set(PACKAGES)
    assert {f"tengri/_data/{name}" for name in files.EMBEDDED} <= names
    assert {"tengri/_data/NOTICE.md", "emulator/_checkpoints/README.md"} <= names
    assert {"tengri/citations.bib", "tengri/py.typed", "tengri/publications.json"} <= names
    code = {p.relative_to(ROOT).as_posix() for n in PACKAGES for p in (ROOT / n).rglob("*.py")}
    assert code <= names


@pytest.mark.slow
def test_every_command_works_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, in an empty folder; the dependencies are those of here."""
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    venv.create(environment, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    here = sysconfig.get_path("purelib")
    target = ["--no-deps", "--prefix", str(environment), "--ignore-installed"]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *target, str(wheel)], check=True)
    # a path file adds a folder and reads no other path file: the checkout stays out
    (site / "dependencies.pth").write_text(here)
    script = environment / "bin" / "tengri"
    body = script.read_text().splitlines()[1:]
    script.write_text("\n".join([f"#!{environment / 'bin' / 'python'}", *body]))
    where = subprocess.run(
        [environment / "bin" / "python", "-c", "import tengri, emulator, train;"
         "print(*(m.__file__ for m in (tengri, emulator, train)))"],
        cwd=empty, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert all(Path(file).is_relative_to(environment) for file in where)
    run_all(script, empty)
