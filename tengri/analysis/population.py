"""Many prior draws through any photometric model, chunk by chunk, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tengri.errors import ParameterError
from tengri.forward.photometric_model import PhotometricModel
from tengri.progress import Meter


class Chunk(NamedTuple):
    """Rows ``start`` … of a population: parameters (n, …) by name and fluxes (n, n_bands)."""

    start: int
    params: dict[str, np.ndarray]
    flux: np.ndarray


@dataclass(frozen=True)
class Population:
    """Draws from a model's prior and their photometry.

    A row is a function of (seed, row number) alone, whatever the chunks.

    Attributes
    ----------
    model : PhotometricModel
        Exact or emulated.
    n : int
        Number of galaxies.
    seed : int
        Of the scrambled Sobol sequence.
    chunk : int
        Galaxies held at once.

    Examples
    --------
    >>> flux = Population(emulator.load("sdss"), 1_000_000).photometry()      # doctest: +SKIP
    """

    model: PhotometricModel
    n: int
    seed: int = 0
    chunk: int = 65536

    def __post_init__(self) -> None:
        if self.n < 1 or self.chunk < 1:
            raise ParameterError(f"n and chunk must be positive; got {self.n} and {self.chunk}.")

    def chunks(self) -> Iterator[Chunk]:
        """Yield the population in order; at most one chunk is in memory."""
        for start in range(0, self.n, self.chunk):
            rows = min(self.chunk, self.n - start)
            drawn = self.model.spec.sample_sobol(rows, seed=self.seed, skip=start)
            flux = np.asarray(self.model.predict_photometry_batch(drawn))
            yield Chunk(start, {k: np.asarray(v) for k, v in drawn.items()}, flux)

    def photometry(self, progress: bool = True) -> np.ndarray:
        """Return all fluxes, (n, n_bands) in the model's units.

        Parameters
        ----------
        progress : bool
            Show on standard error how far it is.
        """
        chunks = self.chunks()
        first = next(chunks)
        out = np.empty((self.n, first.flux.shape[1]), first.flux.dtype)
        out[: len(first.flux)] = first.flux
        with Meter(self.n, "population", "galaxies", quiet=not progress) as meter:
            meter.advance(len(first.flux))
            for part in chunks:
                out[part.start : part.start + len(part.flux)] = part.flux
                meter.advance(len(part.flux))
        return out
