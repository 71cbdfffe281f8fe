"""Sweeps, grids and tracks: shapes, values against single calls, and what is refused."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.analysis.accuracy import table_text
from tengri.analysis.compare import break_even, break_even_text, compare
from tengri.analysis.plotting import SWEEP_CMAPS, setup_style, sweep_parameter, sweep_setting
from tengri.analysis.population import Population
from tengri.analysis.sweeps import colour, grid_photometry, redshift_track, sweep_photometry
from tengri.errors import ConfigError, ParameterError, UnknownNameError

SPEC = dict(
    sfh_tsnorm_peak_lbt_gyr=2.0, sfh_tsnorm_width_gyr=1.5, met_logzsol=(-2.0, 0.2),
    dust_tau_diff=(0.0, 3.0), dust_law="calzetti", dust_slope=-0.7, redshift=(0.01, 1.0),
)  # fmt: skip
BASE = {"met_logzsol": -0.3, "dust_tau_diff": 0.3, "redshift": 0.1}


@pytest.fixture(scope="module")
def model():
    observation = Instrument.from_names(["sdss_g", "sdss_r", "sdss_i"]).observation()
    return SEDModel(Parameters(**SPEC), load_ssp_data(), observation, units="nJy")


def without(*names):
    return {k: v for k, v in BASE.items() if k not in names}


def test_sweep_grid_and_track_are_single_calls_side_by_side(model):
    sweep = sweep_photometry(model, "dust_tau_diff", [0.0, 0.5, 2.0], base=without("dust_tau_diff"))
    assert sweep.flux.shape == (3, 3)
    one = model.predict_photometry({**BASE, "dust_tau_diff": 0.5})
    np.testing.assert_allclose(sweep.flux[1], one, rtol=1e-9)
    axes = {"met_logzsol": [-1.0, 0.0], "dust_tau_diff": [0.0, 1.0, 2.0]}
    grid = grid_photometry(model, axes, base={"redshift": 0.1})
    assert grid.flux.shape == (2, 3, 3)
    one = model.predict_photometry({"met_logzsol": 0.0, "dust_tau_diff": 1.0, "redshift": 0.1})
    np.testing.assert_allclose(grid.flux[1, 1], one, rtol=1e-9)
    track = redshift_track(model, [0.1, 0.4], base=without("redshift"))
    np.testing.assert_allclose(track.flux[1], model.predict_photometry({**BASE, "redshift": 0.4}))
    magnitudes = np.asarray(model.predict_magnitudes({**BASE, "redshift": 0.4}))
    np.testing.assert_allclose(track.magnitudes()[1], magnitudes, atol=1e-9)
    np.testing.assert_allclose(track.colour("sdss_g", "sdss_r")[1], magnitudes[0] - magnitudes[1])
    plain = colour(track.flux, "sdss_g", "sdss_r", bands=model.filter_names)
    np.testing.assert_allclose(plain, track.colour("sdss_g", "sdss_r"), atol=1e-12)
    assert colour(track, "sdss_g", "sdss_r") == pytest.approx(plain)


def test_dust_reddens_and_dims(model):
    sweep = sweep_photometry(
        model, "dust_tau_diff", np.linspace(0, 3, 5), base=without("dust_tau_diff")
    )
    assert np.all(np.diff(sweep.flux, axis=0) < 0)
    assert np.all(np.diff(sweep.colour("sdss_g", "sdss_r")) > 0)


def test_a_fixed_parameter_may_be_swept(model):
    swept = sweep_photometry(model, "sfh_tsnorm_width_gyr", [0.5, 1.5], base=BASE)
    assert not np.allclose(swept.flux[0], swept.flux[1])


BAD = {
    "typo": ("dust_tau_dif", [0.1], "Did you mean dust_tau_diff"),
    "setting": ("dust_law_diff", [0.1], "sweep_setting"),
    "inert": ("dust_slope", [-1.0, -0.5], "no effect"),
    "empty": ("dust_tau_diff", [], "list of values"),
    "NaN": ("dust_tau_diff", [0.1, np.nan], "entry 1 is nan"),
    "text": ("dust_tau_diff", ["a"], "must be numbers"),
    "scalar": ("dust_tau_diff", 0.3, "list of values"),
    "outside": ("dust_tau_diff", [0.1, -1.0], "dust_tau_diff"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sweeps_have_one_clear_error(model, case):
    name, values, message = BAD[case]
    with pytest.raises(ParameterError, match=message):
        sweep_photometry(model, name, values, base=without("dust_tau_diff"))


def test_unknown_band_is_named(model):
    track = redshift_track(model, [0.1], base=without("redshift"))
    with pytest.raises(UnknownNameError, match="Did you mean sdss_g"):
        track.colour("sdss_gg", "sdss_r")
    with pytest.raises(ParameterError, match="bands="):
        colour(track.flux, "sdss_g", "sdss_r")
    with pytest.raises(ParameterError, match="at least one axis"):
        grid_photometry(model, {})


def test_sweep_parameter_draws_lambda_f_lambda(model):
    setup_style()
    fig, ax = sweep_parameter(
        model, "dust_tau_diff", [0.0, 1.0], cmap=SWEEP_CMAPS["dust"], wave_range=(3000, 9000),
        base=without("dust_tau_diff"), reference_idx=0, components=True, unit=" mag",
    )  # fmt: skip
    sed = model.predict_rest_sed({**BASE, "dust_tau_diff": 0.0})
    wave, lnu = np.asarray(sed.wavelength), np.asarray(sed.sed)
    _x, y = ax.get_lines()[0].get_data()
    want = lnu / wave / np.interp(5500.0, wave, lnu) * 5500.0
    np.testing.assert_allclose(y, want[(wave >= 3000) & (wave <= 9000)], rtol=1e-6)
    assert ax.get_lines()[0].get_color() == "black"
    assert (
        "lambda F_" in ax.get_ylabel() and ax.get_legend().get_texts()[1].get_text() == "1.00 mag"
    )
    plt.close(fig)
    with pytest.raises(ParameterError, match="wave_range"):
        sweep_parameter(model, "dust_tau_diff", [0.0], base=without("dust_tau_diff"),
                        wave_range=(1e-3, 1e-2))  # fmt: skip


def test_sweep_setting_draws_every_choice():
    spec = Parameters(**{**SPEC, **BASE})
    spec = spec.with_params(dust_law="calzetti")
    fig, ax = sweep_setting(spec, load_ssp_data(), "igm_model", {"none": "no IGM"})
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["no IGM"]
    plt.close(fig)
    with pytest.raises(UnknownNameError, match="Did you mean dust_law"):
        sweep_setting(spec, load_ssp_data(), "dust_laws", ["calzetti"])


class Shifted:
    """A model that is 5 mmag too faint everywhere."""

    def __init__(self, model):
        self.spec, self.observation, self.units = model.spec, model.observation, model.units
        self.filter_names, self._model = model.filter_names, model
        self.ssp_name = model.ssp_name

    def predict_photometry_batch(self, params):
        return self._model.predict_photometry_batch(params) * 10 ** (-0.4 * 5e-3)


@pytest.mark.parametrize(
    "kind", ["sweep", "grid", "track", pytest.param("n_draws", marks=pytest.mark.slow)]
)
def test_compare_finds_a_known_offset(model, kind):
    request = {
        "sweep": ({"sweep": ("dust_tau_diff", [0.0, 1.0])}, without("dust_tau_diff")),
        "grid": ({"grid": {"met_logzsol": [-1, 0], "dust_tau_diff": [0, 1]}}, {"redshift": 0.1}),
        "track": ({"track": [0.1, 0.3]}, without("redshift")),
        "n_draws": ({"n_draws": 20}, None),
    }[kind]
    c = compare(model, Shifted(model), **request[0], base=request[1])
    np.testing.assert_allclose(c.residual_mmag, 5.0, atol=1e-6)
    assert c.numbers()["pooled"]["p99"] == pytest.approx(5.0, abs=1e-6)
    swept = set(c.exact.axes) | (set(model.spec.all_params) if kind == "n_draws" else set())
    assert set(c.galaxy) == set(model.spec.all_params) - swept
    assert (f"redshift = {c.galaxy['redshift']:g}" if "redshift" in c.galaxy else "") in (
        table_text(c.numbers())
    )
    plt.close(c.plot())
    if kind == "track":
        plt.close(c.plot_colours(("sdss_g", "sdss_r"), ("sdss_r", "sdss_i")))


def test_compare_wants_one_question(model):
    with pytest.raises(ConfigError, match="one of sweep, grid, track"):
        compare(model, model)
    with pytest.raises(ConfigError, match="one of"):
        compare(model, model, n_draws=3, track=[0.1])


def test_break_even():
    assert break_even(100.0, 51.0, 1.0) == pytest.approx(2e6)
    assert break_even(100.0, 1.0, 2.0) == np.inf
    assert "beyond 2e+06 galaxies" in break_even_text(100.0, 51.0, 1.0)


def test_population_does_not_depend_on_its_chunks(model):
    whole = Population(model, 50, seed=3, chunk=50).photometry()
    pieces = Population(model, 50, seed=3, chunk=16).photometry()
    np.testing.assert_allclose(pieces, whole, rtol=1e-10)
    chunks = list(Population(model, 50, seed=3, chunk=16).chunks())
    assert [c.start for c in chunks] == [0, 16, 32, 48] and len(chunks[-1].flux) == 2
    one = {k: v[1] for k, v in chunks[2].params.items()}
    np.testing.assert_allclose(model.predict_photometry(one), whole[33], rtol=1e-9)
    with pytest.raises(ParameterError, match="must be positive"):
        Population(model, 0)
