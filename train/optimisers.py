"""Optimisers by name, on one warmup-cosine schedule; all of them are optax's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import jax
import optax
from optax import contrib


class Settings(Protocol):
    """What is read of ``train.config.OptimiserOptions``, which reads the names below."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def schedule(self) -> str: ...  # noqa: D102
    @property
    def warmup(self) -> float: ...  # noqa: D102
    @property
    def final(self) -> float: ...  # noqa: D102
    @property
    def weight_decay(self) -> float: ...  # noqa: D102
    @property
    def clip(self) -> float: ...  # noqa: D102


def schedule(settings: Settings, steps: int) -> optax.Schedule:
    """Return learning rate as a function of the step.

    ``cosine``: linear warm-up, then half a cosine. ``staged``: a tenth after each third.
    """
    if settings.schedule == "staged":
        drops = {round(steps * share): 0.1 for share in (1 / 3, 2 / 3)}
        return optax.piecewise_constant_schedule(settings.learning_rate, drops)
    warmup = min(max(1, round(settings.warmup * steps)), max(steps - 1, 1))
    return optax.warmup_cosine_decay_schedule(
        init_value=0.05 * settings.learning_rate,
        peak_value=settings.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(steps, warmup + 1),
        end_value=settings.final * settings.learning_rate,
    )


def build(settings: Settings, legs: Sequence[int]) -> optax.GradientTransformation:
    """Return the optimiser of the main phase for schedules of so many steps, one after another."""
    rate = schedule(settings, legs[0])
    if len(legs) > 1:
        schedules = [schedule(settings, steps) for steps in legs]
        rate = optax.join_schedules(schedules, list(itertools.accumulate(legs[:-1])))
    base = OPTIMISERS[settings.name](rate, settings.weight_decay)
    if settings.clip:
        return optax.chain(optax.clip_by_global_norm(settings.clip), base)
    return base


def _adamw(rate: optax.Schedule, decay: float) -> optax.GradientTransformation:
    return optax.adamw(rate, b2=0.99, weight_decay=decay)


def _nadam(rate: optax.Schedule, decay: float) -> optax.GradientTransformation:
    return optax.nadamw(rate, weight_decay=decay)


def _muon(rate: optax.Schedule, decay: float) -> optax.GradientTransformation:
    """Muon (Jordan 2024) for hidden matrices, Adam for vectors and the redshift table."""
    return contrib.muon(
        rate,
        weight_decay=decay,
        adam_b2=0.99,
        consistent_rms=0.2,  # updates as large as Adam's: one learning rate serves both
        muon_weight_dimension_numbers=_hidden_matrices,
    )


def _hidden_matrices(params: optax.Params) -> optax.Params:
    """Mark what Muon orthogonalises: dense kernels, not tables (whose rows are independent)."""

    def mark(path: tuple, leaf: jax.Array) -> contrib.MuonDimensionNumbers | None:
        is_kernel = "kernel" in jax.tree_util.keystr(path) and leaf.ndim == 2
        return contrib.MuonDimensionNumbers() if is_kernel else None

    return jax.tree_util.tree_map_with_path(mark, params)


#: Functions of a learning rate by step and a decoupled decay, by name.
OPTIMISERS: dict[str, Callable[[optax.Schedule, float], optax.GradientTransformation]] = {
    "muon": _muon,
    "adamw": _adamw,
    "nadam": _nadam,
}


def polisher() -> optax.GradientTransformationExtraArgs:
    """Return L-BFGS with optax's zoom line search, for the last digits."""
    return optax.lbfgs(memory_size=20)
