"""Double power law in cosmic time (Carnall+2018, eq. 10): ``dpl``.

With T the time since the Big Bang, s = (T/τ)^(α+β) and a = (1+β)/(α+β),

    ∫ dT / [(T/τ)^α + (T/τ)^-β]  =  τ/(α+β) ∫ s^(a-1) / (1+s) ds  =  τ/(α+β) ∫ e^-bu / (1 + e^-u) du

with u = |ln s| and b = a below s = 1, 1 - a above. There 1/(1+y), y = e^-u, is a polynomial in y to
a few 1e-6 and every term integrates in closed form: each bin is exact however narrow its peak.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import EARLIEST, SFHFamily, cosmic_bins, time_twins
from tengri.components.stellar.sfh.numerics import exp_moments
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
    """Mass in each bin from the closed form above; the bin that holds s = 1 has two parts."""
    alpha, beta, tau = q["alpha"], q["beta"], q["tau_gyr"]
    total = alpha + beta
    a = (1 + beta) / total
    start, width = cosmic_bins(edges, t_univ)
    v = total * jnp.log(start / tau)
    span = total * jnp.log1p(width / start)  # in v: kept apart from v, beside which it is small
    rises, split = v < 0, (v < 0) & (v + span > 0)
    beyond = jnp.sum(jnp.where(split, v + span, 0.0))
    near = jnp.where(rises, jnp.maximum(-v - span, 0.0), v)
    far = jnp.where(rises, jnp.minimum(span, -v), span)
    m = _integral(jnp.where(rises, a, 1 - a), near, far)
    m += jnp.where(split, _integral(1 - a, jnp.zeros_like(beyond), beyond), 0.0)
    return jnp.log(tau / total) + log_peak(alpha, beta), jnp.where(width > 0, m, 0.0)


@jax.custom_jvp
def _integral(b: Array, near: Array, span: Array) -> Array:
    """∫ f du from near >= 0 over a span, f = e^{-bu} / (1 + e^{-u}) = Σ c_k e^{-(b+k)u}."""
    return _moments(b, near, span)[0]


@_integral.defjvp
def _integral_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """The derivatives are integrals of the same kind, at a small part of autodiff's cost."""
    value, by_b, by_near, by_span = _moments(*primals)
    db, dnear, dspan = tangents
    return value, by_b * db + by_near * dnear + by_span * dspan


def _moments(b: Array, near: Array, span: Array) -> tuple[Array, Array, Array, Array]:
    """∫ f du, -∫ u f du, ∫ f' du and f(near + span).

    The exponentials of each k follow from those of the one before it; the first ones are kept, or
    XLA would compute them anew for each of the four results.
    """
    exponents = -b * near, -near, -b * span, -span
    at_near, factor, decay, step = jax.lax.optimization_barrier(tuple(map(jnp.exp, exponents)))
    total = first = slope = end = jnp.zeros_like(span)
    for k, c in enumerate(COEFFICIENTS):
        zeroth, next_one = exp_moments((b + k) * span, decay)
        zeroth, next_one = (float(c) * span * at_near * m for m in (zeroth, next_one))
        total, first = total + zeroth, first + next_one
        slope, end = slope - (b + k) * zeroth, end + float(c) * at_near * decay
        at_near, decay = at_near * factor, decay * step
    return total, -near * total - span * first, slope, end


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
