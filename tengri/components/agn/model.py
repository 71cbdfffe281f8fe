"""Interface of AGN models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jax import Array

from tengri.components.line_list import LineList
from tengri.errors import ConfigError
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

Params = Mapping[str, Array]

#: Where the share of the nucleus is measured [Å].
FRACTION_AA = 5100.0
FRACTION = Param("agn_frac_5100", 0.5, Uniform(0.0, 0.95), (0.0, 0.9999), "",
                 "share of the nucleus in the light at 5100 Å that leaves the galaxy, in place of "
                 "agn_log_lbol", family="agn", symbol=r"$f_{\rm AGN,5100}$")  # fmt: skip
#: The usual name of log10 of the bolometric luminosity [Lsun].
LUMINOSITY = "agn_log_lbol"


@dataclass(frozen=True)
class AGNTemplates:
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
class AGNLines:
    """The emission lines of a nucleus, and the light beneath them.

    Attributes
    ----------
    line_list : LineList
        Names with the prefix ``agn_``.
    sigma_kms : tuple of float
        Default width of each line, the standard deviation of its profile [km/s].
    luminosities : callable
        ``p -> L / L_bol``, (n_line,), as seen.
    continuum : callable
        ``(wave_aa, p) -> L_nu / L_bol`` in 1/Hz without these lines, (n_wave,).
    """

    line_list: LineList
    sigma_kms: tuple[float, ...]
    luminosities: Callable[[Params], Array]
    continuum: Callable[[np.ndarray, Params], Array]


@dataclass(frozen=True)
class AGNModel(Versioned):
    """An active nucleus.

    Attributes
    ----------
    name : str
    params : tuple of Param
        One is an amplitude by its role: log10 of the bolometric luminosity in Lsun. A parameter
        called ``agn_log_lbol`` is so without saying it.
    spectrum : callable
        ``(wave_aa, p) -> L_nu / L_bol`` in 1/Hz, shape (n_wave,).
    reference : str
    nodes : callable, optional
        ``() -> wavelengths [Å]`` that a grid needs to hold the spectrum between its nodes.
    templates : AGNTemplates, optional
        The same spectrum as a sum.
    luminosity : callable, optional
        ``(p, x) -> log10 L_bol/Lsun`` of the nucleus of which log10 L_ν [Lsun/Hz] = x is seen at
        ``FRACTION_AA``; p needs no luminosity.
    lines : AGNLines, optional
        Its emission lines, where they are known one by one.
    amplitude : str
        Name of the luminosity, also where `FRACTION` stands in its place; read off the roles.

    Raises
    ------
    ConfigError
        No amplitude, or several.
    """

    family: ClassVar[str] = "agn"

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Params], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None
    templates: AGNTemplates | None = None
    luminosity: Callable[[Params, Array], Array] | None = None
    lines: AGNLines | None = None
    amplitude: str = ""

    def __post_init__(self) -> None:
        params = (replace(p, role="amplitude") if p.name == LUMINOSITY else p for p in self.params)
        object.__setattr__(self, "params", self.own(params))
        if not self.amplitude:
            found = [p.name for p in self.params if p.role == "amplitude"]
            if len(found) != 1:
                raise ConfigError(
                    f"The nucleus {self.name!r} has {' and '.join(found) or 'nothing'} for an "
                    "amplitude: declare one parameter, log10 of its luminosity in Lsun, with "
                    "Param(…, role='amplitude')."
                )
            object.__setattr__(self, "amplitude", found[0])

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
            raise ConfigError(f"{self.name!r} has no {FRACTION.name}: set {self.amplitude}.")
        others = (p for p in self.params if p.name != self.amplitude)
        return replace(self, params=(FRACTION, *others))
