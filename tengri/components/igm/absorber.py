r"""A damped absorber: neutral hydrogen of one column density at the galaxy's own redshift.

.. math:: \tau(\lambda) = N_{HI} \left[ \sum_{n=2}^{40} \frac{\sqrt\pi e^2}{m_e c}
          \frac{f_n \lambda_n}{b} H(a_n, x) + \sigma_{pi}(\lambda) \right]

with the Voigt profile H of each line of the Lyman series and the photoionisation of hydrogen below
the limit. Lines are broadened by b = ``DOPPLER_KM_S``, which does not matter in damped ones. The
absorber covers the whole galaxy. Molecules, metals and dust of the absorber are left out, and so is
the asymmetry of the wings far from the line, 1.8 Δν/ν of their optical depth (Lee 2013, ApJ 772,
123).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.igm.lyman_series import LYMAN_SERIES
from tengri.constants import C_AA_PER_S, C_KM_S, LYMAN_ALPHA_AA
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

IGM_LOG_NHI_DLA = Param(
    "igm_log_nhi_dla", 20.3, Uniform(19.0, 23.0), (0.0, 25.0), "log10 cm-2",
    "column density of neutral hydrogen in an absorber at the galaxy's redshift", family="igm",
    symbol=r"$\log_{10} N_{\rm HI}$",
)  # fmt: skip

DOPPLER_KM_S = 30.0
#: √π e²/(m_e c) [cm²/s].
LINE_CONSTANT = 0.0149736
#: Decay rates [1/s] of the upper levels 2 to 6 (Morton 2003, ApJS 149, 205); above, that to the
#: ground state stands for all.
DECAYS = {2: 6.265e8, 3: 1.897e8, 4: 8.127e7, 5: 4.204e7, 6: 2.450e7}
#: Photoionisation at the limit [cm²], and the limit [Å].
SIGMA_LIMIT, LIMIT_AA = 6.304e-18, 911.7535
#: Column densities are counted from here, so that single precision holds them.
LOG_UNIT = 20.0


def oscillator_strength(n: np.ndarray) -> np.ndarray:
    """Return f of hydrogen from the ground state to level ``n`` (Menzel & Pekeris 1935)."""
    n = np.asarray(n, np.float64)
    ln = 5.0 * np.log(n) + (2 * n - 4) * np.log(n - 1) - (2 * n + 4) * np.log(n + 1)
    return 2.0**8 / 3.0 * np.exp(ln)


def line_cross_section(wave: np.ndarray) -> np.ndarray:
    """Return the cross-section [cm²] of the Lyman series at ``wave`` [Å], (n_wave,)."""
    from scipy.special import wofz  # here: most models have no absorber, and SciPy takes 20 MB

    total = np.zeros(wave.shape)
    for level, line in LYMAN_SERIES[:, :2]:
        f = float(oscillator_strength(level))
        decay = DECAYS.get(int(level), 6.670252e15 / 3.0 * f / line**2)
        width = line * DOPPLER_KM_S / C_KM_S
        a = decay * line**2 / (4.0 * np.pi * C_AA_PER_S * width)
        # in frequency, in which the line is symmetric
        x = (line / wave - 1.0) * line / width
        centre = LINE_CONSTANT * f * line * 1e-8 / (DOPPLER_KM_S * 1e5)
        total += centre * wofz(x + 1j * a).real
    return total


def photoionisation(wave: np.ndarray) -> np.ndarray:
    """Return the cross-section [cm²] of hydrogen below the Lyman limit (Stobbe 1930), (n_wave,)."""
    below = wave < LIMIT_AA
    e = np.sqrt(np.maximum(LIMIT_AA / np.where(below, wave, 0.5 * LIMIT_AA) - 1.0, 1e-12))
    shape = np.exp(4.0 - 4.0 * np.arctan(e) / e) / -np.expm1(-2.0 * np.pi / e)
    return np.where(below, SIGMA_LIMIT * (wave / LIMIT_AA) ** 4 * shape, 0.0)


@dataclass(frozen=True)
class Absorber(Versioned):
    """A damped absorber: see the top of the file."""

    family: ClassVar[str] = "igm"

    name: str = "damped_absorber"
    params: tuple[Param, ...] = (IGM_LOG_NHI_DLA,)
    reference: str = "Morton 2003, ApJS 149, 205"

    def nodes(self) -> np.ndarray:
        """Return rest wavelengths [Å] at which the two strongest lines must be known."""
        alpha = np.concatenate([[0.0], np.geomspace(3e-4, 0.3, 60)])
        beta = np.concatenate([[0.0], np.geomspace(3e-4, 0.02, 16)])
        sides = [line * (1.0 + sign * d) for line, d in ((LYMAN_ALPHA_AA, alpha), (1025.72, beta))
                 for sign in (-1.0, 1.0)]  # fmt: skip
        return np.unique(np.concatenate(sides))

    def transmission(self, wave_rest: np.ndarray, p: Mapping[str, Array]) -> Array:
        """Return the transmitted fraction (n_wave,).

        ``p`` holds ``igm_log_nhi_dla``; ``wave_rest`` [Å] is concrete.
        """
        wave = np.asarray(wave_rest, np.float64)
        per_unit = 10.0**LOG_UNIT * (line_cross_section(wave) + photoionisation(wave))
        column = 10.0 ** (p["igm_log_nhi_dla"] - LOG_UNIT)
        return jnp.exp(-column * jnp.asarray(per_unit, float))


ABSORBER = Absorber()
