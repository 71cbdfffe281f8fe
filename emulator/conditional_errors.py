r"""Error bars and covariance for the galaxy at hand: how large errors are by colours and redshift.

Errors of a surrogate follow the light: young stars, much dust and bands that are faint beside
others have larger ones, at some redshifts more than at others. The typical errors of all bands,

.. math::

    \ln \sigma = A \tanh(B \tanh(C x + H(z)) + b) + a ,

are a small network of how much fainter each band is than the brightest and of the colours x of
neighbouring bands [mag], with H linear between nodes in ln(1 + z). Error bars are σ times a factor
that makes them hold (normalised split-conformal intervals: Lei et al. 2018, JASA 113, 1094, section
5.2), one for each interval of redshift; the covariance is that of residuals over σ, times both
their σ. `train.error_network` finds them.

Shapes: (…, n_bands) magnitudes and redshifts (…).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

#: Colours beyond this tell no more [mag].
MOST_COLOUR = 6.0
#: What inputs are divided by [mag]: how much fainter a band is, and colours.
FAINT_UNIT, COLOUR_UNIT = 4.0, 2.0
#: No error is said to be smaller or larger than this [mag].
LEAST_SIGMA, MOST_SIGMA = 1e-7, 10.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ConditionalErrors:
    """What `train.error_network.fit` finds. A pytree: an argument of compiled functions.

    Attributes
    ----------
    shifts : array (n_node,)
        ln(1 + z) of the nodes of H.
    by_redshift : array (n_node, n_width)
        H there.
    inputs : array (n_feature, n_width)
        C, of 2 n_bands - 1 inputs.
    hidden, hidden_bias : array (n_width, n_width), (n_width,)
    outputs, outputs_bias : array (n_width, n_bands), (n_bands,)
    edges : array (n_interval + 1,)
        Intervals of ln(1 + z).
    factors : dict
        Level in per cent → (n_interval,), what σ is multiplied by.
    correlation : array (n_bands, n_bands)
        Second moments of residuals over σ.
    """

    shifts: np.ndarray
    by_redshift: np.ndarray
    inputs: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    outputs: np.ndarray
    outputs_bias: np.ndarray
    edges: np.ndarray
    factors: dict[str, np.ndarray]
    correlation: np.ndarray

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.outputs_bias)

    def sigma(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return the typical errors (…, n_bands) [mag]; with ``xp=jax.numpy`` traceable."""
        x = features(magnitudes, xp) @ xp.asarray(self.inputs)
        x = xp.tanh(x + _between(redshift, self.shifts, xp.asarray(self.by_redshift), xp))
        x = xp.tanh(x @ xp.asarray(self.hidden) + self.hidden_bias)
        ln_sigma = x @ xp.asarray(self.outputs) + self.outputs_bias
        return xp.exp(xp.clip(ln_sigma, np.log(LEAST_SIGMA), np.log(MOST_SIGMA)))

    def interval(self, redshift: ArrayLike) -> np.ndarray:
        """Return in which interval redshifts (…) are; beyond the ends that of the end."""
        place = np.searchsorted(self.edges[1:-1], np.log1p(np.asarray(redshift, float)))
        return np.asarray(place)

    def bars(self, magnitudes: ArrayLike, redshift: ArrayLike, level: int | str) -> np.ndarray:
        """Return the half widths (…, n_bands) [mag] of a level."""
        factor = self.factors[str(level)][self.interval(redshift)]
        return np.asarray(factor[..., None] * self.sigma(magnitudes, redshift))

    def covariance(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return the covariance of the residuals (…, n_bands, n_bands) [mag²]."""
        sigma = self.sigma(magnitudes, redshift, xp)
        return sigma[..., :, None] * sigma[..., None, :] * xp.asarray(self.correlation)

    def to_arrays(self) -> dict[str, Any]:
        """Return the arrays by name, ``factors`` by level."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> ConditionalErrors:
        """Rebuild what `to_arrays` describes.

        Raises
        ------
        ValueError
            Arrays that do not fit together.
        """
        missing = [f.name for f in fields(cls) if f.name not in stored]
        if missing:
            raise ValueError(f"errors that depend on colours lack {', '.join(missing)}")
        found = cls(**{f.name: stored[f.name] for f in fields(cls)})
        if not found._fits():
            raise ValueError("errors that depend on colours do not fit together")
        return found

    def _fits(self) -> bool:
        n_bands, width = np.size(self.outputs_bias), np.size(self.hidden_bias)
        n_node, n_interval = np.size(self.shifts), np.size(self.edges) - 1
        shapes = {
            "shifts": (n_node,), "by_redshift": (n_node, width), "edges": (n_interval + 1,),
            "inputs": (2 * n_bands - 1, width), "hidden": (width, width), "hidden_bias": (width,),
            "outputs": (width, n_bands), "outputs_bias": (n_bands,),
            "correlation": (n_bands, n_bands),
        }  # fmt: skip
        return (
            n_node >= 2
            and n_interval >= 1
            and all(np.shape(getattr(self, name)) == shape for name, shape in shapes.items())
            and all(np.isfinite(getattr(self, name)).all() for name in shapes)
            and all(bool((np.diff(x) > 0.0).all()) for x in (self.shifts, self.edges))
            and all(np.shape(f) == (n_interval,) for f in self.factors.values())
        )


def features(magnitudes: ArrayLike, xp: Any = np) -> Any:
    """Return the inputs of the network beside the redshift, (…, 2 n_bands - 1)."""
    m = xp.asarray(magnitudes, float)
    limit = MOST_COLOUR
    faint = xp.clip(m - xp.min(m, axis=-1, keepdims=True), 0.0, 2.0 * limit) / FAINT_UNIT
    colours = xp.clip(m[..., :-1] - m[..., 1:], -limit, limit) / COLOUR_UNIT
    return xp.concatenate([faint, colours], axis=-1)


def _between(redshift: ArrayLike, shifts: np.ndarray, table: Any, xp: Any) -> Any:
    """Return a table (n_node, n) at redshifts (…), linear in ln(1 + z), (…, n).

    Beyond the ends it is that of the end.
    """
    nodes = xp.asarray(shifts)
    place = xp.clip(xp.log1p(xp.asarray(redshift, float)), shifts[0], shifts[-1])
    i = xp.clip(xp.searchsorted(nodes, place, side="right") - 1, 0, len(shifts) - 2)
    t = (place - nodes[i]) / (nodes[i + 1] - nodes[i])
    return table[i] + t[..., None] * (table[i + 1] - table[i])
