"""Quantities that follow from a model galaxy: masses, rates, ages, spectral indices.

The SFH-only ones need no spectrum, so a surrogate gives them exactly too. All but the surviving
mass, which is a table of the SSP grid, are integrals of the history itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.stellar.metallicity import Formation
from tengri.constants import AB_ZERO_POINT, LSUN_ERG_S, PC_CM
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Galaxy, Light, SSPWeights, Stars

Params = Mapping[str, Array]

# Balogh et al. (1999, ApJ 527, 54): narrow 4000 Å break [Å, air ≈ vacuum at this width]
DN4000_BLUE, DN4000_RED = (3850.0, 3950.0), (4000.0, 4100.0)
# Calzetti et al. (1994, ApJ 429, 582): range of the UV slope β, f_λ ∝ λ^β
UV_SLOPE_RANGE = (1268.0, 2580.0)
M_UV_RANGE = (1450.0, 1550.0)


def sfh_curve(galaxy: Stars, p: Params, n: int) -> tuple[dict[str, Array], Array]:
    """Return the star-formation history on a linear grid of lookback times.

    Returns
    -------
    dict
        ``t_gyr`` (n,): lookback time from the epoch of observation to the Big Bang [Gyr];
        ``sfr`` (n,): star-formation rate [Msun/yr], NaN where no star forms by then.
    Array
        log10 of the mass formed [Msun].
    """
    t_univ, sfh = galaxy.cosmology.age_gyr(p["redshift"]), galaxy.composition.sfh
    t = t_univ * jnp.linspace(0.0, 1.0, n)
    if not galaxy.composition.has_stars:
        return {"t_gyr": t, "sfr": jnp.zeros_like(t)}, jnp.zeros(())
    log10_mass, _ = sfh.formed(p, galaxy.bins.edges, t_univ)
    sfr = sfh.sfr(p, t, t_univ, galaxy.bins.edges)
    return {"t_gyr": t, "sfr": jnp.where(log10_mass >= 0.0, sfr, jnp.nan)}, log10_mass


def sfh_quantities(galaxy: Stars, p: Params, remaining: ArrayLike | None) -> dict[str, Array]:
    """Return what follows from the history alone.

    Parameters
    ----------
    galaxy : Stars
        A galaxy, or just its stars.
    p : mapping
        Complete parameters of one galaxy.
    remaining : array, shape (n_met, n_age), or None
        Surviving mass fraction of the SSP grid, stars and remnants.

    Returns
    -------
    dict
        ``stellar_mass`` (formed) and ``stellar_mass_surviving`` [Msun] (where the grid has the
        table), ``sfr_10myr``, ``sfr_100myr`` [Msun/yr], ``ssfr`` [1/yr, over 100 Myr and the
        formed mass], ``mass_weighted_age_gyr``, ``mass_weighted_logzsol`` (mean of log10 Z, as the
        parameters say even where the grid has no such metals). In a model without stars masses and
        rates are 0, and the last three, means over stars, are left out.
    """
    if not galaxy.composition.has_stars:
        sums = ["stellar_mass", "sfr_10myr", "sfr_100myr"]
        sums += [] if remaining is None else ["stellar_mass_surviving"]
        return dict.fromkeys(sums, jnp.zeros(()))
    formed = galaxy.ssp_weights(p)
    t_univ, sfh = galaxy.cosmology.age_gyr(p["redshift"]), galaxy.composition.sfh
    formation = Formation(
        sfh.mean_age(p, galaxy.bins.edges, t_univ),
        lambda age_gyr: sfh.formed_since(p, age_gyr, galaxy.bins.edges, t_univ),
        t_univ,
    )
    mass = 10.0**formed.log10_mass
    sfr_10, sfr_100 = (_mean_sfr(formed, formation, span_gyr) for span_gyr in (0.01, 0.1))
    quantities = {
        "stellar_mass": mass,
        "sfr_10myr": sfr_10,
        "sfr_100myr": sfr_100,
        "ssfr": sfr_100 / mass,
        "mass_weighted_age_gyr": formation.mean_age_gyr,
        "mass_weighted_logzsol": galaxy.composition.metallicity.mean(p, formation),
    }
    if remaining is not None:
        table = jnp.take(jnp.asarray(remaining, float), galaxy.bins.node.astype(np.int32), axis=1)
        quantities["stellar_mass_surviving"] = mass * jnp.sum(formed.weights * table)
    return quantities


def _mean_sfr(formed: SSPWeights, formation: Formation, span_gyr: float) -> Array:
    """Return the mass formed in the last ``span_gyr`` over that time [Msun/yr]."""
    per_yr = 10.0 ** (formed.log10_mass - math.log10(span_gyr * 1e9))
    return formation.since(span_gyr) * per_yr


def derived_quantities(
    evaluator: ExactEvaluator, p: Params, remaining: ArrayLike | None
) -> dict[str, Array]:
    """Return all derived quantities of one galaxy from its spectrum and its history.

    Returns
    -------
    dict
        Those of `sfh_quantities`, and: ``l_bol``, ``l_dust`` (absorbed by dust) [Lsun];
        ``dn4000`` (Balogh+1999); ``uv_slope`` β (least squares over 1268–2580 Å); ``m_uv``
        (AB absolute magnitude, 1450–1550 Å).
    """
    p = evaluator.fixed.complete(p)
    light, galaxy = evaluator.spectrum(p), evaluator.galaxy
    return sfh_quantities(galaxy, p, remaining) | {
        "l_bol": galaxy.luminosity(light.lnu) * 10.0**light.log10_scale,
        "l_dust": light.absorbed * 10.0**light.log10_scale,
        "dn4000": mean_lnu(galaxy.wave, light.lnu, *DN4000_RED)
        / mean_lnu(galaxy.wave, light.lnu, *DN4000_BLUE),
        "uv_slope": uv_slope(galaxy.wave, light.lnu),
        "m_uv": _absolute_magnitude(galaxy, light, *M_UV_RANGE),
    }


def mean_lnu(wave: np.ndarray, lnu: Array, lo: float, hi: float) -> Array:
    """Return the mean of L_ν over ``lo``–``hi`` Å, weighted with dλ; exact for linear pieces."""
    grid = np.union1d(wave[(wave > lo) & (wave < hi)], [lo, hi])
    values = jnp.interp(jnp.asarray(grid, float), jnp.asarray(wave, float), lnu)
    return jnp.trapezoid(values, jnp.asarray(grid, float)) / (hi - lo)


def uv_slope(wave: np.ndarray, lnu: Array) -> Array:
    """Return β of f_λ ∝ λ^β, least squares in log–log over 1268–2580 Å."""
    lo, hi = UV_SLOPE_RANGE
    inside = (wave >= lo) & (wave <= hi)
    x = np.log(wave[inside])
    weights = np.gradient(x) * (x - np.average(x, weights=np.gradient(x)))
    weights = weights / np.sum(weights * x)
    log_flambda = jnp.log(lnu[np.flatnonzero(inside)]) - 2.0 * jnp.asarray(x, float)
    return jnp.sum(jnp.asarray(weights, float) * log_flambda)


def _absolute_magnitude(galaxy: Galaxy, light: Light, lo: float, hi: float) -> Array:
    constant = math.log10(LSUN_ERG_S / (4.0 * math.pi)) - 2.0 * math.log10(10.0 * PC_CM)
    log10_flux = jnp.log10(mean_lnu(galaxy.wave, light.lnu, lo, hi)) + light.log10_scale
    return -2.5 * (log10_flux + constant) - AB_ZERO_POINT
