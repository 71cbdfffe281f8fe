"""The usual dict of a single call, floats in range, packed without a second look.

Everything else, from a misspelt name to a traced value, is left to `resolve`, which finds words
for what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tengri.parameters.validate import Slot

Range = tuple[float, float]


class FloatPacker:
    """Packs floats of the ranges given; answers None to all that needs a closer look.

    Parameters
    ----------
    slots : sequence of Slot
        The parameters in the order of packing: scalars.
    ranges : mapping
        By name, values that need no further check; those of the slot hold as well.
    """

    def __init__(self, slots: list[Slot], ranges: Mapping[str, Range]) -> None:
        self._rows = []
        for slot in slots:
            lo, hi = ranges.get(slot.name, (-np.inf, np.inf))
            default = None if slot.fallback is None else float(slot.fallback[np.float64])
            self._rows.append((slot.name, max(lo, slot.lo), min(hi, slot.hi), default))

    def pack(self, params: Any, dtype: type[np.floating]) -> np.ndarray | None:
        """Return the values of all parameters (n,), or None."""
        if type(params) is not dict:
            return None
        values, given = [], 0
        for name, lo, hi, default in self._rows:
            value = params.get(name)
            if value is None:
                value = default
            else:
                given += 1
            # NumPy's float32 compared as it is would round the range instead
            if not isinstance(value, (float, np.floating)) or not lo <= float(value) <= hi:
                return None
            values.append(value)
        return np.array(values, dtype) if given == len(params) else None
