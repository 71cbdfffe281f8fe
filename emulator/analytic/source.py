"""Light of one galaxy in the bands, at the source."""

from __future__ import annotations

from typing import NamedTuple

from jax import Array

#: log10 of a typical L_ν of one unit of absorbed light [1/Hz].
LOG10_PER_HZ = -15.0


class SourceBands(NamedTuple):
    """Band fluxes ``flux * 10**log10_scale`` [Lsun/Hz at the source] of one galaxy.

    ``flux`` (n_bands,) is of order one; ``log10_mass`` is the mass formed [Msun], None where the
    target does not need it; ``absorbed`` what dust absorbs, in the unit of flux per 1e-15 Hz⁻¹,
    None where all light is in ``flux``; ``lya`` the peak of what escapes of Lyα, in the unit of
    flux, None where it is in ``flux`` or there is none.
    """

    log10_scale: Array
    flux: Array
    log10_mass: Array | None
    absorbed: Array | None = None
    lya: Array | None = None
