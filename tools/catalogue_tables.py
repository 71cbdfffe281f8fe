"""The tables of what catalogues cost, from the records of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FORMATS = (".h5", ".parquet", ".fits")


def head(cells: Sequence[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]


def cost(record: dict[str, Any]) -> str:
    """Return what a row of a catalogue costs beside its model, before and now, Markdown."""
    rows = head(["µs a row", "model alone", "the row", "times the model", "processor, model alone",
                 "processor, the row", "times the model's"])  # fmt: skip
    for surrogate, entry in record["surrogates"].items():
        for kind in (k for k in ("before", "now") if k in entry):
            found = entry[kind]
            model = found["model [µs per row]"]
            for ending in (e for e in FORMATS if e in found):
                row, times = found[ending]["row [µs]"], found[ending]["times the model"]
                cells = (f"{model['wall']:.2f}", f"{row['wall']:.2f}", f"{times['wall']:.2f} ×",
                         f"{model['processor']:.2f}", f"{row['processor']:.2f}",
                         f"{times['processor']:.2f} ×")  # fmt: skip
                rows.append(f"| `{surrogate}`, `{ending}`, {kind} | {' | '.join(cells)} |")
    now = record["surrogates"]["sdss"]["now"]
    ran = now["command"]
    rows.append(
        f"\nOn {now['cores']} cores, the process under the {now['scheduler']} scheduler while the "
        f"load of the machine was {now['load at start']:.0f}. The whole command on "
        f"{now['rows']:,} rows of HDF5, start and compilation included: {ran['wall [s]']:.1f} s, "
        f"{ran['processor [s]']:.1f} s of processor, {ran['peak memory [MB]']:.0f} MB."
    )
    return "\n".join(rows)


def parts(record: dict[str, Any]) -> str:
    """Return the processor time of each part of a prediction, Markdown."""
    entries = [(name, entry["parts, processor [s]"])
               for name, entry in record["surrogates"].items()
               if "parts, processor [s]" in entry]  # fmt: skip
    names = list(entries[0][1][FORMATS[0]])
    rows = head(["µs of processor a row", *names])
    for surrogate, entry in entries:
        for ending in FORMATS:
            cells = (f"{1e6 * entry[ending][name] / entry['rows']:.2f}" for name in names)
            rows.append(f"| `{surrogate}`, `{ending}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def ways(record: dict[str, Any]) -> str:
    """Return what each way through existing engines costs, Markdown."""
    rows = head([f"{record['rows']:,} rows", "wall [s]", "processor [s]", "rows/processor second",
                  "peak memory [MB]", "same bytes"])  # fmt: skip
    first = next(iter(record["ways"].values()))["columns"]
    for name, r in record["ways"].items():
        cells = (f"{r['wall [s]']:.1f}", f"{r['processor [s]']:.1f}",
                 f"{r['rows per processor second']:,.0f}", f"{r['peak memory [MB]']:.0f}",
                 "yes" if r["columns"] == first else "NO")  # fmt: skip
        rows.append(f"| {name} | {' | '.join(cells)} |")
    around = ", ".join(f"{r['load at start']:.0f} ({r['scheduler']})"
                       for r in record["ways"].values())  # fmt: skip
    rows.append(
        f"\nOn {record['cores']} cores, start and compilation included. Load of the machine at "
        f"the start of each, and the scheduler: {around}."
    )
    return "\n".join(rows)


#: Rows of a part in the model of cost.
PART_ROWS = 10**7
#: Bytes of a row in the catalogue: ten parameters in float32 and an identifier.
READ = 48
#: Bytes of one in the output: five fluxes, five error bars, an identifier and a flag.
WRITTEN = 49


def cost_model(record: dict[str, Any], check: dict[str, Any]) -> str:
    """Return processor hours and disk for catalogues, from the measured pieces, Markdown."""
    entry = record["surrogates"]["sdss"]["now"]
    rows = head(["rows", "format", "parts", "processor hours", "of it start", "hours on 64 cores",
                  "read [GB]", "written [GB]", "disk while joining [GB]"])  # fmt: skip
    start = (
        entry["command"]["processor [s]"]
        - 1e-6 * entry["rows"] * (entry[FORMATS[0]]["row [µs]"]["processor"])
    )
    for n in (10**6, 10**7, 10**8, 10**9):
        for ending in FORMATS[:2]:
            rows.append(_cost(1e-6 * entry[ending]["row [µs]"]["processor"], start, ending, n))
    way, found = next(iter(check["ways"].items()))
    rows.append(
        f"\nChecked with {check['rows']:,} rows, {way}, {found['scheduler']} scheduler: "
        f"{found['processor [s]'] / 3600.0:.4f} processor hours, {found['wall [s]']:.0f} s on "
        f"{check['cores']} cores, {found['peak memory [MB]']:.0f} MB at most."
    )
    return "\n".join(rows)


def _cost(per_row: float, start: float, ending: str, n: int) -> str:
    """Return a line: ``per_row`` and ``start`` in seconds of processor."""
    shards = max(1, n // PART_ROWS)
    hours, begin = (start * shards + per_row * n) / 3600.0, start * shards / 3600.0
    read, out = READ * n / 1e9, WRITTEN * n / 1e9
    cells = (f"{n:,}", f"`{ending}`", str(shards), f"{hours:.3g}", f"{begin:.2g}",
             f"{hours / 64:.2g}", f"{read:.3g}", f"{out:.3g}", f"{2 * out:.3g}")  # fmt: skip
    return f"| {' | '.join(cells)} |"


def memory(record: dict[str, Any]) -> str:
    """Return the memory of a first prediction and of one model more, Markdown."""
    rows = head(["MB", ""])
    rows.append(f"| JAX alone | {record['JAX alone [MB]']:.0f} |")
    for name, peak in record["first prediction, peak [MB]"].items():
        rows.append(f"| first prediction, `{name}`, most so far | {peak:.0f} |")
    for name, r in record["one model more"].items():
        rows.append(f"| one model more, {name} | {r['each [MB]']:.1f}, of which "
                    f"{100 * r['freed']:.0f} % come back |")  # fmt: skip
    for name, r in record.get("training", {}).items():
        rows.append(f"| training of `{name}`, {r['minutes']:g} min, most | "
                    f"{r['peak [MB]']:.0f} |")  # fmt: skip
    return "\n".join(rows)


def five_minutes(record: dict[str, Any]) -> str:
    """Return where the minutes of a short training go, Markdown."""
    rows = head(["training", "whole [s]", "processor [s]", "first step at [s] (processor)",
                 "99 % within 20 / 10 / 5 mmag at [s] (processor)", "after the steps [s]",
                 "share", "peak memory [MB]", "load"])  # fmt: skip
    for name, r in record["trainings"].items():
        within = " / ".join(map(_at, r["first within [mmag] at 99 %"].values()))
        cells = (f"`{name}`, {r['minutes']:g} min", f"{r['wall [s]']:.0f}",
                 f"{r['processor [s]']:.0f}", _at(r["first step"]), within,
                 f"{r['wall [s]'] * r['share after the steps']:.0f}",
                 f"{100 * r['share after the steps']:.0f} %", f"{r['peak memory [MB]']:.0f}",
                 f"{r['load at start']:.0f}")  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _at(found: dict[str, float] | None) -> str:
    return "–" if found is None else f"{found['at [s]']:.0f} ({found['processor [s]']:.0f})"
