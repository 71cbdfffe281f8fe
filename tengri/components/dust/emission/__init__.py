"""Infrared emission of dust by name: what the screen absorbs comes out again.

A model is the shape L_ν/L_IR of a spectrum whose integral over frequency is 1; the galaxy scales
it to the luminosity that its dust absorbed. A new one is a file of its own and a name here.

The cosmic microwave background is not part of these models. It heats dust as starlight does and
is the background against which dust is seen (da Cunha et al. 2013, ApJ 766, 13):

    T(z)^(4+β) = T^(4+β) + T_CMB^(4+β) [(1+z)^(4+β) − 1],     T_CMB = 2.7255 K,
    seen against the background: L_ν [1 − B_ν(T_CMB (1+z)) / B_ν(T(z))].

For dust of 35 K (β = 1.6) an 850 µm band loses 0.7 per cent to the background at z = 2, 3 per
cent at z = 5 and 14 per cent at z = 8; for dust of 20 K 2, 25 and 74 per cent. Where that matters
(cold dust, z > 3, the Rayleigh–Jeans side) divide the observed fluxes by the factor in brackets
and read ``dust_T`` as T(z).
"""

from tengri.components.dust.emission.casey2012 import CASEY2012
from tengri.components.dust.emission.dl07 import DL07
from tengri.components.dust.emission.model import DustEmission
from tengri.components.dust.emission.modified_blackbody import MODIFIED_BLACKBODY
from tengri.registry import Registry

EMISSION_MODELS: Registry[DustEmission] = Registry(
    "dust emission model", MODIFIED_BLACKBODY, CASEY2012, DL07
)

__all__ = ["EMISSION_MODELS", "DustEmission"]
