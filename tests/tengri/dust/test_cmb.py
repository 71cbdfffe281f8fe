"""The CMB's share in what is seen of dust: the statements of the documents, and the limits."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import BlackBody

from tengri.components.dust.emission.cmb import T0_K, heated, seen_share


def lost(temperature, redshift, observed_um=850.0, beta=1.6):
    """Return the share lost in per cent, from da Cunha et al.'s equations with astropy's B_ν."""
    power = 4 + beta
    t_dust = (temperature**power + T0_K**power * ((1 + redshift) ** power - 1)) ** (1 / power)
    wave = observed_um / (1 + redshift) * u.um
    planck = [BlackBody(temperature=t * u.K)(wave).value for t in (T0_K * (1 + redshift), t_dust)]
    return 100.0 * planck[0] / planck[1]


# per cent, as dust/emission/__init__.py and docs/physics.md state them
STATED = {(35.0, 2.0): 0.7, (35.0, 5.0): 3.4, (35.0, 8.0): 14.0,
          (20.0, 2.0): 2.3, (20.0, 5.0): 25.0, (20.0, 8.0): 74.0}  # fmt: skip


@pytest.mark.parametrize("temperature, redshift", STATED)
def test_the_losses_that_are_documented(temperature, redshift):
    t_dust = heated(temperature, 1.6, redshift)
    ours = 100.0 * (1.0 - float(seen_share(850e4 / (1 + redshift), t_dust, redshift)))
    assert ours == pytest.approx(lost(temperature, redshift), rel=1e-6)
    assert ours == pytest.approx(STATED[temperature, redshift], rel=0.07)


def test_limits():
    assert heated(30.0, 2.0, 0.0) == pytest.approx(30.0, rel=1e-12)
    # dust without stars has the temperature of the background and is invisible
    z = np.array([0.0, 2.0, 8.0])
    cold = heated(T0_K, 1.8, z)
    np.testing.assert_allclose(cold, T0_K * (1.0 + z), rtol=1e-12)
    assert np.all(np.abs(seen_share(2e6, cold, z)) < 1e-12)
    # blueward of the background's peak nothing is lost, far redward the ratio of temperatures
    assert seen_share(1e5, 30.0, 3.0) == pytest.approx(1.0, abs=1e-12)
    assert seen_share(1e11, 30.0, 3.0) == pytest.approx(1.0 - 4.0 * T0_K / 30.0, rel=1e-4)
