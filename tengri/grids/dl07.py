"""Dust emission templates of Draine & Li (2007, ApJ 657, 810), from the wheel.

Images ``QPAH_x.xx`` of two files (1001 wavelengths; the first column is the wavelength): dust in
a single radiation field U = Umin, and dust in a power law dM/dU ∝ U⁻² from Umin to 10⁶. Power per
Å and hydrogen nucleon on the scale of the published tables, so that the power of the first kind is
proportional to Umin. There are 22 values of Umin: unlike the published tables, the wheel has no
Umin = 10, although it names 23 values elsewhere; the proportionality shows which one is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tengri.errors import DataError
from tengri.grids.bc03 import C_AA_PER_S, FOLDER, images_of
from tengri.grids.compact import rounded

CITATION = "Draine & Li 2007, ApJ 657, 810; Draine et al. 2007, ApJ 663, 866"
CONTENT = (
    "umin_only: single radiation field Umin; umin_umax: dM/dU ~ U^-2 from Umin to 1e6; axes "
    "(qpah, umin, wave). Mix as (1 - gamma) * umin_only + gamma * umin_umax."
)
_UMIN = "0.1 0.15 0.2 0.3 0.4 0.5 0.7 0.8 1 1.2 1.5 2 2.5 3 4 5 7 8 12 15 20 25"
UMIN = np.array([float(u) for u in _UMIN.split()])
UNITS = {
    "wave": "Angstrom, vacuum, rest",
    "umin": "radiation field of the solar neighbourhood",
    "qpah": "per cent of the dust mass in PAHs",
    "umin_only": "relative L_nu per hydrogen nucleon; power proportional to U",
    "umin_umax": "relative L_nu per hydrogen nucleon; power proportional to mean U",
}

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class DustGrid:
    """Relative L_ν (n_qpah, n_umin, n_wave) of the two kinds of template."""

    wave: Array
    qpah: Array
    umin_only: Array
    umin_umax: Array


def read(wheel: Path) -> DustGrid:
    """Return the templates of the wheel, per unit frequency, with power 1 at Umin = 1."""
    only, power_law = (
        images_of(wheel, f"{FOLDER}dl07_grids_{kind}_no_norm.fits")
        for kind in ("umin_only", "umin_umax")
    )
    names = sorted(only, key=lambda name: float(name.removeprefix("QPAH_")))
    wave = only[names[0]][:, 0].astype(np.float64)
    cubes = [
        np.stack([g[name][:, 1:].T.astype(np.float64) for name in names]) for g in (only, power_law)
    ]
    power = np.asarray(np.trapezoid(cubes[0], wave))
    _check_umin(power)
    scale = power[:, list(UMIN).index(1.0)][:, None, None]
    per_hz = wave**2 / C_AA_PER_S
    qpah = np.array([float(name.removeprefix("QPAH_")) for name in names])
    return DustGrid(wave, qpah, cubes[0] / scale * per_hz, cubes[1] / scale * per_hz)


def _check_umin(power: Array) -> None:
    if power.shape[1] != len(UMIN) or np.abs(power / power[:, [8]] / UMIN - 1.0).max() > 0.01:
        raise DataError("The dust templates are not those of the known Umin: power is not ∝ Umin.")


def datasets(grid: DustGrid) -> dict[str, Array]:
    """Return what is written."""
    return {
        "wave": grid.wave,
        "umin": UMIN,
        "qpah": grid.qpah,
        "umin_only": rounded(grid.umin_only),
        "umin_umax": rounded(grid.umin_umax),
    }
