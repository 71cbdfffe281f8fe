r"""Dust around the nucleus: hot dust, the torus with its silicates, and dust at the poles.

* Hot dust: a black body, at 1240 K in quasars (Temple et al. 2021, MNRAS 508, 737).
* Warm dust: black bodies of a log-normal range of temperatures around ``agn_T_warm``, multiplied
  by 1 + s Ψ(λ) for the bands of silicate at 9.7 and 18 µm (widths and ratio of Kemper, Vriend &
  Tielens 2004, ApJ 609, 826). From the pole they are seen in emission, as of clouds of optical
  depth τ whose continuum is ``CONTINUUM`` times as opaque; through the torus half of the dust is
  seen behind clouds:

  .. math:: s_1 = \frac{1 - e^{-\tau}}{1 - e^{-c\tau}} - 1, \quad s_2 = -\tfrac12 (1 - e^{-\tau})

  With τ = 5 these are +0.24 and -0.69 in the logarithm: Hao et al. (2007, ApJ 655, L77) find
  +0.2 in quasars and -0.6 in Seyfert 2 galaxies.
* Polar dust: that of the Small Magellanic Cloud, which reddens disc and broad lines and emits
  what it takes as a grey body of 100 K and β = 1.6 (Yang et al. 2020, MNRAS 491, 740).

Spectra are νL_ν of unit power.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn import mixing
from tengri.components.dust.attenuation.extinction import SMC_TERMS, pei92
from tengri.components.dust.attenuation.law import fixed
from tengri.constants import AA_CM, C_CM_S, H_ERG_S, K_ERG_K, LN_PER_MAG
from tengri.numerics.linalg import matmul
from tengri.priors import Uniform
from tengri.registry import Param

Params = Mapping[str, Array]

REFERENCE = "Yang et al. 2020, MNRAS 491, 740; Pei 1992, ApJ 395, 130"

HOT_K, WARM_K = (500.0, 2500.0), (50.0, 1000.0)
HOT_NODES = mixing.log_nodes(HOT_K, 0.1)  # ln(T / K)
WARM_NODES = mixing.log_nodes(WARM_K, 0.4)
WARM_SPREAD, SUBLIMATION_K = 0.75, 1800.0  # of ln T; no grain is hotter
#: Centre [µm], σ of ln λ and height of the silicate bands.
SILICATE = ((9.8, 0.11, 1.0), (18.0, 0.16, 0.4))
CONTINUUM = 0.3
POLAR_K, POLAR_BETA = 100.0, 1.6
SMC_R_V = 2.93  # Pei 1992
TAU_PER_EBV = SMC_R_V * LN_PER_MAG  # V-band optical depth
_SMC_CURVE = fixed(pei92(SMC_TERMS))
HC_K_AA = H_ERG_S * C_CM_S / K_ERG_K / AA_CM
#: Wavelengths [Å] of the integrals over all the spectrum.
FULL_AA = np.geomspace(1e3, 1e9, 6001)


@dataclass(frozen=True, eq=False)
class Torus:
    """Dust that the nucleus heats, as a sum of fixed spectra.

    Attributes
    ----------
    params : tuple of Param
        What the shape of the light depends on.
    templates : callable
        ``wave_aa -> νL_ν``, (n_template, n_wave), from what many bands see to what few do.
    weights : callable
        ``(p, hidden) -> (n_template,)``: a sum of unit power; ``hidden`` is 0 for type 1, 1 for
        type 2.
    reference : str
    nodes : callable, optional
        ``() -> wavelengths [Å]`` that hold the templates, where they have features of their own.
    """

    params: tuple[Param, ...]
    templates: Callable[[np.ndarray], np.ndarray]
    weights: Callable[[Params, Array], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None


def black_bodies(wave_aa: np.ndarray, kelvin: np.ndarray, beta: float = 0.0) -> np.ndarray:
    """Return νL_ν of grey bodies of opacity ν^β and unit power, (n_kelvin, n_wave)."""
    return _grey(wave_aa, kelvin, beta) / power(_grey(FULL_AA, kelvin, beta))[:, None]


def _grey(wave_aa: np.ndarray, kelvin: np.ndarray, beta: float) -> np.ndarray:
    x = HC_K_AA / (np.asarray(wave_aa, np.float64) * np.asarray(kelvin)[:, None])
    return np.exp((4.0 + beta) * np.log(x) - x) / -np.expm1(-x)


def power(nu_lnu: np.ndarray) -> np.ndarray:
    """Integrate νL_ν on ``FULL_AA`` over frequency."""
    return np.trapezoid(nu_lnu, np.log(FULL_AA))


def hot(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of hot dust at the temperatures of ``HOT_NODES``, (n_hot, n_wave)."""
    return black_bodies(wave_aa, np.exp(HOT_NODES))


def warm(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of warm dust around the temperatures of ``WARM_NODES``, (n_warm, n_wave)."""
    x = np.linspace(-2.5, 2.5, 41)[:, None]
    kelvin = np.exp(WARM_NODES + WARM_SPREAD * x)
    weight = np.exp(-0.5 * x**2) * (kelvin < SUBLIMATION_K)
    total = np.zeros((len(WARM_NODES), len(wave_aa)))
    for w, t in zip(weight / weight.sum(axis=0), kelvin):
        total += w[:, None] * black_bodies(wave_aa, t)
    return total


def silicate(wave_aa: np.ndarray) -> np.ndarray:
    """Return the profile Ψ of the silicate bands, 1 at 9.8 µm, (n_wave,)."""
    ln_um = np.log(np.asarray(wave_aa, np.float64) * 1e-4)
    bands = (h * np.exp(-0.5 * ((ln_um - np.log(c)) / s) ** 2) for c, s, h in SILICATE)
    return np.sum(list(bands), axis=0)


@cache
def silicate_power() -> np.ndarray:
    """Return the power of each warm dust within the profile Ψ, (n_warm,)."""
    return power(warm(FULL_AA) * silicate(FULL_AA))


def silicate_strength(tau: Array, hidden: Array) -> Array:
    """Return s for clouds of optical depth ``tau``; ``hidden`` is 0 for type 1 and 1 for type 2."""
    emission = jnp.expm1(-tau) / jnp.expm1(-CONTINUUM * tau) - 1.0
    return (1.0 - hidden) * emission + 0.5 * hidden * jnp.expm1(-tau)


def polar(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of the emission of polar dust, (n_wave,)."""
    return black_bodies(wave_aa, np.array([POLAR_K]), POLAR_BETA)[0]


def polar_curve(wave_aa: np.ndarray) -> np.ndarray:
    """Return the optical depth of polar dust per E(B-V), (n_wave,).

    Pei's fit reaches 100 Å: the light of the disc beyond the Lyman limit is not held behind the
    curve's value there, as that of stars is.
    """
    return TAU_PER_EBV * np.asarray(_SMC_CURVE(np.asarray(wave_aa), {}), np.float64)


def bodies(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of hot and warm dust and of the silicate bands, hot to cold, (n, n_wave)."""
    cooler = warm(wave_aa)[::-1]
    return np.concatenate([hot(wave_aa)[::-1], cooler, cooler * silicate(wave_aa)])


def body_weights(p: Params, hidden: Array) -> Array:
    """Return the weights of `bodies`; hot dust hides in type 2."""
    share = p["agn_frac_hot"] * (1.0 - hidden)
    hot_dust = share * mixing.weights(jnp.log(p["agn_T_hot"]), HOT_NODES)
    warm_dust = mixing.weights(jnp.log(p["agn_T_warm"]), WARM_NODES)
    strength = silicate_strength(p["agn_tau_torus"], hidden)
    bands = matmul(warm_dust, jnp.asarray(silicate_power(), float))
    warm_dust = (1.0 - share) * warm_dust / (1.0 + strength * bands)
    return jnp.concatenate([hot_dust[::-1], warm_dust[::-1], strength * warm_dust[::-1]])


BLACK_BODIES = Torus(
    (
        Param("agn_T_hot", 1240.0, Uniform(800.0, 1800.0), HOT_K, "K", "hot torus dust",
              symbol=r"$T_{\rm hot}$"),
        Param("agn_T_warm", 300.0, Uniform(100.0, 500.0), WARM_K, "K", "warm torus dust",
              symbol=r"$T_{\rm warm}$"),
        Param("agn_frac_hot", 0.45, Uniform(0.0, 1.0), (0.0, 1.0), "",
              "share of the torus luminosity in hot dust, in type 1", symbol=r"$f_{\rm hot}$"),
        Param("agn_tau_torus", 5.0, Uniform(0.5, 10.0), (0.01, 100.0), "",
              "optical depth of torus clouds at 9.7 µm: the silicate bands",
              symbol=r"$\tau_{9.7}$"),
    ),
    bodies,
    body_weights,
    "Kemper et al. 2004, ApJ 609, 826; Hao et al. 2007, ApJ 655, L77",
)  # fmt: skip
