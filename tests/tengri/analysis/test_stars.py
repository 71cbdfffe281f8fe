"""Two choices of stars: what is known beforehand comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.analysis.stars import compare_stars
from tengri.errors import ConfigError
from tengri.grids.files import STELLAR_SSP

SPEC = Parameters(sfh_delayed_log_total_mass=(9.0, 11.0), sfh_delayed_tau_gyr=(0.5, 5.0),
                  met_logzsol=(-1.0, 0.2), dust_tau_diff=(0.0, 1.0), redshift=0.1)  # fmt: skip
BANDS = Instrument.SDSS().observation()


@pytest.fixture(scope="module")
def ssp():
    return load_ssp_data(STELLAR_SSP)


@pytest.fixture(scope="module")
def one(ssp):
    return SEDModel(SPEC, ssp, BANDS)


def brighter(ssp, factor: float):
    return replace(ssp, ssp_flux=ssp.ssp_flux * np.float32(factor), name="brighter", sha256="-")


def test_brighter_stars_have_the_same_colours(one, ssp):
    found = compare_stars(one, SEDModel(SPEC, brighter(ssp, 2.0), BANDS), n=64, n_fits=0)
    np.testing.assert_allclose(found.offset_mag, -2.5 * np.log10(2.0), atol=1e-5)
    np.testing.assert_allclose(found.colour_offset_mag, 0.0, atol=1e-5)
    assert found.own_error_mag is None and not found.fitted
    assert "sdss_u − sdss_g" in found.text() and found.numbers()["galaxies"] == 64


@pytest.mark.slow
def test_brighter_stars_make_lighter_galaxies_of_the_same_age(one, ssp):
    """Twice the light at each mass: half the mass at the same light, nothing else."""
    found = compare_stars(one, SEDModel(SPEC, brighter(ssp, 2.0), BANDS), n=8, n_fits=8)
    fitted = found.numbers()["fitted"]
    assert fitted["stellar_mass"]["median"] == pytest.approx(-np.log10(2.0), abs=0.01)
    for name in ("mass_weighted_age_gyr", "ssfr", "a_v"):
        assert fitted[name]["median"] == pytest.approx(0.0, abs=0.01), name
    assert "signal-to-noise 20" in found.text()
    figure = found.plot()
    assert len(figure.axes) == 2


def test_what_is_not_the_stars_must_be_equal(one, ssp):
    fixed = SEDModel(SPEC.with_params(dust_tau_diff=0.3), ssp, BANDS)
    with pytest.raises(ConfigError, match="Free in one model alone: dust_tau_diff"):
        compare_stars(one, fixed, n=4)
    red = SEDModel(SPEC, ssp, Instrument.SDSS().observation().__class__(
        photometry=BANDS.photometry.__class__(BANDS.photometry.filters[:2])))  # fmt: skip
    with pytest.raises(ConfigError, match="lacks the bands sdss_r"):
        compare_stars(one, red, n=4)
