"""The pure train step, and many of them in one dispatch.

Shapes: a pool's rows are (n, …), see `emulator.targets.batch.Batch`; ``rows`` (steps, batch) are
the row numbers of the batches of one dispatch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from emulator.networks import Network
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets import Target
from emulator.targets.batch import Batch, Penalty
from train.config import OptimiserOptions
from train.optimisers import build, polisher


class Pool(NamedTuple):
    """Training rows on the device, and the scalings that turn them into network units.

    Where rows mix ages, ``rows.w`` (n, n_mixtures) are numbers of ``mixtures`` (n_history, n_bins):
    a row's own mixtures would take more memory than all else that is known of it.
    """

    rows: Batch
    scaling: OutputScaling
    inputs: InputScaling
    mixtures: Array | None = None

    def take(self, index: Array) -> Pool:
        """Return some of the rows."""
        return self._replace(rows=jax.tree.map(lambda a: a[index], self.rows))

    def as_asked(self) -> Batch:
        """Return the rows as the target's loss wants them."""
        rows = self.rows
        return rows if self.mixtures is None else rows._replace(w=self.mixtures[rows.w])


Loss = Callable[[Any, Pool], Array]


class State(NamedTuple):
    """Everything that changes while training: the whole truth of a run together with its seed.

    ``ema`` is the running mean of the weights, which is what is evaluated and published;
    ``step`` counts finished steps.
    """

    params: Any
    opt_state: Any
    ema: Any
    step: Array


class Trace(NamedTuple):
    """What one dispatch reports, each (steps,): loss, gradient norm, whether all was finite."""

    loss: Array
    grad_norm: Array
    finite: Array


def init(params: Any, optimiser: optax.GradientTransformation) -> State:
    """Return the state of step 0; no two parts share memory, so that it can be donated."""
    ema = jax.tree.map(jnp.copy, params)
    return State(params, optimiser.init(params), ema, jnp.zeros((), jnp.int32))


def penalty(name: str) -> Callable[[Array], Array]:
    """Return the loss of one standardised residual; all start as the square."""
    return {
        "mse": jnp.square,
        "huber": lambda r: 2.0 * optax.huber_loss(r, delta=0.05),
        "log_cosh": lambda r: 2.0 * 0.05**2 * optax.log_cosh(r / 0.05),
    }[name]


def make_loss(
    network: Network,
    target: Target,
    name: str,
    sobolev: float = 0.0,
    faint: float = OptimiserOptions.faint,
) -> Loss:
    """Return the target's loss of a batch, as a function of the network's weights.

    ``sobolev`` is what an error in the slopes counts beside one in the values; ``faint`` is the
    share of the brightest band's flux below which bands count less.
    """
    per_entry = Penalty(penalty(name), faint)

    def loss(params: Any, batch: Pool) -> Array:
        rows = batch.as_asked()
        if rows.u is None or rows.slope is None:
            v = network.apply(params, rows.x)
            return target.loss(v, rows, batch.scaling, batch.inputs, per_entry)
        v, dv = jax.jvp(lambda x: network.apply(params, x), (rows.x,), (rows.u,))
        values = target.loss(v, rows, batch.scaling, batch.inputs, per_entry)
        return values + sobolev * jnp.mean(per_entry(batch.scaling.linear(dv) - rows.slope))

    return loss


def make_step(
    loss: Loss, optimiser: optax.GradientTransformation, settings: OptimiserOptions
) -> Callable[[State, Pool], tuple[State, Trace]]:
    """Return the pure step; one that meets a NaN leaves the state as it was."""

    def step(state: State, batch: Pool) -> tuple[State, Trace]:
        value, grad = jax.value_and_grad(loss)(state.params, batch)
        norm = optax.tree.norm(grad)
        updates, opt_state = optimiser.update(grad, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        decay = ema_decay(settings.ema, state.step)
        ema = jax.tree.map(lambda e, p: decay * e + (1.0 - decay) * p, state.ema, params)
        new = State(params, opt_state, ema, state.step + 1)
        finite = jnp.isfinite(value) & jnp.isfinite(norm) & jnp.isfinite(optax.tree.norm(params))
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        return kept, Trace(value, norm, finite)

    return step


def ema_decay(most: float, step: Array) -> Array:
    """Return a decay that grows with the step, so that early means forget the start."""
    t = step.astype(jnp.float32)
    return jnp.minimum(most, (1.0 + t) / (10.0 + t))


def make_dispatch(
    step: Callable[[State, Pool], tuple[State, Trace]],
) -> Callable[[State, Pool, Array], tuple[State, Trace]]:
    """Return the compiled scan of ``step`` over the batches ``rows``; the state is donated."""

    def dispatch(state: State, pool: Pool, rows: Array) -> tuple[State, Trace]:
        def body(carry: tuple[State, Array], index: Array) -> tuple[tuple[State, Array], Trace]:
            state, good = carry
            new, trace = step(state, pool.take(index))
            # after a NaN nothing moves any more: the host finds the state of the last good step
            new = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, state)
            good = good & trace.finite
            return (new, good), trace._replace(finite=good)

        (state, _), trace = jax.lax.scan(body, (state, jnp.array(True)), rows)
        return state, trace

    return jax.jit(dispatch, donate_argnums=0)


def make_polish(loss: Loss, optimiser: optax.GradientTransformationExtraArgs) -> Any:
    """Return one compiled L-BFGS iteration over a whole pool."""

    def polish(state: State, pool: Pool) -> tuple[State, Trace]:
        def full(params: Any) -> Array:
            return loss(params, pool)

        value, grad = optax.value_and_grad_from_state(full)(state.params, state=state.opt_state)
        updates, opt_state = optimiser.update(
            grad, state.opt_state, state.params, value=value, grad=grad, value_fn=full
        )
        params = optax.apply_updates(state.params, updates)
        new = State(params, opt_state, params, state.step + 1)
        norm = optax.tree.norm(grad)
        finite = jnp.isfinite(value) & jnp.isfinite(norm) & jnp.isfinite(optax.tree.norm(params))
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        return kept, Trace(value[None], norm[None], finite[None])

    return jax.jit(polish)


@cache
def compiled(
    network: Network, target: Target, settings: OptimiserOptions, legs: tuple[int, ...]
) -> tuple[optax.GradientTransformation, Callable[[State, Pool, Array], tuple[State, Trace]]]:
    """Return the optimiser of some schedules and its dispatch, one pair per process."""
    optimiser = build(settings, legs)
    loss = make_loss(network, target, settings.loss, settings.sobolev, settings.faint)
    return optimiser, make_dispatch(make_step(loss, optimiser, settings))


@cache
def compiled_polish(
    network: Network, target: Target, settings: OptimiserOptions
) -> tuple[Any, Any]:
    """Return the polisher and its compiled iteration, one pair per process."""
    optimiser = polisher()
    loss = make_loss(network, target, settings.loss, settings.sobolev, settings.faint)
    return optimiser, make_polish(loss, optimiser)
