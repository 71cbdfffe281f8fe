r"""A table of light at the nodes of bands, from the exact model: what `band_nodes` reads.

The exact model integrates light that is linear between wavelengths λ_i, with weights P_i(z) of each
band, the intergalactic medium in them. So the light at the nodes of a band is

.. math:: W_{qs}(z) = \sum_i P_i(z)\, \ell_q(\lambda_i (1 + z))\, S_{si} ,

which is reduced to eigenspectra and fitted by splines in ln(1 + z), in float64. Young and old
populations have eigenspectra of their own, for they are behind other screens.

Shapes: n_node nodes of all bands; n_young or n_old populations, n_wave rest wavelengths; n_r
eigenspectra. Columns of the table: nodes times eigenspectra of the young, then of the old, then the
profile of Lyα in the bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import LOG10_PER_HZ
from emulator.networks import Weights
from emulator.scaling import OutputScaling
from emulator.tabulated import eigenspectra, quadrature
from tengri.constants import C_AA_PER_S
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.numerics import splines

#: log10 of a typical L_ν [Lsun/Hz] of one solar mass formed.
LOG10_UNIT = -15.0
#: Redshifts from which eigenspectra are found; redshifts per step of the splines.
BASIS_SHIFTS, PER_STEP = 33, 4
#: To so much of the light of a band the table is rounded: what is left of its digits is compressed.
ROUNDING = 5e-6
#: Redshifts whose band integrals are computed in one call.
CHUNK = 32


@dataclass(frozen=True)
class TableLayout:
    """What is tabulated.

    Attributes
    ----------
    nodes : tuple of tuple of float
        Observed wavelengths of the nodes of each band [Å].
    shifts : (float, float)
        First and last ln(1 + z).
    knots : int
        Coefficients of a spline.
    eigenspectra : int
        How many of the young and of the old.
    absorbs, own_lya : bool
        With the columns of absorbed light, and of Lyα.
    """

    nodes: tuple[tuple[float, ...], ...]
    shifts: tuple[float, float]
    knots: int
    eigenspectra: int
    absorbs: bool
    own_lya: bool

    @property
    def band(self) -> np.ndarray:
        """Which band each node is of, (n_node,)."""
        return np.repeat(np.arange(len(self.nodes)), [len(n) for n in self.nodes])

    @property
    def samples(self) -> np.ndarray:
        """ln(1 + z) at which light is computed."""
        return np.linspace(*self.shifts, PER_STEP * (self.knots - 3) + 1)


def tabulate(exact: ExactEvaluator, layout: TableLayout) -> tuple[Weights, OutputScaling]:
    """Return the table and the scaling of its outputs.

    Parameters
    ----------
    exact : ExactEvaluator
        In float64, over the redshifts of the layout.
    layout : TableLayout

    Returns
    -------
    weights : dict
        ``table`` (knots, n_column), coefficients of splines in units of ``scale``.
    scaling : OutputScaling
        ``scale`` (n_column,); ``rotation`` (n_young + n_old, n_r + …): what a unit of mass of each
        population counts in every eigenspectrum, then, for what there is of it, in the peak of Lyα,
        its luminosity, and the light that dust can absorb at `quadrature.heat_nodes`.

    Raises
    ------
    ConfigError
        More eigenspectra than populations of one kind.
    """
    unit = 10.0 ** (exact.log10_flux_unit - LOG10_UNIT)
    stars = [unit * np.asarray(s, np.float64) for s in (exact.spectra.young, exact.spectra.old)]
    if layout.eigenspectra > min(map(len, stars)):
        raise ConfigError(
            f"network.eigenspectra = {layout.eigenspectra}: this grid has {len(stars[0])} young "
            f"populations and {len(stars[1])} old ones: ask for no more."
        )
    project = _Projection(exact, layout)
    v, quanta = zip(*(_loadings(project, s, layout) for s in stars))
    samples = [np.concatenate(row) for row in zip(*(
        _coefficients(project, s, of_s, layout.samples) for s, of_s in zip(stars, v)
    ))]  # fmt: skip
    quantum = np.concatenate(quanta)
    if layout.own_lya:
        lines = project.line(layout.samples)
        samples = [np.concatenate(pair) for pair in zip(samples, lines)]
        quantum = np.append(quantum, np.full(len(layout.nodes), 2.0**-24))
    table = splines.fit(np.stack(samples), layout.knots)
    table = quantum * np.round(table / quantum)
    scale = _power_of_two(np.maximum(np.abs(table).max(axis=0), quantum))
    rotation = np.concatenate([np.concatenate(v), _more(exact, stars, unit, layout)], axis=1)
    scaling = OutputScaling(np.zeros(len(scale), np.float32), scale.astype(np.float32),
                            rotation.astype(np.float32))  # fmt: skip
    return {"table": (table / scaling.scale).astype(np.float32)}, scaling


class _Projection:
    """The weights of light at the nodes, by redshift."""

    def __init__(self, exact: ExactEvaluator, layout: TableLayout) -> None:
        self.exact, self.layout = exact, layout
        self.ln_wave = np.log(exact.galaxy.wave)

    def rows(self, shifts: np.ndarray) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        """Yield (ln(1 + z), weights of the bands with and without the IGM, (n_band, n_wave))."""
        for first in range(0, len(shifts), CHUNK):
            chunk = shifts[first : first + CHUNK]
            with jax.enable_x64(True):
                made = _band_rows(self.exact, jnp.asarray(np.expm1(chunk)))
            yield from zip(chunk, *map(np.asarray, made))

    def nodes(self, shift: float, rows: np.ndarray) -> np.ndarray:
        """Return the weights of the light at every node, (n_node, n_wave)."""
        parts = []
        for row, nodes in zip(rows, self.layout.nodes):
            seen = np.flatnonzero(row)
            part = np.zeros((len(nodes), len(row)))
            at = quadrature.lagrange(self.ln_wave[seen] + shift, np.log(nodes))
            part[:, seen] = (at * row[seen, None]).T
            parts.append(part)
        return np.concatenate(parts)

    def line(self, shifts: np.ndarray) -> list[np.ndarray]:
        """Return the profile of Lyα in the bands (n_band,), which lies behind no IGM."""
        lya = self.exact.spectra.lya
        profile = np.zeros(len(self.ln_wave)) if lya is None else np.asarray(lya.profile)
        return [without @ profile for _, _, without in self.rows(shifts)]


@jax.jit
def _band_rows(exact: ExactEvaluator, redshifts: Array) -> tuple[Array, Array]:
    """Return the weights of all bands with and without the IGM, (n, n_band, n_wave)."""

    def one(z: Array) -> tuple[Array, Array]:
        assert exact.projection is not None
        rows = exact.projection.rows(z)
        return rows * exact.galaxy.igm({"redshift": z}), rows

    return jax.lax.map(one, redshifts)


def _light(
    project: _Projection, stars: np.ndarray, shift: float, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the light at the nodes and how errors in it count, (n_node, n_population)."""
    light = project.nodes(shift, rows) @ stars.T
    band = project.layout.band
    flux = np.stack([light[band == b].sum(axis=0) for b in range(len(project.layout.nodes))])
    return light, eigenspectra.relative_weights(flux)[band]


def _loadings(
    project: _Projection, stars: np.ndarray, layout: TableLayout
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each population counts in every eigenspectrum, and to what these are rounded.

    Loadings (n_population, n_r), and quanta (n_node · n_r,) that are no more than ``ROUNDING`` of
    the light of any population in the band.
    """
    shifts = np.linspace(*layout.shifts, BASIS_SHIFTS)
    parts = [_light(project, stars, shift, rows) for shift, rows, _ in project.rows(shifts)]
    light, weight = (np.concatenate(part) for part in zip(*parts))
    found = eigenspectra.loadings(light, weight, layout.eigenspectra)
    found = found / np.abs(found).max(axis=0)
    strictest = weight.reshape(len(parts), -1, len(stars)).max(axis=0)
    quanta = ROUNDING / np.max(strictest[:, None, :] * np.abs(found.T), axis=-1)
    return found, _power_of_two(0.5 * quanta).reshape(-1)


def _coefficients(
    project: _Projection, stars: np.ndarray, loadings: np.ndarray, shifts: np.ndarray
) -> list[np.ndarray]:
    """Return the light of the eigenspectra at the nodes, (n_node · n_r,) for every shift."""
    found = []
    for shift, rows, _ in project.rows(shifts):
        light, weight = _light(project, stars, shift, rows)
        found.append(eigenspectra.coefficients(light, weight, loadings).reshape(-1))
    return found


def _more(
    exact: ExactEvaluator, stars: list[np.ndarray], unit: float, layout: TableLayout
) -> np.ndarray:
    """Return the columns of Lyα and of absorbed light, (n_young + n_old, n)."""
    columns: list[np.ndarray] = []
    together, lya = np.concatenate(stars), exact.spectra.lya
    nu = C_AA_PER_S / exact.galaxy.wave
    luminosity = _trapezoid(nu) * 10.0**LOG10_PER_HZ
    if layout.own_lya:
        peak = np.zeros(len(together))
        profile = np.zeros(len(nu))
        if lya is not None:
            peak[: len(stars[0])] = unit * np.asarray(lya.peak)
            profile = np.asarray(lya.profile)
        columns += [peak] + [peak * (luminosity @ profile)] * layout.absorbs
    if layout.absorbs:
        heat = together @ (luminosity[:, None] * quadrature.heat_weights(exact.galaxy.wave))
        columns += list(heat.T)
    return np.stack(columns, axis=1) if columns else np.zeros((len(together), 0))


def _power_of_two(x: np.ndarray) -> np.ndarray:
    """Return the least powers of two that are no less than ``x``: products with them are exact."""
    return np.asarray(2.0 ** np.ceil(np.log2(x)))


def _trapezoid(nu: np.ndarray) -> np.ndarray:
    """Return the weights of the rule of trapezoids over falling frequencies, (n,)."""
    steps = -np.diff(nu)
    return np.asarray(0.5 * (np.append(steps, 0.0) + np.append(0.0, steps)))
