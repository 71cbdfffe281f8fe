"""What a grid of stellar populations is, measured on its spectra.

Gas
    Hα in emission, or nebular continuum in place of the Balmer absorption, around the youngest
    stars of about solar metallicity; or no light below 912 Å where such stars must have some.
Ionising light
    Photons below 912 Å per light at 1500 Å: 10^25.4–26 Hz/erg of stars up to 3 Myr.
Ionisation parameter
    [O III] 5007 / [O II] 3727 against the nebular table that comes with tengri, at the metallicity
    and age of the population.
Air or vacuum
    Centroids of Hα to Hδ in absorption, of metal-poor stars of 0.4 Gyr: in air 1.4 Å blueward.
Metallicity
    The break at 4000 Å of old populations against that of BC03/MILES at 10 Gyr.
Per Å
    Slopes of the far ultraviolet of young and the infrared of old stars: L_ν and L_λ differ by 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids import features, files, ionising
from tengri.io import hdf5_reader

Array = np.ndarray

HALPHA, HBETA, OIII, OII = 6564.61, 4862.69, 5008.24, 3728.48
#: Hα to Hδ: (vacuum, air) [Å], and the half-width of the window around each.
BALMER = ((6564.61, 6562.79), (4862.69, 4861.34), (4341.69, 4340.47), (4102.89, 4101.74))
BALMER_HALF_AA = 25.0
GAS_EW = 100.0  # Å: stars by themselves stay below some 20, gas around 3 Myr above 500
GAS_JUMP = 1.5  # L_ν at 3500 Å over 4200 Å: nebular continuum reaches 2, stars of 1–3 Myr 1.2
LEAST_PHOTONS = 24.0  # log10 of ionising photons per erg/Hz at 1500 Å; up to 3 Myr stars have 25.4
BALMER_LG_AGE = np.log10(0.4)
YOUNG, NEBULAR, OLD = np.log10(0.0035), np.log10(0.01), np.log10(5.0)  # log10 of ages [Gyr]
LG_SOLAR = -1.85
PER_AA_BLUE, PER_AA_RED = -1.7, -2.4
#: D4000 of BC03/MILES (2016) at 10 Gyr, by log10 Z.
D4000_LGMET = np.array([-3.398, -2.398, -2.097, -1.699, -1.301])
D4000_10GYR = np.array([1.446, 1.823, 2.056, 2.379, 2.737])
RELATIVE_DEX = 0.9


@dataclass(frozen=True)
class Measured:
    """Measured properties of a grid; None is what its sampling or coverage does not tell.

    Attributes
    ----------
    gas : bool
        Whether nebular light is part of the spectra.
    halpha_aa : float
        Largest equivalent width of Hα around stars up to 3.5 Myr [Å], positive in emission.
    jump : float
        L_ν at 3500 Å over that at 4200 Å of the youngest stars.
    ionising : str
        ``"kept"`` or ``"taken"``: the light of young stars below 912 Å.
    lg_photons : float
        log10 of ionising photons per erg/Hz at 1500 Å of the youngest stars.
    logu : float
        log10 of the ionisation parameter, as the nebular table would have the oxygen lines.
    air : bool
        Whether wavelengths are in air.
    offset_aa : float
        Mean distance of the Balmer lines from their places in vacuum [Å].
    lgmet_excess : float
        Stated log10 Z minus that of the 4000 Å breaks [dex].
    per_aa : bool
        Whether the spectra are per Å.
    fading : bool
        Whether light declines with age, as that of stars formed at once does.
    youngest_myr : float
        First age of the grid [Myr].
    """

    gas: bool | None
    halpha_aa: float | None
    jump: float | None
    ionising: str | None
    lg_photons: float | None
    logu: float | None
    air: bool | None
    offset_aa: float | None
    lgmet_excess: float | None
    per_aa: bool | None
    fading: bool | None
    youngest_myr: float

    @property
    def relative(self) -> bool | None:
        """Whether metallicities are relative to solar."""
        excess = self.lgmet_excess
        return None if excess is None else excess > RELATIVE_DEX


@dataclass(frozen=True, eq=False)
class Sample:
    """The populations of a grid on which it is judged.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Å, as the file has them.
    lg_age_gyr : ndarray, shape (n_age,)
    lgmet : ndarray, shape (n_met,)
    solar : ndarray, shape (n_age, n_wave)
        The spectra of the metallicity next to solar.
    old : ndarray, shape (n_met, n_wave)
        Those of the age next to 10 Gyr.
    poor : ndarray, shape (n_wave,)
        That of the lowest metallicity, whose lines stand alone, and the age next to 0.4 Gyr.
    i_solar : int
        Index of the metallicity next to solar.
    """

    wave: Array
    lg_age_gyr: Array
    lgmet: Array
    solar: Array
    old: Array
    poor: Array
    i_solar: int

    @classmethod
    def of(cls, wave: Array, lg_age_gyr: Array, lgmet: Array, flux: Array) -> Sample:
        """Return the sample of spectra (n_met, n_age, n_wave)."""
        i, j = nearest(lgmet, LG_SOLAR), nearest(lg_age_gyr, 1.0)
        poor = flux[0, nearest(lg_age_gyr, BALMER_LG_AGE)]
        return cls(wave, lg_age_gyr, lgmet, flux[i], flux[:, j], poor, i)


def nearest(axis: Array, value: float) -> int:
    """Return the index of the node next to a value."""
    return int(np.argmin(np.abs(axis - value)))


def measure(sample: Sample) -> Measured:
    """Return what the spectra of a sample tell."""
    young = sample.solar[sample.lg_age_gyr <= YOUNG].astype(np.float64)
    halpha, jump = _halpha(sample.wave, young), _jump(sample.wave, young)
    lg_photons = _photons(sample.wave, young)
    kept = None if lg_photons is None else "kept" if lg_photons > LEAST_PHOTONS else "taken"
    gas = _gas(halpha, jump, kept)
    air, offset = _air(sample)
    return Measured(
        gas=gas,
        halpha_aa=halpha,
        jump=jump,
        ionising=kept,
        lg_photons=lg_photons,
        logu=_logu(sample, young) if gas and halpha is not None and halpha > GAS_EW else None,
        air=air,
        offset_aa=offset,
        lgmet_excess=_lgmet_excess(sample),
        per_aa=_per_aa(sample, young),
        fading=_fading(sample),
        youngest_myr=float(1e3 * 10 ** sample.lg_age_gyr[0]),
    )


def line_light(wave: Array, flux: Array, centre: float, half: float) -> Array:
    """Return the luminosity [Lsun/Msun] of a line above the continuum of ``flux`` [Lsun/Hz]."""
    return features.line_excess(wave, flux, centre, half)[0] * C_AA_PER_S / centre**2


def _halpha(wave: Array, young: Array) -> float | None:
    low, high = HALPHA - 90.0, HALPHA + 90.0
    if not len(young) or not features.covers(wave, low, high):
        return None
    if features.sampling(wave, low, high) > features.COARSEST_AA:
        return None
    return float(np.max(features.equivalent_width(wave, young, HALPHA)))


def _jump(wave: Array, young: Array) -> float | None:
    (low, _), (_, high) = features.BALMER_JUMP
    if not len(young) or not features.covers(wave, low, high):
        return None
    if features.sampling(wave, low, high) > features.COARSEST_AA:
        return None
    value = features.ratio(wave, young, features.BALMER_JUMP)[0]
    return float(1.0 / value) if value > 0 else None


def _photons(wave: Array, young: Array) -> float | None:
    """Return log10 of ionising photons per erg/Hz at 1500 Å, of the youngest population."""
    if not len(young) or wave[0] > 700.0 or wave[-1] < 1700.0 or np.sum(wave < 900.0) < 3:
        return None
    far = features.band_mean(wave, young[0], 1400.0, 1600.0) * LSUN_ERG_S
    photons = ionising.photon_rate(wave, young[0])
    if far <= 0:
        return None
    return float(np.log10(np.maximum(photons / far, 1e-9)))


def _gas(halpha: float | None, jump: float | None, kept: str | None) -> bool | None:
    signs = [
        None if halpha is None else halpha > GAS_EW,
        None if jump is None else jump > GAS_JUMP,
        None if kept is None else kept == "taken",
    ]
    if any(signs):
        return True
    return None if halpha is None or jump is None else False


def _logu(sample: Sample, young: Array) -> float | None:
    """Return the ionisation parameter at which the nebular table has the oxygen lines' ratio."""
    i = nearest(sample.lg_age_gyr[: len(young)], np.log10(0.002))
    lines = [line_light(sample.wave, young[i], *line) for line in ((OIII, 15.0), (OII, 15.0))]
    if min(lines) <= 0:
        return None
    try:
        logus, ratios = _table_ratios(sample.lgmet[sample.i_solar], sample.lg_age_gyr[i])
    except DataError:
        return None
    found = np.log10(lines[0] / lines[1])
    rising = np.maximum.accumulate(ratios)
    return float(np.interp(found, rising, logus))


def _table_ratios(lgmet: float, lg_age: float) -> tuple[Array, Array]:
    """Return logU and log10 of 5007/3727 of the nebular table at one of its nodes."""
    path = files.resolve(files.NEBULAR)
    with hdf5_reader.open_hdf5(path) as file:
        axes = [
            hdf5_reader.array(file, n, path) for n in ("logu", "lgmet", "lg_age_gyr", "line_wave")
        ]
        node = nearest(axes[1], lgmet), nearest(axes[2], lg_age)
        lines = hdf5_reader.array(file, "lines", path)[:, node[0], node[1]].astype(np.float64)
    strength = [lines[:, np.abs(axes[3] - w) < 3.0].sum(axis=1) for w in (OIII, OII)]
    return axes[0], np.log10(np.maximum(strength[0], 1e-30) / np.maximum(strength[1], 1e-30))


def _air(sample: Sample) -> tuple[bool | None, float | None]:
    """Return whether wavelengths are in air, and the mean offset of the Balmer lines [Å]."""
    k = nearest(sample.lg_age_gyr, BALMER_LG_AGE)
    if abs(sample.lg_age_gyr[k] - BALMER_LG_AGE) > 0.5:
        return None, None
    offsets, shifts = [], []
    for vacuum, air in BALMER:
        span = vacuum - BALMER_HALF_AA, vacuum + BALMER_HALF_AA
        if features.covers(sample.wave, *span) and features.sampling(sample.wave, *span) <= 20.0:
            poor = sample.poor.astype(np.float64)
            offsets.append(features.absorption_offset(sample.wave, poor, vacuum, BALMER_HALF_AA))
            shifts.append(vacuum - air)
    if len(offsets) < 3 or not np.isfinite(offsets).all() or np.std(offsets) > 0.8:
        return None, None
    offset = float(np.mean(offsets))
    share = -offset / float(np.mean(shifts))
    return (True if 0.6 < share < 1.6 else False if abs(share) < 0.4 else None), offset


def _lgmet_excess(sample: Sample) -> float | None:
    """Return stated minus measured log10 Z, the median over metallicities whose break tells it."""
    if sample.lg_age_gyr[-1] < OLD or not features.covers(sample.wave, 3700.0, 4300.0):
        return None
    if features.sampling(sample.wave, 3700.0, 4300.0) > 60.0:
        return None
    breaks = features.ratio(sample.wave, sample.old.astype(np.float64), features.D4000)
    telling = (breaks > 1.6) & (breaks < D4000_10GYR[-1])
    if not telling.any():
        return None
    found = np.interp(breaks[telling], D4000_10GYR, D4000_LGMET)
    return float(np.median(sample.lgmet[telling] - found))


def _per_aa(sample: Sample, young: Array) -> bool | None:
    blue = features.slope(sample.wave, young, 1300.0, 2700.0) if len(young) else float("nan")
    has_old = sample.lg_age_gyr[-1] >= OLD
    red = features.slope(sample.wave, sample.old, 2.5e4, 1e5) if has_old else float("nan")
    signs = [x < y for x, y in ((blue, PER_AA_BLUE), (red, PER_AA_RED)) if np.isfinite(x)]
    return None if not signs else all(signs)


def _fading(sample: Sample) -> bool | None:
    """Return whether the light at 1500 Å falls between stars of 5 and of 100 Myr or more."""
    span = sample.lg_age_gyr
    if span[0] > NEBULAR or span[-1] < -1.0 or not features.covers(sample.wave, 1400.0, 1600.0):
        return None
    pair = sample.solar[[nearest(span, np.log10(0.005)), int(np.searchsorted(span, -1.0))]]
    young, old = features.band_mean(sample.wave, pair.astype(np.float64), 1400.0, 1600.0)
    return bool(old < 0.5 * young) if young > 0 else None
