"""Parameters of spectra that no component of the galaxy has: velocities, calibration, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tengri.errors import ConfigError, ParameterError
from tengri.forward.calibration import Calibration
from tengri.priors import Distribution, Fixed, Normal, Uniform

#: Names of nuisances that all spectra share.
DISPERSIONS = ("vel_sigma_kms", "gas_sigma_kms")
MAX_SIGMA_KMS = 1000.0


@dataclass(frozen=True)
class Nuisances:
    """Parameters of spectra, which no component of the galaxy has.

    Each value is a number, a pair (``Uniform``) or a prior.

    Attributes
    ----------
    vel_sigma_kms, gas_sigma_kms : optional
        Velocity dispersions of stars and of lines of gas [km/s], 0 to 1000; those of
        ``predict_spectrum`` where left out.
    calibration : Calibration, optional
        Of every spectrum, with coefficients of its own; None: the fluxes are exact.
    noise_factor : optional
        By which the errors of every spectrum are larger than stated.

    Raises
    ------
    ConfigError, ParameterError
        A value that is no prior, or outside the bounds.
    """

    vel_sigma_kms: Any = None
    gas_sigma_kms: Any = None
    calibration: Calibration | None = None
    noise_factor: Any = 1.0

    def __post_init__(self) -> None:
        for name in (*DISPERSIONS, "noise_factor"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _prior(name, value))
        if not (self.calibration is None or isinstance(self.calibration, Calibration)):
            raise ConfigError(
                f"calibration is a Calibration(order), got {type(self.calibration).__name__}."
            )

    def priors(self, spectra: tuple[str, ...]) -> dict[str, tuple[Distribution, tuple[int, ...]]]:
        """Return prior and shape of every nuisance of some spectra, by name."""
        found: dict[str, tuple[Distribution, tuple[int, ...]]] = {
            name: (prior, ()) for name in DISPERSIONS if (prior := getattr(self, name)) is not None
        }
        for name in spectra:
            found[f"noise_factor_{name}"] = (self.noise_factor, ())
            if self.calibration is not None and not self.calibration.marginalise:
                prior = Normal(0.0, self.calibration.sigma)
                found[f"calibration_{name}"] = (prior, (self.calibration.order + 1,))
        return found


def _prior(name: str, value: Any) -> Distribution:
    """Return a prior, checked against the bounds of what it is of."""
    if isinstance(value, tuple | list) and len(value) == 2:
        value = Uniform(*value)
    prior = value if isinstance(value, Distribution) else Fixed(value)
    lo, hi = prior.reach
    if name in DISPERSIONS and not 0.0 <= lo <= hi <= MAX_SIGMA_KMS:
        raise ParameterError(f"{name} lies between 0 and {MAX_SIGMA_KMS:g} km/s; got {prior!r}.")
    if name == "noise_factor" and not lo > 0.0:
        raise ParameterError(f"noise_factor must be positive; got {prior!r}.")
    return prior


#: Velocity dispersions of ``predict_spectrum``, exact fluxes, errors as stated.
NONE = Nuisances()
