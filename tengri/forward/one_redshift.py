r"""The bands of a galaxy at one redshift, from the few wavelengths at which dust must be known.

With the redshift all that stands between a star and a band is fixed but the dust screens
:math:`D(\lambda; \theta)`, and these vary slowly: a handful of wavelengths in each band tells
them at all others, :math:`D(\lambda) = \sum_q D(\lambda_q) W_q(\lambda)`. So

.. math::

    F_b = \sum_\lambda P_b(\lambda) D(\lambda) \sum_j w_j S_j(\lambda)
        = \sum_q D(\lambda_q) \sum_j w_j M_{jq},  \quad
    M_{jq} = \sum_\lambda P_b(\lambda) W_q(\lambda) S_j(\lambda)

with the band weights P (IGM included), the SSP spectra S and the weights w of age and metallicity.
The λ_q and W are the pivots and the coefficients of an interpolative decomposition (Cheng et al.
2005, SIAM J. Sci. Comput. 26, 1389) of screens drawn all over the box of their parameters: they
hold to ``TOLERANCE``, whatever the law.
"""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.linalg import qr, solve_triangular

from tengri.components.composition import Composition
from tengri.components.dust.screen import SCREEN_PARAMS
from tengri.forward.bandpath import BandPath, FixedProjection
from tengri.forward.galaxy import Galaxy, Params
from tengri.parameters import Parameters

N_DRAWS = 256
MARGIN = 0.1  # of the width of the box, on either side
TOLERANCE = 1e-10


class OneRedshift(NamedTuple):
    """Name of the path that serves one redshift."""

    z_lo: float
    z_hi: float
    nodes: bool = True


class Box(dict[str, tuple[float, float]]):
    """The ranges (lo, hi) of the parameters of the dust screens, by name."""

    @classmethod
    def of(cls, spec: Parameters) -> Box:
        """Return the priors of the registry and of the spec together, and a margin."""
        laws = spec.composition.dust_bc, spec.composition.dust_diff
        box = cls()
        for param in (*SCREEN_PARAMS, *laws[0].params, *laws[1].params):
            ends = *param.prior.reach, *spec.get_distribution(param.name).reach
            margin = MARGIN * (max(ends) - min(ends))
            box[param.name] = min(ends) - margin, max(ends) + margin
        return box

    def holds(self, p: Params) -> Any:
        """Say whether those of the parameters that are in ``p`` are inside, elementwise."""
        inside = ((p[n] >= lo) & (p[n] <= hi) for n, (lo, hi) in self.items() if n in p)
        return functools.reduce(operator.and_, inside, True)

    def draws(self, n: int) -> dict[str, np.ndarray]:
        """Return n points (n,) by name, denser towards the ends of the box."""
        u = 0.5 - 0.5 * np.cos(np.pi * np.random.default_rng(0).random((len(self), n)))
        return {name: lo + (hi - lo) * row for row, (name, (lo, hi)) in zip(u, self.items())}


class NodeGalaxy(Galaxy):
    """A galaxy that is known at the wavelengths λ_q alone, its spectra being those of the bands.

    Parameters
    ----------
    whole : Galaxy
        At all wavelengths that the bands see.
    nodes : ndarray of int, shape (n_q,)
        Where the λ_q are among them.
    onto : ndarray, shape (n_wave, n_q)
        What each wavelength adds to each node, P_b W_q.
    """

    def __init__(self, whole: Galaxy, nodes: np.ndarray, onto: np.ndarray) -> None:
        self.__dict__.update(whole.__dict__)
        self.wave = whole.wave[nodes]
        self._spectra = tuple(None if s is None else s @ onto for s in whole.matrices())

    def matrices(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return M of young stars, old stars and gas."""
        return self._spectra  # type: ignore[return-value]

    def igm(self, p: Params) -> Array:
        """Return 1: the IGM is part of M."""
        return jnp.ones(())


class NodePath(BandPath):
    """The exact model at one redshift, for stars behind dust screens.

    Parameters
    ----------
    path : BandPath
        At the same redshift.
    box : Box
        Where the screens are wanted.
    """

    galaxy: NodeGalaxy

    def __init__(self, path: BandPath, box: Box, z: float) -> None:
        self.box = box
        whole = path.galaxy
        # constants are made in float64, whatever the process computes in
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            igm = np.asarray(whole.igm({"redshift": jnp.asarray(z)}))
            screens = _screens(whole, box.draws(N_DRAWS))
        seen = path.projection.matrix * igm
        nodes, onto = zip(*(_interpolated(screens, row) for row in seen))
        self.galaxy = NodeGalaxy(whole, np.concatenate(nodes), np.concatenate(onto, axis=1))
        band = np.repeat(np.arange(len(nodes)), [n.size for n in nodes])
        self.projection = FixedProjection((band == np.arange(len(nodes))[:, None]).astype(float))

    def serves(self, p: Params) -> Array:
        """Say whether the screens are inside the box."""
        return self.box.holds(p)


def few_enough(composition: Composition) -> bool:
    """Say whether nothing but stars and gas shines: other light needs all wavelengths."""
    return composition.dust_emission is None and composition.agn is None


def _screens(galaxy: Galaxy, points: dict[str, np.ndarray]) -> np.ndarray:
    """Return the transmission to old and to young stars at ``points``, (2 n, n_wave)."""
    birth_cloud, diffuse = jax.jit(jax.vmap(galaxy.attenuation))(points)
    return np.concatenate([diffuse, birth_cloud * diffuse])


def _interpolated(screens: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes (n_q,) of one band and what each wavelength adds to each, (n_wave, n_q)."""
    inside = np.flatnonzero(weights)
    seen = screens[:, inside]
    seen = seen / seen.max(axis=1, keepdims=True)
    r, order = qr(seen, mode="r", pivoting=True)
    size = np.abs(np.diag(r))
    n = max(int((size > TOLERANCE * size[0]).sum()), 1)
    onto = np.zeros((weights.size, n))
    onto[inside[order[:n]]] = np.eye(n)
    onto[inside[order[n:]]] = solve_triangular(r[:n, :n], r[:n, n:]).T
    return inside[order[:n]], weights[:, None] * onto
