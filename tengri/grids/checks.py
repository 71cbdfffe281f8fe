"""Checks of a grid of stellar populations: shapes, axes, values; each error names the fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tengri.constants import C_AA_PER_S
from tengri.errors import DataError
from tengri.grids.contents import Contents

Array = np.ndarray

REQUIRED = {"ssp_lgmet": 1, "ssp_lg_age_gyr": 1, "ssp_wave": 1, "ssp_flux": 3}
OPTIONAL = {
    "ssp_mass_remaining": 2,
    "ssp_age_edges_gyr": 1,
    "ssp_ionising_photons": 2,
    "ssp_ionising_lg_age_gyr": 2,
    "ssp_flux_behind_gas": 3,
}
EXPECTED = (
    "A DSPS file holds ssp_lgmet (n_met,), ssp_lg_age_gyr (n_age,), ssp_wave (n_wave,) and "
    "ssp_flux (n_met, n_age, n_wave)."
)
#: Negative light below this share of its spectrum's brightest is rounding, and becomes zero.
ROUNDING = 1e-8

# What the numbers of any real grid lie within, in the units of the schema; others are named.
OPTICAL_AA = 3000.0, 1e4
OLDEST_LG_AGE = 2.5  # BPASS ends at 100 Gyr; in log10(age/yr) even the youngest stars are beyond it
HIGHEST_LGMET = -0.5  # a third of all mass in metals; relative to solar, grids reach beyond it
BOLOMETRIC = 1e-4, 1e6  # Lsun/Msun of the brightest population


def check_axes(contents: Contents) -> None:
    """Check everything but the spectra.

    Raises
    ------
    DataError
        Names the file, the dataset and the fix.
    """
    data, path = contents.datasets, contents.path
    shapes = {name: values.shape for name, values in data.items()}
    shapes["ssp_flux"] = contents.flux.shape
    for name, ndim in {**REQUIRED, **OPTIONAL}.items():
        if name in shapes:
            _check_ndim(name, shapes[name], ndim, path)
            if name != "ssp_flux":
                _check_finite(name, data[name], path)
    _check_shapes(shapes, path)
    for name in ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave", "ssp_age_edges_gyr"):
        if name in data and not (np.diff(data[name]) > 0).all():
            raise DataError(
                f"{path}: dataset {name} does not increase strictly. Sort it, and ssp_flux with it."
            )
    _check_values(data, path)
    _check_units(data, path)


def checked_flux(contents: Contents) -> tuple[Contents, dict[int, int]]:
    """Return contents whose spectra are checked as they are read, and what was cleaned by then.

    The second is filled while planes are read: by metallicity, how many values below zero,
    rounding errors, became zero. See `checked_plane` for what it raises.
    """
    lg_age, lgmet = (contents.datasets[name] for name in ("ssp_lg_age_gyr", "ssp_lgmet"))
    cleaned: dict[int, int] = {}

    def checked(i: int, plane: Array) -> Array:
        good, cleaned[i] = checked_plane(plane, lg_age, float(lgmet[i]), contents.path)
        return good

    return replace(contents, flux=contents.flux.then(checked)), cleaned


def cleaned_notes(cleaned: dict[int, int]) -> tuple[str, ...]:
    """Return the note on what `checked_flux` cleaned, if anything."""
    n = sum(cleaned.values())
    return (f"{n} negative values of ssp_flux, rounding errors, were set to zero.",) if n else ()


def checked_plane(plane: Array, lg_age_gyr: Array, lgmet: float, path: Path) -> tuple[Array, int]:
    """Return spectra (n_age, n_wave) without rounding errors below zero, and how many those were.

    Raises
    ------
    DataError
        A NaN or an infinite value: names the first age and the metallicity. Negative light.
    """
    bad = ~np.isfinite(plane)
    if bad.any():
        age = int(np.argmax(bad.any(axis=1)))
        raise DataError(
            f"{path}: dataset ssp_flux holds {np.count_nonzero(bad)} values that are NaN or "
            f"infinite at log10 Z = {lgmet:.4g} (Z = {10**lgmet:.3g}), the first at the age of "
            f"{1e3 * 10 ** lg_age_gyr[age]:.4g} Myr. Replace them, or get a fresh copy."
        )
    negative = plane < 0
    n_negative = int(np.count_nonzero(negative))
    if not n_negative:
        return plane, 0
    if (plane < -ROUNDING * plane.max(axis=1, keepdims=True)).any():
        raise DataError(
            f"{path}: dataset ssp_flux holds {n_negative} negative values at log10 Z = "
            f"{lgmet:.4g} (least {plane.min():.3g}), more than rounding leaves. Get a fresh copy."
        )
    return np.where(negative, plane.dtype.type(0), plane), n_negative


def check_brightness(flux: Array, wave: Array, path: Path) -> None:
    """Raise for spectra (n_met, n_age, n_wave) that are plausible in other units only."""
    width = np.abs(np.diff(C_AA_PER_S / wave.astype(np.float64)))
    brightest = max(float(np.max(plane[..., 1:] @ width)) for plane in flux)
    if not BOLOMETRIC[0] < brightest < BOLOMETRIC[1]:
        per_aa = float(np.max(flux[0][..., 1:] @ np.diff(wave)))
        hint = " In Lsun/Å it would be plausible: multiply by λ²/c." * (
            BOLOMETRIC[0] < per_aa < BOLOMETRIC[1]
        )
        raise DataError(
            f"{path}: dataset ssp_flux makes the brightest population {brightest:.3g} Lsun per "
            f"Msun; {BOLOMETRIC[0]:g}–{BOLOMETRIC[1]:g} is plausible. It must be L_ν in Lsun/Hz "
            f"per Msun formed, not erg/s, and not per Å.{hint}"
        )


def _check_ndim(name: str, shape: tuple[int, ...], ndim: int, path: Path) -> None:
    if len(shape) != ndim or 0 in shape:
        raise DataError(
            f"{path}: dataset {name} has shape {shape}; expected {ndim} dimension(s), "
            f"none of them empty. {EXPECTED}"
        )


def _check_finite(name: str, values: Array, path: Path) -> None:
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: dataset {name} holds {np.count_nonzero(~np.isfinite(values))} values that "
            "are NaN or infinite. Replace them, or get a fresh copy."
        )


def _check_shapes(shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    n_met, n_age, n_wave = (shapes[name][0] for name in ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave"))
    expected = {
        "ssp_flux": (n_met, n_age, n_wave),
        "ssp_mass_remaining": (n_met, n_age),
        "ssp_age_edges_gyr": (n_age + 1,),
        "ssp_ionising_photons": (n_met, n_age),
        "ssp_ionising_lg_age_gyr": (n_met, n_age),
    }
    for name, shape in expected.items():
        if name in shapes and shapes[name] != shape:
            raise DataError(
                f"{path}: dataset {name} has shape {shapes[name]}; the axes of the file "
                f"ask for {shape}. Write it with axes (metallicity, age, wavelength)."
            )
    if n_wave < 2:
        raise DataError(f"{path}: dataset ssp_wave needs two wavelengths or more. {EXPECTED}")


def _check_values(data: dict[str, Array], path: Path) -> None:
    if data["ssp_wave"][0] <= 0:
        raise DataError(f"{path}: dataset ssp_wave must be positive; it is in Å.")
    for name in ("ssp_mass_remaining", "ssp_ionising_photons", "ssp_flux_behind_gas"):
        if name in data and (data[name] < 0).any():
            raise DataError(
                f"{path}: dataset {name} holds {np.count_nonzero(data[name] < 0)} negative "
                f"values (least {data[name].min():.3g}). Set them to zero if they are "
                "numerical noise, else get a fresh copy."
            )
    edges = data.get("ssp_age_edges_gyr")
    if edges is not None and edges[0] != 0:
        raise DataError(f"{path}: dataset ssp_age_edges_gyr must start at 0.")


def _check_units(data: dict[str, Array], path: Path) -> None:
    """Raise for axes that are plausible in other units only."""
    wave, lg_age, lgmet = (data[n] for n in ("ssp_wave", "ssp_lg_age_gyr", "ssp_lgmet"))
    if not (wave[0] < OPTICAL_AA[1] and wave[-1] > OPTICAL_AA[0]):
        raise DataError(
            f"{path}: dataset ssp_wave runs from {wave[0]:g} to {wave[-1]:g}, without anything "
            f"optical ({OPTICAL_AA[0]:g}–{OPTICAL_AA[1]:g} Å). It must be in Å: µm × 10⁴, nm × 10."
        )
    if lg_age[-1] > OLDEST_LG_AGE:
        raise DataError(
            f"{path}: dataset ssp_lg_age_gyr reaches {lg_age[-1]:g}. It must "
            "be log10 of the age in Gyr: subtract 9 from log10(age/yr), take log10 of plain ages."
        )
    if lgmet[-1] > HIGHEST_LGMET:
        fix = (
            "These look like Z itself: take log10."
            if lgmet[0] > 0
            else "Add log10 of the grid's solar Z to values relative to solar, or say which it "
            "is: load_ssp_data(…, zsun=0.0142)."
        )
        raise DataError(
            f"{path}: dataset ssp_lgmet reaches {lgmet[-1]:g}. It must be log10 of the absolute "
            f"metal fraction Z. {fix}"
        )
