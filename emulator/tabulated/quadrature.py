r"""Few wavelengths that stand for a band, whatever screen of dust is in front of the light.

A screen :math:`D(\lambda)` varies slowly across a band. Between nodes :math:`\lambda_q` it is the
polynomial in :math:`\ln\lambda` through them, so that

.. math::

    \int S\, T\, D \, \frac{d\lambda}{\lambda} = \sum_q D(\lambda_q)\, W_q, \quad
    W_q = \int S\, T\, \ell_q \, \frac{d\lambda}{\lambda}

with the polynomials :math:`\ell_q` of Lagrange. The nodes are those of Gauss for the measure
:math:`T\,d\lambda/\lambda`: of a flat spectrum a screen that is a polynomial of twice the order is
integrated exactly (Gautschi 2004, Orthogonal Polynomials, ch. 1 and 2).

Shapes: n nodes of a band; observed wavelengths [Å].
"""

from __future__ import annotations

import numpy as np

from tengri.observation import FilterCurve

#: Points at which the measure of a band is sampled.
SAMPLES = 4096
#: Nodes of a narrow band, and of the widest; a node for so much of the standard deviation in ln λ;
#: two more where the kurtosis says that a band leaks far from its middle.
LEAST_NODES, MOST_NODES, WIDTH_PER_NODE, LEAKING = 3, 8, 0.03, 10.0
#: Rest wavelengths [Å] between which what dust absorbs has nodes of its own, and how many each: no
#: law varies below the Lyman limit, and laws have kinks at the ends of others.
HEAT_EDGES_AA = (912.0, 1250.0, 1500.0, 1800.0, 2600.0, 3030.0, 6000.0, 6300.0, 9091.0, 2.2e4, 3e5,
                 1e7)  # fmt: skip
HEAT_NODES = (4, 3, 3, 6, 3, 5, 2, 3, 4, 5, 2)


def band_nodes(curve: FilterCurve) -> tuple[float, ...]:
    """Return the nodes [Å] of a band, from blue to red: more of them for a wide one."""
    wave = np.linspace(curve.wave[0], curve.wave[-1], SAMPLES)
    weight = np.maximum(np.interp(wave, curve.wave, curve.trans) / wave, 0.0)
    x = np.log(wave)
    return tuple(np.exp(gauss_nodes(x, weight, _number(x, weight))).tolist())


def _number(x: np.ndarray, weight: np.ndarray) -> int:
    """Return how many nodes a band needs, of its measure in ln λ."""
    mass = weight / weight.sum()
    middle = np.sum(mass * x)
    variance, fourth = (np.sum(mass * (x - middle) ** k) for k in (2, 4))
    n = int(np.ceil(LEAST_NODES - 1 + np.sqrt(variance) / WIDTH_PER_NODE))
    leaks = fourth / variance**2 > LEAKING
    return min(max(n, LEAST_NODES), MOST_NODES) + 2 * bool(leaks)


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
