"""Interface of models of the intergalactic medium.

``wave_rest`` is a concrete float64 NumPy array (n_wave,) of rest wavelengths [Å] and ``z`` one
redshift ≥ 0 that may be traced. Everything that depends on the grid alone is computed once, in
NumPy: a power of the observed wavelength is (λ_rest/λ_j)^p (1+z)^p, of which only the second
factor is a JAX operation, and a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.constants import LYMAN_ALPHA_AA
from tengri.registry import Versioned

#: ``optical_depth(wave_rest, z)``, (n_wave,), exactly 0 from Lyman α on redward.
OpticalDepth = Callable[[np.ndarray, ArrayLike], Array]


@dataclass(frozen=True)
class IGMModel(Versioned):
    """Mean absorption by the gas between a source and us.

    Attributes
    ----------
    name : str
        Name in the registry ``IGM_MODELS``.
    optical_depth : callable or None
        ``(wave_rest, z) -> tau``, zero redward of Lyman α; None where nothing absorbs.
    reference : str
        Where the model was published.
    """

    family: ClassVar[str] = "igm"

    name: str
    optical_depth: OpticalDepth | None
    reference: str

    def transmission(self, wave_rest: np.ndarray, z: ArrayLike) -> Array:
        """Return the transmitted fraction at ``wave_rest``.

        Parameters
        ----------
        wave_rest : ndarray, shape (n_wave,)
            Rest wavelengths [Å]; concrete, not traced.
        z : scalar
            Redshift of the source, z ≥ 0.

        Returns
        -------
        Array, shape (n_wave,)
            Between 0 and 1; exactly 1 from Lyman α on redward, and everywhere at z = 0.
        """
        wave = np.asarray(wave_rest, dtype=np.float64)
        if self.optical_depth is None or np.all(wave >= LYMAN_ALPHA_AA):
            return jnp.ones(wave.shape)
        # All wavelengths in one go: padding a shorter array with ones takes longer than this.
        return jnp.exp(-_not_negative(self.optical_depth(wave, z)))


#: Optical depths this close to 0 are 0 but for rounding, as all of them are at z = 0.
ROUNDING = 1e-6


@jax.custom_jvp
def _not_negative(tau: Array) -> Array:
    """Return ``tau``, at least 0; where it is 0 but for rounding its derivative is whole."""
    return jnp.maximum(tau, 0.0)


@_not_negative.defjvp
def _not_negative_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (tau,), (dtau,) = primals, tangents
    return _not_negative(tau), jnp.where(tau > -ROUNDING, dtau, 0.0)


def once_per_galaxy(scalar: Array) -> Array:
    """Return ``scalar``; without this the compiler recomputes it for every wavelength."""
    return jax.lax.optimization_barrier(scalar)


def blueward(wave_rest: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which wavelengths lie below ``limit``, and λ/limit there (1 elsewhere)."""
    below = wave_rest < limit
    return below, np.where(below, wave_rest / limit, 1.0)


def scaled_power(ratio: np.ndarray, x: Array, exponent: float) -> Array:
    """Return (ratio · x)^exponent; ``ratio`` (n,) is raised in NumPy, the scalar ``x`` in JAX."""
    return jnp.asarray(ratio**exponent) * once_per_galaxy(x**exponent)
