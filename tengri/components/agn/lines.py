r"""Emission lines of a nucleus: broad and narrow, Fe II and the Balmer continuum.

Equivalent widths are in Å of the power law of the disc, and stand for those of composites:

* lines of the ultraviolet and Hβ, [O II], [Ne III], [O III]: Vanden Berk et al. (2001, AJ 122, 549,
  table 2), with their widths. Lyα and N V, which absorption cuts there, and the wing of C IV:
  Temple, Hewett & Banerji (2021, MNRAS 508, 737), as are Paschen lines and He I 10833;
* redward of 5000 Å, where starlight is part of the composite: by flux over that of Hβ in it;
* Fe II (and Fe III): blends at the multiplets of Véron-Cetty, Joly & Véron (2004, A&A 417, 515),
  Vestergaard & Wilkes (2001, ApJS 134, 1) and Kovačević, Popović & Dimitrijević (2010, ApJS 189,
  15); the optical ones as strong as in Vanden Berk's composite, the ultraviolet ones as in
  Temple's, both less the lines above and the Balmer continuum;
* the Balmer continuum of Grandi (1982, ApJ 255, 25),
  :math:`B_\nu(T) [1 - e^{-(\lambda/\lambda_{BE})^3}]` at 15 000 K, broadened by 5000 km/s, a tenth
  of the power law at 3000 Å, with the high Balmer lines that run into it.

Profiles are Gaussians of ln λ. Spectra are L_ν [1/Hz] for νL_ν of the power law = 1 at 2500 Å.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tengri.components.agn import mixing
from tengri.components.agn.continuum import power_law
from tengri.components.line_list import LineList
from tengri.constants import AA_CM, C_CM_S, C_KM_S, FWHM_PER_SIGMA, H_ERG_S, K_ERG_K

REFERENCE = (
    "Grandi 1982, ApJ 255, 25; Vestergaard & Wilkes 2001, ApJS 134, 1; "
    "Véron-Cetty et al. 2004, A&A 417, 515; Kovačević et al. 2010, ApJS 189, 15"
)

#: Full widths at half maximum [km/s] to which those of the table refer.
BROAD_KM_S, NARROW_KM_S = 5000.0, 700.0
FWHM_BROAD, FWHM_NARROW = (1000.0, 15000.0), (100.0, 1500.0)
BROAD_NODES = mixing.log_nodes(FWHM_BROAD, 0.5)  # ln(FWHM / km/s)
NARROW_NODES = mixing.log_nodes(FWHM_NARROW, 0.5)
BALMER_EDGE_AA, BALMER_K, BALMER_KM_S = 3646.0, 15000.0, 5000.0
BALMER_SHARE, BALMER_AT_AA = 0.1, 3000.0
HC_K_AA = H_ERG_S * C_CM_S / K_ERG_K / AA_CM  # second radiation constant [Å K]


class Line(NamedTuple):
    """An emission line.

    Attributes
    ----------
    name : str
    wave_aa : float
        Vacuum wavelength [Å], of blends the mean.
    ew_aa : float
        Default equivalent width [Å].
    kind : str
        ``high``, broad and subject to the Baldwin effect; ``low``, broad; ``narrow``; ``iron``.
    fwhm_km_s : float
        Default width; it scales with the width of its kind.
    """

    name: str
    wave_aa: float
    ew_aa: float
    kind: str
    fwhm_km_s: float


def _lines(kind: str, *rows: tuple[str, float, float, float]) -> tuple[Line, ...]:
    return tuple(Line(name, wave, ew, kind, fwhm) for name, wave, ew, fwhm in rows)


def _iron(*rows: tuple[float, float, float]) -> tuple[Line, ...]:
    return tuple(Line(f"Fe II {wave:.0f}", wave, ew, "iron", fwhm) for wave, ew, fwhm in rows)


LINES: tuple[Line, ...] = (
    *_lines("high",
            ("Lyβ + O VI 1034", 1033.8, 9.8, 5300.0), ("Lyα 1216", 1215.67, 65.0, 6500.0),
            ("N V 1240", 1240.1, 13.0, 7000.0), ("O I + Si II 1305", 1305.4, 1.7, 2900.0),
            ("Si IV + O IV] 1400", 1398.3, 8.1, 7200.0), ("C IV 1549", 1549.1, 23.8, 6500.0),
            ("C IV, wing", 1575.0, 12.0, 12000.0), ("He II 1640", 1640.4, 9.6, 7000.0),
            ("O III] 1664", 1664.0, 3.5, 6000.0), ("C III] 1909", 1908.7, 21.2, 8700.0)),
    *_lines("low",
            ("Mg II 2799", 2799.1, 32.3, 4500.0), ("Hδ 4103", 4102.9, 5.1, 3200.0),
            ("Hγ 4342", 4341.7, 12.6, 3300.0), ("Hβ 4863", 4862.7, 46.2, 5900.0),
            ("He I 5877", 5877.2, 7.0, 2800.0), ("Hα 6565", 6564.6, 358.0, 5100.0),
            ("O I 8449", 8448.7, 15.0, 4000.0), ("Pε 9549", 9548.6, 22.0, 5000.0),
            ("Pδ 10052", 10052.1, 35.0, 5000.0), ("He I 10833", 10833.2, 145.0, 5000.0),
            ("Pγ 10941", 10941.1, 73.0, 5000.0), ("Pβ 12822", 12821.6, 125.0, 5000.0),
            ("Pα 18756", 18756.1, 550.0, 5000.0)),
    *_lines("narrow",
            ("[Ne V] 3347", 3346.8, 0.35, 700.0), ("[Ne V] 3427", 3426.8, 1.2, 700.0),
            ("[O II] 3729", 3728.5, 1.6, 700.0), ("[Ne III] 3870", 3869.9, 1.4, 700.0),
            ("[O III] 4364", 4364.4, 0.46, 700.0), ("[O III] 4960", 4960.3, 3.5, 700.0),
            ("[O III] 5008", 5008.2, 13.2, 700.0), ("[N II] 6550", 6549.9, 1.5, 700.0),
            ("[N II] 6585", 6585.3, 4.5, 700.0), ("[S II] 6718", 6718.3, 3.4, 700.0),
            ("[S II] 6733", 6732.7, 3.2, 700.0)),
    *_iron((1720.0, 8.0, 8e3), (1786.0, 9.0, 8e3), (1860.0, 15.0, 8e3), (1970.0, 8.5, 9e3),
           (2076.0, 12.0, 9e3), (2160.0, 5.5, 9e3), (2330.0, 14.0, 9e3), (2400.0, 15.0, 9e3),
           (2490.0, 22.5, 1e4), (2580.0, 19.0, 1e4), (2670.0, 11.5, 9e3), (2750.0, 20.5, 8e3),
           (2840.0, 21.5, 8e3), (2950.0, 26.0, 1e4), (3080.0, 9.5, 9e3), (3190.0, 21.0, 9e3),
           (3290.0, 13.5, 9e3), (3400.0, 9.5, 9e3), (3500.0, 7.5, 9e3), (4300.0, 4.0, 6e3),
           (4430.0, 3.0, 6e3), (4515.0, 6.0, 6e3), (4570.0, 8.0, 6e3), (4640.0, 5.0, 6e3),
           (4925.0, 5.0, 4e3), (5018.0, 6.0, 4e3), (5170.0, 6.0, 5e3), (5265.0, 9.0, 6e3),
           (5330.0, 5.0, 6e3)),
)  # fmt: skip
#: Those that are lines of their own: Fe II is hundreds of lines, part of the light beneath.
SINGLE: tuple[Line, ...] = tuple(line for line in LINES if line.kind != "iron")
#: How names of the table are written in those of a list.
SPELLING = (("Pα", "Paa"), ("Pβ", "Pab"), ("Pγ", "Pag"), ("Pδ", "Pad"), ("Pε", "Pa8"), ("α", "a"),
            ("β", "b"), ("γ", "g"), ("δ", "d"), (", ", "_"), (" ", ""))  # fmt: skip
#: Wavelength [Å], equivalent width [Å] of what the high lines of the Balmer series blend into.
HIGH_BALMER = ((3700.0, 10.0, 8e3), (3790.0, 6.5, 8e3), (3889.0, 4.5, 6e3), (3970.0, 2.5, 5e3))


def line_list() -> LineList:
    """Return the names of `SINGLE`, e.g. ``agn_Ha_6565``, ``agn_Lyb+OVI_1034``."""
    names = []
    for line in SINGLE:
        species = line.name.rstrip(" 0123456789")
        for written, plain in SPELLING:
            species = species.replace(written, plain)
        names.append(f"agn_{species}_{line.wave_aa:.0f}")
    return LineList(tuple(names), tuple(line.wave_aa for line in SINGLE))


def blended(wave_aa: np.ndarray, kind: str, reference_km_s: float, at: np.ndarray) -> np.ndarray:
    """Return νL_ν of all lines of a kind, as wide as the nodes ``at`` say, (n_node, n_wave)."""
    chosen = [line for line in LINES if line.kind == kind]
    return np.stack([_sum(wave_aa, ((w, ew, fwhm * math.exp(x) / reference_km_s)
                                    for _, w, ew, _, fwhm in chosen)) for x in at])  # fmt: skip


def luminosity(line: Line) -> float:
    """Return the power of a line over νL_ν of the power law at 2500 Å."""
    return float(line.ew_aa / line.wave_aa * power_law(np.array(line.wave_aa)))


def _sum(wave_aa: np.ndarray, rows: Iterable[tuple[float, float, float]]) -> np.ndarray:
    """Return νL_ν of Gaussians of ln λ of given wavelength, equivalent width and FWHM [km/s]."""
    ln_wave, total = np.log(np.asarray(wave_aa, np.float64)), np.zeros(len(wave_aa))
    for wave, ew, fwhm in rows:
        sigma = fwhm / C_KM_S / FWHM_PER_SIGMA
        profile = np.exp(-0.5 * ((ln_wave - math.log(wave)) / sigma) ** 2)
        height = ew / wave * float(power_law(np.array(wave))) / (sigma * math.sqrt(2.0 * math.pi))
        total += height * profile
    return total


def balmer(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of the Balmer continuum and the lines next to it, (n_wave,)."""
    wave = np.asarray(wave_aa, np.float64)
    sigma = BALMER_KM_S / C_KM_S / FWHM_PER_SIGMA
    # a mean over the velocities, with the nodes of Gauss and Hermite
    x, weight = np.polynomial.hermite_e.hermegauss(31)
    spread = _recombination(wave[:, None] * np.exp(sigma * x)) @ weight / weight.sum()
    at = np.array([BALMER_AT_AA])
    scale = BALMER_SHARE * power_law(at)[0] / _recombination(at)[0]
    return scale * spread + _sum(wave, HIGH_BALMER)


def _recombination(wave: np.ndarray) -> np.ndarray:
    """Return νL_ν of the Balmer continuum, any scale (Grandi 1982)."""
    x = HC_K_AA / (wave * BALMER_K)
    thick = -np.expm1(-((wave / BALMER_EDGE_AA) ** 3))
    planck = x**4 * np.exp(-x) / -np.expm1(-x)
    return np.where(wave < BALMER_EDGE_AA, planck * thick, 0.0)


def nodes() -> np.ndarray:
    """Return wavelengths [Å] between which the narrowest of the lines is all but straight."""
    narrow = np.concatenate([np.arange(5) * 3e-4, 1.2e-3 + np.arange(1, 5) * 8e-4, [6e-3, 9e-3]])
    broad = np.concatenate([np.arange(9) * 1.2e-3, [0.012, 0.015, 0.019, 0.025, 0.033, 0.045]])
    around = {"narrow": narrow, "high": broad, "low": broad}
    strong = [x for x in LINES if x.kind == "narrow" or (x.kind in around and x.ew_aa > 5.0)]
    made = [x.wave_aa * np.exp(sign * around[x.kind]) for x in strong for sign in (-1.0, 1.0)]
    return np.unique(np.concatenate(made))
