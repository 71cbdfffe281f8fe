"""What screens take from stars and nucleus is what dust emits, whatever the parameters.

Truth is a difference of spectra, screened and not, on twice the wavelengths of the model.
"""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from tengri import FREE, Parameters, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.components.composition import compose
from tengri.cosmology import default_cosmology
from tengri.forward.grid_spectra import GridSpectra

SETTINGS = {"agn_screen": "diffuse", "dust_law_diff": "noll09", "lya_escape": "case_b"}
HOST = {"mean_sfh_type": "tsnorm", "met_mode": "delta"}
DRAWS = 48


def doubled(wave, spectra):
    """Return the wavelengths with one more in the middle of each step, and spectra there."""
    middle = 0.5 * (wave[1:] + wave[:-1])
    fine = np.sort(np.concatenate([wave, middle]))
    at = np.interp(fine, wave, np.arange(len(wave)))
    low = np.minimum(at.astype(int), len(wave) - 2)
    t = at - low

    def drawn(rows):
        return None if rows is None else rows[:, low] * (1.0 - t) + rows[:, low + 1] * t

    return fine, spectra._replace(
        young=drawn(spectra.young), old=drawn(spectra.old), gas=drawn(spectra.gas)
    )


@pytest.mark.slow
@pytest.mark.parametrize("stars", [True, False])
@pytest.mark.parametrize("name", AGN_MODELS)
def test_dust_emits_what_screens_take(name, stars):
    settings = SETTINGS | {"agn_model": name, "dust_emission": "modified_blackbody"}
    settings |= HOST if stars else {"mean_sfh_type": "none", "lya_escape": "hayes11"}
    masses = ("sfh_tsnorm_log_total_mass",) if stars else ()
    params = compose(settings, masses).params
    free = {n: FREE for n, p in params.items() if p.shape == () and n != "redshift"}
    spec = Parameters(**settings, **free, redshift=0.1)
    grid = GridSpectra.build(spec.composition, load_ssp_data(), default_cosmology())
    galaxy, spectra = grid.cut()
    fine, twice = doubled(galaxy.wave, spectra)
    finer = galaxy.on(fine)
    batch = {k: np.asarray(v) for k, v in spec.sample_batch(jax.random.key(3), DRAWS).items()}

    def shining(galaxy, spectra, p):
        light = galaxy.light(spectra, p)
        parts = light.parts["stars"] + light.parts["agn"]
        return (galaxy.luminosity(parts), galaxy.luminosity(light.parts["dust"]), light.absorbed,
                light.log10_scale)  # fmt: skip

    coarse = jax.jit(jax.vmap(partial(shining, galaxy, spectra)))
    exact = jax.jit(jax.vmap(partial(shining, finer, twice)))
    clear = batch | {n: np.zeros(DRAWS) for n in ("dust_tau_bc", "dust_tau_diff") if n in batch}
    (_, emitted, absorbed, scale), (before, _, _, scale_clear), (after, _, _, scale_seen) = (
        [np.asarray(a) for a in made] for made in (coarse(batch), exact(clear), exact(batch))
    )
    lost = before * 10.0 ** (scale_clear - scale) - after * 10.0 ** (scale_seen - scale)
    np.testing.assert_allclose(absorbed, lost, rtol=5e-3)
    np.testing.assert_allclose(emitted, absorbed, rtol=5e-3)
    assert (lost > 0.0).all()
