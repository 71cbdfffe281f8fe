"""Promise: the walks through the code name what is there, where it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/walks.md").read_text()
STEPS = sorted(set(re.findall(r"`([\w.]+)`\s+\(`([\w/]+\.py)`\)", PAGE)))


def names(body: list[ast.stmt], prefix: str = "") -> set[str]:
    """Return what a module or class defines, methods as Class.method."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            found |= names(node.body, f"{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_file_is_named_with_what_is_in_it():
    assert len(STEPS) > 50
    assert len(re.findall(r"\(`[\w/]+\.py`\)", PAGE)) == len(
        re.findall(r"`([\w.]+)`\s+\(`([\w/]+\.py)`\)", PAGE)
    )
    assert len(re.findall(r"^\d+\. ", PAGE, re.M)) == 32  # two walks, each in numbered steps


@pytest.mark.parametrize(("name", "file"), STEPS, ids=[n for n, _ in STEPS])
def test_what_is_named_is_there(name, file):
    assert name in names(ast.parse((ROOT / file).read_text()).body), f"not in {file}"
