"""Tiny grids of known values in the layouts of other programs, each written as its writer does."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

C_AA_PER_S, LSUN = 2.99792458e18, 3.828e33
WAVE = np.array([500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])
AGE_YR = np.array([1e6, 1e7, 1e9, 1e10])
Z = np.array([0.004, 0.02])


def flux(n_met: int = 2, n_age: int = 4) -> np.ndarray:
    """Return L_ν [Lsun/Hz/Msun] (n_met, n_age, 6): a power law that fades with age."""
    age = np.geomspace(1.0, 1e-3, n_age)
    metal = 1.0 + 0.1 * np.arange(n_met)
    return 1e-14 * metal[:, None, None] * age[:, None] * (WAVE / 4000.0) ** -0.3


def per_aa(lnu: np.ndarray) -> np.ndarray:
    """Return L_λ [Lsun/Å] of L_ν [Lsun/Hz]."""
    return lnu * C_AA_PER_S / WAVE**2


def dsps(path: Path, lines: bool = False, **attrs: object) -> Path:
    """``scripts/write_fsps_data_to_disk.py`` of DSPS."""
    with h5py.File(path, "w") as hdf:
        hdf["ssp_lgmet"] = np.log10(Z)
        hdf["ssp_lg_age_gyr"] = np.log10(AGE_YR) - 9.0
        hdf["ssp_wave"] = WAVE
        hdf["ssp_flux"] = flux()
        if lines:
            names = ["Ba_alpha_6563", "O_III_5007"]
            hdf.create_dataset("ssp_emline_name", data=np.array(names, dtype="S"))
            hdf["ssp_emline_wave"] = np.array([6564.6, 5008.24])
            hdf["ssp_emline_luminosity"] = np.arange(16.0).reshape(2, 4, 2)
        hdf.attrs.update(attrs)
    return path


def diffsky(path: Path) -> Path:
    """``write_ssp_templates_to_disk`` of diffsky: names of variable length, at the end."""
    dsps(path, lines=True)
    with h5py.File(path, "r+") as hdf:
        names = [name.decode() for name in hdf["ssp_emline_name"][...]]
        del hdf["ssp_emline_name"]
        hdf["ssp_emline_name"] = names
    return path


def ceridwen(path: Path, afe: tuple[float, ...] = ()) -> Path:
    """``SSPData.save`` and ``SSPDataAfe.save`` of ceridwen."""
    dsps(path, isoc_type="mist", spec_library="c3k_a", imf_type=1, schema_version="2.1",
         units_flux="L_sun Hz^-1 M_sun^-1", fsps_kwargs_json="{}")  # fmt: skip
    with h5py.File(path, "r+") as hdf:
        hdf["ssp_resolution"] = np.full(len(WAVE), 60.0)
        if afe:
            hdf["ssp_afe"] = np.array(afe)
            del hdf["ssp_flux"]
            hdf["ssp_flux"] = np.stack([(1.0 + value) * flux() for value in afe])
    return path


def synthesizer(path: Path, gas: bool = False) -> Path:
    """``GridFile.write_grid_common`` of grid-generation: spectra (age, metallicity, wavelength)."""
    lnu = np.swapaxes(flux(), 0, 1) * LSUN
    with h5py.File(path, "w") as hdf:
        axes = ["ages", "metallicities"] + ["ionisation_parameters"] * gas
        hdf.attrs["axes"] = axes
        hdf.attrs["WeightVariable"] = "initial_masses"
        model = hdf.create_group("Model")
        model.attrs.update({"sps_name": "bpass", "imf_type": "chabrier03", "alpha": False})
        values = {"ages": AGE_YR, "metallicities": Z, "ionisation_parameters": [1e-3, 1e-2]}
        for name in axes:
            hdf[f"axes/{name}"] = values[name]
            hdf[f"axes/{name}"].attrs["Units"] = "yr" if name == "ages" else "dimensionless"
        hdf["spectra/wavelength"] = WAVE
        hdf["spectra/wavelength"].attrs["Units"] = "Å"
        spectra = {"incident": lnu}
        if gas:
            both = np.stack([lnu, 3.0 * lnu], axis=2)
            spectra = {"incident": both, "transmitted": 0.5 * both, "nebular": 0.25 * both}
        for name, values in spectra.items():
            hdf[f"spectra/{name}"] = values
            hdf[f"spectra/{name}"].attrs["Units"] = "erg/(Hz*s)"
        if not gas:
            hdf["star_fraction"] = np.full((4, 2), 0.5)
            hdf["remnant_fraction"] = np.full((4, 2), 0.1)
    return path


def galaxev(folder: Path) -> Path:
    """``.ised_ASCII`` of two metallicities, records across lines; an age of zero comes first."""
    folder.mkdir(exist_ok=True)
    for tag, z, plane in zip(("m42", "m62"), Z, flux()):
        ages = np.append(0.0, AGE_YR)
        light = per_aa(np.concatenate([plane[:1], plane])) * LSUN / 3.826e33
        out = [_record(ages), "  0.10 100.00  0 0.0", "  Chabrier", "  Padova", "  bc03",
               f"  X=0.7000, Y=0.2800, Z={z:.4f}, [Fe/H]=0.00", _record(WAVE)]  # fmt: skip
        for row in light:
            out += [_record(row), _record(np.zeros(3))]
        path = folder / f"bc2003_hr_{tag}_chab_ssp.ised_ASCII"
        path.write_text("\n".join(out) + "\n")
    return path


def _record(values: np.ndarray) -> str:
    words = [str(len(values)), *(f"{v:.9E}" for v in values)]
    return "\n".join("  ".join(words[i : i + 4]) for i in range(0, len(words), 4))


def bpass(folder: Path, mass: bool = True) -> Path:
    """``spectra-…dat`` and ``starmass-…dat`` of two metallicities, 51 ages."""
    folder.mkdir(exist_ok=True)
    for code, plane in zip(("z004", "z020"), flux(n_age=51)):
        table = np.column_stack([WAVE, per_aa(plane).T * 1e6 * (LSUN / 3.848e33)])
        path = folder / f"spectra-bin-imf135_300.{code}.dat"
        np.savetxt(path, table, fmt="%.8E")
        if mass:
            lg_age = 6.0 + 0.1 * np.arange(51)
            stars = np.column_stack([lg_age, np.full(51, 5e5), np.full(51, 1e5)])
            np.savetxt(folder / f"starmass-bin-imf135_300.{code}.dat", stars, fmt="%.5E")
    return path


def starburst99(path: Path, fading: bool = True) -> Path:
    """``spectrum1`` by the format statements of ``specsyn``, of a burst of 1e6 Msun."""
    plane = flux()[0][:: 1 if fading else -1]
    stars = np.log10(per_aa(plane) * LSUN * 1e6)
    columns = " TIME [YR]    WAVELENGTH [A]   LOG TOTAL  LOG STELLAR  LOG NEBULAR  [ERG/SEC/A]"
    lines = [" MODEL DESIGNATION: test", " MODEL GENERATED: Mon Jan  1", "",
             "              COMPUTED SYNTHETIC SPECTRUM", "", columns]  # fmt: skip
    for age, row in zip(AGE_YR, stars):
        for wave, light in zip(WAVE, row):
            logs = [-15.0] * 3 if wave < 912.0 else [light + np.log10(1.5), light, light - 0.3]
            shown = "  ".join(f"{value:10.5f}" for value in logs)
            lines.append(f" {age:10.5E}  {wave:13.2f}    {shown}")
    path.write_text("\n".join(lines) + "\n")
    return path


def fsps(path: Path) -> Path:
    """The last statement of the recipe in `tengri.grids.readers.fsps`."""
    options = {"imf_type": 2, "add_neb_emission": False}
    libraries = [b"mist", b"miles"]
    spec = flux() * (LSUN / 3.839e33)  # FSPS has another Sun
    np.savez(path, wave=WAVE, spec=spec, log_age=np.log10(AGE_YR), zlegend=Z,
             stellar_mass=np.full((2, 4), 0.6), libraries=np.array(libraries, dtype=str),
             **options)  # fmt: skip
    return path
