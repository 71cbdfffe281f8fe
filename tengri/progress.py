"""How far long work is: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal

SECONDS = 10.0
Stream = Literal["stderr", "stdout"]


class Meter:
    """Report how much of ``total`` is done; silent if told so.

    Parameters
    ----------
    total : int
        How much there is to do.
    label, unit : str
        What is done, and in what it is counted.
    quiet : bool
        Whether nothing is shown.
    seconds : float
        Time between two plain lines.
    stream : str
        ``stderr`` or ``stdout``.
    at_once : bool
        Whether the first plain line comes with the first news, not only after ``seconds``.
    """

    def __init__(
        self,
        total: int,
        label: str = "",
        unit: str = "rows",
        *,
        quiet: bool = False,
        seconds: float = SECONDS,
        stream: Stream = "stderr",
        at_once: bool = False,
    ) -> None:
        self.total, self.label, self.unit, self.done = total, label, unit, 0
        self._quiet, self._seconds, self._stream = quiet, seconds, stream
        self._start = time.monotonic()
        self._next = self._start + (0.0 if at_once else seconds)
        self._live: Any = None
        if not quiet and getattr(sys, stream).isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=stream == "stderr")
            self._live = Live(console=console, refresh_per_second=4, transient=False)
            self._live.start()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def advance(self, n: int) -> None:
        """Count what has been done since the last time."""
        self.done += n
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        left = (self.total - self.done) / rate if rate > 0.0 else math.nan
        self.show(f"{self.label}: {self.done} of {self.total} {self.unit}, {rate:.0f} "
                  f"{self.unit}/s, {duration(left)} left")  # fmt: skip

    def show(self, line: str) -> None:
        """Put a line in the place of the last one on a terminal; elsewhere print it when due."""
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(line))
        elif not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._seconds
            write_line(line, self._stream)

    def close(self) -> None:
        """Leave the last line on the screen."""
        if self._live is not None:
            with suppress(OSError):  # the terminal may be gone
                self._live.stop()


def write_line(text: str, stream: Stream = "stdout") -> None:
    """Write a line at once; a reader that has gone away ends no work."""
    out = getattr(sys, stream)
    try:
        out.write(f"{text}\n")
        out.flush()
    except OSError:  # a closed pipe or terminal
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())  # for good
        os.close(nowhere)


def duration(seconds: float) -> str:
    """Return ``1:02:03`` or ``2:03``."""
    if not math.isfinite(seconds):
        return "?"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"
