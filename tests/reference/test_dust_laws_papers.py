"""Attenuation laws against other codes and against the numbers of their papers.

``data/dust_laws.json`` holds values of the package ``dust_attenuation`` and table 1 of Salim et
al. (2018), with their sources; ``dust_extinction`` is called. Other codes normalise at "V", we
at 5500 Å exactly: what is compared is the shape, and the normalisation apart.
"""

from __future__ import annotations

import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from dust_extinction.averages import G03_LMCAvg, G03_SMCBar
from dust_extinction.parameter_averages import CCM89, G23
from dust_extinction.shapes import P92

from tengri.components.dust.attenuation import LAWS

PUBLISHED = json.loads((Path(__file__).parent / "data" / "dust_laws.json").read_text())
DUST_ATTENUATION = PUBLISHED["dust_attenuation"]

PEI_NAMES = ("BKG", "FUV", "NUV", "SIL1", "SIL2", "FIR")
#: Amplitude, wavelength [µm], b and n of the six terms: Pei (1992), table 4.
PEI_TABLE_4 = {
    "mw": [
        (165, 14, 0.045, 0.002, 0.002, 0.012),
        (0.047, 0.08, 0.22, 9.7, 18, 25),
        (90, 4.0, -1.95, -1.95, -1.80, 0),
        (2, 6.5, 2, 2, 2, 2),
    ],
    "lmc": [
        (175, 19, 0.023, 0.005, 0.006, 0.020),
        (0.046, 0.08, 0.22, 9.7, 18, 25),
        (90, 5.5, -1.95, -1.95, -1.80, 0),
        (2, 4.5, 2, 2, 2, 2),
    ],
    "smc": [
        (185, 27, 0.005, 0.010, 0.012, 0.030),
        (0.042, 0.08, 0.22, 9.7, 18, 25),
        (90, 5.5, -1.95, -1.95, -1.80, 0),
        (2, 4.0, 2, 2, 2, 2),
    ],
}


def ours(law, um, **p):
    return np.asarray(LAWS[law].curve(np.asarray(um) * 1e4, p))


def theirs(model, um):
    """A dust_extinction model over its value at 5500 Å."""
    return model(1.0 / np.asarray(um) / u.um) / model(1.0 / 0.55 / u.um)


def assert_same_shape(k, other, normalisation, rtol=1e-6):
    """One factor leads from one curve to the other, and it is within ``normalisation`` of 1."""
    ratio = np.asarray(k) / np.asarray(other)
    np.testing.assert_allclose(ratio, ratio[0], rtol=rtol)
    assert abs(ratio[0] - 1.0) < normalisation


@pytest.mark.parametrize("r_v", [2.0, 2.75, 3.1, 4.0, 5.5, 6.0])
def test_cardelli_is_dust_extinctions_ccm89(r_v):
    um = 1.0 / np.linspace(0.3, 10.0, 400)
    np.testing.assert_allclose(
        ours("cardelli", um, dust_Rv=r_v), theirs(CCM89(r_v), um), rtol=1e-10
    )


@pytest.mark.parametrize("law", PEI_TABLE_4)
def test_pei_curves_are_dust_extinctions_p92(law):
    columns = zip(("amp", "lambda", "b", "n"), PEI_TABLE_4[law])
    keywords = {f"{term}_{what}": v for what, vs in columns for term, v in zip(PEI_NAMES, vs)}
    um = np.geomspace(0.01, 900.0, 400)
    curve = theirs(P92(**keywords), um)
    redward = um > 0.0912
    np.testing.assert_allclose(ours(law, um)[redward], curve[redward], rtol=1e-10)
    # the fits go on below the Lyman limit, as the law did in its first version
    np.testing.assert_allclose(LAWS[law].at(1).curve(um * 1e4, {}), curve, rtol=1e-10)


@pytest.mark.parametrize(
    "law, measured, tolerance",
    # Pei's SMC and LMC fit other sight lines than Gordon et al. (2003).
    [("cardelli", G23(3.1), 0.09), ("mw", G23(3.1), 0.09),
     ("smc", G03_SMCBar(), 0.12), ("lmc", G03_LMCAvg(), 0.12)],
)  # fmt: skip
def test_extinction_curves_are_near_measured_ones(law, measured, tolerance):
    um = np.geomspace(0.2, 0.8, 60)
    p = {"dust_Rv": 3.1} if law == "cardelli" else {}
    np.testing.assert_allclose(ours(law, um, **p), theirs(measured, um), rtol=tolerance)


@pytest.mark.parametrize("law", ["calzetti", "leitherer02"])
def test_starburst_curves_are_dust_attenuations(law):
    table = DUST_ATTENUATION[law]
    assert_same_shape(ours(law, table["um"]), table["k"], normalisation=1e-3)


@pytest.mark.parametrize("bump, slope", [(0, -1), (0, 0), (5, -1), (5, 0), (5, 1)])
def test_noll09_is_dust_attenuations(bump, slope):
    table = DUST_ATTENUATION["noll09"]
    k = ours("noll09", table["um"], dust_bump_strength=bump, dust_delta=slope)
    # Theirs leaves the wing of the bump in A(V): 0.7 % for a bump of 5.
    assert_same_shape(k, table[f"bump {bump}, slope {slope}"], normalisation=8e-3)


@pytest.mark.parametrize("bump, slope", [(0, -1), (0, 0), (5, 0)])
def test_salim18_is_noll09_where_it_does_not_matter_which_comes_first(bump, slope):
    table = DUST_ATTENUATION["noll09"]
    k = ours("salim18", table["um"], dust_bump_strength=bump, dust_delta=slope)
    assert_same_shape(k, table[f"bump {bump}, slope {slope}"], normalisation=8e-3)


def salim_row(row):
    """Return the sample's R_V and bump, the slope that goes with R_V, and its published k(λ)."""
    _, r_v, bump, *a = row
    # R_V = 4.05 / [5.05 (4400/5500)^δ - 4.05], solved for δ.
    delta = np.log((4.05 + 4.05 / r_v) / 5.05) / np.log(4400.0 / 5500.0)

    def k(um):
        drude = (0.035 * um) ** 2 / ((um**2 - 0.2175**2) ** 2 + (0.035 * um) ** 2)
        return sum(c / um**i for i, c in enumerate(a)) + bump * drude + r_v

    return r_v, bump, delta, k


@pytest.mark.parametrize("row", PUBLISHED["salim18"]["rows"], ids=lambda row: row[0])
def test_salim18_against_the_average_curves_of_the_paper(row):
    # The table is an average over galaxies, each with its own slope, and a cubic fit to that:
    # steeper in the far UV than the curve of the average slope.
    _, bump, delta, k = salim_row(row)
    for lo, hi, tolerance in ((0.2, 0.8, 0.07), (0.12, 0.2, 0.13)):
        um = np.linspace(lo, hi, 80)
        mine = ours("salim18", um, dust_bump_strength=bump, dust_delta=delta)
        np.testing.assert_allclose(mine, k(um) / k(0.55), rtol=tolerance)


def test_salim18_bump_is_in_units_of_the_new_reddening():
    for row in PUBLISHED["salim18"]["rows"]:
        r_v, bump, delta, _ = salim_row(row)
        with_bump, without = (
            ours("salim18", [0.2175], dust_bump_strength=b, dust_delta=delta)[0]
            for b in (bump, 0.0)
        )
        assert with_bump - without == pytest.approx(bump / r_v, rel=0.03)


def test_kriek_conroy_ties_the_bump_to_the_slope():
    um = np.geomspace(0.1, 2.0, 100)
    for delta in (-1.0, -0.2, 0.0, 0.4):
        noll = ours("noll09", um, dust_bump_strength=0.85 - 1.9 * delta, dust_delta=delta)
        tied = ours("kriek_conroy", um, dust_bump_strength=1.0, dust_delta=delta)
        np.testing.assert_allclose(tied, noll, rtol=1e-12)


def test_reddy15_has_the_properties_that_its_paper_states():
    """Abstract: R_V = 2.505; like the SMC's above 2500 Å, and lower than Calzetti's below it."""
    r_v = 2.505
    # Eqs. 8 and 9 worked out at four wavelengths [µm].
    k = {0.16: 8.37627, 0.30: 5.36641, 0.80: 1.40956, 1.65: 0.29794}
    at_5500 = 2.49777
    np.testing.assert_allclose(ours("reddy15", list(k)) * at_5500, list(k.values()), rtol=1e-5)
    um = np.linspace(0.3, 0.8, 40)
    smc = G03_SMCBar()
    difference = ours("reddy15", um) * r_v - smc(1.0 / um / u.um) * smc.Rv
    assert np.max(np.abs(difference)) < 0.35, "in units of E(B-V), where the curve is 1.4 to 5.4"
    um = np.linspace(0.15, 0.25, 20)
    lower = ours("reddy15", um) * r_v / (ours("calzetti", um) * 4.05)
    assert np.all((lower > 0.75) & (lower < 0.9))
