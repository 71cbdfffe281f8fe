"""A component that a user registers means what it declares, whatever its parameters are called."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from emulator.sfh_times import SFHTimes
from emulator.targets.photometry import PhotometryTarget
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.catalogue.columns import check_complete, needed
from tengri.components import composition
from tengri.components.agn import AGN_MODELS
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES
from tengri.components.stellar.sfh import SFH_FAMILIES, SFHFamily, other_time
from tengri.components.stellar.sfh.quadrature import rule
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.factory import changed_spec
from tengri.priors import Uniform
from tengri.registry import Param
from train.config import ModelOptions
from train.specs import spec_of_family

MASS = Param("mass_total", 10.0, Uniform(8.0, 12.0), (0.0, 15.0), "log10 Msun", "formed mass",
             role="amplitude")  # fmt: skip
BEGIN = Param("begin", 5.0, Uniform(0.5, 12.0), (0.1, 30.0), "Gyr", "lookback time of the onset")
SHARE = Param("begin_share", 0.5, Uniform(0.05, 1.0), (1e-3, 20.0), "", "the same, of the age")


def log_ramp(t, q, t_univ):
    """1 - t/onset: from nothing at the onset linearly up to now."""
    x = 1.0 - t / q["begin"]
    return jnp.where(x > 0.0, jnp.log(jnp.where(x > 0.0, x, 1.0)), -1e30)


def ramp_masses(q, edges, t_univ):
    return 0.0 * t_univ, rule(edges).masses(lambda t: jnp.exp(log_ramp(t, q, t_univ)), t_univ)


OWN = SFHFamily(
    "own_names", "own_", (BEGIN, MASS), log_ramp, "Me & You 2026, MNRAS 999, 1",
    default_amplitude="log_total_mass", mass=ramp_masses, fractional_times={"begin": SHARE},
)  # fmt: skip


@pytest.fixture(scope="module")
def ssp():
    return load_ssp_data()


@pytest.fixture(autouse=True, scope="module")
def registered():
    """Register the family and a nucleus, and take both out again."""
    standard = AGN_MODELS["standard"]
    named = [replace(p, name="quasar_power") if p.name == standard.amplitude else p
             for p in standard.params]  # fmt: skip

    def spectrum(wave_aa, p):
        return standard.spectrum(wave_aa, {**p, "agn_log_lbol": 11.5})

    quasar = replace(standard, name="own_quasar", params=tuple(named), spectrum=spectrum,
                     amplitude="", templates=None, luminosity=None)  # fmt: skip
    with SFH_FAMILIES.temporarily(OWN), AGN_MODELS.temporarily(quasar):
        yield


def model(ssp, **given) -> SEDModel:
    return SEDModel(Parameters(redshift=0.5, **given), ssp, Instrument.SDSS().observation())


def test_fluxes_scale_with_the_amplitude(ssp) -> None:
    own = model(ssp, mass_total=(8.0, 12.0), begin=4.0)
    assert own.spec.mean_sfh_type == ["own_names"]
    low, high = (own.predict_photometry({"mass_total": m}) for m in (9.0, 10.5))
    np.testing.assert_allclose(high, 10**1.5 * np.asarray(low), rtol=1e-5)
    formed = own.predict_derived({"mass_total": 10.0})["stellar_mass"]
    assert float(formed) == pytest.approx(1e10, rel=1e-4)


def test_a_time_is_also_a_fraction_of_the_age_of_the_universe(ssp) -> None:
    in_gyr = model(ssp, mass_total=10.0, begin=(1.0, 8.0))
    fraction = model(ssp, mass_total=10.0, begin_share=(0.1, 0.9))
    age = float(in_gyr.cosmology.age_gyr(0.5))
    np.testing.assert_allclose(
        fraction.predict_magnitudes({"begin_share": 0.4}),
        in_gyr.predict_magnitudes({"begin": 0.4 * age}), atol=1e-4,
    )  # fmt: skip
    assert (other_time("begin"), other_time("begin_share")) == ("begin_share", "begin")
    assert other_time("mass_total") is None
    times = SFHTimes.between(in_gyr.spec, fraction.spec)
    assert times.apply({"begin": 0.4 * age, "x": 1.0}, age) == pytest.approx(
        {"begin_share": 0.4, "x": 1.0}
    )
    with pytest.raises(ParameterError, match="one time"):
        Parameters(begin=2.0, begin_share=0.3)


def test_a_target_factors_the_amplitude_out() -> None:
    spec = Parameters(mass_total=(8.0, 12.0), begin=(1.0, 9.0), redshift=(0.1, 0.5))
    photometry = Instrument.SDSS().observation().photometry
    target = PhotometryTarget.build(spec, photometry, np.array([0.0, 14.0]))
    usual = Parameters(sfh_dpl_log_total_mass=(8.0, 12.0), redshift=(0.1, 0.5))
    same = PhotometryTarget.build(usual, photometry, np.array([0.0, 14.0]))
    assert target.amplitude == "mass_total" and "mass_total" not in target.input_names
    assert target.log10_unit == same.log10_unit


def test_a_catalogue_must_say_the_amplitude() -> None:
    spec = Parameters(mean_sfh_type="own_names", begin=3.0, redshift=(0.1, 2.0))
    assert needed(spec) == ["redshift", "mass_total"]
    with pytest.raises(ParameterError, match=r"mass_total.*Did you mean M_star"):
        check_complete(spec, {"redshift": "z"}, ["z", "M_star", "flag"])


def test_another_history_takes_its_place_whole() -> None:
    spec = Parameters(mass_total=10.0, begin=3.0, dust_tau_diff=0.2, redshift=0.1)
    other = changed_spec(spec, {"mean_sfh_type": "dpl", "sfh_dpl_tau_gyr": 2.0})
    assert not {"mass_total", "begin"} & set(other.all_params)
    assert other.fixed_value("dust_tau_diff") == 0.2
    back = changed_spec(other, {"mass_total": 9.0})
    assert back.mean_sfh_type == ["own_names"] and "sfh_dpl_tau_gyr" not in back.all_params
    parameters = {"mass_total": [8, 12], "begin": [1, 9], "redshift": [0.1, 0.5]}
    of_family = spec_of_family(ModelOptions(parameters=parameters), ["dpl"])
    assert of_family.mean_sfh_type == ["dpl"] and "mass_total" not in of_family.all_params


def test_a_nucleus_scales_with_its_amplitude(ssp) -> None:
    quasar = model(ssp, mass_total=0.0, begin=4.0, agn_model="own_quasar",
                    quasar_power=(9.0, 13.0))  # fmt: skip
    low, high = (quasar.predict_photometry({"quasar_power": x}) for x in (11.0, 12.0))
    np.testing.assert_allclose(high, 10.0 * np.asarray(low), rtol=1e-4)


def test_declarations_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mass_total is an amplitude in 'Msun'.*log10 Msun"):
        replace(OWN, own_amplitudes=(replace(MASS, unit="Msun"),))
    with pytest.raises(ConfigError, match="declare default_amplitude='log_total_mass'"):
        replace(OWN, default_amplitude="log_peak_sfr")
    with pytest.raises(ConfigError, match="of one unit"):
        replace(OWN, params=(*OWN.params, replace(MASS, name="mass_again")))
    with pytest.raises(ConfigError, match="role='metallicity'"):
        replace(METALLICITY_HISTORIES["delta"], params=(BEGIN,))
    with pytest.raises(ConfigError, match="amplitude"):
        replace(AGN_MODELS["standard"], params=(BEGIN,), amplitude="")
    with pytest.raises(UnknownNameError, match="Did you mean amplitude"):
        replace(MASS, role="amplitudes")


def test_every_parameter_of_a_component_says_its_family() -> None:
    for kind in composition.KINDS:
        for component in kind.registry.values():
            for param in composition.all_params(component):
                assert param.family == kind.family, param.name
    strangers = [p.name for p in composition.registered_params().values() if not p.family]
    assert sorted(strangers) == ["distance_mpc", "redshift"]


def test_roles_of_the_components_that_come_along() -> None:
    params = composition.registered_params().values()
    amplitudes = {p.name for p in params if p.role == "amplitude" and p.family != "sfh"}
    assert amplitudes == {"agn_log_lbol", "quasar_power"}
    units = {p.unit for p in params if p.role == "amplitude" and p.family == "sfh"}
    assert units == {"log10 Msun", "log10 Msun/yr"}
    assert {p.unit for p in params if p.role == "time"} == {"Gyr", ""}
