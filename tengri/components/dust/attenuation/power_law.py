"""Power law in wavelength: Charlot & Fall (2000)."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from tengri.components.array_module import Floats, array_module
from tengri.components.dust.attenuation.law import (
    PIVOT,
    DustLaw,
    Values,
    microns,
    once_not_held,
)
from tengri.priors import Uniform
from tengri.registry import Param


def power_law(wave_aa: Floats, p: Values) -> Array:
    r"""Return :math:`(\lambda/5500\,Å)^{\rm dust\_slope}` at every wavelength."""
    ratio = microns(wave_aa) / PIVOT
    return jnp.exp(p["dust_slope"] * jnp.asarray(array_module(ratio).log(ratio)))


POWER_LAW = once_not_held(
    DustLaw(
        "power_law",
        (
            Param("dust_slope", -0.7, Uniform(-1.5, -0.3), (-4.0, 1.0), "",
                  "exponent of the power-law attenuation curve", symbol=r"$n_{\rm dust}$"),
        ),
        power_law,
        "Charlot & Fall 2000, ApJ 539, 718",
    )
)  # fmt: skip
