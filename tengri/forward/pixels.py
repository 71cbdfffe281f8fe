r"""Spectra spread over pixels.

A pixel is a band with a rectangular curve: its f_ν is the mean over ln λ, the photons in it over
its width. Each of its edges sees the light around it spread by a Gaussian in ln λ of the edge's own
σ; of the light at λ' the pixel from a to b takes

.. math:: P(\lambda') = \Phi\left(\frac{\ln b - \ln\lambda'}{\sigma_b}\right)
                      - \Phi\left(\frac{\ln a - \ln\lambda'}{\sigma_a}\right), \quad
          f_{ab} = \frac{1}{\ln(b/a)} \int f_\nu P \, d\ln\lambda'

so that a flat spectrum stays flat, and that neighbours share an edge: the photons of a row of
pixels are those between its ends, whatever σ does in between. It is diffusion that conserves:
where σ changes slowly, the spread spectrum is f + ½ (σ² f')' + … with derivatives in ln λ. A line
is spread by its own σ. The spectrum is linear in λ between its nodes; its photons are counted
exactly in cells of equal width in ln λ, finer than pixels and line-spread function, and are evenly
spread in them.

Shapes: n_wave nodes, n_cell cells, n_pixel pixels, n_near cells around each pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc

from tengri.observation.spectrograph import Spectrograph

#: Cells of a pixel, and of the narrowest line-spread function's σ, at least.
PER_PIXEL, PER_SIGMA = 6, 3
#: As far as a Gaussian is followed, in σ: 2e-8 of it lie beyond.
FAR = 5.5
#: The least σ, in cells: narrower ones are no narrower.
LEAST = 0.05


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PixelProjection:
    """Photons of a spectrum in the pixels of a spectrograph, at any redshift of an interval.

    Attributes
    ----------
    pieces : (indices, weights, weights)
        Node below each piece of the spectrum, and the weights of both nodes, (n_piece,).
    cell : Array of int, shape (n_piece,)
        The cell that holds each piece.
    wave : Array, shape (n_cell,)
        Rest wavelengths of the middle of the cells [Å].
    low, log_width : Array, shape (n_pixel,)
        ln of the lower edges over that of the first cell, and widths in ln λ.
    origin, step : float
        ln of the lower edge of the first cell [ln Å]; width of a cell in ln λ.
    n_near : int
    reach : float
        The largest σ in ln λ that n_near allows for.
    """

    pieces: tuple[Any, Any, Any]
    cell: Any
    wave: Any
    low: Any
    log_width: Any
    origin: float = field(metadata={"static": True})
    step: float = field(metadata={"static": True})
    n_near: int = field(metadata={"static": True})
    reach: float = field(metadata={"static": True})

    @classmethod
    def build(
        cls, wave: np.ndarray, pixels: Spectrograph, z: tuple[float, float], sigma: float
    ) -> PixelProjection:
        """Return the projection of a spectrum at rest.

        Parameters
        ----------
        wave : ndarray, shape (n_wave,)
            Nodes of the spectrum [Å].
        pixels : Spectrograph
        z : (float, float)
            Redshifts that occur.
        sigma : float
            The largest σ in ln λ that the spectrum is spread by before it comes to the
            spectrograph.
        """
        log_edges, spread = np.log(pixels.edges), pixels.spread.values
        widths, reach = np.diff(log_edges), math.hypot(sigma, spread.max())
        step = float(widths.min()) / PER_PIXEL
        step = min(step, float(spread.min()) / PER_SIGMA) if spread.min() > 0.0 else step
        pad = FAR * reach + 2.0 * step
        first = max(log_edges[0] - math.log1p(z[1]) - pad, math.log(wave[0]))
        last = min(log_edges[-1] - math.log1p(z[0]) + pad, math.log(wave[-1]))
        n_near = math.ceil((float(widths.max()) + 2.0 * pad) / step) + 2
        n_cell = max(math.ceil((last - first) / step), n_near)
        bounds = np.exp(first + step * np.arange(n_cell + 1))
        node, below, above, cell = _pieces(wave, bounds)
        return cls(
            (jnp.asarray(node, jnp.int32), jnp.asarray(below, float), jnp.asarray(above, float)),
            jnp.asarray(cell, jnp.int32),
            jnp.asarray(np.sqrt(bounds[1:] * bounds[:-1]), float),
            jnp.asarray(log_edges[:-1] - first, float),
            jnp.asarray(widths, float),
            float(first),
            step,
            n_near,
            reach,
        )

    def photons(self, spectrum: Array) -> Array:
        """Return ∫ f dlnλ of ``spectrum`` (n_wave,) in each cell, (n_cell,)."""
        node, below, above = self.pieces
        each = below * spectrum[node] + above * spectrum[node + 1]
        n = len(self.wave)
        return jax.ops.segment_sum(each, self.cell, n, indices_are_sorted=True)

    def project(self, spectrum: Array, variance: Array, z: Array) -> Array:
        """Return the mean of ``spectrum`` (n_wave,) in the pixels, (n_pixel,).

        ``variance`` (n_pixel + 1,) is σ² in ln λ of all that spreads the light around each edge.
        """
        photons, step = self.photons(spectrum), self.step
        # even spreading in cells is a width of its own (Sheppard 1897), twice: counting and placing
        sigma = jnp.sqrt(jnp.maximum(variance - step**2 / 6.0, (LEAST * step) ** 2))
        at = self.low - jnp.log1p(z)
        first = jnp.floor((at - FAR * self.reach) / step).astype(jnp.int32) - 1
        first = jnp.clip(first, 0, len(self.wave) - self.n_near)
        near = first[:, None] + np.arange(self.n_near, dtype=np.int32)
        bounds = jnp.asarray(step * np.arange(self.n_near + 1), float)
        low = (at - first.astype(at.dtype) * step)[:, None] - bounds
        high = low + self.log_width[:, None]
        share = self._taken(high, sigma[1:]) - self._taken(low, sigma[:-1])
        return jnp.sum(photons[near] * share, axis=1) / self.log_width

    def _taken(self, distance: Array, sigma: Array) -> Array:
        """Return the share of each cell that lies below a point, (n_pixel, n_near).

        ``distance`` (n_pixel, n_near + 1) is that from the bounds of the cells to the point; each
        cell is evenly filled and spread by a Gaussian of ``sigma`` (n_pixel,).
        """
        sharp = jnp.clip(distance[:, :-1] / self.step, 0.0, 1.0)
        tail = _tail(distance / sigma[:, None]) * (sigma / self.step)[:, None]
        return sharp + tail[:, :-1] - tail[:, 1:]

    def lines(self, photons: Array, wave: np.ndarray, variance: Array, z: Array) -> Array:
        """Return what lines add to the pixels, (n_pixel,).

        ``photons`` (n_line,) are ∫ f_ν dlnλ of each, ``wave`` their rest wavelengths [Å],
        ``variance`` their σ² in ln λ.
        """
        at = jnp.asarray(np.log(wave) - self.origin, float) + jnp.log1p(z)
        sigma = jnp.sqrt(jnp.maximum(variance, (LEAST * self.step) ** 2))
        low = (self.low[:, None] - at) / sigma
        high = low + self.log_width[:, None] / sigma
        # of two small tails the difference, not of two numbers near 1
        flip = jnp.where(low + high > 0.0, -1.0, 1.0)
        share = flip * (_normal(flip * high) - _normal(flip * low))
        return jnp.sum(photons * share, axis=1) / self.log_width


def _normal(x: Array) -> Array:
    """Return Φ(x) of the normal distribution."""
    return 0.5 * erfc(-x / math.sqrt(2.0))


def _tail(u: Array) -> Array:
    """Return the mean of max(u - x, 0) over normal x, less max(u, 0): small everywhere."""
    size = jnp.abs(u)
    density = jnp.exp(-0.5 * u**2) / math.sqrt(2.0 * math.pi)
    return density - 0.5 * size * erfc(size / math.sqrt(2.0))


def _pieces(wave: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return node, weights of both nodes, and cell of each piece of a spectrum.

    Pieces lie between neighbours among the nodes ``wave`` and the ``bounds`` of cells [Å]; the
    sum of weights times node values is ∫ f dlnλ of a spectrum that is linear in λ.
    """
    inside = wave[(wave > bounds[0]) & (wave < bounds[-1])]
    ends = np.union1d(bounds, inside)
    ends = ends[(ends >= wave[0]) & (ends <= wave[-1])]
    low, high = ends[:-1], ends[1:]
    middle = 0.5 * (low + high)
    node = np.clip(np.searchsorted(wave, middle) - 1, 0, len(wave) - 2)
    cell = np.clip(np.searchsorted(bounds, middle) - 1, 0, len(bounds) - 2)
    log_step, step = np.log(high / low), high - low
    at_high = 1.0 - low * log_step / step
    at_low = log_step - at_high
    gap = wave[node + 1] - wave[node]
    t_low, t_high = (low - wave[node]) / gap, (high - wave[node]) / gap
    above = at_low * t_low + at_high * t_high
    return node, at_low + at_high - above, above, cell
