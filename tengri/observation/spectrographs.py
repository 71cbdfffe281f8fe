"""Spectrographs by name: pixels and resolving power as published, one entry each.

R = λ/FWHM is tabulated and linear in λ between entries, constant beyond them; wavelengths are those
in vacuum. An instrument whose own resolution is at hand (DESI's matrices, a spectrum's ``wdisp``)
is better served by it: ``Instrument.spectrum(edges=…, resolution=…)``.

NIRSpec's curves are those that the JWST user documentation gives for a source that fills the slit
(*NIRSpec Dispersers and Filters*; Jakobsen et al. 2022, A&A 661, A80), read off the polynomials
that the instrument pack of PAHFIT (July 2022) fits to them; the FWHM is 2.2 pixels. On
the sky NIRSpec is sharper: by 11 to 53 per cent in the fixed slits (Shajib et al. 2025, A&A 702,
L12), by more for a point source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tengri.observation.spectrograph import Spectrograph

#: Pixels in the full width at half maximum of NIRSpec.
NIRSPEC_PIXELS = 2.2


@dataclass(frozen=True)
class PixelSet:
    """One spectrograph: display name, pixels, resolving power, what it is for, its paper.

    Attributes
    ----------
    name, description, reference : str
    edges : callable
        Returns the edges of the pixels [Å] for the curve of resolving power.
    curve : tuple of (λ [Å], R)
    """

    name: str
    edges: Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray]
    curve: tuple[tuple[float, float], ...]
    description: str
    reference: str

    def resolution(self, wave: np.ndarray) -> np.ndarray:
        """Return R = λ/FWHM at wavelengths [Å]."""
        return np.interp(wave, *np.array(self.curve).T)

    def spectrograph(self) -> Spectrograph:
        """Return pixels and line-spread function."""
        return Spectrograph.of(
            edges=self.edges(self.resolution), resolution=self.resolution, name=self.name
        )


def linear(first: float, last: float, step: float) -> Callable[..., np.ndarray]:
    """Return pixels of equal width [Å] with centres from ``first`` to ``last``."""
    n = round((last - first) / step) + 1
    return lambda _: first + step * (np.arange(n + 1) - 0.5)


def logarithmic(first: float, last: float, step: float) -> Callable[..., np.ndarray]:
    """Return pixels of equal width in log10 λ, with centres 10^(k step) inside an interval [Å]."""
    k = np.arange(np.ceil(np.log10(first) / step), np.floor(np.log10(last) / step) + 2.0)
    return lambda _: 10.0 ** (step * (k - 0.5))


def per_fwhm(first: float, last: float, n: float) -> Callable[..., np.ndarray]:
    """Return pixels of which ``n`` make a FWHM everywhere, between two wavelengths [Å]."""

    def edges(resolution: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        log_wave = np.linspace(np.log(first), np.log(last), 20001)
        density = n * resolution(np.exp(log_wave))  # pixels per unit of ln λ
        count = np.concatenate(
            [[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(log_wave))]
        )
        return np.exp(np.interp(np.arange(int(count[-1]) + 1.0), count, log_wave))

    return edges


NIRSPEC = "Jakobsen et al. 2022, A&A 661, A80"


def _nirspec(
    disperser: str, ends_um: tuple[float, float], curve: tuple[tuple[float, float], ...]
) -> PixelSet:
    """Return a configuration of NIRSpec; ``curve`` is (λ [µm], R)."""
    first, last = ends_um
    return PixelSet(
        f"JWST_NIRSpec_{disperser}",
        per_fwhm(1e4 * first, 1e4 * last, NIRSPEC_PIXELS),
        tuple((1e4 * wave, power) for wave, power in curve),
        f"NIRSpec {disperser.replace('_', '/')}, {first:g} to {last:g} µm",
        NIRSPEC,
    )


# fmt: off
PRISM = ((0.6, 65.1), (0.65, 57.1), (0.7, 50.5), (0.75, 45.0), (0.8, 40.6), (0.9, 34.5),
         (1.0, 31.0), (1.1, 29.5), (1.2, 29.4), (1.4, 31.8), (1.6, 36.4), (1.8, 42.2), (2.0, 49.0),
         (2.5, 71.2), (3.0, 101.0), (3.5, 138.0), (4.0, 180.0), (4.5, 229.0), (5.0, 286.0),
         (5.3, 324.0))
G140M = ((0.7, 498.0), (1.27, 906.0), (1.84, 1319.0))
G235M = ((1.66, 705.0), (2.36, 1005.0), (3.07, 1312.0))
G395M = ((2.87, 725.0), (3.95, 1000.0), (5.1, 1296.0))
G140H = ((0.81, 1491.0), (1.1, 2014.0), (1.41, 2595.0), (1.82, 3426.0))
G235H = ((1.66, 1839.0), (2.36, 2508.0), (3.05, 3211.0))
G395H = ((2.87, 1931.0), (3.95, 2701.0), (5.14, 3631.0))

SPECTROGRAPHS: dict[str, PixelSet] = {
    # pixels: Guy et al. 2023, AJ 165, 144; R at the ends of the arms: DESI Collaboration 2016,
    # arXiv:1611.00037, joined in the middle of what two arms share
    "DESI": PixelSet(
        "DESI", linear(3600.0, 9824.0, 0.8),
        ((3600.0, 2000.0), (5790.0, 3200.0), (7595.0, 4100.0), (9824.0, 5100.0)),
        "coadded spectra of the three arms, 3600 to 9824 Å in 0.8 Å",
        "Guy et al. 2023, AJ 165, 144",
    ),
    # R at the ends of both channels; the red one begins at the dichroic
    "SDSS_SPECTRA": PixelSet(
        "SDSS_SPECTRA", logarithmic(3800.0, 9200.0, 1e-4),
        ((3800.0, 1850.0), (5900.0, 2200.0), (6050.0, 1850.0), (9200.0, 2200.0)),
        "spectra of SDSS-I and II, 3800 to 9200 Å in 0.0001 dex",
        "Smee et al. 2013, AJ 146, 32",
    ),
    "BOSS": PixelSet(
        "BOSS", logarithmic(3600.0, 10400.0, 1e-4),
        ((3700.0, 1560.0), (5950.0, 2270.0), (6050.0, 1850.0), (9000.0, 2650.0)),
        "spectra of BOSS and eBOSS, 3600 to 10400 Å in 0.0001 dex",
        "Smee et al. 2013, AJ 146, 32",
    ),
} | {entry.name: entry for entry in (
    _nirspec("PRISM", (0.6, 5.3), PRISM),
    _nirspec("G140M_F070LP", (0.7, 1.27), G140M),
    _nirspec("G140M_F100LP", (0.97, 1.84), G140M),
    _nirspec("G235M_F170LP", (1.66, 3.07), G235M),
    _nirspec("G395M_F290LP", (2.87, 5.10), G395M),
    _nirspec("G140H_F070LP", (0.81, 1.27), G140H),
    _nirspec("G140H_F100LP", (0.97, 1.82), G140H),
    _nirspec("G235H_F170LP", (1.66, 3.05), G235H),
    _nirspec("G395H_F290LP", (2.87, 5.14), G395H),
)}
# fmt: on
