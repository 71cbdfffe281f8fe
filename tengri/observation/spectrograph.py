"""Spectrographs: pixels and a line-spread function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import FWHM_PER_SIGMA
from tengri.errors import ConfigError, DataError, ParameterError
from tengri.io import hdf5_reader
from tengri.quantities import plain_values
from tengri.static_grid import StaticGrid


@dataclass(frozen=True)
class Spectrograph:
    """Pixels side by side, and how sharp they see.

    Attributes
    ----------
    grid : StaticGrid
        Edges of the pixels, vacuum wavelengths as observed [Å], (n_pixel + 1,).
    spread : StaticGrid
        Standard deviation of the line-spread function in ln λ at the edges, (n_pixel + 1,); 0 for
        one that is infinitely sharp.
    name : str
        What its spectrum is called in an observation.
    """

    grid: StaticGrid
    spread: StaticGrid
    name: str = "spectrum"

    @classmethod
    def of(
        cls,
        wave: Any = None,
        resolution: Any = None,
        *,
        edges: Any = None,
        name: str = "spectrum",
    ) -> Spectrograph:
        """Return a spectrograph of given pixels.

        Parameters
        ----------
        wave : array, shape (n_pixel,), optional
            Centres of pixels, vacuum wavelengths [Å] or with a unit: edges lie midway.
        resolution : optional
            R = λ/FWHM of a Gaussian line-spread function: a number, an array (n_pixel,), a
            function of wavelengths [Å], or a file of two columns, λ [Å] and R. None: infinite.
        edges : array, shape (n_pixel + 1,), optional
            Edges of pixels, in the place of centres.
        name : str
            What its spectrum is called in an observation.

        Raises
        ------
        ConfigError
            Both centres and edges, or neither; a resolution that is no such thing.
        ParameterError
            Wavelengths that do not increase, are not positive or not finite; fewer than two.
        DataError
            A file that cannot be read.
        """
        if (wave is None) == (edges is None):
            raise ConfigError("A spectrograph has wave=, the centres of its pixels, or edges=.")
        given = _increasing(wave if edges is None else edges, "wave" if edges is None else "edges")
        ends = _between(given) if edges is None else given
        centres = given if edges is None else 0.5 * (given[1:] + given[:-1])
        return cls(StaticGrid(ends), StaticGrid(_spread(resolution, ends, centres)), name)

    @property
    def edges(self) -> np.ndarray:
        """Edges of the pixels [Å], (n_pixel + 1,)."""
        return self.grid.values

    @cached_property
    def wave(self) -> np.ndarray:
        """Centres of the pixels [Å], (n_pixel,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def resolution(self) -> np.ndarray:
        """R = λ/FWHM at the centres, (n_pixel,); infinite where nothing is spread."""
        sigma = np.interp(self.wave, self.edges, self.spread.values)
        with np.errstate(divide="ignore"):
            return 1.0 / (FWHM_PER_SIGMA * sigma)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, pixels and line-spread function."""
        text = f"{self.name} {self.grid.digest} {self.spread.digest}"
        return hashlib.sha256(text.encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __repr__(self) -> str:
        ends = f"{self.edges[0]:.5g}–{self.edges[-1]:.5g} Å"
        return f"Spectrograph({self.name}: {len(self)} pixels, {ends})"


def _increasing(values: Any, name: str) -> np.ndarray:
    wave, missing = plain_values(values, "Angstrom", name)
    if wave.ndim != 1 or len(wave) < 2:
        raise ParameterError(f"{name} is a list of two wavelengths or more, got {wave.shape}.")
    if missing.any() or not np.isfinite(wave).all() or wave[0] <= 0.0 or (np.diff(wave) <= 0).any():
        raise ParameterError(f"{name} must be positive, finite and increase from pixel to pixel.")
    return wave


def _between(wave: np.ndarray) -> np.ndarray:
    """Return edges midway between centres; the outer pixels are symmetric."""
    middle = 0.5 * (wave[1:] + wave[:-1])
    return np.concatenate([[2.0 * wave[0] - middle[0]], middle, [2.0 * wave[-1] - middle[-1]]])


def _spread(resolution: Any, edges: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return σ in ln λ at the edges."""
    if resolution is None:
        return np.zeros(len(edges))
    if isinstance(resolution, str | Path):
        power = np.interp(edges, *_read(Path(resolution)))
    elif isinstance(resolution, Callable):  # type: ignore[arg-type]
        power = np.asarray(resolution(edges), np.float64) + 0.0 * edges
    else:
        power = _as_numbers(resolution, edges, centres)
    if not (np.isfinite(power).all() and (power > 0.0).all()):
        raise ConfigError("resolution must be positive and finite: R = λ/FWHM, e.g. 2000.")
    return 1.0 / (FWHM_PER_SIGMA * power)


def _as_numbers(resolution: Any, edges: np.ndarray, centres: np.ndarray) -> np.ndarray:
    try:
        power = np.asarray(resolution, np.float64)
    except (TypeError, ValueError):
        raise ConfigError(
            f"resolution is a number, one for each pixel, a function of wavelength or a file of "
            f"two columns; got {resolution!r}."
        ) from None
    if power.ndim == 0:
        return np.full(len(edges), float(power))
    if power.shape != centres.shape:
        raise ConfigError(f"resolution has shape {power.shape}, there are {len(centres)} pixels.")
    return np.interp(edges, centres, power)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of a file, λ [Å] and R."""
    try:
        lines = hdf5_reader.read_text(path).splitlines() or ["empty"]
        wave, power = np.loadtxt(lines, unpack=True, usecols=(0, 1), ndmin=2)
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no two columns, λ [Å] and R ({error}).") from error
    if (np.diff(wave) <= 0.0).any():
        raise DataError(f"{path}: wavelengths must increase.")
    return wave, power
