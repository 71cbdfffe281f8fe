"""Write any grid of stellar populations as a sealed file of the DSPS schema.

The grid is read and written one metallicity at a time, whatever its size. For given bands it is put
on fewer wavelengths, as the embedded grids are (`tengri.grids.compact`): their spacing where the
bands look at any redshift up to a largest one, four times that elsewhere, with steps at the Lyman
lines and nodes for the lines of gas. Node values keep the integrals of the full spectrum; what band
magnitudes lose is measured on every population that is written (`tengri.grids.accuracy`). Ionising
photons are counted on the full spectrum and stored beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids import accuracy, bc03, compact, files, ionising, ssp_units
from tengri.grids.accuracy import Curves, PopulationSpectra, Transmission
from tengri.grids.ages import log_midpoint_edges
from tengri.grids.contents import Contents
from tengri.grids.write import write_sealed
from tengri.io import hdf5_reader, seal

Array = np.ndarray

#: Distance of nodes where no band looks, in units of the compact grids'.
ELSEWHERE = 4.0
N_REDSHIFTS = 9
UNITS = {
    **ssp_units.SCHEMA,
    **ionising.UNITS,
    "ssp_wave": "Angstrom, vacuum, rest",
    "ssp_flux": "Lsun/Hz per Msun formed",
    "ssp_lg_age_gyr": "log10(age/Gyr)",
    "ssp_lgmet": "log10 of the absolute metal fraction Z",
    "ssp_mass_remaining": "Msun in stars and remnants per Msun formed",
    "ssp_emline_name": "",
    "ssp_emline_wave": "Angstrom, rest",
    "ssp_emline_luminosity": "Lsun per Msun formed",
}


@dataclass(frozen=True)
class Loss:
    """What band magnitudes lose on fewer wavelengths [mmag].

    Attributes
    ----------
    median, p99, worst : float
        Of |Δm| over every population, band and redshift at which the band is not dark.
    n_compared : int
    """

    median: float
    p99: float
    worst: float
    n_compared: int


@dataclass(frozen=True, eq=False)
class SeenBands:
    """Bands for which a grid is made smaller.

    Attributes
    ----------
    curves : mapping
        Wavelengths [Å] and transmission of each, by name.
    z_max : float
        Largest redshift at which they look.
    igm : callable
        Transmission of the intergalactic medium ``(wave, z)``.
    """

    curves: Curves
    z_max: float
    igm: Transmission

    @property
    def window(self) -> tuple[float, float]:
        """Rest wavelengths [Å] that some band sees at some redshift."""
        ends = [(wave[0], wave[-1]) for wave, _ in self.curves.values()]
        return min(low for low, _ in ends) / (1.0 + self.z_max), max(high for _, high in ends)

    @property
    def redshifts(self) -> Array:
        """Where the loss is measured."""
        return np.linspace(0.0, self.z_max, N_REDSHIFTS if self.z_max > 0 else 1)


def convert(
    contents: Contents, gas: bool, output: Path, bands: SeenBands | None = None
) -> tuple[int, Loss | None]:
    """Write a grid as a sealed file of the DSPS schema.

    Parameters
    ----------
    contents : Contents
        Checked and accepted: `tengri.grids.verdict.accepted`.
    gas : bool
        Whether nebular light is part of it.
    output : Path
    bands : SeenBands, optional
        What it is made smaller for; without them every wavelength is kept.

    Returns
    -------
    n_wave : int
        Wavelengths written.
    loss : Loss or None
        What is lost; None where every wavelength is kept (light is rounded to float32).

    Raises
    ------
    DataError
        A full disk, a folder that cannot be written, spectra that cannot be used.
    """
    wave = np.asarray(contents.datasets["ssp_wave"], np.float64)
    nodes = wave if bands is None else nodes_for(wave, bands, gas)
    differences: list[Array] = []

    def written(_: int, plane: Array) -> Array:
        if bands is None:
            return np.where(plane < 1e-36, 0.0, plane).astype(np.float32)
        projected = compact.rounded(compact.project(wave, plane.astype(np.float64), nodes))
        differences.append(
            _differences(PopulationSpectra(wave, plane), PopulationSpectra(nodes, projected), bands)
        )
        return projected

    data: dict[str, Any] = {**contents.datasets, "ssp_wave": nodes, **_lines(contents)}
    if not gas and wave[0] < compact.LYMAN_LIMIT and "ssp_flux_behind_gas" not in data:
        data |= _ionising(contents, wave, nodes)
    elif bands is not None and "ssp_flux_behind_gas" in data:
        data["ssp_flux_behind_gas"] = _moved(data["ssp_flux_behind_gas"], wave, nodes)
    planes = replace(contents.flux, shape=(*contents.flux.shape[:2], len(nodes)))
    data["ssp_flux"] = planes.then(written)
    write_sealed(output, data, UNITS, _attributes(contents, gas, bands))
    return len(nodes), _loss(differences) if bands is not None else None


def nodes_for(wave: Array, bands: SeenBands, gas: bool) -> Array:
    """Return the wavelengths that bands need of a grid on ``wave``, both ends included."""
    lines = _line_wavelengths() if gas else None
    nodes = compact.nodes(wave, lines)
    nodes = nodes[(nodes >= wave[0]) & (nodes <= wave[-1])]
    low, high = bands.window
    widths = np.where((nodes >= low) & (nodes <= high), 0.0, ELSEWHERE * compact.spacing(nodes))
    steps = np.concatenate([[compact.LYMAN_LIMIT], compact.LYMAN_SERIES])
    near_step = np.abs(nodes[:, None] - steps).min(axis=1) < 2 * compact.STEP_HALF_WIDTH
    kept = [0]
    for i in range(1, len(nodes) - 1):
        if near_step[i] or nodes[i + 1] - nodes[kept[-1]] > widths[i]:
            kept.append(i)
    return nodes[[*kept, len(nodes) - 1]]


def _line_wavelengths() -> Array:
    """Return the lines of the nebular table [Å], in vacuum."""
    path = files.resolve(files.NEBULAR)
    with hdf5_reader.open_hdf5(path) as file:
        return hdf5_reader.array(file, "line_wave", path)


def _differences(exact: PopulationSpectra, grid: PopulationSpectra, bands: SeenBands) -> Array:
    """Return |Δmag| of one metallicity's populations, flat."""
    found = accuracy.compared(exact, grid, bands.curves, bands.igm, bands.redshifts)
    return found[np.isfinite(found)].astype(np.float32)


def _loss(differences: list[Array]) -> Loss:
    mmag = 1e3 * np.concatenate(differences)
    if not mmag.size:
        raise DataError("None of the bands is on the spectrum at any redshift up to the largest.")
    median, p99 = np.percentile(mmag, [50.0, 99.0])
    return Loss(float(median), float(p99), float(mmag.max()), int(mmag.size))


def _ionising(contents: Contents, wave: Array, nodes: Array) -> dict[str, Array]:
    """Return ionising photons and the light behind gas, counted on the full spectra."""
    lg_age = np.asarray(contents.datasets["ssp_lg_age_gyr"], np.float64)
    edges = contents.datasets.get("ssp_age_edges_gyr", log_midpoint_edges(lg_age))
    n_young = int(np.sum(edges < bc03.BIRTH_CLOUD_GYR))
    photons, behind = [], []
    for i in range(contents.flux.shape[0]):
        plane = contents.flux.read(i).astype(np.float64)
        photons.append(ionising.photon_rate(wave, plane) / ionising.UNIT_PHOTONS)
        left = np.where(wave <= compact.LYMAN_LIMIT, 0.0, plane[:n_young])
        behind.append(_projected(left, wave, nodes)[..., nodes < ionising.UNCHANGED_AA])
    return {
        "ssp_ionising_photons": np.stack(photons),
        "ssp_ionising_lg_age_gyr": np.broadcast_to(lg_age, (len(photons), len(lg_age))).copy(),
        "ssp_flux_behind_gas": np.stack(behind),
    }


def _moved(behind: Array, wave: Array, nodes: Array) -> Array:
    """Return stored light behind gas (..., n_blue) on the blue part of other wavelengths."""
    full = wave[: behind.shape[-1]]
    blue = nodes[nodes <= full[-1]]
    held = blue if blue[-1] == full[-1] else np.append(blue, full[-1])
    return _projected(behind, full, held)[..., : len(blue)]


def _projected(flux: Array, wave: Array, nodes: Array) -> Array:
    if np.array_equal(wave, nodes):
        return flux
    return compact.rounded(compact.project(wave, flux.astype(np.float64), nodes))


def _lines(contents: Contents) -> dict[str, Array]:
    lines = contents.lines
    if lines is None:
        return {}
    return {
        "ssp_emline_name": np.array([name.encode() for name in lines.names]),
        "ssp_emline_wave": lines.wave,
        "ssp_emline_luminosity": lines.luminosity,
    }


def _attributes(contents: Contents, gas: bool, bands: SeenBands | None) -> Mapping[str, object]:
    """Return what travels with the grid: its facts, where it is from and what was done."""
    told = {
        name: value
        for name, value in contents.attrs.items()
        if isinstance(value, (str, int, float, bool)) and not name.startswith(("ssp_", "units_"))
    }
    told.pop("line_sigma_kms", None)
    done = {
        "lsun_erg_per_s": LSUN_ERG_S,
        "nebular": gas,
        "nebular_included": gas,
        "schema": "DSPS",
        "builder": "tengri data convert",
        "converted_from": ", ".join(path.name for path in contents.files),
        "converted_sha256": ", ".join(seal.file_sha256(path) for path in contents.files),
        "layout": contents.layout,
    }
    if bands is not None:
        done |= {"bands": ", ".join(bands.curves), "largest_redshift": bands.z_max}
    return {**told, **done}
