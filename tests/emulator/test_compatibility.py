"""A narrower spec and fewer bands are served; anything else is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emulator.compatibility import check_spec
from emulator.domain import TrainedDomain
from emulator.surrogate import EmulatedSEDModel
from tengri import FilterCurve, Observation, Parameters, Photometry
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.priors import Uniform
from tests.emulator.conftest import BOX, ONE, top_hat


def without(name: str, **more):
    return {**{k: v for k, v in BOX.items() if k != name}, **more}


@pytest.mark.parametrize(
    "change",
    [
        {"redshift": 0.3},
        {"redshift": (0.2, 0.4)},
        {"dust_tau_bc": Uniform(0.0, 4.0, default=0.5)},
        {"sfh_tsnorm_log_peak_sfr": (-5.0, 6.0)},  # exact: no limit
        {"sfh_tsnorm_log_peak_sfr": 1.0},
        {"dust_tau_bc": "dust_tau_diff"},  # one follows the other: a plane through the box
    ],
)
def test_narrower_is_served_with_the_same_fluxes(surrogate, change):
    spec = Parameters(**{**BOX, **change})
    narrow = surrogate.with_spec(spec)
    assert narrow.spec == spec
    params = {k: v for k, v in ONE.items() if k in spec.free_params}
    complete = {n: v for n, v in spec.resolve(params).items() if n in ONE}
    expected = surrogate.predict_photometry(complete)
    assert np.array_equal(narrow.predict_photometry(params), expected)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({**BOX, "redshift": (0.01, 2.0)}, ParameterError,
         r"redshift ranges over \[0.01, 2\], trained on \[0.01, 1\]"),
        ({**BOX, "dust_tau_bc": 5.0}, ParameterError, "dust_tau_bc is fixed at 5.0, trained on"),
        ({**BOX, "dust_slope": (-1.0, -0.5)}, ParameterError,
         r"dust_slope is free .*, but was trained at the fixed value -0.7"),
        ({**BOX, "dust_slope": -1.0}, ParameterError, "dust_slope is fixed at -1.0, trained on"),
        (without("dust_slope", dust_law_diff="calzetti"), ConfigError,
         "dust_law_diff='calzetti' .trained with 'power_law'"),
        ({**BOX, "igm_model": "madau"}, ConfigError, "igm_model='madau'"),
        (without("sfh_tsnorm_log_peak_sfr", sfh_tsnorm_log_total_mass=(8.0, 9.0)), ConfigError,
         "sfh_tsnorm_log_total_mass is no parameter"),
    ],
)  # fmt: skip
def test_wider_or_different_is_refused(surrogate, given, error, words):
    with pytest.raises(error, match=words):
        surrogate.with_spec(Parameters(**given))


def test_a_trained_mirror_cannot_be_untied(artefact):
    tied = Parameters(**{**BOX, "dust_tau_bc": "dust_tau_diff"})
    narrow = EmulatedSEDModel(artefact, spec=tied)
    assert "dust_tau_bc" not in narrow.spec.free_params
    trained = replace(artefact, spec=tied)
    domain = TrainedDomain.of(tied, trained.target.guarded(tied))
    with pytest.raises(ParameterError, match="dust_tau_bc followed dust_tau_diff"):
        check_spec(artefact.spec, trained, domain, narrow.cosmology)


def test_spec_of_the_wrong_type(surrogate):
    with pytest.raises(ConfigError, match="got dict"):
        surrogate.with_spec(BOX)


def chosen(surrogate, *names):
    return Observation(surrogate.observation.photometry.select(names))


def test_bands_in_any_order(surrogate):
    picked = surrogate.with_observation(chosen(surrogate, "i", "u"))
    assert picked.filter_names == ("i", "u")
    assert np.array_equal(
        picked.predict_photometry(ONE), surrogate.predict_photometry(ONE)[np.array([3, 0])]
    )
    assert np.array_equal(picked.predict_errors(level=95), [0.04, 0.01])
    assert np.array_equal(picked.covariance, np.diag([4.0, 1.0]))


def test_bands_that_were_not_trained(surrogate):
    other = Observation(Photometry((top_hat("ri", 6000, 8000),)))
    with pytest.raises(UnknownNameError, match="Did you mean"):
        surrogate.with_observation(other)
    shifted = FilterCurve("r", *(top_hat("r", 5600, 7000).wave, np.array([0, 1, 1.0, 0])))
    with pytest.raises(ConfigError, match="Band r: its transmission curve"):
        surrogate.with_observation(Observation(Photometry((shifted,))))
    with pytest.raises(ConfigError, match="got list"):
        surrogate.with_observation(["u"])


# --- a distance is exact ----------------------------------------------------------------------


def test_a_distance_scales_the_flux_of_a_surrogate(surrogate, artefact):
    z = ONE["redshift"]
    d = float(surrogate.cosmology.luminosity_distance_mpc(z))
    near = surrogate.with_spec(Parameters(**BOX, distance_mpc=(1.0, 1e5)))
    usual = np.asarray(surrogate.predict_photometry(ONE))
    for factor in (1.0, 10.0):
        found = near.predict_photometry({**ONE, "distance_mpc": factor * d})
        np.testing.assert_allclose(found, usual / factor**2, rtol=1e-5)
    with pytest.raises(ParameterError, match="redshift"):  # from which it has not learnt
        near.predict_photometry({**ONE, "redshift": 0.0, "distance_mpc": d})
    both = near.in_domain({**ONE, "redshift": np.array([0.0, 0.3]), "distance_mpc": d})
    assert both.tolist() == [False, True]
    with pytest.raises(ConfigError, match="exact in every surrogate"):
        artefact.target.build(near.spec, artefact.photometry, artefact.ssp["age_edges"])


def test_magnitudes_at_rest_take_the_exact_model(surrogate):
    for method in (surrogate.predict_absolute_magnitudes, surrogate.predict_rest_colours):
        with pytest.raises(ConfigError, match="exact_model"):
            method(None, ONE)
