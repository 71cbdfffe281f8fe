"""A surrogate that learnt fractions of the age of the Universe also takes times in Gyr."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from emulator.sfh_times import in_other_unit
from tengri import Parameters
from tengri.components.stellar.sfh import other_time
from tengri.errors import ConfigError, ParameterError
from tests.emulator.conftest import BOX, ONE

IN_GYR = {
    **{k: v for k, v in BOX.items() if not k.endswith("_frac")},
    "sfh_tsnorm_peak_lbt_gyr": 3.0,
    "sfh_tsnorm_width_gyr": (1.0, 3.0),
}


def in_gyr(surrogate, one):
    age = float(surrogate.cosmology.age_gyr(one["redshift"]))
    fractions = {k: v for k, v in one.items() if k.endswith("_frac")}
    times = {other_time(k): in_other_unit(k, v, age) for k, v in fractions.items()}
    assert times == {k.replace("_frac", "_gyr"): v * age for k, v in fractions.items()}
    return {**{k: v for k, v in one.items() if k not in fractions}, **times}


def test_gyr_and_fraction_give_the_same_fluxes(surrogate):
    in_the_other_unit = surrogate.with_spec(Parameters(**IN_GYR))
    gyr = in_gyr(surrogate, ONE)
    want = np.asarray(surrogate.predict_magnitudes(ONE))
    np.testing.assert_allclose(in_the_other_unit.predict_magnitudes(gyr), want, atol=2e-5)
    np.testing.assert_allclose(jax.jit(in_the_other_unit.predict_magnitudes)(gyr), want, atol=2e-5)
    batch = {k: np.full(3, v) for k, v in gyr.items()}
    flux = in_the_other_unit.predict_magnitudes_batch(batch)
    np.testing.assert_allclose(flux, np.tile(want, (3, 1)), atol=2e-5)
    derived = in_the_other_unit.predict_derived(gyr)["stellar_mass"]
    assert derived == pytest.approx(float(surrogate.predict_derived(ONE)["stellar_mass"]), rel=1e-6)


def test_the_guard_watches_the_fraction(surrogate):
    model = surrogate.with_spec(Parameters(**IN_GYR))
    gyr = in_gyr(surrogate, ONE)
    far = {**gyr, "sfh_tsnorm_peak_lbt_gyr": 12.0}
    with pytest.raises(ParameterError, match=r"sfh_tsnorm_peak_lbt_frac = 1\.1"):
        model.predict_photometry(far)
    assert np.all(np.isnan(jax.jit(model.predict_photometry)(far)))


def test_a_fixed_time_outside_the_box_is_refused_at_once(surrogate):
    fixed = {**IN_GYR, "redshift": 0.5, "sfh_tsnorm_peak_lbt_gyr": 8.5}
    with pytest.raises(ParameterError, match="sfh_tsnorm_peak_lbt_gyr is fixed at"):
        surrogate.with_spec(Parameters(**fixed))


def test_another_family_in_gyr_is_still_another_family(surrogate):
    with pytest.raises(ConfigError):
        surrogate.with_spec(Parameters(sfh_dpl_tau_gyr=(1.0, 3.0), redshift=(0.1, 0.5)))
