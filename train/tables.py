"""The tables of README and docs, written from the committed JSON files and the registries.

python -m train.tables            rewrite them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tengri.__main__ import program
from tengri.program import components

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- {}: written by python -m train.tables -->", "<!-- end of {} -->"


def accuracy() -> str:
    """Return the accuracy of the published surrogates, Markdown."""
    rows = ["| surrogate | bands | z | 50 % | 68 % | 95 % | 99 % | 99.9 % | trained in |",
            "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for file in sorted(ROOT.glob("checkpoints/*/report.json")):
        report = json.loads(file.read_text())
        pooled, training = report["accuracy"]["pooled"], report["training"]
        z = _redshifts(training)
        errors = " | ".join(f"{pooled[q]:.2f}" for q in ("p50", "p68", "p95", "p99", "p99.9"))
        rows.append(f"| `{file.parent.name}` | {len(report['accuracy']['bands'])} | {z} | {errors} "
                    f"| {training['seconds'] / 60:.0f} min |")  # fmt: skip
    return "\n".join(rows)


def _redshifts(training: dict[str, Any]) -> str:
    lo, hi = training["config"]["model"]["parameters"]["redshift"]
    return f"{lo:g}–{hi:g}"


def exact() -> str:
    """Return the cost of the exact model beside DSPS, Markdown."""
    data = _result("exact")
    rows = ["| | float32 | float64 |", "|---|---|---|"]
    for key, value in data["float32"].items():
        name = key.replace("|", "\\|")  # a bar would end the cell
        rows.append(f"| {name} | {value:.3g} | {data['float64'][key]:.3g} |")
    return "\n".join(rows)


def commands() -> str:
    """Return every command with what it does and an example, Markdown."""
    _, known = program()
    rows = ["| command | what it does | example |", "|---|---|---|"]
    for action in sorted(known._choices_actions, key=lambda a: a.dest):
        example = str(known.choices[action.dest].epilog).partition(": ")[2].replace("|", "\\|")
        shown = "<br>".join(f"`{part.strip()}`" for part in example.split(";"))
        rows.append(f"| `{action.dest}` | {action.help} | {shown} |")
    return "\n".join(rows)


def catalogue() -> str:
    """Return what a million rows cost, Markdown."""
    data = _result("catalogue")
    names = ("rows", "cores", "wall [s]", "processor [s]", "load at start", "peak memory [MB]",
             "output [MB]")  # fmt: skip
    return "\n".join([f"| {' | '.join(names)} |", "|---" * len(names) + "|",
                      f"| {' | '.join(f'{data[name]:,}' for name in names)} |"])  # fmt: skip


def _result(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


TABLES = {
    "accuracy": accuracy,
    "exact": exact,
    "components": components.markdown,
    "commands": commands,
    "catalogue": catalogue,
}


def rewritten(text: str) -> str:
    """Return a document with the tables between its markers made anew."""
    for name, table in TABLES.items():
        start, end = START.format(name), END.format(name)
        if start in text:
            head, rest = text.split(start, 1)
            tail = rest.split(end, 1)[1]
            text = f"{head}{start}\n{table()}\n{end}{tail}"
    return text


def documents() -> list[Path]:
    """Return the files that may hold tables."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]


def main() -> None:
    """Rewrite the tables of every document."""
    for file in documents():
        text = file.read_text()
        if (new := rewritten(text)) != text:
            file.write_text(new)
            print(f"rewrote {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
