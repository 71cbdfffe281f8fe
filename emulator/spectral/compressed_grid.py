"""A grid of stellar populations in few eigenspectra: all that a model needs of it, in one file.

Made of the grid that an exact model has (`emulator.spectral.decomposition`), and turned into one
that the same equations take (`CompressedGrid.ssp`).

Shapes: n_met metallicities, n_age ages, n_wave wavelengths; n_young and n_old bins of age, the one
that holds 10 Myr split in two; n_r eigenspectra of each part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from emulator.spectral.decomposition import factors, relative_weights
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.loadings import Loadings
from tengri.components.stellar.nebular import has_gas
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import ConfigError
from tengri.forward.galaxy import AgeBins
from tengri.grids import compact

Array = np.ndarray

PARTS = ("young", "old")
#: Arrays of a grid by name, without those of the eigenspectra.
AXES = ("lgmet", "lg_age_gyr", "wave", "age_edges_gyr")
IONISING = ("photons", "lg_age_gyr", "wave", "behind_gas")


@dataclass(frozen=True, eq=False)
class CompressedGrid:
    """Populations as mixtures.

    Attributes
    ----------
    about : dict
        ``name`` and ``sha256`` of the whole grid, ``gas``, whether nebular light is part of it,
        ``span`` and ``attrs``, its provenance.
    axes : dict
        ``lgmet`` (n_met,), ``lg_age_gyr`` (n_age,), ``wave`` (n_wave,) [Å], ``age_edges_gyr``
        (n_age + 1,).
    loadings, eigenspectra : dict
        Of the parts ``young`` and ``old``: (n_met, n_young or n_old, n_r) and (n_r, n_wave), in
        units of ``10**log10_unit`` Lsun/Hz.
    mass_remaining : ndarray, shape (n_met, n_age), or None
    ionising : IonisingLight or None
    """

    about: dict[str, Any]
    axes: dict[str, Array]
    loadings: dict[str, Array]
    eigenspectra: dict[str, Array]
    mass_remaining: Array | None = None
    ionising: IonisingLight | None = None

    @classmethod
    def of(
        cls,
        ssp: SSPData,
        n: int,
        span: tuple[float, float] = (0.0, math.inf),
        n_young: int | None = None,
        beyond: np.ndarray | None = None,
    ) -> CompressedGrid:
        """Return a grid, or some of its wavelengths, in few eigenspectra.

        Parameters
        ----------
        ssp : SSPData
        n, n_young : int
            Eigenspectra of the old populations, and of the young ones (default: as many).
        span : (float, float)
            The rest wavelengths that are kept as they are [Å].
        beyond : ndarray, optional
            Fewer wavelengths [Å], both ends of the grid among them, that are kept outside of
            ``span``: the spectra are projected onto them, so that bands see the same light
            (`tengri.grids.compact`). None: nothing outside of it.

        Raises
        ------
        ConfigError
            More eigenspectra than populations of one part.
        """
        wave, flux = _kept(ssp, span, beyond)
        edges = ssp.age_edges_gyr
        bins = AgeBins.split(edges)
        unit = float(np.floor(np.log10(ssp.ssp_flux.max())))
        light = flux[:, bins.node].astype(np.float64) * 10.0**-unit
        loadings, eigenspectra = {}, {}
        parts = {
            "young": (slice(bins.n_young), n_young or n),
            "old": (slice(bins.n_young, None), n),
        }
        for part, (ages, rank) in parts.items():
            spectra = light[:, ages]
            a, v = _mixed(wave, spectra.reshape(-1, len(wave)), rank, part)
            loadings[part] = a.reshape(*spectra.shape[:2], rank).astype(np.float32)
            eigenspectra[part] = v.astype(np.float32)
        about = {"name": ssp.name, "sha256": ssp.sha256, "gas": has_gas(ssp), "log10_unit": unit,
                 "span": [max(span[0], float(wave[0])), min(span[1], float(wave[-1]))],
                 "attrs": {k: v for k, v in ssp.attrs.items() if isinstance(v, str | int | float)},
                 }  # fmt: skip
        axes = dict(zip(AXES, (ssp.ssp_lgmet, ssp.ssp_lg_age_gyr, wave, edges)))
        return cls(about, axes, loadings, eigenspectra, ssp.ssp_mass_remaining, ssp.ionising)

    @property
    def name(self) -> str:
        """Name of the whole grid."""
        return str(self.about["name"])

    @property
    def span(self) -> tuple[float, float]:
        """Rest wavelengths between which every node of the whole grid is kept [Å]."""
        wave = self.axes["wave"]
        lo, hi = self.about.get("span", (float(wave[0]), float(wave[-1])))
        return lo, hi

    @property
    def has_gas(self) -> bool:
        """Whether nebular light is part of the spectra."""
        return bool(self.about["gas"])

    @cached_property
    def ssp(self) -> SSPData:
        """The populations that the mixtures make, with their loadings."""
        lgmet, lg_age, wave, edges = (self.axes[name] for name in AXES)
        bins = AgeBins.split(edges)
        young, old = (self.loadings[p].astype(np.float64) @ self.eigenspectra[p] for p in PARTS)
        flux = np.empty((len(lgmet), len(lg_age), len(wave)))
        flux[:, bins.node[: bins.n_young]] = young
        # a bin that is split has the spectra of the old
        flux[:, bins.node[bins.n_young :]] = old
        flux = np.maximum(flux, 0.0) * 10.0 ** self.about["log10_unit"]
        mixed = Loadings(*(self.loadings[part] for part in PARTS))
        return SSPData(lgmet, lg_age, wave, flux, self.mass_remaining, edges, self.ionising,
                       self.name, "", self.about["sha256"], dict(self.about["attrs"]),
                       gas=self.has_gas, loadings=mixed)  # fmt: skip

    # --- files ----------------------------------------------------------------------------

    def arrays(self) -> dict[str, Any]:
        """Return the arrays as a nested dict; `from_arrays` reads it."""
        found: dict[str, Any] = {"axes": self.axes, "loadings": self.loadings,
                                 "eigenspectra": self.eigenspectra}  # fmt: skip
        if self.mass_remaining is not None:
            found["mass_remaining"] = self.mass_remaining
        if self.ionising is not None:
            found["ionising"] = {name: getattr(self.ionising, name) for name in IONISING}
        return found

    @classmethod
    def from_arrays(cls, about: Mapping[str, Any], stored: Mapping[str, Any]) -> CompressedGrid:
        """Return the grid of stored arrays.

        Raises
        ------
        ConfigError
            Arrays whose shapes do not fit together.
        """
        light = stored.get("ionising")
        ionising = None if light is None else IonisingLight(*(light[name] for name in IONISING))
        grid = cls(dict(about), stored["axes"], stored["loadings"], stored["eigenspectra"],
                   stored.get("mass_remaining"), ionising)  # fmt: skip
        grid.check()
        return grid

    def check(self) -> None:
        """Raise ConfigError where shapes do not fit or numbers are not finite."""
        lgmet, lg_age, wave, edges = (self.axes[name] for name in AXES)
        _expect("age edges", edges.shape, (len(lg_age) + 1,))
        for name in AXES:
            _expect(f"order of {name}", bool((np.diff(self.axes[name]) > 0.0).all()), True)
        bins = AgeBins.split(edges)
        sizes = {"young": bins.n_young, "old": len(bins.node) - bins.n_young}
        for part, n_bin in sizes.items():
            mixed, few = self.loadings[part], self.eigenspectra[part]
            _expect(f"eigenspectra of the {part}", few.shape, (mixed.shape[-1], len(wave)))
            _expect(f"loadings of the {part}", mixed.shape[:2], (len(lgmet), n_bin))
        for tree in (self.loadings, self.eigenspectra):
            for name, values in tree.items():
                _expect(f"finite numbers of {name}", bool(np.isfinite(values).all()), True)


def _kept(
    ssp: SSPData, span: tuple[float, float], beyond: np.ndarray | None
) -> tuple[Array, Array]:
    """Return the wavelengths that are kept, and the light (n_met, n_age, n_wave) on them."""
    wave = ssp.ssp_wave
    inside = (wave >= span[0]) & (wave <= span[1])
    if beyond is None:
        return wave[inside], ssp.ssp_flux[..., inside]
    nodes = np.union1d(wave[inside], beyond[(beyond < span[0]) | (beyond > span[1])])
    return nodes, np.stack([compact.project(wave, rows, nodes) for rows in ssp.ssp_flux])


def _mixed(wave: Array, spectra: Array, n: int, part: str) -> tuple[Array, Array]:
    if n > len(spectra):
        raise ConfigError(
            f"network.eigenspectra = {n}: this grid has {len(spectra)} {part} populations: ask for "
            "no more."
        )
    return factors(spectra, relative_weights(wave, spectra), n)


def _expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ConfigError(f"{what}: found {found}, expected {expected}.")
