"""Emission lines as columns of a catalogue: ``NAME_flux``, ``_lum``, ``_ew_rest``, ``_ew_obs``.

A line is called in the output as it was asked for: ``--lines Halpha`` makes ``Halpha_flux``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tengri.errors import ConfigError
from tengri.parameters.validate import default_float

#: Ending → attribute of `tengri.forward.lines.Lines`, and unit.
QUANTITIES = {
    "flux": ("flux", "erg/s/cm2"),
    "lum": ("luminosity", "erg/s"),
    "ew_rest": ("ew_rest", "Angstrom"),
    "ew_obs": ("ew_obs", "Angstrom"),
}


def units(names: Sequence[str]) -> dict[str, str]:
    """Return column → unit of the lines ``names``."""
    return {f"{name}_{end}": unit for name in names for end, (_, unit) in QUANTITIES.items()}


def line_dtype(column: str) -> type:
    """Return the type of a column: 1e40 erg/s is beyond single precision."""
    return np.float64 if column.endswith("_lum") else default_float()


def check_lines(model: Any, names: Sequence[str]) -> None:
    """Raise for lines that the model does not have, or that are named twice.

    Raises
    ------
    ConfigError, UnknownNameError
        A model without lines; a name that no line has.
    """
    if names:
        model.line_list.indices(names)
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ConfigError(f"The line {name} is asked for twice.")


def columns_of(model: Any, values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the columns (n,) of lines for parameters (n, …)."""
    lines = model.predict_lines_batch(values)
    return {f"{name}_{end}": np.asarray(getattr(lines[name], attribute))
            for name in names for end, (attribute, _) in QUANTITIES.items()}  # fmt: skip
