"""Sweeps of emission lines through a model that has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis.sweeps import check_swept
from tengri.errors import unknown
from tengri.forward.lines import Lines

#: What may be drawn of a line, and its unit.
QUANTITIES = {"luminosity": "erg/s", "flux": "erg/s/cm²", "ew_rest": "Å", "ew_obs": "Å"}


@dataclass(frozen=True)
class LineSweep:
    """Emission lines as one parameter changes.

    Attributes
    ----------
    axes : dict of str to ndarray
        The parameter and its values (n,).
    lines : Lines
        Of n galaxies, (n, n_line): those that were asked for, or all.
    axis_unit : str
    """

    axes: dict[str, np.ndarray]
    lines: Lines
    axis_unit: str

    def ratio(self, above: str, below: str) -> np.ndarray:
        """Return the ratio of two lines' luminosities, (n,)."""
        top, bottom = (np.asarray(self.lines[name].luminosity_lsun) for name in (above, below))
        return top / bottom

    def plot(
        self, quantity: str = "luminosity", ax: Axes | None = None, cmap: str = "viridis"
    ) -> tuple[Figure, Axes]:
        """Plot a quantity of every line against the parameter.

        Raises
        ------
        UnknownNameError
            A quantity that is not one of ``QUANTITIES``.
        """
        import matplotlib.pyplot as plt

        from tengri.analysis.style import colours

        if quantity not in QUANTITIES:
            raise unknown("quantity of a line", quantity, QUANTITIES)
        (name, values), ax = *self.axes.items(), ax or plt.subplots(figsize=(7, 4.5))[1]
        drawn = np.asarray(getattr(self.lines, quantity), np.float64)
        for i, colour in enumerate(colours(len(self.lines), cmap)):
            ax.plot(values, drawn[:, i], "-", color=colour, label=self.lines.names[i])
        if np.any(drawn > 0.0):
            ax.set_yscale("log")
        ax.set_xlabel(f"{name} [{self.axis_unit}]" if self.axis_unit else name)
        ax.set_ylabel(f"{quantity.replace('_', ' ')} [{QUANTITIES[quantity]}]")
        ax.legend(fontsize=9, ncol=2)
        return ax.figure, ax  # type: ignore[return-value]


def sweep_lines(
    model: Any,
    name: str,
    values: ArrayLike,
    lines: Sequence[str] | None = None,
    base: Mapping[str, float] | None = None,
) -> LineSweep:
    """Return emission lines for several values of one parameter, in one vectorised call.

    Parameters
    ----------
    model : SEDModel
        One with ``predict_lines_batch``.
    name : str
        A parameter that acts in this model; a ``Fixed`` one may be swept.
    values : sequence of float, shape (n,)
    lines : sequence of str, optional
        Names of lines; default all.
    base : mapping, optional
        Values of the free parameters that are not swept.

    Raises
    ------
    ConfigError, UnknownNameError
        A model without lines; a name that no line has.
    ParameterError
        A parameter that cannot be swept, as in `tengri.analysis.sweeps.sweep_photometry`.
    """
    axis, known = check_swept(model, name, values), model.line_list
    chosen = list(known.names if lines is None else lines)
    known.indices(chosen)
    found = model.predict_lines_batch({**(base or {}), name: axis})[chosen]
    return LineSweep({name: axis}, found, model.spec.composition.params[name].unit)
