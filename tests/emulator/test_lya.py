"""Lyα through bands: an exact term beside a table, leaks of filters included."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emulator.analytic.lya import LyaLight
from emulator.analytic.terms import Terms
from emulator.targets import BandNodesTarget, target_from_dict
from tengri import FilterCurve, Observation, Parameters, Photometry, SEDModel, load_ssp_data
from tengri.constants import LYMAN_ALPHA_AA
from tengri.observation.bands import band_matrix
from tests.emulator.conftest import top_hat

#: A triangle on uneven wavelengths, as a grid may have it.
LINE = ((1214.9, 0.0), (1215.3, 0.6), (1215.67, 1.0), (1216.1, 0.45), (1216.6, 0.0))
OPEN = top_hat("open", 4000.0, 5500.0)
#: Open in the red, and a rugged leak of a hundred-thousandth in the blue.
LEAKY = FilterCurve(
    "leaky",
    np.array([3600.0, *np.arange(3700.0, 5900.0, 7.0), 5950.0, 6900.0, 7000.0, 7900.0, 8000.0]),
    np.array([0.0, *(1e-5 * (1.0 + 0.9 * np.sin(np.arange(315.0)))), 0.0, 0.0, 1.0, 1.0, 0.0]),
)
RED = top_hat("red", 8000.0, 9000.0)
FILTERS = (RED, OPEN, LEAKY)
Z = (2.0, 4.2)


@pytest.fixture(scope="module")
def light() -> LyaLight:
    found = LyaLight.build(LINE, FILTERS, *Z)
    assert found is not None
    return found


def test_bands_are_the_exact_integrals_in_float32_too(light):
    """Against the weights on the explicit union grid; the line leaves open bands and leaks."""
    wave, profile = np.array(LINE).T
    z = np.linspace(*Z, 81)
    true = np.stack([band_matrix(wave, FILTERS, x) @ profile for x in z])
    with jax.enable_x64(False):
        found = jax.jit(jax.vmap(lambda x: light.in_default_float().bands({"redshift": x})))(z)
    assert (np.asarray(found)[:, 0] == 0.0).all()  # no line reaches the red band
    # the line fades as it leaves a band: not less than a thousandth of its place in the middle
    np.testing.assert_allclose(found[:, 1], true[:, 1], rtol=1e-3, atol=1e-3 * true[:, 1].max())
    leak = true[:, 2] > 0.0
    assert leak.sum() > 60 and true[leak, 2].max() < 1e-4 * true[:, 1].max()
    np.testing.assert_allclose(found[:, 2], true[:, 2], rtol=1e-3, atol=1e-2 * true[leak, 2].max())


def test_slopes_and_curvatures_are_those_of_the_integral(light):
    """As the line crosses an edge, and in the rugged leak."""
    wave, profile = np.array(LINE).T
    steep = np.linspace(2.28, 2.31, 61)
    step = 2e-4

    def exact(z):
        return band_matrix(wave, FILTERS, z) @ profile

    true = np.stack([[exact(z + step), exact(z), exact(z - step)] for z in steep])
    slope = (true[:, 0] - true[:, 2]) / (2.0 * step)
    bend = (true[:, 0] - 2.0 * true[:, 1] + true[:, 2]) / step**2
    one = jax.jacfwd(lambda z: light.bands({"redshift": z}))
    found = [jax.jit(jax.vmap(f))(jnp.asarray(steep)) for f in (one, jax.jacfwd(one))]
    for asked, given, share in zip((slope, bend), found, (0.02, 0.15)):
        error = np.sqrt(np.mean((np.asarray(given) - asked)[:, 1:] ** 2, axis=0))
        assert (error < share * np.sqrt(np.mean(asked[:, 1:] ** 2, axis=0))).all()


def test_bands_that_never_see_it_have_no_term():
    assert LyaLight.build(LINE, (RED,), *Z) is None
    assert LyaLight.build((), FILTERS, *Z) is None
    assert Terms().lya is None


def test_a_target_takes_the_line_from_its_grid_and_its_file_keeps_it():
    spec = Parameters(mean_sfh_type="delta", sfh_delta_age_gyr=2e-3, redshift=Z)
    exact = SEDModel(spec, load_ssp_data(), Observation(Photometry((OPEN, LEAKY))))
    photometry, edges = exact.observation.photometry, exact.ssp.age_edges_gyr
    target = BandNodesTarget.build(spec, photometry, edges)
    assert target.own_lya and target.line == ()
    target = target.on_grid(exact.evaluator())
    wave, profile = np.array(target.line).T
    assert wave[0] < LYMAN_ALPHA_AA < wave[-1]
    assert profile.max() == 1.0 and profile[0] == profile[-1] == 0.0
    assert target_from_dict(target.to_dict()) == target
    assert target.rebuilt(spec, photometry, edges) == target
    for line in (target.line[::-1], ((1215.0, np.nan), (1216.0, 1.0))):
        foreign = replace(target, line=line)
        assert foreign.rebuilt(spec, photometry, edges) != foreign
