"""The tables of README and docs, written from the committed JSON files and the registries.

python -m tools.tables            rewrite them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tengri.__main__ import build_parser
from tengri.cli import components
from tools import catalogue_tables

ROOT = Path(__file__).resolve().parents[1]
LEVELS = ("68", "95", "99")
QUANTILES = ("p50", "p68", "p95", "p99", "p99.9")
PER_MINUTE = "usable per minute of two cores' processor time"
START, END = "<!-- {}: written by python -m tools.tables -->", "<!-- end of {} -->"


def accuracy() -> str:
    """Return the accuracy of the published surrogates, Markdown."""
    rows = ["| surrogate | bands | z | 50 % | 68 % | 95 % | 99 % | 99.9 % | trained in |",
            "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for file in sorted(ROOT.glob("checkpoints/*/report.json")):
        report = json.loads(file.read_text())
        pooled, training = report["accuracy"]["pooled"], report["training"]
        z = _redshifts(training)
        errors = " | ".join(f"{pooled[q]:.2f}" for q in QUANTILES)
        time = f"{training['seconds'] / 60:.0f} min, {_device(training['hardware'])}"
        if training["config"]["run"].get("start"):
            time += ", from the weights of an earlier one"
        n_bands = len(report["accuracy"]["bands"])
        rows.append(f"| `{file.parent.name}` | {n_bands} | {z} | {errors} | {time} |")
    return "\n".join(rows)


def _device(hardware: str) -> str:
    """Return what it was trained on, from the words of `train.runfolder.hardware`."""
    device, cores, _ = hardware.split(", ")
    return cores if "(cpu)" in device else device.partition(" × ")[2].rpartition(" (")[0]


def _redshifts(training: dict[str, Any]) -> str:
    lo, hi = training["config"]["model"]["parameters"]["redshift"]
    return f"{lo:g}–{hi:g}"


def rivals() -> str:
    """Return accuracy and throughput of surrogates and their rivals, Markdown."""
    heads = ["", *(f"{q[1:]} %" for q in QUANTILES), "galaxies/s", "trained for"]
    rows = _head(heads)
    for name, r in _result("surrogates")["contenders"].items():
        errors = " | ".join(f"{r[q]:.2f}" if q in r else "–" for q in QUANTILES)
        time = f"{r['seconds'] / 60:.0f} min" if "seconds" in r else "–"
        rows.append(f"| {name} | {errors} | {1e6 / r['us_per_galaxy']:,.0f} | {time} |")
    return "\n".join(rows)


def populations() -> str:
    """Return the errors of surrogates on galaxies that people have, Markdown."""
    inside = [f"inside {level} %" for level in LEVELS]
    heads = ["50 %", "95 %", "99 %", "99.9 %", "worst", *inside, "χ² per band"]
    rows = _head(["", "", *heads])
    for surrogate, found in _result("populations")["surrogates"].items():
        for name, r in found["populations"].items():
            if r is None:
                rows.append(f"| `{surrogate}` | {name} | no answer |{' – |' * (len(heads) - 1)}")
                continue
            errors = " | ".join(f"{r[q]:.2f}" for q in ("p50", "p95", "p99", "p99.9", "p100"))
            bars = " | ".join(_spread(r["inside"][level], 100.0, ".0f") for level in LEVELS)
            chi2 = _spread(r["chi2"], 1.0, ".1f")
            rows.append(f"| `{surrogate}` | {name} | {errors} | {bars} | {chi2} |")
    return "\n".join(rows)


def _spread(found: dict[str, float], scale: float, form: str) -> str:
    """Return a mean with its least and most of the tenths of the redshift."""
    mean, least, most = (f"{scale * found[k]:{form}}" for k in ("all", "least", "most"))
    return f"{mean} ({least}–{most})"


def slopes() -> str:
    """Return the errors of first and second derivatives of surrogates, Markdown."""
    rows = _head(["", "in", "slope", "right sign", "second derivative"])
    for surrogate, found in _result("populations")["surrogates"].items():
        for name, r in found.get("slopes", {}).items():
            rows.append(f"| `{surrogate}` | `{name}` | {100 * r['slope']:.2g} % | "
                        f"{100 * r['sign']:.2f} % | {100 * r['curvature']:.2g} % |")  # fmt: skip
    return "\n".join(rows)


def spectra() -> str:
    """Return the errors of pixels and bands of the surrogate of spectra, Markdown."""
    record = _result("spectra")
    pixels = ("pixels [%]: 50 %", "99 %", "99.9 %", "worst")
    rows = _head(["", *pixels, "bands [mmag]: 50 %", "99 %"])
    for name, found in record["populations"].items():
        of_pixels, bands = found["pixels"], found["bands_mmag"]
        shown = [f"{of_pixels[q]:.3f}" for q in ("p50", "p99", "p99.9", "p100")]
        shown += [f"{bands[q]:.2f}" for q in ("p50", "p99")]
        rows.append(f"| {name} | {' | '.join(shown)} |")
    for name, errors in record["lines"].items():
        shown = [f"{errors[q]:.3f}" for q in ("p50", "p99", "p99.9", "p100")]
        rows.append(f"| lines: {name} | {' | '.join(shown)} | – | – |")
    return "\n".join(rows)


def spectra_cost() -> str:
    """Return what a spectrum costs, exact and emulated, Markdown."""
    rows = _head(["µs of processor time", "wavelengths", "exact", "emulated", "ratio"])
    for grid, found in _result("spectra")["cost"].items():
        for what in ("rest", "bands"):
            name = "spectrum at rest" if what == "rest" else f"{found['n_bands']} bands"
            cells = " | ".join(f"{found[what][m]:.3g}" for m in ("exact", "emulated"))
            rows.append(f"| {grid}: {name} | {found['wavelengths']} | {cells} | "
                        f"{found[what]['ratio']:.1f} × |")  # fmt: skip
    peer = _result("spectra")["bagpipes"]
    rows.append(f"| bagpipes, spectrum | {peer['wavelengths']} | {peer['us']:.3g} | – | – |")
    return "\n".join(rows)


def spectra_full() -> str:
    """Return what the exact model costs on a grid of all wavelengths, Markdown."""
    found = _result("spectra")["full"]
    keys = {"populations": "populations", "wavelengths": "wavelengths", "load_s": "loading [s]",
            "first_spectrum_s": "first spectrum [s]", "first_batch_s": "first batch of 256 [s]",
            "us": "later, each [µs]", "memory_mib": "memory [MiB]"}  # fmt: skip
    cells = (f"{found[key]:.3g}" if isinstance(found[key], float) else found[key] for key in keys)
    return "\n".join([*_head(list(keys.values())), f"| {' | '.join(map(str, cells))} |"])


def spectra_published() -> str:
    """Return what other emulators of spectra publish, Markdown."""
    rows = _head(["", "faster than FSPS", "error", "paper"])
    for name, said in _result("spectra")["published"].items():
        rows.append(f"| {name} | {said['faster']} | {said['error']} | {said['paper']} |")
    return "\n".join(rows)


def training() -> str:
    """Return where the time of a training goes, Markdown."""
    trainings = _result("training")["trainings"]
    parts = list(next(iter(trainings.values()))["shares"])
    rows = _head(["share of the time", *(f"`{name}`" for name in trainings)])
    for part in parts:
        cells = (f"{100 * t['shares'][part]:.1f} %" for t in trainings.values())
        rows.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(rows)


def speed() -> str:
    """Return what a galaxy costs in every code and call, Markdown."""
    grids = _result("speed")["grids"]
    columns = [(grid, name) for grid in grids for name in ("float32", "float64")]
    rows = _head(["µs per galaxy", *(f"{_shape(grids[g])}, {name}" for g, name in columns)])
    first = next(iter(grids.values()))["float32"]
    for contender in first["contenders"]:
        if contender == "matrix product":
            continue
        costs = (grids[g][x]["contenders"][contender]["us_per_galaxy"] for g, x in columns)
        rows.append(f"| {contender} | {' | '.join(f'{cost:.3g}' for cost in costs)} |")
    for ratio in first["ratios"]:
        cells = (grids[g][x]["ratios"][ratio] for g, x in columns)
        rows.append(f"| **{ratio}** | {' | '.join(f'**{c:.3g} ×**' for c in cells)} |")
    return "\n".join(rows)


def speed_in_short() -> str:
    """Return how many times faster than the peers, on the embedded grid, Markdown."""
    both = _result("speed")["grids"]["embedded"]
    rows = _head(["", "float32", "float64"])
    for name in ("exact, batch", "exact, batch, one redshift", "surrogate, kernel, batch",
                 "surrogate, end-to-end, batch", "DSPS", "bagpipes"):  # fmt: skip
        cells = (both[x]["contenders"][name]["us_per_galaxy"] for x in ("float32", "float64"))
        rows.append(f"| {name} [µs/galaxy] | {' | '.join(f'{c:.3g}' for c in cells)} |")
    for name, value in both["float32"]["ratios"].items():
        rows.append(f"| {name} | {value:.3g} × | {both['float64']['ratios'][name]:.3g} × |")
    return "\n".join(rows)


def in_short() -> str:
    """Return accuracy and speed in six lines, Markdown."""
    speed, errors = _result("speed"), _result("populations")["surrogates"]
    both = speed["grids"]["embedded"]["float32"]
    cost = {name: row["us_per_galaxy"] for name, row in both["contenders"].items()}
    times, sdss, table = both["ratios"], errors["sdss"], errors["sdss_nodes"]
    first = {row["what"]: row["seconds"] for row in _result("first_numbers")["rows"]}
    rate = {name: row["galaxies_per_s"] for name, row in speed["published"].items()}

    def mmag(found: dict[str, Any], population: str) -> str:
        row = found["populations"][population]
        return f"{row['p50']:.2g} mmag in the median, {row['p99']:.2g} at 99 %"

    worst = max(row["p100"] for row in table["populations"].values())
    return "\n".join([
        f"- **Exact model**: {cost['exact, batch']:.0f} µs a galaxy in batches (SDSS, free "
        f"redshift), {times['exact vs. DSPS']:.0f} × less than DSPS and "
        f"{times['exact vs. bagpipes']:.0f} × less than bagpipes for the same work.",
        "- **`sdss_nodes`**, a table for any dust law and history: "
        f"{mmag(table, 'smooth')} of ordinary galaxies; {mmag(table, 'young')} of stars of a few "
        "Myr; the worst of all tried "
        f"{worst:.0f} mmag; {rate['sdss_nodes']:,.0f} galaxies a second.",
        f"- **`sdss`**, a network: {mmag(sdss, 'smooth')}; {mmag(sdss, 'young')} of stars of a few "
        f"Myr; {rate['sdss']:,.0f} galaxies a second.",
        f"- **Single calls**: {cost['exact, single call']:.0f} µs exact, "
        f"{cost['surrogate, kernel, single call']:.0f} µs emulated; surrogates pay in batches and "
        "chains.",
        f"- **First number**: {first['cold, exact, call']:.1f} s exact, "
        f"{first['cold, sdss, call']:.1f} s emulated, for compiling.",
        "- **On a GPU**: trained there, speed not measured.",
    ])  # fmt: skip


def bands() -> str:
    """Return what the exact model costs in many bands, Markdown."""
    costs = _result("checkouts")["us"]
    rows = _head(["exact, batch [µs/galaxy]", "float32", "float64"])
    for name in ("LSST", "25 bands", "25 bands, dust emission"):
        cells = (costs[f"{x}: exact, {name}"]["after"] for x in ("float32", "float64"))
        rows.append(f"| {name} | {' | '.join(f'{c:.3g}' for c in cells)} |")
    return "\n".join(rows)


def notebook() -> str:
    """Return the notebook's sweep in a batch and in a loop, Markdown."""
    rows = _head(["sweep of 256 metallicities", "one batch [ms]", "loop [ms]", "ratio"])
    for name, r in _result("speed")["notebook"].items():
        rows.append(f"| {name} | {r['batch_ms']:.3g} | {r['loop_ms']:.3g} | {r['ratio']:.3g} × |")
    return "\n".join(rows)


def throughput() -> str:
    """Return what every published surrogate costs, Markdown."""
    rows = _head(["surrogate", "bands", "galaxies/s", "gradient over forward", "in jit",
                  "single call [µs]", "dispatched [µs]"])  # fmt: skip
    dispatched = _result("speed_async")["published"]
    for name, r in _result("speed")["published"].items():
        cells = (f"{r['galaxies_per_s']:,.0f}", f"{r['gradient_over_forward']:.1f} ×",
                 f"{r['gradient_over_forward_in_jit']:.1f} ×",
                 f"{r['single_call_us']:.0f}",
                 f"{dispatched[name]['single_call_us']:.0f}")  # fmt: skip
        rows.append(f"| `{name}` | {r['bands']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def roofline() -> str:
    """Return work per galaxy and the share of the matrix-product peak, Markdown."""
    rows = _head(["", "FLOP in matrix products", "FLOP in all", "bytes", "share of the peak"])
    for name in ("float32", "float64"):
        result = _result("speed")["grids"]["embedded"][name]
        for what, r in result["roofline"].items():
            rows.append(f"| {what}, {name} | {r['matrix_flop']:.3g} | {r['flop']:.3g} "
                        f"| {r['bytes']:.3g} | {100 * r['share_of_peak']:.0f} % |")  # fmt: skip
    return "\n".join(rows)


def precision() -> str:
    """Return the relative error of the exact model in float32, Markdown."""
    cases = _result("speed")["precision"]
    rows = _head(["relative error of a band's flux", *next(iter(cases.values()))])
    return "\n".join(rows + [f"| {name} | {' | '.join(f'{v:.1e}' for v in row.values())} |"
                             for name, row in cases.items()])  # fmt: skip


def large() -> str:
    """Return throughput and memory of large batches, Markdown."""
    rows = _head(["galaxies", "µs per galaxy", "peak memory of the process [MB]"])
    for n, r in _result("speed")["large"].items():
        memory = r["peak_memory_mb_of_the_process_so_far"]
        rows.append(f"| {int(n):,} | {r['us_per_galaxy']:.3g} | {memory:.0f} |")
    return "\n".join(rows)


def first_numbers() -> str:
    """Return the seconds until a first number, cold and from the compilation cache, Markdown."""
    record = _result("first_numbers")
    seconds = {row["what"]: row["seconds"] for row in record["rows"]}
    columns = [(kind, how) for kind in ("exact", "sdss") for how in ("cold", "warm")]
    rows = _head(["seconds", *(f"`{k}`, {h}" if k == "sdss" else f"{k}, {h}" for k, h in columns)])
    for kind in ("exact", "sdss"):
        seconds[f"cold, {kind}, compiled well"] = seconds.pop(f"well, {kind}, call")
        seconds[f"cold, {kind}, older NUTS"] = seconds.pop(f"older, {kind}, NUTS")
    tasks = dict.fromkeys(name.split(", ", 2)[2] for name in seconds if name.count(", ") > 1)
    for task in tasks:
        cells = [seconds.get(f"{how}, {kind}, {task}") for kind, how in columns]
        if any(cell is not None for cell in cells):
            shown = " | ".join("–" if cell is None else f"{cell:.3g}" for cell in cells)
            rows.append(f"| {_first_number(task, record)} | {shown} |")
    if bagpipes := seconds.get("cold, bagpipes, galaxies"):
        rows += [
            "",
            f"bagpipes takes {bagpipes:.3g} seconds for its {record['galaxies']} galaxies.",
        ]
    return "\n".join(rows)


def _first_number(task: str, record: dict[str, Any]) -> str:
    """Return what was asked for, in words."""
    *second, asked = task.split(", ")
    words = {"call": "one galaxy", "batch": f"a batch of {record['batch']}",
             "gradient": "gradient of one galaxy",
             "compiled well": "one galaxy, compiled as `jax.jit` does", "NUTS": "NUTS, compiled",
             "older NUTS": "NUTS, compiled by the older compiler of loops",
             "galaxies": f"{record['galaxies']} galaxies, a model and a redshift each"}  # fmt: skip
    return f"second model, {second[0]}: {words[asked]}" if second else words[asked]


def _head(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]


def _shape(both: dict[str, Any]) -> str:
    shape = both["float32"]["shape"]
    return f"{shape['ages']} × {shape['wavelengths']}"


def commands() -> str:
    """Return every command with what it does and an example, Markdown."""
    _, known = build_parser()
    rows = ["| command | what it does | example |", "|---|---|---|"]
    # argparse has no other way to the help of a command
    actions = known._choices_actions  # noqa: SLF001
    for action in sorted(actions, key=lambda a: a.dest):
        example = str(known.choices[action.dest].epilog).partition(": ")[2].replace("|", "\\|")
        shown = "<br>".join(f"`{part.strip()}`" for part in example.split(";"))
        rows.append(f"| `{action.dest}` | {action.help} | {shown} |")
    return "\n".join(rows)


def posterior() -> str:
    """Return how far posteriors of exact and emulated model are apart, Markdown."""
    data = _result("posterior")
    fits = {name: fit for name, fit in data.items() if isinstance(fit, dict)}
    cases = {f"{name}, {ratio}": fit[ratio] for name, fit in fits.items()
             for ratio in fit if ratio != "time"}  # fmt: skip
    names = list(next(iter(cases.values())))
    rows = [f"| | {' | '.join(cases)} |", "|---" * (len(cases) + 1) + "|"]
    for name in names:
        rows.append(f"| {name} | {' | '.join(_short(case[name]) for case in cases.values())} |")
    load = f"load of the machine {data['load at start']:.1f}"
    times = ["", f"| time of one chain, {load} | exact | emulated |", "|---|---|---|"]
    for name, fit in fits.items():
        for what in fit.get("time", {}).get("exact", ()):
            shown = (_short(fit["time"][kind][what]) for kind in ("exact", "emulated"))
            times.append(f"| {name}: {what} | {' | '.join(shown)} |")
    return "\n".join(rows + times)


def fits() -> str:
    """Return how quick fits of catalogues are and how well calibrated, Markdown."""
    rows = _head(["mocks", "free", "bands", "galaxies", "usable", "usable a minute",
                  "compiled in [s of processor]", "effective draws (median)",
                  "inside 68 %", "KS p × parameters"])  # fmt: skip
    for name, r in _result("fits").items():
        found = r["calibration of the usable"]
        cells = (str(r["free parameters"]), str(r["bands"]), f"{r['galaxies']:,}",
                 f"{100 * r['usable'] / r['galaxies']:.1f} %",
                 f"{r[PER_MINUTE]:,}",
                 "–" if r["from a compilation cache"] else f"{r['the same, processor [s]']:.0f}",
                 f"{r['effective draws, 5/50/95 %'][1]:.0f}",
                 f"{100 * found['inside 68 %, pooled']:.1f} %",
                 f"{found['least KS p times parameters']:.2g}")  # fmt: skip
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def sbc() -> str:
    """Return how well fits of mocks are calibrated, Markdown."""
    rows = _head(["mocks", "method", "galaxies", "usable", "inside 68 %", "of the parameters",
                  "inside 95 %", "KS p × parameters", "all mocks: inside 68 %"])  # fmt: skip
    for name, r in _result("sbc").items():
        usable, every = r["usable ones"], r["all"]
        inside = [100 * parameter["68 %"] for parameter in usable["parameters"].values()]
        mean, error = (100 * x for x in usable["all parameters, ±"]["68 %"])
        cells = (r["method"], f"{r['galaxies']:,}", f"{100 * r['usable'] / r['galaxies']:.1f} %",
                 f"{mean:.1f} ± {error:.1f} %", f"{min(inside):.1f}–{max(inside):.1f} %",
                 f"{100 * usable['all parameters, ±']['95 %'][0]:.1f} %",
                 f"{usable['least KS p times parameters']:.2g}",
                 f"{100 * every['all parameters, ±']['68 %'][0]:.1f} %")  # fmt: skip
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def catalogue() -> str:
    """Return what a row of a catalogue costs, Markdown."""
    return catalogue_tables.cost(_result("catalogue"))


def catalogue_parts() -> str:
    """Return the processor time of each part of a prediction, Markdown."""
    return catalogue_tables.parts(_result("catalogue"))


def ways_10m() -> str:
    """Return what ten times as many rows cost, Markdown."""
    return catalogue_tables.ways(_result("ways_10m"))


def ways() -> str:
    """Return what each way through existing engines costs, Markdown."""
    return catalogue_tables.ways(_result("ways"))


def cost_model() -> str:
    """Return processor hours and disk for large catalogues, Markdown."""
    return catalogue_tables.cost_model(_result("catalogue"), _result("ways_10m"))


def memory() -> str:
    """Return what a first prediction and one model more take, Markdown."""
    return catalogue_tables.memory(_result("memory"))


#: Promise, and the files ``tests/faults/test_….py`` that hold it.
PROMISES = {
    "a kill at any instant loses at most the work since the last save": ("kill",),
    "a resumed run ends with the bits of one that never stopped": ("resume",),
    "every flipped bit and truncation is found and named, the last good copy serves":
        ("bits", "verify"),
    "a NaN is never saved and evicts nothing": ("nan",),
    "a full disk or read-only folder is one clear error, what was saved stays": ("disk",),
    "one signal: step finished, saved, verified; two: exit at once, still resumable": ("signals",),
    "two processes never work on one run; a dead one locks nobody out": ("lock",),
    "runs and data sets of every format are read, newer ones refused": ("golden_runs",),
    "exit code 0 only after the artefact was read, verified and evaluated again": ("exit",),
    "one data set from 1, 2 and 8 workers, in any order": ("workers",),
    "a file that was copied in from another run is named, however well it fits": ("identity",),
    "what was acknowledged survives a power cut, and none leaves half a content": ("power",),
    "foreign files run nothing and fill no memory": ("hostile", "limits"),
    "a catalogue of any structure is read, or refused with file and column": ("tables",),
    "any standard stream ends in an exit code, what a file says steers no terminal": ("streams",),
    "any bytes, contents and words end in a result or one clear error": ("fuzz",),
    "whatever lies where a file is expected, a read ends soon and in one line": ("strange_files",),
    "files that change while they are read, clocks that go backwards: nothing is spoilt":
        ("meanwhile",),
    "one of several processes of a training that dies costs the work since the last save":
        ("distributed",),
    "read-only, full or missing surroundings: it works, or one line": ("surroundings",),
    "a signature that is not its owner's is refused": ("signature",),
}  # fmt: skip


def reliability() -> str:
    """Return promise, tests, faults injected and what became of them, Markdown.

    Of what `tests.faults.record` has counted.
    """
    faults, kills, distributed = (
        json.loads((ROOT / f"tests/faults/results/{name}.json").read_text())
        for name in ("faults", "kills", "distributed")
    )
    fates = ("lost", "silent", "unclear")
    found = [(promise, ", ".join(f"`test_{file}.py`" for file in files),
              sum(sum(faults[file]["faults"].values()) for file in files),
              *(sum(faults[file][fate] for file in files) for fate in fates))
             for promise, files in PROMISES.items() if set(files) <= set(faults)]  # fmt: skip
    for what, script, record in (("kills, run after run to the end", "stress", kills),
                                 ("one of two processes of a training killed, both resumed",
                                  "distributed", distributed)):  # fmt: skip
        phases = ", ".join(f"{phase} {n}" for phase, n in record["phases"].items())
        found.append((f"{what}: {phases}", f"`{script}.py`", record["kills"], record["lost"], 0, 0))
    every = [sum(row[i] for row in found) for i in range(2, 6)]  # type: ignore[misc]
    rows = _head(["promise", "tests/faults/", "faults injected", *fates])
    for first, second, *numbers in [*found, ("**all**", "", *every)]:
        rows.append(f"| {first} | {second} | {' | '.join(f'{n:,}' for n in numbers)} |")
    return "\n".join(rows)


def soak() -> str:
    """Return the memory of processes that go on and on, Markdown."""
    rows = _head(["", "asked for", "done", "memory, first to last [MB]", "least … most [MB]",
                  "growth", "programs compiled meanwhile"])  # fmt: skip
    for name, r in _result("soak")["soaks"].items():
        memory, unit = r["memory [MB]"], " s" if name.startswith("training") else ""
        cells = (f"{r['number']:,}{unit}", f"{r.get('reached', r['number']):,}{unit}",
                 f"{memory[0]:.0f} → {memory[-1]:.0f}", f"{min(memory):.0f} … {max(memory):.0f}",
                 f"{r['growth [%]']:+.1f} %",
                 str(r.get("programs after the warm-up", "–")))  # fmt: skip
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def ablation() -> str:
    """Return what each choice of the training is worth, Markdown."""
    rows = _head(["", "steps", *(f"{q[1:]} %" for q in QUANTILES), "99 %, each seed"])
    for name, r in _result("ablation")["choices"].items():
        errors = " | ".join(f"{r[q]:.2f}" for q in QUANTILES)
        seeds = ", ".join(f"{run['p99']:.2f}" for run in r["seeds"])
        rows.append(f"| {name} | {r['steps']:,} | {errors} | {seeds} |")
    return "\n".join(rows)


#: Results that were read since `results_of` asked.
_READ: list[str] = []


def _result(name: str) -> dict[str, Any]:
    _READ.append(name)
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


TABLES = {
    "accuracy": accuracy,
    "populations": populations,
    "slopes": slopes,
    "spectra": spectra,
    "spectra cost": spectra_cost,
    "spectra full": spectra_full,
    "spectra published": spectra_published,
    "rivals": rivals,
    "training": training,
    "ablation": ablation,
    "speed": speed,
    "in short": in_short,
    "bands": bands,
    "speed in short": speed_in_short,
    "precision": precision,
    "notebook": notebook,
    "throughput": throughput,
    "roofline": roofline,
    "large": large,
    "components": components.markdown,
    "commands": commands,
    "catalogue": catalogue,
    "catalogue parts": catalogue_parts,
    "ways": ways,
    "ways of ten million": ways_10m,
    "cost model": cost_model,
    "memory": memory,
    "fits": fits,
    "sbc": sbc,
    "first numbers": first_numbers,
    "reliability": reliability,
    "soak": soak,
    "posterior": posterior,
}


def results_of(name: str) -> list[str]:
    """Return the results in ``benchmarks/results`` that a table is made of, in order."""
    _READ.clear()
    TABLES[name]()
    return list(dict.fromkeys(_READ))


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
