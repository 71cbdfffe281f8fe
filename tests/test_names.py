"""One word has one meaning: no class name twice, and renamed things stay renamed."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREES = [ast.parse(file.read_text()) for top in ("tengri", "emulator", "train", "tools")
         for file in (ROOT / top).rglob("*.py")]  # fmt: skip
RENAMED = (ROOT / "docs/contributing.md").read_text().split("## Renamed", 1)[1]
ROWS = re.findall(r"^\| ([^|]*) \| ([^|]*) \|$", RENAMED, re.MULTILINE)
MODULE = re.compile(r"`((?:tengri|emulator|train|tools)(?:\.[a-z0-9_]+)+)`")


def test_no_two_classes_share_a_name() -> None:
    names = Counter(n.name for tree in TREES for n in ast.walk(tree) if isinstance(n, ast.ClassDef))
    assert {name: n for name, n in names.items() if n > 1} == {}


def path_of(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


@pytest.mark.parametrize("side", ["old", "new"])
def test_the_list_of_renamed_modules(side: str) -> None:
    """Old modules are gone, new ones exist."""
    modules = [m for row in ROWS for m in MODULE.findall(row[side == "new"])]
    assert len(modules) > 30
    assert [m for m in modules if (path_of(m) is None) != (side == "old")] == []


#: Old names whose other meaning, the one of today, kept the word.
KEPT = {
    "Entry": "one parameter of a spec",
    "Network": "an architecture",
    "Population": "many galaxies",
    "State": "of a training",
    "Table": "of a catalogue",
    "Templates": "of dust emission",
}


def test_classes_with_old_names_are_gone() -> None:
    old = {n for row in ROWS for n in re.findall(r"`([A-Z]\w+)`", row[0])}
    classes = {n.name for t in TREES for n in ast.walk(t) if isinstance(n, ast.ClassDef)}
    assert len(old) > 15 and old & classes == set(KEPT)


def test_flax_is_imported_by_one_module() -> None:
    """Linen is a choice that `docs/extend.md` explains; nothing else depends on it."""
    users = [str(file.relative_to(ROOT)) for top in ("tengri", "emulator", "train", "tools")
             for file in (ROOT / top).rglob("*.py")
             if re.search(r"^\s*(import|from) flax\b", file.read_text(), re.M)]  # fmt: skip
    assert users == ["emulator/networks.py"]
