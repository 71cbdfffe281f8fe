"""The tables of what catalogues cost, from the records of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def head(cells: Sequence[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]


def cost(record: dict[str, Any]) -> str:
    """Return what a row of a catalogue costs beside its model, before and now, Markdown."""
    rows = head(["", "model alone [µs]", "a row [µs]", "times the model", "processor [µs a row]",
                  "times the model's", "a million rows, start included [s]",
                  "peak memory [MB]"])  # fmt: skip
    for surrogate, entry in record["surrogates"].items():
        for kind in (k for k in ("before", "now") if k in entry):
            found = entry[kind]
            model = found["model [µs per row]"]
            for ending in (".h5", ".parquet", ".fits"):
                r = found[ending]
                times, cost = r["times the model"], r["row [µs]"]
                cells = (f"{model['wall']:.2f}", f"{cost['wall']:.2f}", f"{times['wall']:.2f} ×",
                         f"{cost['processor']:.2f}", f"{times['processor']:.2f} ×",
                         f"{r['whole']['wall [s]']:.1f}",
                         f"{r['whole']['peak memory [MB]']:.0f}")  # fmt: skip
                rows.append(f"| `{surrogate}`, `{ending}`, {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


def parts(record: dict[str, Any]) -> str:
    """Return the processor time of each part of a prediction, Markdown."""
    entries = [(name, entry["parts, processor [s]"])
               for name, entry in record["surrogates"].items()
               if "parts, processor [s]" in entry]  # fmt: skip
    names = list(entries[0][1][".h5"])
    rows = head(["µs of processor a row", *names])
    for surrogate, entry in entries:
        for ending in (".h5", ".parquet", ".fits"):
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
    rows.append(f"\nLoad of the machine at the start: {record['load at start']:.1f}, on "
                f"{record['cores']} cores.")  # fmt: skip
    return "\n".join(rows)


#: Rows of a part in the model of cost.
PART_ROWS = 10**7
#: Bytes that are read of a row: ten parameters in float32 and an identifier.
READ = 48


def cost_model(record: dict[str, Any]) -> str:
    """Return processor hours and disk for catalogues, from the measured pieces, Markdown."""
    entry = record["surrogates"]["sdss"]["now"]
    rows = head(["rows", "format", "parts", "processor hours", "of it start", "hours on 64 cores",
                  "read [GB]", "written [GB]", "disk while joining [GB]"])  # fmt: skip
    for n in (10**6, 10**7, 10**8, 10**9):
        for ending in (".h5", ".parquet"):
            rows.append(_cost(entry[ending], entry["rows"], ending, n))
    return "\n".join(rows)


def _cost(found: dict[str, Any], measured: int, ending: str, n: int) -> str:
    per_row = 1e-6 * found["row [µs]"]["processor"]
    start = found["few"]["processor [s]"] - per_row * 65536
    parts = max(1, n // PART_ROWS)
    hours, begin = (start * parts + per_row * n) / 3600.0, start * parts / 3600.0
    out = found["whole"]["output [MB]"] / measured * n / 1e3
    read = READ * n / 1e9
    cells = (f"{n:,}", f"`{ending}`", str(parts), f"{hours:.3g}", f"{begin:.2g}",
             f"{hours / 64:.2g}", f"{read:.3g}", f"{out:.3g}", f"{2 * out:.3g}")  # fmt: skip
    return f"| {' | '.join(cells)} |"
