"""A function of one galaxy, mapped over a batch of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import Array

from tengri.forward.batching import Execution, RowMap
from tengri.forward.evaluator import Guard
from tengri.forward.packing import in_trace
from tengri.parameters import Parameters
from tengri.process import check_process


class BatchedFunction:
    """See `PhotometricModel.batched`; it holds what was compiled.

    Parameters
    ----------
    fn : callable
        A function of the parameters of one galaxy.
    spec, guard, execution
        Of the model whose parameters they are.
    """

    def __init__(
        self,
        fn: Callable[[dict[str, Array]], Any],
        spec: Parameters,
        guard: Guard,
        execution: Execution,
    ) -> None:
        self.fn, self.spec, self.guard, self.execution = fn, spec, guard, execution
        self._row_map = RowMap(self._one)

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """Return the results with a leading axis (n, …); ``fn`` sees the parameters given."""
        p = self.spec.resolve(params, batch=True)
        rows = {name: value for name, value in p.items() if name in params}
        if in_trace(p):
            return jax.lax.map(self.fn, rows, batch_size=self.execution.sizes.block)
        check_process()
        self.guard.check(p)
        return self._row_map(None, rows, self.execution.sizes)

    def _one(self, _: None, one: dict[str, Array]) -> Any:
        return self.fn(one)
