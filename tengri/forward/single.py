"""One galaxy: from a dict to its fluxes, fast.

A sampler calls tens of thousands of times, and what surrounds the arithmetic is most of a call:
floats in range are packed without a second look, and the program has its constants in it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jax import Array

from tengri.forward.evaluator import Evaluators, Guard, flux_of
from tengri.forward.no_stars import check_stars
from tengri.forward.packing import Packed, Packer, in_jit, in_trace
from tengri.forward.small_call import SmallCall, compiled_quickly
from tengri.parameters import Parameters
from tengri.parameters.float_packer import FloatPacker
from tengri.parameters.validate import default_float


class Single:
    """Fluxes of one galaxy.

    Parameters
    ----------
    spec : Parameters
    packer : Packer
    evaluators : Evaluators
    guard : Guard
    """

    def __init__(
        self, spec: Parameters, packer: Packer, evaluators: Evaluators, guard: Guard
    ) -> None:
        self.spec, self.packer = spec, packer
        self.evaluators, self.guard = evaluators, guard
        self._by_dtype: dict[type, tuple[Any, FloatPacker | None]] = {}
        self._calls: dict[Hashable, SmallCall] = {}

    def flux(self, params: Mapping[str, Any], units: str) -> Array:
        """Return the band fluxes (n_bands,) in ``units``; inside a trace unchecked."""
        dtype = default_float()
        evaluator, floats = self.float_packer(dtype)
        scalars = None if floats is None or in_jit() else floats.pack(params, dtype)
        if scalars is not None:
            packed = Packed(scalars, {}, self.packer.scalars)
        else:
            p = self.spec.resolve(params)
            evaluator, packed = self.evaluators.choose(p), self.packer.pack(p)
            if in_trace(p):
                return _flux(evaluator, packed, units=units)[0]
            self.guard.check(p)
        flux, log10_mass = self._call(evaluator, units)(packed)
        if math.isnan(sum(np.asarray(flux).tolist())):  # of few numbers the quickest way to ask
            check_stars(self.spec.resolve(params), log10_mass)
        return flux

    def float_packer(self, dtype: type) -> tuple[Any, FloatPacker | None]:
        """Return the evaluator of Python floats and their packer, which needs no other check."""
        if dtype not in self._by_dtype:
            evaluator, ranges = self.evaluators.for_floats()
            floats = None
            if ranges is not None and not self.packer.arrays:
                floats = self.spec.float_packer(self.packer.scalars, ranges)
            self._by_dtype[dtype] = evaluator, floats
        return self._by_dtype[dtype]

    def _call(self, evaluator: Any, units: str) -> SmallCall:
        key = (id(evaluator), units)
        if key not in self._calls:
            alone = evaluator.for_one_galaxy()
            self._calls[key] = SmallCall(
                partial(_flux, units=units),
                partial(_flux.well, units=units),
                evaluator,
                lambda v: flux_of(alone, units, v.unpack()),
            )
        return self._calls[key]


@partial(compiled_quickly, static_argnames="units")
def _flux(evaluator: Any, packed: Packed, units: str) -> tuple[Array, Array]:
    """Compiled once for all models of the same structure."""
    return flux_of(evaluator, units, packed.unpack())
