r"""``dl07``: silicate, graphite and PAH grains in a distribution of starlight intensities.

Of the dust mass, 1 − γ sees the diffuse starlight U_min and γ the intensities of
photodissociation regions, dM/dU ∝ U⁻² between U_min and 10⁶ (Draine & Li 2007, ApJ 657, 810,
equation 23):

.. math:: j_\nu = (1 - \gamma) j_\nu(U_{min}) + \gamma j_\nu(U_{min}, 10^6)

The templates are powers per hydrogen nucleon, so that γ is a share of mass: the second kind
outshines the first ⟨U⟩/U_min times, 14 at U_min = 1. Shapes of unit power are interpolated
linearly in q_PAH and log U_min, and mixed by the power that each kind has.

Shapes: n_qpah × n_umin templates of n_wave wavelengths, two kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.emission.model import DustEmission, TemplateGrid
from tengri.components.hats import cell, hat_weights
from tengri.constants import C_AA_PER_S
from tengri.errors import DataError
from tengri.grids import files
from tengri.io import hdf5_reader, seal
from tengri.priors import LogUniform, Uniform
from tengri.products import einsum
from tengri.registry import Param
from tengri.spread import spread

Params = Mapping[str, Array]

PARAMS = (
    Param("dust_qpah", 2.5, Uniform(0.1, 4.58), (0.1, 4.58), "%",
          "share of the dust mass in PAHs"),
    Param("dust_umin", 1.0, LogUniform(0.1, 25.0), (0.1, 25.0), "",
          "diffuse starlight, in units of the solar neighbourhood's"),
    Param("dust_gamma_dl", 0.01, LogUniform(1e-4, 1.0), (0.0, 1.0), "",
          "share of the dust mass in starlight stronger than dust_umin"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Templates:
    """The tables: nodes, wavelengths [Å], and L_ν (n_qpah, n_umin, n_wave) of both kinds."""

    wave: np.ndarray
    qpah: np.ndarray
    umin: np.ndarray
    umin_only: np.ndarray
    umin_umax: np.ndarray

    def power(self, lnu: np.ndarray) -> np.ndarray:
        """Return ∫ L_ν dν of each template, shape (n_qpah, n_umin)."""
        return -np.trapezoid(lnu, C_AA_PER_S / self.wave)

    @property
    def ratio(self) -> np.ndarray:
        """Power of the second kind over that of the first, (n_qpah, n_umin)."""
        return self.power(self.umin_umax) / self.power(self.umin_only)

    def at(self, lnu: np.ndarray, wave_aa: np.ndarray) -> np.ndarray:
        """Return L_ν at ``wave_aa``: linear in ν, a power law beyond the end."""
        nu, at = C_AA_PER_S / self.wave, C_AA_PER_S / wave_aa
        i = np.clip(np.searchsorted(self.wave, wave_aa) - 1, 0, len(nu) - 2)
        t = np.clip((at - nu[i]) / (nu[i + 1] - nu[i]), 0.0, 1.0)
        slope = np.log(lnu[..., -1:] / lnu[..., -9:-8]) / np.log(nu[-1] / nu[-9])
        tail = np.minimum(at / nu[-1], 1.0) ** slope
        inside = (1.0 - t) * lnu[..., i] + t * lnu[..., i + 1]
        return np.where(wave_aa >= self.wave[0], inside * tail, 0.0)


@cache
def templates() -> Templates:
    """Return the tables of the embedded file, read and verified once.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    path = files.resolve(files.DUST_DL07)
    seal.verify(path)
    with hdf5_reader.open_hdf5(path) as file:
        missing = {"wave", "qpah", "umin", "umin_only", "umin_umax"} - set(file)
        if missing:
            raise DataError(f"{path}: no dataset {', '.join(sorted(missing))}; get a fresh copy.")
        wave, qpah, umin, *lnu = (hdf5_reader.array(file, name, path).astype(np.float64)
                                  for name in ("wave", "qpah", "umin", "umin_only", "umin_umax")
                                  )  # fmt: skip
    # the tables begin at 1 µm; within one more step they end, so that no band sees a jump
    dark = [(0, 0), (0, 0), (1, 0)]
    return Templates(np.append(wave[0] ** 2 / wave[1], wave), qpah, umin,
                     *(np.pad(a, dark) for a in lnu))  # fmt: skip


def spectrum(wave_aa: np.ndarray, p: Params) -> Array:
    """Return L_ν/L_IR [1/Hz] at ``wave_aa`` [Å], shape (n_wave,)."""
    wave = np.asarray(wave_aa, np.float64)
    red = wave >= templates().wave[0]
    lit = jnp.asarray(_unit_shapes(wave[red].tobytes()), float)
    lnu = einsum("kqu,kquw->w", luminosity_weights(p), lit)
    return spread(lnu, np.flatnonzero(red), len(red))


def luminosity_weights(p: Params) -> Array:
    """Return the share of L_IR in each template: (2, n_qpah, n_umin), sums to 1."""
    table, gamma = templates(), p["dust_gamma_dl"]
    qpah = hat_weights(p["dust_qpah"], table.qpah)
    umin = hat_weights(jnp.log(p["dust_umin"]), np.log(table.umin))
    node = qpah[:, None] * umin[None, :]
    return _kinds(gamma, node, jnp.asarray(table.ratio, float))[:, None, None] * node[None]


def _kinds(gamma: Array, node: Array, ratio: Array) -> Array:
    """Return the share of L_IR in either kind (2,), for shares of mass and powers of templates."""
    strong = gamma * jnp.sum(node * ratio)  # relative to U_min
    return jnp.stack([1.0 - gamma, strong]) / (1.0 - gamma + strong)


def corner(p: Params) -> tuple[tuple[Array, Array], Array]:
    """Return the cell of the table, and what of `luminosity_weights` is not zero: (2, 2, 2)."""
    table = templates()
    (i, s), (j, t) = cell(p["dust_qpah"], table.qpah), cell(jnp.log(p["dust_umin"]),
                                                            np.log(table.umin))  # fmt: skip
    node = jnp.outer(jnp.stack([1.0 - s, s]), jnp.stack([1.0 - t, t]))
    ratio = jax.lax.dynamic_slice(jnp.asarray(table.ratio, float), (i, j), (2, 2))
    return (i, j), node[..., None] * _kinds(p["dust_gamma_dl"], node, ratio)


def shapes(wave_aa: np.ndarray) -> np.ndarray:
    """Return the templates of unit power [1/Hz], (n_qpah, n_umin, 2, n_wave)."""
    return np.moveaxis(_unit_shapes(np.asarray(wave_aa, np.float64).tobytes()), 0, 2)


@lru_cache(maxsize=8)
def _unit_shapes(wave_aa: bytes) -> np.ndarray:
    """Return the templates of unit power on a wavelength grid, (2, n_qpah, n_umin, n_wave)."""
    table, wave = templates(), np.frombuffer(wave_aa, np.float64)
    kinds = (table.umin_only, table.umin_umax)
    return np.stack([table.at(lnu, wave) / table.power(lnu)[..., None] for lnu in kinds])


DL07 = DustEmission(
    "dl07",
    PARAMS,
    spectrum,
    "Draine & Li 2007, ApJ 657, 810; Draine et al. 2007, ApJ 663, 866",
    lambda: templates().wave,
    TemplateGrid(shapes, corner),
)
