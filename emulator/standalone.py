"""Band fluxes from the surrogate beside this file (same name, .npz). Needs NumPy alone.

>>> from NAME import magnitudes, fluxes, BANDS                        # doctest: +SKIP
>>> magnitudes(redshift=0.1, met_logzsol=-0.3, …)                     # doctest: +SKIP

Keywords are parameters: numbers, or arrays of one length n; what was fixed in training may be left
out. Galaxies outside the trained box are NaN. f_ν is in erg/s/cm²/Hz, magnitudes are AB.
Star formation is taken for granted: a history that forms no star by t(z) is not noticed.
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


def magnitudes(**params: Any) -> Array:
    """Return AB magnitudes (n_bands,), or (n, n_bands) where a parameter is an array."""
    return -2.5 * np.log10(fluxes(**params)) - 48.60


def fluxes(**params: Any) -> Array:
    """Return f_ν [erg/s/cm²/Hz], (n_bands,) or (n, n_bands)."""
    p = complete(params)
    flux = unit_flux(network(inputs(p)))
    scale = p[TARGET["amplitude"]] + TARGET["log10_unit"] + log10_dilution(p["redshift"])
    out = np.where(inside(p)[:, None], flux * 10.0 ** scale[:, None], np.nan)
    single = all(np.ndim(v) == len(ABOUT["parameters"][k]["shape"]) for k, v in params.items())
    return out[0] if single else out


def complete(params: dict[str, Any]) -> dict[str, Array]:
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
    n = max(lengths, default=1)
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
    log = np.array(ABOUT["input_log"])
    raw = np.where(log, np.log(np.where(log, raw, F32(1))), raw)
    return (raw - ARRAYS["scaling/in/centre"]) / ARRAYS["scaling/in/half"]


def features(x: Array) -> Array:
    """Append the redshift features."""
    if NETWORK["redshift"] == "none":
        return x
    z = x[:, NETWORK["z_column"]]
    if NETWORK["redshift"] == "fourier":
        phase = z[:, None] * (F32(np.pi) * np.arange(1, NETWORK["n_features"] + 1, dtype=F32))
        return np.concatenate([x, np.sin(phase), np.cos(phase)], axis=1)
    knots = np.linspace(-1.0, 1.0, NETWORK["knots"])
    table = [np.interp(z, knots, column) for column in ARRAYS["weights/redshift/table"].T]
    return np.column_stack([x, *table]).astype(F32)


def activation(x: Array, i: int) -> Array:
    """Return the activation of layer ``i``."""
    kind = NETWORK["activation"]
    if kind == "tanh":
        return np.tanh(x)
    if kind == "gelu":
        return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    if kind == "silu":
        return x / (1.0 + np.exp(-x))
    alpha, beta = (ARRAYS[f"weights/act_{i}/{name}"] for name in ("alpha", "beta"))
    return (beta + (1.0 - beta) / (1.0 + np.exp(-alpha * x))) * x


def dense(x: Array, layer: str) -> Array:
    """Return one layer, before its activation."""
    return x @ ARRAYS[f"weights/{layer}/kernel"] + ARRAYS[f"weights/{layer}/bias"]


def network(x: Array) -> Array:
    """Return the outputs y (n, n_bands) of scaled inputs, in physical units."""
    if NETWORK["name"] == "mlp":
        h = features(x)
        for i in range(NETWORK["depth"]):
            h = activation(dense(h, f"layer_{i}"), i)
    else:
        h = dense(features(x), "layer_0")
        for i in range(NETWORK["depth"]):
            inner = activation(dense(activation(h, 2 * i), f"first_{i}"), 2 * i + 1)
            h = h + dense(inner, f"second_{i}")
        h = activation(h, 2 * NETWORK["depth"])
    y = dense(h, "out") * ARRAYS["scaling/out/scale"]
    if "scaling/out/rotation" in ARRAYS:
        y = y @ ARRAYS["scaling/out/rotation"].T
    return (y + ARRAYS["scaling/out/mean"]).astype(float)


def unit_flux(y: Array) -> Array:
    """Undo the softened logarithm: f = e^y − δ S, S = Σ e^y / (1 + n δ)."""
    total = np.exp(y).sum(axis=1, keepdims=True) / (1.0 + len(BANDS) * TARGET["softening"])
    return np.maximum(np.exp(y) - TARGET["softening"] * total, ABOUT["floor"] * total)


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
