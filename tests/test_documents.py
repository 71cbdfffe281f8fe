"""Figures in README and docs are those of the committed JSON files; what they show is run."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from emulator import hdf5, published
from emulator.description import FORMAT_VERSION, KIND
from tengri.__main__ import build_parser, main
from tests.notebooks.environment import as_users_compile
from tools.tables import ROOT, documents, rewritten

PAGES = ("install", "tutorial", "train", "own_case", "lines", "spectra", "catalogues", "fit",
         "samplers", "extend")  # fmt: skip
BLOCK = re.compile(r"^```(python|sh|toml)\n(.*?)^```", re.S | re.M)


def test_tables_are_those_of_the_json_files():
    stale = [file.name for file in documents() if rewritten(file.read_text()) != file.read_text()]
    assert not stale, f"run python -m tools.tables: {stale}"


def script(text: str) -> str:
    """Return a document as one program: Python as it is, shell by bash, TOML into its file."""
    lines = ["import pathlib, subprocess"]
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            lines.append(block)
        elif kind == "sh":
            lines.append(f"subprocess.run(['bash', '-euo', 'pipefail', '-c', {block!r}], check=1)")
        else:
            name = block.splitlines()[0].removeprefix("# ")
            lines.append(f"pathlib.Path({name!r}).write_text({block!r})")
    return "\n".join(lines)


def runs(text: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", script(text)], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": path, "MPLBACKEND": "Agg"}, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.parametrize("document", ["README.md", "docs/physics.md"])
def test_the_code_of_the_documents_runs(document, tmp_path):
    blocks = BLOCK.findall((ROOT / document).read_text())
    python = "".join(f"```{kind}\n{code}```\n" for kind, code in blocks if kind == "python")
    assert python
    runs(python, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_the_page_runs(page, tmp_path):
    runs((ROOT / f"docs/{page}.md").read_text(), tmp_path)


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning_and_its_notebooks_run(tmp_path):
    words = ["-W", "--keep-going", "-q", str(ROOT / "docs"), str(tmp_path / "html")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True,
                          env=as_users_compile(), timeout=1500, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    for page in ("index", "tutorial", "api", "extend", "components"):
        assert (tmp_path / "html" / f"{page}.html").stat().st_size > 5000
    for notebook in (ROOT / "notebooks").glob("[0-9]*.py"):
        page = (tmp_path / "html/gallery" / f"{notebook.stem}.html").read_text()
        draws = "savefig(" in notebook.read_text()
        assert bool(re.findall(r'<img [^>]*src="../_images/', page)) == draws, notebook


def leaves(parser, words=()):
    """Return (words, parser) of every command that does something."""
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001  (argparse has no list)
    if not inner:
        return [(words, parser)]
    return [leaf for name, sub in inner[0].choices.items() for leaf in leaves(sub, (*words, name))]


LEAVES = leaves(build_parser()[0])
LONG = {("train",), ("predict",), ("fit",), ("dataset",), ("data", "build")}


@pytest.mark.parametrize(("words", "parser"), LEAVES, ids=[" ".join(w) for w, _ in LEAVES])
def test_every_command_has_json_quiet_an_example_and_a_dry_run_where_it_is_long(words, parser):
    options = parser._option_string_actions  # noqa: SLF001  (argparse has no list)
    assert {"--json", "--quiet", "--help"} <= set(options)
    assert ("--dry-run" in options) == (words in LONG)
    assert str(parser.epilog).startswith("example")
    for example in parser.epilog.partition(": ")[2].split(";"):
        typed = shlex.split(example.split(">")[0])
        assert typed[: len(words) + 1] == ["tengri", *words]
        build_parser()[0].parse_args(typed[1:])


# --- wrong commands ---------------------------------------------------------------------------

MISTAKES = re.findall(
    r"^\$ tengri (.*)\n((?:tengri.*\n)+)", (ROOT / "docs/mistakes.md").read_text(), re.M
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """What the page of mistakes takes for granted."""
    monkeypatch.chdir(tmp_path)
    for name, column, unit in (("cat", "redshift", ""), ("times", "sfh_dpl_tau_gyr", "Mpc"),
                               ("typo", "dust_tau_dif", ""), ("survey", "z_phot", "")):  # fmt: skip
        with h5py.File(f"{name}.h5", "w") as file:
            file[column] = np.array([0.1, 0.2])
            file[column].attrs["unit"] = unit
            if name == "survey":
                file["sfh_dpl_log_peak_sfr"] = np.array([1.0, 1.0])
    Path("full.png").symlink_to("/dev/full")
    _, document, arrays = hdf5.read(published.resolve("sdss"), KIND, newest=FORMAT_VERSION)
    later = hdf5.Header(KIND, FORMAT_VERSION + 1, "tengri 9.9")
    hdf5.write(tmp_path / "future.h5", later, document, arrays)


def test_there_are_mistakes_enough():
    assert len(MISTAKES) >= 15


@pytest.mark.parametrize(("command", "answer"), MISTAKES, ids=[c for c, _ in MISTAKES])
def test_a_wrong_command_answers_as_documented(command, answer, workplace, capsys):
    before = sorted(Path().iterdir())
    try:
        code = main(shlex.split(command))
    except SystemExit as usage:
        code = int(usage.code or 0)
    out, error = capsys.readouterr()
    assert code in (1, 2) and not out
    pattern = ".*".join(map(re.escape, answer.strip().split("…")))
    assert re.search(pattern, error.strip().splitlines()[-1]), error
    assert sorted(Path().iterdir()) == before


def test_nothing_large_and_no_pickle():
    """Files stay below 10 MiB, and nothing is pickled anywhere."""
    for folder in ("tengri", "emulator", "train", "data", "checkpoints", "benchmarks"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "local" not in file.parts:
                assert file.stat().st_size <= 10 * 2**20, file
                if file.suffix == ".py":
                    assert not re.search(
                        r"^\s*(import|from) (pickle|dill|joblib)", file.read_text(), re.M
                    )
