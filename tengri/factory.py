"""Models described by plain values, as configurations and command lines give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from tengri.components.composition import belongs_to
from tengri.components.stellar.sfh import bin_edges
from tengri.errors import ConfigError, unknown
from tengri.observation import INSTRUMENTS, Observation, Photometry
from tengri.observation.spectrograph import Spectrograph
from tengri.observation.spectrographs import SPECTROGRAPHS
from tengri.parameters import Parameters
from tengri.priors import Distribution

NOTHING: Mapping[str, Any] = MappingProxyType({})


def build_spec(given: Mapping[str, Any], physics: Mapping[str, Any] = NOTHING) -> Parameters:
    """Return the spec of plain values.

    Parameters
    ----------
    given : mapping
        A number fixes, a pair is ``Uniform``, a string is a setting or the parameter to follow,
        a table ``{kind = "LogUniform", lo = 1, hi = 9}`` any prior.
    physics : mapping, optional
        The physics of its time, as ``Parameters.physics`` gave it; default: today's.
    """
    if not given:
        raise ConfigError("model.parameters is empty: name the parameters and their ranges.")
    values = {name: plain_prior(value) for name, value in given.items()}
    return Parameters.stored(values, physics) if physics else Parameters(**values)


def plain_prior(value: Any) -> Any:
    """Return a plain value as ``Parameters`` takes it."""
    if isinstance(value, Mapping):
        return Distribution.from_dict(value)
    if isinstance(value, (list, tuple)) and all(isinstance(v, (int, float)) for v in value):
        return tuple(value)
    return value


def changed_spec(spec: Parameters, given: Mapping[str, Any]) -> Parameters:
    """Return a spec with plain values in it.

    Where they speak of another star-formation history, it takes the place of the spec's own: a
    surrogate that has learnt stellar ages serves any.
    """
    values = {name: plain_prior(value) for name, value in given.items()}
    own = (*spec.all_params, bin_edges.SETTING)
    if all(name in own or not belongs_to("sfh", name) for name in values):
        return spec.with_params(**values) if values else spec
    kept = {name: spec.mirrors.get(name) or spec.get_distribution(name) for name in spec.all_params}
    everything = {**spec.to_dict()["settings"], **kept}
    others = {name: value for name, value in everything.items() if not belongs_to("sfh", name)}
    return Parameters(**{**others, **values}).with_physics(spec.physics)


def build_observation(
    instruments: Iterable[str], bands: Iterable[str], spectra: bool = False
) -> Observation:
    """Return the bands of the instruments and the single ones (names or files), each once.

    ``spectra``: spectrographs are instruments, too (`tengri.observation.spectrographs`).
    """
    known = {**INSTRUMENTS, **SPECTROGRAPHS} if spectra else INSTRUMENTS
    names: list[str] = []
    seen: dict[str, Spectrograph] = {}
    for instrument in instruments:
        if instrument not in known:
            raise unknown("instrument", instrument, known)
        if instrument in SPECTROGRAPHS:
            seen[instrument] = SPECTROGRAPHS[instrument].spectrograph()
        else:
            names += [n for n in INSTRUMENTS[instrument].filter_names if n not in names]
    names += [n for n in bands if n not in names]
    if names or not seen:
        return Observation(Photometry.from_names(names), tuple(seen.values()))
    return Observation(spectrographs=tuple(seen.values()))
