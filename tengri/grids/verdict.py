"""The verdict on a grid: what is measured on its spectra, against what its file and name say.

The spectra decide, unless the user says otherwise by keyword. What would make every number wrong
(air, relative metallicities, light per Å, stars that never stop forming) is an error that names the
keyword or the conversion; a statement that the spectra contradict is told, as is what they leave
open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tengri.errors import DataError
from tengri.grids import bc03
from tengri.grids.contents import Contents
from tengri.grids.facts import facts, gas_by_name
from tengri.grids.measurement import BALMER_LG_AGE, LG_SOLAR, Measured, Sample, measure, nearest

Array = np.ndarray

BIRTH_MYR = 10.0


@dataclass(frozen=True)
class Verdict:
    """What a grid is taken to be, and why.

    Attributes
    ----------
    gas : bool
        Whether nebular light is taken to be part of the spectra.
    measured : Measured
    contradictions : tuple of str
        Statements of file or name that the spectra do not bear out.
    notes : tuple of str
        What was done, is missing or cannot be told.
    problems : tuple of str
        Why the grid cannot be used as it is, and the fix; none of a grid that can.
    """

    gas: bool
    measured: Measured
    contradictions: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def sample_of(contents: Contents) -> Sample:
    """Return the populations on which a grid is judged, reading one plane at a time."""
    data = contents.datasets
    axes = (np.asarray(data[n], np.float64) for n in ("ssp_wave", "ssp_lg_age_gyr", "ssp_lgmet"))
    wave, lg_age, lgmet = axes
    i, j = nearest(lgmet, LG_SOLAR), nearest(lg_age, 1.0)
    poor = contents.flux.read(0)[nearest(lg_age, BALMER_LG_AGE)]
    old = np.stack([contents.flux.read(k)[j] for k in range(len(lgmet))])
    return Sample(wave, lg_age, lgmet, contents.flux.read(i), old, poor, i)


def judge(contents: Contents, sample: Sample, stated: Mapping[str, Any]) -> Verdict:
    """Return the verdict on contents whose spectra are sampled; ``stated`` by the user."""
    found = measure(sample)
    by_name = gas_by_name(contents.path.name)
    said = contents.gas if contents.gas is not None else by_name
    gas = stated.get("nebular", found.gas if found.gas is not None else bool(said))
    return Verdict(
        gas=bool(gas),
        measured=found,
        contradictions=tuple(_contradictions(contents, found, by_name, stated)),
        notes=(*contents.notes, *_notes(contents, found, said, stated)),
        problems=tuple(_problems(contents, found, stated)),
    )


def accepted(contents: Contents, verdict: Verdict, stated: Mapping[str, Any]) -> Contents:
    """Return contents as they are used: in vacuum, with the facts that travel.

    Raises
    ------
    DataError
        The verdict has a problem.
    """
    if verdict.problems:
        raise DataError(f"{contents.path}: {' '.join(verdict.problems)}")
    attrs = {**contents.attrs, **facts(contents.attrs, contents.path.stem)}
    if "imf" in stated:
        attrs["imf"] = stated["imf"]
    if stated.get("vacuum", True):
        return replace(contents, attrs=attrs)
    wave = bc03.vacuum(np.asarray(contents.datasets["ssp_wave"], np.float64))
    return replace(contents, datasets={**contents.datasets, "ssp_wave": wave}, attrs=attrs)


def described(contents: Contents, verdict: Verdict) -> list[tuple[str, str]]:
    """Return the verdict as (property, finding) in words."""
    found, data = verdict.measured, contents.datasets
    rows = [
        ("light", _light(verdict)),
        ("ionising light", _ionising(found)),
        ("wavelengths", _wavelengths(found, data["ssp_wave"])),
        ("metallicity", _metallicity(found, data["ssp_lgmet"])),
        ("ages", _ages(data["ssp_lg_age_gyr"])),
        ("spectra", "per Å" if found.per_aa else "L_ν" if found.per_aa is False else "not told"),
        ("surviving mass", "in the file" if "ssp_mass_remaining" in data else "none"),
    ]
    if contents.lines is not None:
        rows.append(("lines", f"{len(contents.lines.names)} beside the spectra [Lsun/Msun]"))
    known = facts(contents.attrs, contents.path.stem)
    rows += [(name, str(value)) for name, value in known.items()]
    return rows


def _light(verdict: Verdict) -> str:
    found = verdict.measured
    if found.gas is None:
        measured = "the spectra do not tell"
    else:
        signs = [] if found.halpha_aa is None else [f"Hα {found.halpha_aa:+.0f} Å"]
        signs += [] if found.jump is None else [f"L_ν(3500 Å)/L_ν(4200 Å) {found.jump:.2f}"]
        measured = f"{', '.join(signs)} at the youngest ages"
    logu = "" if found.logu is None else f", logU ≈ {found.logu:.1f}"
    return f"{'stars and gas' if verdict.gas else 'stars alone'}{logu} ({measured})"


def _ionising(found: Measured) -> str:
    if found.ionising is None:
        return "not covered"
    return f"{found.ionising} (10^{found.lg_photons:.1f} photons per erg/Hz at 1500 Å)"


def _wavelengths(found: Measured, wave: Array) -> str:
    span = f"{wave[0]:.4g}–{wave[-1]:.4g} Å"
    if found.offset_aa is None or found.air is None:
        return f"{span}; the spectra do not tell air from vacuum"
    place = "in air" if found.air else "in vacuum"
    return f"{span}, {place} (Balmer lines {found.offset_aa:+.2f} Å from vacuum)"


def _metallicity(found: Measured, lgmet: Array) -> str:
    span = f"{len(lgmet)}, Z = {10 ** lgmet[0]:.3g}–{10 ** lgmet[-1]:.3g}"
    if found.lgmet_excess is None:
        return f"{span}; the spectra do not tell"
    kind = "relative to solar" if found.relative else "absolute"
    return f"{span}, {kind} (stated − measured by the 4000 Å break: {found.lgmet_excess:+.2f} dex)"


def _ages(lg_age: Array) -> str:
    return f"{len(lg_age)}, {1e3 * 10 ** lg_age[0]:.3g} Myr–{10 ** lg_age[-1]:.3g} Gyr"


def _contradictions(
    contents: Contents, found: Measured, by_name: bool | None, stated: Mapping[str, Any]
) -> list[str]:
    if found.gas is None:
        return []
    spectra = "stars and gas" if found.gas else "stars alone"
    places = {"its file": contents.gas, "its name": by_name, "nebular=": stated.get("nebular")}
    return [
        f"{place} says {'stars and gas' if said else 'stars alone'}, the spectra are {spectra}"
        for place, said in places.items()
        if said is not None and said is not found.gas
    ]


def _notes(
    contents: Contents, found: Measured, said: bool | None, stated: Mapping[str, Any]
) -> list[str]:
    notes = []
    if found.gas is None and said is None and "nebular" not in stated:
        notes.append("Neither spectra nor file tell whether there is gas: taken as stars alone. "
                     "Say nebular=True if there is.")  # fmt: skip
    if found.gas and found.ionising == "kept":
        notes.append("Gas shines, yet the ionising light is kept: some of it was let out, or it "
                     "counts twice.")  # fmt: skip
    if found.youngest_myr > BIRTH_MYR:
        notes.append(f"No stars younger than {found.youngest_myr:.3g} Myr: younger ones get the "
                     "light of that age, and no gas can be lit.")  # fmt: skip
    if found.air is None and contents.vacuum is None and "vacuum" not in stated:
        notes.append("The spectra do not tell air from vacuum: taken as vacuum.")
    if "ssp_mass_remaining" not in contents.datasets:
        notes.append("No surviving mass: stellar masses are masses formed.")
    if found.fading is False and contents.layout != "starburst99":
        notes.append("Light at 1500 Å does not fall with age as that of stars formed at once.")
    return notes


def _problems(contents: Contents, found: Measured, stated: Mapping[str, Any]) -> list[str]:
    problems = []
    if found.air and "vacuum" not in stated:
        problems.append(
            f"wavelengths are in air: the Balmer lines lie {found.offset_aa:+.2f} Å from their "
            "places in vacuum. Convert them, load_ssp_data(…, vacuum=False), or overrule this, "
            "vacuum=True."
        )
    if found.relative:
        problems.append(
            "metallicities are relative to solar: by its 4000 Å breaks the grid is "
            f"{found.lgmet_excess:.1f} dex poorer than ssp_lgmet says. Say which solar value it "
            "has: load_ssp_data(…, zsun=0.0142)."
        )
    if found.per_aa:
        problems.append(
            "dataset ssp_flux is per Å, by the slopes of the ultraviolet of young and the infrared "
            "of old stars. It must be L_ν in Lsun/Hz per Msun formed: multiply by λ²/c."
        )
    if found.fading is False and contents.layout == "starburst99":
        problems.append(
            "the light at 1500 Å does not fall with age: the run formed stars continuously. Run it "
            "with a fixed mass."
        )
    return problems
