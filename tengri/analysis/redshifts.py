"""How good photometric redshifts are beside spectroscopic ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: A redshift that is off by more than this share of 1 + z is an outlier.
OUTLIER = 0.15
#: A scale of the normal distribution from its median absolute deviation.
MAD_TO_SIGMA = 1.48


class RedshiftQuality(NamedTuple):
    """Figures of n galaxies.

    Attributes
    ----------
    n : int
        Galaxies with both redshifts.
    sigma_nmad : float
        1.48 times the median of |Δz - median(Δz)| / (1 + z_spec)
        (Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503, eq. 5).
    outliers : float
        Share with |Δz| / (1 + z_spec) > 0.15.
    bias : float
        Median of Δz / (1 + z_spec).
    """

    n: int
    sigma_nmad: float
    outliers: float
    bias: float

    def __str__(self) -> str:
        """Return all figures in a line."""
        return (
            f"σ_NMAD {self.sigma_nmad:.4f}, outliers {100 * self.outliers:.1f} % "
            f"(|Δz|/(1+z) > {OUTLIER}), median Δz/(1+z) {self.bias:+.4f}, n = {self.n}"
        )


def relative_error(z_phot: np.ndarray, z_spec: np.ndarray) -> np.ndarray:
    """Return Δz / (1 + z_spec), NaN where there is no redshift."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(z_spec) & (z_spec > 0.0)
        found: np.ndarray = np.where(known, (z_phot - z_spec) / (1.0 + z_spec), np.nan)
    return found


def quality(z_phot: np.ndarray, z_spec: np.ndarray) -> RedshiftQuality:
    """Return the figures of redshifts (n,); rows without one of the two are left out."""
    off = relative_error(np.asarray(z_phot, float), np.asarray(z_spec, float))
    good = np.isfinite(off)
    off = off[good]
    if not len(off):
        return RedshiftQuality(0, np.nan, np.nan, np.nan)
    # the median of Δz is taken before the division: eq. 5 of the paper
    dz, z = off * (1.0 + np.asarray(z_spec, float)[good]), np.asarray(z_spec, float)[good]
    spread = MAD_TO_SIGMA * float(np.median(np.abs((dz - np.median(dz)) / (1.0 + z))))
    return RedshiftQuality(len(off), spread, float(np.mean(np.abs(off) > OUTLIER)),
                           float(np.median(off)))  # fmt: skip
