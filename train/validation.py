"""Live numbers of a run: its weights on held-out galaxies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from emulator.scaling import OutputScaling
from tengri.analysis import accuracy
from tengri.errors import TengriError
from train.config import parse_until
from train.diagnosis import first_bad
from train.problem import Problem
from train.rows import VALIDATION

#: The validation set is small: fresh draws shall not miss the target by its noise.
UNTIL_MARGIN = 0.97
#: Measurements are at least so many times their own length apart.
PACE = 20.0


class NaNStop(TengriError, ArithmeticError):
    """A NaN appeared while training; names the step, the row and the last good step."""


class Validation:
    """The error of a run on galaxies apart from its rows.

    Attributes
    ----------
    step : int
        Where it was measured last; -1 before that.
    numbers : dict
        |Δm| [mmag] by percentile, as measured there.
    seconds : float
        How long that took; 0 after the first one, which compiles.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.until = problem, problem.config.run.until
        self.held_out = problem.held_out(VALIDATION, problem.config.run.validation_rows)
        self.numbers: dict[str, float] = {}
        self.step = -1
        self.seconds = 0.0

    def measure(self, step: int, params: Any, scaling: OutputScaling, last_good: str) -> None:
        """Measure the weights of a step; NaN there is an error, never a metric.

        Raises
        ------
        NaNStop
            Naming the galaxy, and ``last_good`` in words.
        """
        begin = time.monotonic()
        emulated = self.held_out.emulated(params, scaling)
        numbers = accuracy.live(self.held_out.flux, emulated)
        if not all(np.isfinite(list(numbers.values()))):
            raise NaNStop(
                f"step {step}: emulated fluxes of the validation set are not finite, first "
                f"{first_bad(self.held_out, emulated, self.problem.bands)}. Nothing was saved "
                f"from it; {last_good}"
            )
        if self.until:
            q, _ = parse_until(self.until)
            numbers["until"] = accuracy.percentile(self.held_out.flux, emulated, q)
        self.seconds = time.monotonic() - begin if self.step >= 0 else 0.0
        self.numbers, self.step = numbers, step

    def pace(self, seconds: float) -> float:
        """Return the seconds between two measurements: those asked for, or more."""
        return max(seconds, PACE * self.seconds)

    @property
    def text(self) -> str:
        """The numbers in words."""
        n = self.numbers
        return (f"|Δm| {n['median']:.2f} / {n['p99']:.1f} / {n['worst']:.0f} "
                "mmag (median / 99 % / worst)")  # fmt: skip

    @property
    def is_reached(self) -> bool:
        """Whether the accuracy that ends the run was met."""
        if not self.until:
            return False
        _, target = parse_until(self.until)
        return self.numbers.get("until", np.inf) <= UNTIL_MARGIN * target
