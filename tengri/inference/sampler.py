"""NUTS chains of one galaxy (blackjax), for posteriors that importance sampling does not reach.

Chains start from different draws; step size and a diagonal mass matrix are adapted by windows, as
in Stan. The coordinates are those of `tengri.inference.space`, stretched and turned by the
covariance of draws that are at hand, so that a diagonal matrix is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import blackjax
import jax
import jax.numpy as jnp
from blackjax.diagnostics import ess_bulk, ess_tail, rhat
from jax import Array

from tengri.inference.likelihood import Density
from tengri.inference.observations import Case


@dataclass(frozen=True)
class ChainPlan:
    """How long chains are.

    Attributes
    ----------
    chains, warm_up, draws : int
        Of each galaxy; steps that adapt, and steps that are kept, of each chain.
    doublings : int
        Largest depth of the tree of a step.
    """

    chains: int = 4
    warm_up: int = 400
    draws: int = 600
    doublings: int = 8


class Chains(NamedTuple):
    """Draws (chains, draws, size) of one galaxy and what they are worth.

    Attributes
    ----------
    xi : Array, shape (chains, draws, size)
    rhat, bulk, tail : Array, shape (size,)
        Rank-normalised split R̂; bulk and tail effective sample size.
    divergent : Array, shape ()
        Number of divergent steps.
    """

    xi: Array
    rhat: Array
    bulk: Array
    tail: Array
    divergent: Array


def nuts(
    density: Density, case: Case, start: Array, root: Array, key: Array, plan: ChainPlan
) -> Chains:
    """Return chains of the posterior of a galaxy.

    Parameters
    ----------
    start : Array, shape (chains, size)
        In coordinates x of the chains.
    root : Array, shape (size, size)
        The vector is ``root @ x``: a root of the covariance that is expected.
    """

    def log_p(x: Array) -> Array:
        found = density.log_posterior(root @ x, case)
        return jnp.where(jnp.isnan(found), -jnp.inf, found)

    def chain(start: Array, key: Array) -> tuple[Array, Array]:
        first, second = jax.random.split(key)
        adapt = blackjax.window_adaptation(
            blackjax.nuts, log_p, initial_step_size=0.3, max_num_doublings=plan.doublings
        )
        (state, settings), _ = adapt.run(first, start, num_steps=plan.warm_up)
        step = blackjax.nuts(log_p, **settings).step

        def one(state: Any, key: Array) -> tuple[Any, tuple[Array, Array]]:
            state, info = step(key, state)
            return state, (state.position, info.is_divergent)

        return jax.lax.scan(one, state, jax.random.split(second, plan.draws))[1]

    x, divergent = jax.vmap(chain)(start, jax.random.split(key, plan.chains))
    xi = x @ root.T
    return Chains(xi, rhat(xi), ess_bulk(xi), ess_tail(xi), jnp.sum(divergent))
