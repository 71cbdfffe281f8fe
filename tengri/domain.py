"""Boxes of parameters: the one test of whether a galaxy is inside, and what happens outside.

================  ======================================  ====================================
``out_of_domain`` outside jit                             inside jit, vmap, grad
================  ======================================  ====================================
``"raise"``       error that names parameter and range    NaN
``"warn"``        warning, and an answer                  NaN: nobody could be warned
``"clip"``        answer for the nearest point of the box the same
``"nan"``         NaN                                     the same
================  ======================================  ====================================
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from tengri.errors import unknown

MODES = ("raise", "warn", "clip", "nan")
#: Slack of an edge relative to the width of the box (or to a fixed value): float32 rounding.
SLACK = 1e-6


def checked_mode(mode: str) -> str:
    """Return a mode of ``out_of_domain``; raise for another word."""
    if mode not in MODES:
        raise unknown("out_of_domain mode", str(mode), MODES)
    return mode


def masks(mode: str, traced: bool) -> bool:
    """Return whether galaxies outside become NaN."""
    return mode == "nan" or (traced and mode in ("raise", "warn"))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Domain:
    """Closed intervals, one for each of some parameters.

    A pytree, so that compiled functions take the bounds as arguments.

    Attributes
    ----------
    low, high : dict
        Bounds by name, scalars or arrays (k,); infinite where there is none.
    vectors : frozenset of str
        Parameters that are themselves vectors (k,): all their entries must be inside.
    """

    low: dict[str, Any]
    high: dict[str, Any]
    vectors: frozenset[str] = field(default=frozenset(), metadata={"static": True})

    def only(self, names: Collection[str]) -> Domain:
        """Return the intervals of some parameters."""
        low, high = ({n: v for n, v in d.items() if n in names} for d in (self.low, self.high))
        return Domain(low, high, self.vectors)

    def within(self, name: str, value: Any) -> Any:
        """Return which entries of ``value`` are inside the interval ``name``; NaN is not."""
        return (value >= self.low[name]) & (value <= self.high[name])

    def contains(self, p: Mapping[str, Any], xp: Any) -> Any:
        """Return whether galaxies are inside, elementwise.

        Parameters
        ----------
        p : mapping
            Complete parameters: scalars, arrays (…), and (…, k) for vectors.
        xp : module
            ``numpy`` or ``jax.numpy``, whichever made the values.

        Returns
        -------
        array of bool, shape (…)
            True without any interval.
        """
        inside = (self._holds(name, p[name], xp) for name in self.low)
        return functools.reduce(operator.and_, inside, xp.asarray(True))

    def _holds(self, name: str, value: Any, xp: Any) -> Any:
        within = self.within(name, value)
        return xp.all(within, axis=-1) if name in self.vectors else within

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Return (low, high) of the scalar parameters."""
        return {n: (float(self.low[n]), float(self.high[n]))
                for n in self.low if n not in self.vectors}  # fmt: skip
