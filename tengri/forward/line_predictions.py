"""The emission lines of an exact model: dicts in, `tengri.forward.lines.Lines` out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jax import Array

from tengri.components.line_list import LineList
from tengri.components.stellar.ssp_data import SSPData
from tengri.forward.batching import Execution, RowMap, map_traced
from tengri.forward.exact_evaluators import ExactEvaluators
from tengri.forward.exact_guard import ExactGuard
from tengri.forward.line_sources import check_has_lines, line_list_of
from tengri.forward.lines import LineEvaluator, Lines
from tengri.forward.no_stars import check_stars, warn_no_stars
from tengri.forward.packing import Packed, Packer, in_trace
from tengri.forward.small_call import compiled_quickly
from tengri.parameters import Parameters
from tengri.process import check_process


class LinePredictions:
    """What a model answers about emission lines.

    Parameters
    ----------
    spec, ssp, packer, evaluators, guard, execution
        Of the model.
    """

    def __init__(
        self,
        spec: Parameters,
        ssp: SSPData,
        packer: Packer,
        evaluators: ExactEvaluators,
        guard: ExactGuard,
        execution: Execution,
    ) -> None:
        self.spec, self.ssp, self.packer = spec, ssp, packer
        self.evaluators, self.guard, self.execution = evaluators, guard, execution

    @property
    def line_list(self) -> LineList:
        """Names and wavelengths of the lines."""
        check_has_lines(self.spec.composition, self.ssp)
        return line_list_of(self.evaluators.grid)

    def predict(self, params: Mapping[str, Any] | None, batch: bool) -> Lines:
        """Return the lines (n_line,), of a batch (n, n_line)."""
        check_process()
        check_has_lines(self.spec.composition, self.ssp)
        p = self.spec.resolve({} if params is None else params, batch=batch)
        evaluator, packed = self.evaluators.lines(in_trace(p)), self.packer.pack(p)
        if in_trace(p):
            return _in_trace(evaluator, packed, self.execution if batch else None)
        self.guard.check(p, fluxes=False, bands=False)
        if batch:
            found, log10_mass = _row_map()(evaluator, packed, self.execution.sizes)
            warn_no_stars(np.asarray(log10_mass))
            return found
        found, log10_mass = _one(evaluator, packed)
        check_stars(p, log10_mass)
        return found


# Compiled once for all models of the same structure.


@compiled_quickly
def _one(evaluator: LineEvaluator, packed: Packed) -> tuple[Lines, Array]:
    return evaluator.lines(packed.unpack())


@partial(jax.jit, static_argnames="execution")
def _in_trace(evaluator: LineEvaluator, packed: Packed, execution: Execution | None) -> Lines:
    if execution is None:
        return evaluator.lines(packed.unpack())[0]
    return map_traced(lambda one: evaluator.lines(one.unpack())[0], packed, execution)


@cache
def _row_map() -> RowMap:
    return RowMap(lambda evaluator, one: evaluator.lines(one.unpack()))
