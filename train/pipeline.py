"""A run from start to end: train, evaluate, write the artefact, report, and prove it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from emulator import verification
from emulator.artefact import Artefact, read, ssp_info, write
from emulator.history import cosmology_to_dict
from emulator.surrogate import EmulatedSEDModel
from emulator.verification import with_checks
from tengri.analysis import accuracy
from tengri.errors import ConfigError, DataError
from tengri.io.lock import Lock
from tengri.io.seal import tree_sha256
from train import advice, devices, evaluate, extension, recovery, report, sensitivity, tabulation
from train.allowance import Allowance, kept_seconds
from train.config import Config, parse_until
from train.dataset import with_physics_of
from train.error_fit import with_conditional_errors
from train.evaluate import Evaluation
from train.loop import Loop, Trained
from train.memory import give_back
from train.problem import Problem
from train.rows import PROOF
from train.runfolder import RunFolder, hardware, is_run, versions
from train.signals import Signals, Stopped
from train.spectral import pipeline as spectral
from train.spectral.problem import is_spectral

logger = logging.getLogger(__name__)
PROOF_ROWS = 1024
#: What the report and the proof take: timing both models leaves it to them.
REPORT_SECONDS = 12.0
#: The surrogate in the file must repeat the magnitudes of the one in memory to this [mag].
SAME_MAG = 2e-4


def start(config: Config, out: Path, command: str) -> int:
    """Train a configuration in a new folder; return the exit code."""
    if is_spectral(config):
        if jax.process_count() > 1:
            raise ConfigError("Surrogates of spectra are made by one process, not by several.")
        spectral.start(config, out, command)
        with _held(out):
            return spectral.run(RunFolder.open(out))
    if config.data.source == "stored":
        config = with_physics_of(Path(config.data.path), config)
    problem = Problem.build(config)  # a configuration that cannot work leaves no folder behind
    if config.data.source != "stored" and not problem.target.tabulated:
        sensitivity.check_inputs(problem)
    if devices.is_first():
        RunFolder.create(out, problem.config, command)
    devices.wait("run folder")
    with _held(out):
        return _train(problem, RunFolder.open(out))


def resume(path: Path, overrides: Sequence[str] = ()) -> int:
    """Continue a run from its newest good checkpoint, or verify a finished one.

    ``overrides`` change settings that no taken step depends on: see `train.extension`.
    """
    if not is_run(path):
        raise DataError(f"{path} is no run folder (config.json is missing).")
    with _held(path):
        if devices.is_first():
            for message in recovery.recover(path):
                logger.info(message)
            for message in extension.change(RunFolder.open(path), overrides):
                logger.info(message)
        devices.wait("recovered")
        folder = RunFolder.open(path)
        if is_spectral(folder.config()):
            return spectral.run(folder)
        problem = Problem.build(folder.config())
        if folder.done() is None:
            return _train(problem, folder)
        logger.info(f"{path} is finished; verifying it")
        return _prove(problem, folder) if devices.is_first() else 0


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder."""
    if not devices.is_first():
        yield
        return
    with Lock(path) as lock:
        if lock.recovered:
            logger.info(lock.recovered)
        yield


def _train(problem: Problem, folder: RunFolder) -> int:
    try:
        with Signals() as signals:
            if problem.target.tabulated:
                trained = tabulation.tabulated(problem)
            else:
                trained = Loop(problem, folder, signals).run()
            return finish(problem, folder, trained) if devices.is_first() else 0
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped; all that was trained is saved. Continue with: tengri resume {folder.path}"
        ) from None


def finish(problem: Problem, folder: RunFolder, trained: Trained) -> int:
    """Evaluate, write, report; exit code 0 only after the artefact has been proved."""
    config = problem.config
    give_back()
    allowance = Allowance(kept_seconds(config), stages=4)
    with allowance.stage(f"evaluating on {config.run.evaluation_rows} fresh draws against float64"):
        result = evaluate.evaluate(problem, trained.params, trained.scaling, allowance)
    with allowance.stage("error bars and covariance, writing"):
        artefact = build_artefact(problem, folder, trained, result)
        digest = write(folder.artefact, artefact)
        surrogate = EmulatedSEDModel(artefact)
    with allowance.stage("timing exact and emulated model"):
        speed = evaluate.throughput(
            problem.model, surrogate, config.run.timing_rows,
            lambda seconds: allowance.is_left(seconds + REPORT_SECONDS),
        )  # fmt: skip
    with allowance.stage("report"):
        report.write(problem, folder, artefact, result, speed)
    done = {"sha256": digest, "pooled": result.tables["pooled"],
            "verdict": result.tables["verdict"], "proof": proof(problem, surrogate),
            "report": tree_sha256(folder.report), **folder.stamp()}  # fmt: skip
    folder.write_done(done)
    logger.info(accuracy.table_text(result.tables))
    logger.info(advice.text(result.tables, artefact.training, str(folder.path)))
    if speed:
        logger.info(evaluate.throughput_text(speed))
    code = _prove(problem, folder)
    return code or _until(problem, result)


def _until(problem: Problem, result: Evaluation) -> int:
    """Return 1, saying where it fails, when the target was set and not reached."""
    if not problem.config.run.until:
        return 0
    q, target = parse_until(problem.config.run.until)
    found = accuracy.percentile(result.exact, result.emulated, q)
    if found <= target:
        logger.info(f"reached: {q:g} % of |Δm| within {found:.2f} mmag (asked: {target:g})")
        return 0
    logger.info(f"NOT reached: {q:g} % of |Δm| within {found:.2f} mmag (asked: {target:g}). Worst "
        f"region: {evaluate.worst_region_text(result.tables['worst_region'])}. Train longer "
        "(run.minutes), widen the network, or narrow that prior.")  # fmt: skip
    return 1


def build_artefact(
    problem: Problem, folder: RunFolder, trained: Trained, result: Evaluation
) -> Artefact:
    """Put together everything that travels with the surrogate."""
    model, config = problem.model, problem.config
    training = {
        "seed": config.run.seed,
        "rows": trained.rows,
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "hardware": hardware(),
        "command": folder.header()["command"],
        "config": folder.header()["config"],
        "versions": versions(),
        "exact_model": f"SEDModel on {model.ssp.name}",
        **folder.stamp(),
    }
    bare = Artefact(
        spec=problem.spec,
        photometry=model.observation.photometry,
        target=problem.target,
        network=problem.network,
        params=jax.tree.map(np.asarray, trained.params),
        in_scaling=problem.in_scaling,
        out_scaling=trained.scaling,
        cosmology=cosmology_to_dict(model.cosmology),
        ssp=ssp_info(model.ssp),
        accuracy=result.tables,
        error_bars=result.error_bars,
        error_bars_z=result.error_bars_z,
        covariance=result.covariance,
        training=training,
    )
    bare = with_conditional_errors(
        bare.completed(), result, config.run.populations, config.run.population_rows
    )
    bare = replace(bare, card=report.model_card(bare, name=folder.path.name))
    galaxies = result.held_out.parts[0]  # of the surrogate's own spec
    params = {k: v[: evaluate.CHECK_ROWS] for k, v in galaxies.params.items()}
    return with_checks(bare.completed(), params, galaxies.maggies[: evaluate.CHECK_ROWS])


def proof(problem: Problem, surrogate: EmulatedSEDModel) -> dict[str, Any]:
    """Return the error of a surrogate through its public methods, on draws of their own."""
    galaxies = problem.families[0].galaxies(problem.config.run.seed + PROOF, 0, PROOF_ROWS)
    exact, emulated = galaxies.maggies, verification.evaluate(surrogate, galaxies.params)
    return {f"p{q:g}": accuracy.percentile(exact, emulated, q) for q in (50.0, 95.0, 99.0)}


def _prove(problem: Problem, folder: RunFolder) -> int:
    """Re-read, re-hash and re-evaluate the finished artefact.

    Raises
    ------
    DataError
        The file is not the one that was finished, or does not repeat its numbers.
    """
    done = folder.done()
    if done is None:
        raise DataError(f"{folder.path} is not finished: tengri resume {folder.path}")
    found = verification.verify(folder.artefact)
    if wrong := recovery.artefact_problem(folder.path) or recovery.report_problem(folder.path):
        raise DataError(wrong)
    again = proof(problem, EmulatedSEDModel(read(folder.artefact)))
    for name, found_now in again.items():
        value = done["proof"].get(name, math.nan)
        if not abs(found_now - value) <= 1e3 * SAME_MAG + 1e-3 * value:
            raise DataError(
                f"{folder.artefact}: |Δm| at {name} is {found_now:.3f} mmag on re-evaluation, it "
                f"was {value:.3f}."
            )
    logger.info(accuracy.VERDICTS[done["verdict"]])
    logger.info(f"verified: {folder.artefact} (sha256 {found.sha256[:16]}…)")
    logger.info(f"report:   {folder.report / 'report.html'}")
    return 0


def replay(path: Path, row: int) -> dict[str, Any]:
    """Compute one training row in the exact model; return its parameters and fluxes."""
    from train.pools import open_source
    from train.rows import parameters_of

    problem = Problem.build(RunFolder.open(path).config())
    _, maker = open_source(problem)
    values = parameters_of(maker, row)
    found: dict[str, Any] = {"row": row, "parameters": values}
    for x64 in (False, True):
        with jax.enable_x64(x64):
            flux = maker.flux({k: np.asarray([v]) for k, v in values.items()})[0]
        per_output = flux.reshape(len(problem.output_names), -1).mean(axis=1)
        kind = "float64" if x64 else "float32"
        found[f"unit fluxes, {kind}"] = dict(zip(problem.output_names, map(float, per_output)))
    return found


def summary(path: Path) -> dict[str, Any]:
    """Return the result of a finished run for ``--json``."""
    folder = RunFolder.open(path)
    return {"run": path, "artefact": folder.artefact, "report": folder.report / "report.html",
            **(folder.done() or {})}  # fmt: skip
