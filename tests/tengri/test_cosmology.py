"""Contracts of the cosmologies: finite gradients, limits, conversion, messages."""

from __future__ import annotations

import math

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.cosmology import FlatLambdaCDM, TabulatedCosmology, as_cosmology, default_cosmology
from tengri.errors import ConfigError
from tests.compilations import compilations

EINSTEIN_DE_SITTER_GYR = 2.0 / 3.0 * 977.7922216807891  # age [Gyr] for H0 = 1 km/s/Mpc


class Milne:
    """Empty universe in closed form, with astropy's method names and plain floats."""

    def age(self, z):
        return 977.7922216807891 / 70.0 / (1.0 + z)

    def luminosity_distance(self, z):
        return 299792.458 / 70.0 * z * (1.0 + 0.5 * z)


class Kinked(Milne):
    """A cosmology that no smooth series can follow."""

    def age(self, z):
        return super().age(z) * np.where(z < 1.0, 1.0, 1.1)


def methods(cosmology):
    return (
        cosmology.age_gyr,
        cosmology.lookback_gyr,
        cosmology.comoving_distance_mpc,
        cosmology.luminosity_distance_mpc,
    )


@pytest.mark.parametrize("cosmology", [FlatLambdaCDM(), as_cosmology(Milne())])
@pytest.mark.parametrize("x64", [True, False])
def test_value_and_gradient_are_finite_and_have_the_sign_of_expansion(cosmology, x64):
    with jax.enable_x64(x64):
        z = jnp.asarray(np.concatenate([[1e-8], np.geomspace(1e-6, 20.0, 40)]))
        for f, sign in zip(methods(cosmology), (-1, 1, 1, 1)):
            assert np.all(np.isfinite(f(z)))
            assert np.all(sign * jax.jit(jax.vmap(jax.grad(f)))(z) > 0.0), f


@pytest.mark.parametrize("cosmology", [FlatLambdaCDM(), as_cosmology(Milne())])
def test_gradient_matches_finite_differences(cosmology):
    z, h = np.array([1e-3, 0.1, 1.0, 5.0, 12.0]), 1e-5
    for f in methods(cosmology):
        slope = jax.jit(jax.vmap(jax.grad(f)))(jnp.asarray(z))
        expected = (f(z * (1 + h)) - f(z * (1 - h))) / (2 * h * z)
        np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_limits_are_those_of_textbooks():
    cosmology = FlatLambdaCDM()
    hubble_law = 299792.458 / cosmology.H0 * 1e-5
    np.testing.assert_allclose(cosmology.luminosity_distance_mpc(1e-5), hubble_law, rtol=1e-5)
    matter = EINSTEIN_DE_SITTER_GYR / cosmology.H0 / np.sqrt(cosmology.Om0) * 51.0**-1.5
    np.testing.assert_allclose(cosmology.age_gyr(50.0), matter, rtol=1e-5)
    nearly_all_matter = FlatLambdaCDM(70.0, 1.0 - 1e-9)
    np.testing.assert_allclose(
        nearly_all_matter.age_gyr(0.0), EINSTEIN_DE_SITTER_GYR / 70.0, rtol=1e-6
    )


def test_lookback_is_the_missing_age_and_does_not_cancel_at_small_redshift():
    cosmology = default_cosmology()
    z = np.geomspace(1e-2, 20.0, 30)
    missing = cosmology.age_gyr(0.0) - cosmology.age_gyr(z)
    np.testing.assert_allclose(cosmology.lookback_gyr(z), missing, rtol=1e-11)
    with jax.enable_x64(False):
        hubble_time = 977.7922216807891 / cosmology.H0
        assert cosmology.lookback_gyr(1e-6) == pytest.approx(1e-6 * hubble_time, rel=1e-5)


def test_shape_follows_redshift():
    for f in methods(default_cosmology()):
        assert f(0.5).shape == ()
        assert f(jnp.ones((2, 3))).shape == (2, 3)


def test_closed_form_cosmology_is_tabulated():
    cosmology = as_cosmology(Milne())
    z = np.geomspace(1e-4, 20.0, 500)
    assert isinstance(cosmology, TabulatedCosmology)
    np.testing.assert_allclose(cosmology.age_gyr(z), Milne().age(z), rtol=1e-6)
    np.testing.assert_allclose(
        cosmology.luminosity_distance_mpc(z), Milne().luminosity_distance(z), rtol=1e-6
    )
    assert np.isnan(cosmology.age_gyr(31.0)), "beyond the table no number is right"


def test_conversion_keeps_ours_and_fills_the_default():
    ours = FlatLambdaCDM(70.0, 0.3)
    assert as_cosmology(ours) is ours
    assert as_cosmology(None) == default_cosmology() == FlatLambdaCDM(67.66, 0.30966)
    table = as_cosmology(Milne())
    assert as_cosmology(table) is table


def test_cosmologies_are_static_arguments():
    distance = jax.jit(lambda c, z: c.luminosity_distance_mpc(z), static_argnums=0)
    first = distance(FlatLambdaCDM(), 1.0)
    with compilations() as compiled:
        assert float(distance(FlatLambdaCDM(), 1.0)) == float(first)
    assert compiled.count == 0, "equal cosmologies compile once"
    assert distance(FlatLambdaCDM(70.0, 0.3), 1.0) < distance(FlatLambdaCDM(), 1.0)
    assert len({FlatLambdaCDM(), FlatLambdaCDM(70.0, 0.3), as_cosmology(Milne())}) == 3


def test_description_is_plain_data():
    assert default_cosmology().describe() == {
        "name": "FlatLambdaCDM",
        "H0": 67.66,
        "Om0": 0.30966,
        "Tcmb0": 0.0,
    }
    described = as_cosmology(Milne()).describe()
    assert described["age_gyr_z1"] == pytest.approx(Milne().age(1.0), rel=1e-6)
    assert "Milne" in described["source"]


@pytest.mark.parametrize("bad", ["Planck18", 0.3, Milne, {"H0": 70}])
def test_what_is_no_cosmology_is_named(bad):
    with pytest.raises(ConfigError, match="astropy cosmology"):
        as_cosmology(bad)


@pytest.mark.parametrize("kwargs", [{"H0": 0.0}, {"Om0": 1.0}, {"Om0": -0.1}, {"H0": np.nan}])
def test_impossible_parameters_are_refused(kwargs):
    with pytest.raises(ConfigError, match="Om0"):
        FlatLambdaCDM(**kwargs)


def test_units_of_parameters_and_redshifts_are_obeyed_or_refused():
    ours = FlatLambdaCDM(70.0, 0.3)
    given = FlatLambdaCDM(70.0 * u.km / u.s / u.Mpc, 30 * u.percent)
    assert hash(given) == hash(ours) and given == ours and type(given.H0) is float
    in_si = FlatLambdaCDM((70.0 * u.km / u.s / u.Mpc).to("1/s"), 0.3)
    assert math.isclose(in_si.H0, 70.0, rel_tol=1e-12)
    for bad in ({"H0": 70 * u.km / u.s}, {"H0": np.ma.masked}, {"Om0": 0.3 * u.Mpc}, {"H0": "70"}):
        with pytest.raises(ConfigError, match=r"H0|Om0"):
            FlatLambdaCDM(**bad)


@pytest.mark.parametrize("cosmology", [FlatLambdaCDM(), as_cosmology(Milne())])
@pytest.mark.parametrize(
    "name", ["age_gyr", "lookback_gyr", "comoving_distance_mpc", "luminosity_distance_mpc"]
)
def test_a_redshift_with_a_unit_or_a_mask(cosmology, name):
    method = getattr(cosmology, name)
    assert float(method(50 * u.percent)) == pytest.approx(float(method(0.5)), rel=1e-12)
    row = method(np.ma.array([0.5, 1.0], mask=[0, 1]))
    assert np.isfinite(row[0]) and np.isnan(row[1])
    with pytest.raises(ConfigError, match="redshift is stated in 'Mpc'"):
        method(5 * u.Mpc)


def test_a_cosmology_whose_methods_have_the_wrong_unit_is_refused():
    class Wrong:
        def age(self, z):
            return z * u.km

        luminosity_distance = age

    with pytest.raises(ConfigError, match="cosmology's age is stated in 'km'"):
        as_cosmology(Wrong())


def test_a_cosmology_too_rough_to_tabulate_is_refused():
    with pytest.raises(ConfigError, match=r"age of .*smooth"):
        as_cosmology(Kinked())
