"""Infrared emission of dust by name: what the screen absorbs comes out again.

A model is the shape L_ν/L_IR of a spectrum whose integral over frequency is 1; the galaxy scales
it to the luminosity that its dust absorbed. A new one is a file of its own and a name here.

The cosmic microwave background (da Cunha et al. 2013, ApJ 766, 13) heats dust as starlight does and
is the background against which dust is seen; `cmb` has both. With ``cmb="none"`` models leave it
out, with ``cmb="dacunha13"`` the shape is `DustEmission.seen`. For dust of 35 K (β = 1.6) an 850 µm
band loses 0.7 per cent to the background at z = 2, 3.4 at z = 5 and 14 at z = 8; for dust of 20 K
2.3, 25 and 74 per cent.
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
