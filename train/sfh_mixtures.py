"""Age distributions of many star-formation histories, for training an age kernel.

Each training row of a target that mixes ages carries some, drawn from real histories at about its
redshift; its loss is the error in their light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from train.held_out import HeldOutFamily

#: SFHMixtures drawn of each family, and mixtures that a training row carries.
PER_FAMILY, MIXTURES = 2048, 8
#: A row takes histories from this many neighbours in redshift.
NEIGHBOURS = 256
#: Share of the mixtures that are one age alone: no history may find a hole in the kernel.
SINGLE = 0.125


@dataclass(frozen=True)
class SFHMixtures:
    """SFHMixtures in the order of their redshift.

    Attributes
    ----------
    redshift : ndarray, shape (n,)
    ages : ndarray, shape (n, n_bins)
        Distribution of the mass formed over age, sums to 1.
    """

    redshift: np.ndarray
    ages: np.ndarray

    @classmethod
    def draw(cls, families: Sequence[HeldOutFamily], seed: int) -> SFHMixtures:
        """Draw from the priors of several families; those that form no star are left out."""
        drawn = [_of_family(t, seed + i) for i, t in enumerate(families)]
        redshift, ages = (np.concatenate(column) for column in zip(*drawn))
        order = np.argsort(redshift, kind="stable")
        return cls(redshift[order], ages[order])

    @cached_property
    def table(self) -> np.ndarray:
        """All mixtures that rows may have, (n + n_bins, n_bins): after ``ages`` one age alone."""
        return np.concatenate([self.ages, np.eye(self.ages.shape[1], dtype=self.ages.dtype)])

    def near(self, redshift: np.ndarray, seed: int, start: int) -> np.ndarray:
        """Return rows of `table` (n, MIXTURES) for training rows ``start`` … at ``redshift``."""
        n, bins = len(redshift), self.ages.shape[1]
        rng = np.random.default_rng((seed, start))
        middle = np.searchsorted(self.redshift, redshift)
        near = middle[:, None] + rng.integers(-NEIGHBOURS, NEIGHBOURS, (n, MIXTURES))
        rows = np.clip(near, 0, len(self.ages) - 1).astype(np.int32)
        alone = rng.random((n, MIXTURES)) < SINGLE
        rows[alone] = len(self.ages) + rng.integers(0, bins, int(alone.sum()))
        return rows


def _of_family(family: HeldOutFamily, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return redshift (n,) and ages (n, n_bins) of prior draws of one family."""
    model = family.model
    packed = model.pack(family.draw(seed, 0, PER_FAMILY), batch=True)
    formed = jax.jit(jax.vmap(lambda row: model.stars.formed(row.unpack())))
    log10_mass, ages = (np.asarray(a, np.float32) for a in formed(packed))
    good = (log10_mass >= 0.0) & np.isfinite(ages).all(axis=1)
    redshift = packed.scalars[:, packed.names.index("redshift")]
    return np.asarray(redshift)[good], ages[good]
