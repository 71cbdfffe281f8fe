"""Which command made each result in ``benchmarks/results``, of which code, and when.

    python -m tools.measured                     what is of today's code, what is older
    python -m tools.measured --run [NAME …]      run the commands, one after the other, and record
    python -m tools.measured --record NAME …     record results that were just made

``benchmarks/results/measured.json`` keeps for each result the revision, the load of the machine and
a digest of the code that was measured. The manual says beside every table which revision it is of
and what has changed since: figures of older code are never shown as those of today's.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools import tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS_FOLDER = ROOT / "benchmarks/results"
RECORD = RESULTS_FOLDER / "measured.json"

EXACT = ("tengri/components", "tengri/forward", "tengri/numerics", "tengri/observation",
         "tengri/parameters", "tengri/priors.py", "tengri/cosmology.py")  # fmt: skip
EMULATED = (*EXACT, "emulator")
TRAINED = (*EMULATED, "train")
FITTED = (*EMULATED, "tengri/inference")


@dataclass(frozen=True)
class Benchmark:
    """How a result is made.

    Attributes
    ----------
    command : str
        As written, from the root of the repository; words in capitals are the user's.
    code : tuple of str
        Files and folders whose code it measures.
    """

    command: str
    code: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether the command runs without anything that only its user has."""
        return not re.search(r"\b[A-Z_]{3,}\b", self.command.partition("--only")[0])


def _benchmark(name: str, code: tuple[str, ...], words: str = "") -> Benchmark:
    return Benchmark(
        f"python benchmarks/{name}.py {words}".strip(), (*code, f"benchmarks/{name}.py")
    )


RESULTS = {
    "ablation": _benchmark("ablation", TRAINED),
    "agn_cost": _benchmark("agn_cost", EXACT),
    "catalogue": _benchmark("catalogue", (*EMULATED, "tengri/catalogue", "tengri/io")),
    "checkouts": _benchmark("checkouts", EXACT, "BEFORE"),
    "first_hour": Benchmark("python -m tools.first_hour", (
        *TRAINED, "tengri/inference", "tengri/cli", "README.md", "tools/first_hour.py")),
    "first_numbers": _benchmark("first_numbers", FITTED, "--galaxies 300"),
    "fits": _benchmark("fits", FITTED),
    "five_minutes": _benchmark("five_minutes", TRAINED),
    "large_grids": _benchmark("large_grids", (*EXACT, "tengri/grids")),
    "memory": _benchmark("memory", TRAINED),
    "photoz": _benchmark("photoz", (*FITTED, "tengri/catalogue"), "CATALOGUE_FOLDER EAZY_FOLDER"),
    "populations": _benchmark(
        "populations", EMULATED, "sdss sdss_nodes lsst_nodes legacy_nodes candels_nodes"),
    "posterior": _benchmark("posterior", FITTED),
    "sbc": _benchmark("sbc", FITTED),
    "soak": _benchmark("soak", EMULATED),
    "spectra": _benchmark("spectra", EMULATED),
    "speed": _benchmark("speed", EMULATED),
    "speed_async": Benchmark(
        "python benchmarks/speed.py --only published --asynchronous "
        "-o benchmarks/results/speed_async.json", (*EMULATED, "benchmarks/speed.py")),
    "surrogates": _benchmark("surrogates", EMULATED, "--kernel sdss --run RUN"),
    "training": _benchmark("training", TRAINED),
    "ways_10m": Benchmark(
        "python benchmarks/ways.py --rows 10000000 --only 'tengri predict, HDF5' "
        "--only pyarrow.dataset --only Dask "
        "-o benchmarks/results/ways_10m.json",
        (*EMULATED, "tengri/catalogue", "tengri/io", "benchmarks/ways.py")),
    "ways": _benchmark("ways", (*EMULATED, "tengri/catalogue", "tengri/io")),
}  # fmt: skip


# --- digests ----------------------------------------------------------------------------------


def _is_code(path: str) -> bool:
    return path.endswith((".py", ".toml"))


@cache
def digest(path: str) -> str:
    """Return the digest of the code of a file or folder as it is now."""
    top = ROOT / path
    files = sorted(top.rglob("*")) if top.is_dir() else [top]
    names = {str(file.relative_to(ROOT)): blob(file.read_bytes())
             for file in files if file.is_file() and _is_code(file.name)}  # fmt: skip
    return _of(names)


def blob(content: bytes) -> str:
    """Return what git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _of(names: dict[str, str]) -> str:
    text = "\n".join(f"{blob} {name}" for name, blob in sorted(names.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def digest_at(revision: str, path: str) -> str:
    """Return the digest that `digest` gave at a revision."""
    listed = _git("ls-tree", "-r", revision, "--", path).splitlines()
    names = {name: line.split()[2] for line, name in (row.split("\t") for row in listed)}
    return _of({name: blob for name, blob in names.items() if _is_code(name)})


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True,
                          text=True).stdout.strip()  # fmt: skip


# --- the record -------------------------------------------------------------------------------


def recorded() -> dict[str, Any]:
    """Return what is known of each result."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def changed(name: str) -> tuple[str, ...] | None:
    """Return the code that has changed since a result was made; None: it is not known of which."""
    entry = recorded().get(name)
    if entry is None or entry["result"] != blob((RESULTS_FOLDER / f"{name}.json").read_bytes()):
        return None
    wanted = RESULTS[name].code
    return tuple(path for path in wanted if entry["code"].get(path) != digest(path))


def record(name: str, revision: str = "", load: float | None = None) -> None:
    """Write down of which code a result is: that of a revision, or what lies here."""
    found = {path: digest_at(revision, path) if revision else digest(path)
             for path in RESULTS[name].code}  # fmt: skip
    head = revision or _git("rev-parse", "HEAD")
    entry = {
        "revision": _git("rev-parse", "--short=9", head),
        "date": _git("log", "-1", "--format=%cs", head) if revision
        else datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load at start": load,
        "result": blob((RESULTS_FOLDER / f"{name}.json").read_bytes()),
        "code": found,
    }  # fmt: skip
    every = {**recorded(), name: entry}
    RECORD.write_text(json.dumps(dict(sorted(every.items())), indent=1) + "\n")


# --- what the manual says -----------------------------------------------------------------------


def note(name: str) -> str:
    """Return the sentence that belongs beside a table of a result."""
    path = f"`benchmarks/results/{name}.json`, `{RESULTS[name].command}`"
    since = changed(name)
    if since is None:
        return f"Of which code {path} is has not been recorded."
    entry = recorded()[name]
    when = f"measured on {entry['date']} at revision {entry['revision']}"
    if not since:
        return f"{path}: {when}; its code is that of today."
    names = ", ".join(f"`{path}`" for path in since)
    return f"{path}: {when}; **not measured again** since changes in {names}."


def annotated(text: str) -> str:
    """Return a page with a note after each table that was measured.

    Raises
    ------
    ValueError
        A table of a result that has no entry in ``RESULTS``.
    """
    for name in tables.TABLES:
        start, end = tables.START.format(name), tables.END.format(name)
        if start not in text or not (results := tables.results_of(name)):
            continue
        if strange := [r for r in results if r not in RESULTS]:
            raise ValueError(f"{strange[0]}.json is shown and has no entry in tools.measured")
        notes = " ".join(note(result) for result in results)
        text = text.replace(end, f"{end}\n\n{notes}\n")
    return text


# --- the command --------------------------------------------------------------------------------


def _run(names: list[str]) -> None:
    for name in names:
        load = os.getloadavg()[0]
        words = shlex.split(RESULTS[name].command)
        print(f"{name}: {RESULTS[name].command} (load {load:.1f})", flush=True)
        subprocess.run([sys.executable, *words[1:]], cwd=ROOT, check=True)
        record(name, load=load)


def main() -> None:
    """List, run or record results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *RESULTS])
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--at", default="", metavar="REVISION", help="whose code was measured")
    args = parser.parse_args()
    made = [name for name in RESULTS if (RESULTS_FOLDER / f"{name}.json").exists()]
    if args.run:
        _run(args.names or [name for name in RESULTS if RESULTS[name].alone])
        return
    for name in args.names if args.record else ():
        record(name, args.at)
    for name in args.names or made:
        print(note(name))


if __name__ == "__main__":
    main()
