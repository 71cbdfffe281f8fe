"""The file alone is enough: fluxes from it with h5py and NumPy, without any of our code."""

from __future__ import annotations

import json

import h5py
import numpy as np


def numbers(group):
    """Return the datasets of a group in float64."""
    return {name: values[()].astype(float) for name, values in group.items()}


def fluxes(path, params):
    """Return band fluxes (n, n_bands) [erg/s/cm²/Hz]; float64 but for the weights."""
    with h5py.File(path) as f:
        doc = json.loads(f["document"][()].tobytes())
        w = {layer: numbers(group) for layer, group in f["weights"].items()}
        into, out = numbers(f["scaling/in"]), numbers(f["scaling/out"])
    target, network, cosmology = doc["target"], doc["network"], doc["cosmology"]

    # inputs
    raw = np.stack([params[name] for name in doc["input_columns"]], axis=1)
    log = np.array(doc["input_log"])
    x = (np.where(log, np.log(np.where(log, raw, 1.0)), raw) - into["centre"]) / into["half"]

    # network: an MLP with silu and a table over redshift
    assert (network["name"], network["activation"], network["redshift"]) == ("mlp", "silu", "table")
    knots = np.linspace(-1.0, 1.0, network["knots"])
    table = w["redshift"]["table"]
    extra = [np.interp(x[:, network["z_column"]], knots, column) for column in table.T]
    h = np.column_stack([x, *extra])
    for i in range(network["depth"]):
        h = h @ w[f"layer_{i}"]["kernel"] + w[f"layer_{i}"]["bias"]
        h = h / (1.0 + np.exp(-h))
    y = (h @ w["out"]["kernel"] + w["out"]["bias"]) * out["scale"] + out["mean"]

    # softened logarithm
    soft = target["softening"]
    total = np.exp(y).sum(axis=1, keepdims=True) / (1.0 + target["n_bands"] * soft)
    flux = np.exp(y) - soft * total

    # amplitude and distance: flat ΛCDM by a fine trapezium
    z = params["redshift"][:, None] * np.linspace(0.0, 1.0, 4001)
    e = np.sqrt(cosmology["Om0"] * (1 + z) ** 3 + 1 - cosmology["Om0"])
    d = (1 + params["redshift"]) * 299792.458 / cosmology["H0"] * np.trapezoid(1 / e, z, axis=1)
    d_cm = d * 3.0856775814913673e24
    to_flux = 3.828e33 * (1 + params["redshift"]) / (4 * np.pi * d_cm**2)
    amplitude = 10.0 ** (params[target["amplitude"]] + target["log10_unit"])
    return flux * (amplitude * to_flux)[:, None]


def test_numpy_alone_reproduces_the_fluxes(file, surrogate, artefact):
    params = artefact.checks["params"]
    ours = np.asarray(surrogate.predict_photometry_batch(params), float)
    relative = np.abs(fluxes(file, params) / ours - 1.0)
    assert relative.max() < 3e-5
    assert np.median(relative) < 2e-6
