"""Where a surrogate may be used: the box it was trained on, guarded on every parameter.

What happens outside is said by ``out_of_domain``, see `tengri.domain`: with ``"warn"`` the answer
is the network's extrapolation.

A parameter that was fixed in training must have that value. What is exact is unguarded: an
amplitude, or a whole star-formation history.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from emulator.scaling import trained_range
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.domain import SLACK, Domain, checked_mode, masks
from tengri.errors import ParameterError
from tengri.parameters import Parameters


class TrainedRange(NamedTuple):
    """The trained range of one parameter; ``lo == hi`` where it was fixed (arrays too).

    ``low`` and ``high`` are the limits of the guard, a rounding error further out.
    """

    name: str
    lo: Any
    hi: Any
    low: Any
    high: Any

    @classmethod
    def of(cls, name: str, lo: Any, hi: Any) -> TrainedRange:
        """Return the range with its slack."""
        slack = SLACK * (np.abs(lo) + np.abs(hi))
        low, high = np.subtract(lo, slack), np.add(hi, slack)
        if np.ndim(low) == 0:
            return cls(name, float(lo), float(hi), float(low), float(high))
        return cls(name, np.asarray(lo), np.asarray(hi), low, high)

    @property
    def is_fixed(self) -> bool:
        """Whether the parameter had one value in training."""
        return bool(np.all(np.equal(self.lo, self.hi)))

    @property
    def shown(self) -> str:
        """The range in words."""
        if self.is_fixed:
            return f"the fixed value {self.lo:g}" if np.ndim(self.lo) == 0 else "its fixed values"
        return f"[{float(np.min(self.lo)):g}, {float(np.max(self.hi)):g}]"


@dataclass(frozen=True)
class TrainedDomain:
    """The guard of one surrogate.

    Attributes
    ----------
    ranges : tuple of TrainedRange
        Every parameter that the network, or what was fixed in training, depends on.
    vectors : frozenset of str
        Those that are vectors.
    mode : str
        One of `tengri.domain.MODES`.
    """

    ranges: tuple[TrainedRange, ...]
    vectors: frozenset[str] = frozenset()
    mode: str = "raise"

    def __post_init__(self) -> None:
        checked_mode(self.mode)

    @classmethod
    def of(cls, spec: Parameters, names: Iterable[str], mode: str = "raise") -> TrainedDomain:
        """Return the guard of the box that ``spec`` was trained on, for some parameters."""
        names = tuple(names)
        shapes = {name: spec.composition.params[name].shape for name in names}
        vectors = frozenset(name for name, shape in shapes.items() if shape != ())
        return cls(tuple(_range(spec, name) for name in names), vectors, mode)

    def with_metallicities(self, names: Iterable[str], lgmet: np.ndarray) -> TrainedDomain:
        """Return the guard with metallicities that may be any of the grid of stars.

        ``lgmet`` (n_met,) are its nodes, log10 of the absolute metal fraction.
        """
        lo, hi = (float(end) - LOG10_ZSUN for end in np.asarray(lgmet)[[0, -1]])
        more = tuple(TrainedRange.of(name, lo, hi) for name in names)
        return replace(self, ranges=self.ranges + more)

    @cached_property
    def by_name(self) -> dict[str, TrainedRange]:
        """Ranges by parameter name."""
        return {r.name: r for r in self.ranges}

    @cached_property
    def limits(self) -> Domain:
        """The box with its slack; anything outside is out of domain."""
        return Domain({r.name: r.low for r in self.ranges}, {r.name: r.high for r in self.ranges},
                      self.vectors)  # fmt: skip

    @cached_property
    def box(self) -> Domain:
        """The box without slack: where parameters are clipped to."""
        return Domain({r.name: r.lo for r in self.ranges}, {r.name: r.hi for r in self.ranges},
                      self.vectors)  # fmt: skip

    def check(self, p: Mapping[str, Any]) -> None:
        """Raise or warn about concrete values outside the box, as the mode says."""
        if self.mode not in ("raise", "warn"):
            return
        outside = [r for r in self.ranges if not self._holds(r, p[r.name])]
        if not outside:
            return
        message = " ".join(self._message(r, np.asarray(p[r.name])) for r in outside)
        if self.mode == "raise":
            raise ParameterError(
                f"{message} Surrogates do not extrapolate: use the exact model there, train on a "
                'wider box, or choose out_of_domain="clip", "nan" or "warn".'
            )
        warnings.warn(f"{message} The answer there is an extrapolation.", stacklevel=5)

    def masks(self, traced: bool) -> bool:
        """Return whether galaxies outside become NaN."""
        return masks(self.mode, traced)

    def _holds(self, r: TrainedRange, value: np.ndarray) -> bool:
        same = not np.ndim(r.low) or value.shape[-1:] == np.shape(r.low)[-1:]
        return same and bool(np.all(self.limits.within(r.name, value)))

    def _message(self, r: TrainedRange, value: np.ndarray) -> str:
        """Name the parameter, the first value outside, how many there are, the trained range."""
        trained = f"this surrogate was trained {'at' if r.is_fixed else 'on'} {r.shown}."
        if np.ndim(r.low) and value.shape[-1:] != np.shape(r.low)[-1:]:
            return f"{r.name} has shape {value.shape}; {trained}"
        bad = ~np.asarray(self.limits.within(r.name, value))
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f" at row {first[0]} ({int(bad.sum())} of {bad.size} values)" if first else ""
        return f"{r.name} = {value[first]:g}{where}: {trained}"


def _range(spec: Parameters, name: str) -> TrainedRange:
    prior = spec.get_distribution(name)
    if prior.is_fixed:
        value = spec.fixed_value(name)
        return TrainedRange.of(name, value, value)
    return TrainedRange.of(name, *trained_range(prior))
