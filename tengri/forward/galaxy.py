r"""The rest-frame light of one galaxy.

.. math::

    L_\nu = e^{-\tau_{diff} k} \left[ e^{-\tau_{bc} k_{bc}}
            \left( \sum_{t<10\,Myr} m_{Zt} S_{Zt} + L_{gas} \right)
            + \sum_{t>10\,Myr} m_{Zt} S_{Zt} \right] + L_{dust} + L_{AGN}

``m`` is the mass formed in a metallicity node and age bin, ``S`` the SSP spectrum, ``L_gas`` the
nebular emission around young stars where that is a component. ``L_dust`` is what the screens
absorb, ``L_AGN`` lies behind the diffuse screen only with ``agn_screen="diffuse"``. With
``escape="picket_fence"`` what passes the gas by counts among the old stars, no birth cloud in
front; with ``dust_f_clear`` that share of the bracket meets no dust. Lyα is a term of its own,
behind neither screen, where a measured share of it escapes. With ``mean_sfh_type="none"`` there
are no stars, the nucleus alone. Written for one galaxy; under ``vmap`` the sums become matrix
products over the batch.

Shapes: n_met rows of the grid in metals, its metallicities at each [α/Fe] in turn; n_bin age bins
(the SSP's, with the one that holds 10 Myr split in two); n_wave rest wavelengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn import FRACTION, FRACTION_AA
from tengri.components.composition import DISTANCE, Composition
from tengri.components.dust.attenuation import DustLaw
from tengri.components.dust.screen import (
    T_BIRTH_GYR,
    behind,
    diffuse_transmission,
    transmissions,
)
from tengri.components.stellar.lyman_alpha import LyaLine
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.components.stellar.nebular import Gas
from tengri.constants import C_AA_PER_S, LYMAN_ALPHA_AA, SOFTEST_XRAY_AA
from tengri.cosmology import Cosmology, log10_luminosity_to_flux
from tengri.numerics.linalg import matmul
from tengri.numerics.low_rank import Matrix, in_default_float, sum_of_rows
from tengri.static_grid import digest_of

Params = Mapping[str, Array]


@dataclass(frozen=True)
class AgeBins:
    """Lookback-time bins [Gyr] and the SSP age that stands for each.

    Attributes
    ----------
    edges : ndarray, shape (n_bin + 1,)
    node : ndarray of int, shape (n_bin,)
        Index of the SSP age; the bin that straddles 10 Myr appears twice.
    n_young : int
        Bins younger than 10 Myr come first.
    """

    edges: np.ndarray
    node: np.ndarray
    n_young: int

    @classmethod
    def split(cls, edges: np.ndarray, t_birth: float = T_BIRTH_GYR) -> AgeBins:
        """Split the bins of an SSP grid at the age at which birth clouds disperse."""
        split = np.union1d(edges, [t_birth])
        node = np.searchsorted(edges, split[:-1], side="right") - 1
        return cls(split, node, int(np.searchsorted(split, t_birth)))

    @cached_property
    def centres(self) -> np.ndarray:
        """Middle of each bin [Gyr], shape (n_bin,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])


class Spectra(NamedTuple):
    """The spectra of a grid as the matrices of the sums, in units of ``10**log10_flux_unit``.

    Stars ``young`` (n_met·n_young, n_wave) and ``old``; ``gas`` (n_lit, n_wave), if any: see
    `tengri.components.stellar.nebular`; ``lya``, where Lyα is not part of them. NumPy in float64,
    or JAX in the default float; of low rank where the grid is compressed.
    """

    young: Matrix
    old: Matrix
    gas: Matrix | None = None
    lya: LyaLine | None = None

    def in_default_float(self) -> Spectra:
        """Return them as JAX arrays of the process's default float."""
        gas = None if self.gas is None else in_default_float(self.gas)
        lya = None if self.lya is None else self.lya.in_default_float()
        return Spectra(in_default_float(self.young), in_default_float(self.old), gas, lya)


class SSPWeights(NamedTuple):
    """Mass formed by one galaxy and its distribution over the nodes of the SSP grid.

    ``log10_mass`` is the mass formed [Msun]; ``weights`` (n_met, n_bin) sum to 1.
    """

    log10_mass: Array
    weights: Array


class Light(NamedTuple):
    """Rest-frame luminosity ``lnu * 10**log10_scale`` [Lsun/Hz], lnu (n_wave,) of order 1.

    ``parts`` are its terms on the same scale: ``stars`` (attenuated, with the gas around them),
    ``lya`` (what of it reaches the observer, where it is a term of its own), ``agn``, ``dust``;
    ``absorbed`` is the luminosity that dust absorbs [Lsun], on that scale; ``log10_mass`` the mass
    formed [Msun], 0 in a model without stars.
    """

    log10_scale: Array
    parts: dict[str, Array]
    absorbed: Array
    log10_mass: Array

    @property
    def lnu(self) -> Array:
        """The sum of the parts."""
        return sum(self.parts.values())  # type: ignore[return-value]

    def through(self, igm: Array) -> Array:
        """Return the sum behind the intergalactic medium, which a share of Lyα has passed."""
        if "lya" not in self.parts:
            return self.lnu * igm
        other = sum(light for name, light in self.parts.items() if name != "lya")
        return other * igm + self.parts["lya"]


class Stars:
    """When and with which metals the stars formed: all that needs no spectrum.

    Equations and grids without spectra: compiled functions take it as a static argument. Two of
    them are equal where components, cosmology and grids are, compared by a stored digest.

    Parameters
    ----------
    composition : Composition
        The chosen components.
    cosmology : Cosmology
        Gives the age of the Universe at the redshift of observation.
    age_edges_gyr : ndarray, shape (n_age + 1,)
        Edges of the age bins of the SSP grid [Gyr].
    metals : MetalNodes
        Nodes of its metallicities.
    """

    def __init__(
        self,
        composition: Composition,
        cosmology: Cosmology,
        age_edges_gyr: np.ndarray,
        metals: MetalNodes,
    ) -> None:
        self.composition = composition
        self.cosmology = cosmology
        self.bins = AgeBins.split(age_edges_gyr)
        self.metal_nodes = metals

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the grids."""
        return digest_of(self.bins.edges, *self.metal_nodes.axes)

    @cached_property
    def _key(self) -> tuple[str, Composition, Cosmology, str]:
        return type(self).__name__, self.composition, self.cosmology, self.digest

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Stars) and hash(self) == hash(other) and self._key == other._key

    def ssp_weights(self, p: Params) -> SSPWeights:
        """Return the mass formed and its distribution over metallicity and age."""
        log10_mass, fractions = self.formed(p)
        return SSPWeights(log10_mass, self.metals(p) * fractions[None, :])

    def formed(self, p: Params) -> tuple[Array, Array]:
        """Return log10 of the mass formed [Msun] and its distribution over age (n_bin,)."""
        t_univ = self.cosmology.age_gyr(p["redshift"])
        return self.composition.sfh.formed(p, self.bins.edges, t_univ)

    def log10_luminosity_to_flux(self, p: Params) -> Array:
        """Return log10 of Lsun (1+z) / 4πd² [erg/s/cm²], at the distance that ``p`` has, if any."""
        return log10_luminosity_to_flux(self.cosmology, p["redshift"], p.get(DISTANCE.name))

    def metals(self, p: Params) -> Array:
        """Return the distribution of each bin's mass over metals, (n_met, n_bin) or (n_met, 1)."""
        t_univ = self.cosmology.age_gyr(p["redshift"])
        edges, nodes = self.bins.edges, self.metal_nodes
        by_z = self.composition.metallicity.bin_weights(p, edges, t_univ, nodes.lgmet)
        if self.composition.alpha is None:
            return by_z
        by_afe = self.composition.alpha.weights(p, nodes.afe)
        return (by_afe[:, None, None] * by_z).reshape(-1, by_z.shape[-1])


class Galaxy(Stars):
    """The equations of one galaxy on the rest wavelengths ``wave``.

    Parameters
    ----------
    composition, cosmology, age_edges_gyr, metals
        As of `Stars`.
    wave : ndarray, shape (n_wave,)
        Rest wavelengths [Å].
    log10_flux_unit : float
        Spectra are in units of ``10**log10_flux_unit`` Lsun/Hz.
    gas : Gas, optional
        The gas around the young stars, where that is a component.
    """

    def __init__(
        self,
        composition: Composition,
        cosmology: Cosmology,
        age_edges_gyr: np.ndarray,
        metals: MetalNodes,
        wave: np.ndarray,
        log10_flux_unit: float,
        gas: Gas | None = None,
    ) -> None:
        super().__init__(composition, cosmology, age_edges_gyr, metals)
        self.wave = np.asarray(wave, dtype=np.float64)
        self.log10_flux_unit = log10_flux_unit
        self.gas = gas

    def on(self, wave: np.ndarray) -> Galaxy:
        """Return the same equations on other wavelengths."""
        edges = self.bins.edges
        other = Galaxy(self.composition, self.cosmology, edges, self.metal_nodes, wave,
                       self.log10_flux_unit, self.gas)  # fmt: skip
        other.bins = self.bins
        return other

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the grids, and of the ionising light of the stars where there is gas."""
        gas = () if self.gas is None else self.gas.grids
        unit = np.array(self.log10_flux_unit)
        own = self.bins.edges, self.bins.node, *self.metal_nodes.axes, self.wave
        return digest_of(*own, unit, *gas)

    def stars(self, flux: Spectra, w: Array, p: Params) -> tuple[Array, Array]:
        """Return the unattenuated light per unit mass of (young, old) stars, each (n_wave,).

        With young stars comes that of the gas around them. Old is all that no birth cloud is in
        front of: with a picket fence also what escapes from the young.
        """
        n = self.bins.n_young
        young = sum_of_rows(w[:, :n].reshape(-1), flux.young)
        old = sum_of_rows(w[:, n:].reshape(-1), flux.old)
        if self.gas is None or flux.gas is None:
            return young, old
        lit = p, young, w[:, :n], flux.gas
        if self.composition.escape == "screened":
            return self.gas.around(*lit), old
        escaped, inside = self.gas.apart(*lit)
        return inside, old + escaped

    def lyman_alpha(self, flux: Spectra, w: Array, p: Params) -> tuple[Array, Array]:
        """Return (L_ν at the peak of Lyα that gas emits per unit mass, the share that escapes)."""
        assert flux.lya is not None and self.composition.lya_escape is not None
        share = self.composition.lya_escape.share
        assert share is not None
        if self.gas is None:
            n = flux.lya.peak.shape[0] // w.shape[0]
            peak = matmul(w[:, :n].reshape(-1), jnp.asarray(flux.lya.peak))
        else:
            peak = self.gas.lyman_alpha_of(p, w[:, : self.bins.n_young], jnp.asarray(flux.lya.peak))
        return peak, share(p)

    def attenuation(self, p: Params) -> tuple[Array, Array]:
        """Return the transmitted fractions (birth cloud, diffuse), each (n_wave,)."""
        return self.attenuation_at(self.wave, p)

    def attenuation_at(self, wave: Array | np.ndarray, p: Params) -> tuple[Array, Array]:
        """Return the transmitted fractions (birth cloud, diffuse) at ``wave`` [Å], each (n,)."""
        composition = self.composition
        return transmissions(
            p, _curve(composition.dust_bc, wave, p), _curve(composition.dust_diff, wave, p)
        )

    def diffuse(self, p: Params) -> Array:
        """Return what the diffuse dust transmits, (n_wave,)."""
        return diffuse_transmission(p, _curve(self.composition.dust_diff, self.wave, p))

    def light(self, flux: Spectra, p: Params) -> Light:
        """Return the rest-frame light of the whole galaxy."""
        if not self.composition.has_stars:
            return self._nucleus(p)
        return self.light_of(flux, self.ssp_weights(p), p)

    def _nucleus(self, p: Params) -> Light:
        """Return the light of a nucleus without stars."""
        nothing, diffuse = jnp.zeros(()), jnp.ones(())
        if self.composition.agn_screened:
            diffuse = self.diffuse(p)
        dark = {"stars": jnp.zeros(len(self.wave))}
        light = Light(p["agn_log_lbol"] + self.log10_flux_unit, dark, nothing, nothing)
        return self._with_dust(self._with_agn(light, diffuse, p), p)

    def light_of(self, flux: Spectra, formed: SSPWeights, p: Params) -> Light:
        """Return the rest-frame light of given stars, their dust and the nucleus."""
        young, old = self.stars(flux, formed.weights, p)
        transmitted = self.attenuation(p)
        stars = behind(p, transmitted, young, old)
        scale = formed.log10_mass + self.log10_flux_unit
        absorbed = self.luminosity(young + old - stars)
        light = Light(scale, {"stars": stars}, absorbed, formed.log10_mass)
        if flux.lya is not None:
            at = int(np.argmin(np.abs(self.wave - LYMAN_ALPHA_AA)))
            screens = behind(p, (transmitted[0][at], transmitted[1][at]), 1.0, 0.0)
            light = self._with_lya(light, flux, formed, screens, p)
        return self._with_dust(self._with_agn(light, transmitted[1], p), p)

    def _with_dust(self, light: Light, p: Params) -> Light:
        """Add what dust emits of what it has absorbed."""
        if self.composition.dust_emission is None:
            return light
        dust = light.absorbed * self.composition.dust_emission.spectrum(self.wave, p)
        return light._replace(parts={**light.parts, "dust": dust})

    def _with_lya(
        self, light: Light, flux: Spectra, formed: SSPWeights, screens: Array, p: Params
    ) -> Light:
        """Add what escapes of Lyα, and to the heat of dust what the screens take of the rest."""
        assert flux.lya is not None
        profile = jnp.asarray(flux.lya.profile)
        peak, share = self.lyman_alpha(flux, formed.weights, p)
        taken = peak * jnp.minimum(1.0 - share, 1.0 - screens)
        absorbed = light.absorbed + taken * self.luminosity(profile)
        parts = {**light.parts, "lya": share * peak * profile}
        return light._replace(parts=parts, absorbed=absorbed)

    def _with_agn(self, light: Light, diffuse: Array, p: Params) -> Light:
        if self.composition.agn is None:
            return light
        p = {**p, self.composition.agn.amplitude: self.agn_luminosity(light, diffuse, p)}
        # Either part may outshine the other by any factor: scale both to the brighter one.
        agn_scale = p[self.composition.agn.amplitude] + self.log10_flux_unit
        scale = jax.lax.stop_gradient(jnp.maximum(light.log10_scale, agn_scale))
        host = 10.0 ** (light.log10_scale - scale)
        agn = self.composition.agn.spectrum(self.wave, p)
        agn = agn * 10.0**-self.log10_flux_unit * 10.0 ** (agn_scale - scale)
        parts = {name: host * part for name, part in light.parts.items()}
        absorbed = host * light.absorbed
        if not self.composition.agn_screened:
            return light._replace(log10_scale=scale, parts={**parts, "agn": agn}, absorbed=absorbed)
        # grains stop no X-rays: above 1 keV the nucleus shines through
        seen = jnp.where(self.wave < SOFTEST_XRAY_AA, agn, diffuse * agn)
        absorbed = absorbed + self.luminosity(agn - seen)
        return light._replace(log10_scale=scale, parts={**parts, "agn": seen}, absorbed=absorbed)

    def agn_luminosity(self, light: Light, diffuse: Array, p: Params) -> Array:
        """Return log10 L_bol/Lsun of the nucleus, or of one with its share of the light at 5100 Å.

        ``light`` has the stars' part; ``diffuse`` (n_wave,) is what the diffuse dust transmits.
        """
        agn, at = self.composition.agn, int(np.searchsorted(self.wave, FRACTION_AA))
        assert agn is not None
        if not agn.by_fraction:
            return p[agn.amplitude]
        assert agn.luminosity is not None
        screen = diffuse[at] if self.composition.agn_screened else 1.0
        share = p[FRACTION.name]
        ratio = light.parts["stars"][at] / screen * jnp.maximum(share, 1e-12) / (1.0 - share)
        return agn.luminosity(p, light.log10_scale + jnp.log10(ratio))

    def luminosity(self, lnu: Array) -> Array:
        """Integrate L_ν over frequency, trapezoids in ν: [Lsun/Hz] → Lsun."""
        nu = jnp.asarray(C_AA_PER_S / self.wave, float)
        return -jnp.trapezoid(lnu, nu)

    def igm(self, p: Params) -> Array:
        """Return the transmission of the gas between the galaxy and us at ``wave``, (n_wave,)."""
        return self.composition.igm_transmission(self.wave, p)

    def seen(self, light: Light, p: Params) -> Array:
        """Return what gas and the Milky Way let pass of a galaxy's light, (n_wave,)."""
        absorber, escape = self.composition.absorber, self.composition.lya_escape
        if absorber is not None and escape is not None and not escape.params:
            # the mean share of Lyα that arrives knows nothing of an absorber that is named
            lya = light.parts.get("lya", jnp.zeros(()))
            lya = lya * absorber.transmission(self.wave, p)
            light = light._replace(parts={**light.parts, "lya": lya})
        passed, milky_way = light.through(self.igm(p)), self.composition.milky_way
        return passed if milky_way is None else passed * milky_way.transmission(self.wave, p)


def _curve(law: DustLaw, wave: Array | np.ndarray, p: Params) -> Array:
    return jnp.asarray(law.curve(wave, p), float)
