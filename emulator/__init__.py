"""Neural surrogates of ``tengri.SEDModel``: same calls at a fraction of the cost.

>>> import emulator                                                     # doctest: +SKIP
>>> fast = emulator.load("sdss", out_of_domain="nan")                   # doctest: +SKIP
>>> fast.predict_magnitudes(params), fast.predict_errors(params)        # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.artefact import Artefact
    from emulator.loading import load
    from emulator.surrogate import EmulatedSEDModel
    from emulator.verification import verify

# Loaded on first use, so that the command line answers at once.
_HOME = {
    "Artefact": "emulator.artefact",
    "EmulatedSEDModel": "emulator.surrogate",
    "load": "emulator.loading",
    "verify": "emulator.verification",
}

__all__ = ["Artefact", "EmulatedSEDModel", "load", "verify"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'emulator' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
