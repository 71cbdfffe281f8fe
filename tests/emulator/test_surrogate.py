"""The surrogate behaves like the exact model: same dicts, shapes, units and errors."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from emulator.consistency import check
from emulator.surrogate import EmulatedSEDModel
from tengri import Parameters, PhotometricModel, SEDModel
from tengri.cosmology import log10_luminosity_to_flux
from tengri.errors import ConfigError, DataError, ParameterError, UnknownNameError
from tengri.forward.batching import Sizes
from tests.compilations import compilations
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp, untrained
from tests.evaluators import evaluators_of

MAGGIES = 3.631e-20


def test_is_a_photometric_model(surrogate):
    assert isinstance(surrogate, PhotometricModel)
    assert surrogate.filter_names == ("u", "g", "r", "i")


@pytest.mark.parametrize(
    "params",
    [
        {**ONE, "redshfit": 0.1},
        {k: v for k, v in ONE.items() if k != "redshift"},
        {**ONE, "redshift": np.nan},
        {**ONE, "redshift": 0.0},
        {**ONE, "redshift": -0.1},
        {**ONE, "redshift": np.array([0.1, 0.2])},
        {**ONE, "redshift": "high"},
        {**ONE, "dust_tau_bc": -1.0},
        {**ONE, "dust_law": "smc"},
        [1.0],
    ],
)
def test_same_error_for_the_same_mistake(exact, surrogate, params):
    with pytest.raises((ParameterError, UnknownNameError)) as ours:
        surrogate.predict_photometry(params)
    with pytest.raises((ParameterError, UnknownNameError)) as theirs:
        exact.predict_photometry(params)
    assert type(ours.value) is type(theirs.value)
    assert str(ours.value)[:40] == str(theirs.value)[:40]


def test_batch_is_the_single_calls(surrogate):
    params = draws(surrogate.spec, 5)
    params["dust_tau_bc"] = 0.7  # a scalar serves all
    batch = np.asarray(surrogate.predict_photometry_batch(params))
    assert batch.shape == (5, 4)
    for i, row in enumerate(batch):
        one = {k: float(np.broadcast_to(v, 5)[i]) for k, v in params.items()}
        np.testing.assert_allclose(row, surrogate.predict_photometry(one), rtol=3e-6)


def test_chunks_do_not_show(surrogate, monkeypatch):
    params = draws(surrogate.spec, 11)
    whole = np.asarray(surrogate.predict_photometry_batch(params))
    in_one_block = blocked_slopes(surrogate, params)
    small = replace(surrogate.execution, processor=Sizes(4, 4), accelerator=Sizes(4, 4))
    monkeypatch.setattr(surrogate, "execution", small)
    np.testing.assert_allclose(surrogate.predict_photometry_batch(params), whole, rtol=3e-6)
    # in jit there are no chunks: blocks are part of what is compiled
    assert np.allclose(blocked_slopes(surrogate, params), in_one_block, rtol=1e-4, atol=1e-5)


def blocked_slopes(surrogate, params):
    """Return the slopes of all log fluxes in redshift, in reverse mode."""

    def total(z):
        return jnp.log(surrogate.predict_photometry_batch({**params, "redshift": z})).sum()

    return np.asarray(jax.jit(jax.grad(total))(jnp.asarray(params["redshift"])))


def test_units(artefact, surrogate):
    cgs = np.asarray(surrogate.predict_photometry(ONE))
    maggies = np.asarray(EmulatedSEDModel(artefact, units="maggies").predict_photometry(ONE))
    np.testing.assert_allclose(cgs / MAGGIES, maggies, rtol=1e-3)
    assert np.allclose(surrogate.predict_magnitudes(ONE), -2.5 * np.log10(maggies), atol=1e-5)
    with pytest.raises(UnknownNameError, match="maggies"):
        EmulatedSEDModel(artefact, units="maggy")


def test_amplitude_and_distance_are_exact(exact, surrogate):
    """Against the exact model, however bad the network: only ratios enter."""
    ten = {**ONE, "sfh_tsnorm_log_peak_sfr": 2.0}
    ratio = surrogate.predict_photometry(ten) / surrogate.predict_photometry(ONE)
    np.testing.assert_allclose(ratio, 10.0, rtol=1e-6)
    z = jnp.asarray(0.3)
    expected = 10.0 ** (log10_luminosity_to_flux(exact.cosmology, z) + 1.0 - 5.5)
    unit = surrogate.evaluator().light(surrogate.spec.resolve(ONE)).flux
    np.testing.assert_allclose(surrogate.predict_photometry(ONE), unit * expected, rtol=1e-6)


def test_compiled_once_per_shape(surrogate):
    surrogate.predict_photometry(ONE)
    surrogate.predict_photometry_batch(draws(surrogate.spec, 8))
    others = draws(surrogate.spec, 7, seed=3)
    with compilations() as compiled:
        surrogate.predict_photometry({**ONE, "redshift": 0.5})
        surrogate.predict_photometry_batch(others)
    assert compiled.count == 0


def test_blocks_hold_what_rows_give_and_no_size_is_compiled_anew(surrogate):
    """Beyond a block: whole blocks, a part of one, more than a chunk."""
    sizes = surrogate.execution.sizes
    block, chunk = sizes.block, sizes.chunk
    galaxies = draws(surrogate.spec, chunk + 3)
    whole = np.asarray(surrogate.predict_magnitudes_batch(galaxies))
    assert whole.shape == (chunk + 3, len(surrogate.filter_names)) and np.isfinite(whole).all()
    for first, n in ((0, block + 1), (7, 2 * block), (chunk - 5, block + 8)):
        some = {k: np.resize(v[first:], n) for k, v in galaxies.items()}
        rows = np.resize(np.arange(first, chunk + 3), n)
        with compilations() as compiled:
            magnitudes = surrogate.predict_magnitudes_batch(some)
        assert compiled.count == 0
        assert np.allclose(magnitudes, whole[rows], atol=1e-5), n
    few = {k: v[chunk - 1 : chunk + 3] for k, v in galaxies.items()}  # across the cut
    assert np.allclose(surrogate.predict_magnitudes_batch(few), whole[chunk - 1 :], atol=1e-5)


def test_jit_vmap_grad(surrogate):
    direct = np.asarray(surrogate.predict_magnitudes(ONE))
    assert np.allclose(jax.jit(surrogate.predict_magnitudes)(ONE), direct, atol=1e-5)
    z = jnp.linspace(0.1, 0.9, 4)
    rows = jax.vmap(lambda z: surrogate.predict_magnitudes({**ONE, "redshift": z}))(z)
    batch = surrogate.predict_magnitudes_batch({**ONE, "redshift": z})
    assert np.allclose(rows, batch, atol=1e-5)


def test_batched_is_the_function_of_one_galaxy_inside_the_box(surrogate):
    slopes = surrogate.batched(jax.grad(lambda p: surrogate.predict_magnitudes(p).sum()))
    drawn = draws(surrogate.spec, surrogate.execution.sizes.block + 5)
    params = {k: jnp.asarray(v) for k, v in drawn.items()}
    few = {k: v[:3] for k, v in params.items()}
    expected = jax.vmap(jax.grad(lambda p: surrogate.predict_magnitudes(p).sum()))(few)
    result = slopes(params)
    for name, slope in expected.items():
        assert np.allclose(result[name][:3], slope, rtol=1e-4, atol=1e-5), name
    low, high = surrogate.domain.by_name["redshift"].lo, surrogate.domain.by_name["redshift"].hi
    with pytest.raises(ParameterError, match="redshift"):
        slopes({**params, "redshift": low + 1.5 * (high - low)})


@pytest.mark.parametrize("x64", [True, False])
def test_gradients_of_every_free_parameter(surrogate, x64):
    with jax.enable_x64(x64):
        values = {k: jnp.asarray(v, float) for k, v in ONE.items()}
        jacobian = jax.jit(jax.jacobian(surrogate.predict_magnitudes))(values)
    for name, value in ONE.items():
        assert np.isfinite(jacobian[name]).all() and np.any(jacobian[name] != 0.0), name
        step = 3e-3 * max(abs(value), 0.1)
        ends = [surrogate.predict_magnitudes({**ONE, name: value + s * step}) for s in (1, -1)]
        slope = (np.asarray(ends[0]) - np.asarray(ends[1])) / (2 * step)
        if name != "redshift":  # the table over z has kinks
            assert np.allclose(jacobian[name], slope, rtol=0.02, atol=0.01), name


def test_gradients_at_the_edges_of_the_box(surrogate):
    for end in (0, 1):
        edge = {n: jnp.asarray(surrogate.spec.get_distribution(n).bounds[end]) for n in ONE}
        jacobian = jax.jit(jax.jacobian(surrogate.predict_magnitudes))(edge)
        assert all(np.isfinite(g).all() for g in jacobian.values())


def test_x64_does_not_change_the_answer(surrogate):
    params = draws(surrogate.spec, 64)
    wide = np.asarray(surrogate.predict_magnitudes_batch(params))
    with jax.enable_x64(False):
        narrow = np.asarray(surrogate.predict_magnitudes_batch(params))
    assert wide.dtype == np.float64 and narrow.dtype == np.float32
    assert np.abs(wide - narrow).max() < 3e-5


def test_importing_and_loading_changes_no_setting(file):
    code = f"""
import jax
before = dict(jax.config.values)
import emulator
model = emulator.load({str(file)!r})
assert dict(jax.config.values) == before
assert model.predict_photometry({ONE!r}).dtype == 'float32'
assert dict(jax.config.values) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# --- star formation is exact ------------------------------------------------------------------


def test_history_and_derived_are_those_of_the_exact_model(exact, surrogate):
    ours, theirs = surrogate.predict_derived(ONE), exact.predict_derived(ONE)
    assert {"stellar_mass", "stellar_mass_surviving", "sfr_100myr", "ssfr"} <= set(ours)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-10, err_msg=name)
    assert set(ours) < set(theirs)
    a = surrogate.predict_sfh(ONE, n_linear=50)
    b = jax.jit(lambda p: exact.predict_sfh(p, n_linear=50))(ONE)
    np.testing.assert_allclose(a["sfr"], b["sfr"], rtol=1e-10)
    np.testing.assert_allclose(a["t_gyr"], b["t_gyr"], rtol=1e-10)
    for model in (surrogate, exact):
        with pytest.raises(ParameterError, match="2 or more"):
            model.predict_sfh(ONE, n_linear=1)


def test_history_needs_no_network_and_no_guard(surrogate):
    far = {**ONE, "dust_tau_bc": 9.0, "redshift": 2.0}
    assert surrogate.predict_derived(far)["stellar_mass"] > 0.0
    assert np.isfinite(surrogate.predict_sfh(far)["sfr"]).all()


@pytest.fixture(scope="module")
def starless():
    """Times in Gyr: at high redshift a history can lie before the Big Bang."""
    box = {k: v for k, v in BOX.items() if not k.endswith("_frac")}
    box |= {"sfh_tsnorm_peak_lbt_gyr": (1.0, 12.0), "sfh_tsnorm_width_gyr": (0.2, 2.0)}
    exact = SEDModel(Parameters(**box), tiny_ssp(), tiny_observation())
    return exact, EmulatedSEDModel(untrained(exact))


def test_galaxies_without_stars(starless):
    exact, fast = starless
    gyr = {k: v for k, v in ONE.items() if not k.endswith("_frac")} | {
        "sfh_tsnorm_peak_lbt_gyr": 12.0, "sfh_tsnorm_width_gyr": 0.2, "redshift": 1.0,
    }  # fmt: skip
    messages = set()
    for model in (exact, fast):
        for predict in (model.predict_photometry, model.predict_sfh):
            with pytest.raises(ParameterError, match="No stars by z = 1") as error:
                predict(gyr)
            messages.add(str(error.value))
        assert np.isnan(jax.jit(model.predict_sfh)(gyr)["sfr"]).all()
    assert len(messages) == 1
    two = {**gyr, "sfh_tsnorm_peak_lbt_gyr": np.array([2.0, 12.0])}
    with pytest.warns(UserWarning, match="1 of 2 galaxies formed no stars"):
        flux = np.asarray(fast.predict_photometry_batch(two))
    assert np.isfinite(flux[0]).all() and np.isnan(flux[1]).all()
    with pytest.raises(ParameterError, match="No stars"):
        fast.predict_derived(gyr)
    assert np.isnan(jax.jit(fast.predict_photometry)(gyr)).all()


def test_the_mass_integral_is_left_out_where_stars_are_certain(surrogate, starless):
    assert surrogate.artefact.log10_mass_min > 5.0
    evaluators = evaluators_of(surrogate)
    assert evaluators.choose(surrogate.spec.resolve(ONE)).rules.certain
    faint = {**ONE, "sfh_tsnorm_log_peak_sfr": -9.9}
    assert not evaluators.choose(surrogate.spec.resolve(faint)).rules.certain
    assert starless[1].artefact.log10_mass_min < 0.0


# --- honesty ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["predict_rest_sed", "predict_obs_sed", "predict_spectrum"])
def test_spectra_are_refused_with_a_way_out(surrogate, call):
    given = ([5000.0], ONE) if call == "predict_spectrum" else (ONE,)
    with pytest.raises(ConfigError, match=r"photometry .* in u, g, r, i.*exact_model\(\)"):
        getattr(surrogate, call)(*given)


def test_error_bars(surrogate):
    assert np.array_equal(surrogate.predict_errors(), [0.01] * 4)
    errors = surrogate.predict_errors(draws(surrogate.spec, 6), level="95")
    assert errors.shape == (6, 4)
    assert np.all(np.isinf(errors) | (errors == [0.01, 0.02, 0.03, 0.04]))
    with pytest.raises(UnknownNameError, match="68, 95"):
        surrogate.predict_errors(level=99)


def test_error_bars_by_redshift(artefact):
    bars = {
        "68": [[0.01] * 4, [0.02] * 4],
        "95": [[0.03] * 4, [0.04] * 4],
        "edges": [0.0, 0.5, 1.0],
    }
    known = replace(artefact, error_bars_z={k: np.asarray(v) for k, v in bars.items()})
    check(known)
    fast = EmulatedSEDModel(known).with_observation(tiny_observation())
    batch = {**draws(fast.spec, 3), "redshift": np.array([0.1, 0.6, 0.9])}
    errors = fast.predict_errors(batch)
    assert np.array_equal(np.min(errors, axis=1), [0.01, 0.02, 0.02])
    assert np.array_equal(fast.predict_errors(), [0.01] * 4)
    with pytest.raises(ConfigError, match="order of redshift edges"):
        check(replace(known, error_bars_z={**known.error_bars_z, "edges": np.zeros(3)}))


def test_no_promise_where_a_band_has_dropped_out(artefact):
    weights = jax.tree.map(np.copy, artefact.params)
    weights["out"]["bias"][0] -= 50.0
    dark = EmulatedSEDModel(replace(artefact, params=weights))
    assert np.array_equal(np.isinf(dark.predict_errors(ONE)), [True, False, False, False])
    assert np.isfinite(dark.predict_magnitudes(ONE)).all()


def test_exact_model_from_the_surrogate(exact, surrogate):
    again = surrogate.exact_model(exact.ssp)
    assert isinstance(again, SEDModel) and again.ssp is exact.ssp
    for name in ("spec", "observation", "cosmology", "units"):
        assert getattr(again, name) == getattr(exact, name), name
    with pytest.raises(DataError, match="trained on the SSP grid 'tiny'"):
        surrogate.exact_model(tiny_ssp(seed=1))


def test_summary_says_what_matters(surrogate):
    text = surrogate.summary()
    for words in ("tiny", "[0.01, 1]", "out_of_domain: raise", "68 % [mmag]"):
        assert words in text
    assert str(surrogate) == text and "u, g, r, i" in repr(surrogate)


def test_exact_model_and_surrogate_print_one_summary(exact, surrogate):
    one, other = (model.summary().splitlines() for model in (exact, surrogate))
    for line in ("cosmology: ", "units: ", "  band ", "Parameters: ", "Settings"):
        assert [sum(row.startswith(line) for row in rows) for rows in (one, other)] == [1, 1], line
    shape = repr(exact).replace("SEDModel", "EmulatedSEDModel")
    assert repr(surrogate) == shape
    for model in (exact, surrogate, exact.spec):
        page = model._repr_html_()
        assert page.count("<table") == page.count("</table>") >= 2
        assert "<th style='text-align:left'>parameter</th>" in page and "redshift" in page
    assert "6 free" not in repr(surrogate) and "7 free parameters" in repr(surrogate)
    assert surrogate.accuracy == {"pooled": {"p50": 1.0}}


def test_public_names():
    assert {"load", "verify", "EmulatedSEDModel", "Artefact"} <= set(dir(emulator))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        emulator.lod  # noqa: B018
