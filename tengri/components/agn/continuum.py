r"""The disc and the corona: broken power laws from the near infrared to hard X-rays.

.. math::

    L_\nu \propto \nu^{\alpha} e^{h \min(\nu, \nu_{912})/E_0 - h\nu/E_c}, \quad
    \alpha = \begin{cases}
        0.593 & \lambda > 3880 Å \\ -0.40 & 1200 Å < \lambda < 3880 Å \\
        -1.40 & 912 Å < \lambda < 1200 Å \\ -1.70 & \lambda < 912 Å \end{cases}

(Temple, Hewett & Banerji 2021, MNRAS 508, 737; below 912 Å Lusso et al. 2015, MNRAS 449, 4204).
In the ultraviolet it lies between -0.349 of Temple et al. and -0.44 of Vanden Berk et al. (2001, AJ
122, 549), whose fit goes on to 5000 Å. This is a quasar without starlight: composites have 5 to
40 per cent of it between 5000 Å and 1 µm.
Where the disc ends depends on its temperature: E_c is ``CUT`` times kT at the inner edge, E_0 that
of 1e8 Msun at a tenth of the Eddington luminosity, whose slopes are those of the composites, with
(Shakura & Sunyaev 1973, A&A 24, 337)

.. math:: T_{in}^4 = \frac{3 G M \dot M}{8 \pi \sigma r_{in}^3}

with r_in the innermost stable orbit (Bardeen, Press & Teukolsky 1972, ApJ 178, 347). The corona is
L_ν ∝ ν^(1−Γ) e^(−E/300 keV), Γ = 1.92, fading below 0.1 keV where its seed photons are. Its
luminosity at 2 keV follows from that of the disc at 2500 Å (Just et al. 2007, ApJ 665, 1004):

.. math:: \alpha_{ox} = 0.3838 \log_{10} \frac{L_\nu(2\,keV)}{L_\nu(2500\,Å)}
          = -0.140 \log_{10} L_\nu(2500\,Å) + 2.705

Spectra are L_ν [1/Hz] for νL_ν of the power law = 1 at 2500 Å. Radii in GM/c², energies in eV.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn import mixing
from tengri.constants import (
    C_AA_PER_S,
    C_CM_S,
    EV_ERG,
    G_CGS,
    H_ERG_S,
    K_ERG_K,
    LSUN_ERG_S,
    M_PROTON_G,
    MSUN_G,
    SIGMA_SB,
    SIGMA_T_CM2,
)

Params = Mapping[str, Array]

REFERENCE = (
    "Temple et al. 2021, MNRAS 508, 737; Vanden Berk et al. 2001, AJ 122, 549; "
    "Lusso et al. 2015, MNRAS 449, 4204; Just et al. 2007, ApJ 665, 1004; "
    "Shakura & Sunyaev 1973, A&A 24, 337; Bardeen et al. 1972, ApJ 178, 347"
)

#: Wavelengths [Å] at which the slope α_ν changes, and the slopes blueward of each; then redward.
BREAKS_AA = (912.0, 1200.0, 3880.0)
SLOPES = (-1.70, -1.40, -0.40, 0.593)
PIVOT_AA = 2500.0
HC_EV_AA = H_ERG_S * C_AA_PER_S / EV_ERG
#: E_c over kT_in: between 912 Å and 0.2 keV the mean spectrum of Krawczyk et al. (2013).
CUT = 1.5
MEAN_CUT_EV = CUT * 15.256
CUT_NODES = mixing.log_nodes((2.0, 1000.0), 0.8)  # ln(E_c/eV)
PHOTON_INDEX, CUT_OFF_EV, SEED_EV = 1.92, 3e5, 100.0
XRAY_EV = 2000.0
ALPHA_OX_SLOPE, ALPHA_OX_ZERO = -0.140, 2.705
_LOG10_XRAY_NU = math.log10(XRAY_EV * PIVOT_AA / HC_EV_AA)  # of 2 keV over 2500 Å
_NEWTON_STEPS = 4


def power_law(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of the broken power law, 1 at 2500 Å; of ``wave_aa`` [Å]."""
    edges = np.array([0.0, *BREAKS_AA, np.inf])
    wave = np.asarray(wave_aa, np.float64)
    log_flux = np.zeros_like(wave)
    for lo, hi, slope in zip(edges[:-1], edges[1:], SLOPES):
        # d ln(νL_ν) = −(1 + α) d ln λ, gathered from the pivot to λ piece by piece
        upto, start = np.clip(wave, lo, hi), np.clip(PIVOT_AA, lo, hi)
        log_flux -= (1.0 + slope) * np.log(np.maximum(upto, 1e-30) / max(start, 1e-30))
    return np.exp(log_flux)


def discs(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of discs that end at the energies of ``CUT_NODES``, (n_cut, n_wave)."""
    energy = HC_EV_AA / np.asarray(wave_aa, np.float64)
    mean = np.minimum(energy, HC_EV_AA / BREAKS_AA[0]) / MEAN_CUT_EV
    return power_law(wave_aa) * np.exp(mean - energy / np.exp(CUT_NODES)[:, None])


def corona(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of the corona, 1 at 2 keV, (n_wave,)."""

    def shape(energy: np.ndarray) -> np.ndarray:
        return energy ** (2.0 - PHOTON_INDEX) * np.exp(-energy / CUT_OFF_EV - SEED_EV / energy)

    return shape(HC_EV_AA / np.asarray(wave_aa, np.float64)) / shape(np.array(XRAY_EV))


def disc_weights(p: Params) -> Array:
    """Return the weight of each of the discs, (n_cut,): they sum to 1."""
    return mixing.weights(jnp.log(cut_energy(p)), CUT_NODES)


def cut_energy(p: Params) -> Array:
    """Return E_c [eV]."""
    return CUT * K_ERG_K / EV_ERG * inner_temperature(p, isco(p["agn_a_spin"]))


def isco(spin: Array) -> Array:
    """Return the innermost stable circular orbit in gravitational radii (Bardeen+1972)."""
    a2 = spin**2
    z1 = 1.0 + jnp.cbrt(1.0 - a2) * (jnp.cbrt(1.0 + spin) + jnp.cbrt(1.0 - spin))
    z2 = jnp.sqrt(3.0 * a2 + z1**2)
    # (3 − z1)/a² is smooth through spin 0, where 3 − z1 itself would leave √0 to differentiate
    small = a2 < 0.05**2
    ratio = jnp.where(small, 8.0 / 9.0 + 56.0 / 243.0 * a2, (3.0 - z1) / jnp.where(small, 1.0, a2))
    return 3.0 + z2 - spin * jnp.sqrt(ratio * (3.0 + z1 + 2.0 * z2))


def inner_temperature(p: Params, r_in: Array) -> Array:
    """Return T_in [K] for Ṁ = L/(ηc²), in logarithms (cgs numbers overflow float32)."""
    efficiency = 1.0 - jnp.sqrt(1.0 - 2.0 / (3.0 * r_in))
    # L = λ 4πGMm_p c/σ_T gives T⁴ = 3 λ m_p c⁵ / (2 η σ_T σ G M r_in³)
    constant = math.log10(1.5 * M_PROTON_G * C_CM_S**5 / (SIGMA_T_CM2 * SIGMA_SB * G_CGS * MSUN_G))
    log10_t4 = constant + p["agn_log_ledd"] - p["agn_log_mbh"]
    return 10.0 ** (0.25 * (log10_t4 - jnp.log10(efficiency) - 3.0 * jnp.log10(r_in)))


def log10_corona(log10_disc: Array, p: Params) -> Array:
    """Return log10 νL_ν at 2 keV for log10 νL_ν of the disc at 2500 Å, both in Lsun."""
    per_hz = math.log10(LSUN_ERG_S * PIVOT_AA / C_AA_PER_S)  # erg/s/Hz of one Lsun there
    alpha = ALPHA_OX_SLOPE * (log10_disc + per_hz) + ALPHA_OX_ZERO + p["agn_delta_aox"]
    return log10_disc + (alpha + 1.0) * _LOG10_XRAY_NU


def log10_scale(log10_lbol: Array, disc_2500: Array, total: Array, xray: float, p: Params) -> Array:
    """Return log10 νL_ν [Lsun] of the power law at 2500 Å in a nucleus of L_bol.

    ``total`` is L_bol over that without the corona, ``xray`` that of the corona over its νL_ν at
    2 keV, and ``disc_2500`` the disc's νL_ν at 2500 Å over the power law's. The corona follows
    the disc less than linearly, so that the sum is solved for, by Newton's method.
    """
    log10_disc = jnp.log10(disc_2500)
    slope = 1.0 + (ALPHA_OX_SLOPE * _LOG10_XRAY_NU)  # d log10_corona / d log10_disc
    x = log10_lbol - jnp.log10(total)
    for _ in range(_NEWTON_STEPS):
        hard = xray * 10.0 ** (log10_corona(x + log10_disc, p) - x)
        excess = x + jnp.log10(total + hard) - log10_lbol
        x = x - excess / (1.0 + (slope - 1.0) * hard / (total + hard))
    return x
