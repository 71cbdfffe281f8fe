"""Logs of a run: TensorBoard events, ``metrics.jsonl``, one progress line."""

from __future__ import annotations

import json
import math
import os
import time
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from tengri.errors import DataError
from tengri.io.atomic import os_reason
from tengri.io.regular import check_regular
from tengri.progress import Meter, duration

Scalars = dict[str, float]
#: Of ``metrics.jsonl``: a year of a line every ten seconds; characters of a line.
MAX_BYTES, MAX_LINE = 1 << 30, 1 << 16


class Log:
    """Scalars by step, written twice: for TensorBoard and as lines of JSON with a CRC-32.

    Parameters
    ----------
    folder : path
        The run folder.
    step : int
        First step of this session; later events of an earlier session are purged.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "metrics.jsonl"
        check_regular(self._path)
        try:
            self._events = _Events(folder / "tensorboard", step)
            self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written ({os_reason(error)}).") from error
        if self._file.tell():
            if not self._path.read_bytes().endswith(b"\n"):
                self._file.write("\n")  # the line at which an earlier session was killed
            self._line({"event": "resume", "step": step})

    def write(self, step: int, scalars: Scalars) -> None:
        """Append finite scalars; one that is not finite becomes null in the JSON."""
        finite = {k: (v if math.isfinite(v) else None) for k, v in scalars.items()}
        self._line({"step": step, "time": round(time.time(), 3), **finite})
        try:
            self._events.write(step, {k: v for k, v in finite.items() if v is not None})
        except OSError as error:
            raise DataError(f"{self._path.parent}: no space for its log ({error}).") from error

    def close(self) -> None:
        """Flush everything to disk."""
        with suppress(OSError):  # a full disk: the checkpoint has said so, or will
            self._file.flush()
            os.fsync(self._file.fileno())
        for file in (self._file, self._events):
            with suppress(OSError):
                file.close()

    def _line(self, record: dict[str, Any]) -> None:
        try:
            self._file.write(_checked(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written ({os_reason(error)}).") from error


class _Events:
    """The event file of one session, written at once: a queue would hide a full disk."""

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")
        start = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(step=step, wall_time=time.time(), session_log=start))

    def write(self, step: int, scalars: Scalars) -> None:
        for name, value in scalars.items():
            summary = scalar(name, value)
            self._writer.write_event(Event(step=step, wall_time=time.time(), summary=summary))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def _checked(record: dict[str, Any]) -> str:
    """Return a record as a line with its CRC-32."""
    crc = zlib.crc32(json.dumps(record, sort_keys=True).encode())
    return json.dumps({**record, "crc": crc})


def _record(line: str) -> dict[str, Any] | None:
    """Return the record of a line, or None where it was cut off or changed."""
    try:
        record = json.loads(line)
        crc = record.pop("crc")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if _checked(record) == json.dumps({**record, "crc": crc}) else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of ``metrics.jsonl``, without those that a resume took back.

    Lines that were cut off by a kill or damaged are left out; `damaged_lines` counts them.
    """
    records: list[dict[str, Any]] = []
    for record in filter(None, map(_record, _lines(path))):
        if record.get("event") == "resume":
            records = [r for r in records if r["step"] <= record["step"]]
        else:
            records.append(record)
    return records


def damaged_lines(path: Path) -> list[int]:
    """Return the numbers of the lines of ``metrics.jsonl`` that `read_metrics` leaves out."""
    return [i for i, line in enumerate(_lines(path), start=1) if _record(line) is None]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    check_regular(path)
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: is larger than {MAX_BYTES} bytes, which no training writes.")
    with open(path, encoding="utf-8", errors="replace") as file:
        return list(iter(partial(file.readline, MAX_LINE), ""))


class Progress:
    """The progress line of a training, on standard output.

    ``after`` are the seconds of what follows the steps: they are part of the time that is left.
    """

    def __init__(self, total: int, seconds: float, quiet: bool = False, after: float = 0.0) -> None:
        self.total, self.after = total, after
        self.accuracy = ""
        self._meter = Meter(total, quiet=quiet, seconds=seconds, stream="stdout", at_once=True)

    def show(self, step: int, rate: float, loss: float) -> None:
        """Report the state of the run; ``rate`` is in steps per second."""
        left = (self.total - step) / rate + self.after if rate > 0.0 else math.nan
        self._meter.show(
            f"step {step}/{self.total}  loss {loss:.3g}  {self.accuracy or '|Δm| …'}  "
            f"{rate:.1f} it/s  ETA {duration(left)}"
        )

    def close(self) -> None:
        """Leave the last line on the screen."""
        self._meter.close()
