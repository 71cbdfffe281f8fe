r"""``ssp_photometry``: dust, metals and redshift → the bands of every stellar age.

Flux is linear in the age distribution of the stars. A network learns the photometry
:math:`T_{ba}` of one solar mass of each SSP age; the history, of whatever family, stays exact,

.. math:: F_b = D(z)\, M \sum_a w_a\, T_{ba}(Z, \tau_{bc}, \tau_{diff}, z, …).

What is known is factored out: the attenuation at the pivot wavelength at rest,

.. math:: T_{ba} = U_{ba}\, e^{-\tau_{diff} k_{diff,b} - [t_a < 10\,Myr]\, \tau_{bc} k_{bc,b}},
          \quad k_b = k(λ_b / (1 + z)),

so that the network sees how a band differs from its pivot, a tenth of a magnitude instead of ten.
It gives :math:`\ln U`, compressed to principal components. The loss is the error in the light of
mixtures of ages, drawn from real histories, which is what the user will see, plus a little of the
error at every age.

Where the spec has dust emission, the light that dust absorbs is one more row, :math:`b = n_b`,

.. math:: T_{ba} = U_{ba}\, (1 - e^{-\tau_{diff} k_{diff} - [t_a < 10\,Myr]\, \tau_{bc} k_{bc}}),

with k at 3000 Å. What the dust radiates is linear in it, and exact: `emulator.analytic.dust`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from emulator.analytic.source import LOG10_PER_HZ, SourceBands
from emulator.analytic.terms import Terms
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.targets import age_kernel, attenuation, ssp_photometry_numpy
from emulator.targets.age_kernel import DARK, LOG10_UNIT
from emulator.targets.batch import Batch, Penalty, TargetRows
from emulator.targets.numpy_part import NumPyPart
from emulator.targets.target import Params, Target, check_no_distance
from tengri.analysis import accuracy
from tengri.components.composition import Composition, settings_of
from tengri.components.dust.attenuation import DustLaw
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import AgeBins, Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

#: In units of ``LOG10_UNIT``: the logarithm that no light exceeds.
BRIGHTEST = 20.0
#: The floor of ln U, beside the median of the bands: a hundredth of what still counts.
DARKEST = 1e-6
#: How much the error at every age counts beside that of the mixtures.
EVERY_AGE = 0.05

#: What may be asked for beyond the training.
NOTES = (
    "The star-formation history is exact: give a spec with any family, and an AGN if you "
    "like. Only the parameters of metals, dust, gas and redshift have a trained range.",
)


@dataclass(frozen=True)
class SSPPhotometryTarget(Target):
    """Everything but the star-formation history → bands of all ages; see the top of the file.

    Attributes
    ----------
    input_names : tuple of str
        Free parameters that the network sees; the last one is the redshift, if it is free.
    fixed : tuple of (str, float)
        Values of the other parameters that attenuation depends on.
    laws : (str, str)
        Attenuation laws of birth clouds and diffuse dust.
    pivots : tuple of float
        Pivot wavelength of each band [Å].
    n_bins, n_young : int
        Age bins, and how many of them are younger than 10 Myr.
    absorbs : bool
        Whether the light that dust absorbs is learnt, too.
    deepest_beside : float
        Optical depth beside that of the clearest band, beyond which nothing is factored out.
    laws_physics : (int, int)
        Version of the physics of the two laws: the first where a file does not say.
    """

    name: ClassVar[str] = "ssp_photometry"
    #: any history is exact: rows carry the ages of some
    mixes_ages: ClassVar[bool] = True

    input_names: tuple[str, ...]
    fixed: tuple[tuple[str, float], ...]
    laws: tuple[str, str]
    pivots: tuple[float, ...]
    n_bins: int
    n_young: int
    absorbs: bool = False
    deepest_beside: float = attenuation.DEEPEST_BESIDE
    laws_physics: tuple[int, int] = (1, 1)

    @classmethod
    def build(
        cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> SSPPhotometryTarget:
        """Return the target for a spec, bands and the age bins of an SSP grid.

        Raises
        ------
        ConfigError
            A metallicity history, an AGN, light that escapes from dust, dust of the Milky Way, a
            parameter that follows another, or nothing to learn.
        """
        composition = spec.composition
        _check_learnable(composition)
        free, fixed = _inputs(spec)
        bins = AgeBins.split(np.asarray(age_edges))
        bc, diffuse = composition.dust_bc, composition.dust_diff
        return cls(free, fixed, (bc.name, diffuse.name),
                   tuple(float(f.pivot) for f in photometry.filters),
                   len(bins.edges) - 1, bins.n_young,
                   composition.dust_emission is not None,
                   laws_physics=(bc.physics, diffuse.physics))  # fmt: skip

    @property
    def free_settings(self) -> tuple[str, ...]:
        """Settings of histories and AGN; of dust and its background, where it learnt the heat."""
        exact = (*settings_of("sfh"), "agn_model")
        return (*exact, "dust_emission", "cmb") if self.absorbs else exact

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.pivots)

    @property
    def n_rows(self) -> int:
        """Number of rows of the kernel: bands, and the light that dust absorbs."""
        return self.n_bands + self.absorbs

    @property
    def n_out(self) -> int:
        """Number of outputs, before they are compressed: rows times ages."""
        return self.n_rows * self.n_bins

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the parameters that have a trained range: inputs, and what was fixed."""
        return (*self.input_names, *dict(self.fixed))

    def row_names(self, bands: tuple[str, ...]) -> tuple[str, ...]:
        """Return the bands and, where it is learnt, the light that dust absorbs."""
        return (*bands, "the light that dust absorbs") if self.absorbs else bands

    # --- which specs it serves ------------------------------------------------------------

    def check_components(self, composition: Composition) -> None:
        """Raise ConfigError for metals that depend on age, and for dust of the Milky Way."""
        check_metals(composition)
        check_foreground(composition)

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return a composition with the trained history, no AGN and the trained dust emission."""
        learnt = replace(composition, sfh=trained.sfh, agn=None, by_distance=trained.by_distance)
        return replace(learnt, dust_emission=trained.dust_emission) if self.absorbs else learnt

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return none: the history is the spec's own."""
        return SFHTimes()

    def in_physics_of(self, other: Target) -> Target:
        """Return the target with the laws of another's time."""
        return replace(self, laws_physics=getattr(other, "laws_physics", self.laws_physics))

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the spec itself."""
        return spec

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return the light of dust, heated by what it absorbs, and that of an AGN."""
        return Terms.build(composition, filters, z_lo, z_hi, self.absorbs)

    # --- one galaxy -----------------------------------------------------------------------

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs; bands move through a spectrum in ln(1 + z)."""
        return InputScaling.from_spec(spec, self.input_names, shifted={"redshift": 1.0})

    # --- the known part -------------------------------------------------------------------

    def ln_attenuation(self, p: Params) -> tuple[Array, Array]:
        """Return ln of the light that passes (birth clouds, diffuse dust), each (n_rows,).

        At the pivots; of the row of absorbed light, that of the light that does not.
        """
        limit = self.deepest_beside
        return attenuation.ln_factored_out(self._laws(), self.pivots, self.absorbs, limit, p)

    def _laws(self) -> tuple[DustLaw, DustLaw]:
        """Return the laws as they were when the kernel was made."""
        return attenuation.laws_of(self.laws, self.laws_physics)

    def _known(self, x: Array) -> Array:
        """Return ln of the attenuation that is factored out (n_rows, n_bins), of raw inputs."""
        cloud, diffuse = self.ln_attenuation(self._complete(x))
        young = jnp.arange(self.n_bins) < self.n_young
        return diffuse[:, None] + cloud[:, None] * young

    def _complete(self, x: Array) -> dict[str, Array]:
        return {**dict(zip(self.input_names, x)), **dict(self.fixed)}  # type: ignore[arg-type]

    # --- training -------------------------------------------------------------------------

    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Return the exact kernel, (n_rows · n_bins,), per solar mass and ``LOG10_UNIT``."""
        unit = 10.0 ** (exact.log10_flux_unit - LOG10_UNIT)
        response = exact.age_response(p)
        rows = response.bands
        if self.absorbs:
            rows = jnp.vstack([rows, response.absorbed * 10.0**LOG10_PER_HZ])
        return unit * rows.reshape(-1)

    def outputs(self, truth: Array, x: Array) -> Array:
        """Return ln U (n, n_out) of kernels (n, n_out) and raw inputs (n, n_in)."""
        known = jax.vmap(self._known)(x).reshape(truth.shape)
        return jnp.minimum(jnp.log(jnp.maximum(truth, DARK)) - known, BRIGHTEST)

    def floor(self, y: ArrayLike, share: float = DARKEST) -> np.ndarray:
        """Return where ln U ends (n_out,): at a share of the age's typical band in rows ``y``."""
        typical = np.mean(y, axis=0, dtype=np.float64).reshape(self.n_rows, self.n_bins)
        return np.tile(np.median(typical, axis=0) + np.log(share), self.n_rows)

    def light(self, y: Array, ages: Array, x: Array) -> Array:
        """Return ln F (n, n_mixtures, n_rows) of ``y`` = ln U (n, n_out) and raw inputs ``x``.

        ``ages`` (n, n_mixtures, n_bins) is the share of the mass in each bin.
        """
        return self._ln_mixed(jnp.exp(y), ages, x)

    def batch(
        self, rows: TargetRows, inputs: InputScaling, outputs: OutputScaling, penalty: Penalty
    ) -> Batch:
        """Return ln U with its floor, mixtures of ages, and ln F of their light."""
        assert rows.ages is not None
        light = _light(self, rows.y, rows.ages, rows.inputs)
        x = inputs.forward(rows.inputs)
        return Batch(x, outputs.floored(rows.y), rows.ages, light)

    def pca_truncation_error(self, rows: TargetRows, scaling: OutputScaling) -> tuple[float, float]:
        """Return the truncation error |Δm| [mmag] of the kept components at 50 and 99 %."""
        return _truncation_error(self, rows, scaling)

    def loss(
        self, v: Array, batch: Batch, scaling: OutputScaling, inputs: InputScaling, penalty: Penalty
    ) -> Array:
        """Return the mean penalty of ln F of mixtures of ages ``w`` (n, n_mixtures, n_bins).

        ``y`` holds ln U with its floor; bands far below a galaxy's brightest count less.
        """
        true = batch.light
        assert true is not None
        ours = self._ln_mixed(scaling.exp_inverse(v), batch.w, inputs.inverse(batch.x))
        share = jnp.exp(true - jnp.max(true, axis=-1, keepdims=True))
        weight = penalty.weight(share)
        mixed = jnp.sum(weight * penalty(ours - true)) / jnp.sum(weight)
        return mixed + EVERY_AGE * jnp.mean(penalty(scaling.inverse(v) - batch.y))

    def _ln_mixed(self, u: Array, ages: Array, x: Array) -> Array:
        """Return ln F (n, n_mixtures, n_rows) of kernels ``u`` (n, n_out)."""
        cloud, diffuse = jax.vmap(lambda x: self.ln_attenuation(self._complete(x)))(x)
        u = u.reshape(-1, self.n_rows, self.n_bins)
        return age_kernel.ln_mixed(u, ages, cloud, diffuse, self.n_young)

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of ``LOG10_UNIT`` times the mass formed."""
        return log10_mass + LOG10_UNIT

    # --- use ------------------------------------------------------------------------------

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy with its exact star-formation history.

        That of the dust is left to the caller, who knows its spectrum.
        """
        log10_mass, ages = stars.formed(p)
        ages = ages.astype(v.dtype)
        young, old = age_kernel.young_and_old(v, scaling, ages, self.n_young)
        cloud, diffuse = self.ln_attenuation(p)
        young, old = young.astype(cloud.dtype), old.astype(cloud.dtype)
        rows = jnp.exp(diffuse) * (jnp.exp(cloud) * young + old)
        absorbed = rows[-1] if self.absorbs else None
        return SourceBands(log10_mass + LOG10_UNIT, rows[: self.n_bands], log10_mass, absorbed)

    # --- words, files ---------------------------------------------------------------------

    def notes(self) -> tuple[str, ...]:
        """Return what may be asked for beyond the training."""
        return NOTES

    def numpy_part(
        self, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> NumPyPart:
        """Return the code of kernels, ages, curves of attenuation and templates of dust."""
        return ssp_photometry_numpy.part(self._laws(), spec, photometry, age_edges)

    def numpy_arguments(self, p: Params, stars: Stars) -> dict[str, np.ndarray]:
        """Return the masses formed in each bin of age [Msun], (n, n_bins)."""
        return {"formed": ssp_photometry_numpy.formed(p, stars)}


@partial(jax.jit, static_argnames="target")
def _light(target: SSPPhotometryTarget, y: Array, ages: Array, x: Array) -> Array:
    return target.light(y, ages, x)


def _truncation_error(
    target: SSPPhotometryTarget, rows: TargetRows, scaling: OutputScaling
) -> tuple[float, float]:
    assert rows.ages is not None
    kept = jnp.log(scaling.exp_inverse(scaling.forward(rows.y)))
    logs = (_light(target, u, rows.ages, rows.inputs) for u in (rows.y, kept))
    true, ours = (np.exp(ln_flux, dtype=np.float64) for ln_flux in logs)
    true, ours = (f.reshape(-1, target.n_rows) for f in (true, ours))
    return accuracy.percentile(true, ours, 50), accuracy.percentile(true, ours, 99)


def kernel_names(spec: Parameters) -> tuple[str, ...]:
    """Return the parameters of what is learnt; the redshift is last.

    Neither the history's, nor the AGN's, nor those of the spectrum of dust.
    """
    c = spec.composition
    exact = [part.params for part in (c.sfh, c.agn, c.dust_emission) if part is not None]
    of_exact_terms = {param.name for params in exact for param in params}
    return tuple(name for name in c.params if name not in of_exact_terms)


def _inputs(spec: Parameters) -> tuple[tuple[str, ...], tuple[tuple[str, float], ...]]:
    """Return the free parameters of what is learnt, and the values of those that are fixed."""
    names = kernel_names(spec)
    tied = [n for n in names if n in spec.mirrors]
    if tied:
        raise ConfigError(f"{tied[0]} follows another parameter: give it a range of its own.")
    free = tuple(n for n in names if n in spec.free_params)
    if not free:
        raise ConfigError(
            "A surrogate needs a free parameter besides the star-formation history: give one "
            "a range, e.g. Parameters(redshift=(0.01, 1.0))."
        )
    fixed = tuple((n, float(spec.fixed_value(n))) for n in names if n not in free)
    return free, fixed


def _check_learnable(composition: Composition) -> None:
    """Raise ConfigError for what no kernel can learn; see `SSPPhotometryTarget.build`."""
    check_metals(composition)
    check_no_distance(composition)
    check_foreground(composition)
    if composition.agn is not None:
        raise ConfigError("The target 'ssp_photometry' learns stars: train without agn_model.")
    unscreened = {"dust_f_clear": composition.partly_clear,
                  f"escape={composition.escape!r}": composition.escape != "screened"}  # fmt: skip
    for what in (name for name, is_so in unscreened.items() if is_so):
        raise ConfigError(
            f"{what}: the target 'ssp_photometry' factors out dust that all light is behind. "
            "Train the target 'photometry', or leave it out."
        )


def check_metals(composition: Composition) -> None:
    """Raise ConfigError for a metallicity that depends on age."""
    if composition.metallicity.name != "delta":
        raise ConfigError(
            f"met_mode={composition.metallicity.name!r}: the target 'ssp_photometry' has learnt "
            "one metallicity for all ages. Use met_mode='delta', or the exact model."
        )


def check_foreground(composition: Composition) -> None:
    """Raise ConfigError for dust of the Milky Way: it dims the exact terms, too."""
    if composition.milky_way is not None:
        raise ConfigError(
            "mw_ebv: the target 'ssp_photometry' learns galaxies without dust of the Milky Way. "
            "Leave mw_ebv out, use the exact model, or train the target 'photometry' with it."
        )
