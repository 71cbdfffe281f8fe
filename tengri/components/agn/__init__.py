"""Active nuclei. A new one is a file of its own and a name in ``AGN_MODELS``."""

from tengri.components.agn.lines import LINES, Line
from tengri.components.agn.model import FRACTION, FRACTION_AA, AGNModel
from tengri.components.agn.nenkova08 import NENKOVA08
from tengri.components.agn.standard import STANDARD
from tengri.registry import Registry

AGN_MODELS: Registry[AGNModel] = Registry("AGN model", STANDARD, NENKOVA08)

#: What of the host's dust lies in front of a nucleus.
AGN_SCREENS = ("none", "diffuse")

__all__ = [
    "AGN_MODELS",
    "AGN_SCREENS",
    "FRACTION",
    "FRACTION_AA",
    "LINES",
    "AGNModel",
    "Line",
]
