"""Which exact evaluator serves which parameters; each is made once per default float and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import numpy as np

from tengri.components.stellar.ssp import SSPData
from tengri.constants import MAX_REDSHIFT
from tengri.domain import Domain
from tengri.forward.evaluator import FixedValues
from tengri.forward.exact import ExactEvaluator
from tengri.forward.fixed_redshift import (
    FixedRedshiftEvaluator,
    screen_domain,
    supports_compression,
)
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.lines import LineEvaluator
from tengri.forward.packing import is_traced
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
    """

    def __init__(
        self,
        spec: Parameters,
        grid: GridSpectra,
        filters: tuple[FilterCurve, ...],
        metallicities: Mapping[str, tuple[float, float]],
    ) -> None:
        self.spec, self.grid, self.filters = spec, grid, filters
        self.prior = redshift_range(spec)
        self._metallicities = metallicities
        self._screens = screen_domain(spec) if supports_compression(spec.composition) else None
        self._made: dict[Hashable, Any] = {}

    def spectral(self) -> ExactEvaluator:
        """Return the evaluator of spectra, on all wavelengths."""
        return self._once("spectra", lambda fixed: ExactEvaluator.build(
            self.grid, (), EVERY_REDSHIFT, fixed))  # fmt: skip

    def lines(self) -> LineEvaluator:
        """Return the evaluator of emission lines."""
        return self._once("lines", lambda _: LineEvaluator.build(self.grid, self.spectral()))

    def pixels(
        self, ssp: SSPData, spectrograph: Spectrograph, z: Any, reach_kms: float
    ) -> PixelEvaluator:
        """Return the evaluator of a spectrograph for redshifts, which may be tracers."""
        lo, hi = self.prior
        known = lo < hi if is_traced({"redshift": z}) else lo <= float(z) <= hi
        ends = (lo, hi) if known else EVERY_REDSHIFT
        lines = None if self.grid.galaxy.gas is None else self.lines()
        return self._once(("pixels", spectrograph, ends, reach_kms), lambda _: PixelEvaluator.build(
            self.grid, ssp, (self.spectral(), lines), spectrograph, ends, reach_kms))  # fmt: skip

    def over(self, z_range: tuple[float, float] | None = None) -> ExactEvaluator:
        """Return the evaluator of an interval of redshift, by default that of the prior."""
        lo, hi = self.prior if z_range is None else z_range
        return self._once((float(lo), float(hi)), lambda fixed: ExactEvaluator.build(
            self.grid, self.filters, (float(lo), float(hi)), fixed))  # fmt: skip

    def at_rest(self, filters: tuple[FilterCurve, ...]) -> ExactEvaluator:
        """Return the evaluator of some other bands at redshift 0."""
        key = ("rest", *(f.fingerprint for f in filters))
        return self._once(key, lambda fixed: ExactEvaluator.build(
            self.grid, filters, (0.0, 0.0), fixed))  # fmt: skip

    def at(self, z: float) -> FixedRedshiftEvaluator:
        """Return the evaluator of one redshift."""
        screens = self._screens
        assert screens is not None
        return self._once(("at", z), lambda fixed: FixedRedshiftEvaluator.build(
            self.grid, self.filters, z, screens, fixed))  # fmt: skip

    def choose(self, p: Mapping[str, Any]) -> Any:
        """Return the evaluator that serves complete parameters, which may be tracers.

        One redshift where that pays, else the prior's interval, else every redshift.
        """
        z, (lo, hi) = p["redshift"], self.prior
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
                return self.at(at)
        return self.over((lo, hi) if lowest <= z_min and z_max <= highest else EVERY_REDSHIFT)

    def for_floats(self) -> tuple[Any, Mapping[str, tuple[float, float]] | None]:
        """Return the evaluator of Python floats in the prior's redshifts, and their ranges."""
        lo, hi = self.prior
        # above zero, where there is a luminosity distance, unless it is given
        least = 0.0 if self.spec.composition.by_distance else float(np.finfo(np.float32).tiny)
        ranges = {"redshift": (max(lo, least), hi)}
        ranges |= self._metallicities
        if lo < hi or self._screens is None:
            return self.over(), ranges
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

    def _once(self, key: Any, make: Callable[[FixedValues], Any]) -> Any:
        """Keep evaluators per default float: x64 may be switched between calls."""
        parts = key if isinstance(key, tuple) else (key,)
        full_key = (*parts, default_float())
        if full_key not in self._made:
            with jax.ensure_compile_time_eval(), jax.transfer_guard("allow"):
                self._made[full_key] = make(FixedValues.of(self.spec))
        return self._made[full_key]


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
