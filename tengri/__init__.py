"""Exact, differentiable galaxy photometry in JAX, and the surrogates trained on it.

>>> from tengri import Instrument, Parameters, SEDModel, load_ssp_data   # doctest: +SKIP
>>> spec = Parameters(sfh_dpl_tau_gyr=(1, 6), redshift=(0.01, 1))         # doctest: +SKIP
>>> model = SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation())  # doctest: +SKIP
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tengri import shadow

__version__ = "0.1.0"

if sys.argv[:1] != ["-m"] and shadow.hidden():  # the program itself finds its packages
    warnings.warn(shadow.message(shadow.hidden()), stacklevel=2)

if TYPE_CHECKING:
    from tengri.compilation_cache import enable_compilation_cache
    from tengri.components.stellar.alpha_grid import stack_ssp_data
    from tengri.components.stellar.ssp import SSPData, load_ssp_data
    from tengri.forward.model import SEDModel
    from tengri.forward.photometric_model import PhotometricModel
    from tengri.model_loading import load_model
    from tengri.observation import FilterCurve, Instrument, Observation, Photometry
    from tengri.parameters import FREE, Parameters
    from tengri.priors import (
        Fixed,
        Gaussian,
        Laplace,
        LogNormal,
        LogUniform,
        Normal,
        StudentT,
        Uniform,
    )

# Loaded on first use, so that the command line answers at once.
_HOME = {
    "SSPData": "tengri.components.stellar.ssp",
    "load_model": "tengri.model_loading",
    "load_ssp_data": "tengri.components.stellar.ssp",
    "stack_ssp_data": "tengri.components.stellar.alpha_grid",
    "SEDModel": "tengri.forward.model",
    "FilterCurve": "tengri.observation",
    "Instrument": "tengri.observation",
    "Observation": "tengri.observation",
    "Photometry": "tengri.observation",
    "FREE": "tengri.parameters",
    "Parameters": "tengri.parameters",
    "Fixed": "tengri.priors",
    "Gaussian": "tengri.priors",
    "Laplace": "tengri.priors",
    "LogNormal": "tengri.priors",
    "LogUniform": "tengri.priors",
    "Normal": "tengri.priors",
    "StudentT": "tengri.priors",
    "Uniform": "tengri.priors",
    "PhotometricModel": "tengri.forward.photometric_model",
    "enable_compilation_cache": "tengri.compilation_cache",
}

__all__ = [  # noqa: RUF022  (models first, then what they are made of)
    "load_model", "SEDModel", "Parameters", "Instrument", "load_ssp_data", "PhotometricModel",
    "Observation", "Photometry", "FilterCurve", "SSPData", "stack_ssp_data",
    "Fixed", "Uniform", "LogUniform", "Normal", "Gaussian", "LogNormal", "StudentT", "Laplace",
    "FREE", "enable_compilation_cache",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tengri' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
