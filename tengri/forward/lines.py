r"""Emission lines of one galaxy: luminosities, fluxes and equivalent widths.

.. math::

    L = T(\lambda) (1 - f_{esc}) \sum m_{Zt} Q_{Zt} N(Z, t, U), \quad
    F = L \, T_{IGM} T_{MW} / 4\pi d^2

with the photons Q of the young stars and the light N per photon of the table in the place of the
spectra of `tengri.components.stellar.nebular`. The screens T (birth cloud and diffuse dust, those
of all young stars) are taken at the centre of the line, ``exp(-τ_bc k_bc - τ_diff k_diff)``. Where
a share of Lyα escapes, that is its L; it lies behind neither screen nor the intergalactic medium.

Equivalent widths are over the continuum that leaves the galaxy beside the line: stars, gas, dust
and nucleus, without any line of gas or nucleus, with the nucleus's Fe II; the mean of L_λ over two
windows, 0.6 to 1.2 per cent of λ on either side, which pass by the absorption lines of stars as the
sidebands of indices do (Worthey & Ottaviani 1997, ApJS 111, 377).

.. math:: EW_{rest} = L / \langle L_\lambda \rangle, \quad
          EW_{obs} = (1 + z) T_{IGM} EW_{rest}

The intergalactic medium is averaged over the profile, a triangle of the line's variance: 100 km/s
for gas as in spectra, for a nucleus the default width of the line. Redward of Lyα it is 1.

Lines of a nucleus bear the prefix ``agn_`` and are as seen: past the torus, behind polar dust and,
with ``agn_screen="diffuse"``, the host's.

A grid of stars and gas may list its lines: their L is that of its populations
(`tengri.forward.grid_lines`), and the windows avoid all other lines, which its spectra hold.

Shapes: n_line lines, those of gas first; n_node nodes of the table of gas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.screen import behind
from tengri.components.line_list import NEAR, LineList
from tengri.constants import C_AA_PER_S, C_KM_S, LSUN_ERG_S, LYMAN_ALPHA_AA
from tengri.errors import ConfigError
from tengri.forward.evaluator import FixedValues, Params
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Galaxy, Light, Spectra
from tengri.forward.grid_lines import clear_windows, emitted
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.line_sources import line_list_of, lines_of_stars
from tengri.grids.compact import LINE_SIGMA_KMS
from tengri.numerics.linalg import einsum, matmul
from tengri.static_grid import StaticGrid

#: Points of a profile on either side of its centre.
N_SIDE = 3
#: The windows of the continuum, Δλ/λ, and wavelengths that sample each.
WINDOW, N_SAMPLES = (0.006, 0.012), 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Lines:
    """Emission lines of one galaxy (n_line,), of many (n, n_line), or one of them.

    ``lines["Ha_6565"]`` is one line, ``lines[["Ha_6565", "Hb_4863"]]`` are several; see
    `tengri.components.line_list` for how names may be written.

    Attributes
    ----------
    luminosity_lsun : Array
        As it leaves the galaxy, behind its dust [Lsun].
    flux : Array
        As observed [erg/s/cm²]; NaN at redshift 0 without ``distance_mpc``.
    ew_rest, ew_obs : Array
        Equivalent widths [Å], positive in emission; NaN where there is no continuum.
    line_list : LineList
        Names and wavelengths.
    """

    luminosity_lsun: Any
    flux: Any
    ew_rest: Any
    ew_obs: Any
    line_list: LineList = field(metadata={"static": True})

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the last axis."""
        return self.line_list.names

    @property
    def wavelength(self) -> np.ndarray:
        """Vacuum wavelengths at rest [Å], (n_line,)."""
        return np.array(self.line_list.waves)

    @property
    def luminosity(self) -> Any:
        """As it leaves the galaxy, behind its dust [erg/s]: NumPy in float64, or traced.

        Raises
        ------
        ConfigError
            In single precision inside ``jit`` or ``grad``: 1e40 is beyond it.
        """
        lsun = self.luminosity_lsun
        if isinstance(lsun, jax.core.Tracer):
            if lsun.dtype == np.float64:
                return lsun * LSUN_ERG_S
            raise ConfigError(
                "A luminosity in erg/s is beyond single precision: inside jit and grad take "
                "luminosity_lsun, flux or an equivalent width, or enable x64."
            )
        return np.asarray(lsun, np.float64) * LSUN_ERG_S

    def __getitem__(self, name: str | Sequence[str]) -> Lines:
        """Return one line by its name, without the last axis, or several."""
        one = isinstance(name, str)
        at: Any = self.line_list.indices(name)
        known = LineList(*(tuple(x[i] for i in at) for x in (self.names, self.line_list.waves)))
        at = at[0] if one else np.array(at, np.int32)
        return jax.tree.map(lambda x: x[..., at], replace(self, line_list=known))

    def __len__(self) -> int:
        return len(self.line_list)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LineEvaluator:
    """The emission lines of one galaxy as a pure function of its parameters.

    Attributes
    ----------
    whole : ExactEvaluator
        Spectra on all wavelengths: what dust absorbs, and the light at 5100 Å.
    galaxy, beside : Galaxy
        Equations at the wavelengths of the lines, and in the windows on either side,
        (2 * n_line,): all those to the blue first.
    line_list : LineList
    spectra : Spectra
        Mean light in the windows, without lines.
    gas : Array, shape (n_node, n_of_gas), or None
        Luminosities of the lines of gas [Lsun].
    listed : (Array, Array) or None
        Luminosities of lines that the grid lists: see `tengri.forward.grid_lines`.
    n_gas : int
        Lines of gas or of the grid.
    points : StaticGrid
        Wavelengths [Å] on the profiles, (n_line * 2 * N_SIDE,).
    profile : Array, shape (2 * N_SIDE,)
        Their weights.
    """

    whole: ExactEvaluator
    galaxy: Galaxy = field(metadata={"static": True})
    beside: Galaxy = field(metadata={"static": True})
    line_list: LineList = field(metadata={"static": True})
    spectra: Spectra
    gas: Any
    listed: tuple[Any, Any] | None
    n_gas: int = field(metadata={"static": True})
    points: StaticGrid = field(metadata={"static": True})
    profile: Any

    @classmethod
    def build(cls, grid: GridSpectra, whole: ExactEvaluator) -> LineEvaluator:
        """Return the evaluator of the lines of a grid's gas and nucleus."""
        gas, agn = grid.galaxy.gas, grid.galaxy.composition.agn
        lines = line_list_of(grid)
        wave, n_gas = np.array(lines.waves), len(lines_of_stars(grid))
        sigma = [LINE_SIGMA_KMS] * n_gas
        sigma += () if agn is None or agn.lines is None else agn.lines.sigma_kms
        windows = _windows(wave) if grid.listed is None else clear_windows(wave, N_SAMPLES)
        beside, spectra = grid.without_lines(windows)
        offsets, weights = _triangle()
        points = wave[:, None] * (1.0 + np.array(sigma)[:, None] / C_KM_S * offsets)
        table = None if gas is None else jnp.asarray(gas.lines(), float)
        listed = None if grid.listed is None else grid.listed.in_default_float()
        profiles = StaticGrid(points.ravel()), jnp.asarray(weights, float)
        return cls(whole, grid.galaxy.on(wave), beside, lines, spectra.in_default_float(), table,
                   listed, n_gas, *profiles)  # fmt: skip

    @property
    def fixed(self) -> FixedValues:
        """Parameters that may be left out."""
        return self.whole.fixed

    def lines(self, p: Params) -> tuple[Lines, Array]:
        """Return the lines of one galaxy, and log10 of the mass formed: pure, unchecked."""
        p, galaxy = self.fixed.complete(p), self.galaxy
        light, z = self.whole.spectrum(p), p["redshift"]
        of_nucleus, beneath = self._nucleus(light, p)
        luminosity = jnp.concatenate([self._gas(p), of_nucleus])
        lnu = self._stars(p) + beneath + self._dust(light, p)
        per_aa = lnu * jnp.asarray(C_AA_PER_S / self.beside.wave**2, float)
        continuum = jnp.mean(per_aa.reshape(2, -1), axis=0)
        dark = continuum <= 0.0
        ew = jnp.where(dark, jnp.nan, luminosity / jnp.where(dark, 1.0, continuum))
        passed = self._igm(p)
        arrives = passed * 10.0 ** galaxy.log10_luminosity_to_flux(p) / (1.0 + z)
        if galaxy.composition.milky_way is not None:
            arrives = arrives * galaxy.composition.milky_way.transmission(galaxy.wave, p)
        placed = galaxy.composition.by_distance | (z > 0.0)
        flux = jnp.where(placed, luminosity * jnp.where(placed, arrives, 1.0), jnp.nan)
        found = Lines(luminosity, flux, ew, (1.0 + z) * passed * ew, self.line_list)
        certain = light.log10_mass >= 0.0
        return jax.tree.map(lambda x: jnp.where(certain, x, jnp.nan), found), light.log10_mass

    def _gas(self, p: Params) -> Array:
        """Return the luminosities of the lines of gas behind the dust [Lsun]."""
        galaxy, n = self.galaxy, self.n_gas
        if n == 0:
            return jnp.zeros(0)
        formed, n_young = galaxy.ssp_weights(p), galaxy.bins.n_young
        if self.listed is not None:
            young, old = emitted(self.listed, formed.weights, n_young)
        else:
            young = galaxy.gas.lines_of(p, formed.weights[:, :n_young], self.gas)  # type: ignore[union-attr]
            old = jnp.zeros(n)
        seen = behind(p, galaxy.attenuation_at(galaxy.wave[:n], p), young, old)
        if self._lyman_alpha is not None:
            share = galaxy.composition.lya_escape.share(p)  # type: ignore[union-attr,misc]
            seen = jnp.where(np.arange(n) == self._lyman_alpha, (young + old) * share, seen)
        return seen * 10.0**formed.log10_mass

    @property
    def _lyman_alpha(self) -> int | None:
        """The place of Lyα where a share of it escapes."""
        if self.n_gas == 0 or self.galaxy.composition.lya_escape is None:
            return None
        apart = np.abs(self.galaxy.wave[: self.n_gas] / LYMAN_ALPHA_AA - 1.0)
        return int(np.argmin(apart)) if apart.min() < NEAR else None

    def _stars(self, p: Params) -> Array:
        """Return L_ν of stars and gas behind the dust beside the lines [Lsun/Hz]."""
        galaxy = self.beside
        if not galaxy.composition.has_stars:
            return jnp.zeros(len(galaxy.wave))
        formed = galaxy.ssp_weights(p)
        young, old = galaxy.stars(self.spectra, formed.weights, p)
        seen = behind(p, galaxy.attenuation(p), young, old)
        return seen * 10.0 ** (formed.log10_mass + galaxy.log10_flux_unit)

    def _dust(self, light: Light, p: Params) -> Array:
        """Return L_ν of dust beside the lines [Lsun/Hz]."""
        emission = self.beside.composition.dust_emission
        if emission is None:
            return jnp.zeros(())
        return emission.spectrum(self.beside.wave, p) * light.absorbed * 10.0**light.log10_scale

    def _nucleus(self, light: Light, p: Params) -> tuple[Array, Array]:
        """Return the nucleus's lines [Lsun], and its L_ν beside all lines [Lsun/Hz]."""
        agn, screened = self.galaxy.composition.agn, self.galaxy.composition.agn_screened
        if agn is None:
            return jnp.zeros(0), jnp.zeros(())
        everywhere, at, beside = (
            galaxy.diffuse(p) if screened else jnp.ones(len(galaxy.wave))
            for galaxy in (self.whole.galaxy, self.galaxy, self.beside)
        )
        lbol = self.whole.galaxy.agn_luminosity(light, everywhere, p)
        p = {**p, agn.amplitude: lbol}
        if agn.lines is None:
            return jnp.zeros(0), agn.spectrum(self.beside.wave, p) * beside * 10.0**lbol
        lines, beneath = agn.lines.luminosities(p), agn.lines.continuum(self.beside.wave, p)
        return lines * at[-len(lines) :] * 10.0**lbol, beneath * beside * 10.0**lbol

    def _igm(self, p: Params) -> Array:
        """Return the share of each line that the intergalactic medium lets pass."""
        composition, shape = self.galaxy.composition, (len(self.line_list), 2 * N_SIDE)
        points = self.points.values
        passed = matmul(composition.igm_transmission(points, p).reshape(shape), self.profile)
        if self._lyman_alpha is None:
            return passed
        own = jnp.ones(())
        absorber, escape = composition.absorber, composition.lya_escape
        if absorber is not None and not escape.params:  # type: ignore[union-attr]
            # as in spectra: the mean share of Lyα knows nothing of an absorber that is named
            at = points.reshape(shape)[self._lyman_alpha]
            own = einsum("i,i->", absorber.transmission(at, p), self.profile)
        return jnp.where(np.arange(len(passed)) == self._lyman_alpha, own, passed)


def _windows(wave: np.ndarray) -> np.ndarray:
    """Return wavelengths [Å] in the windows beside lines, (2 * n_line, N_SAMPLES)."""
    middle = (np.arange(N_SAMPLES) + 0.5) / N_SAMPLES
    offsets = WINDOW[0] + (WINDOW[1] - WINDOW[0]) * middle
    return np.concatenate([wave[:, None] * (1.0 + side * offsets) for side in (-1.0, 1.0)])


def _triangle() -> tuple[np.ndarray, np.ndarray]:
    """Return offsets in units of σ and weights, which sum to 1, of a triangle of unit variance.

    Nodes of Gauss and Legendre on either side: the Lyman series is where the medium has steps.
    """
    x, w = np.polynomial.legendre.leggauss(N_SIDE)
    x, w = 0.5 * (x + 1.0), 0.5 * w
    half = w * (1.0 - x)
    half = half / (2.0 * half.sum())
    reach = np.sqrt(6.0) * x
    return np.concatenate([-reach[::-1], reach]), np.concatenate([half[::-1], half])
