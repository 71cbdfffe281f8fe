"""A run of spectra from start to end: decompose, evaluate, write, report, and prove it."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emulator import verification
from emulator.reading import read_any
from emulator.spectral.artefact import SpectralArtefact, write
from emulator.spectral.model import EmulatedSpectrumModel
from emulator.verification import with_checks
from tengri.analysis import accuracy
from tengri.errors import DataError
from tengri.io.seal import tree_sha256
from train import recovery
from train.config import Config
from train.rows import PROOF
from train.runfolder import RunFolder, hardware, versions
from train.spectral import report
from train.spectral.evaluation import (
    CHECK_ROWS,
    SpectralEvaluation,
    draws,
    evaluate,
    judge,
    table,
)
from train.spectral.problem import SpectralProblem

logger = logging.getLogger(__name__)
PROOF_ROWS = 256
#: A re-read surrogate must repeat the percentiles of its proof to this [%].
SAME_PER_CENT = 0.01


def start(config: Config, out: Path, command: str) -> RunFolder:
    """Make the folder of a run of spectra: the configuration is checked first."""
    problem = SpectralProblem.build(config)
    return RunFolder.create(out, problem.config, command)


def run(folder: RunFolder) -> int:
    """Make the surrogate of a run, or prove a finished one; return the exit code.

    The caller holds the lock of the folder. An interrupted one begins anew: it takes minutes.
    """
    problem = SpectralProblem.build(folder.config())
    if folder.done() is None:
        finish(problem, folder)
    return prove(problem, folder)


def finish(problem: SpectralProblem, folder: RunFolder) -> None:
    """Decompose, evaluate, write and report."""
    logger.info("; ".join(problem.words))
    begin = time.monotonic()
    bare = problem.bare(problem.compressed())
    training = {
        "seed": problem.config.run.seed,
        "rows": 0,
        "steps": 0,
        "seconds": round(time.monotonic() - begin, 1),
        "hardware": hardware(),
        "command": folder.header()["command"],
        "config": folder.header()["config"],
        "versions": versions(),
        "exact_model": f"SEDModel on {bare.grids[0].name}",
        **folder.stamp(),
    }
    rows, seed = problem.config.run.evaluation_rows, problem.config.run.seed
    logger.info(f"evaluating on {rows} fresh draws against float64 …")
    artefact, found = judged(
        problem, replace(bare, training=training), folder.path.name, rows, seed
    )
    digest = write(folder.artefact, artefact)
    report.write(folder.report, folder.path.name, artefact, found)
    folder.write_done({
        "sha256": digest, "pooled": found.tables["pooled"], "verdict": found.tables["verdict"],
        "proof": proof(problem, EmulatedSpectrumModel(artefact)),
        "report": tree_sha256(folder.report), **folder.stamp(),
    })  # fmt: skip
    logger.info(report.spectra_text(found.tables))
    logger.info(accuracy.table_text(found.tables))


def judged(
    problem: SpectralProblem, artefact: SpectralArtefact, name: str, rows: int, seed: int
) -> tuple[SpectralArtefact, SpectralEvaluation]:
    """Return an artefact with its tables, error bars, card and check pairs."""
    found = evaluate(problem, artefact, rows, seed)
    artefact = replace(artefact, accuracy=found.tables, errors=found.errors, checks={})
    artefact = replace(artefact, card=report.card(artefact, name))
    first = found.parts[0]
    checks = {name: np.asarray(v[:CHECK_ROWS]) for name, v in first.params.items()}
    return with_checks(artefact, checks, first.exact[:CHECK_ROWS]), found


def proof(problem: SpectralProblem, model: EmulatedSpectrumModel) -> dict[str, float]:
    """Return errors of pixels [%] through public methods, on draws of their own."""
    params = draws(problem.spec, problem.config.run.seed + PROOF, PROOF_ROWS)
    error = table(judge("proof", model, model.exact_model(problem.grids[0]), params).error)
    return {q: error[q] for q in ("p50", "p95", "p99")}


def prove(problem: SpectralProblem, folder: RunFolder) -> int:
    """Re-read, re-hash and re-evaluate the finished artefact.

    Raises
    ------
    DataError
        The file is not the one that was finished, or does not repeat its numbers.
    """
    done: dict[str, Any] | None = folder.done()
    if done is None:
        raise DataError(f"{folder.path} is not finished: tengri resume {folder.path}")
    verified = verification.verify(folder.artefact)
    if wrong := recovery.artefact_problem(folder.path) or recovery.report_problem(folder.path):
        raise DataError(wrong)
    artefact = read_any(folder.artefact)
    assert isinstance(artefact, SpectralArtefact)
    for name, now in proof(problem, EmulatedSpectrumModel(artefact)).items():
        value = done["proof"].get(name, math.nan)
        if not abs(now - value) <= SAME_PER_CENT + 0.02 * value:
            raise DataError(
                f"{folder.artefact}: pixels are off by {now:.3f} % at {name} on re-evaluation, "
                f"they were by {value:.3f} %."
            )
    logger.info(accuracy.VERDICTS[done["verdict"]])
    logger.info(f"verified: {folder.artefact} (sha256 {verified.sha256[:16]}…)")
    logger.info(f"report:   {folder.report / 'report.html'}")
    return 0
