"""The galaxy of a sweep: values of all parameters that are not swept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tengri.registry import Param

if TYPE_CHECKING:
    from tengri.forward.photometric_model import PhotometricModel

#: Printed signs of a line of a title.
TITLE_WIDTH = 92


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


def galaxy_title(model: str, galaxy: Mapping[str, Any], params: Mapping[str, Param]) -> str:
    """Return the model and its base galaxy, in symbols, wrapped to the width of a figure."""
    parts = [model] if model else []
    for name, value in galaxy.items():
        if not np.ndim(value):
            label, bracket, unit = (params[name].label if name in params else name).partition(" [")
            # blanks that do not break keep "symbol = value unit" together
            text = f"{label} = {float(value):.4g}{bracket and chr(160) + unit.removesuffix(']')}"
            parts.append(text.replace(" ", "\u00a0"))
    lengths = [len(re.sub(r"\\[a-z]+|[${}_^]", "", part)) for part in parts]
    return "\n".join(", ".join(line) for line in _wrapped(parts, lengths))


def _wrapped(parts: Sequence[str], lengths: Sequence[int]) -> list[list[str]]:
    """Return parts in lines of at most ``TITLE_WIDTH`` printed signs."""
    lines: list[list[str]] = []
    used = TITLE_WIDTH
    for part, length in zip(parts, lengths):
        if used + length + 2 > TITLE_WIDTH:
            lines.append([])
            used = 0
        lines[-1].append(part)
        used += length + 2
    return lines
