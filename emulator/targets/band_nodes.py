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

import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.networks import Weights
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.tabulated import node_light, quadrature
from emulator.tabulated.node_layout import NodeLayout
from emulator.tabulated.tabulate import LOG10_UNIT, TableLayout, tabulate
from emulator.targets.target import Params, Target, check_no_distance
from tengri.components.composition import Composition, settings_of
from tengri.components.dust.attenuation import LAWS
from tengri.constants import LYMAN_ALPHA_AA
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import AgeBins, Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

#: What lies so far redward of Lyα that its line is not seen [Å].
LYA_WITHIN_AA = 30.0

#: What may be asked for beyond the training.
NOTES = (
    "Star-formation and metallicity histories, both laws of dust and their parameters, a share of "
    "light without dust and dust of the Milky Way are exact: give a spec with any of them, and an "
    "AGN if you like. Only the redshift has a trained range; metallicities end where the SSP "
    "grid does.",
)


@dataclass(frozen=True)
class BandNodesTarget(NodeLayout, Target):
    """The redshift → eigenspectra at the nodes of all bands; see the top of the file.

    Its attributes are those of the layout.
    """

    name: ClassVar[str] = "band_nodes"
    tabulated: ClassVar[bool] = True
    block: ClassVar[int] = 256

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
        z_max = float(prior.bounds[1])
        bluest = min(f.wave[0] for f in filters) / (1.0 + z_max)
        sees_lya = absorbs or bluest < LYMAN_ALPHA_AA + LYA_WITHIN_AA
        by_band = [quadrature.band_pieces(f, z_max) for f in filters]
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
        own = {name: getattr(self, name) for name in ("nodes", "sizes", "pieces", "firsts", "line")}
        return replace(target, **own) if self.fits(edges) else target

    def on_grid(self, exact: ExactEvaluator) -> BandNodesTarget:
        """Return the target with the profile that Lyα has on the grid of the exact model."""
        lya = exact.spectra.lya
        if not self.own_lya or lya is None:
            return self
        profile = np.asarray(lya.profile, np.float32)
        lit = np.flatnonzero(profile)
        window = slice(max(int(lit[0]) - 1, 0), int(lit[-1]) + 2)
        wave = exact.galaxy.wave[window]
        return replace(self, line=tuple(zip(wave.tolist(), profile[window].tolist())))

    # --- sizes --------------------------------------------------------------------------------

    @property
    def input_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the redshift."""
        return ("redshift",)

    @property
    def n_out(self) -> int:
        """Number of outputs before they are compressed: light at every node of every age."""
        return self.n_nodes * self.n_bins

    def scaling_shapes(self, given: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the output scaling: see `emulator.tabulated.tabulate`."""
        n_latent, n_population = len(given["scale"]), len(given["rotation"])
        if n_population % self.n_bins or (n_latent - len(self.pieces)) % (2 * self.n_nodes):
            return {"rotation": (), "scale": (), "mean": ()}  # of other bands, or another grid
        n = self.n_eigenspectra(n_latent)
        more = self.own_lya * (1 + self.absorbs) + self.absorbs * len(quadrature.heat_nodes())
        return {"mean": (n_latent,), "scale": (n_latent,), "rotation": (n_population, n + more)}

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the redshift; bands move through a spectrum in ln(1 + z)."""
        return InputScaling.from_spec(spec, self.input_names, shifted={"redshift": 1.0})

    # --- the table ----------------------------------------------------------------------------

    def tabulate(
        self,
        exact: ExactEvaluator,
        inputs: InputScaling,
        knots: int,
        eigenspectra: int,
        rounding: float = 1e-5,
    ) -> tuple[Weights, OutputScaling]:
        """Return the table and the scaling of its outputs from the exact model in float64."""
        centre, half = (float(np.asarray(x)[0]) for x in (inputs.centre, inputs.half))
        shifts = centre - half, centre + half
        layout = TableLayout(
            self.by_band, shifts, knots, eigenspectra, self.absorbs, self.own_lya, rounding
        )
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

    def guarded_by_grid(self, composition: Composition) -> tuple[str, ...]:
        """Return all metallicities of the spec."""
        return composition.metallicity.logzsol_names

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
        """Return the light of Lyα, of dust, heated by what it absorbs, and of an AGN."""
        return Terms.build(composition, filters, z_lo, z_hi, self.absorbs, self.line)

    # --- one galaxy ---------------------------------------------------------------------------

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy behind its dust."""
        return node_light.emission(self, v, scaling, p, stars)

    # --- words --------------------------------------------------------------------------------

    def notes(self) -> tuple[str, ...]:
        """Return what may be asked for beyond the training."""
        return NOTES


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
