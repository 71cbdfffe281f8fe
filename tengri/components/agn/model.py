"""What an active nucleus is to the forward model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jax import Array

from tengri.errors import ConfigError
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

Params = Mapping[str, Array]

#: Where the share of the nucleus is measured [Å].
FRACTION_AA = 5100.0
FRACTION = Param("agn_frac_5100", 0.5, Uniform(0.0, 0.95), (0.0, 0.9999), "",
                 "share of the nucleus in the light at 5100 Å that leaves the galaxy, in place of "
                 "agn_log_lbol")  # fmt: skip


@dataclass(frozen=True)
class Templates:
    """A spectrum as a sum of fixed ones, some of them behind dust.

    L_ν/L_bol = fixed @ open + e^{−τ k} (reddened @ screened), all linear but for τ.

    Attributes
    ----------
    open, screened : callable
        ``wave_aa -> (n_template, n_wave)``, L_ν in 1/Hz.
    curve : callable
        ``wave_aa -> k``, (n_wave,): the optical depth per unit of τ.
    weights : callable
        ``p -> (weights of open, weights of screened, τ)``.
    """

    open: Callable[[np.ndarray], np.ndarray]
    screened: Callable[[np.ndarray], np.ndarray]
    curve: Callable[[np.ndarray], np.ndarray]
    weights: Callable[[Params], tuple[Array, Array, Array]]


@dataclass(frozen=True)
class AGNModel(Versioned):
    """An active nucleus.

    Attributes
    ----------
    name : str
    params : tuple of Param
        Holds ``agn_log_lbol``, log10 of the bolometric luminosity in Lsun.
    spectrum : callable
        ``(wave_aa, p) -> L_nu / L_bol`` in 1/Hz, shape (n_wave,).
    reference : str
    nodes : callable, optional
        ``() -> wavelengths [Å]`` that a grid needs to hold the spectrum between its nodes.
    templates : Templates, optional
        The same spectrum as a sum.
    luminosity : callable, optional
        ``(p, x) -> log10 L_bol/Lsun`` of the nucleus of which log10 L_ν [Lsun/Hz] = x is seen at
        ``FRACTION_AA``; p needs no ``agn_log_lbol``.
    """

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Params], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None
    templates: Templates | None = None
    luminosity: Callable[[Params, Array], Array] | None = None

    @property
    def all_params(self) -> tuple[Param, ...]:
        """Every parameter that may be used: both amplitudes included."""
        return (
            self.params if self.luminosity is None else (self.params[0], FRACTION, *self.params[1:])
        )

    @property
    def by_fraction(self) -> bool:
        """Whether `FRACTION` is its amplitude."""
        return FRACTION in self.params

    def with_fraction(self) -> AGNModel:
        """Return the same nucleus with `FRACTION` in place of its luminosity.

        Raises
        ------
        ConfigError
            The model cannot tell its luminosity from that at one wavelength.
        """
        if self.luminosity is None:
            raise ConfigError(f"{self.name!r} has no {FRACTION.name}: set agn_log_lbol.")
        others = (p for p in self.params if p.name != "agn_log_lbol")
        return replace(self, params=(FRACTION, *others))
