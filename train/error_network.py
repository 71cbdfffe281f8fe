"""A surrogate's errors by colours and redshift: a small network, and factors that make it hold.

The network minimises the negative log-likelihood of normal residuals of its σ (Nix & Weigend 1994,
Proc. IEEE ICNN 1, 55). Galaxies that it has not seen give the factors of the error bars. Groups of
galaxies count alike, and none may be held badly: a factor is the geometric mean of the least and
the largest that any group asks for, and so is the scale of the covariance.

Shapes: n galaxies, residuals (n, n_bands) [mag], NaN where they do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from emulator.conditional_errors import ConditionalErrors, features

#: Nodes in ln(1 + z) of the network, its width, intervals of redshift with factors of their own.
NODES, WIDTH, INTERVALS = 31, 64, 10
#: Steps, galaxies per step, learning rate, largest norm of a gradient.
STEPS, BATCH, RATE, CLIP = 4000, 4096, 1e-2, 1.0
#: One galaxy in so many calibrates, and is not learnt from.
CALIBRATES = 3
#: Residuals below this count as this [mag]; above so many σ as so many, in the covariance, and in
#: the logarithm of their square in the loss.
LEAST_RESIDUAL, MOST_SIGMAS, MOST_LN_SQUARE = 1e-6, 4.0, 12.0
#: A group with fewer residuals in an interval has no say in its factor.
LEAST_ENTRIES = 200


class JudgedGalaxies(NamedTuple):
    """Galaxies: magnitudes (n, n_bands), redshifts (n,), residuals, the group of each (n,)."""

    magnitudes: np.ndarray
    redshift: np.ndarray
    residuals: np.ndarray
    group: np.ndarray

    def where(self, which: np.ndarray) -> JudgedGalaxies:
        """Return those that are chosen."""
        return JudgedGalaxies(*(x[which] for x in self))

    @property
    def weight(self) -> np.ndarray:
        """How much each counts: groups alike, one on average."""
        _, inverse, counts = np.unique(self.group, return_inverse=True, return_counts=True)
        return np.asarray(len(self.group) / (len(counts) * counts[inverse]))


def fit(
    sample: JudgedGalaxies, levels: tuple[int, ...], steps: int | None = None
) -> ConditionalErrors:
    """Return the errors that galaxies show.

    Parameters
    ----------
    sample : JudgedGalaxies
    levels : tuple of int
        Coverages in per cent.
    steps : int, optional
        Of the training; ``STEPS``.
    """
    calibrates = np.random.default_rng(0).permutation(len(sample.group)) % CALIBRATES == 0
    raw = _trained(sample.where(~calibrates), STEPS if steps is None else steps)
    kept = sample.where(calibrates)
    over = kept.residuals / raw.sigma(kept.magnitudes, kept.redshift)
    place = raw.interval(kept.redshift)
    factors = {str(level): np.array([
        _factor(np.abs(over[place == i]), kept.group[place == i], level / 100.0)
        for i in range(INTERVALS)
    ]) for level in levels}  # fmt: skip
    return replace(raw, factors=factors, correlation=_correlation(over, kept))


def _trained(sample: JudgedGalaxies, steps: int) -> ConditionalErrors:
    """Return the network, without factors, of a correlation of one."""
    n_bands = sample.residuals.shape[1]
    shift = np.log1p(sample.redshift)
    shifts = np.linspace(shift.min(), shift.max(), NODES)
    use = np.isfinite(sample.residuals)
    size = np.maximum(np.abs(np.where(use, sample.residuals, 1.0)), LEAST_RESIDUAL)
    count = use * sample.weight[:, None]
    bias = (count * np.log(size)).sum(axis=0) / np.maximum(count.sum(axis=0), 1e-300)
    first = _random(n_bands, bias)
    data = [jnp.asarray(x, jnp.float32) for x in (
        features(sample.magnitudes), _hats(shift, shifts), np.log(size), count)]  # fmt: skip
    with jax.enable_x64(False):
        made = _descended(first, data, steps)
    weights = {name: np.asarray(value, np.float32) for name, value in made.items()}
    edges = np.linspace(shifts[0], shifts[-1], INTERVALS + 1)
    return ConditionalErrors(
        shifts, edges=edges, factors={}, correlation=np.eye(n_bands), **weights
    )


def _random(n_bands: int, bias: np.ndarray) -> dict[str, np.ndarray]:
    """Return the weights to begin with; the errors of all galaxies are alike."""
    rng = np.random.default_rng(1)
    shapes = {"by_redshift": (NODES, WIDTH), "inputs": (2 * n_bands - 1, WIDTH),
              "hidden": (WIDTH, WIDTH), "outputs": (WIDTH, n_bands)}  # fmt: skip
    found = {name: rng.normal(0.0, shape[0] ** -0.5, shape) for name, shape in shapes.items()}
    return found | {"hidden_bias": np.zeros(WIDTH), "outputs_bias": bias}


def _loss(weights: Any, x: Any, hats: Any, ln_size: Any, count: Any) -> Any:
    """Return the negative log-likelihood of residuals, less a constant, per residual."""
    hidden = jnp.tanh(x @ weights["inputs"] + hats @ weights["by_redshift"])
    hidden = jnp.tanh(hidden @ weights["hidden"] + weights["hidden_bias"])
    ln_sigma = hidden @ weights["outputs"] + weights["outputs_bias"]
    square = jnp.exp(jnp.minimum(2.0 * (ln_size - ln_sigma), MOST_LN_SQUARE))
    return jnp.sum(count * (ln_sigma + 0.5 * square)) / jnp.maximum(jnp.sum(count), 1e-30)


def _descended(first: dict[str, np.ndarray], data: list[Any], steps: int) -> Any:
    """Return the weights after ``steps`` steps of Adam."""
    optimiser = optax.chain(
        optax.clip_by_global_norm(CLIP), optax.adam(optax.cosine_decay_schedule(RATE, steps))
    )
    n, batch = len(data[0]), min(BATCH, len(data[0]))

    def step(state: tuple[Any, Any], key: Any) -> tuple[tuple[Any, Any], None]:
        weights, memory = state
        rows = jax.random.randint(key, (batch,), 0, n)
        slope = jax.grad(_loss)(weights, *(x[rows] for x in data))
        change, memory = optimiser.update(slope, memory)
        return (optax.apply_updates(weights, change), memory), None

    weights = {name: jnp.asarray(value, jnp.float32) for name, value in first.items()}
    run: Callable[..., Any] = jax.jit(lambda state, keys: jax.lax.scan(step, state, keys)[0])
    return run((weights, optimiser.init(weights)), jax.random.split(jax.random.key(0), steps))[0]


def _hats(shift: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return what each node counts at ``shift`` (n,), (n, n_node): linear between equal steps."""
    place = (shift - shifts[0]) / (shifts[1] - shifts[0])
    return np.asarray(np.maximum(1.0 - np.abs(place[:, None] - np.arange(len(shifts))), 0.0))


# --- factors and covariance -------------------------------------------------------------------


def _factor(sizes: np.ndarray, group: np.ndarray, level: float) -> float:
    """Return the factor of a level for ``sizes`` (n, n_bands) of |residual|/σ, of groups (n,)."""
    parts = [x[np.isfinite(x)] for x in (sizes[group == g] for g in np.unique(group))]
    asked = [np.quantile(x, level) for x in parts if len(x) >= LEAST_ENTRIES]
    if not asked:
        every = np.concatenate(parts) if parts else np.zeros(0)
        return float(np.quantile(every, level)) if len(every) else float("inf")
    return float(np.sqrt(min(asked) * max(asked)))


def _correlation(over: np.ndarray, sample: JudgedGalaxies) -> np.ndarray:
    """Return the second moments of residuals over σ, scaled so that χ² holds for all groups."""
    seen = np.isfinite(over)
    clean = np.clip(np.where(seen, over, 0.0), -MOST_SIGMAS, MOST_SIGMAS)
    both = (seen * sample.weight[:, None]).T @ seen.astype(float)
    moments = (clean * sample.weight[:, None]).T @ clean / np.maximum(both, 1e-300)
    moments = np.where(both > 0.0, moments, np.eye(len(moments)))
    chi2 = _chi2(np.where(seen, over, 0.0), seen, moments)
    means = [np.mean(chi2[sample.group == g]) for g in np.unique(sample.group)]
    return np.asarray(moments * np.sqrt(max(means) * min(means)))


def _chi2(over: np.ndarray, seen: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return χ² per band (n,) of those that are ``seen``."""
    matrix = np.where(seen[:, :, None] & seen[:, None, :], moments, 0.0)
    matrix = matrix + np.where(seen, 0.0, 1.0)[:, :, None] * np.eye(len(moments))
    solved = np.linalg.solve(matrix, over[..., None])[..., 0]
    return np.asarray((over * solved).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))
