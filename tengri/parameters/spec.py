"""``Parameters``: which parameters a galaxy has, which are free, and what the others are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from tengri.components.composition import SETTINGS, Composition, registered_params
from tengri.errors import ParameterError, unknown
from tengri.parameters import artefact, draws, resolve, summary
from tengri.parameters.entries import Entry, build, compose_named, no_effect, split, unknown_name
from tengri.parameters.plain import PlainFloats
from tengri.parameters.transforms import Layout
from tengri.parameters.values import SLACK, Mirror, rename
from tengri.priors import Distribution
from tengri.process import check_process
from tengri.quantities import plain_values


class Parameters:
    """Parameters and settings of a galaxy model: immutable, hashable, comparable.

    Parameters
    ----------
    **given
        A parameter takes a number (fixed), a tuple ``(lo, hi)`` (uniform), a prior, ``FREE``
        (the registry's prior) or the name of another parameter, which it then follows. A
        setting (``dust_law_diff="calzetti"``) takes one of its choices. A parameter of a
        chosen component that is not mentioned is fixed at its default and listed as "filled
        in" by `summary`; latent vectors stay free. A fixed parameter that no chosen component
        uses is kept as "inert".

    Raises
    ------
    UnknownNameError
        A name that is neither parameter nor setting, or an unknown choice (with near matches).
    ParameterError
        A free parameter without effect, a prior outside the hard bounds, a bad value.

    Examples
    --------
    >>> spec = Parameters(dust_tau_diff=(0.0, 2.0), redshift=0.05)  # doctest: +SKIP
    >>> spec.free_params  # doctest: +SKIP
    ['dust_tau_diff']
    """

    _given: dict[str, Any]
    _composition: Composition
    _entries: dict[str, Entry]
    _mirrors: dict[str, str]
    _arrays: tuple[str, ...]
    _layout: Layout
    _slots: dict[str, resolve.Slot]

    def __init__(self, **given: Any) -> None:
        known = {**SETTINGS, **registered_params()}
        self._set_up(rename(given, known, stacklevel=2), filled=())

    def _set_up(self, given: Mapping[str, Any], filled: tuple[str, ...]) -> None:
        settings, values = split(given)
        composition = compose_named(settings, values)
        entries = build(composition, settings, values, filled)
        composition.check_together({n: e.prior.default for n, e in entries.items() if e.shape})
        for name, value in {
            "_given": {**settings, **_normal_forms(entries)},
            "_mirrors": {n: e.source for n, e in entries.items() if e.source is not None},
            "_arrays": tuple(n for n, e in entries.items() if -1 in e.param.shape),
            "_composition": composition,
            "_entries": entries,
            "_layout": Layout.of(entries),
            "_slots": resolve.make_slots(entries.values()),
        }.items():
            object.__setattr__(self, name, value)

    # --- what it says -------------------------------------------------------------------------

    @property
    def composition(self) -> Composition:
        """The chosen components."""
        return self._composition

    @property
    def settings(self) -> dict[str, Any]:
        """All settings as resolved."""
        return dict(self._composition.settings)

    @property
    def mean_sfh_type(self) -> Any:
        """Family, or families, of the star-formation history."""
        return self._composition.settings["mean_sfh_type"]

    @property
    def all_params(self) -> list[str]:
        """Names of all parameters that act, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status != "inert")

    @property
    def free_params(self) -> list[str]:
        """Names of the free parameters, sorted: the order of the vectors."""
        return list(self._layout.names)

    @property
    def fixed_params(self) -> list[str]:
        """Names of the fixed parameters that act, sorted."""
        return sorted(set(self.all_params) - set(self._layout.names) - set(self._mirrors))

    @property
    def filled_in(self) -> list[str]:
        """Names that were not mentioned and took the registry's default, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status == "filled in")

    @property
    def inert(self) -> list[str]:
        """Names of fixed parameters that no chosen component uses, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status == "inert")

    @property
    def mirrors(self) -> dict[str, str]:
        """Parameters that follow another one: name → source."""
        return dict(self._mirrors)

    @property
    def valid_param_names(self) -> list[str]:
        """Names of all parameters that the registry knows, sorted."""
        return sorted(registered_params())

    @property
    def n_free(self) -> int:
        """Number of free parameters; a latent field counts once."""
        return len(self._layout.names)

    @property
    def n_latent(self) -> int:
        """Number of free numbers, the length of the vectors; a field counts all its points."""
        return self._layout.size

    @property
    def distributions(self) -> dict[str, Distribution]:
        """Prior of every parameter that acts (a mirror shows its source's), by sorted name."""
        return {name: self._entries[name].prior for name in self.all_params}

    def get_distribution(self, name: str) -> Distribution:
        """Return the prior of one parameter."""
        return self._entry(name).prior

    def is_fixed(self, name: str) -> bool:
        """Say whether a parameter is fixed (a mirror: whether its source is)."""
        return self._entry(name).prior.is_fixed

    def fixed_value(self, name: str) -> Any:
        """Return the value of a fixed parameter: a float, or an array."""
        entry = self._entry(name)
        if not entry.prior.is_fixed:
            raise ParameterError(f"{name} is free ({entry.prior!r}); it has no fixed value.")
        value = entry.prior.default
        return value if entry.shape == () else np.broadcast_to(value, entry.shape).copy()

    def get_fixed_values(self) -> dict[str, Any]:
        """Return the values of the fixed parameters that act."""
        return {name: self.fixed_value(name) for name in self.fixed_params}

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise unknown("parameter of this spec", name, self._entries)
        return self._entries[name]

    # --- derived specs ------------------------------------------------------------------------

    def with_params(self, **changes: Any) -> Parameters:
        """Return a spec with some parameters or settings replaced or added."""
        known = {**SETTINGS, **registered_params()}
        return Parameters(**{**self._given, **rename(changes, known, stacklevel=2)})

    def without_params(self, *names: str) -> Parameters:
        """Return a spec that does not mention ``names``: they fall back to their defaults."""
        for name in names:
            if name not in self._given:
                raise unknown("name that was given to this spec", name, self._given)
        return Parameters(**{n: v for n, v in self._given.items() if n not in names})

    # --- draws --------------------------------------------------------------------------------

    def sample(self, key: Array) -> dict[str, Array]:
        """Draw from the prior: free parameters drawn, fixed ones at their value.

        Every parameter has its own random stream, so that adding one leaves the others' draws
        unchanged. Settings and mirrors are not in the dict.
        """
        check_process()
        return draws.draw(self._entries, key)

    def sample_batch(self, key: Array, n: int) -> dict[str, Array]:
        """Draw n galaxies, values (n, …); row i is ``sample(fold_in(key, i))``."""
        check_process()
        return draws.draw_batch(self._entries, key, n)

    def sample_sobol(self, n: int, seed: int = 0, skip: int = 0) -> dict[str, Array]:
        """Draw n galaxies by a scrambled Sobol sequence, values (n, …).

        Row i of a call is row ``skip + i`` of the sequence of ``seed``, whatever the chunking.
        """
        check_process()
        return draws.draw_sobol(self._entries, self._layout, n, seed, skip)

    # --- vectors ------------------------------------------------------------------------------

    def log_prior(self, params: Mapping[str, Any]) -> Array:
        """Return the summed log density of the free parameters, -inf outside their bounds."""
        check_process()
        return self._layout.log_prior(self._plain(params))

    def to_unit(self, params: Mapping[str, Any]) -> Array:
        """Return the free parameters as a point of the unit cube, (…, n_latent)."""
        check_process()
        return self._layout.to_unit(self._plain(params))

    def from_unit(self, u: ArrayLike) -> dict[str, Array]:
        """Return the parameter dict at a point (…, n_latent) of the unit cube."""
        check_process()
        return self._complete(self._layout.from_unit(u))

    def to_unbounded(self, params: Mapping[str, Any]) -> Array:
        """Return the free parameters in unbounded coordinates, (…, n_latent)."""
        check_process()
        return self._layout.to_unbounded(self._plain(params))

    def from_unbounded(self, y: ArrayLike) -> dict[str, Array]:
        """Return the parameter dict at unbounded coordinates (…, n_latent)."""
        check_process()
        return self._complete(self._layout.from_unbounded(y))

    def log_abs_det(self, y: ArrayLike) -> Array:
        """Return log |d params / d y| of `from_unbounded` at y."""
        check_process()
        return self._layout.log_abs_det(y)

    def _complete(self, free: Mapping[str, Array]) -> dict[str, Array]:
        both = {**draws.fixed_values(self._entries), **free}
        return {name: both[name] for name in sorted(both)}

    # --- dicts of calls -----------------------------------------------------------------------

    def resolve(self, params: Mapping[str, Any], batch: bool = False) -> dict[str, Any]:
        """Return the complete dict of a call, checked.

        Parameters
        ----------
        params : mapping
            A value overrides ``Fixed``; an omitted ``Fixed`` takes its value; an omitted free
            parameter needs a ``default`` in its prior.
        batch : bool
            Values have a leading axis (n,); those without it serve all galaxies.

        Returns
        -------
        dict
            All parameters that act, in the process's default float: NumPy arrays, and JAX
            arrays where the value given is traced.

        Raises
        ------
        ParameterError
            Missing, unknown, mistyped or misshapen parameters; outside jit also values that
            are not finite or outside the hard bounds.
        """
        if not isinstance(params, Mapping) or not params.keys() <= self._slots.keys():
            params = self._recognised(params)
        out = (resolve.resolve_batch if batch else resolve.resolve_one)(self._slots, params)
        for name, source in self._mirrors.items():
            out[name] = out[source]
        if any(name in params for name in self._arrays):
            concrete = {n: out[n] for n in self._arrays if not isinstance(out[n], Tracer)}
            self._composition.check_together(concrete)
        return out

    def plain_floats(
        self, names: Iterable[str], ranges: Mapping[str, tuple[float, float]]
    ) -> PlainFloats | None:
        """Return the packer of the scalars ``names``; None if one follows another parameter."""
        slots = [self._slots.get(name) for name in names]
        own = [slot for slot in slots if slot is not None]
        return PlainFloats(own, ranges) if len(own) == len(slots) else None

    def validate(self, params: Mapping[str, Any], batch: bool = False) -> None:
        """Raise unless `resolve` accepts ``params`` and free ones lie inside their priors."""
        complete = self.resolve(params, batch)
        for name, prior in zip(self._layout.names, self._layout.priors):
            value = complete[name]
            if isinstance(value, Tracer):
                continue
            lo, hi = (b * (1 + s * SLACK * np.sign(b)) for b, s in zip(prior.bounds, (-1, 1)))
            if not np.all((value >= lo) & (value <= hi)):
                raise ParameterError(f"{name} lies outside its prior {prior!r}.")

    def within_bounds(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch `resolve` would accept by their values, (n,) of bool.

        Every value has a leading axis (n,); names must be parameters of this spec.
        """
        given = self._recognised(params)
        numbers = {n: resolve.without_unit(self._slots[n], v)[0] for n, v in given.items()}
        return resolve.within_bounds(self._slots, numbers)

    def _plain(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of ``params`` that act, without masks and in their own units."""
        given = self._recognised(params)
        return {n: resolve.in_own_unit(self._slots[n], v) for n, v in given.items()}

    def _recognised(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of ``params`` that act; raise for names that cannot."""
        if not isinstance(params, Mapping):
            raise ParameterError(f"Parameter values come in a dict, not {type(params).__name__}.")
        renamed = rename(params, self._slots, stacklevel=3)
        return {n: v for n, v in renamed.items() if n in self._slots or self._refuse(n, v)}

    def _refuse(self, name: str, value: Any) -> bool:
        """Return False for an inert parameter at its own value, raise for anything else."""
        entry = self._entries.get(name)
        if entry is None:
            raise self._stranger(name)
        if entry.source is not None:
            raise ParameterError(
                f"{name} follows {entry.source}: give {entry.source}, or declare {name} by itself."
            )
        if isinstance(value, Tracer):
            return False
        own, _ = plain_values(value, entry.param.unit, name, linear=False)
        if not np.allclose(own, entry.prior.default, rtol=SLACK, atol=0.0):
            raise ParameterError(no_effect(name, *split(self._given)))
        return False

    def _stranger(self, name: str) -> Exception:
        if name in SETTINGS:
            return ParameterError(
                f"{name} is a setting: it is chosen in Parameters(…), not in a dict of values."
            )
        if name in registered_params():
            return ParameterError(no_effect(name, *split(self._given)))
        return unknown_name(str(name))

    # --- text, files, identity ----------------------------------------------------------------

    def summary(self) -> str:
        """Return a table: name, prior or value, unit, status, description; then the settings."""
        return summary.table(self._entries, self.settings)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description from which `from_dict` rebuilds the spec."""
        return artefact.describe(self._entries, split(self._given)[0])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Parameters:
        """Rebuild a spec; what was filled in keeps the values it had."""
        given, filled = artefact.read(data)
        spec = cls.__new__(cls)
        cls._set_up(spec, given, filled)
        return spec

    def fingerprint(self) -> str:
        """Return the SHA-256 of parameters, priors and resolved settings."""
        return artefact.fingerprint(self._entries, self.settings)

    @functools.cached_property
    def _identity(self) -> str:
        return self.fingerprint()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameters) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{n}={_shown(v)}' for n, v in self._given.items())})"

    def __str__(self) -> str:
        return self.summary()

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameters.from_dict, (self.to_dict(),)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("Parameters are immutable; derive others with with_params(…).")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Parameters are immutable; derive others with without_params(…).")


def _normal_forms(entries: Mapping[str, Entry]) -> dict[str, Distribution | Mirror]:
    """Return what was given, as priors and mirrors."""
    given = {n: e for n, e in entries.items() if e.status != "filled in"}
    return {n: Mirror(e.source) if e.source else e.prior for n, e in given.items()}


def _shown(value: Any) -> str:
    return repr(value.source) if isinstance(value, Mirror) else repr(value)
