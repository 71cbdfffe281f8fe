"""What a run tells while it works: TensorBoard events, ``metrics.jsonl``, one progress line."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from tensorboardX import SummaryWriter

Scalars = dict[str, float]


class Log:
    """Scalars by step, written twice: for TensorBoard and as lines of JSON.

    Parameters
    ----------
    folder : path
        The run folder.
    step : int
        First step of this session; later events of an earlier session are purged.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
        self._file = open(folder / "metrics.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        if self._file.tell():
            self._line({"event": "resume", "step": step})

    def write(self, step: int, scalars: Scalars) -> None:
        """Append finite scalars; one that is not finite becomes null in the JSON."""
        for name, value in scalars.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, step)
        finite = {k: (v if math.isfinite(v) else None) for k, v in scalars.items()}
        self._line({"step": step, "time": round(time.time(), 3), **finite})
        self._writer.flush()

    def close(self) -> None:
        """Flush everything to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._writer.close()

    def _line(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of ``metrics.jsonl``, without those that a resume took back.

    A last line that was cut off by a kill is left out.
    """
    records: list[dict[str, Any]] = []
    if not path.exists():
        return records
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not isinstance(record, dict) or "step" not in record:
            continue
        if record.get("event") == "resume":
            records = [r for r in records if r["step"] <= record["step"]]
        else:
            records.append(record)
    return records


class Progress:
    """One live line on a terminal, a plain line every ``seconds`` otherwise."""

    def __init__(self, total: int, seconds: float, quiet: bool = False) -> None:
        self.total = total
        self.seconds = seconds
        self.accuracy = ""
        self._quiet = quiet
        self._last = 0.0
        self._live = None
        if sys.stdout.isatty() and not quiet:
            self._live = Live(console=Console(), refresh_per_second=4, transient=False)
            self._live.start()

    def show(self, step: int, rate: float, loss: float) -> None:
        """Report the state of the run; ``rate`` is in steps per second."""
        now = time.monotonic()
        if self._quiet or (self._live is None and now - self._last < self.seconds):
            return
        self._last = now
        left = (self.total - step) / rate if rate > 0.0 else math.nan
        line = (
            f"step {step}/{self.total}  loss {loss:.3g}  {self.accuracy or '|Δm| …'}  "
            f"{rate:.1f} it/s  ETA {duration(left)}"
        )
        if self._live is not None:
            self._live.update(Text(line))
        else:
            print(line, flush=True)

    def note(self, text: str) -> None:
        """Print a line of its own."""
        if self._live is not None:
            self._live.console.print(Text(text))
        elif not self._quiet:
            print(text, flush=True)

    def close(self) -> None:
        """Leave the last line on the screen."""
        if self._live is not None:
            self._live.stop()


def duration(seconds: float) -> str:
    """Return ``1:02:03`` or ``2:03``."""
    if not math.isfinite(seconds):
        return "?"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"
