"""Notebooks as pages of the manual: how Sphinx reads the scripts of ``notebooks/``."""

from __future__ import annotations

import shutil
from pathlib import Path

import jupytext
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def read(text: str) -> NotebookNode:
    """Return a script of percent cells as a notebook, without its docstring."""
    notebook = jupytext.reads(text, fmt="py:percent")
    first = notebook.cells[0]
    if first.cell_type == "code" and first.source.startswith('"""'):
        del notebook.cells[0]
    return notebook


def copy(gallery: Path) -> None:
    """Make ``gallery`` anew with every notebook."""
    shutil.rmtree(gallery, ignore_errors=True)
    gallery.mkdir(parents=True)
    for file in sorted(FOLDER.glob("[0-9]*.py")):
        shutil.copy(file, gallery)
