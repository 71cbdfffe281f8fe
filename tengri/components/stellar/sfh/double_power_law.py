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
from tengri.products import matmul
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
    start, width = cosmic_bins(edges, t_univ)
    v = total * jnp.log(start / tau)
    span = total * jnp.log1p(width / start)  # in v: kept apart from v, beside which it is small
    m = _integral((1 + beta) / total, v, span)
    return jnp.log(tau / total) + log_peak(alpha, beta), jnp.where(width > 0, m, 0.0)


@jax.custom_jvp
def _integral(a: Array, v: Array, span: Array) -> Array:
    """∫ e^{av} / (1 + e^v) dv over a span from each ``v``, (n,)."""
    rises, split, near, far, beyond = _sides(v, span)
    m = _moments(jnp.where(rises, a, 1 - a), near, far)[0]
    return m + jnp.where(split, _moments(1 - a, jnp.zeros_like(beyond), beyond)[0], 0.0)


@_integral.defjvp
def _integral_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Say the derivatives, at a small part of autodiff's cost: ∫ v f dv, and f at the ends."""
    a, v, span = primals
    da, dv, dspan = tangents
    rises, split, near, far, beyond = _sides(v, span)
    first = _moments(jnp.where(rises, a, 1 - a), near, far)[1]
    more = _moments(1 - a, jnp.zeros_like(beyond), beyond)[1]
    by_a = jnp.where(rises, -first, first) + jnp.where(split, more, 0.0)
    begin, end = (jnp.exp(a * at - jnp.logaddexp(0.0, at)) for at in (v, v + span))
    short = jnp.minimum(span, 1.0)
    growth = jnp.expm1((a - 1) * short - jnp.log1p(jax.nn.sigmoid(-v) * jnp.expm1(-short)))
    rise = jnp.where(span < 1.0, begin * growth, end - begin)  # no difference where it is narrow
    # a product with a vector: XLA would sum what it multiplies with ``da`` one by one
    return _integral(*primals), matmul(by_a[:, None], da[None]) + rise * dv + (begin + rise) * dspan


def _sides(v: Array, span: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Return |v| from where each bin is integrated, how far, and the rest of the one at v = 0."""
    rises, split = v < 0, (v < 0) & (v + span > 0)
    beyond = jnp.sum(jnp.where(split, v + span, 0.0))
    near = jnp.where(rises, jnp.maximum(-v - span, 0.0), v)
    far = jnp.where(rises, jnp.minimum(span, -v), span)
    return rises, split, near, far, beyond


def _moments(b: Array, near: Array, span: Array) -> tuple[Array, Array]:
    """∫ f du and ∫ u f du from near >= 0 over a span; f = e^{-bu} / (1 + e^{-u}).

    That is Σ c_k e^{-(b+k)u}.
    The exponentials of each k follow from those of the one before it; the first ones are kept, or
    XLA would compute them anew for both results.
    """
    exponents = -b * near, -near, -b * span, -span
    at_near, factor, decay, step = jax.lax.optimization_barrier(tuple(map(jnp.exp, exponents)))
    total = first = jnp.zeros_like(span)
    for k, c in enumerate(COEFFICIENTS):
        zeroth, next_one = exp_moments((b + k) * span, decay)
        total, first = total + float(c) * at_near * zeroth, first + float(c) * at_near * next_one
        at_near, decay = at_near * factor, decay * step
    return span * total, span * (near * total + span * first)


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
