"""Double power law in cosmic time (Carnall+2018, eq. 10): ``dpl``.

With T the time since the Big Bang, s = (T/τ)^(α+β) and a = (1+β)/(α+β),

    ∫ dT / [(T/τ)^α + (T/τ)^-β]  =  τ/(α+β) ∫ s^(a-1) / (1+s) ds.

On either side of s = 1 the factor 1/(1+y), y = s or 1/s, is a polynomial in y to a few 1e-6 and
every term integrates in closed form, so that each bin is exact however narrow the peak in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import EARLIEST, SFHFamily, cosmic_bins, time_twins
from tengri.components.stellar.sfh.numerics import expm1_ratio
from tengri.priors import Uniform
from tengri.registry import Param

DEGREE = 6


def _one_over_one_plus() -> np.ndarray:
    """Coefficients c_k of 1/(1+y) ~ Σ c_k y^k on 0 <= y <= 1."""
    fit = np.polynomial.Chebyshev.interpolate(lambda y: 1 / (1 + y), DEGREE, domain=[0, 1])
    return fit.convert(kind=np.polynomial.Polynomial).coef


COEFFICIENTS = _one_over_one_plus()  # (DEGREE + 1,)


def log_dpl(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """-ln[(T/τ)^α + (T/τ)^-β], relative to its maximum."""
    cosmic = jnp.maximum(t_univ - t, EARLIEST * t_univ)
    x = jnp.log(cosmic / q["tau_gyr"])
    return log_peak(q["alpha"], q["beta"]) - jnp.logaddexp(q["alpha"] * x, -q["beta"] * x)


def log_peak(alpha: Array, beta: Array) -> Array:
    """Return ln[(T/τ)^α + (T/τ)^-β] at its minimum, where (T/τ)^(α+β) = β/α."""
    x = jnp.log(beta / alpha) / (alpha + beta)
    return jnp.logaddexp(alpha * x, -beta * x)


def dpl_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """Mass in each bin from the closed form above."""
    alpha, beta, tau = q["alpha"], q["beta"], q["tau_gyr"]
    total = alpha + beta
    a = (1 + beta) / total
    start, width = cosmic_bins(edges, t_univ)
    v1 = total * jnp.log(start / tau)
    span = total * jnp.log1p(width / start)  # in v: kept apart from v1, beside which it is small
    m = _rising(a, v1, span) + _falling(a, v1, span)
    return jnp.log(tau / total) + log_peak(alpha, beta), jnp.where(width > 0, m, 0.0)


def _rising(a: Array, v: Array, span: Array) -> Array:
    """The part of [v, v + span] with s < 1, v = ln s: Σ c_k ∫ e^{(a+k)v} dv."""
    span = jnp.clip(-v, 0.0, span)
    high = jnp.minimum(v + span, 0.0)
    power = a + jnp.arange(DEGREE + 1)[:, None]
    terms = jnp.exp(power * high) * expm1_ratio(-power * span)
    return span * _weighted(terms)


def _falling(a: Array, v: Array, span: Array) -> Array:
    """The part of [v, v + span] with s > 1: Σ c_k ∫ e^{(a-1-k)v} dv."""
    span = jnp.clip(v + span, 0.0, span)
    low = jnp.maximum(v, 0.0)
    power = a - 1 - jnp.arange(DEGREE + 1)[:, None]
    terms = jnp.exp(power * low) * expm1_ratio(power * span)
    return span * _weighted(terms)


def _weighted(terms: Array) -> Array:
    """Σ_k c_k terms[k]; a chain of sums of rows, which compilers vectorise over the bins."""
    return jnp.asarray(sum(float(c) * terms[k] for k, c in enumerate(COEFFICIENTS)))


PARAMS = (
    Param("sfh_dpl_alpha", 1.5, Uniform(0.1, 5.0), (0.01, 1000.0), "", "falling slope"),
    Param("sfh_dpl_beta", 1.0, Uniform(0.1, 3.0), (0.01, 1000.0), "", "rising slope"),
    Param(
        "sfh_dpl_tau_gyr",
        3.0,
        Uniform(0.1, 12.0),
        (0.01, 100.0),
        "Gyr",
        "cosmic time of the turn-over",
    ),
)
DPL = SFHFamily(
    "dpl",
    "sfh_dpl_",
    PARAMS,
    log_dpl,
    "Carnall+2018, MNRAS 480, 4379, eq. 10",
    mass=dpl_masses,
    twins=time_twins(PARAMS, tau=(0.3, 0.02, 1.0)),
)
