"""[α/Fe] as a parameter of the model: linear between the grids, and bounded by them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, Uniform, load_ssp_data, stack_ssp_data
from tengri.errors import ConfigError, DataError, ParameterError
from tengri.grids.files import STELLAR_SSP
from tests.tengri.grids import layouts

HISTORY = {"sfh_dpl_tau_gyr": 3.0, "redshift": 0.3}
AFE = 0.0, 0.2, 0.4


def _enhanced(ssp, value):
    """A grid of redder stars: what it looks like does not matter, only that it differs."""
    tilt = (ssp.ssp_wave / 5500.0) ** value
    remaining = ssp.ssp_mass_remaining
    return replace(
        ssp,
        ssp_flux=ssp.ssp_flux * tilt,
        ssp_mass_remaining=None if remaining is None else remaining * (1.0 - 0.1 * value),
        ionising=None,
        lines=None,
    )


@pytest.fixture(scope="module")
def grids():
    ssp = load_ssp_data()
    return {value: _enhanced(ssp, value) for value in AFE}


def _model(grid, bands=True, **asked):
    gas = {} if grid.nebular else {"nebular": "cloudy"}
    observation = Instrument.SDSS().observation() if bands else None
    return SEDModel(Parameters(**{**HISTORY, **gas, **asked}), grid, observation)


def test_the_nodes_are_the_grids_themselves_and_the_light_is_linear_between(grids):
    model = _model(stack_ssp_data(grids), met_afe=Uniform(0.0, 0.4), met_logzsol=Uniform(-1.5, 0.2))
    metals = {"met_logzsol": -0.4}
    flux = {
        value: _model(grid, met_logzsol=-0.4).predict_photometry() for value, grid in grids.items()
    }
    for value in AFE:
        asked = model.predict_photometry({**metals, "met_afe": value})
        np.testing.assert_allclose(asked, flux[value], rtol=3e-6)
    between = model.predict_photometry({**metals, "met_afe": 0.25})
    np.testing.assert_allclose(between, 0.75 * flux[0.2] + 0.25 * flux[0.4], rtol=3e-6)
    assert np.abs(np.asarray(flux[0.4]) / np.asarray(flux[0.0]) - 1.0).max() > 0.05
    batch = model.predict_photometry_batch({"met_logzsol": np.full(3, -0.4), "met_afe": AFE})
    np.testing.assert_allclose(batch, np.stack([flux[v] for v in AFE]), rtol=3e-6)


def test_gas_follows_its_stars():
    """Each row of the grid ionises its own gas, at its own metallicity."""
    ssp = load_ssp_data(STELLAR_SSP)
    grids = {value: _enhanced(ssp, value) for value in (0.0, 0.4)}
    young = {"sfh_dpl_tau_gyr": 12.0, "met_logzsol": -0.6}
    model = _model(stack_ssp_data(grids), met_afe=0.4, **young)
    alone = _model(grids[0.4], **young)
    np.testing.assert_allclose(model.predict_photometry(), alone.predict_photometry(), rtol=3e-6)


def test_slopes_are_differences_of_the_grids(grids):
    model = _model(stack_ssp_data(grids), met_afe=Uniform(0.0, 0.4))
    slope = jax.jacobian(lambda x: model.predict_photometry({"met_afe": x}))(jnp.asarray(0.3))
    ends = [np.asarray(_model(grids[v]).predict_photometry()) for v in (0.2, 0.4)]
    np.testing.assert_allclose(
        slope, (ends[1] - ends[0]) / 0.2, rtol=2e-4, atol=1e-4 * ends[0].max()
    )


def test_spectra_and_surviving_mass_follow(grids):
    model = _model(stack_ssp_data(grids), bands=False, met_afe=0.4)
    alone = _model(grids[0.4], bands=False)
    np.testing.assert_allclose(
        model.predict_rest_sed().sed, alone.predict_rest_sed().sed, rtol=1e-5
    )
    mass, other = (m.predict_derived()["stellar_mass_surviving"] for m in (model, alone))
    np.testing.assert_allclose(mass, other, rtol=1e-6)


def test_the_grid_ends_as_in_metallicity(grids):
    model = _model(stack_ssp_data(grids), met_afe=Uniform(0.0, 0.4))
    with pytest.warns(UserWarning, match=r"met_afe = 0.6 is outside the SSP grid \(-?0.00…0.40\)"):
        edge = model.predict_photometry({"met_afe": 0.6})
    np.testing.assert_allclose(edge, model.predict_photometry({"met_afe": 0.4}), rtol=1e-6)
    inside = jax.jit(lambda x: model.predict_photometry({"met_afe": x}))
    assert np.isnan(inside(0.6)).all() and np.isfinite(inside(0.4)).all()
    assert list(model.in_domain({"met_afe": np.array([0.1, 0.6, -0.1])})) == [True, False, False]
    with pytest.warns(
        UserWarning, match=r"prior of met_afe runs from -0.2 to 0.4.*met_afe = \(0.00, 0.40\)"
    ):
        _model(stack_ssp_data(grids), met_afe=Uniform(-0.2, 0.4))


def test_one_side_alone_is_an_error(grids):
    with pytest.raises(
        ConfigError, match=r"met_afe changes nothing on the grid .*no axis \[α/Fe\]"
    ):
        _model(grids[0.0], met_afe=0.2)
    with pytest.raises(ConfigError, match=r"has an axis \[α/Fe\] \(0 to 0.4\): give met_afe"):
        _model(stack_ssp_data(grids))
    with pytest.raises(ParameterError, match="met_afe"):
        Parameters(**HISTORY, met_afe=3.0)


def test_grids_that_do_not_match_are_not_stacked(grids):
    one = grids[0.0]
    with pytest.raises(DataError, match="two grids or more"):
        stack_ssp_data({0.0: one})
    with pytest.raises(DataError, match=r"\[α/Fe\] = 0.4 has another ssp_lgmet"):
        stack_ssp_data({0.0: one, 0.4: replace(one, ssp_lgmet=one.ssp_lgmet + 0.1)})
    with pytest.raises(DataError, match="gas"):
        stack_ssp_data({0.0: one, 0.4: replace(one, gas=not one.nebular)})
    with pytest.raises(DataError, match="no plain grid"):
        stack_ssp_data({0.0: one, 0.4: stack_ssp_data(grids)})


def test_a_file_with_the_axis_keeps_it(tmp_path):
    path = layouts.ceridwen(tmp_path / "a.h5", afe=AFE)
    ssp = load_ssp_data(path, afe="free")
    assert ssp.ssp_afe.tolist() == list(AFE) and "3 [α/Fe] × 2 metallicities" in repr(ssp)
    for i, value in enumerate(AFE):
        rows = ssp.ssp_flux[2 * i : 2 * i + 2]
        np.testing.assert_allclose(rows, (1.0 + value) * layouts.flux(), rtol=1e-12)
    assert ssp.sha256 != load_ssp_data(path, afe=0.2).sha256
    with pytest.raises(DataError, match="no axis"):
        load_ssp_data(layouts.ceridwen(tmp_path / "b.h5"), afe="free")
    with pytest.raises(DataError, match="no axis"):
        load_ssp_data(layouts.dsps(tmp_path / "c.h5"), afe="free")
