"""Do the pieces of an artefact fit together? Asked before writing and after reading."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulator import hdf5
from emulator.trained import Artefact
from tengri.errors import ConfigError


def check(artefact: Artefact) -> None:
    """Raise ConfigError, saying what was found and expected, unless everything fits."""
    n_bands = len(artefact.photometry.names)
    target = artefact.target
    rebuilt = target.rebuilt(artefact.spec, artefact.photometry, artefact.ssp["age_edges"])
    _expect("target", target, rebuilt)
    _check_weights(artefact)
    _check_scalings(artefact)
    _check_tables(artefact, n_bands)
    _check_ssp(artefact)


def _check_weights(artefact: Artefact) -> None:
    n_latent = np.shape(artefact.out_scaling.scale)[0]
    shapes = artefact.network.shapes(artefact.target.n_in, n_latent)
    found = {path.removeprefix("weights/"): leaf
             for path, leaf in hdf5.flat(artefact.params, "weights").items()}  # fmt: skip
    _expect("weights", {name: leaf.shape for name, leaf in found.items()}, shapes)
    for name, leaf in found.items():
        _expect(f"type of weight {name}", leaf.dtype.name, "float32")
        _expect_finite(f"weight {name}", leaf)


def _check_scalings(artefact: Artefact) -> None:
    target = artefact.target
    inputs, outputs = artefact.in_scaling.to_dict(), artefact.out_scaling.to_dict()
    for flags in ("log", "shift"):
        _expect(f"input scaling {flags}", len(inputs.pop(flags)), target.n_in)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("centre", "half"), (target.n_in,))
    shapes |= target.scaling_shapes(outputs)
    for name, values in {**inputs, **outputs}.items():
        _expect(f"shape of scaling {name}", np.shape(values), shapes[name])
        _expect_finite(f"scaling {name}", values)
        if name in ("half", "scale"):
            _expect(f"smallest value of scaling {name} > 0", bool(np.min(values) > 0.0), True)


def _check_tables(artefact: Artefact, n_bands: int) -> None:
    for level, bars in artefact.error_bars.items():
        _expect(f"shape of error bars at {level} %", np.shape(bars), (n_bands,))
    _check_error_bars_z(artefact, n_bands)
    if artefact.conditional is not None:
        _expect("bands of conditional errors", artefact.conditional.n_bands, n_bands)
    if artefact.covariance is not None:
        _expect("shape of covariance", np.shape(artefact.covariance), (n_bands, n_bands))
    if not artefact.checks:
        return
    n = len(artefact.checks["flux_surrogate"])
    for name in ("flux_surrogate", "flux_exact"):
        _expect(f"shape of checks {name}", np.shape(artefact.checks[name]), (n, n_bands))
    for name, values in artefact.checks["params"].items():
        _expect(f"check values of {name}", len(values), n)


def _check_error_bars_z(artefact: Artefact, n_bands: int) -> None:
    bars = dict(artefact.error_bars_z)
    if not bars:
        return
    edges = np.asarray(bars.pop("edges"))
    _expect("levels of error bars by redshift", sorted(bars), sorted(artefact.error_bars))
    _expect("order of redshift edges", bool((np.diff(edges) > 0.0).all()), True)
    for level, values in bars.items():
        shape = (len(edges) - 1, n_bands)
        _expect(f"shape of error bars by redshift at {level} %", np.shape(values), shape)


def _check_ssp(artefact: Artefact) -> None:
    edges, lgmet = artefact.ssp["age_edges"], artefact.ssp["lgmet"]
    remaining = artefact.ssp.get("mass_remaining")
    for name, values in (("age_edges", edges), ("lgmet", lgmet)):
        _expect(f"dimensions of ssp {name}", np.ndim(values), 1)
        _expect(f"order of ssp {name}", bool((np.diff(values) > 0.0).all()), True)
    if remaining is not None:
        _expect("shape of ssp mass_remaining", np.shape(remaining), (len(lgmet), len(edges) - 1))


def _expect_finite(what: str, values: Any) -> None:
    bad = np.count_nonzero(~np.isfinite(values))
    if bad:
        raise ConfigError(f"{what}: {bad} values are not finite.")


def _expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ConfigError(f"{what}: found {found}, expected {expected}.")
