"""What an active nucleus is to the forward model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jax import Array

from tengri.registry import Param


@dataclass(frozen=True)
class AGNModel:
    """An active nucleus.

    Attributes
    ----------
    name : str
    params : tuple of Param
        Holds ``agn_log_lbol``, log10 of the bolometric luminosity in Lsun.
    spectrum : callable
        ``(wave_aa, p) -> L_nu / L_bol`` in 1/Hz, shape (n_wave,); its integral over
        frequency is 1.
    reference : str
    """

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Mapping[str, Array]], Array]
    reference: str
