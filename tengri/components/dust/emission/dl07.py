r"""``dl07``: silicate, graphite and PAH grains in a distribution of starlight intensities.

Of the dust mass, 1 − γ sees the diffuse starlight U_min and γ the intensities of
photodissociation regions, dM/dU ∝ U⁻² between U_min and 10⁶ (Draine & Li 2007, ApJ 657, 810,
equation 23):

.. math:: j_\nu = (1 - \gamma) j_\nu(U_{min}) + \gamma j_\nu(U_{min}, 10^6)

The templates are powers per hydrogen nucleon, so that γ is a share of mass: the second kind
outshines the first ⟨U⟩/U_min times, 14 at U_min = 1. Shapes of unit power are interpolated
linearly in q_PAH and log U_min, and mixed by the power that each kind has. The file also has the
dust of the Magellanic Clouds (LMC2_00, LMC2_05, LMC2_10 and the SMC bar: q_PAH of 0.75, 1.49, 2.37
and 0.10 per cent; Draine & Li 2007, table 3), which are other mixtures and lie off the sequence of
the Milky Way's, MW3.1_00 to MW3.1_60: what is interpolated is that sequence alone.

Against the microwave background (`cmb`) the templates are taken apart: grains that starlight and
background hold at one temperature, T = 18 K U_min^(1/6), opacity ∝ ν², and all else, which the
background does not touch (hotter grains, grains heated by single photons). The former are a share
s of the light, by the grey body S of that temperature,

.. math:: s_\nu = \min(1, A S_\nu / j_\nu), \quad A = \max_{250-1000 µm} j_\nu / S_\nu,

three quarters of the power at U_min and all of it in the submillimetre, where S follows the
templates to a tenth. With R_ν the grey body seen at z over that at z = 0 the light is
j_ν [1 + s_ν (R_ν − 1)], of unit power: what stars gave. That integral is within a tenth of 1
before it is divided by.

Shapes: n_qpah × n_umin templates of n_wave wavelengths, two kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.blackbody import NU_PER_K
from tengri.components.dust.emission import cmb
from tengri.components.dust.emission.model import DustEmission, TemplateGrid
from tengri.constants import C_AA_PER_S, T_CMB_K
from tengri.errors import DataError
from tengri.grids import files
from tengri.io import hdf5_reader, seal
from tengri.numerics.interpolation import cell, hat_weights
from tengri.numerics.linalg import einsum, scatter
from tengri.priors import LogUniform, Uniform
from tengri.registry import Change, Param

Params = Mapping[str, Array]


def _qpah(least: float) -> Param:
    return Param("dust_qpah", 2.5, Uniform(least, 4.58), (least, 4.58), "%",
                 "share of the dust mass in PAHs", symbol=r"$q_{\rm PAH}$")  # fmt: skip


#: q_PAH [%] of the Milky Way's dust, MW3.1_00 to MW3.1_60.
MILKY_WAY_QPAH = (0.47, 1.12, 1.77, 2.50, 3.19, 3.90, 4.58)
_STARLIGHT = (
    Param("dust_umin", 1.0, LogUniform(0.1, 25.0), (0.1, 25.0), "",
          "diffuse starlight, in units of the solar neighbourhood's", symbol=r"$U_{\rm min}$"),
    Param("dust_gamma_dl", 0.01, LogUniform(1e-4, 1.0), (0.0, 1.0), "",
          "share of the dust mass in starlight stronger than dust_umin", symbol=r"$\gamma$"),
)  # fmt: skip
PARAMS = (_qpah(MILKY_WAY_QPAH[0]), *_STARLIGHT)

#: Temperature [K] of grains in equilibrium at U = 1, and their emissivity index.
T_OF_U1, BETA = 18.0, 2.0
#: Where the grey body stands for all light [Å], and from where on it is integrated.
_COLD_AA, _WARM_AA = (2.5e6, 1e7), 1.5e5
#: The largest exponent of R: beyond it no share is left.
_STEEPEST = 60.0


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
    """Return all tables of the embedded file, read and verified once.

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


@cache
def milky_way() -> Templates:
    """Return the tables of the Milky Way's dust.

    Raises
    ------
    DataError
        If the file is missing or damaged, or lacks one of them.
    """
    table = templates()
    rows = [int(np.argmin(np.abs(table.qpah - q))) for q in MILKY_WAY_QPAH]
    if not np.allclose(table.qpah[rows], MILKY_WAY_QPAH, atol=1e-3):
        raise DataError(
            f"{files.DUST_DL07} lacks templates of the Milky Way: it has q_PAH = "
            f"{', '.join(map(str, table.qpah))}; get a fresh copy."
        )
    return replace(table, qpah=table.qpah[rows], umin_only=table.umin_only[rows],
                   umin_umax=table.umin_umax[rows])  # fmt: skip


#: Where templates come from: ``milky_way``, or ``templates`` for all of the file.
Source = Callable[[], Templates]


def spectrum(wave_aa: np.ndarray, p: Params, source: Source = milky_way) -> Array:
    """Return L_ν/L_IR [1/Hz] at ``wave_aa`` [Å], shape (n_wave,)."""
    wave = np.asarray(wave_aa, np.float64)
    red = wave >= source().wave[0]
    lit = jnp.asarray(_unit_shapes(wave[red].tobytes(), source), float)
    lnu = einsum("kqu,kquw->w", luminosity_weights(p, source), lit)
    return scatter(lnu, np.flatnonzero(red), len(red))


def seen(wave_aa: np.ndarray, p: Params) -> Array:
    """Return L_ν/L_abs [1/Hz] against the microwave background, shape (n_wave,)."""
    wave, grid = np.asarray(wave_aa, np.float64), _cold_grid()
    red = wave >= grid.wave[0]
    start, weights = corner(p)
    redward = wave[red]

    def mixed(templates: np.ndarray) -> Array:
        """Return the sum of the few that are lit of ``templates`` (n_qpah, n_umin, 2, n)."""
        table, n = jnp.asarray(templates, float), templates.shape[-1]
        origin = jnp.zeros((), jnp.int32)
        few = jax.lax.dynamic_slice(table, (*start, origin, origin), (2, 2, 2, n))
        return einsum("quk,qukw->w", weights, few)

    warm = mixed(grid.power) * (_warmer(grid.nodes, p) - 1.0)
    cold = mixed(_cold_shapes(redward.tobytes())) * (_warmer(redward, p) - 1.0)
    lnu = (mixed(shapes(redward)) + cold) / (1.0 + jnp.sum(warm))
    return scatter(lnu, np.flatnonzero(red), len(red))


def _warmer(wave_aa: np.ndarray, p: Params) -> Array:
    """Return R (n_wave,): a grey body seen at the redshift over the same dust at z = 0."""
    nu, z = C_AA_PER_S / wave_aa, p["redshift"]
    temperature = T_OF_U1 * jnp.exp(jnp.log(p["dust_umin"]) / (4.0 + BETA))
    g, today = (cmb.gain(temperature, BETA, at) for at in (z, 0.0))
    x0 = jnp.asarray(nu / NU_PER_K, float) / temperature
    x = jnp.asarray(nu / NU_PER_K, float) / (cmb.background(z) * jnp.exp(g))
    bodies = jnp.exp(jnp.minimum(x0 - x, _STEEPEST)) * jnp.expm1(-x0) / jnp.expm1(-x)
    return bodies * cmb.contrast(nu, g, z) / cmb.contrast(nu, today, 0.0)


def luminosity_weights(p: Params, source: Source = milky_way) -> Array:
    """Return the share of L_IR in each template: (2, n_qpah, n_umin), sums to 1."""
    table, gamma = source(), p["dust_gamma_dl"]
    qpah = hat_weights(p["dust_qpah"], table.qpah)
    umin = hat_weights(jnp.log(p["dust_umin"]), np.log(table.umin))
    node = qpah[:, None] * umin[None, :]
    return _kinds(gamma, node, jnp.asarray(table.ratio, float))[:, None, None] * node[None]


def _kinds(gamma: Array, node: Array, ratio: Array) -> Array:
    """Return the share of L_IR in either kind (2,), for shares of mass and powers of templates."""
    strong = gamma * jnp.sum(node * ratio)  # relative to U_min
    return jnp.stack([1.0 - gamma, strong]) / (1.0 - gamma + strong)


def corner(p: Params, source: Source = milky_way) -> tuple[tuple[Array, Array], Array]:
    """Return the cell of the table, and what of `luminosity_weights` is not zero: (2, 2, 2)."""
    table = source()
    (i, s), (j, t) = cell(p["dust_qpah"], table.qpah), cell(jnp.log(p["dust_umin"]),
                                                            np.log(table.umin))  # fmt: skip
    node = jnp.outer(jnp.stack([1.0 - s, s]), jnp.stack([1.0 - t, t]))
    ratio = jax.lax.dynamic_slice(jnp.asarray(table.ratio, float), (i, j), (2, 2))
    return (i, j), node[..., None] * _kinds(p["dust_gamma_dl"], node, ratio)[None, None]


def shapes(wave_aa: np.ndarray, source: Source = milky_way) -> np.ndarray:
    """Return the templates of unit power [1/Hz], (n_qpah, n_umin, 2, n_wave)."""
    return np.moveaxis(_unit_shapes(np.asarray(wave_aa, np.float64).tobytes(), source), 0, 2)


@lru_cache(maxsize=8)
def _unit_shapes(wave_aa: bytes, source: Source) -> np.ndarray:
    """Return the templates of unit power on a wavelength grid, (2, n_qpah, n_umin, n_wave)."""
    table, wave = source(), np.frombuffer(wave_aa, np.float64)
    kinds = (table.umin_only, table.umin_umax)
    return np.stack([table.at(lnu, wave) / table.power(lnu)[..., None] for lnu in kinds])


@cache
def _cold() -> np.ndarray:
    """Return the light s j of grains in equilibrium, of unit templates (n_qpah, n_umin, 2, n)."""
    table = milky_way()
    lit = shapes(table.wave)
    nu = C_AA_PER_S / table.wave
    temperature = T_OF_U1 * table.umin[:, None] ** (1.0 / (4.0 + BETA))
    bodies = 1.0 / np.expm1(np.minimum(nu / NU_PER_K / temperature, 600.0))
    bodies -= 1.0 / np.expm1(np.minimum(nu / NU_PER_K / T_CMB_K, 600.0))
    grey = ((nu / nu[0]) ** (3.0 + BETA) * bodies)[:, None]  # (n_umin, 1, n)
    submillimetre = (table.wave > _COLD_AA[0]) & (table.wave < _COLD_AA[1])
    height = np.max(lit[..., submillimetre] / grey[..., submillimetre], axis=-1)
    return np.minimum(lit, height[..., None] * grey)


@lru_cache(maxsize=8)
def _cold_shapes(wave_aa: bytes) -> np.ndarray:
    """Return that light on a wavelength grid, (n_qpah, n_umin, 2, n_wave)."""
    return milky_way().at(_cold(), np.frombuffer(wave_aa, np.float64))


class _ColdGrid(NamedTuple):
    """What the integral over that light needs: all nodes of the table, some, and their power."""

    wave: np.ndarray
    nodes: np.ndarray
    power: np.ndarray  # (n_qpah, n_umin, 2, n_nodes)


@cache
def _cold_grid() -> _ColdGrid:
    """Return the grid of the integral: every second node is enough, 2 per cent apart."""
    wave = milky_way().wave
    some = np.flatnonzero(wave > _WARM_AA)[::2]
    nu = C_AA_PER_S / wave[some]
    steps = -0.5 * (np.diff(nu, append=nu[-1]) + np.diff(nu, prepend=nu[0]))
    return _ColdGrid(wave, wave[some], _cold()[..., some] * steps)


#: All templates of the file in one sequence of q_PAH: colours jumped between clouds and galaxy.
_MIXED = DustEmission(
    "dl07",
    (_qpah(0.1), *_STARLIGHT),
    partial(spectrum, source=templates),
    "Draine & Li 2007, ApJ 657, 810; Draine et al. 2007, ApJ 663, 866",
    lambda: templates().wave,
    TemplateGrid(partial(shapes, source=templates), partial(corner, source=templates)),
)

DL07 = DustEmission(
    "dl07",
    PARAMS,
    spectrum,
    _MIXED.reference,
    lambda: milky_way().wave,
    TemplateGrid(shapes, corner),
    seen,
    changes=(
        Change("dust_qpah follows dust of the Milky Way alone, without that of the Magellanic "
               "Clouds in between", before=_MIXED),
    ),
)  # fmt: skip


def table(emission: DustEmission) -> Templates:
    """Return the templates of this model, or of its first version."""
    return templates() if emission.physics == 1 else milky_way()
