"""Sweeps, grids and redshift tracks through any photometric model, exact or emulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis import datasets
from tengri.analysis.galaxy import base_galaxy, galaxy_title
from tengri.components.composition import SETTINGS
from tengri.errors import ConfigError, ParameterError, suggestion, unknown
from tengri.forward.photometric_model import PhotometricModel
from tengri.forward.units import magnitudes

#: Units of fluxes that astropy calls by other names.
ASTROPY_UNITS = {"erg/s/cm2/Hz": "erg/(s cm2 Hz)", "mag_ab": "mag(AB)", "maggies": "3631 Jy"}


@dataclass(frozen=True)
class BandTable:
    """Band fluxes on some axes; the last axis of ``flux`` is the band.

    Attributes
    ----------
    axes : dict of str to ndarray
        Parameter values, one entry per leading axis of ``flux``.
    flux : ndarray, shape (…, n_bands)
    bands : tuple of str
    units : str
        Unit of ``flux``.
    axis_units : dict of str to str
    axis_labels : dict of str to str
        Symbol and unit of each axis, for figures.
    title : str
        Model and base galaxy, for figures.
    """

    axes: dict[str, np.ndarray]
    flux: np.ndarray
    bands: tuple[str, ...]
    units: str
    axis_units: dict[str, str]
    axis_labels: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def magnitudes(self) -> np.ndarray:
        """Return AB magnitudes, the shape of ``flux``; fluxes that are not positive give NaN."""
        return magnitudes(self.flux, self.units)

    def band(self, name: str) -> np.ndarray:
        """Return the AB magnitudes in one band, the shape of the axes."""
        if name not in self.bands:
            raise unknown("band", name, self.bands)
        return self.magnitudes()[..., self.bands.index(name)]

    def colour(self, blue: str, red: str) -> np.ndarray:
        """Return ``blue − red`` [AB mag], the shape of the axes."""
        return self.band(blue) - self.band(red)

    def to_xarray(self) -> Any:
        """Return an ``xarray.Dataset``: ``flux`` and AB ``magnitude`` on the axes and ``band``.

        Raises
        ------
        ConfigError
            Without xarray.
        """
        columns = {"flux": (self.flux, self.units), "magnitude": (self.magnitudes(), "mag_ab")}
        facts = {"title": self.title}
        return datasets.dataset(self.axes, columns, ("band", self.bands), self.axis_units, facts)

    def to_table(self) -> Any:
        """Return an astropy ``QTable``: a row for each point, a column of flux for each band."""
        unit = ASTROPY_UNITS.get(self.units, self.units)
        columns = {band: (self.flux[..., i], unit) for i, band in enumerate(self.bands)}
        return datasets.table(self.axes, columns, self.axis_units, {"title": self.title})

    def label(self, axis: str) -> str:
        """Return the axis label of a figure: symbol and unit, or the name."""
        return self.axis_labels.get(axis, axis)


@dataclass(frozen=True)
class Sweep(BandTable):
    """One parameter swept: ``flux`` is (n, n_bands)."""

    def plot(self, ax: Axes | None = None, cmap: str = "viridis") -> tuple[Figure, Axes]:
        """Plot the magnitude in every band against the parameter, bright at the top.

        Bands are named beside their curves.
        """
        import matplotlib.pyplot as plt

        from tengri.analysis import labels

        (name, values), ax = *self.axes.items(), ax or _new_axes(plt, (7.4, 4.6))
        curves = labels.plot_bands(ax, values, self.magnitudes(), self.bands, cmap)
        ax.invert_yaxis()
        ax.margins(x=0.0)
        ax.set_xlabel(self.label(name))
        ax.set_ylabel("AB magnitude")
        labels.set_title(ax, self.title)
        labels.label_curves(ax, curves, [labels.band_label(band) for band in self.bands])
        return ax.figure, ax  # type: ignore[return-value]


@dataclass(frozen=True)
class Track(Sweep):
    """One galaxy moved through redshift: ``flux`` is (n, n_bands)."""

    def plot_colours(
        self, x: tuple[str, str], y: tuple[str, str], ax: Axes | None = None, cmap: str = "viridis"
    ) -> tuple[Figure, Axes]:
        """Plot colour ``y`` against colour ``x``; each is (bluer band, redder band)."""
        import matplotlib.pyplot as plt

        from tengri.analysis import labels

        ax = ax or _new_axes(plt, (6.5, 5))
        across, up = self.colour(*x), self.colour(*y)
        ax.plot(across, up, color="0.6", lw=0.8, zorder=0)
        points = ax.scatter(across, up, c=self.axes["redshift"], cmap=cmap, s=28)
        ax.figure.colorbar(points, ax=ax, label=self.label("redshift"))
        ax.set_xlabel(labels.colour_label(*x))
        ax.set_ylabel(labels.colour_label(*y))
        labels.set_title(ax, self.title)
        return ax.figure, ax  # type: ignore[return-value]


@dataclass(frozen=True)
class Grid(BandTable):
    """Two parameters on a mesh: ``flux`` is (n_first, n_second, n_bands)."""

    def plot(
        self, blue: str, red: str, ax: Axes | None = None, cmap: str = "viridis"
    ) -> tuple[Figure, Axes]:
        """Plot the colour ``blue − red`` over the two parameters."""
        if len(self.axes) != 2:
            raise ConfigError(f"A map needs two axes; this grid has {len(self.axes)}.")
        import matplotlib.pyplot as plt

        from tengri.analysis import labels

        ax = ax or _new_axes(plt, (7, 5))
        (x_name, x), (y_name, y) = self.axes.items()
        image = ax.pcolormesh(x, y, self.colour(blue, red).T, cmap=cmap, shading="nearest")
        ax.figure.colorbar(image, ax=ax, label=labels.colour_label(blue, red))
        ax.set_xlabel(self.label(x_name))
        ax.set_ylabel(self.label(y_name))
        labels.set_title(ax, self.title)
        return ax.figure, ax  # type: ignore[return-value]


def sweep_photometry(
    model: PhotometricModel,
    name: str,
    values: ArrayLike,
    base: Mapping[str, float] | None = None,
) -> Sweep:
    """Return the band fluxes for several values of one parameter, in one vectorised call.

    Parameters
    ----------
    model : PhotometricModel
        Exact or emulated.
    name : str
        A parameter that acts in this model; a ``Fixed`` one may be swept.
    values : sequence of float, shape (n,)
    base : mapping, optional
        Values of the free parameters that are not swept.
    """
    axis = check_swept(model, name, values)
    return Sweep({name: axis}, **_evaluate(model, base, {name: axis}))


def redshift_track(
    model: PhotometricModel, z: ArrayLike, base: Mapping[str, float] | None = None
) -> Track:
    """Return the band fluxes of one galaxy at several redshifts; see `sweep_photometry`."""
    axis = check_swept(model, "redshift", z)
    return Track({"redshift": axis}, **_evaluate(model, base, {"redshift": axis}))


def grid_photometry(
    model: PhotometricModel,
    axes: Mapping[str, ArrayLike],
    base: Mapping[str, float] | None = None,
) -> Grid:
    """Return the band fluxes on the mesh of several parameters.

    Parameters
    ----------
    model : PhotometricModel
        Exact or emulated.
    axes : mapping
        Parameter name to values, in the order of the result's axes.
    base : mapping, optional
        Values of the free parameters that are not on the mesh.
    """
    if not axes:
        raise ParameterError("A grid needs at least one axis: {'met_logzsol': [-1, 0]}.")
    checked = {name: check_swept(model, name, values) for name, values in axes.items()}
    mesh = np.meshgrid(*checked.values(), indexing="ij")
    batch = {name: m.ravel() for name, m in zip(checked, mesh)}
    found = _evaluate(model, base, batch)
    return Grid(checked, **found | {"flux": found["flux"].reshape(*mesh[0].shape, -1)})


def _evaluate(
    model: PhotometricModel, base: Mapping[str, Any] | None, swept: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return what a `BandTable` holds beside its axes."""
    params = {name: model.spec.composition.params[name] for name in swept}
    flux = np.asarray(model.predict_photometry_batch({**(base or {}), **swept}))
    return {
        "flux": flux,
        "bands": model.filter_names,
        "units": model.units,
        "axis_units": {name: param.unit for name, param in params.items()},
        "axis_labels": {name: param.label for name, param in params.items()},
        "title": model_title(model, base, swept),
    }


def model_title(model: Any, base: Mapping[str, Any] | None, swept: Iterable[str]) -> str:
    """Return the title of a figure: model, SSP grid, base galaxy."""
    name = f"{type(model).__name__} on {model.ssp_name}"
    return galaxy_title(name, base_galaxy(model, base, swept), model.spec.composition.params)


def check_swept(model: Any, name: str, values: ArrayLike) -> np.ndarray:
    """Return ``values`` as an array if ``name`` can be swept over them in ``model``.

    Raises
    ------
    ParameterError, UnknownNameError
        A setting, an unknown or inert name, nothing to sweep, values that are not finite numbers.
    """
    _check_name(model, name)
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"Values of {name} must be numbers, got {values!r}.") from None
    if array.ndim != 1 or array.size == 0:
        raise ParameterError(f"Give a list of values of {name}; got shape {array.shape}.")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array))
        raise ParameterError(f"Values of {name} must be finite; entry {bad[0]} is {array[bad[0]]}.")
    return array


def _check_name(model: Any, name: str) -> None:
    active = model.spec.composition.params
    if name in active:
        if active[name].shape:
            raise ParameterError(
                f"{name} is an array of shape {active[name].shape}: it has no axis."
            )
        return
    if name in SETTINGS:
        raise ParameterError(
            f"{name} is a setting, not a number: compare its choices with "
            "tengri.analysis.plotting.sweep_setting(spec, ssp, ...)."
        )
    if name in model.spec.inert:
        raise ParameterError(f"{name} has no effect in this model, so a sweep would be flat.")
    raise ParameterError(f"Unknown parameter {name!r}.{suggestion(name, active)}")


def colour(flux: Any, blue: str, red: str, bands: Sequence[str] | None = None) -> np.ndarray:
    """Return ``blue − red`` [AB mag].

    Parameters
    ----------
    flux : BandTable, or array of shape (..., n_bands)
        A sweep, grid or track, or fluxes in any linear unit.
    blue, red : str
        Band names.
    bands : sequence of str
        Names along the last axis; needed for a plain array.
    """
    if isinstance(flux, BandTable):
        return flux.colour(blue, red)
    if bands is None:
        raise ParameterError("A plain array has no band names: give bands=model.filter_names.")
    names = tuple(bands)
    for name in (blue, red):
        if name not in names:
            raise unknown("band", name, names)
    flux = np.asarray(flux)
    ratio = flux[..., names.index(blue)] / flux[..., names.index(red)]
    return -2.5 * np.log10(ratio)


def _new_axes(plt: Any, size: tuple[float, float]) -> Any:
    """Return the axes of a new figure in which labels and titles have room."""
    return plt.subplots(figsize=size, layout="constrained")[1]
