"""Screens and the microwave background beside a network: exact, of their time, or refused."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

import emulator
from emulator.analytic.dust import DustLight
from emulator.targets import PhotometryTarget, SSPPhotometryTarget, target_from_dict
from tengri import Parameters, Photometry
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.errors import ConfigError
from tengri.observation.bands import band_matrix
from tests.emulator.conftest import tiny_ssp, top_hat

EDGES = {"g": (4000, 5500), "w4": (2e5, 2.6e5), "s350": (3e6, 4e6)}
FILTERS = tuple(top_hat(name, *edges) for name, edges in EDGES.items())
BOX = {"mean_sfh_type": "dpl", "dust_tau_bc": (0.0, 4.0), "redshift": (0.01, 9.0)}


def target_of(**more):
    spec = Parameters(**BOX | more)
    return SSPPhotometryTarget.build(spec, Photometry(FILTERS), tiny_ssp().age_edges_gyr)


def test_a_kernel_factors_out_the_laws_of_its_time():
    """At z = 8 the g band sees 520 Å: a file that does not say has curves that went on there."""
    target = target_of()
    assert target.laws_physics == (2, 2)
    stored = target.to_dict()
    assert target_from_dict(stored) == target
    del stored["laws_physics"]
    old = target_from_dict(stored)
    assert old.laws_physics == (1, 1)
    p = {"dust_tau_bc": 0.5, "dust_tau_diff": 0.0, "dust_slope": -0.7, "redshift": 8.0}
    p = {k: np.asarray(v) for k, v in p.items()}
    for kernel, law in ((target, LAWS["power_law"]), (old, LAWS["power_law"].at(1))):
        k = np.asarray(law.curve(np.array(kernel.pivots) / 9.0, p))
        cloud, _ = kernel.ln_attenuation(p)
        np.testing.assert_allclose(cloud, -0.5 * k, rtol=5e-3)


def test_a_law_of_a_newer_release_is_named():
    target = replace(target_of(), laws_physics=(2, 9))
    with pytest.raises(ConfigError, match="newer release"):
        target.ln_attenuation({"dust_tau_bc": 1.0})


@pytest.mark.parametrize(
    "more, named",
    [({"dust_f_clear": (0.0, 0.5)}, "dust_f_clear"),
     ({"escape": "picket_fence", "nebular": "cloudy"}, "picket_fence")],
)  # fmt: skip
def test_a_kernel_is_not_trained_on_light_beside_its_dust(more, named):
    with pytest.raises(ConfigError, match=f"{named}.*Train the target 'photometry'"):
        target_of(**more)


@pytest.mark.parametrize(
    "more, named",
    [({"dust_f_clear": 0.3}, "dust_f_clear"),
     ({"escape": "picket_fence", "nebular": "cloudy"}, "escape='picket_fence'"),
     ({"dust_emission": "dl07", "cmb": "dacunha13"}, "cmb='dacunha13'")],
)  # fmt: skip
def test_a_published_surrogate_says_what_it_has_not_learnt(more, named):
    spec = emulator.load("sdss").spec
    with pytest.raises(ConfigError, match=named):
        emulator.load("sdss", spec=spec.with_params(**more))


def test_the_photometry_target_learns_the_clear_share():
    spec = Parameters(**BOX, dust_f_clear=(0.0, 0.5))
    target = PhotometryTarget.build(spec, Photometry(FILTERS), tiny_ssp().age_edges_gyr)
    assert "dust_f_clear" in target.input_names


@pytest.mark.parametrize("name", sorted(EMISSION_MODELS))
def test_bands_of_dust_before_the_background(name):
    """The term beside a network, against integrals over a fine grid, at each redshift."""
    emission = EMISSION_MODELS[name].before_background()
    fine = np.exp(np.arange(np.log(1.5e4), np.log(4.1e6), 1e-3))
    p = {q.name: np.asarray(q.default) for q in emission.params}
    with jax.enable_x64(True):
        dust = DustLight.build(emission, FILTERS, 0.01, 9.0).in_default_float()
        found, spectrum = jax.jit(dust.bands), jax.jit(lambda p: emission.spectrum(fine, p))
        for z in (0.5, 4.0, 8.5):
            at = p | {"redshift": np.asarray(z)}
            lnu = 1e15 * np.asarray(spectrum(at))
            expected = band_matrix(fine, FILTERS[1:], z) @ lnu
            # far on the Wien side a step is not fine enough, and nothing is seen
            np.testing.assert_allclose(found(at)[1:], expected, rtol=5e-3, atol=1e-12)


def test_the_numpy_file_has_no_background():
    box = {"redshift": (0.01, 2.0), "dust_emission": "dl07", "cmb": "dacunha13"}
    spec, edges = Parameters(**BOX | box), tiny_ssp().age_edges_gyr
    with pytest.raises(ConfigError, match="cmb='none'"):
        target_of(**box).numpy_part(spec, Photometry(FILTERS), edges)
