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

with k at 3000 Å. What the dust radiates is linear in it, and exact: `emulator.dust`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from emulator import cubic
from emulator.analytic.agn import AGNLight
from emulator.analytic.dust import DustLight
from emulator.analytic.source import LOG10_PER_HZ, SourceBands
from emulator.analytic.terms import Terms
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.targets.target import Batch, Params, Penalty
from tengri.components.composition import Composition
from tengri.components.dust.attenuation import LAWS
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import AgeBins, Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters
from tengri.products import einsum, matmul

#: log10 of a typical L_ν [Lsun/Hz] of one solar mass formed.
LOG10_UNIT = -15.0
#: In these units: what cannot be told from darkness, and the logarithm that no light exceeds.
DARK, BRIGHTEST = 1e-30, 20.0
#: The largest optical depth that is factored out: beyond it float32 ends. And the largest beside
#: that of the clearest band: what lies deeper is seen by a band's red edge, if at all, and divided
#: by the light that would pass at its pivot that edge would be beyond all bounds.
DEEPEST, DEEPEST_BESIDE = 60.0, 16.0
#: The floor of ln U, beside the median of the bands: a hundredth of what still counts.
DARKEST = 1e-6
#: How much the error at every age counts beside that of the mixtures.
EVERY_AGE = 0.05
#: Where the curve of attenuation stands for the light that dust absorbs [Å]; an optical depth
#: beside which others vanish.
HEATING_AA, THINNEST = 3000.0, 1e-6
#: A band below this share of the brightest counts less, in proportion to its flux.
FAINT = 1e-4
#: Rest wavelengths [Å] between which curves of attenuation are interpolated, cubically.
LN_NODES = np.log(np.geomspace(400.0, 1e6, 80))


@dataclass(frozen=True)
class SSPPhotometryTarget:
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
    """

    name: ClassVar[str] = "ssp_photometry"
    #: no parameter is an amplitude: the mass formed is computed
    amplitude: ClassVar[None] = None

    input_names: tuple[str, ...]
    fixed: tuple[tuple[str, float], ...]
    laws: tuple[str, str]
    pivots: tuple[float, ...]
    n_bins: int
    n_young: int
    absorbs: bool = False
    deepest_beside: float = DEEPEST_BESIDE

    @classmethod
    def build(
        cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> SSPPhotometryTarget:
        """Return the target for a spec, bands and the age bins of an SSP grid.

        Raises
        ------
        ConfigError
            A metallicity history, an AGN, a parameter that follows another, or nothing to learn.
        """
        composition = spec.composition
        check_metals(composition)
        if composition.agn is not None:
            raise ConfigError("The target 'ssp_photometry' learns stars: train without agn_model.")
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
        bins = AgeBins.split(np.asarray(age_edges))
        return cls(free, fixed, (composition.dust_bc.name, composition.dust_diff.name),
                   tuple(float(f.pivot) for f in photometry.filters),
                   len(bins.edges) - 1, bins.n_young,
                   composition.dust_emission is not None)  # fmt: skip

    @property
    def free_settings(self) -> tuple[str, ...]:
        """Settings of histories and AGN; of dust emission, where it learnt what dust absorbs."""
        exact = ("mean_sfh_type", "n_grid", "agn_model")
        return (*exact, "dust_emission") if self.absorbs else exact

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.pivots)

    @property
    def n_rows(self) -> int:
        """Number of rows of the kernel: bands, and the light that dust absorbs."""
        return self.n_bands + self.absorbs

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of every network input, (n_in,)."""
        return self.input_names

    @property
    def n_in(self) -> int:
        """Number of network inputs."""
        return len(self.input_names)

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
        """Raise ConfigError for a metallicity that depends on age."""
        check_metals(composition)

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return a composition with the trained history, no AGN and the trained dust emission."""
        learnt = replace(composition, sfh=trained.sfh, agn=None)
        return replace(learnt, dust_emission=trained.dust_emission) if self.absorbs else learnt

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return none: the history is the spec's own."""
        return SFHTimes()

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the spec itself."""
        return spec

    def certain_stars(self, p: Params, spec: Parameters, log10_mass_min: float) -> bool:
        """Return True: the mass is computed with the light."""
        return True

    def certain_ranges(self, log10_mass_min: float) -> dict[str, tuple[float, float]]:
        """Return none: the mass is computed with the light."""
        return {}

    def least_log10_mass(self, p: Params, log10_mass_min: float) -> Array:
        """Return zero: never asked, for the mass is computed with the light."""
        return jnp.zeros(())

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return the light of dust, heated by what it absorbs, and that of an AGN."""
        dust, agn = composition.dust_emission, composition.agn
        return Terms(
            DustLight.build(dust, filters, z_lo, z_hi) if dust and self.absorbs else None,
            AGNLight.build(composition, filters, z_lo, z_hi) if agn else None,
        )

    # --- one galaxy -----------------------------------------------------------------------

    def inputs(self, p: Params) -> Array:
        """Return the raw parameter values of one galaxy, (n_in,)."""
        return jnp.stack([jnp.asarray(p[n]) for n in self.input_names])

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs; bands move through a spectrum in ln(1 + z)."""
        return InputScaling.from_spec(spec, self.input_names, shifted={"redshift": 1.0})

    # --- the known part -------------------------------------------------------------------

    def ln_attenuation(self, p: Params) -> tuple[Array, Array]:
        """Return ln of the light that passes (birth clouds, diffuse dust), each (n_rows,).

        At the pivots; of the row of absorbed light, that of the light that does not.
        """
        ln_wave = jnp.asarray(np.log(self.pivots), float) - jnp.log1p(p["redshift"])
        if self.absorbs:
            ln_wave = jnp.append(ln_wave, np.log(HEATING_AA))
        k_bc, k_diff = (_cubic(ln_wave, LAWS[law].curve(np.exp(LN_NODES), p)) for law in self.laws)
        cloud, diffuse = p["dust_tau_bc"] * k_bc, p["dust_tau_diff"] * k_diff
        passing = self._passing(cloud[: self.n_bands], diffuse[: self.n_bands])
        if not self.absorbs:
            return passing
        old = _ln_absorbed(diffuse[-1])
        young = _ln_absorbed(diffuse[-1] + cloud[-1])
        return jnp.append(passing[0], young - old), jnp.append(passing[1], old)

    def _passing(self, cloud: Array, diffuse: Array) -> tuple[Array, Array]:
        """Return ln of what is factored out for optical depths (n_bands,) of clouds and diffuse."""
        clearest, thinnest = jnp.min(diffuse), jnp.min(cloud)
        beside, both = diffuse - clearest, diffuse - clearest + cloud - thinnest
        more = self._limited(both) - self._limited(beside)
        return (-jnp.minimum(thinnest + more, DEEPEST),
                -jnp.minimum(clearest + self._limited(beside), DEEPEST))  # fmt: skip

    def _limited(self, depth: Array) -> Array:
        """Return depths that end smoothly at ``deepest_beside``: a kink could not be learnt."""
        return depth / (1.0 + (depth / self.deepest_beside) ** 4) ** 0.25

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
        typical = np.asarray(y, np.float64).mean(axis=0).reshape(self.n_rows, self.n_bins)
        return np.tile(np.median(typical, axis=0) + np.log(share), self.n_rows)

    def light(self, y: Array, ages: Array, x: Array) -> Array:
        """Return ln F (n, n_mixtures, n_rows) of ``y`` = ln U (n, n_out) and raw inputs ``x``.

        ``ages`` (n, n_mixtures, n_bins) is the share of the mass in each bin.
        """
        return self._ln_mixed(jnp.exp(y), ages, x)

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
        weight = share / (share + FAINT)
        mixed = jnp.sum(weight * penalty(ours - true)) / jnp.sum(weight)
        return mixed + EVERY_AGE * jnp.mean(penalty(scaling.inverse(v) - batch.y))

    def _ln_mixed(self, u: Array, ages: Array, x: Array) -> Array:
        """Return ln F (n, n_mixtures, n_rows) of kernels ``u`` (n, n_out)."""
        cloud, diffuse = jax.vmap(lambda x: self.ln_attenuation(self._complete(x)))(x)
        u = u.reshape(-1, self.n_rows, self.n_bins)
        n = self.n_young
        young = einsum("nja,nba->njb", ages[..., :n], u[..., :n])
        old = einsum("nja,nba->njb", ages[..., n:], u[..., n:])
        return diffuse[:, None] + jnp.log(jnp.exp(cloud)[:, None] * young + old + DARK)

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of ``LOG10_UNIT`` times the mass formed."""
        return log10_mass + LOG10_UNIT

    # --- use ------------------------------------------------------------------------------

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy with its exact star-formation history.

        That of the dust is left to the caller, who knows its spectrum.
        """
        log10_mass, ages = stars.formed(p)
        young, old = self._summed(v, scaling, ages.astype(v.dtype))
        cloud, diffuse = self.ln_attenuation(p)
        rows = jnp.exp(diffuse) * (jnp.exp(cloud) * young + old)
        absorbed = rows[-1] if self.absorbs else None
        return SourceBands(log10_mass + LOG10_UNIT, rows[: self.n_bands], log10_mass, absorbed)

    def _summed(self, v: Array, scaling: OutputScaling, ages: Array) -> tuple[Array, Array]:
        """Return the sums of U over the young and the old ages, each (n_rows,).

        Block by block in a batch, for a processor's cache holds all ages of one band, not those of
        all bands; and as products, whose reverse is a product: slices would be padded there, one
        by one.
        """
        blocks = scaling.blocks()
        parts = [block.exp_inverse(part) for block, part in zip(blocks, jnp.split(v, len(blocks)))]
        is_young = np.arange(self.n_bins) < self.n_young
        which = np.stack([is_young, ~is_young], axis=1).astype(v.dtype)
        sums = [matmul(part.reshape(-1, self.n_bins) * ages, which) for part in parts]
        young, old = jnp.concatenate(sums).T
        return young, old

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description; `target_from_dict` reads it."""
        return {"name": self.name, **asdict(self)}


def kernel_names(spec: Parameters) -> tuple[str, ...]:
    """Return the parameters of what is learnt; the redshift is last.

    Neither the history's, nor the AGN's, nor those of the spectrum of dust.
    """
    c = spec.composition
    exact = [part.params for part in (c.sfh, c.agn, c.dust_emission) if part is not None]
    beside = {param.name for params in exact for param in params}
    return tuple(name for name in c.params if name not in beside)


def check_metals(composition: Composition) -> None:
    """Raise ConfigError for a metallicity that depends on age."""
    if composition.metallicity.name != "delta":
        raise ConfigError(
            f"met_mode={composition.metallicity.name!r}: the target 'ssp_photometry' has learnt "
            "one metallicity for all ages. Use met_mode='delta', or the exact model."
        )


def _ln_absorbed(depth: Array) -> Array:
    return jnp.log(-jnp.expm1(-(depth + THINNEST)))


def _cubic(x: Array, values: Any) -> Array:
    """Interpolate ``values`` on ``LN_NODES`` at ``x``: cubic, held outside."""
    step = float(LN_NODES[1] - LN_NODES[0])
    s = jnp.clip((x - LN_NODES[0]) / step, 1.0, len(LN_NODES) - 2.001)
    i = jnp.floor(s).astype(jnp.int32)
    t = s - i
    v = jnp.asarray(values, float)
    return cubic.between(t, v[i - 1], v[i], v[i + 1], v[i + 2])
