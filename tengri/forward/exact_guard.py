"""Checks of an exact model's inputs: redshifts, bands inside the spectrum, metals on the grid."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri.components.composition import Composition
from tengri.domain import SLACK, Domain, checked_mode
from tengri.errors import ConfigError, ParameterError
from tengri.forward.galaxy import Galaxy
from tengri.forward.grid_parameters import grid_ranges
from tengri.observation.bands import coverage
from tengri.observation.filters import FilterCurve

DUST_EMISSION_AA = 3.0e4  # redward of rest 3 µm dust emission outshines the stars


@dataclass(frozen=True, eq=False)
class ExactGuard:
    """Checks of concrete values.

    Attributes
    ----------
    composition : Composition
    wave : ndarray, shape (n_wave,)
        All rest wavelengths of the model [Å].
    filters : tuple of FilterCurve
        The bands, if any.
    domain : Domain
        Redshifts above zero (from zero where a distance is given), metallicities on the grid.
    mode : str
        What happens off the grid, see `tengri.domain`: with ``"warn"`` the stars at its end.
    """

    composition: Composition
    wave: np.ndarray
    filters: tuple[FilterCurve, ...]
    domain: Domain
    mode: str = "warn"

    @classmethod
    def of(cls, galaxy: Galaxy, filters: tuple[FilterCurve, ...], mode: str = "warn") -> ExactGuard:
        """Return the guard of a model's equations and bands."""
        least = 0.0 if galaxy.composition.by_distance else float(np.nextafter(0.0, 1.0))
        low, high = {"redshift": least}, {"redshift": np.inf}
        for name, (lo, hi) in grid_ranges(galaxy.composition, galaxy.metal_nodes).items():
            slack = SLACK * (abs(lo) + abs(hi))
            low[name], high[name] = lo - slack, hi + slack
        domain = Domain(low, high)
        return cls(galaxy.composition, galaxy.wave, filters, domain, checked_mode(mode))

    @property
    def metallicities(self) -> dict[str, tuple[float, float]]:
        """Range of each metallicity on the grid, log10(Z/Zsun), and of [α/Fe], by parameter."""
        ranges = self.domain.ranges()
        return {name: ends for name, ends in ranges.items() if name != "redshift"}

    def rows(self, p: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch have a distance and metals on the grid, (n,)."""
        return np.asarray(self.domain.contains(p, np))

    def check(self, p: Mapping[str, Any], fluxes: bool = True, bands: bool = True) -> None:
        """Raise where there are no fluxes or a band leaves the spectrum; metals by the mode."""
        z = np.asarray(p["redshift"])
        if fluxes and not np.all(self.domain.within("redshift", z)):
            raise ParameterError(
                f"Fluxes need redshift > 0, got {shown(z)}: a galaxy at z = 0 has no "
                "luminosity distance. Give distance_mpc, or use predict_rest_sed or "
                "predict_absolute_magnitudes."
            )
        if bands and self.filters:
            self.check_reach(float(z.min()), float(z.max()))
        if self.mode in ("raise", "warn"):
            self._check_metals(p)

    def _check_metals(self, p: Mapping[str, Any]) -> None:
        for name, (lo, hi) in self.metallicities.items():
            value = np.asarray(p[name])
            if np.all(self.domain.within(name, value)):
                continue
            place = f"{name} = {shown(value)} is outside the SSP grid ({lo:.2f}…{hi:.2f})"
            if self.mode == "raise":
                raise ParameterError(
                    f"{place}: take a value on the grid, or a grid that reaches further."
                )
            warnings.warn(f"{place}: clamped to its edge; inside jit it is NaN.", stacklevel=5)

    def check_reach(
        self, z_lo: float, z_hi: float, filters: tuple[FilterCurve, ...] | None = None
    ) -> None:
        """Raise ConfigError if a band leaves the spectrum somewhere between two redshifts.

        ``filters`` are the bands, by default those of the model.
        """
        filters = self.filters if filters is None else filters
        covered = coverage(self.wave[0], self.wave[-1], filters, z_lo, z_hi)
        if not covered.all():
            missing = [f"{f.name} ({f.wave[0]:.5g}–{f.wave[-1]:.5g} Å)"
                       for f, ok in zip(filters, covered) if not ok]  # fmt: skip
            raise ConfigError(
                f"Outside the reach of the spectrum for z = {shown(np.unique([z_lo, z_hi]))}: "
                f"{', '.join(missing)}. The SSP grid covers {self.wave[0]:.4g}–"
                f"{self.wave[-1]:.4g} Å at rest: drop the band, narrow the redshifts or "
                "use a grid that reaches further."
            )

    def lacks_dust(self, curve: FilterCurve, z_lo: float) -> bool:
        """Return whether a band sees dust at ``z_lo`` that is heated and does not emit."""
        sees = curve.pivot / (1.0 + z_lo) > DUST_EMISSION_AA
        heated = self.composition.has_stars or self.composition.agn_screened
        return sees and heated and self.composition.dust_emission is None

    def warn_infrared(self, z_lo: float, filters: tuple[FilterCurve, ...] | None = None) -> None:
        """Warn about bands that see dust where the model has none."""
        names = [f.name for f in filters or self.filters if self.lacks_dust(f, z_lo)]
        if names:
            warnings.warn(
                f"{', '.join(names)} see rest wavelengths beyond 3 µm, where dust emission "
                "dominates, but the model has none: set dust_emission='dl07'.",
                stacklevel=3,
            )


def shown(values: Any) -> str:
    """Return one value, or the range of several, in words."""
    a = np.atleast_1d(np.asarray(values, dtype=float))
    if a.size == 0:
        return "nothing"
    return f"{a[0]:g}" if a.size == 1 else f"{a.min():g}…{a.max():g}"
