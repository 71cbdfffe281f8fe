"""[α/Fe] of the stars, where their grid has that axis: linear in it between the grid's nodes.

Grids have spectra at a few values of it: two of Vazdekis et al. (2015, MNRAS 449, 1177), five of
Park et al. (2024, arXiv:2410.21375).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jax import Array

from tengri.numerics.interpolation import hat_weights
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

MET_AFE = Param("met_afe", 0.0, Uniform(0.0, 0.4), (-1.0, 1.5), "dex",
                "[α/Fe] of all stars, on a grid of stars that has this axis",
                family="metallicity", symbol=r"$[\alpha/{\rm Fe}]$")  # fmt: skip


@dataclass(frozen=True)
class AlphaEnhancement(Versioned):
    """One [α/Fe] for all stars: see the top of the file."""

    family: ClassVar[str] = "metallicity"

    name: str = "alpha_enhancement"
    params: tuple[Param, ...] = (MET_AFE,)
    reference: str = "linear between the nodes of the grid; Vazdekis+2015, MNRAS 449, 1177"

    def weights(self, p: Mapping[str, Array], nodes: np.ndarray) -> Array:
        """Return the share of each node of [α/Fe], (n_afe,); those of the ends beyond them."""
        return hat_weights(p[MET_AFE.name], nodes)


ALPHA_ENHANCEMENT = AlphaEnhancement()
