"""The ``standard`` nucleus with default parameters against what is published of quasars.

Spectra are νL_ν in units of L_bol; scatter is that of quasars, not the error of a mean.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS

STANDARD = AGN_MODELS["standard"]
DEFAULTS = {p.name: p.default for p in STANDARD.params}
C_AA, KEV_AA = 2.99792458e18, 12.398420
LSUN = 3.828e33
WEIGHTS = jax.jit(STANDARD.templates.weights)
COLOURS = json.loads((Path(__file__).parent / "data" / "quasar_colours.json").read_text())


@cache
def templates(wave: bytes):
    at, t = np.frombuffer(wave), STANDARD.templates
    return t.open(at), t.screened(at)


def nu_lnu(wave, **changed):
    """Return νL_ν without polar dust, at E(B-V) = 0."""
    wave = np.atleast_1d(np.asarray(wave, float))
    unscreened, screened = templates(wave.tobytes())
    fixed, near, _ = WEIGHTS(DEFAULTS | changed)
    return (np.asarray(fixed) @ unscreened + np.asarray(near) @ screened) * C_AA / wave


def power(lo, hi, **changed):
    wave = np.geomspace(lo, hi, 12_001)
    return np.trapezoid(nu_lnu(wave, **changed), np.log(wave))


def slope(lo, hi, **changed):
    """Return α of L_ν ∝ ν^α between two wavelengths."""
    flux = nu_lnu([lo, hi], **changed) * np.array([lo, hi])
    return -np.log(flux[1] / flux[0]) / np.log(hi / lo)


KRAWCZYK = "Krawczyk et al. 2013, ApJS 206, 4"
# Richards et al. 2006, ApJS 166, 470; Elvis et al. 1994, ApJS 95, 1
RATIOS = {
    # name: from, to [Å], over νL_ν at [Å], mean, scatter below and above
    f"1 µm to 2 keV, {KRAWCZYK}": (KEV_AA / 2, 1e4, 2500.0, 2.75, 0.40, 0.40),
    f"1 µm to 500 keV, {KRAWCZYK}": (KEV_AA / 500, 1e4, 2500.0, 2.97, 0.43, 0.43),
    "100 µm to 10 keV, Richards et al. 2006": (KEV_AA / 10, 1e6, 5100.0, 10.3, 2.1, 2.1),
    "30 µm to 10 keV, Elvis et al. 1994": (KEV_AA / 10, 3e5, 5100.0, 11.8, 6.3, 12.9),
    # from their mean spectrum, with the scatter of 20 per cent that they find at 5100 Å
    "100 µm to 10 keV over 1350 Å, Richards et al. 2006": (KEV_AA / 10, 1e6, 1350.0, 3.81, 0.76,
                                                           0.76),
    "100 µm to 10 keV over 3000 Å, Richards et al. 2006": (KEV_AA / 10, 1e6, 3000.0, 5.15, 1.03,
                                                           1.03),
    # Runnoe et al. 2012, MNRAS 422, 478: L_bol = 0.75 L_iso with L_iso/νL_ν = 4.2 ± 0.1, 5.2 ± 0.2
    # and 8.1 ± 0.4, errors of the mean of 63 quasars: times √63 the scatter
    "1 µm to 10 keV over 1450 Å, Runnoe et al. 2012": (KEV_AA / 10, 1e4, 1450.0, 3.15, 0.6, 0.6),
    "1 µm to 10 keV over 3000 Å, Runnoe et al. 2012": (KEV_AA / 10, 1e4, 3000.0, 3.9, 1.2, 1.2),
    "1 µm to 10 keV over 5100 Å, Runnoe et al. 2012": (KEV_AA / 10, 1e4, 5100.0, 6.1, 2.4, 2.4),
    # templates BQSO1 and TQSO1 of Polletta et al. 2007, ApJ 663, 81: of the quarters of optically
    # selected quasars that are faintest and brightest in the infrared
    "1 to 30 µm, Polletta et al. 2007": (1e4, 3e5, 5100.0, 3.9, 1.7, 2.9),
}  # fmt: skip


@pytest.mark.parametrize("name", RATIOS)
def test_luminosities_over_monochromatic_ones(name):
    lo, hi, at, mean, below, above = RATIOS[name]
    assert mean - below <= power(lo, hi) / nu_lnu(at)[0] <= mean + above


# Runnoe et al. 2012, equations 9 to 11: log L_iso = a + b log νL_ν [erg/s]; scatter as above [dex].
# At 3000 Å b is quoted as 0.98, with which L_iso/νL_ν would be 8.7 at 10^45.5, and as 0.97: 3.1.
RUNNOE = {1450.0: (4.74, 0.91, 0.08), 3000.0: (1.85, 0.98, 0.13), 5100.0: (4.89, 0.91, 0.17)}


@pytest.mark.parametrize("lbol", [11.5, 12.5, 13.5])
@pytest.mark.parametrize("at", RUNNOE)
def test_the_luminosity_of_runnoe_et_al(at, lbol):
    """L_bol = 0.75 L_iso, to the scatter and half a unit of the last digit of b, 0.23 dex."""
    a, b, scatter = RUNNOE[at]
    light = np.log10(nu_lnu(at, agn_log_lbol=lbol)[0]) + lbol + np.log10(LSUN)
    theirs = np.log10(0.75) + a + b * light
    assert lbol + np.log10(LSUN) == pytest.approx(theirs, abs=scatter + 0.005 * light)


def test_the_mid_infrared_over_the_optical():
    """νL_ν(6 µm)/νL_ν(5100 Å) is 0.67 in BQSO1 and 2.32 in TQSO1 (Polletta et al. 2007)."""
    assert 0.67 < np.divide(*nu_lnu([6e4, 5100.0])) < 2.32


# Krawczyk et al. 2013, table 3: log10 L(1 µm-2 keV) and L(2-10 keV) [erg/s] of ten quasars
HARD = [(46.54, 44.75), (45.76, 44.24), (46.13, 44.48), (46.67, 44.97), (46.35, 44.62),
        (45.27, 43.79), (47.31, 45.38), (46.81, 44.92), (45.84, 44.31), (45.96, 44.39)]  # fmt: skip


def test_hard_x_rays_fall_behind_as_the_disc_brightens():
    lbol, hard = np.array(HARD).T
    ours = []
    for log_lbol in lbol - np.log10(LSUN):
        p = {"agn_log_lbol": log_lbol}
        both = power(KEV_AA / 10, KEV_AA / 2, **p), power(KEV_AA / 2, 1e4, **p)
        ours.append(np.log10(np.divide(*both)))
    assert np.abs(np.array(ours) - (hard - lbol)).max() < 0.3  # the scatter of α_ox times 2.6
    assert np.mean(ours) == pytest.approx(np.mean(hard - lbol), abs=0.17)
    assert np.corrcoef(ours, hard - lbol)[0, 1] > 0.9


@pytest.mark.parametrize("lbol", [10.5, 11.5, 12.5, 13.5])
def test_alpha_ox_of_two_samples(lbol):
    """Optical (Just+2007, ApJ 665, 1004) and X-ray selection (Lusso+2010, A&A 512, A34), ± 0.15."""
    p = {"agn_log_lbol": lbol, "agn_ew_fe2": 0.0, "agn_ew_balmer": 0.0, "agn_ew_broad": 0.0}
    uv, x_ray = nu_lnu([2500.0, KEV_AA / 2], **p) * np.array([2500.0, KEV_AA / 2]) / C_AA
    alpha = 0.3838 * np.log10(x_ray / uv)
    l_2500 = np.log10(uv) + lbol + np.log10(LSUN)
    for a, b in ((-0.140, 2.705), (-0.154, 3.176)):
        assert alpha == pytest.approx(a * l_2500 + b, abs=0.15)


SLOPES = {
    # name: from, to [Å], mean, scatter
    # scatter of Richards et al. 2001, AJ 121, 2308
    "Vanden Berk et al. 2001, AJ 122, 549": (1355.0, 4215.0, -0.44, 0.33),
    "Temple et al. 2021, MNRAS 508, 737, redward of 3880 Å": (4215.0, 8200.0, 0.593, 0.2),
    "Lusso et al. 2015, MNRAS 449, 4204, from 600 to 912 Å": (600.0, 911.0, -1.70, 0.61),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_of_the_continuum(name):
    lo, hi, mean, scatter = SLOPES[name]
    assert slope(lo, hi) == pytest.approx(mean, abs=scatter)


def test_the_photon_index_of_x_rays():
    """Γ = 1.92 of the most luminous quasars (Just et al. 2007); α = 1 - Γ, from 2 to 10 keV."""
    assert 1.0 - slope(KEV_AA / 10, KEV_AA / 2) == pytest.approx(1.92, abs=0.09)


# Vanden Berk et al. 2001, table 2: flux over that of Lyα, in per cent
FLUX = {"C IV 1549": 25.291, "C III] 1909": 15.943, "Mg II 2799": 14.725, "Hβ 4863": 8.649}


def test_fluxes_of_lines():
    """Over that of Hβ, to the 40 per cent by which the continuum of the composite is redder."""
    from tengri.components.agn.lines import LINES, luminosity

    ours = {line.name: luminosity(line) for line in LINES}
    for name, flux in FLUX.items():
        assert ours[name] / ours["Hβ 4863"] == pytest.approx(flux / FLUX["Hβ 4863"], rel=0.6)
    assert ours["Hα 6565"] / ours["Hβ 4863"] == pytest.approx(30.832 / 8.649, rel=0.02)


@pytest.fixture(scope="module")
def colours():
    """Return the colours of a quasar without host at the redshifts of the reference."""
    names = ["sdss_u", "sdss_g", "sdss_r", "wise_w1", "wise_w2"]
    bands = Instrument.from_names(names).observation()
    # M_i = -27 is some 3e12 Lsun
    spec = Parameters(mean_sfh_type="none", agn_model="standard", agn_log_lbol=12.5,
                      redshift=(0.05, 5.1))  # fmt: skip
    model = SEDModel(spec, load_ssp_data(), bands)
    made = model.predict_magnitudes_batch({"redshift": np.array(COLOURS["redshift"])})
    return dict(zip(COLOURS["colours"], -np.diff(np.asarray(made), axis=1).T))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "z_lo", "z_hi", "most"),
    # blueward of Lyα the two codes have different forests; that code ends at 3 µm
    [
        ("u-g", 0.0, 2.8, 0.12),
        ("g-r", 0.0, 4.6, 0.18),
        ("r-W1", 0.1, 4.6, 0.12),
        ("W1-W2", 0.5, 4.6, 0.18),
    ],
)
def test_colours_of_quasars_against_redshift(colours, name, z_lo, z_hi, most):
    """The tracks of Temple et al. 2021, to less than the scatter of quasars around them."""
    z, theirs = np.array(COLOURS["redshift"]), np.array(COLOURS["colours"][name], float)
    use = (z >= z_lo) & (z <= z_hi)
    difference = (colours[name] - theirs)[use]
    assert np.isfinite(difference).all()
    assert np.abs(difference).max() < most and np.sqrt(np.mean(difference**2)) < 0.09
