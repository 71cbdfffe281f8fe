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
hold to ``TOLERANCE``, whatever the law, and for light without dust, which is one of the screens.
The dust of the Milky Way is one more screen, in front of all (in front of Lyα as at its centre: to
1e-5 of a band that holds it); the wings of neutral hydrogen have no few wavelengths. A band to
which no light comes through the IGM has one node of weight zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.composition import Composition
from tengri.components.dust.screen import SCREEN_PARAMS, behind
from tengri.constants import LYMAN_ALPHA_AA
from tengri.domain import Domain
from tengri.forward.evaluator import Bands, FixedValues, Params
from tengri.forward.exact import FixedProjection, Reach
from tengri.forward.galaxy import Galaxy, Spectra
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.small_call import compiled_quickly
from tengri.observation.bands import band_matrix, rest_window
from tengri.observation.filters import FilterCurve
from tengri.parameters import Parameters

N_DRAWS = 256
MARGIN = 0.1  # of the width of the box, on either side
TOLERANCE = 1e-10
#: Nodes are padded to a multiple of this, so that other redshifts compile nothing new.
NODE_STEP = 16


def supports_compression(composition: Composition) -> bool:
    """Return whether nothing but stars and gas shines, behind nothing but dust and the mean IGM.

    Other light, and the wings of neutral hydrogen, need all wavelengths.
    """
    shines = composition.dust_emission is not None or composition.agn is not None
    return not (shines or composition.neutral_gas)


def screen_domain(spec: Parameters) -> Domain:
    """Return the priors of the registry and of the spec together, with a margin, of the screens."""
    laws = spec.composition.dust_bc, spec.composition.dust_diff
    milky_way = spec.composition.milky_way
    ours = () if milky_way is None else milky_way.params
    low, high = {}, {}
    for param in (*SCREEN_PARAMS, *laws[0].params, *laws[1].params, *ours):
        ends = *param.prior.reach, *spec.get_distribution(param.name).reach
        margin = MARGIN * (max(ends) - min(ends))
        low[param.name], high[param.name] = min(ends) - margin, max(ends) + margin
    return Domain(low, high)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class FixedRedshiftEvaluator:
    """The exact bands of stars behind dust screens, at one redshift.

    Attributes
    ----------
    galaxy : Galaxy
        Equations; its own wavelengths are not used.
    wave : Array, shape (n_q,)
        Rest wavelengths λ_q [Å] of all bands.
    spectra : Spectra
        M of young stars, old stars and gas, each (n, n_q); the profile of Lyα in the bands.
    sums : FixedProjection
        Which nodes belong to which band, (n_bands, n_q).
    screens : Domain
        Where the decomposition holds.
    reach : Reach
    fixed : FixedValues
        Parameters that may be left out.
    """

    galaxy: Galaxy = field(metadata={"static": True})
    wave: Any
    spectra: Spectra
    sums: FixedProjection
    screens: Domain
    reach: Reach
    fixed: FixedValues

    @classmethod
    def build(
        cls,
        grid: GridSpectra,
        filters: tuple[FilterCurve, ...],
        z: float,
        screens: Domain,
        fixed: FixedValues,
    ) -> FixedRedshiftEvaluator:
        """Decompose the screens of every band at redshift ``z``."""
        window = rest_window(grid.galaxy.wave, filters, z, z)
        galaxy, spectra = grid.cut(window)
        # constants are made in float64, whatever the process computes in, and at all wavelengths:
        # so that the next redshift compiles nothing
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            drawn = _drawn_screens(grid.galaxy, tuple(screens.ranges().items()))[:, window]
            milky_way, igm = (np.asarray(x)[..., window] for x in _in_front(
                grid.galaxy, _draws(screens, N_DRAWS), np.float64(z)))  # fmt: skip
        drawn = (drawn.reshape(2, N_DRAWS, -1) * milky_way).reshape(drawn.shape)
        bands = band_matrix(galaxy.wave, filters, z)
        seen = bands * igm
        nodes, onto = zip(*(_interpolated(drawn, row) for row in seen))
        band = np.repeat(np.arange(len(nodes)), [n.size for n in nodes])
        sums = (band == np.arange(len(nodes))[:, None]).astype(float)
        more = -sum(n.size for n in nodes) % NODE_STEP
        which = np.pad(np.concatenate(onto, axis=1), ((0, 0), (0, more)))
        wave = np.pad(galaxy.wave[np.concatenate(nodes)], (0, more), mode="edge")

        young, old = spectra.young @ which, spectra.old @ which
        gas = None if spectra.gas is None else spectra.gas @ which
        # what escapes of Lyα lies behind neither screen nor IGM
        lya = spectra.lya and spectra.lya._replace(profile=bands @ spectra.lya.profile)
        compressed = Spectra(young, old, gas, lya)
        return cls(
            grid.galaxy,
            jnp.asarray(wave, float),
            compressed.in_default_float(),
            FixedProjection(np.pad(sums, ((0, 0), (0, more)))).in_default_float(),
            jax.tree.map(lambda x: jnp.asarray(x, float), screens),
            Reach.of(grid.galaxy, filters, (z, z)),
            fixed,
        )

    def for_one_galaxy(self) -> FixedRedshiftEvaluator:
        """Return the evaluator itself."""
        return self

    def bands(self, p: Params) -> Bands:
        """Return the band fluxes of one galaxy: pure, NaN where there is no answer."""
        p = self.fixed.complete(p)
        galaxy, z = self.galaxy, p["redshift"]
        formed = galaxy.ssp_weights(p)
        young, old = galaxy.stars(self.spectra, formed.weights, p)
        seen = behind(p, galaxy.attenuation_at(self.wave, p), young, old)
        milky_way = galaxy.composition.milky_way
        if milky_way is not None:
            seen = seen * milky_way.transmission(self.wave, p)
        flux = self.sums.project(seen, z)
        if self.spectra.lya is not None:
            peak, share = galaxy.lyman_alpha(self.spectra, formed.weights, p)
            if milky_way is not None:
                share = share * milky_way.transmission(np.array([LYMAN_ALPHA_AA]), p)[0]
            flux = flux + share * peak * self.spectra.lya.profile
        answered = self.reach.holds(z) & self.screens.contains(p, jnp)
        scale = formed.log10_mass + galaxy.log10_flux_unit + galaxy.log10_luminosity_to_flux(p)
        return Bands(scale, jnp.where(answered, flux, jnp.nan), formed.log10_mass)


def _draws(domain: Domain, n: int) -> dict[str, np.ndarray]:
    """Return n points (n,) by name, denser towards the ends of the box."""
    u = 0.5 - 0.5 * np.cos(np.pi * np.random.default_rng(0).random((len(domain.low), n)))
    ranges = domain.ranges()
    return {name: lo + (hi - lo) * row for row, (name, (lo, hi)) in zip(u, ranges.items())}


@lru_cache(maxsize=2)  # they are the same at all redshifts
def _drawn_screens(galaxy: Galaxy, ranges: tuple[tuple[str, Any], ...]) -> np.ndarray:
    """Return what dust lets pass to old and to young stars at drawn points, (2 n, n_wave)."""
    low, high = ({name: ends[i] for name, ends in ranges} for i in (0, 1))
    return np.asarray(_screens(galaxy, _draws(Domain(low, high), N_DRAWS)))


@partial(compiled_quickly, static_argnames="galaxy")
def _screens(galaxy: Galaxy, points: dict[str, Array]) -> Array:
    birth_cloud, diffuse = jax.vmap(galaxy.attenuation)(points)
    return jnp.concatenate([diffuse, birth_cloud * diffuse])


@partial(compiled_quickly, static_argnames="galaxy")
def _in_front(galaxy: Galaxy, points: dict[str, Array], z: Array) -> tuple[Array, Array]:
    """Return what the Milky Way lets pass at ``points`` (n or 1, n_wave), and the IGM (n_wave,)."""
    igm, milky_way = galaxy.igm({"redshift": z}), galaxy.composition.milky_way
    if milky_way is None:
        return jnp.ones((1, len(galaxy.wave))), igm
    at = {name: points[name] for name in (param.name for param in milky_way.params)}
    return jax.vmap(lambda p: milky_way.transmission(galaxy.wave, {**p, "redshift": z}))(at), igm


def _interpolated(screens: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes (n_q,) of one band and what each wavelength adds to each, (n_wave, n_q)."""
    inside = np.flatnonzero(weights)
    if not inside.size:
        return np.zeros(1, int), np.zeros((weights.size, 1))
    seen = screens[:, inside]
    seen = seen / np.maximum(seen.max(axis=1, keepdims=True), np.finfo(float).tiny)
    pivots, r = _pivoted(seen)
    onto = np.zeros((weights.size, len(pivots)))
    onto[inside] = np.linalg.solve(r[:, pivots], r).T
    return inside[pivots], weights[:, None] * onto


def _pivoted(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pivots (n,) and the rows of R (n, n_column) of a QR decomposition with pivoting.

    Gram and Schmidt's, which ends where no column keeps ``TOLERANCE`` of the first pivot: after a
    dozen rows, where a library decomposes the whole matrix.
    """
    left = matrix.copy()
    pivots: list[int] = []
    rows: list[np.ndarray] = []
    size = np.linalg.norm(left, axis=0)
    least = max(TOLERANCE * size.max(), np.finfo(float).tiny)
    while not pivots or size.max() > least:
        pivots.append(int(np.argmax(size)))
        direction = left[:, pivots[-1]] / max(size.max(), least)
        rows.append(direction @ left)
        left -= direction[:, None] * rows[-1]
        left[:, pivots[-1]] = 0.0
        size = np.linalg.norm(left, axis=0)
    return np.array(pivots), np.array(rows)
