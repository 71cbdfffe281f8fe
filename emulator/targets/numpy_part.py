"""Target-specific part of a surrogate exported as NumPy code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class NumPyPart(NamedTuple):
    """The target's share of the two files that `emulator.export` writes.

    ``code`` is a module that goes on where `emulator.standalone` ends, and defines ``fluxes``;
    ``arrays`` and ``facts`` are what it finds in ``ARRAYS`` and ``ABOUT``. ``parameters`` are
    those that it takes beside the ones with a trained range, ``bounds`` the ranges of some.
    """

    code: Path
    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    parameters: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = {}
