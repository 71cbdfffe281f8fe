r"""How catalogues quote the flux density of a band: derived once, and kept in one place.

The code averages per photon, with T the response per photon:

.. math:: \langle f_\nu \rangle = \int f_\nu T\, d\lambda/\lambda \Big/ \int T\, d\lambda/\lambda

**Energy counting.** A bolometer with a response R per energy sums ∫ f_ν R dν = c ∫ f_ν R dλ/λ²:
the same average with T = R/λ (`per_photon`).

**Reference spectra.** Far-infrared catalogues quote the flux density at a nominal wavelength λ₀
that a source of an agreed spectral shape s(λ), with s(λ₀) = 1, would have for the signal that was
measured. The signal is S = ∫ f_ν T dλ/λ, and of that source it is f₀ ∫ s T dλ/λ, so that

.. math:: f_0 = \int f_\nu T\, d\lambda/\lambda \Big/ \int s\, T\, d\lambda/\lambda
              = K \langle f_\nu \rangle, \qquad
          K = \int T\, d\lambda/\lambda \Big/ \int s\, T\, d\lambda/\lambda .

K is one number per curve (`scale`). An AB magnitude is that of the flux density quoted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tengri.constants import AA_CM, C_AA_PER_S, H_ERG_S, K_ERG_K, UM_CM
from tengri.errors import ConfigError, unknown
from tengri.observation.segments import integral_dlnwave, refine

#: Half width over middle of the segments on which R/λ and s T are taken as straight: exact to 1e-7.
SMOOTH = 5e-4
#: How far a curve's pivot may be from the nominal wavelength of its band.
NEAR = 0.2
UM = UM_CM / AA_CM


class Convention(NamedTuple):
    """A reference spectrum and the nominal wavelengths [Å] of an instrument's bands."""

    spectrum: Callable[[np.ndarray], np.ndarray]
    nominal: tuple[float, ...]
    source: str

    def wavelength(self, pivot: float) -> float:
        """Return the nominal wavelength nearest to ``pivot`` [Å]; NaN if none is near."""
        nearest = min(self.nominal, key=lambda wave: abs(np.log(wave / pivot)))
        return nearest if abs(np.log(nearest / pivot)) < NEAR else np.nan


def constant_nu_fnu(wave: np.ndarray) -> np.ndarray:
    """Return f_ν ∝ 1/ν ∝ λ."""
    return wave


def blackbody_10000(wave: np.ndarray) -> np.ndarray:
    """Return f_ν ∝ B_ν(10⁴ K) at ``wave`` [Å]."""
    x = H_ERG_S * C_AA_PER_S / (K_ERG_K * 1e4) / wave
    return wave**-3.0 / np.expm1(x)


CONVENTIONS: dict[str, Convention] = {
    "pacs": Convention(
        constant_nu_fnu,
        (70.0 * UM, 100.0 * UM, 160.0 * UM),
        "Poglitsch et al. 2010, A&A 518, L2, Table 3",
    ),
    "spire": Convention(
        constant_nu_fnu,
        (250.0 * UM, 350.0 * UM, 500.0 * UM),
        "Griffin et al. 2013, MNRAS 434, 992; SPIRE Handbook (HERSCHEL-HSC-DOC-0798)",
    ),
    "mips": Convention(
        blackbody_10000,
        (23.675 * UM, 71.42 * UM, 155.9 * UM),
        "MIPS Instrument Handbook 3.0, 4.3.5; Gordon et al. 2007, PASP 119, 1019",
    ),
}


def check(reference: str) -> str:
    """Return ``reference`` if it is "" (the plain average) or a known convention, else raise."""
    if reference and reference not in CONVENTIONS:
        raise unknown("reference spectrum", str(reference), CONVENTIONS)
    return reference


def scale(reference: str, pivot: float, wave: np.ndarray, trans: np.ndarray, name: str) -> float:
    """Return K, the flux density quoted over the average per photon.

    Raises
    ------
    ConfigError
        The convention has no band near the curve's pivot.
    """
    if not reference:
        return 1.0
    convention = CONVENTIONS[reference]
    nominal = convention.wavelength(pivot)
    if np.isnan(nominal):
        raise ConfigError(
            f"Filter curve {name!r}: reference={reference!r} is for "
            f"{', '.join(f'{w / UM:g}' for w in convention.nominal)} µm; the pivot is "
            f"{pivot / UM:.4g} µm."
        )
    fine, t = refine(wave, trans, SMOOTH)
    shape = convention.spectrum(fine) / convention.spectrum(np.array(nominal))
    return integral_dlnwave(fine, t) / integral_dlnwave(fine, shape * t)


def per_photon(wave: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots and T = R/λ of a response R per energy, of about the same height."""
    fine, r = refine(wave, response, SMOOTH)
    middle = np.sqrt(wave[0] * wave[-1])
    return fine, r * (middle / fine)
