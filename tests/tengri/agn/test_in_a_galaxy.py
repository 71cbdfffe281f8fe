"""The nucleus in its galaxy: it has the luminosity that was asked for, whatever else is set."""

from __future__ import annotations

import numpy as np
import pytest

from tengri import Fixed, Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.components.dust.attenuation import LAWS
from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import ConfigError, UnknownNameError

# the galaxy of the seed's AGN sweep
HOST = {
    "sfh_tsnorm_log_peak_sfr": 1.0, "sfh_tsnorm_peak_lbt_gyr": 2.0, "sfh_tsnorm_width_gyr": 1.5,
    "sfh_tsnorm_skew": 0.2, "sfh_tsnorm_trunc": 3.0, "met_logzsol": -0.3, "dust_tau_bc": 0.5,
    "dust_tau_diff": 0.3, "dust_slope": -0.7, "redshift": 0.05,
}  # fmt: skip
FREE = {"agn_log_lbol": (5.0, 14.0), "agn_torus_frac": (0.0, 1.0), "agn_log_mbh": (6.0, 10.0)}


@pytest.fixture(scope="module")
def ssp():
    return load_ssp_data()


@pytest.fixture(scope="module")
def naked(ssp):
    return SEDModel(Parameters(**HOST, **FREE, agn_model="standard"), ssp)


@pytest.fixture(scope="module")
def veiled(ssp):
    screen = {"agn_screen": "diffuse", "dust_emission": "modified_blackbody"}
    return SEDModel(Parameters(**HOST, **FREE, agn_model="standard", **screen), ssp)


def parts(model, **p):
    """Return L_ν [erg/s/Hz] of the components, (n, n_wave) each."""
    rows = {k: np.atleast_1d(np.asarray(v, float)) for k, v in p.items()}
    n = max(map(len, rows.values()), default=1)
    full = {"agn_log_lbol": 11.0, "agn_torus_frac": 0.5, "agn_log_mbh": 8.0} | rows
    batch = {k: np.broadcast_to(v, n) for k, v in full.items()}
    return {k: np.asarray(v) for k, v in model.predict_rest_components_batch(batch).items()}


def lsun(model, lnu):
    """Integrate over frequency [Lsun]."""
    return -np.trapezoid(lnu, C_AA_PER_S / model.galaxy.wave, axis=-1) / LSUN_ERG_S


def test_the_luminosity_is_the_one_asked_for(naked):
    """Of 1 µm to 10 keV, from 1e5 to 1e14 Lsun, for hot and cool discs; the torus comes on top."""
    lbol, share, mass = (a.ravel() for a in np.meshgrid([5.0, 9.0, 12.0, 14.0], [0.0, 0.5, 1.0],
                                                        [6.0, 8.0, 10.0]))  # fmt: skip
    agn = parts(naked, agn_log_lbol=lbol, agn_torus_frac=share, agn_log_mbh=mass)["agn"]
    wave = naked.galaxy.wave
    np.testing.assert_allclose(lsun(naked, np.where(wave <= 1e4, agn, 0.0)), 10.0**lbol, rtol=5e-3)
    no_torus = parts(naked, agn_log_lbol=lbol, agn_torus_frac=0.0 * lbol, agn_log_mbh=mass)["agn"]
    torus = lsun(naked, agn) - lsun(naked, no_torus)
    np.testing.assert_allclose(torus, share * 10.0**lbol, rtol=1e-3)


def test_torus_and_disc_have_their_shares(naked):
    share = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    agn = parts(naked, agn_torus_frac=share)["agn"]
    disc, torus = agn[0], agn[-1] - agn[0]
    np.testing.assert_allclose(agn, disc + np.outer(share, torus), rtol=1e-9)
    infrared = naked.galaxy.wave > 1e4
    assert lsun(naked, np.where(infrared, torus, 0.0)) == pytest.approx(1e11, rel=0.01)
    assert lsun(naked, np.where(infrared, disc, 0.0)) < 0.1e11


@pytest.mark.slow
@pytest.mark.parametrize("name", AGN_MODELS)
def test_the_grid_holds_the_spectrum_between_its_nodes(ssp, name):
    """At the middle of every step the spectrum is where a straight line from node to node is."""
    agn = AGN_MODELS[name]
    p = {q.name: q.default for q in agn.params}
    wave = SEDModel(Parameters(**HOST, agn_model=name), ssp).galaxy.wave
    wave = wave[wave > 50.0]
    middle = 0.5 * (wave[1:] + wave[:-1])
    at_nodes, between = (np.asarray(agn.spectrum(w, p)) for w in (wave, middle))
    straight = 0.5 * (at_nodes[1:] + at_nodes[:-1])
    worst = np.argmax(np.abs(straight / between - 1.0))
    assert straight[worst] == pytest.approx(between[worst], rel=0.03), middle[worst]
    nu = C_AA_PER_S / middle
    assert np.trapezoid(straight - between, nu) == pytest.approx(
        0.0, abs=1e-3 * -np.trapezoid(between, nu)
    )


@pytest.mark.slow
def test_a_fixed_luminosity_counts_as_a_free_one_does(ssp, naked):
    fixed = SEDModel(Parameters(**HOST, agn_model="standard", agn_log_lbol=Fixed(12.0)), ssp)
    as_given, brighter = (
        fixed.predict_rest_sed().sed,
        fixed.predict_rest_sed({"agn_log_lbol": 13.0}),
    )
    free = sum(parts(naked, agn_log_lbol=[12.0, 13.0]).values())
    np.testing.assert_allclose(as_given, free[0], rtol=1e-9)
    np.testing.assert_allclose(brighter.sed, free[1], rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*beyond 3 µm")
def test_the_sweep_of_the_seed_rises_in_the_mid_infrared(ssp):
    """9 → 13: each step adds the same nucleus about ten times brighter to the same host."""
    spec = Parameters(**HOST, agn_model="standard", agn_log_lbol=(9.0, 13.0))
    model = SEDModel(spec, ssp, Instrument.WISE().observation())
    lbol = np.arange(9.0, 13.5)
    flux = np.asarray(model.predict_photometry_batch({"agn_log_lbol": lbol}))
    assert np.all(np.diff(flux, axis=0) > 0.0)
    # a little more than ten times: the share of the corona falls
    ratio = np.diff(flux, axis=0)[1:] / np.diff(flux, axis=0)[:-1]
    np.testing.assert_allclose(ratio, 10.0, rtol=0.1)
    w1, w3 = flux[:, 0], flux[:, 2]
    # W3 (12 µm) rises by more than 3 dex, W1, where the stars are, later and less
    assert w3[-1] / w3[0] > 1e3 and w1[1] / w1[0] < 2.0
    assert np.all(np.diff(w3 / w1) > 0.0)


def test_dust_of_the_host_does_not_redden_it_unless_asked(naked, veiled):
    curve = LAWS["power_law"].curve(veiled.galaxy.wave, {"dust_slope": -0.7})
    bare, seen = parts(naked)["agn"][0], parts(veiled)["agn"][0]
    through = np.where(veiled.galaxy.wave < 12.398, 1.0, np.exp(-0.3 * np.asarray(curve)))
    np.testing.assert_allclose(seen, bare * through, rtol=1e-9)  # grains stop no X-rays
    np.testing.assert_array_equal(parts(naked, dust_tau_diff=2.0)["agn"][0], bare)


@pytest.mark.slow
def test_what_the_screen_takes_from_the_nucleus_heats_dust(naked, veiled):
    lbol = np.array([5.0, 9.0, 11.0, 14.0])
    before, after = parts(naked, agn_log_lbol=lbol)["agn"], parts(veiled, agn_log_lbol=lbol)
    emitted = lsun(veiled, after["dust"])
    by_stars = emitted[0]  # a nucleus of 1e5 Lsun adds nothing
    lost = lsun(naked, before) - lsun(veiled, after["agn"])
    np.testing.assert_allclose(emitted - by_stars, lost - lost[0], rtol=1e-3, atol=1e-3 * by_stars)
    assert lost[-1] > 0.1e14
    p = {"agn_log_lbol": 11.0, "agn_torus_frac": 0.5, "agn_log_mbh": 8.0}
    assert float(veiled.predict_derived(p)["l_dust"]) == pytest.approx(emitted[2], rel=1e-3)


def test_screens_that_make_no_sense():
    with pytest.raises(ConfigError, match="set agn_model"):
        Parameters(**HOST, agn_screen="diffuse")
    with pytest.raises(UnknownNameError, match="diffuse"):
        Parameters(**HOST, agn_model="standard", agn_screen="difuse")


@pytest.mark.parametrize("screen", [{}, {"agn_screen": "diffuse"}])
def test_the_share_of_the_light_at_5100_as_amplitude(ssp, screen):
    """Of stars and nucleus as they are seen, whatever the type, dust at the poles, and lines."""
    free = {"agn_frac_5100": (0.0, 0.95), "agn_type": (1.0, 2.0), "agn_ebv": (0.0, 0.5),
            "agn_baldwin": (0.0, 0.3), "agn_ew_narrow": (0.0, 3.0)}  # fmt: skip
    model = SEDModel(Parameters(**HOST, **free, **screen, agn_model="standard"), ssp)
    batch = {
        "agn_frac_5100": np.array([0.0, 0.1, 0.5, 0.9, 0.5]),
        "agn_type": np.array([1.0, 1.0, 1.0, 1.3, 2.0]),
        "agn_ebv": np.array([0.0, 0.0, 0.2, 0.4, 0.1]),
        "agn_baldwin": np.array([0.0, 0.2, 0.0, 0.3, 0.0]),
        "agn_ew_narrow": np.array([1.0, 1.0, 2.0, 1.0, 1.0]),
    }
    seen = model.predict_rest_components_batch(batch)
    at = np.searchsorted(model.galaxy.wave, 5100.0)
    agn, stars = (np.asarray(seen[part])[:, at] for part in ("agn", "stars"))
    # the hottest dust is part of what is seen, a thousandth of a type 2
    np.testing.assert_allclose(agn / (agn + stars), batch["agn_frac_5100"], rtol=2e-3, atol=1e-9)


def test_the_share_and_the_luminosity_are_one_amplitude(ssp):
    """Bands by share are those of the luminosity that it stands for."""
    bands = Instrument.SDSS().observation()
    by_share = SEDModel(
        Parameters(**HOST, agn_model="standard", agn_frac_5100=(0.0, 0.9)), ssp, bands
    )
    by_power = SEDModel(
        Parameters(**HOST, agn_model="standard", agn_log_lbol=(8.0, 14.0)), ssp, bands
    )
    agn = np.asarray(
        by_share.predict_rest_components_batch({"agn_frac_5100": np.array([0.6])})["agn"]
    )[0]
    wave = by_share.galaxy.wave
    lbol = np.log10(lsun(by_share, np.where(wave <= 1e4, agn, 0.0)))
    np.testing.assert_allclose(
        by_share.predict_photometry({"agn_frac_5100": 0.6}),
        by_power.predict_photometry({"agn_log_lbol": lbol}),
        rtol=1e-2,
    )


def test_one_amplitude_of_a_nucleus_at_a_time():
    from tengri.errors import ParameterError

    with pytest.raises(ParameterError, match="give one"):
        Parameters(**HOST, agn_model="standard", agn_log_lbol=11.0, agn_frac_5100=0.3)
