"""A galaxy's star-formation history: families summed, a burst mixed in, a field on top.

* Each additive family has its own amplitude: ``log_peak_sfr`` is the height of its kernel before
  truncation at the Big Bang, ``log_total_mass`` the mass that it forms since the Big Bang.
* ``field`` modulates the additive families. Where the amplitude is a mass, it stays that mass.
* ``burst`` takes its fraction of the mass that the others form; the total does not change.

Units: lookback times and the age of the Universe in Gyr, masses in Msun, SFR in Msun/yr.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from tengri.components.array_module import Floats, array_module, as_floats
from tengri.components.stellar.sfh import bin_edges, burst, gp_sfh
from tengri.components.stellar.sfh.bin_edges import BinEdges
from tengri.components.stellar.sfh.family import Amplitude, SFHFamily
from tengri.components.stellar.sfh.registry import SFH_FAMILIES, families_of
from tengri.constants import LN10
from tengri.errors import ConfigError, ParameterError
from tengri.registry import Param

LN_YR_PER_GYR = 9 * LN10
LN_NO_STARS = -30 * LN10  # [Msun]: a history that forms nothing before the epoch of observation

# Bins over which a history is normalised where the caller has none of their own.
EDGES_GYR = np.concatenate([[0.0], np.geomspace(1e-3, 0.5, 40), np.arange(0.75, 14.01, 0.25)])
DEFAULT_BINS = BinEdges()
#: In the place of a family: no stars at all.
NO_STARS = "none"
NO_EDGES = np.array([0.0, np.inf])

Params = Mapping[str, Array]


class Part(NamedTuple):
    """One family's share: ln of its mass [Msun], its split over bins, ln of its SFR scale."""

    ln_mass: Array
    fractions: Array
    ln_amplitude: Array


@dataclass(frozen=True)
class StarFormationHistory:
    """The families that make up a history and the parameters that drive it.

    Attributes
    ----------
    types : tuple of str
        Family names; additive ones are summed, at most one ``burst`` and one ``field``. Empty
        where there are no stars: then nothing but `sfr`, which is 0, can be asked.
    params : tuple of Param
        Active parameters, in the order of ``types``, the amplitude of a family first.
    amplitudes : tuple of str
        Kind of amplitude of each additive family.
    n_grid : int
        Nodes of the latent field.
    bins : BinEdges
        Of the families whose bins are set; by default where there is none.

    Examples
    --------
    >>> history = StarFormationHistory.build(None, {"sfh_tsnorm_peak_lbt_frac"})
    >>> [p.name for p in history.params][:2]
    ['sfh_tsnorm_log_peak_sfr', 'sfh_tsnorm_peak_lbt_frac']
    """

    types: tuple[str, ...]
    params: tuple[Param, ...]
    amplitudes: tuple[Amplitude, ...]
    n_grid: int = gp_sfh.N_GRID
    bins: BinEdges = DEFAULT_BINS

    @classmethod
    def build(
        cls,
        types: str | Iterable[str] | None = None,
        given: Collection[str] = (),
        n_grid: int | None = None,
        bins: BinEdges | None = None,
    ) -> StarFormationHistory:
        """Choose families, amplitudes and time parameters.

        Parameters
        ----------
        types : str or iterable of str, optional
            Families; by default those that the names in ``given`` speak of, else ``dpl``.
            ``none``: no stars.
        given : collection of str
            Parameter names that the user mentioned: they select fractions against times in Gyr,
            and the amplitude.
        n_grid : int, optional
            Nodes of the latent field.
        bins : BinEdges, optional
            Of the families whose bins are set.

        Raises
        ------
        UnknownNameError
            A family, or a misspelt ``sfh_`` name where the families are read off the names.
        ConfigError
            Families that cannot be combined; edges of bins where no family has any.
        ParameterError
            Two names for one thing: both amplitudes, or a time in Gyr and as a fraction.
        """
        chosen = _checked_types(types, given)
        n_grid = _checked_n_grid(n_grid)
        bins = _checked_bins(chosen, bins)
        members = [_family(name, bins) for name in chosen]
        kinds = tuple(_amplitude(m, given) for m in members if m.kind == "additive")
        picks = iter(kinds)
        params: list[Param] = []
        for member in members:
            if member.kind == "additive":
                params.append(member.amplitudes[next(picks)])
            fractions = member.fractional_times
            params += [_pick_time(p, fractions.get(p.name), given) for p in member.params]
        sized = (gp_sfh.latent(n_grid) if p == gp_sfh.latent() else p for p in params)
        return cls(chosen, tuple(sized), kinds, n_grid, bins)

    def formed(self, p: Params, edges_gyr: np.ndarray, t_univ_gyr: ArrayLike) -> tuple:
        """Return the mass formed and how it is distributed over age bins.

        Parameters
        ----------
        p : mapping
            Parameters of one galaxy under their full names.
        edges_gyr : ndarray, shape (n + 1,)
            Lookback times that bound the bins [Gyr], ascending from 0. The last bin is taken to
            reach back to the Big Bang.
        t_univ_gyr : scalar
            Age of the Universe at the epoch of observation [Gyr].

        Returns
        -------
        log10_mass : Array, scalar
            All mass formed since the Big Bang [log10 Msun]. Finite always; a history without
            stars has a negative value.
        fractions : Array, shape (n,)
            Of that mass formed in each bin; they sum to 1.
        """
        edges = np.asarray(edges_gyr, float)
        return self._formed(p, edges, jnp.asarray(t_univ_gyr, float), edges)

    def formed_since(
        self, p: Params, age_gyr: ArrayLike, edges_gyr: np.ndarray, t_univ_gyr: ArrayLike
    ) -> Array:
        """Return the fraction of the formed mass that is younger than an age.

        Parameters
        ----------
        p : mapping
            Parameters of one galaxy under their full names.
        age_gyr : scalar
            Lookback time from the epoch of observation [Gyr], >= 0; may be a traced JAX array.
        edges_gyr : ndarray, shape (n + 1,)
            Bins over which a stochastic history is averaged, as in `formed`; the result does not
            depend on them otherwise.
        t_univ_gyr : scalar
            Age of the Universe at the epoch of observation [Gyr].

        Returns
        -------
        Array, scalar
            In [0, 1].
        """
        edges = np.asarray(edges_gyr, float) if "field" in self.types else NO_EDGES
        age = as_floats(age_gyr)
        xp = array_module(age)
        limits = xp.sort(xp.append(edges[:-1], age))
        limits = xp.append(limits, np.inf)
        _, fractions = self._formed(p, limits, jnp.asarray(t_univ_gyr, float), edges)
        return jnp.sum(jnp.where(jnp.asarray(limits[:-1] < age), fractions, 0.0))

    def mean_age(self, p: Params, edges_gyr: np.ndarray, t_univ_gyr: ArrayLike) -> Array:
        """Return the mean age by formed mass [Gyr], ∫ t ψ dt / ∫ ψ dt.

        The arguments are those of `formed`. The mean age of what forms in each bin is that of its
        history, in closed form or by quadrature, so that bins may be as wide as they like.
        """
        edges, t_univ = np.asarray(edges_gyr, float), jnp.asarray(t_univ_gyr, float)
        parts = self._parts(p, edges, t_univ, edges)
        ln_mass = jnp.stack([part.ln_mass for part in parts])
        own = jnp.stack([
            jnp.sum(part.fractions * self._ages(name, p, edges, t_univ))
            for name, part in zip(self._additive, parts)
        ])  # fmt: skip
        age = jnp.sum(jnp.exp(ln_mass - logsumexp(ln_mass)) * own)
        if "burst" not in self.types:
            return age
        q = self._local("burst", p, t_univ)
        f, (_, shares) = burst.mass_fraction(q), burst.burst_masses(q, edges, t_univ)
        return (1 - f) * age + f * jnp.sum(shares * self._ages("burst", p, edges, t_univ))

    def _ages(self, name: str, p: Params, edges: np.ndarray, t_univ: Array) -> Array:
        return self._family(name).mean_ages(self._local(name, p, t_univ), edges, t_univ)

    def _family(self, name: str) -> SFHFamily:
        return _family(name, self.bins)

    def sfr(
        self,
        p: Params,
        t_lookback_gyr: ArrayLike,
        t_univ_gyr: ArrayLike,
        edges_gyr: np.ndarray = EDGES_GYR,
    ) -> Array:
        """Return the star-formation rate [Msun/yr] at lookback times [Gyr]; 0 before the Big Bang.

        ``edges_gyr`` are the bins over which an amplitude that is a mass is normalised.
        """
        t_univ, t = jnp.asarray(t_univ_gyr, float), jnp.asarray(t_lookback_gyr, float)
        if not self.types:
            return jnp.zeros_like(t)
        bins = np.asarray(edges_gyr, float)
        parts = self._parts(p, bins, t_univ, bins)
        kernels = (
            self._family(name).log_kernel_on(t, self._local(name, p, t_univ), t_univ, bins)
            for name in self._additive
        )
        ln_sfr = jnp.stack([part.ln_amplitude + k for part, k in zip(parts, kernels)])
        rate = jnp.sum(jnp.exp(ln_sfr), axis=0)
        if "field" in self.types:
            rate = rate * jnp.exp(gp_sfh.log_field(t, self._local("field", p, t_univ), self.n_grid))
        if "burst" in self.types:
            q = self._local("burst", p, t_univ)
            f = burst.mass_fraction(q)
            ln_burst = burst.log_burst(t, q, t_univ) + _summed(parts)[0] - LN_YR_PER_GYR
            rate = (1 - f) * rate + f * jnp.exp(ln_burst)
        return jnp.where(t <= t_univ, rate, 0.0)

    def check_together(self, values: Mapping[str, np.ndarray]) -> None:
        """Raise for concrete values, by full name, that contradict each other."""
        for name in self.types:
            family = self._family(name)
            own = {short: values[n] for n, short in family.short_names.items() if n in values}
            if family.check is not None and len(own) >= len(family.params):
                family.check(own)

    @property
    def _additive(self) -> tuple[str, ...]:
        return tuple(n for n in self.types if SFH_FAMILIES[n].kind == "additive")

    def _local(self, name: str, p: Params, t_univ: Array) -> dict[str, Array]:
        """A family's parameters under short names; fractions of t_univ become Gyr."""
        short, q = self._family(name).short_names, {}
        for param in self.params:
            if param.name in short:
                value = jnp.asarray(p[param.name], float)
                q[short[param.name]] = value * t_univ if param.is_fraction_of_age else value
        return q

    def _formed(self, p: Params, limits: Floats, t_univ: Array, bins: np.ndarray) -> tuple:
        """Return `formed` between ``limits``; the field is averaged over each of ``bins``."""
        ln_mass, fractions = _summed(self._parts(p, limits, t_univ, bins))
        if "burst" in self.types:
            q = self._local("burst", p, t_univ)
            f = burst.mass_fraction(q)
            fractions = (1 - f) * fractions + f * burst.burst_masses(q, limits, t_univ)[1]
        return ln_mass / LN10, fractions

    def _parts(self, p: Params, limits: Floats, t_univ: Array, bins: np.ndarray) -> list[Part]:
        boost: Array | float = 1.0
        if "field" in self.types:
            q = self._local("field", p, t_univ)
            boost = gp_sfh.bin_modulator(q, bins, t_univ, self.n_grid)
            if limits is not bins:
                xp = array_module(limits)
                boost = boost[xp.searchsorted(bins[1:-1], limits[:-1], side="right")]
        parts = []
        for name, kind in zip(self._additive, self.amplitudes):
            q = self._local(name, p, t_univ)
            family = self._family(name)
            scale, m = (family.shared if limits is bins else family.masses)(q, limits, t_univ)
            parts.append(_part(scale, m * boost, kind, LN10 * q[kind]))
        return parts


def _part(scale: Array, m: Array, kind: Amplitude, ln_value: Array) -> Part:
    """Apply an amplitude to a kernel's masses ``m * exp(scale)``."""
    total = jnp.sum(m)
    empty = total <= 0
    safe = jnp.where(empty, 1.0, total)
    ln_unit = scale + LN_YR_PER_GYR + jnp.log(safe)  # mass formed at unit SFR amplitude
    ln_mass, ln_amplitude = (
        (ln_value, ln_value - ln_unit)
        if kind == "log_total_mass"
        else (ln_value + ln_unit, ln_value)
    )
    youngest = (jnp.arange(m.shape[0]) == 0).astype(m.dtype)
    return Part(
        jnp.where(empty, LN_NO_STARS, ln_mass),
        jnp.where(empty, youngest, m / safe),
        ln_amplitude,
    )


def _summed(parts: list[Part]) -> tuple[Array, Array]:
    """Return ln of the total mass and the fractions of the sum of the additive families."""
    if len(parts) == 1:
        return parts[0].ln_mass, parts[0].fractions
    ln_masses = jnp.stack([part.ln_mass for part in parts])
    ln_mass = logsumexp(ln_masses)
    share = jnp.exp(ln_masses - ln_mass)
    fractions = jnp.stack([part.fractions for part in parts])
    return ln_mass, jnp.sum(share[:, None] * fractions, axis=0)


def _checked_types(types: str | Iterable[str] | None, given: Collection[str]) -> tuple[str, ...]:
    if types is None:
        return families_of(given)
    if not isinstance(types, Iterable):
        raise ConfigError(f"mean_sfh_type is a family or a list of families, got {types!r}.")
    listed = (types,) if isinstance(types, str) else tuple(types)
    if NO_STARS in listed:
        if len(listed) > 1:
            raise ConfigError(f"{NO_STARS!r} is a galaxy without stars: no family goes with it.")
        return ()
    names = tuple(SFH_FAMILIES[name].name for name in listed)
    if len(set(names)) < len(names):
        raise ConfigError(f"Each SFH family can be used once; got {', '.join(names)}.")
    if not any(SFH_FAMILIES[name].kind == "additive" for name in names):
        additive = ", ".join(f.name for f in SFH_FAMILIES.values() if f.kind == "additive")
        raise ConfigError(
            f"{' and '.join(names) or 'An empty list'} cannot stand alone: add one of {additive}."
        )
    return names


def _family(name: str, bins: BinEdges) -> SFHFamily:
    family = SFH_FAMILIES[name]
    return family if family.rebinned is None else family.rebinned(bins)


def takes_bins(types: str | Iterable[str] | None, given: Collection[str]) -> bool:
    """Return whether a family is constant in bins; arguments as of `StarFormationHistory.build`."""
    return _binned(_checked_types(types, given))


def _binned(types: tuple[str, ...]) -> bool:
    return any(SFH_FAMILIES[name].rebinned is not None for name in types)


def _checked_bins(types: tuple[str, ...], bins: BinEdges | None) -> BinEdges:
    if bins is None or bins == DEFAULT_BINS or _binned(types):
        return bins or DEFAULT_BINS
    binned = [name for name, family in SFH_FAMILIES.items() if family.rebinned is not None]
    raise ConfigError(
        f"{bin_edges.SETTING} has no effect on {' and '.join(types) or NO_STARS}: it sets the bins "
        f"of {' and '.join(binned)}."
    )


def _checked_n_grid(n_grid: int | None) -> int:
    if n_grid is None:
        return gp_sfh.N_GRID
    if isinstance(n_grid, bool) or not isinstance(n_grid, int) or n_grid < 2:
        raise ConfigError(f"n_grid is a number of points, an integer >= 2; got {n_grid!r}.")
    return n_grid


def _amplitude(member: SFHFamily, given: Collection[str]) -> Amplitude:
    """The amplitude that was mentioned, else the family's default."""
    mentioned = [kind for kind, p in member.amplitudes.items() if p.name in given]
    if len(mentioned) > 1:
        names = " and ".join(p.name for p in member.amplitudes.values())
        raise ParameterError(f"{names} both set the amplitude of {member.name}: give one.")
    return mentioned[0] if mentioned else member.default_amplitude  # type: ignore[return-value]


def _pick_time(param: Param, fraction: Param | None, given: Collection[str]) -> Param:
    """The fraction of the age of the Universe where that was mentioned, else the time in Gyr."""
    if fraction is None or fraction.name not in given:
        return param
    if param.name in given:
        raise ParameterError(f"{param.name} and {fraction.name} are one time: give one of them.")
    return fraction
