"""The galaxy of a sweep: values of all parameters that are not swept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tengri.forward.photometric_model import PhotometricModel


def base_galaxy(
    model: PhotometricModel, base: Mapping[str, Any] | None, axes: Iterable[str]
) -> dict[str, Any]:
    """Return the value of every parameter that rests while those on the axes change.

    Fixed ones, those of ``base``, defaults of priors, and parameters that follow another.
    """
    spec, swept = model.spec, set(axes)
    defaults = {name: spec.get_distribution(name).default for name in spec.free_params}
    values = {**spec.get_fixed_values(), **defaults, **(base or {})}
    swept |= {name for name, source in spec.mirrors.items() if source in swept}
    values |= {name: values.get(source) for name, source in spec.mirrors.items()}
    resting = {name: np.asarray(values[name]) for name in spec.all_params
               if name not in swept and values.get(name) is not None}  # fmt: skip
    return {name: value if value.ndim else value.item() for name, value in resting.items()}


def galaxy_text(galaxy: Mapping[str, Any]) -> str:
    """Return a base galaxy in one line; of an array the shape."""
    return ", ".join(
        f"{name} of shape {np.shape(value)}" if np.ndim(value) else f"{name} = {value:.6g}"
        for name, value in galaxy.items()
    )
