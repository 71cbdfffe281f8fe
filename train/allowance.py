"""The time that what follows a training may take, stage by stage, and the line that says so.

``run.minutes`` is the whole: planning, training and what follows. Of that, the comparison with the
exact model, the error bars and the report are always made; derivatives and throughput as far as the
time goes that is left for them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tengri.progress import duration
from train.config import Config
from train.schedule import Costs

logger = logging.getLogger(__name__)
#: Share of the budget that is kept for what follows a training, and the least and most seconds.
SHARE, LEAST, MOST = 0.15, 20.0, 180.0
#: Seconds that compiling what follows and drawing the report take on one idle machine.
FIXED = 40.0
#: An exact flux in float64 beside one in float32.
DOUBLE = 2.0


def kept_seconds(config: Config) -> float:
    """Return the seconds of the budget that are kept for what follows a training.

    Infinite where the length is given in steps: then there is no budget.
    """
    if config.run.steps:
        return math.inf
    return min(max(SHARE * 60.0 * config.run.minutes, LEAST), MOST)


def expected_seconds(config: Config, costs: Costs) -> float:
    """Return how long what follows a training may be expected to take, for the ETA."""
    exact = costs.row * (DOUBLE * config.run.evaluation_rows + 2.0 * config.run.timing_rows)
    return min(FIXED + exact, kept_seconds(config))


class Allowance:
    """Counts seconds from when it is made.

    Parameters
    ----------
    seconds : float
        That may be used.
    stages : int
        How many stages there will be, for the lines.
    """

    def __init__(self, seconds: float, stages: int) -> None:
        self.seconds, self.stages = seconds, stages
        self._begin, self._number = time.monotonic(), 0

    @property
    def used(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._begin

    def is_left(self, seconds: float) -> bool:
        """Return whether so many seconds may still be used."""
        return self.used + seconds <= self.seconds

    @contextmanager
    def stage(self, words: str) -> Iterator[None]:
        """Say what is done now, and how long it took."""
        self._number += 1
        place, begin = f"({self._number}/{self.stages})", time.monotonic()
        logger.info(f"{place} {words} …")
        yield
        logger.info(f"{place} done in {duration(time.monotonic() - begin)}")
