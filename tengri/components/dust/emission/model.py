"""What dust emission is to the forward model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jax import Array

from tengri.registry import Param


@dataclass(frozen=True)
class DustEmission:
    """The spectrum of dust emission.

    Attributes
    ----------
    name : str
    params : tuple of Param
    spectrum : callable
        ``(wave_aa, p) -> L_nu / L_IR`` in 1/Hz, shape (n_wave,); its integral over
        frequency is 1.
    reference : str
    nodes : callable, optional
        ``() -> wavelengths [Å]`` between which the spectrum is linear, where it is a table.
    """

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Mapping[str, Array]], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None
