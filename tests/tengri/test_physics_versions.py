"""A spec that was stored means the physics of its time."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components import composition
from tengri.components.composition import Setting
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.errors import ConfigError, TengriError, UnknownNameError
from tengri.factory import build_spec, changed_spec
from tengri.parameters import differences
from tengri.registry import Change

#: Of Parameters(redshift=0.1) in the first release.
FINGERPRINT = "43dc31f9bfc67744af38670a255966caca3958afeed1ba3a9f4921b0a7c24055"
GREY = DustLaw("grey_for_a_test", (), lambda wave, p: jnp.ones(len(wave)), "none")
TILTED = replace(GREY, curve=lambda wave, p: jnp.asarray(5500.0 / wave))


@pytest.fixture
def law() -> Iterator[str]:
    """A law that is grey and used to be tilted, and before that something that is gone."""
    now = replace(GREY, changes=(Change("it was odd"), Change("it was tilted", before=TILTED)))
    with LAWS.temporarily(now):
        yield now.name


def stored(version: int, **given: object) -> Parameters:
    """Return a spec as it comes back from a file that was written at a version of the law."""
    today = Parameters(dust_law_diff=GREY.name, dust_law_bc="calzetti", dust_tau_diff=2.0,
                       dust_tau_bc=0.0, redshift=0.1, **given)  # fmt: skip
    content = today.to_dict()
    assert content["physics"]["dust law grey_for_a_test"] == 3
    if version == 1:
        del content["physics"]  # as before versions were counted
    else:
        content["physics"]["dust law grey_for_a_test"] = version
    return Parameters.from_dict(content)


def slope(spec: Parameters) -> float:
    """Return how much redder than unattenuated stars a galaxy is, u - z in mag."""
    model = SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation())
    dusty, bare = (np.asarray(model.predict_magnitudes({"dust_tau_diff": t})) for t in (2.0, 0.0))
    return float(np.ptp((dusty - bare)[[0, -1]]))


def test_a_version_that_is_at_hand_is_what_it_was(law: str) -> None:
    assert slope(stored(3)) < 1e-3
    assert slope(stored(2)) > 0.3


def test_a_version_that_is_gone_is_refused_by_the_exact_model(law: str) -> None:
    with pytest.raises(ConfigError, match=r"it was odd; it was tilted.*with_current_physics"):
        SEDModel(stored(1), load_ssp_data(), Instrument.SDSS().observation())
    assert stored(1).with_current_physics() == stored(3)


def test_a_version_of_the_future_says_so(law: str) -> None:
    with pytest.raises(ConfigError, match=r"newer release.*update tengri"):
        stored(4)


def test_specs_of_different_physics_differ(law: str) -> None:
    old, new = stored(2), stored(3)
    assert old != new and old.fingerprint() != new.fingerprint()
    assert stored(2) == old and pickle.loads(pickle.dumps(old)) == old


def test_derived_specs_keep_their_physics(law: str) -> None:
    spec = stored(2).with_params(redshift=(0.1, 0.5)).without_params("dust_tau_bc")
    assert spec.physics["dust law grey_for_a_test"] == 2
    other = spec.with_params(dust_law_diff="calzetti")
    assert other.physics["dust law calzetti"] == LAWS["calzetti"].physics


def test_specs_of_plain_values_keep_theirs(law: str) -> None:
    given = {"dust_law_diff": law, "redshift": [0.1, 0.5]}
    assert build_spec(given).physics["dust law grey_for_a_test"] == 3
    physics = {"dust law grey_for_a_test": 2}
    assert build_spec(given, physics).physics["dust law grey_for_a_test"] == 2


def test_what_was_filled_in_stays_when_defaults_change() -> None:
    content = Parameters(redshift=(0.1, 0.5)).to_dict()
    content["params"]["dust_tau_diff"]["value"] = 0.123
    spec = Parameters.from_dict(content)
    assert spec.fixed_value("dust_tau_diff") == 0.123 and "dust_tau_diff" in spec.filled_in
    assert spec.with_params(met_logzsol=-0.5).fixed_value("dust_tau_diff") == 0.123


def test_a_setting_that_came_later_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored spec without it has its choice of then, and keeps it through every derivation."""
    later = Setting("for_a_test", "new", None, "", before="old")
    monkeypatch.setitem(composition.SETTINGS, later.name, later)
    today = Parameters(redshift=0.1)
    content = today.to_dict()
    assert content["physics"]["for_a_test"] == "new"
    del content["physics"]["for_a_test"]
    spec = Parameters.from_dict(content)
    assert spec.settings["for_a_test"] == "old" and today.settings["for_a_test"] == "new"
    assert spec.with_params(redshift=0.2).settings["for_a_test"] == "old"
    assert spec.with_params(for_a_test="new") == today
    assert spec.with_current_physics() == today != spec
    given = Parameters(redshift=0.1, for_a_test="old")
    assert given == spec and Parameters.from_dict(given.to_dict()) == given


def test_old_fingerprints_stay() -> None:
    """What has not changed since the first release hashes as it did then: files compare it."""
    content = Parameters(redshift=0.1).to_dict()
    first = {name: content[name] for name in ("settings", "filled_in", "params")}
    spec = Parameters.from_dict(first)
    assert spec.to_dict() == first and spec.fingerprint() == FINGERPRINT


def test_a_setting_that_is_taken_back_is_the_default_again() -> None:
    spec = Parameters(redshift=0.1)
    assert spec.with_params(lya_escape="case_b").without_params("lya_escape") == spec
    gas = spec.with_params(nebular="cloudy", escape="picket_fence", neb_fesc=0.1)
    assert gas.without_params("escape", "nebular", "neb_fesc") == spec


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5, None])
def test_a_version_that_is_none_is_one_error(version: object) -> None:
    content = Parameters(redshift=0.1).to_dict()
    content["physics"] = {"dust law power_law": version}
    with pytest.raises(ConfigError, match="counts from 1"):
        Parameters.from_dict(content)


@pytest.mark.parametrize("name", ["dust law power_laww", "lya_escap", "redshift", "met_mode"])
def test_an_entry_of_physics_that_is_none_is_named(name: str) -> None:
    with pytest.raises(UnknownNameError, match=name):
        build_spec({"redshift": 0.1}, {name: 1})


def test_a_description_that_is_none_is_one_error() -> None:
    with pytest.raises(TengriError):
        Parameters.from_dict(Parameters(redshift=0.1).to_dict() | {"physics": "abc"})


def test_another_history_keeps_the_rest_of_the_physics() -> None:
    spec = Parameters.stored({"dust_law_diff": "smc", "redshift": 0.1}, {})
    assert spec.physics["dust law smc"] == 1
    assert changed_spec(spec, {"mean_sfh_type": "tsnorm"}).physics["dust law smc"] == 1


def test_differences_are_named() -> None:
    old = Parameters.stored({"redshift": 0.1}, {})
    assert "dust law power_law: 1 and 2" in differences(old, old.with_current_physics())
    assert differences(old, old) == ""
