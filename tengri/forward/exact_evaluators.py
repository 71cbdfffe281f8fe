"""Which exact evaluator serves which parameters; each is made once per default float and kept.

There are two of each, which share their arrays: one is NaN for metallicities off the grid, the
other takes the stars at its ends there. Mode and transformations of JAX say which: `tengri.domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import numpy as np

from tengri.components.stellar.ssp_data import SSPData
from tengri.constants import MAX_REDSHIFT
from tengri.domain import Domain, masks
from tengri.forward.evaluator import FixedValues
from tengri.forward.exact import ExactEvaluator
from tengri.forward.fixed_redshift import (
    FixedRedshiftEvaluator,
    screen_domain,
    supports_compression,
)
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.lines import LineEvaluator
from tengri.forward.packing import in_trace, is_traced
from tengri.forward.pixel_spectra import PixelEvaluator
from tengri.observation.filters import FilterCurve
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters import Parameters
from tengri.parameters.validate import default_float

#: Galaxies at one redshift that pay for an evaluator of their own.
MIN_ROWS_TO_SPECIALISE = 65536
EVERY_REDSHIFT = (0.0, MAX_REDSHIFT)


class ExactEvaluators:
    """The evaluators of one exact model.

    Parameters
    ----------
    spec : Parameters
    grid : GridSpectra
        The spectra on all wavelengths of the model.
    filters : tuple of FilterCurve
        The bands; none for spectra alone.
    metallicities : mapping
        Range of each metallicity on the grid, by parameter.
    mode : str
        What happens outside of it, one of `tengri.domain.MODES`.
    """

    def __init__(
        self,
        spec: Parameters,
        grid: GridSpectra,
        filters: tuple[FilterCurve, ...],
        metallicities: Mapping[str, tuple[float, float]],
        mode: str = "warn",
    ) -> None:
        self.spec, self.grid, self.filters = spec, grid, filters
        self.prior = redshift_range(spec)
        self._metallicities, self._mode = metallicities, mode
        self._screens = screen_domain(spec) if supports_compression(spec.composition) else None
        self._made: dict[Hashable, Any] = {}

    def spectral(self, traced: bool = False) -> ExactEvaluator:
        """Return the evaluator of spectra, on all wavelengths."""
        return self._once("spectra", traced, lambda fixed: ExactEvaluator.build(
            self.grid, (), EVERY_REDSHIFT, fixed))  # fmt: skip

    def lines(self, traced: bool = False) -> LineEvaluator:
        """Return the evaluator of emission lines."""
        return self._once("lines", traced, lambda _: LineEvaluator.build(
            self.grid, self.spectral(traced=True)))  # fmt: skip

    def pixels(
        self, ssp: SSPData, spectrograph: Spectrograph, p: Mapping[str, Any], reach_kms: float
    ) -> PixelEvaluator:
        """Return the evaluator of a spectrograph for parameters, tracers or a batch perhaps."""
        (lo, hi), z = self.prior, p["redshift"]
        traced = is_traced({"redshift": z})
        known = lo < hi if traced else bool(np.all((lo <= z) & (z <= hi)))
        ends = (lo, hi) if known else EVERY_REDSHIFT
        lines = None if self.grid.galaxy.gas is None else self.lines(traced=True)
        key = ("pixels", spectrograph, ends, reach_kms)
        return self._once(key, in_trace(p), lambda _: PixelEvaluator.build(
            self.grid, ssp, (self.spectral(traced=True), lines), spectrograph, ends, reach_kms
        ))  # fmt: skip

    def over(
        self, z_range: tuple[float, float] | None = None, traced: bool = True
    ) -> ExactEvaluator:
        """Return the evaluator of an interval of redshift, by default that of the prior."""
        lo, hi = self.prior if z_range is None else z_range
        return self._once((float(lo), float(hi)), traced, lambda fixed: ExactEvaluator.build(
            self.grid, self.filters, (float(lo), float(hi)), fixed))  # fmt: skip

    def at_rest(self, filters: tuple[FilterCurve, ...], traced: bool = False) -> ExactEvaluator:
        """Return the evaluator of some other bands at redshift 0."""
        key = ("rest", *(f.fingerprint for f in filters))
        return self._once(key, traced, lambda fixed: ExactEvaluator.build(
            self.grid, filters, (0.0, 0.0), fixed))  # fmt: skip

    def at(self, z: float, traced: bool = False) -> FixedRedshiftEvaluator:
        """Return the evaluator of one redshift."""
        screens = self._screens
        assert screens is not None
        return self._once(("at", z), traced, lambda fixed: FixedRedshiftEvaluator.build(
            self.grid, self.filters, z, screens, fixed))  # fmt: skip

    def choose(self, p: Mapping[str, Any]) -> Any:
        """Return the evaluator that serves complete parameters, which may be tracers.

        One redshift where that pays, else the prior's interval, else every redshift.
        """
        z, (lo, hi), traced = p["redshift"], self.prior, in_trace(p)
        if is_traced({"redshift": z}):
            return self.over(EVERY_REDSHIFT if lo == hi else (lo, hi))
        z_min, z_max = float(np.min(z)), float(np.max(z))
        # the prior's ends as they arrive in float32: 0.05 is another number there
        lowest, highest = (float(default_float()(end)) for end in (lo, hi))
        if z_min == z_max and self._compresses(p):
            fixed = lowest == highest == z_min
            at = lo if fixed else z_min
            made = ("at", at, default_float()) in self._made
            if fixed or made or _n_rows(p) >= MIN_ROWS_TO_SPECIALISE:
                return self.at(at, traced)
        inside = lowest <= z_min and z_max <= highest
        return self.over((lo, hi) if inside else EVERY_REDSHIFT, traced)

    def for_floats(self) -> tuple[Any, Mapping[str, tuple[float, float]] | None]:
        """Return the evaluator of Python floats in the prior's redshifts, and their ranges."""
        lo, hi = self.prior
        # above zero, where there is a luminosity distance, unless it is given
        least = 0.0 if self.spec.composition.by_distance else float(np.finfo(np.float32).tiny)
        ranges = {"redshift": (max(lo, least), hi)}
        ranges |= self._metallicities
        if lo < hi or self._screens is None:
            return self.over(traced=False), ranges
        return self.at(lo), ranges | self._screens.ranges()

    def _compresses(self, p: Mapping[str, Any]) -> bool:
        """Return whether the screens are inside the box of the decomposition.

        What is free stays in its prior inside jit; a fixed value that is overridden may not.
        """
        if self._screens is None:
            return False
        traced = [name for name in self._screens.low if is_traced({name: p[name]})]
        if any(self.spec.is_fixed(name) for name in traced):
            return False
        known: Domain = self._screens.only([n for n in self._screens.low if n not in traced])
        return bool(np.all(known.contains(p, np)))

    def _once(self, key: Any, traced: bool, make: Callable[[FixedValues], Any]) -> Any:
        """Keep evaluators per default float: x64 may be switched between calls."""
        parts = key if isinstance(key, tuple) else (key,)
        full_key = (*parts, default_float())
        clamping = (*full_key, "clamping")
        with jax.ensure_compile_time_eval(), jax.transfer_guard("allow"):
            if full_key not in self._made:
                self._made[full_key] = make(self._fixed())
            if masks(self._mode, traced) or not self._metallicities:
                return self._made[full_key]
            if clamping not in self._made:
                self._made[clamping] = _with_fixed(self._made[full_key], self._fixed(np.inf))
        return self._made[clamping]

    def _fixed(self, slack: float = 0.0) -> FixedValues:
        """Return the fixed values, and limits of the metallicities that much off the grid."""
        ends = self._metallicities.items()
        low, high = ({name: end[i] + sign * slack for name, end in ends}
                     for i, sign in ((0, -1.0), (1, 1.0)))  # fmt: skip
        return FixedValues.of(self.spec, Domain(low, high))


def _with_fixed(evaluator: Any, fixed: FixedValues) -> Any:
    """Return an evaluator with other fixed values, in all of its parts."""
    return jax.tree.map(
        lambda part: fixed if isinstance(part, FixedValues) else part,
        evaluator,
        is_leaf=lambda part: isinstance(part, FixedValues),
    )


def redshift_range(spec: Parameters) -> tuple[float, float]:
    """Return the redshifts that the spec's prior allows."""
    prior = spec.get_distribution("redshift")
    if prior.is_fixed:
        z = float(spec.fixed_value("redshift"))
        return z, z
    lo, hi = prior.bounds
    return max(float(lo), 0.0), min(float(hi), MAX_REDSHIFT)


def _n_rows(p: Mapping[str, Any]) -> int:
    return max(np.shape(value)[0] if np.ndim(value) else 1 for value in p.values())
