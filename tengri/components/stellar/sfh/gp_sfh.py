"""Stochastic star formation: an Ornstein-Uhlenbeck modulator in linear time: ``field``.

ln SFR is modulated by a Gaussian process g with covariance (σ ln 10)² exp(-|Δt|/τ), a damped
random walk; exp(g - v/2), v = (σ ln 10)², has ensemble mean 1. σ is the scatter in dex.
The process lives on a grid uniform in log age and is driven by one standard normal per node.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.stellar.sfh.family import SFHFamily, clipped
from tengri.components.stellar.sfh.numerics import expm1_ratio
from tengri.constants import LN10
from tengri.errors import ParameterError
from tengri.numerics.linalg import matmul
from tengri.priors import Normal, Uniform
from tengri.registry import Param

LOG_AGE_MIN, LOG_AGE_MAX = 6.0, 10.14
N_GRID = 256
VARIANCE_NODES = 7  # 1e-3 up to 1.5 dex
GYR_PER_MYR, GYR_PER_YR = 1e-3, 1e-9


def make_log_age_grid(
    n_grid: int = N_GRID, log_age_min: float = LOG_AGE_MIN, log_age_max: float = LOG_AGE_MAX
) -> np.ndarray:
    """Return the canonical grid: log10(age/yr), uniform, ``(n_grid,)``."""
    if n_grid < 2 or not log_age_min < log_age_max:
        raise ParameterError(
            f"A log-age grid needs n_grid >= 2 and log_age_min < log_age_max; got {n_grid}, "
            f"{log_age_min}, {log_age_max}."
        )
    return np.linspace(log_age_min, log_age_max, n_grid)


def compute_field_gp(
    xi: ArrayLike,
    psd_sigma: ArrayLike,
    psd_tau_yr: ArrayLike,
    n_grid: int = N_GRID,
    d_log_age: float | None = None,
    log_age_grid: np.ndarray | None = None,
) -> tuple[Array, Array]:
    """Realise the process on the log-age grid.

    Parameters
    ----------
    xi : (n_grid,)
        Standard normals.
    psd_sigma : scalar
        Standard deviation of log10 SFR [dex].
    psd_tau_yr : scalar
        Correlation time [yr].
    n_grid : int
    d_log_age : float, optional
        Step of a grid that starts at 10^6 yr; by default that of `make_log_age_grid`.
    log_age_grid : (n_grid,), optional
        The grid itself, log10(age/yr), ascending; takes the place of ``d_log_age``.

    Returns
    -------
    gp_x : (n_grid,)
        The process in natural log: autocovariance (σ ln 10)² exp(-|Δt|/τ).
    k0_half : scalar
        Half its variance: ``exp(gp_x - k0_half)`` has ensemble mean 1.

    Raises
    ------
    ParameterError
        Where ``xi`` or ``log_age_grid`` does not have ``n_grid`` entries.
    """
    xi = jnp.asarray(xi)
    grid = _grid(n_grid, d_log_age, log_age_grid)
    if xi.shape != (n_grid,):
        raise ParameterError(f"xi has shape {xi.shape}; n_grid = {n_grid} asks for ({n_grid},).")
    amplitude = LN10 * jnp.asarray(psd_sigma)
    rho = _correlation(10.0 ** (grid - 9.0), GYR_PER_YR * jnp.asarray(psd_tau_yr))
    return amplitude * _unit_process(xi, rho), 0.5 * amplitude**2


def _grid(n_grid: int, d_log_age: float | None, log_age_grid: np.ndarray | None) -> np.ndarray:
    if log_age_grid is None:
        step = (LOG_AGE_MAX - LOG_AGE_MIN) / (n_grid - 1) if d_log_age is None else d_log_age
        return LOG_AGE_MIN + step * np.arange(n_grid)
    grid = np.asarray(log_age_grid, float)
    if grid.shape != (n_grid,) or not (np.diff(grid) > 0).all():
        raise ParameterError(
            f"log_age_grid must ascend and have n_grid = {n_grid} entries; got shape {grid.shape}."
        )
    return grid


def _correlation(t_gyr: np.ndarray, tau_gyr: Array) -> Array:
    """-Δt/τ = ln of the correlation of each node with the one before, (n_grid - 1,)."""
    return -jnp.asarray(np.diff(t_gyr)) / tau_gyr


def _unit_process(xi: Array, ln_rho: Array) -> Array:
    """s_0 = ξ_0, s_i = ρ_i s_{i-1} + √(1 - ρ_i²) ξ_i: exact at any spacing, unit variance."""
    decay = jnp.concatenate([jnp.zeros(1), jnp.exp(ln_rho)])
    kick = jnp.concatenate([xi[:1], jnp.sqrt(-jnp.expm1(2 * ln_rho)) * xi[1:]])
    # the recursion by doubling: after step k every node has its last 2^k kicks
    reach = 1
    while reach < len(decay):
        before = jnp.pad(kick[:-reach], (reach, 0))
        kick = kick + decay * before
        decay = decay * jnp.pad(decay[:-reach], (reach, 0))
        reach *= 2
    return kick


def bin_modulator(
    q: Mapping[str, Array], edges: np.ndarray, t_univ: Array, n_grid: int = N_GRID
) -> Array:
    """Mean of exp(g - v/2) over each age bin, a log-normal with mean 1, ``(n,)``.

    Its Gaussian is the bin's average of the gridded process, rescaled so that the variance of
    the modulator is that of the *bin mean* of exp(g - v/2) (`bin_variance`), whatever the grid.
    """
    log_age = make_log_age_grid(n_grid)
    weight, first, count = averaging(edges, log_age)
    t_grid = 10.0 ** (log_age - 9.0)
    ln_rho = _correlation(t_grid, GYR_PER_MYR * q["psd_tau_myr"])
    unit = _unit_process(q["xi"], ln_rho)
    mean = matmul(jnp.asarray(weight), unit)
    spread = jnp.sqrt(_variance_of_average(weight, first, count, jnp.exp(ln_rho)))
    low, high = clipped(edges, t_univ)
    v = (LN10 * q["psd_sigma"]) ** 2
    variance = jnp.log1p(bin_variance(v, (high - low) / (GYR_PER_MYR * q["psd_tau_myr"])))
    return jnp.exp(jnp.sqrt(variance) * mean / spread - 0.5 * variance)


def bin_variance(v: Array, x: Array) -> Array:
    """Variance of the mean of exp(g - v/2) over x = Δt/τ: ∫_0^1 2(1-y) (e^{v exp(-xy)} - 1) dy.

    Gauss-Legendre in the correlation exp(-xy), in which the integrand is smooth.
    """
    nodes, weights = np.polynomial.legendre.leggauss(VARIANCE_NODES)
    along = tuple(range(x.ndim))
    w, g = (np.expand_dims(a, along) for a in (0.5 * (nodes + 1), 0.5 * weights))
    x = jnp.maximum(x, 1e-6)
    drop = expm1_ratio(-x)  # (1 - e^-x)/x
    lost = jnp.asarray(w) * (x * drop)[..., None]
    y = -jnp.log1p(-lost) / x[..., None]
    term = (1 - y) * v * expm1_ratio(v * (1 - lost))
    return 2 * drop * jnp.sum(jnp.asarray(g) * term, axis=-1)


def averaging(edges: np.ndarray, log_age: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Weights that average the interpolated grid over each bin, in linear time.

    Returns
    -------
    weight : (n, n_grid)
        Rows sum to 1; beyond its ends the process is held.
    first, count
        First node of each row that counts, and the most nodes that any row has.
    """
    nodes = 10.0 ** (log_age - 9.0)
    edges = np.append(edges[:-1], max(edges[-1], nodes[-1]))
    ramp = 0.5 * np.maximum(edges[:, None] - nodes[None, :], 0.0) ** 2
    # ∫_0^T of the share of a segment that its right end has: 0 before, growing within, T beyond
    right = (ramp[:, :-1] - ramp[:, 1:]) / np.diff(nodes)
    whole = np.column_stack([edges, right, np.zeros(len(edges))])
    weight = np.diff(whole[:, :-1] - whole[:, 1:], axis=0) / np.diff(edges)[:, None]
    weight = np.where(weight > 1e-7, weight, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight > 0
    first = used.argmax(axis=1)
    last = weight.shape[1] - used[:, ::-1].argmax(axis=1)
    return weight, first, int((last - first).max())


def _variance_of_average(weight: np.ndarray, first: np.ndarray, count: int, rho: Array) -> Array:
    """Σ_jk w_j w_k corr(j, k) of each row, by the recursion that exponentials allow."""
    index = first[None, :] + np.arange(count)[:, None]
    inside = index < weight.shape[1]
    index = np.minimum(index, weight.shape[1] - 1)
    w = np.where(inside, weight[np.arange(len(first)), index], 0.0)
    decay = jnp.concatenate([jnp.zeros(1), rho])[index]

    def step(carry: tuple[Array, Array], node: tuple[Array, Array]) -> tuple[tuple, None]:
        total, tail = carry
        w_k, rho_k = node
        tail = rho_k * tail + w_k
        return (total + w_k * (2 * tail - w_k), tail), None

    start = jnp.zeros(len(first), rho.dtype)
    (total, _), _ = jax.lax.scan(step, (start, start), (jnp.asarray(w, rho.dtype), decay))
    return total


def log_field(t: Array, q: Mapping[str, Array], n_grid: int = N_GRID) -> Array:
    """g - v/2 at lookback times t, linear between the nodes."""
    log_age = make_log_age_grid(n_grid)
    gp, half = compute_field_gp(q["xi"], q["psd_sigma"], 1e6 * q["psd_tau_myr"], n_grid)
    return jnp.interp(t, jnp.asarray(10.0 ** (log_age - 9.0)), gp) - half


def latent(n_grid: int = N_GRID) -> Param:
    """Return the standard normals that drive the process, one per node of the grid."""
    return Param(
        "sfh_field_xi",
        0.0,
        Normal(0.0, 1.0),
        (-20.0, 20.0),
        "",
        "latent field",
        (n_grid,),
        family="sfh",
        symbol=r"$\xi$",
    )


FIELD = SFHFamily(
    "field",
    "sfh_field_",
    (
        Param(
            "sfh_field_psd_sigma",
            0.3,
            Uniform(0.01, 1.0),
            (1e-3, 1.5),
            "dex",
            "scatter of log10 SFR about the mean history",
            symbol=r"$\sigma_{\rm SFR}$",
        ),
        Param(
            "sfh_field_psd_tau_myr",
            100.0,
            Uniform(10.0, 500.0),
            (1.0, 1e4),
            "Myr",
            "correlation time of the scatter",
            symbol=r"$\tau_{\rm SFR}$",
        ),
        latent(),
    ),
    None,
    "Caplar & Tacchella 2019, MNRAS 487, 3845; Iyer+2020, MNRAS 498, 430; "
    "Muñoz & Iyer, arXiv:2601.07912",
    kind="modulator",
)
