"""Whether a surrogate can serve a spec and bands: only those inside its training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.domain import TrainedDomain, TrainedRange
from emulator.scaling import trained_range
from emulator.sfh_times import SFHTimes, fixed_age, in_other_unit
from emulator.targets import Target
from tengri.components.composition import KINDS, settings_of
from tengri.cosmology import Cosmology
from tengri.errors import ConfigError, ParameterError, suggestion, unknown
from tengri.observation import Observation, Photometry
from tengri.parameters import Parameters

if TYPE_CHECKING:
    from emulator.trained import Artefact


def check_spec(
    spec: Parameters, artefact: Artefact, domain: TrainedDomain, cosmology: Cosmology
) -> None:
    """Raise unless ``spec`` has the trained components and stays inside the trained box.

    What the target leaves exact may be any: see ``Target.free_settings``.

    Times may be in Gyr where the surrogate learnt fractions, or the reverse; such a one is
    checked here where it and the redshift are fixed, at every call otherwise.

    Raises
    ------
    ConfigError
        Another component, or a parameter that stands in another's place.
    ParameterError
        A prior or a fixed value outside the box; it names the parameter and both ranges.
    """
    target, trained = artefact.target, artefact.spec
    target.check_components(spec.composition)
    times = target.sfh_times(spec, trained)
    _check_components(spec, trained, times, target)
    for name, source in trained.mirrors.items():
        if spec.mirrors.get(name) != source:
            raise ParameterError(
                f"{name} followed {source} in training, so that the surrogate knows no other "
                f"value of it: leave {name}={source!r}."
            )
    names = {trained_name: name for name, trained_name in times.pairs}
    wrong = [_outside(spec, r, domain) for r in domain.ranges if r.name not in names]
    age = fixed_age(spec, cosmology) if times else None
    wrong += [_time_outside(spec, names[r.name], r, domain, age)
              for r in domain.ranges if r.name in names]  # fmt: skip
    wrong = list(filter(None, wrong))
    if wrong:
        raise ParameterError(f"The spec leaves the box of this surrogate. {' '.join(wrong)}")


def spec_of_its_time(spec: Parameters, artefact: Artefact) -> Parameters:
    """Return a spec with the physics that the surrogate has learnt.

    What is exact beside the network keeps the spec's own.
    """
    if not isinstance(spec, Parameters):
        raise ConfigError(f"spec must be Parameters(...), got {type(spec).__name__}.")
    physics = artefact.spec.physics
    learnt = {name: value for name, value in physics.items() if not _exact(name, artefact.target)}
    return spec.with_physics(learnt)


def check_exact_parts(spec: Parameters, target: Target) -> None:
    """Raise where an exact term needs a version of its physics that is no longer available."""
    if any(_exact(name, target) for name in spec.composition.physics.gone):
        spec.check_physics()


def _exact(name: str, target: Target) -> bool:
    """Return whether an entry of `Parameters.physics` is of a component that is not learnt."""
    if name in target.free_settings:
        return True
    exact = (kind for kind in KINDS if not set(kind.chosen_by).isdisjoint(target.free_settings))
    return any(name in kind.entries for kind in exact)


def _check_components(
    spec: Parameters, trained: Parameters, times: SFHTimes, target: Target
) -> None:
    if not spec.composition.has_stars:
        raise ConfigError(
            "mean_sfh_type='none': a surrogate has learnt the light of stars, and this spec has "
            "none. Use the exact model."
        )
    composition = target.learnt_part(spec.composition, trained.composition)
    names = times.trained
    if names and {names.get(n, n) for n in composition.params} == set(trained.composition.params):
        composition = replace(composition, sfh=trained.composition.sfh)
    exact = target.free_settings
    same_history = "mean_sfh_type" in exact or all(
        _same(spec.settings[name], trained.settings[name]) for name in settings_of("sfh")
    )
    if composition == trained.composition and same_history:
        return
    mine, theirs = spec.settings, trained.settings
    different = [f"{name}={mine[name]!r} (trained with {theirs[name]!r})"
                 for name in theirs if name not in exact and not _same(mine[name], theirs[name])
                 ]  # fmt: skip
    active, known = composition.params, trained.composition.params
    if different:
        raise ConfigError(
            f"This surrogate was trained with other components: {', '.join(different)}. Leave "
            "these settings as trained, or train another surrogate."
        )
    for name in active:
        if name not in known:
            raise ConfigError(f"{name} is no parameter of this surrogate.{suggestion(name, known)}")
    absent = [name for name in known if name not in active]
    raise ConfigError(f"The spec lacks what the surrogate was trained with: {joined(absent)}.")


def _same(a: Any, b: Any) -> bool:
    """Compare settings; lists and tuples are the same thing."""
    return (list(a) if isinstance(a, (list, tuple)) else a) == (
        list(b) if isinstance(b, (list, tuple)) else b
    )


def _outside(spec: Parameters, r: TrainedRange, domain: TrainedDomain) -> str:
    """Say how a parameter of the spec leaves its trained range; empty if it does not."""
    prior = spec.get_distribution(r.name)
    if prior.is_fixed:
        value = np.asarray(spec.fixed_value(r.name))
        good = np.all(domain.limits.within(r.name, value))
        return "" if good else f"{r.name} is fixed at {value}, trained on {r.shown}."
    if r.is_fixed:
        return f"{r.name} is free ({prior!r}), but was trained at {r.shown}."
    lo, hi = trained_range(prior)
    if np.all(domain.limits.within(r.name, np.array([lo, hi]))):
        return ""
    return f"{r.name} ranges over [{lo:g}, {hi:g}], trained on {r.shown}."


def _time_outside(
    spec: Parameters, name: str, r: TrainedRange, domain: TrainedDomain, age: float | None
) -> str:
    """As `_outside` for a time in its other unit; what depends on redshift is left to the calls."""
    if age is None or not spec.get_distribution(name).is_fixed:
        return ""
    value = in_other_unit(name, float(spec.fixed_value(name)), age)
    good = domain.limits.within(r.name, value)
    return "" if good else f"{name} is fixed at {r.name} = {value:g}, trained on {r.shown}."


def band_indices(observation: Observation | None, trained: Photometry) -> tuple[int, ...]:
    """Return where the observation's bands are among the trained ones.

    Raises
    ------
    UnknownNameError
        A band that was not trained; trained ones of similar names are listed.
    ConfigError
        A band of the same name with another curve.
    """
    if observation is None:
        return tuple(range(len(trained.names)))
    if not isinstance(observation, Observation):
        raise ConfigError(
            f"observation must be an Observation, got {type(observation).__name__}; an "
            "Instrument has one: Instrument.SDSS().observation()."
        )
    return tuple(_index(curve, trained) for curve in observation.photometry.filters)


def _index(curve: Any, trained: Photometry) -> int:
    if curve.name not in trained.names:
        raise unknown("band of this surrogate", curve.name, trained.names)
    index = trained.names.index(curve.name)
    if curve.fingerprint != trained.filters[index].fingerprint:
        raise ConfigError(
            f"Band {curve.name}: its transmission curve (pivot {curve.pivot:.1f} Å) is not the "
            f"one of the training (pivot {trained.filters[index].pivot:.1f} Å). Use the "
            "surrogate's own: emulator.load(…).observation."
        )
    return index


def joined(names: Iterable[str], most: int = 12) -> str:
    """Return names in words, cut after ``most``."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" … ({len(listed)})" if len(listed) > most else "")
