"""The age kernel: nothing is lost around the network, and any history may be asked for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emulator import export
from emulator.artefact import read, write
from emulator.scaling import OutputScaling
from emulator.surrogate import EmulatedSEDModel
from emulator.targets import SSPPhotometryTarget, target_from_dict
from emulator.targets.batch import Batch, Penalty
from emulator.verification import verify
from tengri import FilterCurve, Observation, Parameters, Photometry, SEDModel
from tengri.components.agn import AGN_MODELS
from tengri.errors import ConfigError, ParameterError
from tests.emulator.conftest import (
    draws,
    perfect,
    tiny_observation,
    tiny_ssp,
    top_hat,
    untrained_kernel,
)
from tests.emulator.test_export import alone

BOX = {
    "met_logzsol": (-1.0, 0.2),
    "dust_tau_bc": (0.0, 4.0),
    "dust_tau_diff": (0.0, 3.0),
    "dust_slope": (-1.5, -0.3),
    "redshift": (0.01, 1.0),
}
HISTORIES = {
    "tsnorm": {"mean_sfh_type": "tsnorm", "sfh_tsnorm_peak_lbt_gyr": (0.5, 8.0)},
    "continuity": {"mean_sfh_type": "continuity", "sfh_cont_ratio_0": (-1.0, 1.0)},
    "four bins": {
        "mean_sfh_type": "continuity",
        "sfh_bin_edges_gyr": [0, 0.1, 1, 5, 13.8],
        "sfh_cont_ratio_0": (-1.0, 1.0),
    },
    "psb": {"mean_sfh_type": "psb", "sfh_psb_tlast_gyr": (0.05, 1.0)},
    "delta": {"mean_sfh_type": "delta", "sfh_delta_age_gyr": (0.05, 8.0)},
    "stochastic": {"mean_sfh_type": ["dpl", "field"], "n_grid": 32},
}
QUICK = ("stochastic", "delta")
EVERY_HISTORY = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in HISTORIES]
)


def model(**history):
    return SEDModel(Parameters(**BOX, **history), tiny_ssp(), tiny_observation())


@pytest.fixture(scope="module")
def exact():
    return model(mean_sfh_type="dpl", sfh_dpl_alpha=(0.5, 3.0))


@pytest.fixture(scope="module")
def target(exact):
    return SSPPhotometryTarget.build(
        exact.spec, exact.observation.photometry, exact.ssp.age_edges_gyr
    )


def kernels(exact, target, n):
    """Return packed rows, raw inputs and exact kernels of n prior draws."""
    packed = exact.pack(draws(exact.spec, n), batch=True)
    evaluator = exact.evaluator()

    @jax.jit
    @jax.vmap
    def both(row):
        p = row.unpack()
        return target.inputs(p), target.truth(evaluator, p)

    return packed, *both(packed)


@pytest.fixture(scope="module")
def artefact(exact, target):
    """Random weights; everything around them is real."""
    _, x, truth = kernels(exact, target, 64)
    y = target.outputs(truth, x)
    scaling = OutputScaling.fit(y, pca=True, components=6, floor=target.floor(y))
    return untrained_kernel(exact, target, scaling, redshift="table", z_column=4, knots=8)


@EVERY_HISTORY
def test_a_perfect_network_gives_the_exact_photometry(target, exact, name):
    """The network's part is replaced by the truth: what remains is exact, for any history."""
    emulated, flux = perfect(target, model(**HISTORIES[name]))
    np.testing.assert_allclose(emulated, flux, rtol=3e-5)


def test_a_band_that_sees_thick_dust_with_its_red_leak_only_is_not_cut_off():
    """Divided by what would pass at its pivot, its light has no bounds: less is factored out."""
    leaking = FilterCurve("u", np.array([3000.0, 3100, 3400, 3500, 8000, 8900, 9000]),
                          np.array([0, 1, 1, 1e-2, 1e-2, 1e-2, 0]))  # fmt: skip
    bands = Observation(Photometry((leaking, top_hat("i", 7000, 8500))))
    thick = {**BOX, "dust_tau_diff": (2.5, 3.0), "dust_slope": (-1.5, -1.4), "redshift": (1.8, 2.0)}
    deep = SEDModel(Parameters(mean_sfh_type="dpl", **thick), tiny_ssp(), bands)
    target = SSPPhotometryTarget.build(deep.spec, bands.photometry, deep.ssp.age_edges_gyr)
    emulated, flux = perfect(target, deep)
    seen = flux[:, 0] > 1e-4 * flux[:, 1]
    assert seen.all()
    np.testing.assert_allclose(emulated, flux, rtol=1e-4)


def test_what_is_factored_out_has_no_kink(exact, target):
    """Its slopes are what a network has to make up for: those of the dust must be continuous."""
    base = {**dict(target.fixed), **dict.fromkeys(target.input_names, 0.5), "redshift": 2.5,
            "dust_slope": -1.5}  # fmt: skip

    def factored(tau):
        return target.ln_attenuation({**base, "dust_tau_diff": tau, "dust_tau_bc": 2.0 * tau})

    tau = np.linspace(0.1, 6.0, 600)  # far beyond the limit
    cloud, diffuse = map(np.asarray, jax.vmap(factored)(tau))
    extra = diffuse.max(axis=1, keepdims=True) - diffuse
    assert target.deepest_beside - 1.0 < extra.max() < target.deepest_beside
    for values in (cloud, diffuse):
        bend = np.abs(np.diff(values, 2, axis=0)).max(axis=0)
        assert (bend <= 0.1 * np.abs(np.diff(values, axis=0)).max(axis=0)).all()


def test_what_is_factored_out_is_most_of_what_dust_does(exact, target):
    _, x, truth = kernels(exact, target, 64)
    spread = np.log(np.asarray(truth)).std(axis=0)
    left = np.asarray(target.outputs(truth, x)).std(axis=0)
    assert left.mean() < 0.35 * spread.mean()


def test_loss_vanishes_at_the_truth_and_sees_the_mixtures(exact, target):
    _, x, truth = kernels(exact, target, 32)
    y = target.outputs(truth, x)
    scaling = OutputScaling.fit(y, floor=target.floor(y, 1e-9))
    inputs = target.in_scaling(exact.spec)
    ages = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(target.n_bins), (32, 3)), "f4")
    batch = Batch(inputs.forward(x), scaling.floored(y), ages, target.light(y, ages, x))
    v = scaling.forward(y)
    loss = jax.jit(lambda v: target.loss(v, batch, scaling, inputs, Penalty(jnp.square)))
    assert float(loss(v)) < 1e-9
    brighter = float(loss(v + 0.01 / np.asarray(scaling.scale)))  # 1 per cent everywhere
    assert brighter == pytest.approx(1.05e-4, rel=0.02)


@EVERY_HISTORY
def test_any_history_may_be_asked_for(artefact, name):
    asked = EmulatedSEDModel(artefact).with_spec(Parameters(**BOX, **HISTORIES[name]))
    flux = np.asarray(asked.predict_photometry_batch(draws(asked.spec, 4)))
    assert flux.shape == (4, 4) and (flux > 0.0).all()
    assert asked.exact_model(tiny_ssp()).spec is asked.spec


def test_file_round_trip(artefact, tmp_path):
    write(tmp_path / "s.h5", artefact)
    again = read(tmp_path / "s.h5")
    assert again.target == artefact.target == target_from_dict(artefact.target.to_dict())
    assert verify(tmp_path / "s.h5").difference < 1e-6


def test_the_history_is_unguarded_and_the_rest_is_not(artefact):
    fast = EmulatedSEDModel(artefact)
    one = {n: float(v[0]) for n, v in draws(fast.spec, 1).items()}
    assert np.isfinite(fast.predict_magnitudes({**one, "sfh_dpl_alpha": 20.0})).all()
    with pytest.raises(ParameterError, match=r"dust_slope = -2.*trained on \[-1.5, -0.3\]"):
        fast.predict_magnitudes({**one, "dust_slope": -2.0})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"met_mode": "ramp"}, "one metallicity for all ages"),
        ({"dust_law": "calzetti"}, "other components"),
        ({"dust_emission": "modified_blackbody"}, "other components"),
    ],
)
def test_what_was_not_learnt_is_refused(artefact, given, words):
    box = {k: v for k, v in BOX.items() if k not in ("met_logzsol", "dust_slope")}
    with pytest.raises(ConfigError, match=words):
        EmulatedSEDModel(artefact).with_spec(Parameters(mean_sfh_type="dpl", **box, **given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"met_mode": "ramp", "redshift": (0.1, 1.0)}, "one metallicity"),
        ({"agn_model": "standard", "redshift": (0.1, 1.0)}, "train without agn_model"),
        ({"sfh_dpl_alpha": (0.5, 3.0), "redshift": 0.1}, "needs a free parameter"),
    ],
)
def test_what_cannot_be_learnt_is_refused(given, words):
    spec = Parameters(mean_sfh_type="dpl", **given)
    with pytest.raises(ConfigError, match=words):
        SSPPhotometryTarget.build(spec, tiny_observation().photometry, tiny_ssp().age_edges_gyr)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "standard" else pytest.mark.slow) for n in AGN_MODELS]
)
def test_an_agn_is_an_exact_term(artefact, exact, name):
    """The AGN's share of the flux is that of the exact model, whatever the network says."""
    spec = Parameters(mean_sfh_type="dpl", agn_model=name, agn_log_lbol=(8.0, 13.0), **BOX)
    fast = EmulatedSEDModel(artefact).with_spec(spec)
    slow = fast.exact_model(tiny_ssp())
    batch = draws(spec, 8)

    def agn(model):
        dark, lit = (np.asarray(model.predict_photometry_batch({**batch, "agn_log_lbol": lbol}))
                     for lbol in (5.0, 13.5))  # fmt: skip
        return lit - dark

    np.testing.assert_allclose(agn(fast), agn(slow), rtol=2e-3)


def test_numpy_alone_gives_the_fluxes_of_masses_formed(artefact, tmp_path):
    write(tmp_path / "ages.h5", artefact)
    export.to_numpy(tmp_path / "ages.h5", tmp_path, "mine")
    params = draws(artefact.spec, 20, seed=9)
    answer = alone(tmp_path, export.standalone_arguments(artefact, params))
    ours = np.asarray(EmulatedSEDModel(artefact).predict_photometry_batch(params))
    np.testing.assert_allclose(answer["flux"], ours, rtol=3e-5)
    assert answer["loaded"] == []


def test_a_table_of_sfr_fills_the_bins(artefact, tmp_path, monkeypatch):
    """Against a fine trapezium; star formation begins and ends where the table does."""
    write(tmp_path / "ages.h5", artefact)
    export.to_numpy(tmp_path / "ages.h5", tmp_path, "sums")
    monkeypatch.syspath_prepend(tmp_path)
    import sums  # type: ignore[import-not-found]

    t, sfr = np.array([0.02, 0.5, 3.0]), np.array([2.0, 5.0, 1.0])
    fine = np.linspace(0.02, 3.0, 400_001)
    rate = np.interp(fine, t, sfr)
    total = np.append(0.0, np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(fine)))
    expected = 1e9 * np.diff(np.interp(sums.AGE_EDGES, fine, total))
    np.testing.assert_allclose(sums.formed_in_bins(t, sfr), expected, rtol=1e-4, atol=1e2)


def test_a_quasar_without_stars_is_refused(artefact):
    spec = Parameters(mean_sfh_type="none", agn_model="standard", agn_log_lbol=(8.0, 13.0),
                      redshift=(0.01, 1.0))  # fmt: skip
    with pytest.raises(ConfigError, match="Use the exact model"):
        EmulatedSEDModel(artefact).with_spec(spec)
    with pytest.raises(ConfigError, match="train without agn_model"):
        SSPPhotometryTarget.build(spec, tiny_observation().photometry, tiny_ssp().age_edges_gyr)


@pytest.mark.slow
def test_dust_at_the_poles_of_a_nucleus_is_in_the_table(artefact):
    """Reddening of every depth, lines of every width, both types: as the exact spectrum has it."""
    free = {"agn_ebv": (0.0, 0.4), "agn_fwhm_broad": (1500.0, 12000.0), "agn_type": (1.0, 2.0)}
    spec = Parameters(mean_sfh_type="dpl", agn_model="standard", agn_log_lbol=14.0, **free, **BOX)
    fast = EmulatedSEDModel(artefact).with_spec(spec)
    slow = fast.exact_model(tiny_ssp())
    batch = draws(spec, 24)
    ratio = fast.predict_photometry_batch(batch) / slow.predict_photometry_batch(batch)
    assert np.abs(np.asarray(ratio) - 1.0).max() < 0.01
