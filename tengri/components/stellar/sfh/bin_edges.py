"""Where the bins of a piecewise-constant history lie, at any age of the Universe.

==============  ==================================================================================
``leja19``      0, 30 and 100 Myr at every redshift, the last bin from 0.85 t to t, the age of the
                Universe; the rest equally spaced in log lookback time. Today that is 0, 0.03, 0.1,
                0.33, 1.1, 3.6, 11.7 and 13.8 Gyr (Leja+2019, ApJ 876, 3). By 117 Myr after the Big
                Bang, where 0.85 t is 100 Myr, the bins between have no width.
``stretched``   0, 0.03, 0.1, 0.3, 1, 3, 6, 13.7 Gyr times t / 13.7 Gyr: the bins of Leja+2017
                (ApJ 837, 170) with the youngest split, and all of them shrinking with t.
numbers         These lookback times [Gyr] at every redshift. No star forms before the last; what
                would be before the Big Bang is cut off, and a bin beyond it has no width.
==============  ==================================================================================

Edges never descend, and they are continuous in t: a bin closes before it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.errors import ConfigError, unknown

#: The setting that chooses, and what it means by default.
SETTING, DEFAULT = "sfh_bin_edges_gyr", "leja19"
#: Edges that no redshift moves [Gyr], and the start of the oldest bin over the age of the Universe.
YOUNG_GYR, OLDEST = (0.0, 0.03, 0.1), 0.85
#: Bins between, equally spaced in log lookback time.
N_BETWEEN = 4
STRETCHED_GYR = np.array([0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 6.0, 13.7])
#: As many as there are names for.
MAX_BINS = 30


def leja19(t_univ: Array) -> Array:
    """Return the edges [Gyr] at an age of the Universe [Gyr]: see the top of the file."""
    start = YOUNG_GYR[-1]
    span = jnp.log(jnp.maximum(OLDEST * t_univ, start) / start)
    between = start * jnp.exp(span * jnp.asarray(np.arange(1, N_BETWEEN + 1) / N_BETWEEN, float))
    own = jnp.concatenate([jnp.asarray(YOUNG_GYR, float), between])
    return jnp.append(jnp.minimum(own, t_univ), t_univ)


def stretched(t_univ: Array) -> Array:
    """Return the edges [Gyr] at an age of the Universe [Gyr]: see the top of the file."""
    return jnp.asarray(STRETCHED_GYR / STRETCHED_GYR[-1], float) * t_univ


RULES: dict[str, tuple[int, Callable[[Array], Array]]] = {
    "leja19": (len(YOUNG_GYR) + N_BETWEEN, leja19),
    "stretched": (len(STRETCHED_GYR) - 1, stretched),
}


@dataclass(frozen=True)
class BinEdges:
    """A rule by name, or lookback times [Gyr].

    Attributes
    ----------
    choice : str or tuple of float
    """

    choice: str | tuple[float, ...] = DEFAULT

    @classmethod
    def of(cls, value: Any) -> BinEdges:
        """Return the edges that a setting means.

        Raises
        ------
        ConfigError
            Neither a rule nor two bins or more that ascend from 0.
        """
        if value is None:
            return cls()
        if isinstance(value, str):
            if value not in RULES:
                raise unknown(SETTING, value, RULES)
            return cls(value)
        return cls(_checked(value))

    @property
    def setting(self) -> str | list[float]:
        """The value of the setting, in JSON's own types."""
        return self.choice if isinstance(self.choice, str) else list(self.choice)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        if isinstance(self.choice, str):
            return RULES[self.choice][0]
        return len(self.choice) - 1

    def at(self, t_univ: Array) -> Array:
        """Return the edges [Gyr], (n_bins + 1,), at an age of the Universe [Gyr]."""
        if isinstance(self.choice, str):
            return RULES[self.choice][1](t_univ)
        return jnp.minimum(jnp.asarray(self.choice, float), t_univ)


def _checked(value: Iterable[Any]) -> tuple[float, ...]:
    try:
        edges = np.asarray(value, float)
    except (TypeError, ValueError):
        edges = np.zeros(0)
    good = edges.ndim == 1 and 3 <= edges.size <= MAX_BINS + 1 and np.isfinite(edges).all()
    if not (good and edges[0] == 0.0 and (np.diff(edges) > 0.0).all()):
        raise ConfigError(
            f"{SETTING} is {' or '.join(map(repr, RULES))}, or lookback times in Gyr that ascend "
            f"from 0 and bound 2 to {MAX_BINS} bins, e.g. [0, 0.1, 1, 5, 13.8]; got {value!r}."
        )
    return tuple(edges.tolist())
