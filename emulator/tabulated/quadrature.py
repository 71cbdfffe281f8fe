r"""Few wavelengths that stand for a band, whatever screen of dust is in front of the light.

A screen :math:`D(\lambda)` varies slowly across a band. Between nodes :math:`\lambda_q` it is the
polynomial in :math:`\ln\lambda` through them, so that

.. math::

    \int S\, T\, D \, \frac{d\lambda}{\lambda} = \sum_q D(\lambda_q)\, W_q, \quad
    W_q = \int S\, T\, \ell_q \, \frac{d\lambda}{\lambda}

with the polynomials :math:`\ell_q` of Lagrange. The nodes are those of Gauss for the measure
:math:`T\,d\lambda/\lambda`: of a flat spectrum a screen that is a polynomial of twice the order is
integrated exactly (Gautschi 2004, Orthogonal Polynomials, ch. 1 and 2).

A band may let a little light through far from where it is open, and behind much dust, or blueward
of the Lyman limit, that leak is all there is to see. No polynomial serves both: what is open and
what leaks on either side of it are pieces with nodes of their own.

Shapes: n nodes of a band; observed wavelengths [Å].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tengri.observation import FilterCurve

#: Points at which the measure of a band is sampled.
SAMPLES = 4096
#: Nodes of a narrow band, and of the widest; a node for so much of the standard deviation in ln λ.
LEAST_NODES, MOST_NODES, WIDTH_PER_NODE = 3, 8, 0.02
#: A band is open where it transmits more than this share of its peak; what lies beyond is a leak if
#: it reaches further than this in ln λ and lets through more than this share of a flat spectrum.
OPEN, LEAK_REACH, LEAK_SHARE = 3e-3, 0.08, 1e-6
#: Nodes of a leak, per unit of its reach in ln λ: one in the blue, which dust shuts first; one in
#: the red; and one that lets through more than a thousandth.
BLUE_LEAK, RED_LEAK, OPEN_LEAK = 3.0, 6.0, 10.0
#: Redward of this rest wavelength [Å] no screen varies so much that more than the least number of
#: nodes, leaks among them, would tell.
FAR_AA = 2.2e4
#: Rest wavelengths [Å] between which what dust absorbs has nodes of its own, and how many each: no
#: law varies below the Lyman limit, and laws have kinks at the ends of others.
HEAT_EDGES_AA = (912.0, 1250.0, 1500.0, 1800.0, 2600.0, 3030.0, 6000.0, 6300.0, 9091.0, 2.2e4, 3e5,
                 1e7)  # fmt: skip
HEAT_NODES = (4, 3, 3, 6, 3, 5, 2, 3, 4, 5, 2)


class Piece(NamedTuple):
    """A part of a band: its bluest wavelength, and its nodes from blue to red [Å]."""

    first: float
    nodes: tuple[float, ...]


def band_nodes(curve: FilterCurve) -> tuple[float, ...]:
    """Return the nodes [Å] of a band, of all its pieces, from blue to red."""
    return tuple(x for piece in band_pieces(curve) for x in piece.nodes)


def band_pieces(curve: FilterCurve, z_max: float = 0.0) -> tuple[Piece, ...]:
    """Return the pieces of a band, from blue to red: what is open, and leaks on either side.

    A band that sees nothing blueward of ``FAR_AA`` up to redshift ``z_max`` is one piece.
    """
    wave = np.linspace(curve.wave[0], curve.wave[-1], SAMPLES)
    trans = np.maximum(np.interp(wave, curve.wave, curve.trans), 0.0)
    x, weight = np.log(wave), trans / wave
    if curve.wave[0] > FAR_AA * (1.0 + z_max):
        nodes = np.exp(gauss_nodes(x, weight, LEAST_NODES))
        return (Piece(float(wave[0]), tuple(nodes.tolist())),)
    first, last = _open(x, weight, trans > OPEN * trans.max())
    blue, red = slice(0, first), slice(last, SAMPLES)
    first = first if _leaks(x[blue], weight[blue], weight.sum()) else 0
    last = last if _leaks(x[red], weight[red], weight.sum()) else SAMPLES
    found = []
    for part, number in ((slice(0, first), _of_blue_leak), (slice(first, last), _number),
                         (slice(last, SAMPLES), _of_red_leak)):  # fmt: skip
        if part.start < part.stop:
            n = number(x[part], weight[part] / weight.sum())
            nodes = np.exp(gauss_nodes(x[part], weight[part], n))
            found.append(Piece(float(wave[part.start]), tuple(nodes.tolist())))
    return tuple(found)


def _open(x: np.ndarray, weight: np.ndarray, is_open: np.ndarray) -> tuple[int, int]:
    """Return where the open part begins and ends: gaps within the reach of a leak are part of it.

    A band may be open again far from where most of its light is: that is a leak.
    """
    at = np.flatnonzero(is_open)
    runs = np.split(at, np.flatnonzero(np.diff(x[at]) > LEAK_REACH) + 1)
    most = max(runs, key=lambda run: float(weight[run].sum()))
    return int(most[0]), int(most[-1]) + 1


def _leaks(x: np.ndarray, weight: np.ndarray, total: float) -> bool:
    """Return whether what lies beside the open part needs nodes of its own."""
    return len(x) > 1 and np.ptp(x) > LEAK_REACH and bool(weight.sum() > LEAK_SHARE * total)


def _of_blue_leak(x: np.ndarray, share: np.ndarray) -> int:
    return 1 + int(np.ceil(BLUE_LEAK * np.ptp(x)))


def _of_red_leak(x: np.ndarray, share: np.ndarray) -> int:
    is_wide_open = share.sum() > 1e-3
    return 1 + int(is_wide_open) + int(np.ceil((OPEN_LEAK if is_wide_open else RED_LEAK)
                                               * np.ptp(x)))  # fmt: skip


def _number(x: np.ndarray, weight: np.ndarray) -> int:
    """Return how many nodes the open part of a band needs, of its measure in ln λ."""
    mass = weight / weight.sum()
    variance = np.sum(mass * (x - np.sum(mass * x)) ** 2)
    n = int(np.ceil(LEAST_NODES - 1 + np.sqrt(variance) / WIDTH_PER_NODE))
    return min(max(n, LEAST_NODES), MOST_NODES)


def gauss_nodes(x: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    """Return the nodes (n,) of Gauss for the measure ``weight`` at points ``x``, each (n_point,).

    Stieltjes' procedure: eigenvalues of the matrix of Jacobi of the orthogonal polynomials.
    """
    middle, half = 0.5 * (x[0] + x[-1]), 0.5 * (x[-1] - x[0])
    t, mass = (x - middle) / half, weight / weight.sum()
    before, now, last = np.zeros_like(t), np.ones_like(t), 1.0
    diagonal, beside = np.zeros(n), np.zeros(n)
    for k in range(n):
        norm = np.sum(mass * now**2)
        diagonal[k] = np.sum(mass * t * now**2) / norm
        beside[k] = norm / last
        before, now = now, (t - diagonal[k]) * now - (beside[k] if k else 0.0) * before
        last = norm
    off = np.sqrt(beside[1:])
    jacobi = np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
    return np.asarray(middle + half * np.linalg.eigvalsh(jacobi))


def lagrange(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the polynomials of Lagrange of ``nodes`` (n,) at ``x`` (…,), (…, n)."""
    n = len(nodes)
    factors = [[(x - nodes[j]) / (nodes[i] - nodes[j]) for j in range(n) if j != i]
               for i in range(n)]  # fmt: skip
    ones = np.ones_like(x)
    return np.stack([np.prod([ones, *row], axis=0) for row in factors], axis=-1)


def heat_nodes() -> tuple[float, ...]:
    """Return the rest wavelengths [Å] at which what dust absorbs is known.

    The first stands for all light below the Lyman limit.
    """
    legendre = [np.polynomial.legendre.leggauss(n)[0] for n in HEAT_NODES]
    ln_edges = np.log(HEAT_EDGES_AA)
    parts = [0.5 * (lo + hi) + 0.5 * (hi - lo) * x
             for lo, hi, x in zip(ln_edges[:-1], ln_edges[1:], legendre)]  # fmt: skip
    return (HEAT_EDGES_AA[0], *np.exp(np.concatenate(parts)).tolist())


def heat_weights(wave: np.ndarray) -> np.ndarray:
    """Return what light at ``wave`` (n_wave,) [Å] adds to each of `heat_nodes`, (n_wave, n).

    Beyond the reddest edge there is nothing to absorb.
    """
    nodes = np.log(heat_nodes())
    onto = np.zeros((len(wave), len(nodes)))
    onto[wave < HEAT_EDGES_AA[0], 0] = 1.0
    first = 1
    for lo, hi, n in zip(HEAT_EDGES_AA[:-1], HEAT_EDGES_AA[1:], HEAT_NODES):
        inside = (wave >= lo) & (wave < hi)
        onto[inside, first : first + n] = lagrange(np.log(wave[inside]), nodes[first : first + n])
        first += n
    return onto
