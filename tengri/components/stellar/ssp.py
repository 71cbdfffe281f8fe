"""Simple stellar populations: the light of one solar mass of stars of one age and metallicity.

==================  =========================  =============================================
``ssp_lgmet``       (n_met,)                   log10 of the absolute metal fraction Z
``ssp_lg_age_gyr``  (n_age,)                   log10 of the age in Gyr
``ssp_wave``        (n_wave,)                  rest wavelength in vacuum, Å
``ssp_flux``        (n_met, n_age, n_wave)     L_ν in Lsun/Hz per Msun formed
``mass_remaining``  (n_met, n_age) or None     mass in stars and remnants per mass formed
``age_edges_gyr``   (n_age + 1,)               edges of the lookback bin that each age stands for
``ionising``        see `IonisingLight`        what gas around the stars answers to, or None
==================  =========================  =============================================

The schema and the names of the datasets are those of DSPS (Hearin et al. 2023, MNRAS 521, 1741);
``ssp_mass_remaining``, ``ssp_age_edges_gyr`` and those of `tengri.grids.ionising` are optional
additions. Units that the file states are obeyed or refused: `tengri.components.stellar.ssp_units`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.components.stellar import ssp_units
from tengri.components.stellar.ionising import IonisingLight
from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids import files, ionising
from tengri.io import hdf5_reader, seal

OLDEST_GYR = 20.0

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SSPData:
    """A grid of simple stellar populations, in host memory (see the top of the file).

    Attributes
    ----------
    name, path : str
        File name without its ending, and where it was read from.
    sha256 : str
        SHA-256 of the file, hexadecimal.
    attrs : dict
        Provenance as stored: ``imf``, ``source``, ``citation``, ``nebular``, ``logu``, ``zsun`` …
    """

    ssp_lgmet: Array
    ssp_lg_age_gyr: Array
    ssp_wave: Array
    ssp_flux: Array
    ssp_mass_remaining: Array | None
    age_edges_gyr: Array
    ionising: IonisingLight | None = None
    name: str = ""
    path: str = ""
    sha256: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (n_met, n_age, n_wave)."""
        return self.ssp_flux.shape

    @property
    def nebular(self) -> bool:
        """Whether nebular emission is part of the fluxes."""
        return bool(self.attrs.get("nebular", False))

    def __repr__(self) -> str:
        n_met, n_age, n_wave = self.shape
        return (
            f"SSPData({self.name!r}: {n_met} metallicities × {n_age} ages × {n_wave} wavelengths)"
        )


def load_ssp_data(path: str | Path | None = None, sha256: str | None = None) -> SSPData:
    """Read and validate an SSP grid.

    Parameters
    ----------
    path : path, optional
        An HDF5 file of the DSPS schema, or the name of one in a data folder
        (`tengri.grids.files`). Default: the embedded BC03/MILES grid with nebular emission.
    sha256 : str, optional
        Digest that the file must have; it is checked before HDF5 opens the file. A foreign
        file has no seal: without this, damage that leaves its values plausible goes unseen.

    Returns
    -------
    SSPData
        Fluxes in Lsun/Hz/Msun with Lsun = 3.828e33 erg/s: a file whose attribute
        ``lsun_erg_per_s`` states another one is rescaled.

    Raises
    ------
    DataError
        If the file is missing, damaged or unusable; it names the file, the dataset and the fix.
    """
    if not isinstance(path, str | Path | None):
        raise DataError(f"load_ssp_data takes the path of an HDF5 file, not {path!r}.")
    found = files.resolve(files.DEFAULT_SSP if path is None else path)
    if files.is_embedded(found) or seal.is_sealed(found):
        seal.verify(found)
    if sha256 is not None and (has := seal.file_sha256(found)) != sha256.lower():
        raise DataError(f"{found}: SHA-256 is {has}, expected {sha256.lower()}. {_FRESH}")
    contents, attrs = _read(found)
    return _validated(contents, attrs, found)


def log_midpoint_edges(lg_age_gyr: Array) -> Array:
    """Return the edges (n_age + 1,) in Gyr of the lookback bins around each age.

    The first is 0, the inner ones lie midway in log age, and the last is 20 Gyr or later, so
    that no history reaches beyond it.
    """
    if len(lg_age_gyr) == 1:
        return np.array([0.0, max(OLDEST_GYR, 2.0 * 10.0 ** float(lg_age_gyr[0]))])
    middle = 0.5 * (lg_age_gyr[1:] + lg_age_gyr[:-1])
    last = max(OLDEST_GYR, float(10.0 ** (2.0 * lg_age_gyr[-1] - middle[-1])))
    return np.concatenate([[0.0], 10.0**middle, [last]]).astype(np.float64)


_REQUIRED = {"ssp_lgmet": 1, "ssp_lg_age_gyr": 1, "ssp_wave": 1, "ssp_flux": 3}
_IONISING = dict(zip(ionising.UNITS, (2, 2, 3)))
_OPTIONAL = {"ssp_mass_remaining": 2, "ssp_age_edges_gyr": 1, **_IONISING}


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the known datasets and the attributes of the HDF5 file ``path``."""
    try:
        with hdf5_reader.open_hdf5(path) as file:
            attrs = hdf5_reader.attributes(file)
            names = [name for name in (*_REQUIRED, *_OPTIONAL) if hdf5_reader.has(file, name)]
            contents = {name: _dataset(file, name, path) for name in names}
            units = {name: ssp_units.stated(name, file[name].attrs, attrs) for name in names}
            if not ssp_units.counts_in_suns(units.get("ssp_flux", "")):
                attrs["lsun_erg_per_s"] = LSUN_ERG_S  # erg are converted with ours
            return _in_schema(contents, units, path), attrs
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5 ({error}). It is damaged, truncated or of another "
            "format: get a fresh copy."
        ) from error


def _in_schema(contents: dict[str, Array], units: dict[str, str], path: Path) -> dict[str, Array]:
    """Return the datasets in the units of the schema."""
    return {
        name: ssp_units.in_schema(name, values, units[name], path)
        for name, values in contents.items()
    }


def _dataset(file: h5py.File, name: str, path: Path) -> Array:
    try:
        values = hdf5_reader.array(file, name, path)
    except DataError as error:
        raise DataError(f"{error} {_EXPECTED}") from error
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


_FRESH = "It is damaged or another file: get a fresh copy."
_EXPECTED = (
    "A DSPS file holds ssp_lgmet (n_met,), ssp_lg_age_gyr (n_age,), ssp_wave (n_wave,) and "
    "ssp_flux (n_met, n_age, n_wave)."
)


def _validated(contents: dict[str, Array], attrs: dict[str, Any], path: Path) -> SSPData:
    for name, ndim in {**_REQUIRED, **_OPTIONAL}.items():
        _check_dataset(contents, name, ndim, path)
    _check_shapes(contents, path)
    for name in ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave", "ssp_age_edges_gyr"):
        _check_sorted(contents, name, path)
    _check_values(contents, path)
    _check_units(contents, path)
    for name in {"ssp_flux", "ssp_flux_behind_gas"} & contents.keys():
        contents[name] = _to_our_sun(contents[name], attrs, path)
    lg_age = contents["ssp_lg_age_gyr"].astype(np.float64)
    edges = contents.get("ssp_age_edges_gyr")
    return SSPData(
        ssp_lgmet=contents["ssp_lgmet"].astype(np.float64),
        ssp_lg_age_gyr=lg_age,
        ssp_wave=contents["ssp_wave"].astype(np.float64),
        ssp_flux=contents["ssp_flux"],
        ssp_mass_remaining=contents.get("ssp_mass_remaining"),
        age_edges_gyr=log_midpoint_edges(lg_age) if edges is None else edges.astype(np.float64),
        ionising=IonisingLight.stored(contents),
        name=path.stem,
        path=str(path),
        sha256=seal.file_sha256(path),
        attrs=attrs,
    )


def _check_dataset(contents: dict[str, Array], name: str, ndim: int, path: Path) -> None:
    if name not in contents:
        if name in _REQUIRED:
            raise DataError(f"{path}: dataset {name} is missing. {_EXPECTED}")
        return
    values = contents[name]
    if values.ndim != ndim or values.size == 0:
        raise DataError(
            f"{path}: dataset {name} has shape {values.shape}; expected {ndim} dimension(s), "
            f"none of them empty. {_EXPECTED}"
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: dataset {name} holds {np.count_nonzero(~np.isfinite(values))} values that "
            "are NaN or infinite. Replace them, or get a fresh copy."
        )


def _check_shapes(contents: dict[str, Array], path: Path) -> None:
    n_met, n_age, n_wave = (
        len(contents[name]) for name in ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave")
    )
    expected = {
        "ssp_flux": (n_met, n_age, n_wave),
        "ssp_mass_remaining": (n_met, n_age),
        "ssp_age_edges_gyr": (n_age + 1,),
        "ssp_ionising_photons": (n_met, n_age),
        "ssp_ionising_lg_age_gyr": (n_met, n_age),
    }
    for name, shape in expected.items():
        if name in contents and contents[name].shape != shape:
            raise DataError(
                f"{path}: dataset {name} has shape {contents[name].shape}; the axes of the file "
                f"ask for {shape}. Write it with axes (metallicity, age, wavelength)."
            )
    if n_wave < 2:
        raise DataError(f"{path}: dataset ssp_wave needs two wavelengths or more. {_EXPECTED}")


def _check_sorted(contents: dict[str, Array], name: str, path: Path) -> None:
    if name in contents and not (np.diff(contents[name]) > 0).all():
        raise DataError(
            f"{path}: dataset {name} does not increase strictly. Sort it, and ssp_flux with it."
        )


def _check_values(contents: dict[str, Array], path: Path) -> None:
    if contents["ssp_wave"][0] <= 0:
        raise DataError(f"{path}: dataset ssp_wave must be positive; it is in Å.")
    for name in ("ssp_flux", "ssp_mass_remaining", "ssp_ionising_photons", "ssp_flux_behind_gas"):
        if name in contents and (contents[name] < 0).any():
            raise DataError(
                f"{path}: dataset {name} holds {np.count_nonzero(contents[name] < 0)} negative "
                f"values (least {contents[name].min():.3g}). Set them to zero if they are "
                "numerical noise, else get a fresh copy."
            )
    edges = contents.get("ssp_age_edges_gyr")
    if edges is not None and edges[0] != 0:
        raise DataError(f"{path}: dataset ssp_age_edges_gyr must start at 0.")


# What the numbers of any real grid lie within, in the units of the schema; others are named.
OPTICAL_AA = 3000.0, 1e4
OLDEST_LG_AGE = 1.5  # 30 Gyr; in log10(age/yr) even the youngest stars are beyond it
HIGHEST_LGMET = -0.5  # a third of all mass in metals; relative to solar, grids reach beyond it
BOLOMETRIC = 1e-4, 1e6  # Lsun/Msun of the brightest population


def _check_units(contents: dict[str, Array], path: Path) -> None:
    """Raise for axes and fluxes that are plausible in other units only."""
    wave, flux = (contents[name].astype(np.float64) for name in ("ssp_wave", "ssp_flux"))
    if not (wave[0] < OPTICAL_AA[1] and wave[-1] > OPTICAL_AA[0]):
        raise DataError(
            f"{path}: dataset ssp_wave runs from {wave[0]:g} to {wave[-1]:g}, without anything "
            f"optical ({OPTICAL_AA[0]:g}–{OPTICAL_AA[1]:g} Å). It must be in Å: µm × 10⁴, nm × 10."
        )
    if contents["ssp_lg_age_gyr"][-1] > OLDEST_LG_AGE:
        raise DataError(
            f"{path}: dataset ssp_lg_age_gyr reaches {contents['ssp_lg_age_gyr'][-1]:g}. It must "
            "be log10 of the age in Gyr: subtract 9 from log10(age/yr), take log10 of plain ages."
        )
    if contents["ssp_lgmet"][-1] > HIGHEST_LGMET:
        raise DataError(
            f"{path}: dataset ssp_lgmet reaches {contents['ssp_lgmet'][-1]:g}. It must be log10 of "
            "the absolute metal fraction Z: add log10 of the grid's solar Z to values relative "
            "to solar."
        )
    per_population = (np.abs(np.diff(C_AA_PER_S / wave)) * flux[..., 1:]).sum(axis=-1)
    brightest = float(np.max(per_population))
    if not BOLOMETRIC[0] < brightest < BOLOMETRIC[1]:
        raise DataError(
            f"{path}: dataset ssp_flux makes the brightest population {brightest:.3g} Lsun per "
            f"Msun; {BOLOMETRIC[0]:g}–{BOLOMETRIC[1]:g} is plausible. It must be L_ν in Lsun/Hz "
            "per Msun formed, not erg/s, and not per Å."
        )


def _to_our_sun(flux: Array, attrs: dict[str, Any], path: Path) -> Array:
    lsun = attrs.get("lsun_erg_per_s", LSUN_ERG_S)
    if not isinstance(lsun, (int, float)) or not 3.7e33 < lsun < 4.0e33:
        raise DataError(f"{path}: attribute lsun_erg_per_s is {lsun!r}; expected about 3.83e33.")
    return flux if lsun == LSUN_ERG_S else flux * np.asarray(lsun / LSUN_ERG_S, flux.dtype)
