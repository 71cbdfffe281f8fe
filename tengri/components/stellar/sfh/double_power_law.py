"""Double power law in cosmic time (Carnall+2018, eq. 10): ``dpl``.

With T the time since the Big Bang, s = (T/τ)^(α+β) and a = (1+β)/(α+β),

    ∫ dT / [(T/τ)^α + (T/τ)^-β]  =  τ/(α+β) ∫ s^(a-1) / (1+s) ds  =  τ/(α+β) ∫ e^-bu / (1 + e^-u) du

with u = |ln s| and b = a below s = 1, 1 - a above. There 1/(1+y), y = e^-u, is a polynomial in y to
a few 1e-6 and every term integrates in closed form: each bin is exact however narrow its peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import EARLIEST, SFHFamily, as_fractions, cosmic_bins
from tengri.components.stellar.sfh.numerics import exp_moments, one_less_exp
from tengri.numerics.linalg import matmul
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
    ln_start, ln_growth, empty = cosmic_bins(edges, t_univ)
    v = total * (ln_start - jnp.log(tau))
    span = total * ln_growth  # in v: kept apart from v, beside which it is small
    m = _integral((1 + beta) / total, v, span)
    return jnp.log(tau / total) + log_peak(alpha, beta), jnp.where(empty, 0.0, m)


@jax.custom_jvp
def _integral(a: Array, v: Array, span: Array) -> Array:
    """∫ e^{av} / (1 + e^v) dv over a span from each ``v``, (n,)."""
    _, split, here, beyond = _sides(a, v, span)
    return here.integral + jnp.where(split, beyond.integral, 0.0)


@_integral.defjvp
def _integral_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Say the derivatives, at a small part of autodiff's cost: ∫ v f dv, and f at the ends."""
    da, dv, dspan = tangents
    rises, split, here, beyond = _sides(*primals)
    more = jax.tree.map(lambda part: jnp.where(split, part, 0.0), beyond)
    moment = more.moment + jnp.where(rises, -here.moment, here.moment)
    rise = more.change + jnp.where(rises, -here.change, here.change)
    end = here.near + jnp.where(rises, more.change, here.change)
    # a product with a vector: XLA would sum what it multiplies with ``da`` one by one
    by_a = matmul(moment[:, None], da[None])
    return here.integral + more.integral, by_a + rise * dv + end * dspan


class Side(NamedTuple):
    """A bin, or its part on one side of the peak: f = e^{-bu} / (1 + e^{-u}) from near to far u."""

    integral: Array  # ∫ f du
    moment: Array  # ∫ u f du
    near: Array  # f at the near end
    change: Array  # from there to the far end


def _sides(a: Array, v: Array, span: Array) -> tuple[Array, Array, Side, Side]:
    """Return which bins begin before the peak, and which one ends after it; and their sides.

    Of the bin that holds the peak the first side is the one before it, the second the other.
    """
    rises, split = v < 0, (v < 0) & (v + span > 0)
    beyond = jnp.sum(jnp.where(split, v + span, 0.0))
    near = jnp.where(rises, jnp.maximum(-v - span, 0.0), v)
    far = jnp.where(rises, jnp.minimum(span, -v), span)
    after = _side(a, jnp.array(False), jnp.zeros_like(beyond), beyond)
    return rises, split, _side(a, rises, near, far), after


def _side(a: Array, rises: Array, near: Array, span: Array) -> Side:
    """Integrate Σ c_k e^{-(b+k)u} over a span from near >= 0.

    The exponentials of each k follow from those of the one before it; the first ones are kept, or
    XLA would compute them anew for every result.
    """
    b = jnp.where(rises, a, 1 - a)
    exponents = -b * near, -near, -b * span, -span
    at_near, y, lasting, step = jax.lax.optimization_barrier(tuple(map(jnp.exp, exponents)))
    integral = moment = jnp.zeros_like(span)
    at, decay = at_near, lasting
    for k, c in enumerate(COEFFICIENTS):
        inverse = jnp.where(rises, _inverse(a + k), _inverse(1 - a + k))
        zeroth, first = exp_moments(b + k, inverse, span, decay)
        integral, moment = integral + float(c) * at * zeroth, moment + float(c) * at * first
        at, decay = at * y, decay * step
    lost, dimmed = one_less_exp(b * span, lasting), one_less_exp(span, step)
    f_near = at_near / (1 + y)
    change = f_near * (y * dimmed - (1 + y) * lost) / (1 + y * step)  # nothing cancels
    return Side(integral, near * integral + moment, f_near, change)


def _inverse(rate: Array) -> Array:
    """Return 1/r, anything finite where r vanishes beside the spans that there can be."""
    return 1 / jnp.where(jnp.abs(rate) < 1e-6, 1.0, rate)


PARAMS = (
    Param(
        "sfh_dpl_alpha",
        1.5,
        Uniform(0.1, 5.0),
        (0.01, 1000.0),
        "",
        "falling slope",
        symbol=r"$\alpha$",
    ),
    Param(
        "sfh_dpl_beta",
        1.0,
        Uniform(0.1, 3.0),
        (0.01, 1000.0),
        "",
        "rising slope",
        symbol=r"$\beta$",
    ),
    Param(
        "sfh_dpl_tau_gyr",
        3.0,
        Uniform(0.1, 12.0),
        (0.01, 100.0),
        "Gyr",
        "cosmic time of the turn-over",
        symbol=r"$\tau$",
    ),
)
DPL = SFHFamily(
    "dpl",
    "sfh_dpl_",
    PARAMS,
    log_dpl,
    "Carnall+2018, MNRAS 480, 4379, eq. 10",
    mass=dpl_masses,
    fractional_times=as_fractions(PARAMS, tau=(0.3, 0.02, 1.0)),
)
