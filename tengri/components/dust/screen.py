r"""Two-component dust screen of Charlot & Fall (2000, ApJ 539, 718).

Every star sees the diffuse dust; stars younger than 10 Myr also see their birth cloud:

.. math::

    T(\lambda, t) = \exp[-\tau_{diff} k_{diff}(\lambda) - \tau_{bc} k_{bc}(\lambda) [t < t_{birth}]]

with ``k(5500 Å) = 1``, so that both τ are V-band optical depths (A_V = 1.086 τ). Where
``dust_f_clear`` is a parameter, that share f of the light of stars and gas meets no dust at all,
T' = f + (1 − f) T: like ``frac_nodust`` of FSPS (Conroy, Gunn & White 2009, ApJ 699, 486), which
spares it the diffuse dust alone.

``escape`` says what the light that escapes from the gas (``neb_fesc``) meets. ``screened``: holes
in the gas and none in the dust, both screens. ``picket_fence``: holes in the birth clouds, gas and
dust alike, so that it meets the diffuse dust alone, as ``frac_obrun`` of FSPS.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from tengri.priors import Uniform
from tengri.registry import Param

REFERENCE = "Charlot & Fall 2000, ApJ 539, 718"

T_BIRTH_GYR = 0.01

SCREEN_PARAMS = (
    Param("dust_tau_bc", 1.0, Uniform(0.0, 4.0), (0.0, 100.0), "",
          "V-band optical depth of the birth clouds (stars younger than 10 Myr)", family="dust",
          symbol=r"$\tau_{V,\rm bc}$"),
    Param("dust_tau_diff", 0.3, Uniform(0.0, 3.0), (0.0, 100.0), "",
          "V-band optical depth of the diffuse dust (all stars)", family="dust",
          symbol=r"$\tau_{V,\rm diff}$"),
)  # fmt: skip


#: The share of light that meets no dust: active only where it is mentioned.
CLEAR = Param("dust_f_clear", 0.0, Uniform(0.0, 1.0), (0.0, 1.0), "",
              "share of the light of stars and gas that meets no dust, neither screen",
              family="dust", symbol=r"$f_{\rm clear}$")  # fmt: skip

#: What the light meets that escapes from the gas.
ESCAPES = ("screened", "picket_fence")


def transmissions(p: Mapping[str, Array], k_bc: Array, k_diff: Array) -> tuple[Array, Array]:
    """Return the transmitted fractions ``(birth cloud, diffuse)``, each (n_wave,).

    Parameters
    ----------
    p : mapping
        Holds ``dust_tau_bc`` and ``dust_tau_diff``.
    k_bc, k_diff : Array, shape (n_wave,)
        Attenuation curves, 1 at 5500 Å.
    """
    return jnp.exp(-p["dust_tau_bc"] * k_bc), diffuse_transmission(p, k_diff)


def diffuse_transmission(p: Mapping[str, Array], k: Array) -> Array:
    """Return what the diffuse dust transmits, for its curve ``k``, (n_wave,)."""
    return jnp.exp(-p["dust_tau_diff"] * k)


def behind(
    p: Mapping[str, Array], transmitted: tuple[Array, Array], young: ArrayLike, old: ArrayLike
) -> Array:
    """Return the light of stars that dust lets pass, of the shape of what is given.

    Parameters
    ----------
    p : mapping
        May hold ``dust_f_clear``.
    transmitted : (Array, Array)
        Fractions that birth clouds and diffuse dust let pass, as of `transmissions`.
    young, old : Array, shape (n_wave,)
        Light in birth clouds, and light that the diffuse dust alone is in front of.
    """
    birth_cloud, diffuse = transmitted
    seen = diffuse * (birth_cloud * young + old)
    if CLEAR.name not in p:
        return seen
    clear = p[CLEAR.name]
    return clear * (young + old) + (1.0 - clear) * seen
