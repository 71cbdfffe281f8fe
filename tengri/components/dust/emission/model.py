"""Interface of dust-emission models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from jax import Array

from tengri.components.dust.emission import cmb
from tengri.errors import ConfigError
from tengri.registry import Param, Versioned


@dataclass(frozen=True)
class TemplateGrid:
    """A spectrum that is the sum of the templates at the four corners of a cell of a table.

    Attributes
    ----------
    shapes : callable
        ``wave_aa -> (n_a, n_b, n_kind, n_wave)``, L_nu / L_IR [1/Hz] of every template.
    corner : callable
        ``p -> ((a, b), weights)``: the cell's first node, and the share of L_IR in each template
        at its corners, (2, 2, n_kind).
    """

    shapes: Callable[[np.ndarray], np.ndarray]
    corner: Callable[[Mapping[str, Array]], tuple[tuple[Array, Array], Array]]


@dataclass(frozen=True)
class DustEmission(Versioned):
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
    grid : TemplateGrid, optional
        The same spectrum as a few templates of many.
    seen : callable, optional
        ``spectrum`` of dust that the microwave background heats and is behind of, where p holds
        the redshift: see `tengri.components.dust.emission.cmb`.
    """

    family: ClassVar[str] = "dust"

    name: str
    params: tuple[Param, ...]
    spectrum: Callable[[np.ndarray, Mapping[str, Array]], Array]
    reference: str
    nodes: Callable[[], np.ndarray] | None = None
    grid: TemplateGrid | None = None
    seen: Callable[[np.ndarray, Mapping[str, Array]], Array] | None = None

    def before_background(self) -> Self:
        """Return the emission as it is seen against the microwave background.

        Raises
        ------
        ConfigError
            The model does not say what the background does to it.
        """
        if self.seen is None:
            raise ConfigError(
                f"dust_emission={self.name!r} does not say what the microwave background does to "
                "it: leave cmb='none', or take a model with `seen`, e.g. 'modified_blackbody'."
            )
        reference = f"{self.reference}; {cmb.REFERENCE}"
        return replace(self, spectrum=self.seen, grid=None, reference=reference)
