"""Figures in README and docs are those of the committed JSON files; the README's code runs."""

from __future__ import annotations

import re

import pytest

from train.tables import ROOT, documents, rewritten


def test_tables_are_those_of_the_json_files():
    stale = [file.name for file in documents() if rewritten(file.read_text()) != file.read_text()]
    assert not stale, f"run python -m train.tables: {stale}"


@pytest.mark.parametrize("document", ["README.md", "docs/physics.md"])
def test_the_code_of_the_documents_runs(document, tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)
    assert code
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in code:
        exec(block, names)


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
