"""Verification of an artefact: seal, structure, check pairs, exact model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from emulator.artefact import CHECK_UNITS, Artefact
from emulator.loading import model_of
from emulator.reading import read_any
from emulator.spectral.artefact import SpectralArtefact
from emulator.surrogate import check_ssp
from tengri.analysis.accuracy import BRIGHT
from tengri.errors import ConfigError, DataError
from tengri.parameters import differences

Some = TypeVar("Some", Artefact, SpectralArtefact)

#: Re-evaluated fluxes above 1e-4 of the brightest band agree to this, in any default float.
SAME = 3e-5
#: The last digits of a redshift in float32, relatively: behind the intergalactic medium the light
#: of a band may fall so steeply with redshift that they show.
LAST_DIGITS = 2.0**-22
#: The exact model in float32 against the float64 fluxes in the file.
SAME_EXACT = 3e-4


@dataclass(frozen=True)
class Report:
    """What a verification found.

    Attributes
    ----------
    path, sha256 : str
        The file and its seal.
    n_checks : int
        Galaxies among the check pairs.
    difference : float
        Worst relative difference of re-evaluated fluxes to the stored ones, beyond what the last
        digits of a redshift in float32 make.
    exact_difference : float or None
        The same for the exact model, where one was given.
    error_mmag : dict
        Median, 95 %, 99 % and worst |Δm| of the surrogate against the exact fluxes [mmag].
    """

    path: str
    sha256: str
    n_checks: int
    difference: float
    exact_difference: float | None
    error_mmag: dict[str, float]

    def __str__(self) -> str:
        lines = [f"{self.path}: intact, sha256 {self.sha256}",
                 f"{self.n_checks} check pairs re-evaluated, worst relative difference "
                 f"{self.difference:.1e}"]  # fmt: skip
        if self.exact_difference is not None:
            lines.append(f"exact model agrees with the stored fluxes: {self.exact_difference:.1e}")
        shown = ", ".join(f"{name} {value:.2f}" for name, value in self.error_mmag.items())
        return "\n".join([*lines, f"|Δm| against the exact model [mmag]: {shown}"])


def verify(path: str | Path, model: Any = None) -> Report:
    """Check a file: its seal, its structure, and that it still gives the stored fluxes.

    Parameters
    ----------
    path : path
        An artefact.
    model : SEDModel, optional
        The exact model; its grid must be that of the training.

    Raises
    ------
    DataError
        Damage, fluxes that are not those stored, no check pairs, or another SSP grid.
    ConfigError
        A model with other components, cosmology or bands.
    """
    artefact = read_any(path)
    if not artefact.checks:
        raise DataError(f"{path}: carries no check pairs, so that it cannot be verified.")
    params = artefact.checks["params"]
    stored, exact = (artefact.checks[f"flux_{which}"] for which in ("surrogate", "exact"))
    surrogate = model_of(artefact)
    flux = evaluate(surrogate, params)
    difference = _worst(flux, stored, _by_last_digits(surrogate, params, flux))
    if not difference <= SAME:
        raise DataError(f"{path}: its check fluxes come out different by {difference:.1e}.")
    exact_difference = None
    if model is not None:
        check_model(artefact, model)
        exact_difference = _worst(evaluate(model, params), exact)
        if not exact_difference <= SAME_EXACT:
            raise DataError(
                f"{path}: the exact model gives check fluxes different by {exact_difference:.1e}; "
                "its code has changed since the training."
            )
    return Report(str(path), artefact.sha256, len(stored), difference, exact_difference,
                  error_table(stored, exact))  # fmt: skip


def with_checks(artefact: Some, params: dict[str, Any], flux_exact: Any) -> Some:
    """Return the artefact with check pairs.

    Parameters
    ----------
    artefact : Artefact or SpectralArtefact
    params : dict
        Free parameters by name, each (n,), inside the trained box.
    flux_exact : array, shape (n, n_bands)
        Fluxes of the exact model [maggies].
    """
    stored = {name: np.asarray(v, np.float64) for name, v in params.items()}
    fluxes = evaluate(model_of(artefact), stored)
    return replace(artefact, checks={"params": stored, "flux_surrogate": fluxes,
                                     "flux_exact": np.asarray(flux_exact, np.float64)})  # fmt: skip


def check_model(artefact: Artefact | SpectralArtefact, model: Any) -> None:
    """Raise unless ``model`` is the exact model that the surrogate was trained on."""
    check_ssp(artefact, model.ssp)
    artefact.spec.check_physics()
    if different := differences(model.spec, artefact.spec):
        raise ConfigError(f"The exact model is of other physics: {different}.")
    for what, mine, theirs in (
        ("components", model.spec.composition, artefact.spec.composition),
        ("cosmology", model.cosmology, artefact.cosmology_object()),
        ("bands", model.observation.photometry.fingerprint, artefact.photometry.fingerprint),
    ):
        if mine != theirs:
            raise ConfigError(f"The exact model has other {what} than the surrogate: {mine!r} "
                              f"against {theirs!r}.")  # fmt: skip


def evaluate(model: Any, params: dict[str, Any]) -> np.ndarray:
    """Return fluxes (n, n_bands) [maggies] in float64, whatever the model's units."""
    return np.asarray(model.predict_photometry_batch(params, units=CHECK_UNITS), np.float64)


def error_table(flux: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Return |Δm| [mmag] over entries above 1e-4 of the brightest band of each galaxy."""
    bright = exact > BRIGHT * exact.max(axis=1, keepdims=True)
    error = np.abs(2.5e3 * np.log10(flux[bright] / exact[bright]))
    levels = {"median": 50.0, "95 %": 95.0, "99 %": 99.0, "worst": 100.0}
    return {name: float(np.percentile(error, level)) for name, level in levels.items()}


def _worst(flux: np.ndarray, stored: np.ndarray, allowed: Any = 0.0) -> float:
    """Return the worst relative difference beyond ``allowed`` of entries that are ``BRIGHT``."""
    bright = stored > BRIGHT * stored.max(axis=1, keepdims=True)
    beyond = np.abs(flux / np.where(bright, stored, 1.0) - 1.0) - allowed
    return float(np.maximum(beyond[bright], 0.0).max())


def _by_last_digits(model: Any, params: dict[str, Any], flux: np.ndarray) -> Any:
    """Return how much fluxes change relatively with the last digits of redshifts, (n, n_bands)."""
    if "redshift" not in params:
        return 0.0
    z = params["redshift"]
    nearer = {**params, "redshift": np.maximum(z * (1.0 - LAST_DIGITS), z.min())}
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(evaluate(model, nearer) / flux - 1.0)
