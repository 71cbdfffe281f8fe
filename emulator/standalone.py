"""Band fluxes from the surrogate beside this file (same name, .npz). Needs NumPy alone.

>>> from NAME import magnitudes, fluxes, BANDS, ABOUT                 # doctest: +SKIP
>>> magnitudes(redshift=0.1, met_logzsol=-0.3, …)                     # doctest: +SKIP

Keywords are parameters: numbers, or arrays of one length n; what was fixed in training may be left
out. Galaxies outside the trained box are NaN. f_ν is in erg/s/cm²/Hz, magnitudes are AB.

HOW
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
F32 = np.float32


def ab_magnitudes(flux: Array) -> Array:
    """Return AB magnitudes of f_ν [erg/s/cm²/Hz]."""
    return -2.5 * np.log10(flux) - 48.60


def observed(params: dict[str, Any], light: Any, rows: int | None = None) -> Array:
    """Return f_ν [erg/s/cm²/Hz], (n_bands,) or (n, n_bands); NaN outside the trained box.

    ``light`` turns complete parameters into fluxes at the source (n, n_bands) and log10 of their
    unit [Lsun/Hz]. ``rows`` is the number of galaxies, where it is known from elsewhere.
    """
    p = complete(params, rows)
    flux, scale = light(p)
    factor = 10.0 ** (scale + log10_luminosity_to_flux(p["redshift"]))
    out = np.where(inside(p)[:, None], flux * factor[:, None], np.nan)
    known = ABOUT["parameters"]
    single = rows is None and all(np.ndim(v) == len(known[k]["shape"]) for k, v in params.items())
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
    """Return the outputs y (n, n_out) of scaled inputs, as the target defines them."""
    weights = {name[8:]: a for name, a in ARRAYS.items() if name.startswith("weights/")}
    y = NETWORKS[NETWORK["name"]](weights, x) * ARRAYS["scaling/out/scale"]
    if "scaling/out/rotation" in ARRAYS:
        rotation = ARRAYS["scaling/out/rotation"]
        blocks = rotation.reshape(-1, *rotation.shape[-2:])  # one, or one for each row
        y = np.concatenate([part @ block.T for part, block in
                            zip(np.split(y, len(blocks), axis=1), blocks)], axis=1)  # fmt: skip
    return (y + ARRAYS["scaling/out/mean"]).astype(float)


def exponentials(y: Array) -> Array:
    """Return e^y of outputs that are logarithms; their floor, if they have one, is taken off."""
    u = np.exp(y)
    if "scaling/out/floor" not in ARRAYS:
        return u
    floor = np.exp(ARRAYS["scaling/out/floor"])
    return np.maximum(u - floor, ABOUT["below_floor"] * floor)


def per_output(w: dict[str, Array], x: Array) -> Array:
    """Return one network of dense layers for each output."""
    each = {name[6:]: a for name, a in w.items()}  # without "bands/"
    outputs = range(len(each["out/bias"]))
    return np.concatenate([mlp({n: a[k] for n, a in each.items()}, x) for k in outputs], axis=1)


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


NETWORKS = {"mlp": mlp, "resmlp": resmlp, "per_output": per_output}


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


# --- distances --------------------------------------------------------------------------------


def log10_luminosity_to_flux(z: Array) -> Array:
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
