"""The light of stars of one age: that of the grid at its ages, continuous between them."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel
from tengri.constants import LSUN_ERG_S

CLEAR = {"mean_sfh_type": "delta", "dust_tau_diff": 0.0, "redshift": 0.1,
         "lya_escape": "case_b"}  # fmt: skip


@pytest.fixture(scope="module")
def model(ssp):
    spec = Parameters(**CLEAR, dust_tau_bc=(0.0, 2.0), sfh_delta_age_gyr=(1e-4, 12.0))
    return SEDModel(spec, ssp, Instrument.SDSS().observation())


def test_in_the_middle_of_a_bin_it_is_a_simple_stellar_population(model, ssp):
    bins = model.galaxy.bins
    for i in (3, bins.n_young + 5, len(bins.centres) - 30):
        p = {"sfh_delta_age_gyr": float(bins.centres[i]), "dust_tau_bc": 0.0}
        found = np.asarray(model.predict_rest_sed(p).sed)
        metals = np.asarray(model.galaxy.metals(model.spec.resolve(p)))
        metals = np.broadcast_to(metals, (len(ssp.ssp_lgmet), len(bins.centres)))[:, i]
        expected = 1e10 * LSUN_ERG_S * metals @ np.asarray(ssp.ssp_flux[:, bins.node[i]], float)
        seen = expected > 1e-12 * expected.max()
        np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-6)


def test_its_light_is_continuous_in_the_age(model):
    """Also where birth clouds disperse."""
    ages = np.geomspace(1e-3, 12.0, 3001)
    batch = {"sfh_delta_age_gyr": ages, "dust_tau_bc": 1.0}
    magnitudes = np.asarray(model.predict_magnitudes_batch(batch))
    assert np.abs(np.diff(magnitudes, axis=0)).max() < 0.08  # 0.3 % of the age
    slope = jax.jit(
        jax.vmap(
            jax.jacfwd(
                lambda age: model.predict_magnitudes({"sfh_delta_age_gyr": age, "dust_tau_bc": 1.0})
            )
        )
    )
    assert np.isfinite(slope(ages[::300])).all()
