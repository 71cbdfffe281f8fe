r"""A table of light at the nodes of bands, from the exact model: what `band_nodes` reads.

The exact model integrates light that is linear between wavelengths λ_i, with weights P_i(z) of each
band, the intergalactic medium in them. So the light at the nodes of a band is

.. math:: W_{qs}(z) = \sum_i P_i(z)\, \ell_q(\lambda_i (1 + z))\, S_{si} ,

which is reduced to eigenspectra and fitted by splines in ln(1 + z), in float64. Young and old
populations have eigenspectra of their own, for they are behind other screens. Blueward of the Lyman
limit light falls by orders of magnitude: the splines are of its ratio to a typical light
:math:`g_p(z)` in each piece p of a band, whose logarithm is a spline of its own.

Shapes: n_node nodes of all bands, in n_piece pieces; n_young or n_old populations, n_wave rest
wavelengths; n_r eigenspectra. Columns of the table: nodes times eigenspectra of the young, then of
the old, then ln g.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

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
BASIS_SHIFTS, PER_STEP = 81, 3
#: Typical light is no fainter than this share of the brightest band; to what ln g is rounded.
FAINTEST, LN_QUANTUM = 1e-7, 2.0**-20
#: Nothing is kept of a column beyond the digits of float32.
FLOAT32 = 2.0**-23
#: Redshifts whose band integrals are computed in one call.
CHUNK = 32


@dataclass(frozen=True)
class TableLayout:
    """What is tabulated.

    Attributes
    ----------
    pieces : tuple of tuple of Piece
        Pieces of each band with their nodes.
    shifts : (float, float)
        First and last ln(1 + z).
    knots : int
        Coefficients of a spline.
    eigenspectra : int
        How many of the young and of the old.
    absorbs, own_lya : bool
        With what populations count in absorbed light, and in Lyα.
    rounding : float
        To so much of the light of a band it is rounded: what is left of its digits is compressed.
    """

    pieces: tuple[tuple[quadrature.Piece, ...], ...]
    shifts: tuple[float, float]
    knots: int
    eigenspectra: int
    absorbs: bool
    own_lya: bool
    rounding: float

    @property
    def band(self) -> np.ndarray:
        """Which band each piece is of, (n_piece,)."""
        return np.repeat(np.arange(len(self.pieces)), [len(of) for of in self.pieces])

    @property
    def piece(self) -> np.ndarray:
        """Which piece each node is of, (n_node,)."""
        sizes = [len(piece.nodes) for of_band in self.pieces for piece in of_band]
        return np.repeat(np.arange(len(sizes)), sizes)

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
    loadings, quantum = _loadings(project, stars)
    samples, logs = _samples(project, stars, loadings)
    ln_g = _rounded(splines.fit(logs, layout.knots), LN_QUANTUM)
    samples /= np.exp(splines.values(ln_g, len(samples)))[:, project.column_piece(loadings)]
    table = splines.fit(samples, layout.knots)
    table = _rounded(table, np.maximum(quantum, _power_of_two(FLOAT32 * np.abs(table).max(axis=0))))
    table = np.concatenate([table, ln_g], axis=1)
    scale = _power_of_two(np.maximum(np.abs(table).max(axis=0), LN_QUANTUM))
    rotation = np.concatenate([np.concatenate(loadings), _more(exact, stars, unit, layout)], axis=1)
    scaling = OutputScaling(np.zeros(len(scale), np.float32), scale.astype(np.float32),
                            rotation.astype(np.float32))  # fmt: skip
    return {"table": (table / scaling.scale).astype(np.float32)}, scaling


class _Projection:
    """The weights of light at the nodes, by redshift."""

    def __init__(self, exact: ExactEvaluator, layout: TableLayout) -> None:
        self.exact, self.layout = exact, layout
        self.ln_wave = np.log(exact.galaxy.wave)

    def rows(self, shifts: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (ln(1 + z), weights of the bands behind the IGM, (n_band, n_wave))."""
        for first in range(0, len(shifts), CHUNK):
            chunk = shifts[first : first + CHUNK]
            with jax.enable_x64(True):
                made = _band_rows(self.exact, jnp.asarray(np.expm1(chunk)))
            yield from zip(chunk, np.asarray(made))

    def light(self, stars: np.ndarray, shift: float, rows: np.ndarray) -> np.ndarray:
        """Return the light at every node, (n_node, n_population)."""
        parts = []
        for row, pieces in zip(rows, self.layout.pieces):
            seen = np.flatnonzero(row)
            if not len(seen):
                parts += [np.zeros((len(p.nodes), len(stars))) for p in pieces]
                continue
            edges = np.log([p.first for p in pieces[1:]]) - shift
            cuts = np.searchsorted(self.ln_wave, edges).clip(seen[0], seen[-1] + 1)
            bounds = [seen[0], *cuts, seen[-1] + 1]
            for piece, lo, hi in zip(pieces, bounds[:-1], bounds[1:]):
                at = quadrature.lagrange(self.ln_wave[lo:hi] + shift, np.log(piece.nodes))
                parts.append((at * row[lo:hi, None]).T @ stars[:, lo:hi].T)
        return np.concatenate(parts)

    def column_piece(self, loadings: list[np.ndarray]) -> np.ndarray:
        """Return which piece each column of nodes and eigenspectra is of."""
        return np.concatenate([np.repeat(self.layout.piece, v.shape[1]) for v in loadings])


@jax.jit
def _band_rows(exact: ExactEvaluator, redshifts: Array) -> Array:
    """Return the weights of all bands behind the IGM, (n, n_band, n_wave)."""

    def one(z: Array) -> Array:
        assert exact.projection is not None
        return exact.projection.rows(z) * exact.galaxy.igm({"redshift": z})

    return jax.lax.map(one, redshifts)


class _Light(NamedTuple):
    """Light at the nodes (n_node, n_s); of each piece (n_piece, n_s) its light and how errors in it
    count; the flux of the brightest band (n_s,)."""

    nodes: np.ndarray
    pieces: np.ndarray
    weight: np.ndarray
    brightest: np.ndarray

    @classmethod
    def of(cls, project: _Projection, stars: np.ndarray, shift: float, rows: np.ndarray) -> _Light:
        """Return the light of populations ``stars`` (n_s, n_wave)."""
        layout = project.layout
        nodes = project.light(stars, shift, rows)
        pieces = _sums(nodes, layout.piece)
        flux = _sums(pieces, layout.band)
        brightest = flux.max(axis=0)
        weight = eigenspectra.relative_weights(pieces, flux[layout.band], brightest)
        return cls(nodes, pieces, weight, brightest)


def _sums(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the sums of rows ``values`` (n, …) that belong together; ``of`` (n,) increases."""
    return np.add.reduceat(values, np.flatnonzero(np.diff(of, prepend=-1)), axis=0)


def _ln_typical(lights: list[_Light]) -> np.ndarray:
    """Return ln g (n_piece,): the mean logarithm over all populations."""
    logs = [np.log(np.abs(x.pieces) + FAINTEST * x.brightest) for x in lights]
    return np.asarray(np.concatenate(logs, axis=1).mean(axis=1))


def _loadings(project: _Projection, stars: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what each population counts in every eigenspectrum, and to what these are rounded.

    Loadings (n_population, n_r) of young and old, and quanta (2 · n_node · n_r,) that are no more
    than ``rounding`` of the light of any population as its errors count.
    """
    layout = project.layout
    shifts = np.linspace(*layout.shifts, BASIS_SHIFTS)
    found = [[_Light.of(project, s, shift, rows) for s in stars]
             for shift, rows in project.rows(shifts)]  # fmt: skip
    typical = np.exp(np.stack([_ln_typical(pair) for pair in found]))
    loadings, quanta = [], []
    for lights in zip(*found):
        weight = np.stack([x.weight for x in lights])
        at_nodes = weight[:, layout.piece].reshape(-1, weight.shape[-1])
        v = eigenspectra.loadings(
            np.concatenate([x.nodes for x in lights]), at_nodes, layout.eigenspectra
        )
        v = v / np.abs(v).max(axis=0)
        strictest = (weight * typical[:, :, None]).max(axis=0)
        quantum = layout.rounding / np.max(strictest[:, None, :] * np.abs(v.T), axis=-1)
        loadings.append(v)
        quanta.append(_power_of_two(0.5 * quantum)[layout.piece].reshape(-1))
    return loadings, np.concatenate(quanta)


def _samples(
    project: _Projection, stars: list[np.ndarray], loadings: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every redshift, light of the eigenspectra at the nodes, and ln g."""
    layout = project.layout
    columns, logs = [], []
    for shift, rows in project.rows(layout.samples):
        lights = [_Light.of(project, s, shift, rows) for s in stars]
        logs.append(_ln_typical(lights))
        columns.append(np.concatenate([
            eigenspectra.coefficients(x.nodes, x.weight, v, layout.piece).reshape(-1)
            for x, v in zip(lights, loadings)
        ]))  # fmt: skip
    return np.stack(columns), np.stack(logs)


def _more(
    exact: ExactEvaluator, stars: list[np.ndarray], unit: float, layout: TableLayout
) -> np.ndarray:
    """Return the columns of Lyα and of absorbed light, (n_young + n_old, n)."""
    columns: list[np.ndarray] = []
    together, lya = np.concatenate(stars), exact.spectra.lya
    nu = C_AA_PER_S / exact.galaxy.wave
    luminosity = _trapezoid(nu) * 10.0**LOG10_PER_HZ
    if layout.own_lya:
        peak, profile = np.zeros(len(together)), np.zeros(len(nu))
        if lya is not None:
            peak[: len(stars[0])] = unit * np.asarray(lya.peak)
            profile = np.asarray(lya.profile)
        columns += [peak] + [peak * (luminosity @ profile)] * layout.absorbs
    if layout.absorbs:
        heat = together @ (luminosity[:, None] * quadrature.heat_weights(exact.galaxy.wave))
        columns += list(heat.T)
    return np.stack(columns, axis=1) if columns else np.zeros((len(together), 0))


def _rounded(values: np.ndarray, quantum: np.ndarray | float) -> np.ndarray:
    return np.asarray(quantum * np.round(values / quantum))


def _power_of_two(x: np.ndarray) -> np.ndarray:
    """Return the least powers of two that are no less than ``x``: products with them are exact."""
    return np.asarray(2.0 ** np.ceil(np.log2(x)))


def _trapezoid(nu: np.ndarray) -> np.ndarray:
    """Return the weights of the rule of trapezoids over falling frequencies, (n,)."""
    steps = -np.diff(nu)
    return np.asarray(0.5 * (np.append(steps, 0.0) + np.append(0.0, steps)))
