"""Lines that a grid lists beside its spectra: what the spectra have above their continuum."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from tengri import Parameters, SEDModel, load_ssp_data
from tengri.analysis.line_sweeps import sweep_lines
from tengri.analysis.plotting import sweep_parameter
from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import ConfigError, UnknownNameError
from tengri.forward.grid_lines import clear_windows
from tengri.grids.contents import LineTable

#: As other codes name them; the first two wavelengths are in air.
NAMES = ("H 1 6563A", "H 1 4861A", "O 3 5007A", "O 3 4959A")
WAVE = (6562.80, 4861.33, 5008.240, 4960.295)
OURS = ("Ha_6565", "Hb_4863", "[OIII]_5008", "[OIII]_4960")
VACUUM = (6564.613, 4862.678, 5008.237, 4960.294)
#: On either side of each, where nothing emits [Å].
SIDEBANDS = (((6480, 6535), (6595, 6650)), ((4800, 4842), (4880, 4915)),
             ((4975, 4995), (5025, 5075)), ((4925, 4945), (4975, 4990)))  # fmt: skip
GALAXY = {"dust_tau_bc": 1.2, "dust_tau_diff": 0.4}


def excess(wave, lnu, line):
    """Return ∫ (L_ν - continuum) dν over a line of a spectrum that is linear in λ, (…,)."""
    near = np.abs(wave / line - 1.0) < 1.02e-3
    at, light = wave[near], np.asarray(lnu)[..., near]
    first, last = light[..., :1], light[..., -1:]
    above = light - (first + (last - first) * (at - at[0]) / (at[-1] - at[0]))
    return np.trapezoid(above * C_AA_PER_S / at**2, at)


@pytest.fixture(scope="module")
def ssp():
    """The grid of stars and gas, with a table of lines measured on its own spectra."""
    grid = load_ssp_data()
    fine = np.union1d(grid.ssp_wave, np.ravel(np.outer(VACUUM, 1.0 + 1e-3 * np.array([-1, 1]))))
    flux = np.array([[np.interp(fine, grid.ssp_wave, f) for f in row] for row in grid.ssp_flux])
    # old populations absorb, which is a negative line here: the sum is what the spectrum shows
    light = np.stack([excess(fine, flux, line) for line in VACUUM], axis=-1)
    return replace(grid, lines=LineTable(NAMES, np.array(WAVE), light), name="listed")


@pytest.fixture(scope="module")
def model(ssp):
    spec = Parameters(sfh_const_log_total_mass=9.0, sfh_const_start_gyr=0.05, met_logzsol=-0.3,
                      dust_tau_bc=(0, 3), dust_tau_diff=(0, 3), redshift=0.1)  # fmt: skip
    return SEDModel(spec, ssp)


@pytest.fixture(scope="module")
def spectrum(model):
    sed = model.predict_rest_sed(GALAXY)
    wave, lnu = np.asarray(sed.wavelength), np.asarray(sed.sed, np.float64)
    return wave, lnu


def test_lines_and_widths_are_those_of_the_spectrum(model, spectrum):
    """Direct integration over the galaxy's spectrum, behind both screens."""
    lines, (wave, lnu) = model.predict_lines(GALAXY), spectrum
    assert lines.names == OURS
    np.testing.assert_allclose(lines.wavelength, VACUUM, rtol=1e-9)
    ends = np.ravel(np.outer(VACUUM, 1.0 + 1e-3 * np.array([-1, 1])))
    fine = np.union1d(wave, ends)
    direct = np.array([excess(fine, np.interp(fine, wave, lnu), line) for line in VACUUM])
    np.testing.assert_allclose(lines.luminosity, direct, rtol=0.01)
    sides = [np.concatenate([np.linspace(*ends, 200) for ends in each]) for each in SIDEBANDS]
    per_aa = np.array([(np.interp(at, wave, lnu) * C_AA_PER_S / at**2).mean() for at in sides])
    np.testing.assert_allclose(lines.ew_rest, direct / per_aa, rtol=0.03)
    np.testing.assert_allclose(lines.ew_obs, 1.1 * lines.ew_rest, rtol=1e-6)
    assert lines["Halpha"].luminosity == lines["Ha_6565"].luminosity


def test_dust_takes_its_share_of_young_and_old(model, ssp):
    """exp(-τ k) of the birth cloud for the young alone, counted on the weights of the ages."""
    bins, formed = model.galaxy.bins, model.galaxy.ssp_weights(model.spec.resolve(GALAXY))
    each = np.einsum("zt,ztl->tl", formed.weights, ssp.lines.luminosity[:, bins.node])
    young, old = each[: bins.n_young].sum(axis=0), each[bins.n_young :].sum(axis=0)
    k = (np.array(VACUUM) / 5500.0) ** -0.7
    seen = np.exp(-0.4 * k) * (np.exp(-1.2 * k) * young + old)
    expected = seen * 10.0 ** float(formed.log10_mass) * LSUN_ERG_S
    np.testing.assert_allclose(model.predict_lines(GALAXY).luminosity, expected, rtol=1e-5)


def test_batches_slopes_and_sweeps(model):
    taus = np.array([0.0, 0.5, 2.0])
    many = model.predict_lines_batch({**GALAXY, "dust_tau_diff": taus})
    one = model.predict_lines({**GALAXY, "dust_tau_diff": 0.5})
    np.testing.assert_allclose(many.flux[1], one.flux, rtol=1e-5)
    swept = sweep_lines(model, "dust_tau_diff", taus, ["Halpha", "Hb"], {"dust_tau_bc": 1.2})
    np.testing.assert_allclose(swept.lines.flux, np.asarray(many.flux)[:, :2], rtol=1e-5)
    import matplotlib.pyplot as plt

    figure, ax = sweep_parameter(model, "dust_tau_diff", taus, line=["Ha", "Hb"], quantity="flux",
                                 base={"dust_tau_bc": 1.2})  # fmt: skip
    for drawn, column in zip(ax.get_lines(), np.asarray(many.flux).T):
        np.testing.assert_allclose(drawn.get_ydata(), column, rtol=1e-5)
    plt.close(figure)
    with pytest.raises(ConfigError, match="With line="):
        sweep_parameter(model, "dust_tau_diff", taus, line="Ha", log_scale=True)
    with pytest.raises(ConfigError, match="one of lines"):
        sweep_parameter(model, "dust_tau_diff", taus, quantity="flux")
    slope = jax.grad(lambda t: model.predict_lines({**GALAXY, "dust_tau_diff": t})["Ha"].flux)(0.5)
    k = (VACUUM[0] / 5500.0) ** -0.7
    assert float(slope / one["Ha"].flux) == pytest.approx(-k, rel=1e-4)


def test_windows_pass_by_all_other_lines():
    """Hα and [N II], Hβ and [O III]: the window of Hβ would hold [O III] 4960 and He I 4923."""
    wave = np.array([4862.678, 4923.3, 4960.294, 5008.237, 6549.859, 6564.613, 6585.269])
    windows = clear_windows(wave, 16)
    assert windows.shape == (14, 16)
    for line, row in zip(np.tile(wave, 2), windows):
        others = wave[wave != line]
        assert np.abs(row[:, None] / others - 1.0).min() > 0.0029
        assert 0.0039 < np.abs(row / line - 1.0).min() < np.abs(row / line - 1.0).max() < 0.0151


def test_names_that_are_no_known_line_stay(ssp):
    table = LineTable(("odd", "a", "b"), np.array([5500.0, 3727.0, 3727.1]), np.ones((7, 1, 3)))
    light = np.ones((*ssp.ssp_flux.shape[:2], 3))
    grid = replace(ssp, lines=replace(table, luminosity=light))
    spec = Parameters(sfh_const_log_total_mass=9.0, redshift=0.1)
    assert SEDModel(spec, grid).line_list.names == ("odd", "a", "b")
    with pytest.raises(UnknownNameError, match="odd"):
        SEDModel(spec, grid).predict_lines()["od"]
    with pytest.raises(ConfigError, match="no table lists them"):
        SEDModel(spec, replace(ssp, lines=None)).predict_lines()
