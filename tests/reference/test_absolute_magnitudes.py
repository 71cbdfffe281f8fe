"""Absolute magnitudes against apparent ones less the distance modulus of astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from tengri import Instrument, Parameters, SEDModel, load_ssp_data


@pytest.fixture(scope="module")
def model():
    spec = Parameters(
        sfh_const_log_total_mass=10.0, dust_tau_diff=0.5, igm_model="none", redshift=(1e-5, 0.1)
    )
    return SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation())


@pytest.mark.parametrize(("z", "tolerance"), [(1e-2, 0.05), (1e-3, 0.005), (1e-4, 0.0005)])
def test_they_are_the_limit_of_small_redshifts(model, z, tolerance):
    """What is left over is the shift of the bands, which is linear in the redshift."""
    modulus = FlatLambdaCDM(67.66, 0.30966, Tcmb0=0.0).distmod(z).value
    apparent = np.asarray(model.predict_magnitudes({"redshift": z}))
    absolute = np.asarray(model.predict_absolute_magnitudes(Instrument.SDSS(), {"redshift": z}))
    np.testing.assert_allclose(apparent - modulus, absolute, atol=tolerance)
