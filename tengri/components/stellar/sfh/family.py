"""Interface of families of star-formation histories.

Conventions, everywhere below this folder:

* ``t``, ``edges`` : lookback time from the epoch of observation [Gyr], ``(...)`` and ``(n + 1,)``
* ``q`` : a family's own parameters under their short names, times in Gyr
* ``t_univ`` : age of the Universe at that epoch [Gyr], scalar
* a *kernel* is the SFR relative to unit amplitude; kernels are carried as natural logarithms
* a *mass* is ``(ln_scale, m)``: ``m * exp(ln_scale)`` [Gyr x unit SFR] formed in each bin
* *ages* are the mean lookback times [Gyr] of what forms in each bin, ``(n,)``; finite in bins
  where nothing does
* *shares* are masses as the light of a grid has them: a history that is narrower than its bins is
  shared out to the bins around it, so that light is continuous in its age

``edges`` are NumPy wherever they are known beforehand, as those of a grid are; an age that depends
on a parameter makes them a JAX array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.array_module import Floats
from tengri.components.stellar.sfh import quadrature
from tengri.components.stellar.sfh.bin_edges import BinEdges
from tengri.components.stellar.sfh.quadrature import clipped
from tengri.errors import ConfigError
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

__all__ = ["Ages", "Kernel", "Mass", "SFHFamily", "as_fractions", "clipped", "cosmic_bins"]

Kernel = Callable[[Array, Mapping[str, Array], Array], Array]
Mass = Callable[[Mapping[str, Array], Any, Array], tuple[Array, Array]]
Ages = Callable[[Mapping[str, Array], np.ndarray, Array], Array]
Amplitude = Literal["log_peak_sfr", "log_total_mass"]
#: The kinds of amplitude, told apart by their units.
AMPLITUDES: dict[Amplitude, str] = {
    "log_peak_sfr": "log10 Msun/yr",
    "log_total_mass": "log10 Msun",
}

LOG_ZERO = -1.0e30  # the logarithm of no star formation: finite, and exp() of it is exactly 0
EARLIEST = 1e-6  # of the age of the Universe: where cosmic time starts to count


@dataclass(frozen=True)
class SFHFamily(Versioned):
    """A parametric star-formation history.

    Attributes
    ----------
    name, prefix : str
        Registry name, and what formulae leave out of the names of parameters (``sfh_tsnorm_``).
    params : tuple of Param
        All parameters but the amplitude, times in Gyr. One that is an amplitude by its role is
        taken out and stands in the place of the usual ones.
    log_sfr : callable
        ``(t, q, t_univ) -> ln(SFR / amplitude)``; None for the modulator.
    reference : str
        Where the formula comes from.
    default_amplitude : str
        ``"log_peak_sfr"`` or ``"log_total_mass"``.
    kind : str
        ``additive`` families are summed, the ``mixture`` shares the mass, the ``modulator``
        multiplies.
    mass : callable
        ``(q, edges, t_univ) -> (ln_scale, m)``; None for the modulator.
    fractional_times : mapping
        ``…_gyr`` parameter name -> the ``…_frac`` Param that may stand in its place.
    ages : callable, optional
        ``(q, edges, t_univ) -> ages`` where they have a closed form; by default the SFR is
        integrated numerically within each bin, which suits a kernel that is smooth there.
    shares : callable, optional
        As ``mass``, of a history narrower than any bin: see above. It has no ``log_sfr``.
    amplitude_kinds : tuple of str
        Amplitudes that make sense; those of ``own_amplitudes``, where there are any.
    rebinned : callable, optional
        ``BinEdges -> SFHFamily``: the family with other bins, where it has bins that are set.
    more_params : tuple of Param
        Those that only a family with more bins has.
    own_amplitudes : tuple of Param
        Amplitudes by other names than the usual ``<prefix>log_total_mass``.
    check : callable, optional
        Raises for parameters, under their short names, that contradict each other.

    Raises
    ------
    ConfigError
        An amplitude whose unit is none of ``AMPLITUDES``, two of one unit, or a default amplitude
        that the family does not have.
    """

    family: ClassVar[str] = "sfh"

    name: str
    prefix: str
    params: tuple[Param, ...]
    log_sfr: Kernel | None
    reference: str
    default_amplitude: Amplitude = "log_peak_sfr"
    kind: Literal["additive", "mixture", "modulator"] = "additive"
    mass: Mass | None = None
    fractional_times: Mapping[str, Param] = field(default_factory=dict)
    ages: Ages | None = None
    shares: Mass | None = None
    amplitude_kinds: tuple[Amplitude, ...] = tuple(AMPLITUDES)
    rebinned: Callable[[BinEdges], SFHFamily] | None = None
    more_params: tuple[Param, ...] = ()
    own_amplitudes: tuple[Param, ...] = ()
    check: Callable[[Mapping[str, Any]], None] | None = None

    def __post_init__(self) -> None:
        declared = self.own((*self.own_amplitudes, *self.params))
        own = tuple(p for p in declared if p.role == "amplitude")
        times = {name: replace(p, role="time") for name, p in self.fractional_times.items()}
        for name, value in {
            "params": tuple(p for p in declared if p.role != "amplitude"),
            "more_params": self.own(self.more_params),
            "own_amplitudes": own,
            "fractional_times": dict(zip(times, self.own(times.values()))),
        }.items():
            object.__setattr__(self, name, value)
        if own:
            self._check_amplitudes(own)
            object.__setattr__(self, "amplitude_kinds", tuple(map(amplitude_kind, own)))

    def _check_amplitudes(self, own: tuple[Param, ...]) -> None:
        kinds = [amplitude_kind(param) for param in own]
        if len(set(kinds)) < len(kinds):
            raise ConfigError(
                f"{' and '.join(p.name for p in own)} of {self.name!r} are amplitudes of one unit, "
                f"{own[0].unit}: declare one."
            )
        if self.default_amplitude not in kinds:
            raise ConfigError(
                f"{self.default_amplitude!r}, the default amplitude of {self.name!r}, is none of "
                f"its own, {' and '.join(p.name for p in own)}: declare "
                f"default_amplitude={kinds[0]!r}."
            )

    @property
    def amplitudes(self) -> dict[str, Param]:
        """The amplitude parameters by kind; none for mixtures and modulators."""
        if self.kind != "additive":
            return {}
        if self.own_amplitudes:
            return {amplitude_kind(param): param for param in self.own_amplitudes}
        known = amplitude_params(self.prefix)
        return {kind: known[kind] for kind in self.amplitude_kinds}

    @cached_property
    def short_names(self) -> dict[str, str]:
        """What formulae call each parameter, by full name.

        An amplitude goes by its kind, a fraction of the age of the Universe by the time in Gyr
        that it stands for.
        """
        own = {p.name: p.name.removeprefix(self.prefix) for p in (*self.params, *self.more_params)}
        times = {param.name: own[name] for name, param in self.fractional_times.items()}
        return {**own, **times, **{p.name: kind for kind, p in self.amplitudes.items()}}

    @property
    def all_params(self) -> tuple[Param, ...]:
        """Every parameter that may be used, fractional times and amplitudes included."""
        return (*self.amplitudes.values(), *self.params, *self.fractional_times.values())

    def masses(self, q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
        """Kernel mass in each bin, ``(ln_scale, m)``."""
        if self.mass is None:
            raise TypeError(f"SFH family {self.name!r} is a {self.kind}: it has no mass.")
        return self.mass(q, edges, t_univ)

    def shared(self, q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
        """Kernel mass in each bin of a grid as its light has it, ``(ln_scale, m)``."""
        if self.shares is None:
            return self.masses(q, edges, t_univ)
        return self.shares(q, edges, t_univ)

    def mean_ages(self, q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
        """Mean lookback time of what forms in each bin [Gyr]."""
        if self.ages is not None:
            return self.ages(q, edges, t_univ)
        return quadrature.ages(lambda t: self.log_kernel(t, q, t_univ), edges, t_univ)

    def log_kernel_on(
        self, t: Array, q: Mapping[str, Array], t_univ: Array, edges: np.ndarray
    ) -> Array:
        """ln(SFR / amplitude) at ``t``: of shares the mean rate in the bin of ``edges``."""
        if self.shares is None:
            return self.log_kernel(t, q, t_univ)
        scale, m = self.shares(q, edges, t_univ)
        rate = m / jnp.asarray(np.diff(edges), float)
        ln_rate = jnp.where(rate > 0.0, jnp.log(jnp.where(rate > 0.0, rate, 1.0)), LOG_ZERO)
        own = jnp.searchsorted(jnp.asarray(edges[1:-1], float), t, side="right")
        return scale + ln_rate[own]

    def log_kernel(self, t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
        """ln(SFR / amplitude) at lookback times ``t``."""
        if self.log_sfr is None:
            raise TypeError(f"SFH family {self.name!r} is a {self.kind}: it has no kernel.")
        return self.log_sfr(t, q, t_univ)


def amplitude_params(prefix: str) -> dict[Amplitude, Param]:
    """Return the two amplitudes that an additive family may have."""
    return {
        "log_peak_sfr": Param(
            f"{prefix}log_peak_sfr",
            1.0,
            Uniform(-1.0, 3.0),
            (-10.0, 6.0),
            AMPLITUDES["log_peak_sfr"],
            "log10 of the peak SFR of the kernel, before any truncation",
            role="amplitude",
            family=SFHFamily.family,
            symbol=r"$\log_{10} {\rm SFR}_{\rm peak}$",
        ),
        "log_total_mass": Param(
            f"{prefix}log_total_mass",
            10.0,
            Uniform(7.0, 12.5),
            (0.0, 15.0),
            AMPLITUDES["log_total_mass"],
            "log10 of the stellar mass formed since the Big Bang",
            role="amplitude",
            family=SFHFamily.family,
            symbol=r"$\log_{10} M_{\rm formed}$",
        ),
    }


def amplitude_kind(param: Param) -> Amplitude:
    """Return which amplitude a parameter is, by its unit."""
    for kind, unit in AMPLITUDES.items():
        if param.unit == unit:
            return kind
    raise ConfigError(
        f"{param.name} is an amplitude in {param.unit or 'no unit'!r}: that of a star-formation "
        f"history is in {' or '.join(AMPLITUDES.values())}."
    )


def as_fractions(
    params: tuple[Param, ...], **priors: tuple[float, float, float]
) -> dict[str, Param]:
    """Return the ``…_gyr`` params as ``…_frac``; ``priors``: short -> (default, lo, hi).

    A fraction is of the age of the Universe at the redshift of the galaxy.
    """
    times = {}
    for short, (default, low, high) in priors.items():
        gyr = next(p for p in params if p.name.endswith(f"_{short}_gyr"))
        times[gyr.name] = Param(
            gyr.name.removesuffix("_gyr") + "_frac",
            default,
            Uniform(low, high),
            (0.0 if gyr.bounds[0] == 0.0 else 1e-3, 20.0),
            "",
            gyr.description + ", as a fraction of the age of the Universe",
            role="time",
            symbol=gyr.symbol and rf"{gyr.symbol[:-1]} / t_{{\rm U}}$",
        )
    return times


def cosmic_bins(edges: Floats, t_univ: Array) -> tuple[Array, Array, Array]:
    """Return of each bin ln of the cosmic time at its start [Gyr], ln(end / start), and if empty.

    No bin starts before ``EARLIEST``. Where it is empty the logarithms are finite, and idle.
    """

    def starts(t: Array) -> tuple[Array, Array]:
        young, old = clipped(edges, t)
        begins = t - old
        start = jnp.maximum(begins, EARLIEST * t)
        return start, jnp.maximum(old - young - (start - begins), 0.0)

    if not isinstance(edges, np.ndarray):
        start, width = starts(t_univ)
        return jnp.log(start), jnp.log1p(width / start), width <= 0.0

    @jax.custom_jvp
    def logs(t: Array) -> tuple[Array, Array]:
        start, width = starts(t)
        return jnp.log(start), jnp.log1p(width * (1.0 / start))

    @logs.defjvp
    def logs_jvp(primals: tuple, tangents: tuple) -> tuple:
        """Say how they move with the age of the Universe: autodiff's way has a dozen steps."""
        (t,), (dt,) = primals, tangents
        start, width = starts(t)
        per_start = 1.0 / start
        growth = width * per_start
        moves = start > EARLIEST * t
        by_start = jnp.where(moves, per_start, 1.0 / t)
        young = jnp.asarray(edges[:-1])
        by_growth = jnp.where(moves, -growth, young * (1.0 / t)) * (per_start / (1.0 + growth))
        return logs(t), (by_start * dt, by_growth * dt)

    ln_start, ln_growth = logs(t_univ)
    return ln_start, ln_growth, starts(t_univ)[1] <= 0.0
