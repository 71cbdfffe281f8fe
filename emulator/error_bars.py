"""How far a surrogate may be trusted: error bars and covariance that its artefact carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from emulator.artefact import Artefact
from emulator.conditional_errors import ConditionalErrors
from tengri.analysis.accuracy import BRIGHT
from tengri.errors import ConfigError, unknown


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CovarianceByColours:
    """The covariance of residuals for the galaxy at hand: a pytree.

    Attributes
    ----------
    errors : ConditionalErrors
    bands : tuple of int
        Order of all trained bands.
    """

    errors: ConditionalErrors
    bands: tuple[int, ...] = field(metadata={"static": True})

    def at(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return (…, n_bands, n_bands) [mag²] for AB magnitudes at redshifts (…), any zero."""
        given, back = np.argsort(self.bands), np.array(self.bands)
        full = self.errors.covariance(xp.asarray(magnitudes)[..., given], redshift, xp)
        return full[..., back[:, None], back]


@dataclass(frozen=True, eq=False)
class ErrorBars:
    """Half widths of split-conformal intervals, and the covariance of residuals between bands.

    Attributes
    ----------
    artefact : Artefact
    bands : tuple of int
        Which of the trained bands are wanted.
    """

    artefact: Artefact
    bands: tuple[int, ...]

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the residuals between bands [mag²], (n_bands, n_bands)."""
        if self.artefact.covariance is None:
            raise ConfigError("This surrogate carries no residual covariance.")
        return self.artefact.covariance[np.ix_(self.bands, self.bands)]

    @property
    def conditional(self) -> ConditionalErrors | None:
        """The errors by colours, where there are any and all trained bands are wanted."""
        every = sorted(self.bands) == list(range(len(self.artefact.photometry.names)))
        return self.artefact.conditional if every else None

    def covariance_at(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return the covariance (…, n_bands, n_bands) [mag²] for AB magnitudes at redshifts (…).

        That of all galaxies where none is known by colours. ``xp=jax.numpy`` makes it traceable.
        """
        known = self.by_colours
        return xp.asarray(self.covariance) if known is None else known.at(magnitudes, redshift, xp)

    @property
    def by_colours(self) -> CovarianceByColours | None:
        """The covariance by colours, where it is known."""
        known = self.conditional
        return None if known is None else CovarianceByColours(known, self.bands)

    def overall(self, level: int | str) -> np.ndarray:
        """Return the half widths of a level [mag] over all redshifts, (n_bands,)."""
        bars = self.artefact.error_bars
        if str(level) not in bars:
            raise unknown("level of error bars [%]", str(level), bars)
        return np.asarray(bars[str(level)])[list(self.bands)]

    def at(self, magnitudes: ArrayLike, redshift: ArrayLike, level: int | str) -> np.ndarray:
        """Return the half widths [mag] for AB magnitudes (…, n_bands) at redshifts (…).

        They depend on the colours where all trained bands are given and these are known; else
        on the redshift. Infinite for bands fainter than 1e-4 of the brightest.
        """
        bars, magnitude = self.overall(level), np.asarray(magnitudes)
        by_redshift = self.artefact.error_bars_z
        if (known := self.conditional) is not None and str(level) in known.factors:
            in_order = known.bars(magnitude[..., list(np.argsort(self.bands))], redshift, level)
            bars = in_order[..., list(self.bands)]
        elif by_redshift:
            inner = by_redshift["edges"][1:-1]
            bars = by_redshift[str(level)][np.searchsorted(inner, np.asarray(redshift))]
            bars = bars[..., list(self.bands)]
        limit = magnitude.min(axis=-1, keepdims=True) - 2.5 * np.log10(BRIGHT)
        return np.where(magnitude <= limit, bars, np.inf)
