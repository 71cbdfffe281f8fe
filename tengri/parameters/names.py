"""Which names of a dict of values are parameters of a spec; what is said about the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax.core import Tracer

from tengri.components.composition import SETTINGS, registered_params
from tengri.errors import ParameterError
from tengri.parameters.parse import Entry, no_effect, split, unknown_name
from tengri.parameters.validate import Slot
from tengri.parameters.values import SLACK, rename
from tengri.quantities import plain_values


def recognised(
    params: Mapping[str, Any],
    slots: Mapping[str, Slot],
    entries: Mapping[str, Entry],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the entries of ``params`` that act.

    Parameters
    ----------
    params : mapping
        Values by name.
    slots, entries, given
        Of the spec: the parameters that act, all that it has, and what its user gave.

    Raises
    ------
    ParameterError, UnknownNameError
        A name that cannot have a value, with what to do instead.
    """
    if not isinstance(params, Mapping):
        raise ParameterError(f"Parameter values come in a dict, not {type(params).__name__}.")
    renamed = rename(params, slots, stacklevel=3)
    for name in renamed.keys() - slots.keys():
        _check_inert(name, renamed[name], entries, given)
    return {name: value for name, value in renamed.items() if name in slots}


def _check_inert(
    name: str, value: Any, entries: Mapping[str, Entry], given: Mapping[str, Any]
) -> None:
    """Raise unless a parameter has no effect and is given the value that it has."""
    entry = entries.get(name)
    if entry is None:
        raise _stranger(name, given)
    if entry.source is not None:
        raise ParameterError(
            f"{name} follows {entry.source}: give {entry.source}, or declare {name} by itself."
        )
    if isinstance(value, Tracer):
        return
    own, _ = plain_values(value, entry.param.unit, name, linear=False)
    if not np.allclose(own, entry.prior.default, rtol=SLACK, atol=0.0):
        raise ParameterError(no_effect(name, *split(given)))


def _stranger(name: str, given: Mapping[str, Any]) -> Exception:
    if name in SETTINGS:
        return ParameterError(
            f"{name} is a setting: it is chosen in Parameters(…), not in a dict of values."
        )
    if name in registered_params():
        return ParameterError(no_effect(name, *split(given)))
    return unknown_name(str(name))
