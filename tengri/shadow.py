"""A user's own ``train.py`` or ``emulator.py``, which hides the package of that name.

The three packages lie side by side, but Python looks into the folder of a script or a notebook
first: ``import train`` then gives the user's file.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NEIGHBOURS = ("emulator", "train")
HOME = Path(__file__).resolve().parent.parent


def hidden() -> dict[str, str]:
    """Return package → file for those that an import would not find, or has not found."""
    found = {name: _origin(name) for name in NEIGHBOURS}
    return {name: file for name, file in found.items() if file and not _is_running(file)}


def imported() -> dict[str, str]:
    """Return package → file for those in whose place something else is imported already."""
    return {name: file for name, file in hidden().items() if name in sys.modules}


def nearby() -> dict[str, str]:
    """Return package → file for files that hide it from scripts and notebooks of this folder."""
    folders = [os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    found: dict[str, str] = {}
    for name in NEIGHBOURS:
        file = _foreign(name, PathFinder.find_spec(name, [f for f in folders if f]))
        found |= {name: file} if file else {}
    return found


def message(found: dict[str, str]) -> str:
    """Return what is hidden and what to do, in one line."""
    (name, file), *_ = found.items()
    return (
        f"{file} hides the package {name} that comes with tengri: `import {name}` gives that file. "
        f"Rename it, or work in another folder."
    )


def _origin(name: str) -> str:
    module = sys.modules.get(name)
    try:
        return _foreign(name, module.__spec__ if module else find_spec(name))
    except (ImportError, ValueError, AttributeError):
        return ""


def _foreign(name: str, spec: Any) -> str:
    """Return the file of a spec that is not the package beside this one, or nothing."""
    if spec is None or not spec.origin or not (HOME / name).is_dir():
        return ""
    file = Path(spec.origin).resolve()
    return "" if file.parent == HOME / name else str(spec.origin)


def _is_running(file: str) -> bool:
    """Whether a file is the script that runs: it imports itself from nowhere."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return script is not None and os.path.abspath(script) == os.path.abspath(file)
