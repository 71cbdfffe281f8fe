"""How far a long command is: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

SECONDS = 10.0


class Meter:
    """Counts rows on standard error; silent where asked."""

    def __init__(self, total: int, label: str, quiet: bool = False) -> None:
        self.total = total
        self.label = label
        self.done = 0
        self._quiet = quiet
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty() and not quiet:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True))
            self._task = self._bar.add_task(label, total=total)

    def __enter__(self) -> Meter:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._bar is not None:
            self._bar.stop()

    def advance(self, rows: int) -> None:
        """Count rows."""
        self.done += rows
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        elif not self._quiet and now - self._last >= SECONDS:
            self._last = now
            rate = self.done / (now - self._start)
            print(f"{self.label}: {self.done} of {self.total} rows, {rate:.0f} rows/s, "
                  f"{(self.total - self.done) / rate:.0f} s left", file=sys.stderr)  # fmt: skip
