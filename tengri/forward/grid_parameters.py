"""Free parameters that a grid of stars cannot answer for: an error, not a flat direction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from tengri.components.composition import Composition
from tengri.components.stellar.alpha import MET_AFE
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import ConfigError
from tengri.parameters import Parameters
from tengri.priors import Distribution, Uniform

Ends = Callable[[Distribution], tuple[float, float]]

#: Probability of a prior at each end that may lie off the grid.
TAIL = 1e-3
ROUNDING_DEX = 1e-6


def grid_ranges(composition: Composition, metals: MetalNodes) -> dict[str, tuple[float, float]]:
    """Return the ends of the grid for each parameter that lies on an axis of it."""
    if not composition.has_stars:
        return {}
    lgmet = metals.lgmet - LOG10_ZSUN
    ranges = {name: _ends(lgmet) for name in composition.metallicity.logzsol_names}
    return {**ranges, MET_AFE.name: _ends(metals.afe)} if composition.alpha else ranges


def check_metals(spec: Parameters, ssp: SSPData) -> None:
    """Raise for a free metallicity on a grid that has one, and for [α/Fe] on one side only.

    Raises
    ------
    ConfigError
        Names the parameter and the grid.
    """
    _check_alpha(spec, ssp)
    if len(ssp.ssp_lgmet) > 1:
        return
    names = [name for name in _free_metals(spec) if name != MET_AFE.name]
    if names:
        raise ConfigError(
            f"{' and '.join(names)} changes nothing on the grid {ssp.name}, which has one "
            f"metallicity (Z = {10 ** ssp.ssp_lgmet[0]:.3g}): fix it, or take a grid of several."
        )


def check_prior(spec: Parameters, ssp: SSPData, ends: Ends | None = None) -> None:
    """Raise for the prior of a metallicity that leaves the grid: beyond it nothing is learnt.

    Parameters
    ----------
    spec, ssp
        Of one model.
    ends : callable, optional
        The range of a prior that counts; default: all but ``TAIL`` of its probability at each end.

    Raises
    ------
    ConfigError
        Names the parameter, both ranges and the one to take.
    """
    if sentences := _off_grid(spec, ssp, ends or _central):
        raise ConfigError(" ".join(sentences))


def warn_of_prior(spec: Parameters, ssp: SSPData) -> None:
    """Warn where `check_prior` raises."""
    if sentences := _off_grid(spec, ssp, _central):
        warnings.warn(" ".join(sentences), stacklevel=3)


def on_grid(spec: Parameters, ssp: SSPData) -> Parameters:
    """Return a spec whose uniform priors of metallicities end where the grid does."""
    ended, ranges = {}, grid_ranges(spec.composition, ssp.metals)
    for name in _free_metals(spec):
        prior, (low, high) = spec.get_distribution(name), ranges[name]
        within = max(prior.bounds[0], low), min(prior.bounds[1], high)
        if isinstance(prior, Uniform) and within != prior.bounds:
            ended[name] = within
    return spec.with_params(**ended) if ended else spec


def _free_metals(spec: Parameters) -> list[str]:
    return [name for name in spec.composition.grid_bounded if name in spec.free_params]


def _check_alpha(spec: Parameters, ssp: SSPData) -> None:
    has, asked = bool(ssp.ssp_afe.size), spec.composition.alpha is not None
    if asked and not has:
        raise ConfigError(
            f"{MET_AFE.name} changes nothing on the grid {ssp.name}, which has no axis [α/Fe]: "
            "leave it out, or take a grid that has one, load_ssp_data(…, afe='free')."
        )
    if has and not asked and spec.composition.has_stars:
        first, last = ssp.ssp_afe[[0, -1]]
        raise ConfigError(
            f"The grid {ssp.name} has an axis [α/Fe] ({first:g} to {last:g}): give "
            f"{MET_AFE.name} in Parameters(…), a value or a prior, or fix it: "
            "load_ssp_data(…, afe=0)."
        )


def _ends(nodes: np.ndarray) -> tuple[float, float]:
    return float(nodes[0]), float(nodes[-1])


def _central(prior: Distribution) -> tuple[float, float]:
    return float(prior.from_unit(TAIL)), float(prior.from_unit(1.0 - TAIL))


def _off_grid(spec: Parameters, ssp: SSPData, ends: Ends) -> list[str]:
    """Return a sentence for each prior that leaves the grid."""
    sentences, ranges = [], grid_ranges(spec.composition, ssp.metals)
    for name in _free_metals(spec):
        prior, (low, high) = spec.get_distribution(name), ranges[name]
        if low <= prior.bounds[0] and prior.bounds[1] <= high:  # quantiles compile something
            continue
        first, last = ends(prior)
        if first < low - ROUNDING_DEX or last > high + ROUNDING_DEX:
            lo, hi = prior.bounds
            sentences.append(
                f"The prior of {name} runs from {lo:g} to {hi:g}, the grid {ssp.name} from "
                f"{low:.2f} to {high:.2f}; beyond it there are no stars but those of its ends. End "
                f"the prior there: {name} = ({_up(max(lo, low)):.2f}, {-_up(-min(hi, high)):.2f})."
            )
    return sentences


def _up(value: float) -> float:
    """Return a value rounded up to the hundredth, so that the range shown lies on the grid."""
    return math.ceil(100.0 * value - 1e-9) / 100.0
