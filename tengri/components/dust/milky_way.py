r"""Extinction of the Milky Way in front of each object: a screen at observed wavelengths.

.. math:: T(\lambda_{obs}) = 10^{-0.4\, E(B-V)\, c\, k(\lambda_{obs})}, \quad k = A(\lambda)/E(B-V)

with a law of extinction k and c that says which E(B−V) is meant. With
``mw_sfd_recalibration="sf11"`` it is that of the map of Schlegel, Finkbeiner & Davis (1998), as
most catalogues give it, on the scale of Schlafly & Finkbeiner (2011, ApJ 737, 103), who find
A(1 µm) = 0.78 · 1.319 E(B−V)_SFD for every R_V: with the law of Fitzpatrick (1999) and R_V = 3.1
their table 6, 0.88 of what the law gives without. With ``"none"`` E(B−V) is that of the law itself,
c = 1: a reddening of stars, or a map that has been recalibrated already.

The law is tabulated at steps of ``STEP`` in ln λ and linear between: A(λ)/E(B−V) is within 3e-6 of
it redward of 3000 Å and 3e-4, at the joints of the law, blueward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.attenuation.extinction import ccm89
from tengri.components.dust.attenuation.fitzpatrick import reddening_curve
from tengri.constants import LN_PER_MAG, SOFTEST_XRAY_AA
from tengri.errors import ConfigError, unknown
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

MW_EBV = Param("mw_ebv", 0.0, Uniform(0.0, 0.3), (0.0, 20.0), "mag",
               "E(B-V) of the Milky Way towards the object", family="milky_way",
               symbol=r"$E(B-V)_{\rm MW}$")  # fmt: skip

#: The range of R_V in which the laws were measured.
R_V_RANGE = (2.0, 6.0)
R_V = 3.1
#: Schlafly & Finkbeiner (2011), appendix: A(1 µm)/E(B−V) of the map, and what they find of it.
SFD_AT_1_UM, SF11 = 1.319, 0.78
RECALIBRATIONS = ("sf11", "none")

#: Table of k: observed wavelengths [Å] between which it changes, and its step in ln λ.
ENDS_AA, STEP = (912.0, 1e7), 5e-4


def _ccm89(um: np.ndarray, r_v: float) -> np.ndarray:
    a, b = ccm89(um)
    return np.asarray(a * r_v + b)


#: A(λ)/E(B−V) of ``um`` [µm] and R_V, and where it was published, by the name of the law.
MW_LAWS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], str]] = {
    "fitzpatrick99": (reddening_curve, "Fitzpatrick 1999, PASP 111, 63"),
    "cardelli": (_ccm89, "Cardelli, Clayton & Mathis 1989, ApJ 345, 245"),
}


@dataclass(frozen=True)
class MilkyWay(Versioned):
    """The dust of the Milky Way in front of an object.

    Attributes
    ----------
    law : str
        Name in ``MW_LAWS``.
    r_v : float
        A_V/E(B−V) of the law.
    recalibration : str
        Which E(B−V) is meant, one of ``RECALIBRATIONS``.

    Raises
    ------
    UnknownNameError
        A law or a recalibration that does not exist.
    ConfigError
        R_V outside ``R_V_RANGE``.
    """

    family: ClassVar[str] = "milky_way"

    law: str = "fitzpatrick99"
    r_v: float = R_V
    recalibration: str = "sf11"

    def __post_init__(self) -> None:
        if self.law not in MW_LAWS:
            raise unknown("mw_law", str(self.law), MW_LAWS)
        if self.recalibration not in RECALIBRATIONS:
            raise unknown("mw_sfd_recalibration", str(self.recalibration), RECALIBRATIONS)
        lo, hi = R_V_RANGE
        number = isinstance(self.r_v, int | float) and not isinstance(self.r_v, bool)
        if not (number and lo <= self.r_v <= hi):
            raise ConfigError(f"mw_rv must be a number from {lo:g} to {hi:g}, got {self.r_v!r}.")

    @property
    def name(self) -> str:
        """Name of the law."""
        return self.law

    @property
    def params(self) -> tuple[Param, ...]:
        """E(B−V), which acts where it is mentioned."""
        return (MW_EBV,)

    @property
    def reference(self) -> str:
        """Where the law was published, and the scale of E(B−V)."""
        scale = "; Schlafly & Finkbeiner 2011, ApJ 737, 103"
        return MW_LAWS[self.law][1] + (scale if self.recalibration == "sf11" else "")

    def extinction(self, wave_obs: np.ndarray) -> np.ndarray:
        """Return A(λ)/``mw_ebv`` [mag per mag] at observed wavelengths [Å], from the law itself."""
        curve = MW_LAWS[self.law][0]
        k = np.asarray(curve(np.asarray(wave_obs, dtype=np.float64) * 1e-4, self.r_v))
        if self.recalibration == "none":
            return k
        return k * (SF11 * SFD_AT_1_UM / float(curve(np.ones(1), self.r_v)[0]))

    def transmission(self, wave_rest: Any, p: Mapping[str, Array]) -> Array:
        """Return the transmitted fraction.

        Parameters
        ----------
        wave_rest : array, shape (n_wave,)
            Rest wavelengths [Å] of a source at redshift p["redshift"].
        p : mapping
            Holds ``mw_ebv`` and ``redshift``.

        Returns
        -------
        Array, shape (n_wave,)
            Between 0 and 1; exactly 1 without reddening.
        """
        depth, rise = _table(self)
        xp = np if isinstance(wave_rest, np.ndarray) else jnp
        at_rest = jnp.asarray((xp.log(wave_rest) - np.log(ENDS_AA[0])) / STEP, float)
        x = jnp.clip(at_rest + jnp.log1p(p["redshift"]) / STEP, 0.0, len(depth) - 1.001)
        below = x.astype(jnp.int32)
        tau = _at(depth, below) + (x - below.astype(x.dtype)) * _at(rise, below)
        if xp is np and wave_rest.min() < SOFTEST_XRAY_AA:
            # grains stop no X-rays
            tau = jnp.where(wave_rest * (1.0 + p["redshift"]) < SOFTEST_XRAY_AA, 0.0, tau)
        return jnp.exp(-p["mw_ebv"] * tau)


def _at(table: np.ndarray, index: Array) -> Array:
    """Return table[index] for indices that are known to be inside."""
    values = jnp.asarray(table, float)
    return values.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


@cache
def _table(galaxy: MilkyWay) -> tuple[np.ndarray, np.ndarray]:
    """Return optical depths per ``mw_ebv`` at the nodes, (n,), and their rise to the next one."""
    lo, hi = np.log(ENDS_AA)
    wave = np.exp(lo + STEP * np.arange(int((hi - lo) / STEP) + 2))
    depth = LN_PER_MAG * galaxy.extinction(wave)
    return depth, np.append(np.diff(depth), 0.0)
