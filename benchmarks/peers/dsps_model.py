"""DSPS (Hearin+2023): the photometry of one galaxy from the same parameters.

The history is a table of 100 times; age and metallicity weights, cosmology and band integrals are
its own public functions. The sum over the grid is done in two ways: ``plain``, as its own spectra
are summed (a product of weights and spectra, transmission by age included, then a sum), and
``matmul``, rewritten by us as one matrix product each for young and old stars.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from work import Work

from tengri.components.dust.attenuation import LAWS
from tengri.components.stellar.metallicity import LOG10_ZSUN

N_TIMES = 100
LG_BIRTH_GYR = -2.0
#: galaxies at once under vmap: what was fastest, the arrays of one galaxy being large
BLOCK = {"plain": 4, "matmul": 64}

Galaxy = dict[str, jax.Array]


def magnitudes(work: Work, how: str) -> Callable[[Galaxy], jax.Array]:
    """Return the compiled AB magnitudes (n, n_bands) of a batch; ``how``: plain or matmul."""
    one = galaxy(work, how)
    block = BLOCK[how] if jax.default_backend() == "cpu" else 1024
    return jax.jit(lambda batch: jax.lax.map(one, batch, batch_size=block))


def galaxy(work: Work, how: str) -> Callable[[Galaxy], jax.Array]:
    """Return the magnitudes (n_bands,) of one galaxy."""
    from dsps.cosmology.flat_wcdm import CosmoParams
    from dsps.photometry.photometry_kernels import calc_obs_mag
    from dsps.sed.ssp_weights import calc_ssp_weights_sfh_table_lognormal_mdf

    ssp, cosmology = work.ssp, work.model.cosmology
    cosmo = CosmoParams(cosmology.Om0, -1.0, 0.0, cosmology.H0 / 100.0)
    lgmet, lg_age = jnp.asarray(ssp.ssp_lgmet, float), jnp.asarray(ssp.ssp_lg_age_gyr, float)
    wave, flux = jnp.asarray(ssp.ssp_wave, float), jnp.asarray(ssp.ssp_flux, float)
    k = jnp.asarray(LAWS["calzetti"].curve(np.asarray(ssp.ssp_wave, float), {}), float)
    curves = [(jnp.asarray(f.wave, float), jnp.asarray(f.trans, float)) for f in work.filters]
    young = lg_age < LG_BIRTH_GYR
    history = work.model.spec.composition.sfh

    def plain(weights: jax.Array, p: Galaxy) -> jax.Array:
        depth = p["dust_tau_diff"] + jnp.where(young, p["dust_tau_bc"], 0.0)
        passed = jnp.exp(-depth[:, None] * k)
        return jnp.sum(flux * weights[:, :, None] * passed, axis=(0, 1))

    def matmul(weights: jax.Array, p: Galaxy) -> jax.Array:
        light_young = jnp.einsum("ma,maw->w", jnp.where(young, weights, 0.0), flux)
        light_old = jnp.einsum("ma,maw->w", jnp.where(young, 0.0, weights), flux)
        screen = jnp.exp(-p["dust_tau_diff"] * k)
        return screen * (jnp.exp(-p["dust_tau_bc"] * k) * light_young + light_old)

    summed = {"plain": plain, "matmul": matmul}[how]

    def one(p: Galaxy) -> jax.Array:
        t_obs = cosmology.age_gyr(p["redshift"])
        t = jnp.linspace(0.01, 1.0, N_TIMES) * t_obs
        sfr = history.sfr(p, t_obs - t, t_obs)
        weights = calc_ssp_weights_sfh_table_lognormal_mdf(
            t, sfr, p["met_logzsol"] + LOG10_ZSUN, 0.1, lgmet, lg_age, t_obs
        )[0].reshape(len(lgmet), len(lg_age))
        sed = 1e9 * jnp.trapezoid(sfr, t) * summed(weights, p)
        return jnp.stack([calc_obs_mag(wave, sed, w, t, p["redshift"], *cosmo) for w, t in curves])

    return one
