"""Flux is linear in the age weights: the age response times the weights is the photometry."""

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.cosmology import log10_luminosity_to_flux

COMMON = {"dust_tau_bc": (0.0, 4.0), "dust_tau_diff": (0.0, 3.0), "redshift": (0.05, 0.6)}
GRID = "ssp_bc03_miles_kroupa_noneb.h5"
WORLDS = {
    "plain": (None, {}),
    "dust": (None, {"dust_emission": "dl07"}),
    "dust and gas": (GRID, {"dust_emission": "modified_blackbody", "nebular": "cloudy"}),
}
SLOW = "dust and gas"


@pytest.mark.parametrize(
    "world", [pytest.param(n, marks=pytest.mark.slow if n == SLOW else ()) for n in WORLDS]
)
def test_age_response_times_ages_is_the_photometry(world):
    grid, components = WORLDS[world]
    spec = Parameters(mean_sfh_type="tsnorm", **COMMON, **components)
    instrument = Instrument.WISE() if components else Instrument.SDSS()
    observation = instrument.observation()
    with jax.enable_x64(True):
        model = SEDModel(spec, load_ssp_data(grid), observation)
        evaluator = model.evaluator()

        @jax.jit
        def both(p):
            log10_mass, ages = model.stars.formed(p)
            scale = log10_mass + evaluator.log10_flux_unit
            scale = scale + log10_luminosity_to_flux(model.cosmology, p["redshift"])
            bands = evaluator.bands(p)
            response, absorbed = evaluator.age_response(p)
            mixed = response @ ages
            if spec.composition.dust_emission is not None:
                shape = spec.composition.dust_emission.spectrum(evaluator.galaxy.wave, p)
                dust = evaluator.projection.project(shape, p["redshift"])
                mixed += (absorbed @ ages) * dust
            return mixed, bands.flux * 10.0 ** (bands.log10_scale - scale)

        drawn = spec.sample_batch(jax.random.key(3), 4)
        for i in range(4):
            mixed, direct = both({k: np.asarray(v)[i] for k, v in drawn.items()})
            np.testing.assert_allclose(mixed, direct, rtol=1e-12)
