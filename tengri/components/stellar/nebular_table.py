"""Nebular light per ionising photon: the Cloudy grids that come with the package.

Ionised gas answers to the photons below the Lyman limit and hardly to what emits them: light per
photon varies slowly with the age of the stars, and with their metallicity, which is the gas's.
The file (`tengri.grids.build.build_nebular`) has it on nodes of logU, metallicity and age; lines
are apart from the continuum and are drawn as triangles, as on the compact stellar grids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from tengri.components.line_list import LineList
from tengri.constants import LYMAN_ALPHA_AA
from tengri.errors import DataError
from tengri.grids import compact, files
from tengri.io import hdf5_reader, seal

_DATASETS = ("logu", "lgmet", "lg_age_gyr", "wave", "continuum", "line_wave", "lines",
             "replaced")  # fmt: skip
_OF_SOURCE = ("source_continuum", "source_lines")


@dataclass(frozen=True, eq=False)
class NebularTable:
    """Nebular light per 1e47 ionising photons per second (`tengri.grids.ionising`).

    Attributes
    ----------
    logu : ndarray, shape (n_logu,)
        log10 of the ionisation parameter.
    lgmet : ndarray, shape (n_met,)
        log10 of the absolute metal fraction of stars and gas.
    lg_age_gyr : ndarray, shape (n_age,)
        log10 of the age of the stars [Gyr].
    wave, line_wave : ndarray, shapes (n_wave,) and (n_line,)
        Wavelengths in vacuum at rest [Å], of the continuum and of the lines.
    continuum : ndarray, shape (n_logu, n_met, n_age, n_wave)
        L_ν [Lsun/Hz].
    lines : ndarray, shape (n_logu, n_met, n_age, n_line)
        Luminosities [Lsun].
    replaced : ndarray, shape (n_logu, n_met, n_age)
        1 where a node is not that of the source: `tengri.grids.recombination`.
    """

    logu: np.ndarray
    lgmet: np.ndarray
    lg_age_gyr: np.ndarray
    wave: np.ndarray
    continuum: np.ndarray
    line_wave: np.ndarray
    lines: np.ndarray
    replaced: np.ndarray

    def with_nodes(self, wave: np.ndarray) -> np.ndarray:
        """Return ``wave`` [Å] and, within its ends, the nodes of continuum and lines."""
        triangles = [compact.profile(line)[0] for line in self._redward()]
        nodes = np.concatenate([self.wave, *triangles])
        return np.union1d(wave, nodes[(nodes > wave[0]) & (nodes < wave[-1])])

    def spectra(self, wave: np.ndarray, ages: np.ndarray, lyman_alpha: bool = True) -> np.ndarray:
        """Return L_ν [Lsun/Hz] at ``wave`` for the age nodes ``ages``.

        Linear in wavelength between the table's nodes, zero beyond its ends.

        Parameters
        ----------
        wave : ndarray, shape (n,)
            Wavelengths from `with_nodes` [Å].
        ages : ndarray of int, shape (n_some,)
            Indices into ``lg_age_gyr``.
        lyman_alpha : bool
            Whether Lyα is among the lines.

        Returns
        -------
        ndarray, shape (n_logu, n_met, n_some, n)
        """
        shown = self._emitted
        if not lyman_alpha:
            shown = shown & (np.arange(shown.size) != self._lyman_alpha)
        bright = self.lines[:, :, ages][..., shown]
        glow = self.continuum_at(wave, ages)
        return compact.add_lines(wave, glow, self.line_wave[shown], bright)

    def continuum_at(self, wave: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return L_ν [Lsun/Hz] without lines at any ``wave``, (n_logu, n_met, n_some, n)."""
        inside = (wave >= self.wave[0]) & (wave <= self.wave[-1])
        return inside * compact.interpolated(self.wave, self.continuum[:, :, ages], wave)

    @cached_property
    def line_list(self) -> LineList:
        """Names and wavelengths of the lines that the gas does not absorb itself."""
        return LineList.of_table(self._redward())

    def luminosities(self, ages: np.ndarray) -> np.ndarray:
        """Return those of ``line_list`` [Lsun], (n_logu, n_met, n_some, n_line)."""
        return self.lines[:, :, ages][..., self._emitted]

    def lyman_alpha(self, wave: np.ndarray, ages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Lyα by itself, as `spectra` draws it: ``peak[..., None] * profile``.

        Returns
        -------
        peak : ndarray, shape (n_logu, n_met, n_some)
            L_ν [Lsun/Hz].
        profile : ndarray, shape (n,)
            Its largest value is 1; zero where ``wave`` does not hold the line.
        """
        i = self._lyman_alpha
        drawn = compact.add_lines(wave, 0.0 * wave, self.line_wave[i : i + 1], np.ones(1))
        top = drawn.max()
        luminosity = self.lines[:, :, ages][..., i]
        return luminosity * top, drawn / top if top > 0.0 else drawn

    @property
    def _lyman_alpha(self) -> int:
        return int(np.argmin(np.abs(self.line_wave - LYMAN_ALPHA_AA)))

    def _redward(self) -> np.ndarray:
        """Return the lines that the gas does not absorb itself."""
        return self.line_wave[self._emitted]

    @property
    def _emitted(self) -> np.ndarray:
        return self.line_wave > compact.LYMAN_LIMIT


def cloudy_table() -> NebularTable:
    """Return the table of the embedded file, read and verified once.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    return _read(files.resolve(files.NEBULAR))


def source_table() -> NebularTable:
    """Return the table as its source has it, with the nodes that lose ionising photons."""
    return _as_in_source(files.resolve(files.NEBULAR))


@cache
def _as_in_source(path: Path) -> NebularTable:
    table = _read(path)
    lines, continuum = table.lines.copy(), table.continuum.copy()
    with hdf5_reader.open_hdf5(path) as file:
        for values, name in ((lines, "source_lines"), (continuum, "source_continuum")):
            values[table.replaced == 1] = hdf5_reader.array(file, name, path)
    return replace(table, lines=lines, continuum=continuum, replaced=0.0 * table.replaced)


@cache
def _read(path: Path) -> NebularTable:
    seal.verify(path)
    with hdf5_reader.open_hdf5(path) as file:
        missing = {*_DATASETS, *_OF_SOURCE} - set(file)
        if missing:
            raise DataError(f"{path}: no dataset {', '.join(sorted(missing))}; get a fresh copy.")
        return NebularTable(
            **{name: hdf5_reader.array(file, name, path).astype(np.float64) for name in _DATASETS}
        )
