"""Spectra of FSPS, as python-fsps gives them, in the ``.npz`` file of this recipe::

    import fsps, numpy as np

    options = dict(imf_type=1, add_neb_emission=False)  # as you like
    sp = fsps.StellarPopulation(zcontinuous=0, sfh=0, **options)
    spectra, mass = [], []
    for zmet in range(1, len(sp.zlegend) + 1):
        wave, flux = sp.get_spectrum(zmet=zmet, peraa=False)
        spectra.append(flux)
        mass.append(sp.stellar_mass)
    np.savez("fsps.npz", wave=wave, spec=spectra, log_age=sp.log_age, zlegend=sp.zlegend,
             stellar_mass=mass, libraries=np.array(sp.libraries, dtype=str),
             **options)

``get_spectrum`` returns every age of ``log_age`` [log10 yr] in Lsun/Hz per Msun formed, with
Lsun = 3.839e33 erg/s (``src/sps_vars.f90`` of cconroy20/fsps, bd187a0), on wavelengths [Å] in
vacuum unless the option ``vactoair_flag`` is set: documentation of python-fsps;
``retrieve_fsps_data.py`` of ArgonneCPAC/dsps (2ca3ce4) makes its grids by the same calls. The
recipe was run with python-fsps 0.5.0, with gas and without; see the page on grids.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.contents import Contents, Planes
from tengri.io import hdf5_reader

TAKES: frozenset[str] = frozenset()
LSUN_FSPS = 3.839e33
#: ``imf_type``, manual of FSPS.
IMF = {
    0: "Salpeter 1955",
    1: "Chabrier 2003",
    2: "Kroupa 2001",
    3: "van Dokkum 2008",
    4: "Dave 2008",
}
#: Options that make spectra something else than stars formed at once, at rest and without dust.
NOT_STARS = ("sfh", "dust1", "dust2", "zred", "fagn", "zcontinuous")
REQUIRED = ("wave", "spec", "log_age", "zlegend", "imf_type", "add_neb_emission")


def can_read(path: Path) -> bool:
    """Return whether a file is an archive of arrays of NumPy."""
    if path.suffix != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "spec.npy" in archive.namelist()


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a file of the recipe.

    Raises
    ------
    DataError
        An array that is missing, pickled, or too large.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > hdf5_reader.MAX_BYTES:
        raise DataError(f"{path}: unpacks to {size} bytes, more than {hdf5_reader.MAX_BYTES}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, MemoryError, zipfile.BadZipFile) as error:  # of what is declared
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise DataError(f"{path}: cannot be read as arrays of NumPy ({reason}).") from error
    if absent := [name for name in REQUIRED if name not in found]:
        raise DataError(f"{path}: {', '.join(absent)} is missing; write it with the recipe.")
    if changed := [name for name in NOT_STARS if np.any(found.get(name, 0))]:
        raise DataError(
            f"{path}: was made with {', '.join(changed)}: its spectra are not those of stars "
            "alone, formed at once. Leave that out of the recipe."
        )
    data = {
        "ssp_lgmet": np.log10(found["zlegend"]),
        "ssp_lg_age_gyr": np.asarray(found["log_age"], dtype=np.float64) - 9.0,
        "ssp_wave": np.asarray(found["wave"], dtype=np.float64),
    }
    if "stellar_mass" in found:
        data["ssp_mass_remaining"] = found["stellar_mass"]
    attrs: dict[str, Any] = {}
    if (imf := int(found["imf_type"])) in IMF:
        attrs["imf"] = IMF[imf]
    libraries = [str(name) for name in np.ravel(found.get("libraries", []))]
    attrs |= dict(zip(("isochrones", "library"), libraries))
    gas = bool(found["add_neb_emission"])
    if gas and "gas_logu" in found:
        attrs["logu"] = float(found["gas_logu"])
    planes = Planes.of(found["spec"] * (LSUN_FSPS / LSUN_ERG_S))
    vacuum = not np.any(found.get("vactoair_flag", False))
    return Contents("fsps", (path,), data, planes, attrs, gas=gas, vacuum=vacuum)
