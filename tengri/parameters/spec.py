"""``Parameters``: the parameters of a galaxy, free and fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from tengri.components.composition import SETTINGS, registered_params
from tengri.domain import Domain
from tengri.errors import ParameterError, unknown
from tengri.parameters import sampling, validate
from tengri.parameters.declaration import Declaration
from tengri.parameters.float_packer import FloatPacker
from tengri.parameters.names import recognised
from tengri.parameters.values import SLACK, rename
from tengri.process import check_process


class Parameters(Declaration):
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

    def __init__(self, **given: Any) -> None:
        known = {**SETTINGS, **registered_params()}
        self._set_up(rename(given, known, stacklevel=2))

    # --- derived specs ------------------------------------------------------------------------

    def with_params(self, **changes: Any) -> Parameters:
        """Return a spec with some parameters or settings replaced or added."""
        known = {**SETTINGS, **registered_params()}
        return self._derived({**self._given, **rename(changes, known, stacklevel=2)})

    def without_params(self, *names: str) -> Parameters:
        """Return a spec that does not mention ``names``: they fall back to their defaults."""
        for name in names:
            if name not in self._given:
                raise unknown("name that was given to this spec", name, self._given)
        return self._derived({n: v for n, v in self._given.items() if n not in names})

    def _derived(self, given: Mapping[str, Any]) -> Parameters:
        """Return a spec whose components are of the same versions."""
        time = {name: value for name, value in self.physics.items() if name not in self._given}
        return self._made(given, self._filled(), time)

    # --- draws --------------------------------------------------------------------------------

    def sample(self, key: Array) -> dict[str, Array]:
        """Draw from the prior: free parameters drawn, fixed ones at their value.

        Every parameter has its own random stream, so that adding one leaves the others' draws
        unchanged. Settings and mirrors are not in the dict.
        """
        check_process()
        return sampling.draw(self._entries, key)

    def sample_batch(self, key: Array, n: int) -> dict[str, Array]:
        """Draw n galaxies, values (n, …); row i is ``sample(fold_in(key, i))``."""
        check_process()
        return sampling.draw_batch(self._entries, key, n)

    def sample_sobol(self, n: int, seed: int = 0, skip: int = 0) -> dict[str, Array]:
        """Draw n galaxies by a scrambled Sobol sequence, values (n, …).

        Row i of a call is row ``skip + i`` of the sequence of ``seed``, whatever the chunking.
        """
        check_process()
        return sampling.draw_sobol(self._entries, self._layout, n, seed, skip)

    # --- vectors ------------------------------------------------------------------------------

    def log_prior(self, params: Mapping[str, Any]) -> Array:
        """Return the summed log density of the free parameters, -inf outside their bounds."""
        check_process()
        return self._layout.log_prior(self._own_units(params))

    def to_unit(self, params: Mapping[str, Any]) -> Array:
        """Return the free parameters as a point of the unit cube, (…, n_latent)."""
        check_process()
        return self._layout.to_unit(self._own_units(params))

    def from_unit(self, u: ArrayLike) -> dict[str, Array]:
        """Return the parameter dict at a point (…, n_latent) of the unit cube."""
        check_process()
        return self._complete(self._layout.from_unit(u))

    def to_unbounded(self, params: Mapping[str, Any]) -> Array:
        """Return the free parameters in unbounded coordinates, (…, n_latent)."""
        check_process()
        return self._layout.to_unbounded(self._own_units(params))

    def from_unbounded(self, y: ArrayLike) -> dict[str, Array]:
        """Return the parameter dict at unbounded coordinates (…, n_latent)."""
        check_process()
        return self._complete(self._layout.from_unbounded(y))

    def log_abs_det(self, y: ArrayLike) -> Array:
        """Return log |d params / d y| of `from_unbounded` at y."""
        check_process()
        return self._layout.log_abs_det(y)

    def _complete(self, free: Mapping[str, Array]) -> dict[str, Array]:
        both = {**sampling.fixed_values(self._entries), **free}
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
            params = recognised(params, self._slots, self._entries, self._given)
        out = (validate.resolve_batch if batch else validate.resolve_one)(self._slots, params)
        for name, source in self._mirrors.items():
            out[name] = out[source]
        if any(name in params for name in self._arrays):
            concrete = {n: out[n] for n in self._arrays if not isinstance(out[n], Tracer)}
            self._composition.check_together(concrete)
        return out

    def float_packer(
        self, names: Iterable[str], ranges: Mapping[str, tuple[float, float]]
    ) -> FloatPacker | None:
        """Return the packer of the scalars ``names``; None if one follows another parameter."""
        slots = [self._slots.get(name) for name in names]
        own = [slot for slot in slots if slot is not None]
        return FloatPacker(own, ranges) if len(own) == len(slots) else None

    def validate(self, params: Mapping[str, Any], batch: bool = False) -> None:
        """Raise unless `resolve` accepts ``params`` and free ones lie inside their priors."""
        complete = self.resolve(params, batch)
        for name, prior in zip(self._layout.names, self._layout.priors):
            value = complete[name]
            if isinstance(value, Tracer):
                continue
            lo, hi = (b * (1 + s * SLACK * np.sign(b)) for b, s in zip(prior.bounds, (-1, 1)))
            if not np.all(Domain({name: lo}, {name: hi}).within(name, value)):
                raise ParameterError(f"{name} lies outside its prior {prior!r}.")

    def within_bounds(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch `resolve` would accept by their values, (n,) of bool.

        Every value has a leading axis (n,); names must be parameters of this spec.
        """
        given = recognised(params, self._slots, self._entries, self._given)
        numbers = {n: validate.without_unit(self._slots[n], v)[0] for n, v in given.items()}
        return validate.within_bounds(self._slots, numbers)

    def _own_units(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of ``params`` that act, without masks and in their own units."""
        given = recognised(params, self._slots, self._entries, self._given)
        return {n: validate.in_own_unit(self._slots[n], v) for n, v in given.items()}
