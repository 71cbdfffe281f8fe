"""Publish a finished run: measure it on many fresh draws, and put it where ``load`` finds it.

    python -m tools.publish runs/sdss_ssp sdss --rows 120000

writes ``checkpoints/sdss/{surrogate.h5, card.md, report.json}``. The draws are none of those that
the run has seen; the error bars are calibrated and tested on them. A published name in the place of
the run judges that surrogate anew.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from emulator import published, verification
from emulator.artefact import Artefact, read, write
from emulator.reading import read_any
from emulator.spectral.artefact import SpectralArtefact
from emulator.spectral.artefact import write as write_spectra
from emulator.surrogate import EmulatedSEDModel
from emulator.verification import with_checks
from tengri.io import atomic
from tengri.io.jsonable import jsonable
from train import evaluate, report
from train.config import Config, from_dict
from train.error_fit import with_conditional_errors
from train.problem import Problem
from train.runfolder import RunFolder, is_run
from train.spectral import pipeline
from train.spectral import report as spectral_report
from train.spectral.problem import SpectralProblem, is_spectral

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"
#: GitHub and PyPI frown on larger files.
MOST_BYTES = 10 * 2**20


def publish(run: Path, name: str, rows: int, timing_rows: int) -> Path:
    """Evaluate the artefact of a run afresh and write it under ``checkpoints/name``.

    Parameters
    ----------
    run : path
        A finished run folder, or the name of a published surrogate of bands.
    name : str
        Of the published surrogate.
    rows : int
        Fresh draws.
    timing_rows : int
        Largest batch of the throughput table; 0 leaves it out.

    Returns
    -------
    Path
        The folder.
    """
    if not is_run(run):
        known = read(published.resolve(run))
        config, command = from_dict(known.training["config"]), known.training["command"]
        return _publish_bands(known, config, command, name, rows, timing_rows)
    folder = RunFolder.open(run)
    config = folder.config()
    if is_spectral(config):
        return _publish_spectra(folder, name, rows)
    trained, command = read(folder.artefact), command_of(folder)
    return _publish_bands(trained, config, command, name, rows, timing_rows)


def _publish_bands(
    trained: Artefact, config: Config, command: str, name: str, rows: int, timing_rows: int
) -> Path:
    """Write a surrogate of bands, judged afresh, under ``checkpoints/name``."""
    sized = replace(config.run, evaluation_rows=rows, seed=config.run.seed + PUBLISHED)
    problem = Problem.build(replace(config, run=sized))
    params = jax.tree.map(jax.numpy.asarray, trained.params)
    result = evaluate.evaluate(problem, params, trained.out_scaling)
    bare = replace(trained, accuracy=result.tables, error_bars=result.error_bars,
                   error_bars_z=result.error_bars_z, covariance=result.covariance, checks={},
                   training={**trained.training, "command": command})  # fmt: skip
    bare = with_conditional_errors(bare, result, config.run.populations, POPULATION_ROWS)
    bare = replace(bare, card=report.model_card(bare, name=name))
    galaxies = result.held_out.parts[0]
    checks = {k: v[: evaluate.CHECK_ROWS] for k, v in galaxies.params.items()}
    artefact = with_checks(bare, checks, galaxies.maggies[: evaluate.CHECK_ROWS])
    return _write(ROOT / name, artefact, result, problem, timing_rows)


def _publish_spectra(folder: RunFolder, name: str, rows: int) -> Path:
    """Write a surrogate of spectra, judged afresh, under ``checkpoints/name``."""
    config = folder.config()
    problem = SpectralProblem.build(config)
    trained = read_any(folder.artefact)
    assert isinstance(trained, SpectralArtefact)
    training = {**trained.training, "command": command_of(folder)}
    artefact, _ = pipeline.judged(
        problem, replace(trained, training=training), name, rows, config.run.seed + PUBLISHED
    )
    out = ROOT / name
    out.mkdir(parents=True, exist_ok=True)
    write_spectra(out / "surrogate.h5", artefact)
    verification.verify(out / "surrogate.h5")
    numbers = spectral_report.numbers(artefact)
    atomic.write_text(out / "report.json", json.dumps(jsonable(numbers), indent=1) + "\n")
    atomic.write_text(out / "card.md", artefact.card)
    return out


#: Galaxies of each population that calibrate error bars.
POPULATION_ROWS = 12_000
#: Added to the seed of the run, so that it is judged on draws that it has never seen.
PUBLISHED = 7_000_003


def command_of(folder: RunFolder) -> str:
    """Return the command that made the run, without where it put it."""
    words = shlex.split(str(folder.header()["command"]))
    if "--out" in words:
        at = words.index("--out")
        del words[at : at + 2]
    return shlex.join(words)


def _write(
    out: Path, artefact: Artefact, result: evaluate.Evaluation, problem: Problem, timing_rows: int
) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    write(out / "surrogate.h5", artefact)
    size = (out / "surrogate.h5").stat().st_size
    if size > MOST_BYTES:
        print(f"warning: {out / 'surrogate.h5'} has {size / 2**20:.1f} MiB")
    verification.verify(out / "surrogate.h5")
    surrogate = EmulatedSEDModel(artefact)
    speed = evaluate.throughput(problem.model, surrogate, timing_rows)
    numbers: dict[str, Any] = {
        "accuracy": result.tables, "speed": speed, "training": artefact.training,
        "error_bars_mag": result.error_bars, "covariance_mag2": result.covariance,
    }  # fmt: skip
    atomic.write_text(out / "report.json", json.dumps(jsonable(numbers), indent=1) + "\n")
    atomic.write_text(out / "card.md", artefact.card)
    return out


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--timing-rows", type=int, default=100_000)
    args = parser.parse_args()
    print(publish(args.run, args.name, args.rows, args.timing_rows))


if __name__ == "__main__":
    main()
