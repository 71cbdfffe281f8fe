"""Models shared by the tests of the forward model; built once, for compilation is the cost."""

from __future__ import annotations

import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data


@pytest.fixture(scope="session")
def ssp():
    return load_ssp_data()


SEED = {
    "sfh_tsnorm_log_peak_sfr": 1.0,
    "sfh_tsnorm_peak_lbt_gyr": 2.0,
    "sfh_tsnorm_width_gyr": 1.5,
    "sfh_tsnorm_skew": 0.2,
    "sfh_tsnorm_trunc": 3.0,
    "met_logzsol": -0.3,
    "dust_tau_bc": 0.5,
    "dust_tau_diff": 0.3,
    "dust_slope": -0.7,
    "redshift": 0.1,
}


@pytest.fixture(scope="session")
def sdss_model(ssp):
    """The seed's galaxy with free metallicity, diffuse dust and redshift."""
    spec = Parameters(
        **{**SEED, "met_logzsol": (-2.0, 0.2), "dust_tau_diff": (0.0, 3.0), "redshift": (0.01, 1.0)}
    )
    return SEDModel(spec, ssp, Instrument.SDSS().observation(), units="maggies")


@pytest.fixture(scope="session")
def seed_model(ssp):
    """The seed's star-forming galaxy: everything fixed."""
    return SEDModel(Parameters(**SEED), ssp, Instrument.SDSS().observation())
