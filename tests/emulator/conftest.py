"""A tiny exact model and an untrained surrogate of it: everything but the accuracy is real."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest

from emulator.artefact import Artefact, ssp_info, write
from emulator.history import cosmology_to_dict
from emulator.networks import build_network
from emulator.scaling import InputScaling, OutputScaling
from emulator.surrogate import EmulatedSEDModel
from emulator.targets import PhotometryTarget
from emulator.verification import evaluate, with_checks
from tengri import FilterCurve, Observation, Parameters, Photometry, SEDModel
from tengri.components.stellar.ssp_data import SSPData
from tengri.cosmology import log10_luminosity_to_flux
from tengri.forward.units import LOG10_UNIT
from tengri.grids.ages import log_midpoint_edges
from tengri.priors import LogUniform, Normal

LOG10_MAGGIE = -LOG10_UNIT["maggies"]

BOX = {
    "mean_sfh_type": "tsnorm",
    "sfh_tsnorm_log_peak_sfr": (-1.0, 3.0),
    "sfh_tsnorm_peak_lbt_frac": (0.05, 0.95),
    "sfh_tsnorm_width_frac": LogUniform(0.05, 0.5),
    "sfh_tsnorm_skew": 0.2,
    "sfh_tsnorm_trunc": 3.0,
    "met_logzsol": Normal(-0.3, 0.3, -2.0, 0.2),
    "dust_tau_bc": (0.0, 4.0),
    "dust_tau_diff": (0.0, 3.0),
    "dust_slope": -0.7,
    "redshift": (0.01, 1.0),
}
ONE = {
    "sfh_tsnorm_log_peak_sfr": 1.0,
    "sfh_tsnorm_peak_lbt_frac": 0.4,
    "sfh_tsnorm_width_frac": 0.2,
    "met_logzsol": -0.5,
    "dust_tau_bc": 0.5,
    "dust_tau_diff": 0.3,
    "redshift": 0.3,
}
EDGES = {"u": (3000, 4000), "g": (4000, 5500), "r": (5500, 7000), "i": (7000, 8500)}


def tiny_ssp(name: str = "tiny", seed: int = 0) -> SSPData:
    """Smooth spectra that fade with age, redden with metals, and end at the Lyman limit."""
    rng = np.random.default_rng(seed)
    wave = np.geomspace(900.0, 1.2e4, 60)
    lgmet = np.array([-4.0, -2.5, -1.3])
    lg_age = np.linspace(-3.0, 1.15, 12)
    metal = lgmet[:, None, None] + 2.5
    age = lg_age[None, :, None] + 3.0
    colour = np.log(wave / 5500.0)
    break_4000 = 1.0 - 0.1 * age * (wave < 4000.0)
    flux = 1e-15 * 10.0 ** (1.0 - 0.7 * age) * np.exp((0.3 * age + 0.2 * metal - 0.5) * colour)
    flux = flux * break_4000 * rng.uniform(0.95, 1.05, flux.shape)
    remaining = np.broadcast_to(1.0 - 0.1 * age[..., 0], flux.shape[:2]).copy()
    return SSPData(
        lgmet, lg_age, wave, flux, remaining, log_midpoint_edges(lg_age),
        name=name, sha256=f"{seed:064x}",
    )  # fmt: skip


def top_hat(name: str, lo: float, hi: float) -> FilterCurve:
    """A band with slanted sides."""
    return FilterCurve(name, np.array([lo, lo + 100.0, hi - 100.0, hi]), np.array([0, 1, 1.0, 0]))


def tiny_observation() -> Observation:
    """Four bands."""
    return Observation(Photometry(tuple(top_hat(n, *e) for n, e in EDGES.items())))


def perfect(target, asked, n=16):
    """Return light (n, n_bands) of a network without error, and that of the exact model."""
    packed = asked.pack(draws(asked.spec, n), batch=True)
    evaluator = asked.evaluator()
    filters = asked.observation.photometry.filters
    z_range = asked.spec.get_distribution("redshift").bounds
    terms = target.terms(asked.spec.composition, filters, *z_range).in_default_float()

    @jax.jit
    @jax.vmap
    def truths(row):
        p = row.unpack()
        bands = evaluator.bands(p)
        to_flux = log10_luminosity_to_flux(asked.cosmology, p["redshift"])
        unit = target.log10_unit_of(p, bands.log10_mass) + to_flux
        flux = bands.flux * 10.0 ** (bands.log10_scale - unit)
        return target.inputs(p), target.truth(evaluator, p), flux

    x, kernel, flux = truths(packed)
    y = target.outputs(kernel, x)
    scaling = OutputScaling.fit(y, floor=target.floor(y, 1e-9))

    @jax.jit
    @jax.vmap
    def emitted(row, y):
        p = row.unpack()
        stars = target.emission(scaling.forward(y), scaling, p, asked.stars)
        return terms.added(stars, p).flux

    return emitted(packed, y), flux


def draws(spec: Parameters, n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Free parameters of n galaxies."""
    drawn = spec.sample_sobol(n, seed=seed)
    return {name: np.asarray(drawn[name], np.float64) for name in spec.free_params}


def untrained(model: SEDModel, width: int = 16, **options: object) -> Artefact:
    """Return an artefact of random weights with scalings measured on the exact model."""
    target = PhotometryTarget.build(
        model.spec, model.observation.photometry, model.ssp.age_edges_gyr
    )
    drawn = draws(model.spec, 64)
    scale = drawn[target.amplitude] + target.log10_unit + LOG10_MAGGIE
    scale = scale + np.asarray(log10_luminosity_to_flux(model.cosmology, drawn["redshift"]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 64 galaxies formed no stars")
        flux = evaluate(model, drawn) / 10.0 ** scale[:, None]
    flux = flux[np.isfinite(flux).all(axis=1)]
    z_column = target.columns.index("redshift") if "redshift" in target.columns else None
    network = build_network("mlp", width=width, depth=2, z_column=z_column, **options)
    weights = jax.tree.map(np.array, network.init(jax.random.key(0), target.n_in, target.n_out))
    weights["out"]["kernel"] *= 5.0  # of order one, so that every input matters
    return Artefact(
        spec=model.spec,
        photometry=model.observation.photometry,
        target=target,
        network=network,
        params=weights,
        in_scaling=InputScaling.from_spec(model.spec, target.input_names),
        out_scaling=OutputScaling.fit(target.outputs(flux)),
        cosmology=cosmology_to_dict(model.cosmology),
        ssp=ssp_info(model.ssp),
        accuracy={"pooled": {"p50": 1.0}},
        error_bars={"68": np.full(4, 0.01), "95": np.array([0.01, 0.02, 0.03, 0.04])},
        covariance=np.diag([1.0, 2.0, 3.0, 4.0]),
        training={"seed": 0, "command": "none"},
        card="# Untrained",
    ).completed()


def untrained_kernel(exact, target, scaling, **options: object) -> Artefact:
    """Return an age kernel with random weights and check pairs: all around them is real."""
    network = build_network("mlp", width=8, depth=2, **options)
    n_latent = len(scaling.scale)
    bare = Artefact(
        spec=exact.spec,
        photometry=exact.observation.photometry,
        target=target,
        network=network,
        params=jax.tree.map(np.array, network.init(jax.random.key(0), target.n_in, n_latent)),
        in_scaling=target.in_scaling(exact.spec),
        out_scaling=scaling,
        cosmology=cosmology_to_dict(exact.cosmology),
        ssp=ssp_info(exact.ssp),
        error_bars={"68": np.full(4, 0.01)},
    )
    params = draws(exact.spec, 8, seed=3)
    return with_checks(bare, params, evaluate(exact, params))


@pytest.fixture(scope="session")
def exact():
    """The exact model of the tiny world."""
    return SEDModel(Parameters(**BOX), tiny_ssp(), tiny_observation())


@pytest.fixture(scope="session")
def artefact(exact):
    """An untrained surrogate with check pairs."""
    bare = untrained(exact, redshift="table", n_features=4, knots=32)
    params = draws(exact.spec, 64, seed=7)
    return with_checks(bare, params, evaluate(exact, params))


@pytest.fixture(scope="session")
def surrogate(artefact):
    return EmulatedSEDModel(artefact)


@pytest.fixture(scope="session")
def file(artefact, tmp_path_factory):
    """The surrogate as a file; tests that damage it copy it first."""
    path = tmp_path_factory.mktemp("surrogate") / "surrogate.h5"
    write(path, artefact)
    return path
