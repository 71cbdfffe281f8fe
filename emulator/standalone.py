"""Band fluxes from the surrogate beside this file (same name, .npz). Needs NumPy alone.

>>> from NAME import magnitudes, fluxes, BANDS, ABOUT                 # doctest: +SKIP
>>> magnitudes(redshift=0.1, met_logzsol=-0.3, …)                     # doctest: +SKIP

Keywords are parameters: numbers, or arrays of one length n; what was fixed in training may be left
out. Galaxies outside the trained box are NaN. f_ν is in erg/s/cm²/Hz, magnitudes are AB.

A surrogate of one star-formation history takes its parameters, amplitude included; a history that
forms no star by t(z) is not noticed. One of all stellar ages (``AGE_EDGES``) takes ``formed``
instead, the mass [Msun] formed in each bin of lookback time, (n_bins,) or (n, n_bins);
`formed_in_bins` gives it for a table of SFR.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray

with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as _file:
    ARRAYS = {name: _file[name] for name in _file.files}
ABOUT = json.loads(ARRAYS.pop("about").tobytes().decode())
BANDS = tuple(ABOUT["bands"])
TARGET, NETWORK, COSMOLOGY = ABOUT["target"], ABOUT["network"], ABOUT["cosmology"]
AGE_EDGES: Any = ARRAYS.get("age_edges")  # lookback time [Gyr], where ages were learnt
F32 = np.float32


def magnitudes(**params: Any) -> Array:
    """Return AB magnitudes (n_bands,), or (n, n_bands) where a parameter is an array."""
    return -2.5 * np.log10(fluxes(**params)) - 48.60


def fluxes(formed: Any = None, **params: Any) -> Array:
    """Return f_ν [erg/s/cm²/Hz], (n_bands,) or (n, n_bands)."""
    n = None if formed is None or np.ndim(formed) == 1 else len(formed)
    p = complete(params, n)
    if TARGET["name"] == "ssp_photometry":
        if formed is None:
            raise TypeError("give formed=, the mass formed in the bins between AGE_EDGES")
        flux, scale = of_all_ages(network(inputs(p)), np.atleast_2d(formed), p), ABOUT["log10_unit"]
    else:
        flux = unit_flux(network(inputs(p)))
        scale = p[TARGET["amplitude"]] + TARGET["log10_unit"]
    factor = 10.0 ** (scale + log10_dilution(p["redshift"]))
    out = np.where(inside(p)[:, None], flux * factor[:, None], np.nan)
    known = ABOUT["parameters"]
    single = n is None and all(np.ndim(v) == len(known[k]["shape"]) for k, v in params.items())
    return out[0] if single else out


def complete(params: dict[str, Any], rows: int | None) -> dict[str, Array]:
    """Return every parameter with a leading axis (n,)."""
    known = ABOUT["parameters"]
    for name in params:
        if name not in known:
            raise KeyError(f"unknown parameter {name!r}; known: {', '.join(known)}")
    absent = [n for n, about in known.items() if n not in params and about["default"] is None]
    if absent:
        raise KeyError(f"missing: {', '.join(absent)}")
    given = {n: np.asarray(params.get(n, about["default"]), float) for n, about in known.items()}
    lengths = {v.shape[0] for n, v in given.items() if v.ndim > len(known[n]["shape"])}
    n = max(lengths, default=rows or 1)
    return {name: np.broadcast_to(v, (n, *known[name]["shape"])) for name, v in given.items()}


def inside(p: dict[str, Array]) -> Array:
    """Return which galaxies lie in the trained box, (n,)."""
    good = np.ones(len(p["redshift"]), bool)
    for name, (low, high) in ABOUT["box"].items():
        within = (p[name] >= np.asarray(low)) & (p[name] <= np.asarray(high))
        good &= within.reshape(len(good), -1).all(axis=1)
    return good


def inputs(p: dict[str, Array]) -> Array:
    """Return the scaled inputs of the network, (n, n_in) in float32."""
    names = TARGET["input_names"]
    raw = np.concatenate([p[name].reshape(len(p[name]), -1) for name in names], axis=1).astype(F32)
    log, shift = np.array(ABOUT["input_log"]), np.array(ABOUT["input_shift"], F32)
    raw = np.where(log, np.log(np.where(log, raw + shift, F32(1))), raw)
    return (raw - ARRAYS["scaling/in/centre"]) / ARRAYS["scaling/in/half"]


# --- the network ------------------------------------------------------------------------------


def network(x: Array) -> Array:
    """Return the outputs y (n, n_out) of scaled inputs, logarithms of what was learnt."""
    weights = {name[8:]: a for name, a in ARRAYS.items() if name.startswith("weights/")}
    if NETWORK["name"] == "per_output":
        each = {name[6:]: a for name, a in weights.items()}  # without "bands/"
        v = np.concatenate(
            [mlp({name: a[k] for name, a in each.items()}, x) for k in range(len(BANDS))], axis=1
        )
    else:
        v = (mlp if NETWORK["name"] == "mlp" else resmlp)(weights, x)
    y = v * ARRAYS["scaling/out/scale"]
    if "scaling/out/rotation" in ARRAYS:
        rotation = ARRAYS["scaling/out/rotation"]
        blocks = rotation.reshape(-1, *rotation.shape[-2:])  # one, or one for each row
        y = np.concatenate([part @ block.T for part, block in
                            zip(np.split(y, len(blocks), axis=1), blocks)], axis=1)  # fmt: skip
    return (y + ARRAYS["scaling/out/mean"]).astype(float)


def mlp(w: dict[str, Array], x: Array) -> Array:
    """Return dense layers with activations between them."""
    h = features(w, x)
    for i in range(NETWORK["depth"]):
        h = activation(w, dense(w, h, f"layer_{i}"), i)
    return dense(w, h, "out")


def resmlp(w: dict[str, Array], x: Array) -> Array:
    """Return blocks h + second(act(first(act(h))))."""
    h = dense(w, features(w, x), "layer_0")
    for i in range(NETWORK["depth"]):
        inner = activation(w, dense(w, activation(w, h, 2 * i), f"first_{i}"), 2 * i + 1)
        h = h + dense(w, inner, f"second_{i}")
    return dense(w, activation(w, h, 2 * NETWORK["depth"]), "out")


def dense(w: dict[str, Array], x: Array, layer: str) -> Array:
    """Return one layer, before its activation."""
    return x @ w[f"{layer}/kernel"] + w[f"{layer}/bias"]


def features(w: dict[str, Array], x: Array) -> Array:
    """Append the features of single inputs."""
    parts = [x]
    if NETWORK["redshift"] == "fourier":
        k = np.arange(1, NETWORK["n_features"] + 1, dtype=F32)
        phase = x[:, NETWORK["z_column"], None] * (F32(np.pi) * k)
        parts += [np.sin(phase), np.cos(phase)]
    if NETWORK["redshift"] == "table":
        parts.append(interpolated(w["redshift/table"], x[:, NETWORK["z_column"]]))
    for column in NETWORK["tables"]:
        parts.append(interpolated(w[f"table_{column}/table"], x[:, column]))
    return np.concatenate(parts, axis=1).astype(F32)


def interpolated(table: Array, x: Array) -> Array:
    """Return the rows of a table over [-1, 1] at x, linear between its knots."""
    knots = np.linspace(-1.0, 1.0, len(table))
    return np.column_stack([np.interp(x, knots, column) for column in table.T])


def activation(w: dict[str, Array], x: Array, i: int) -> Array:
    """Return the activation of layer ``i``."""
    kind = NETWORK["activation"]
    if kind == "tanh":
        return np.tanh(x)
    if kind == "gelu":
        return 0.5 * x * (1.0 + np.tanh(F32(np.sqrt(2.0 / np.pi)) * (x + F32(0.044715) * x**3)))
    if kind == "silu":
        return x / (1.0 + np.exp(-x))
    if kind == "smoothstep":
        t = np.clip(F32(0.5) + F32(0.2128) * x, 0.0, 1.0)
        return x * t**3 * (10.0 + t * (6.0 * t - 15.0))
    alpha, beta = w[f"act_{i}/alpha"], w[f"act_{i}/beta"]
    return (beta + (1.0 - beta) / (1.0 + np.exp(-alpha * x))) * x


# --- from its outputs to light ----------------------------------------------------------------


def unit_flux(y: Array) -> Array:
    """Undo the softened logarithm: f = e^y − δ S, S = Σ e^y / (1 + n δ)."""
    total = np.exp(y).sum(axis=1, keepdims=True) / (1.0 + len(BANDS) * TARGET["softening"])
    return np.maximum(np.exp(y) - TARGET["softening"] * total, ABOUT["floor"] * total)


def of_all_ages(y: Array, formed: Array, p: dict[str, Array]) -> Array:
    """Return the light (n, n_bands) of the masses formed (n, n_bins), dust in front and around."""
    u = np.exp(y)
    if "scaling/out/floor" in ARRAYS:
        floor = np.exp(ARRAYS["scaling/out/floor"])
        u = np.maximum(u - floor, ABOUT["below_floor"] * floor)
    absorbs = TARGET["absorbs"]
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
    deepest, beside = ABOUT["deepest"], TARGET["deepest_beside"]
    thinnest, clearest = (depth.min(axis=1, keepdims=True) for depth in (cloud, diffuse))
    more, both = diffuse - clearest, diffuse - clearest + cloud - thinnest
    more, both = (depth / (1.0 + (depth / beside) ** 4) ** 0.25 for depth in (more, both))
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
    out[:, ABOUT["dust"]["band"]] = cubic(t, a, b, c, d)
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
        curve = np.exp(p["dust_slope"][:, None] * (nodes - np.log(5500.0)))
    step = nodes[1] - nodes[0]
    ln_wave = np.log(TARGET["pivots"]) - np.log1p(p["redshift"])[:, None]
    if TARGET["absorbs"]:
        heating = np.full(len(ln_wave), np.log(ABOUT["heating_aa"]))
        ln_wave = np.column_stack([ln_wave, heating])
    s = np.clip((ln_wave - nodes[0]) / step, 1.0, len(nodes) - 2.001)
    i = s.astype(int)
    a, b, c, d = (np.take_along_axis(curve, i + k, axis=1) for k in (-1, 0, 1, 2))
    return p[f"dust_tau_{which}"][:, None] * cubic(s - i, a, b, c, d)


def cubic(t: Array, a: Array, b: Array, c: Array, d: Array) -> Array:
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


def log10_dilution(z: Array) -> Array:
    """Return log10 of Lsun (1+z) / 4πd² [erg/s/cm²], d the luminosity distance."""
    d_cm = luminosity_distance_mpc(z) * ABOUT["mpc_cm"]
    return np.log10(ABOUT["lsun_erg_s"] * (1.0 + z) / (4.0 * np.pi)) - 2.0 * np.log10(d_cm)


def luminosity_distance_mpc(z: Array) -> Array:
    """Return the luminosity distance [Mpc]."""
    if COSMOLOGY["name"] == "TabulatedCosmology":
        x = 2.0 * np.log1p(z) / np.log1p(COSMOLOGY["z_max"]) - 1.0
        return z * np.exp(np.polynomial.chebyshev.chebval(x, COSMOLOGY["log_distance"]))
    nodes, weights = np.polynomial.legendre.leggauss(32)
    width = 1.0 - (1.0 + z) ** -0.5  # in u = (1+z)^-½ the integrand is smooth
    u = 1.0 - width[:, None] * 0.5 * (1.0 + nodes)
    integrand = 2.0 / np.sqrt(COSMOLOGY["Om0"] + (1.0 - COSMOLOGY["Om0"]) * u**6)
    return (1.0 + z) * 299792.458 / COSMOLOGY["H0"] * width * (integrand @ (0.5 * weights))
