"""Sweeps of emission lines through a model that has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis import datasets
from tengri.analysis.sweeps import check_swept, model_title
from tengri.errors import unknown
from tengri.forward.lines import Lines

#: What may be drawn of a line, and its unit.
QUANTITIES = {"luminosity": "erg/s", "flux": "erg/s/cm²", "ew_rest": "Å", "ew_obs": "Å"}
UNITS = {"luminosity": "erg/s", "flux": "erg/(s cm2)", "ew_rest": "Angstrom", "ew_obs": "Angstrom"}
WORDS = {"luminosity": "line luminosity", "flux": "line flux", "ew_rest": "rest equivalent width",
         "ew_obs": "observed equivalent width"}  # fmt: skip


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
    axis_label : str
        Symbol and unit of the parameter, for figures.
    title : str
        Model and base galaxy, for figures.
    """

    axes: dict[str, np.ndarray]
    lines: Lines
    axis_unit: str
    axis_label: str = ""
    title: str = ""

    def ratio(self, above: str, below: str) -> np.ndarray:
        """Return the ratio of two lines' luminosities, (n,)."""
        top, bottom = (np.asarray(self.lines[name].luminosity_lsun) for name in (above, below))
        return top / bottom

    def _columns(self) -> dict[str, tuple[np.ndarray, str]]:
        """Return what is known of the lines, (n, n_line), with units."""
        return {name: (np.asarray(getattr(self.lines, name), np.float64), unit)
                for name, unit in UNITS.items()}  # fmt: skip

    def to_xarray(self) -> Any:
        """Return an ``xarray.Dataset`` on the parameter and ``line``.

        Its variables are ``luminosity``, ``flux``, ``ew_rest`` and ``ew_obs``.

        Raises
        ------
        ConfigError
            Without xarray.
        """
        ((name, _),) = self.axes.items()
        last, units = ("line", self.lines.names), {name: self.axis_unit}
        made = datasets.dataset(self.axes, self._columns(), last, units, {"title": self.title})
        return made.assign_coords(wavelength=("line", self.lines.wavelength))

    def to_table(self) -> Any:
        """Return an astropy ``QTable``: a row for each value, ``LINE_luminosity`` and so on."""
        ((name, _),) = self.axes.items()
        columns = {f"{line}_{key}": (values[:, i], unit)
                   for key, (values, unit) in self._columns().items()
                   for i, line in enumerate(self.lines.names)}  # fmt: skip
        return datasets.table(self.axes, columns, {name: self.axis_unit}, {"title": self.title})

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

        from tengri.analysis import labels

        if quantity not in QUANTITIES:
            raise unknown("quantity of a line", quantity, QUANTITIES)
        ax = ax or plt.subplots(figsize=(7.4, 4.6), layout="constrained")[1]
        ((name, values),) = self.axes.items()
        drawn = np.asarray(getattr(self.lines, quantity), np.float64)
        curves = labels.plot_bands(ax, values, drawn, self.lines.names, cmap)
        if np.any(drawn > 0.0):
            ax.set_yscale("log")
        ax.margins(x=0.0)
        ax.set_xlabel(self.axis_label or name)
        ax.set_ylabel(f"{WORDS[quantity]} [{QUANTITIES[quantity]}]")
        labels.set_title(ax, self.title)
        labels.label_curves(ax, curves, [labels.line_label(name) for name in self.lines.names])
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
    param, title = model.spec.composition.params[name], model_title(model, base, [name])
    return LineSweep({name: axis}, found, param.unit, param.label, title)
