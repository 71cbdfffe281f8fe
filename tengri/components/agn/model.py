"""What an active nucleus is to the forward model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jax import Array

from tengri.registry import Param

Params = Mapping[str, Array]


@dataclass(frozen=True)
class Templates:
    """A spectrum as a sum of fixed ones, some of them behind dust.

    L_ν/L_bol = fixed @ open + e^{−τ k} (reddened @ screened), all linear but for τ.

    Attributes
    ----------
    open, screened : callable
        ``wave_aa -> (n_template, n_wave)``, L_ν in 1/Hz.
    curve : callable
        ``wave_aa -> k``, (n_wave,): the optical depth per unit of τ.
    weights : callable
        ``p -> (weights of open, weights of screened, τ)``.
    """

    open: Callable[[np.ndarray], np.ndarray]
    screened: Callable[[np.ndarray], np.ndarray]
    curve: Callable[[np.ndarray], np.ndarray]
    weights: Callable[[Params], tuple[Array, Array, Array]]


@dataclass(frozen=True)
class AGNModel:
    """An active nucleus.

    Attributes
    ----------
    name : str
    params : tuple of Param
        Holds ``agn_log_lbol``, log10 of the bolometric luminosity in Lsun.
    spectrum : callable
        ``(wave_aa, p) -> L_nu / L_bol`` in 1/Hz, shape (n_wave,).
    reference : str
    nodes : callable, optional
        ``() -> wavelengths [Å]`` that a grid needs to hold the spectrum between its nodes.
    templates : Templates, optional
        The same spectrum as a sum.
    physics : int
        Counts the changes of what the same parameters mean.
    """

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Params], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None
    templates: Templates | None = None
    physics: int = 1
