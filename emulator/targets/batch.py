"""Training rows as targets see them, and how errors count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax import Array


class TargetRows(NamedTuple):
    """Rows from which a target makes its batches.

    ``inputs`` (n, n_in) are raw, ``truth`` (n, n_out) is that of the exact model, ``y`` (n, n_out)
    what the network should give; ``ages`` (n, n_mixtures, n_bins) are mixtures of ages, where the
    target asks for them.
    """

    inputs: np.ndarray
    truth: np.ndarray
    y: Array
    ages: Array | None = None


class Batch(NamedTuple):
    """Rows in network units: scaled inputs ``x`` (n, n_in); ``y`` and ``w`` as the loss asks.

    Where ages are mixed, ``light`` (n, n_mixtures, n_rows) is ln F of the mixtures. Where
    gradients are matched, ``slope`` (n, n_out) is how the network's target changes along the
    directions ``u`` (n, n_in).
    """

    x: Array
    y: Array
    w: Array
    light: Array | None = None
    u: Array | None = None
    slope: Array | None = None


class Penalty(NamedTuple):
    """How errors count.

    ``of`` is the penalty of one residual, its square near zero. A band below the share ``faint``
    of the brightest one's flux counts in proportion to its flux; 0 counts all alike.
    """

    of: Callable[[Array], Array]
    faint: float = 1e-4

    def __call__(self, residual: Array) -> Array:
        """Return the penalty of each residual."""
        return self.of(residual)

    def weight(self, share: Any) -> Any:
        """Return what bands count that have a share of the brightest one's flux."""
        return share / (share + self.faint) if self.faint else share**0
