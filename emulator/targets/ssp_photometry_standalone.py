"""It serves any star-formation history: ``formed`` is the mass [Msun] formed in each bin of
lookback time between ``AGE_EDGES``, (n_bins,) or (n, n_bins); `formed_in_bins` gives it for a table
of SFR.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulator.standalone import (
    ABOUT,
    ARRAYS,
    BANDS,
    TARGET,
    Array,
    ab_magnitudes,
    exponentials,
    inputs,
    interpolated,
    network,
    observed,
)

# --- from its outputs to light ----------------------------------------------------------------

AGE_EDGES = ARRAYS["age_edges"]  # lookback time [Gyr]


def magnitudes(formed: Any = None, **params: Any) -> Array:
    """Return AB magnitudes (n_bands,), or (n, n_bands) where a parameter is an array."""
    return ab_magnitudes(fluxes(formed, **params))


def fluxes(formed: Any = None, **params: Any) -> Array:
    """Return f_ν [erg/s/cm²/Hz], (n_bands,) or (n, n_bands)."""
    if formed is None:
        raise TypeError("give formed=, the mass formed in the bins between AGE_EDGES")

    def light(p: dict[str, Array]) -> tuple[Array, float]:
        flux = of_all_ages(network(inputs(p)), np.atleast_2d(formed), p)
        return flux, ABOUT["log10_unit"]

    return observed(params, light, None if np.ndim(formed) == 1 else len(formed))


def of_all_ages(y: Array, formed: Array, p: dict[str, Array]) -> Array:
    """Return the light (n, n_bands) of the masses formed (n, n_bins), dust in front and around."""
    u, absorbs = exponentials(y), TARGET["absorbs"]
    light = u.reshape(len(u), len(BANDS) + absorbs, -1) * formed[:, None]
    is_young = np.arange(light.shape[2]) < TARGET["n_young"]
    young, old = light[..., is_young].sum(axis=2), light[..., ~is_young].sum(axis=2)
    cloud, diffuse = (optical_depth(p, which) for which in ("bc", "diff"))
    n = len(BANDS)
    passing_cloud, passing = passing_light(cloud[:, :n], diffuse[:, :n])
    flux = passing * (passing_cloud * young[:, :n] + old[:, :n])
    if not absorbs:
        return flux
    thinnest = ABOUT["thinnest"]
    by_old = -np.expm1(-(diffuse[:, n] + thinnest)) * old[:, n]
    by_young = -np.expm1(-(diffuse[:, n] + cloud[:, n] + thinnest)) * young[:, n]
    return flux + (by_young + by_old)[:, None] * light_of_dust(p)


def passing_light(cloud: Array, diffuse: Array) -> tuple[Array, Array]:
    """Return what is factored out for optical depths of birth clouds and diffuse dust."""
    deepest, limit = ABOUT["deepest"], TARGET["deepest_beside"]
    thinnest, clearest = (depth.min(axis=1, keepdims=True) for depth in (cloud, diffuse))
    more, both = diffuse - clearest, diffuse - clearest + cloud - thinnest
    more, both = (depth / (1.0 + (depth / limit) ** 4) ** 0.25 for depth in (more, both))
    depths = thinnest + both - more, clearest + more
    return tuple(np.exp(-np.minimum(depth, deepest)) for depth in depths)  # type: ignore


def light_of_dust(p: dict[str, Array]) -> Array:
    """Return L_ν/L_IR of dust in the bands (n, n_bands): templates of Draine & Li (2007)."""
    out = np.zeros((len(p["redshift"]), len(BANDS)))
    if "dust/matrix" not in ARRAYS:
        return out  # no band sees it
    matrix, shapes = ARRAYS["dust/matrix"], ARRAYS["dust/shapes"]
    lnu = np.tensordot(template_weights(p), shapes, 3)
    fine = len(matrix) - 3
    shift = np.log1p(p["redshift"]) * fine / ABOUT["dust"]["step"]
    below = np.floor(shift).astype(int)
    first = ABOUT["dust"]["first"] - below // fine
    windows = np.take_along_axis(lnu, first[:, None] + np.arange(matrix.shape[2]), axis=1)
    seen = np.einsum("kbw,nw->nkb", matrix, windows)
    i, t = (below % fine)[:, None], (shift - below)[:, None]
    a, b, c, d = (np.take_along_axis(seen, (i + k)[..., None], axis=1)[:, 0] for k in range(4))
    out[:, ABOUT["dust"]["band"]] = catmull_rom(t, a, b, c, d)
    return out


def template_weights(p: dict[str, Array]) -> Array:
    """Return the share of the dust's luminosity in each template, (n, 2, n_qpah, n_umin)."""
    qpah, umin = ARRAYS["dust/qpah"], ARRAYS["dust/ln_umin"]
    node = (
        interpolated(np.eye(len(qpah)), scaled(p["dust_qpah"], qpah))[:, :, None]
        * interpolated(np.eye(len(umin)), scaled(np.log(p["dust_umin"]), umin))[:, None]
    )
    gamma = p["dust_gamma_dl"]
    strong = gamma * (node * ARRAYS["dust/ratio"]).sum(axis=(1, 2))
    kind = np.stack([1.0 - gamma, strong], axis=1) / (1.0 - gamma + strong)[:, None]
    return kind[:, :, None, None] * node[:, None]


def scaled(values: Array, nodes: Array) -> Array:
    """Return where values lie between nodes, whose numbers go from -1 to 1."""
    return np.interp(values, nodes, np.linspace(-1.0, 1.0, len(nodes)))


def optical_depth(p: dict[str, Array], which: str) -> Array:
    """Return the optical depth at the pivot wavelengths at rest, (n, n_rows)."""
    nodes = ARRAYS["ln_nodes"]
    if f"law/{which}" in ARRAYS:
        curve = np.broadcast_to(ARRAYS[f"law/{which}"], (len(p["redshift"]), len(nodes)))
    else:  # a power law
        powers = ARRAYS[f"ln_powers/{which}"] - np.log(5500.0)
        curve = np.exp(p["dust_slope"][:, None] * powers)
    step = nodes[1] - nodes[0]
    ln_wave = np.log(TARGET["pivots"]) - np.log1p(p["redshift"])[:, None]
    if TARGET["absorbs"]:
        heating = np.full(len(ln_wave), np.log(ABOUT["heating_aa"]))
        ln_wave = np.column_stack([ln_wave, heating])
    s = np.clip((ln_wave - nodes[0]) / step, 1.0, len(nodes) - 2.001)
    i = s.astype(int)
    a, b, c, d = (np.take_along_axis(curve, i + k, axis=1) for k in (-1, 0, 1, 2))
    return p[f"dust_tau_{which}"][:, None] * catmull_rom(s - i, a, b, c, d)


def catmull_rom(t: Array, a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the value at t between b and c, of four at equal steps (Catmull & Rom 1974)."""
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def formed_in_bins(t_gyr: Any, sfr: Any) -> Array:
    """Return the mass [Msun] formed between ``AGE_EDGES``, (n_bins,).

    ``sfr`` [Msun/yr] is linear between the lookback times ``t_gyr``, ascending, and zero outside.
    """
    t = np.asarray(t_gyr, float)
    grid = np.union1d(AGE_EDGES, t)
    rate = np.interp(grid, t, np.asarray(sfr, float))
    steps = 0.5 * (rate[1:] + rate[:-1]) * np.diff(grid)
    steps[(grid[1:] <= t[0]) | (grid[:-1] >= t[-1])] = 0.0
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return 1e9 * np.diff(np.interp(AGE_EDGES, grid, total))
