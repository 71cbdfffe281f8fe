"""Dust of the Milky Way in front of each object: in every path, and nowhere else."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from emulator.targets import TARGETS
from tengri import Instrument, Parameters, SEDModel
from tengri.components.dust.milky_way import MilkyWay
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.observation.bands import band_matrix
from tests.emulator.conftest import tiny_ssp
from tests.evaluators import evaluators_of

FREE = {"sfh_const_start_gyr": 1.0, "dust_tau_diff": (0.0, 2.0), "mw_ebv": (0.0, 0.5)}
N = 5


def build(redshift, **more) -> SEDModel:
    spec = Parameters(**{**FREE, **more}, redshift=redshift)
    return SEDModel(spec, tiny_ssp(), Instrument.SDSS().observation(), units="nJy")


@pytest.fixture(scope="module")
def model():
    return build((0.05, 1.0))


@pytest.fixture(scope="module")
def batch(model):
    return {k: np.asarray(v) for k, v in model.spec.sample_batch(jax.random.key(1), N).items()}


def row(batch, i):
    return {name: values[i] for name, values in batch.items()}


def test_it_dims_the_observed_spectrum_alone(model):
    p = {"redshift": 0.7, "dust_tau_diff": 0.4}
    behind, clear = ({**p, "mw_ebv": e} for e in (0.3, 0.0))
    spectra = model.predict_obs_sed(behind), model.predict_obs_sed(clear)
    a = -2.5 * np.log10(np.asarray(spectra[0].sed / spectra[1].sed)) / 0.3
    wave = np.asarray(spectra[0].wavelength)
    optical = wave > 3000.0
    np.testing.assert_allclose(a[optical], MilkyWay().extinction(wave)[optical], atol=3e-6)
    assert np.ptp(a[wave < 3000.0]) > 0.1
    at = np.array([4000.0, 9000.0])
    ratio = np.asarray(model.predict_spectrum(at, behind) / model.predict_spectrum(at, clear))
    np.testing.assert_allclose(-2.5 * np.log10(ratio) / 0.3, MilkyWay().extinction(at), rtol=1e-3)
    np.testing.assert_array_equal(*(model.predict_rest_sed(q).sed for q in (behind, clear)))
    derived = [model.predict_derived(q) for q in (behind, clear)]
    for name, value in derived[0].items():
        np.testing.assert_array_equal(value, derived[1][name])


def test_bands_are_the_observed_spectrum_through_the_filter(model, batch):
    flux = np.asarray(model.predict_photometry_batch(batch))
    filters = model.observation.photometry.filters
    for i in range(2):
        p = row(batch, i)
        weights = band_matrix(model.galaxy.wave, filters, float(p["redshift"]))
        wanted = weights @ np.asarray(model.predict_obs_sed(p).sed) * 1e32
        np.testing.assert_allclose(flux[i], wanted, rtol=1e-9)
        np.testing.assert_allclose(model.predict_photometry(p), wanted, rtol=1e-9)


def test_without_reddening_it_is_the_model_without(model, batch):
    bare = model.spec.without_params("mw_ebv")
    assert bare.composition.milky_way is None and "mw_ebv" not in bare.all_params
    other = SEDModel(bare, model.ssp, model.observation, units="nJy")
    given = {name: values for name, values in batch.items() if name != "mw_ebv"}
    np.testing.assert_allclose(
        model.predict_photometry_batch({**batch, "mw_ebv": np.zeros(N)}),
        other.predict_photometry_batch(given), rtol=1e-13,
    )  # fmt: skip
    with pytest.raises(ParameterError, match=r"mw_ebv=… in Parameters"):
        other.predict_photometry({"redshift": 0.1, "dust_tau_diff": 0.1, "mw_ebv": 0.1})


def test_one_redshift_takes_few_wavelengths(model, batch):
    fixed = build(0.4)
    evaluators = evaluators_of(fixed)
    given = {**batch, "redshift": np.full(N, 0.4)}
    assert evaluators.choose(fixed.spec.resolve(given, batch=True)) is evaluators.at(0.4)
    few, all_ = (m.predict_photometry_batch(given) for m in (fixed, model))
    np.testing.assert_allclose(few, all_, rtol=1e-9)
    beyond = {**given, "mw_ebv": np.full(N, 9.0)}
    chosen = evaluators.choose(fixed.spec.resolve(beyond, batch=True))
    assert chosen is evaluators.over((0.4, 0.4), traced=False)


def test_slopes_are_finite_and_right(model, batch):
    p = row(batch, 0)

    def magnitudes(e):
        return model.predict_magnitudes({**p, "mw_ebv": e})

    slope = jax.jit(jax.jacfwd(magnitudes))
    np.testing.assert_allclose(slope(0.0), [4.24, 3.30, 2.29, 1.70, 1.26], rtol=0.03)
    h = 1e-4
    numeric = (magnitudes(0.2 + h) - magnitudes(0.2 - h)) / (2 * h)
    np.testing.assert_allclose(slope(0.2), numeric, rtol=1e-6)


def test_settings_choose_the_law():
    chosen = Parameters(mw_ebv=0.1, mw_law="cardelli", mw_rv=4.0, mw_sfd_recalibration="none")
    assert chosen.composition.milky_way == MilkyWay("cardelli", 4.0, "none")
    assert Parameters.from_dict(chosen.to_dict()).composition == chosen.composition
    for wrong in ({"mw_law": "cardelli"}, {"mw_rv": 3.3}, {"mw_sfd_recalibration": "none"}):
        with pytest.raises(ConfigError, match="give mw_ebv"):
            Parameters(**wrong)
    for wrong in ({"mw_law": "calzeti"}, {"mw_sfd_recalibration": "sfd"}):
        with pytest.raises(UnknownNameError):
            Parameters(mw_ebv=0.1, **wrong)
    for r_v in (1.0, "3.1", None, True):
        with pytest.raises(ConfigError, match="mw_rv must be a number from 2 to 6"):
            Parameters(mw_ebv=0.1, mw_rv=r_v)


def test_surrogates_learn_it_or_refuse(model):
    photometry, edges = model.observation.photometry, model.ssp.age_edges_gyr
    spec = Parameters(**FREE, sfh_const_log_total_mass=(9.0, 11.0), redshift=(0.05, 1.0))
    target = TARGETS["photometry"].build(spec, photometry, edges)
    assert "mw_ebv" in target.input_names
    with pytest.raises(ConfigError, match="mw_ebv"):
        TARGETS["ssp_photometry"].build(spec, photometry, edges)
    wanted = emulator.load("sdss").spec
    for name in ("mw_ebv", "igm_xhi", "igm_log_nhi_dla"):
        with pytest.raises(ConfigError, match=name):
            emulator.load("sdss", spec=wanted.with_params(**{name: 0.0}))


def test_x_rays_pass() -> None:
    wave = np.array([5.0, 50.0, 911.0])
    seen = MilkyWay().transmission(wave, {"mw_ebv": jnp.asarray(0.3), "redshift": jnp.asarray(0.0)})
    assert seen[0] == 1.0 and seen[1] < 0.1 and seen[2] < 0.1
    far = MilkyWay().transmission(wave, {"mw_ebv": jnp.asarray(0.3), "redshift": jnp.asarray(3.0)})
    assert far[0] < 0.1  # 20 Å when it arrives
