r"""``band_nodes``: tables of a few eigenspectra at a few wavelengths of each band.

At a few nodes of each band the light of the stars has not met any dust yet, and a screen is a
number,

.. math::

    F_b = \sum_{q \in b} \left[ D_q (B_q Y_q + O_q) \right], \quad
    D_q = e^{-\tau_{diff} k_{diff}(\lambda_q / (1+z))}, \quad
    B_q = e^{-\tau_{bc} k_{bc}(\lambda_q / (1+z))}

for young stars Y and old ones O (`emulator.tabulated.quadrature`). They are linear in the masses m
of every metallicity and age, and smooth in ln(1 + z),

.. math:: Y_q = \sum_r G_{qr}(z) \sum_{s} V_{sr} m_s ,

with few eigenspectra r (`emulator.tabulated.eigenspectra`) and cubic splines of G relative to a
typical light of its piece of the band, whose logarithm is a spline, too. So the redshift is
the only input, and histories of star formation and of metals, dust of any law, dust of the Milky
Way and the escape of Lyα are exact algebra at the call: a spec chooses them where the surrogate is
loaded.

Nothing is trained: the table follows from the exact model (`emulator.tabulated.tabulate`). Where
the spec has dust emission, the light at a few rest wavelengths says what dust absorbs of it: linear
in m too, and without a redshift.

Shapes: n_node nodes of all bands, n_heat wavelengths of absorbed light, n_met metallicities, n_bin
ages; populations s are the young ones, metallicity by metallicity, then the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.networks import Weights
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.tabulated import quadrature
from emulator.tabulated.tabulate import LOG10_UNIT, TableLayout, tabulate
from emulator.targets.target import Params, Target, check_no_distance
from tengri.components.composition import Composition, settings_of
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.components.dust.screen import CLEAR, behind, transmissions
from tengri.constants import LYMAN_ALPHA_AA
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import AgeBins, Stars
from tengri.numerics.linalg import einsum, matmul
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

#: No band is given fainter than this share of the brightest: polynomials can miss zero.
FLOOR = 1e-9
#: What lies so far redward of Lyα that its line is not seen [Å].
LYA_WITHIN_AA = 30.0

#: What may be asked for beyond the training.
NOTES = (
    "Star-formation and metallicity histories, both laws of dust and their parameters, a share of "
    "light without dust and dust of the Milky Way are exact: give a spec with any of them, and an "
    "AGN if you like. Only the redshift has a trained range; metals are those of the SSP grid, "
    "clamped to its ends.",
)


@dataclass(frozen=True)
class BandNodesTarget(Target):
    """The redshift → eigenspectra at the nodes of all bands; see the top of the file.

    Attributes
    ----------
    nodes : tuple of float
        Observed wavelengths of the nodes of all bands [Å].
    sizes : tuple of int
        How many nodes each band has.
    n_bins, n_young : int
        Age bins, and how many of them are younger than 10 Myr.
    absorbs : bool
        Whether it is known what dust absorbs.
    own_lya : bool
        Whether Lyα is a term of its own.
    pieces : tuple of int
        How many nodes each piece of a band has; none in files whose light is not relative.
    firsts : tuple of float
        The bluest wavelength of each piece [Å].
    """

    name: ClassVar[str] = "band_nodes"
    tabulated: ClassVar[bool] = True
    block: ClassVar[int] = 256

    nodes: tuple[float, ...]
    sizes: tuple[int, ...]
    n_bins: int
    n_young: int
    absorbs: bool = False
    own_lya: bool = False
    pieces: tuple[int, ...] = ()
    firsts: tuple[float, ...] = ()

    @classmethod
    def build(
        cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> BandNodesTarget:
        """Return the target for a spec, bands and the age bins of an SSP grid.

        Raises
        ------
        ConfigError
            A fixed redshift, gas with free parameters, neutral hydrogen, an AGN or a distance.
        """
        composition = spec.composition
        _check_tabulated(composition)
        prior = spec.get_distribution("redshift")
        if prior.is_fixed:
            raise ConfigError(
                "The target 'band_nodes' is a table over redshift: give it a range, e.g. "
                "Parameters(redshift=(0.01, 1.0))."
            )
        filters, bins = photometry.filters, AgeBins.split(np.asarray(age_edges))
        absorbs = composition.dust_emission is not None
        bluest = min(f.wave[0] for f in filters) / (1.0 + float(prior.bounds[1]))
        sees_lya = absorbs or bluest < LYMAN_ALPHA_AA + LYA_WITHIN_AA
        by_band = [quadrature.band_pieces(f) for f in filters]
        pieces = [piece for of_band in by_band for piece in of_band]
        return cls(
            tuple(x for piece in pieces for x in piece.nodes),
            tuple(sum(len(piece.nodes) for piece in of_band) for of_band in by_band),
            len(bins.edges) - 1,
            bins.n_young,
            absorbs,
            composition.lya_escape is not None and bool(sees_lya),
            tuple(len(piece.nodes) for piece in pieces),
            tuple(piece.first for piece in pieces),
        )

    def rebuilt(
        self, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> BandNodesTarget:
        """Return the target of a spec with these nodes, if each band's lie in its curve."""
        target = self.build(spec, photometry, age_edges)
        edges = [(f.wave[0], f.wave[-1]) for f in photometry.filters]
        own = {name: getattr(self, name) for name in ("nodes", "sizes", "pieces", "firsts")}
        return replace(target, **own) if self._fits(edges) else target

    def _fits(self, edges: list[tuple[float, float]]) -> bool:
        """Return whether all nodes and pieces lie in the bands that begin and end at ``edges``."""
        counted = len(self.sizes) == len(edges) and sum(self.sizes) == len(self.nodes)
        if not counted or len(self.pieces) != len(self.firsts):
            return False
        if self.pieces and sum(self.pieces) != len(self.nodes):
            return False
        lo, hi = np.repeat(np.array(edges), self.sizes, axis=0).T
        starts = np.cumsum((0, *self.pieces))[:-1]
        inside = (lo <= self.nodes) & (self.nodes <= hi)
        return bool(inside.all() and (lo[starts] <= self.firsts).all())

    @property
    def by_band(self) -> tuple[tuple[quadrature.Piece, ...], ...]:
        """Pieces of each band."""
        ends = np.cumsum(self.pieces)
        pieces = [quadrature.Piece(first, self.nodes[end - n : end])
                  for first, n, end in zip(self.firsts, self.pieces, ends)]  # fmt: skip
        band = np.searchsorted(np.cumsum(self.sizes), ends)
        return tuple(tuple(p for p, of in zip(pieces, band) if of == b)
                     for b in range(self.n_bands))  # fmt: skip

    # --- sizes --------------------------------------------------------------------------------

    @property
    def input_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the redshift."""
        return ("redshift",)

    @property
    def n_bands(self) -> int:  # type: ignore[override]
        """Number of bands."""
        return len(self.sizes)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all bands."""
        return len(self.nodes)

    @property
    def n_out(self) -> int:
        """Number of outputs before they are compressed: light at every node of every age."""
        return self.n_nodes * self.n_bins

    def scaling_shapes(self, given: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the output scaling: see `emulator.tabulated.tabulate`."""
        n_latent, n_population = len(given["scale"]), len(given["rotation"])
        if n_population % self.n_bins or (n_latent - self._n_other) % (2 * self.n_nodes):
            return {"rotation": (), "scale": (), "mean": ()}  # of other bands, or another grid
        n = self._n_eigenspectra(n_latent)
        more = self.own_lya * (1 + self.absorbs) + self.absorbs * len(quadrature.heat_nodes())
        return {"mean": (n_latent,), "scale": (n_latent,), "rotation": (n_population, n + more)}

    @property
    def _n_line(self) -> int:
        """Number of outputs that are the profile of Lyα in the bands."""
        return self.n_bands if self.own_lya else 0

    @property
    def _n_other(self) -> int:
        """Number of outputs that are no light of eigenspectra: ln g, and Lyα."""
        return len(self.pieces) + self._n_line

    def _n_eigenspectra(self, n_latent: int) -> int:
        return (n_latent - self._n_other) // (2 * self.n_nodes)

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the redshift; bands move through a spectrum in ln(1 + z)."""
        return InputScaling.from_spec(spec, self.input_names, shifted={"redshift": 1.0})

    # --- the table ----------------------------------------------------------------------------

    def tabulate(
        self, exact: ExactEvaluator, inputs: InputScaling, knots: int, eigenspectra: int
    ) -> tuple[Weights, OutputScaling]:
        """Return the table and the scaling of its outputs from the exact model in float64."""
        centre, half = (float(np.asarray(x)[0]) for x in (inputs.centre, inputs.half))
        shifts = centre - half, centre + half
        layout = TableLayout(self.by_band, shifts, knots, eigenspectra, self.absorbs, self.own_lya)
        return tabulate(exact, layout)

    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Raise ConfigError: there are no training rows."""
        raise ConfigError(
            "The target 'band_nodes' is tabulated from the exact model, not trained: it has no "
            "training rows. `tengri train` makes its table."
        )

    def outputs(self, truth: Array, x: Array) -> Array:
        """Raise ConfigError: there are no training rows."""
        raise ConfigError("The target 'band_nodes' is tabulated: nothing is learnt from rows.")

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of ``LOG10_UNIT`` times the mass formed."""
        return log10_mass + LOG10_UNIT

    def families(self, histories: tuple[str, ...]) -> tuple[str, ...]:
        """Return all: any history is exact."""
        return histories

    def other_laws(self, n: int) -> tuple[str, ...]:
        """Return the laws of the registry in turn: any is exact."""
        laws = tuple(LAWS)
        return tuple(laws[(i + 1) % len(laws)] for i in range(n))

    # --- which specs it serves ----------------------------------------------------------------

    @property
    def free_settings(self) -> tuple[str, ...]:
        """Settings of histories, metals, dust laws, AGN and Milky Way; of dust's own light, too."""
        dust = ("dust_law", "dust_law_bc", "dust_law_diff")
        foreground = ("mw_law", "mw_rv", "mw_sfd_recalibration")
        exact = (*settings_of("sfh"), *settings_of("metallicity"), *dust, "agn_model", *foreground)
        return (*exact, "dust_emission", "cmb") if self.absorbs else exact

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the redshift."""
        return self.input_names

    def check_components(self, composition: Composition) -> None:
        """Raise ConfigError for gas with parameters, and for two sorts of dust in a row."""
        _check_gas(composition)
        if composition.milky_way is not None and composition.dust_emission is not None:
            raise ConfigError(
                "mw_ebv beside dust_emission: this surrogate puts dust of the Milky Way in front "
                "of stars alone. Leave one of them out, or use the exact model."
            )

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return a composition with the trained components in the place of exact ones."""
        exact = {name: getattr(trained, name) for name in (
            "sfh", "metallicity", "dust_bc", "dust_diff", "partly_clear", "milky_way",
            "by_distance",
        )}  # fmt: skip
        learnt = replace(composition, agn=None, **exact)
        if composition.lya_escape is not None and trained.lya_escape is not None:
            learnt = replace(learnt, lya_escape=trained.lya_escape)
        return replace(learnt, dust_emission=trained.dust_emission) if self.absorbs else learnt

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return none: the history is the spec's own."""
        return SFHTimes()

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the spec itself."""
        return spec

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return the light of dust, heated by what it absorbs, and that of an AGN."""
        return Terms.build(composition, filters, z_lo, z_hi, self.absorbs)

    # --- one galaxy ---------------------------------------------------------------------------

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy behind its dust."""
        log10_mass, young, old = self._mixed(scaling, p, stars)
        v = v * jnp.asarray(scaling.scale)
        n = self._n_eigenspectra(len(v))
        last = 2 * self.n_nodes * n
        both = v[:last].reshape(2, self.n_nodes, n)
        at_nodes = einsum("gqr,gr->gq", both, jnp.stack([young[:n], old[:n]]))
        if self.pieces:
            typical = jnp.exp(v[last : last + len(self.pieces)])
            at_nodes = at_nodes * typical[np.repeat(np.arange(len(typical)), self.pieces)]
        screens = _Screens.of(stars.composition, self._wavelengths(p["redshift"]), p)
        seen = self._seen(at_nodes, screens, p, stars.composition)
        flux = matmul(seen, self._members().astype(seen.dtype))
        if self.own_lya:
            share = _lya_share(stars.composition, p)
            line = v[-self.n_bands :]
            line = jnp.exp(line) if self.pieces else line
            flux = flux + share * young[n] * line
        flux = jnp.maximum(flux, FLOOR * jnp.max(flux))
        absorbed = self._absorbed(young[n:], old[n:], screens, p, stars) if self.absorbs else None
        return SourceBands(log10_mass + LOG10_UNIT, flux, log10_mass, absorbed)

    def _mixed(self, scaling: OutputScaling, p: Params, stars: Stars) -> tuple[Array, Array, Array]:
        """Return log10 of the mass formed, and what young and old stars count, (n_column,)."""
        loadings = jnp.asarray(scaling.rotation)
        log10_mass, ages = stars.formed(p)
        metals, ages = (a.astype(loadings.dtype) for a in (stars.metals(p), ages))
        n = self.n_young
        first, varies = len(metals) * n, metals.shape[1] > 1
        young = _summed(metals[:, :n] if varies else metals, ages[:n], loadings[:first])
        old = _summed(metals[:, n:] if varies else metals, ages[n:], loadings[first:])
        return log10_mass, young, old

    def _wavelengths(self, z: Array) -> Array:
        """Return the rest wavelengths [Å] of the nodes, of absorbed light and of Lyα."""
        nodes = jnp.asarray(np.array(self.nodes), float) / (1.0 + z)
        at_rest = (*(quadrature.heat_nodes() if self.absorbs else ()), LYMAN_ALPHA_AA)
        return jnp.concatenate([nodes, jnp.asarray(at_rest, float)])

    def _seen(
        self, at_nodes: Array, screens: _Screens, p: Params, composition: Composition
    ) -> Array:
        """Return the light at the nodes behind all dust, (n_node,)."""
        n = self.n_nodes
        young, old = (light.astype(screens.bc.dtype) for light in at_nodes)
        seen = behind(p, transmissions(p, screens.bc[:n], screens.diffuse[:n]), young, old)
        milky_way = composition.milky_way
        return seen if milky_way is None else seen * milky_way.transmission(screens.wave[:n], p)

    def _members(self) -> np.ndarray:
        """Return which band each node is of, (n_node, n_bands)."""
        band = np.repeat(np.arange(self.n_bands), self.sizes)
        return band[:, None] == np.arange(self.n_bands)

    def _absorbed(
        self, young: Array, old: Array, screens: _Screens, p: Params, stars: Stars
    ) -> Array:
        """Return what dust absorbs; ``young`` and ``old`` hold Lyα, then light at the nodes."""
        n_heat, first = len(quadrature.heat_nodes()), int(self.own_lya)
        lya, young = young[: 2 * first], young[2 * first :]
        heat = slice(self.n_nodes, self.n_nodes + n_heat)
        depth_old = p["dust_tau_diff"] * screens.diffuse[heat]
        depth_young = depth_old + p["dust_tau_bc"] * screens.bc[heat]
        taken = -(young * jnp.expm1(-depth_young) + old[2 * first :] * jnp.expm1(-depth_old))
        screened = 1.0 - p[CLEAR.name] if CLEAR.name in p else 1.0
        absorbed = screened * jnp.sum(taken)
        if not self.own_lya:
            return absorbed
        depth = p["dust_tau_diff"] * screens.diffuse[-1] + p["dust_tau_bc"] * screens.bc[-1]
        lost = jnp.minimum(1.0 - _lya_share(stars.composition, p, in_front=False),
                           -screened * jnp.expm1(-depth))  # fmt: skip
        return absorbed + lya[1] * lost

    # --- words --------------------------------------------------------------------------------

    def notes(self) -> tuple[str, ...]:
        """Return what may be asked for beyond the training."""
        return NOTES


@dataclass(frozen=True)
class _Screens:
    """Curves k of birth clouds and diffuse dust at rest wavelengths ``wave`` [Å], each (n,)."""

    wave: Array
    bc: Array
    diffuse: Array

    @classmethod
    def of(cls, composition: Composition, wave: Array, p: Params) -> _Screens:
        """Return the curves of a composition's laws."""
        diffuse = _curve(composition.dust_diff, wave, p)
        same = composition.dust_bc == composition.dust_diff
        return cls(wave, diffuse if same else _curve(composition.dust_bc, wave, p), diffuse)


def _summed(metals: Array, ages: Array, loadings: Array) -> Array:
    """Return the sums over populations (n_column,) of ``loadings`` (n_met · n_age, n_column).

    ``metals`` (n_met, n_age), or (n_met, 1) for the same at all ages, share out ``ages`` (n_age,).
    """
    by_metal = loadings.reshape(len(metals), len(ages), -1)
    if metals.shape[1] == 1:  # summed over ages first: the smaller product
        return einsum("m,mr->r", metals[:, 0], einsum("a,mar->mr", ages, by_metal))
    return einsum("ma,mar->r", metals * ages, by_metal)


def _curve(law: DustLaw, wave: Array, p: Params) -> Array:
    return jnp.asarray(law.curve(wave, p), float)


def _lya_share(composition: Composition, p: Params, in_front: bool = True) -> Array:
    """Return the share of Lyα that escapes, behind the dust of the Milky Way or not."""
    assert composition.lya_escape is not None and composition.lya_escape.share is not None
    share = composition.lya_escape.share(p)
    if composition.milky_way is None or not in_front:
        return share
    return share * composition.milky_way.transmission(np.array([LYMAN_ALPHA_AA]), p)[0]


def _check_tabulated(composition: Composition) -> None:
    """Raise ConfigError for what no table holds; see `BandNodesTarget.build`."""
    check_no_distance(composition)
    _check_gas(composition)
    if composition.agn is not None:
        raise ConfigError("The target 'band_nodes' tabulates stars: train without agn_model.")


def _check_gas(composition: Composition) -> None:
    """Raise ConfigError for gas that has parameters."""
    named: list[Any] = [param.name for gas in composition.neutral_gas for param in gas.params]
    if composition.nebular is not None:
        named.append(f"nebular={composition.nebular.name!r}")
    if named:
        raise ConfigError(
            f"{', '.join(named)}: the target 'band_nodes' has stars, the gas that is part of their "
            "grid, and the mean intergalactic medium. Leave it out, take a grid with gas, or train "
            "another target."
        )
