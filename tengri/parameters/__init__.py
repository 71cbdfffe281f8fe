"""Parameters of a model: names, priors, fixed values and settings."""

from tengri.parameters.declaration import differences
from tengri.parameters.spec import Parameters
from tengri.parameters.values import FREE

__all__ = ["FREE", "Parameters", "differences"]
