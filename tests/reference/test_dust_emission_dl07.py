"""``dl07`` against the band averages of its authors and against the templates of FSPS."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sedpy.observate import Filter

from tengri.components.dust.emission.dl07 import spectrum, templates

DATA = Path(__file__).parent / "data"
C_UM_S = 2.99792458e14


def rows(name):
    lines = [line for line in (DATA / name).read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def lnu(um, qpah, umin, gamma):
    p = {"dust_qpah": qpah, "dust_umin": umin, "dust_gamma_dl": gamma}
    return np.asarray(spectrum(np.atleast_1d(um) * 1e4, p))


def nominal_band(name, um, p):
    """Return ν L_ν as the instruments quote it, at the nominal wavelength.

    IRAC assumes ν F_ν constant (Reach et al. 2005, PASP 117, 978), MIPS a black body of 10⁴ K
    (MIPS Instrument Handbook, section 4.3.2), both per detected photon.
    """
    curve = Filter(name)
    x = C_UM_S / um / (C_UM_S * 1e4 / curve.wavelength)  # ν0/ν
    assumed = x if "irac" in name else x**-2
    weight = curve.transmission / curve.wavelength
    mean = np.trapezoid(weight * lnu(curve.wavelength * 1e-4, *p), curve.wavelength)
    return mean / np.trapezoid(weight * assumed, curve.wavelength) * C_UM_S / um


@pytest.mark.parametrize("row", rows("dust_emission_dl07.csv"), ids=lambda r: r["band"] + r["umax"])
def test_published_share_of_the_power_in_each_band(row):
    """U = 1 is a node of our table; U_min = 10 is not, so it tests the interpolation too."""
    node = row["umin"] == "1"
    got = nominal_band(
        row["band"], float(row["um"]), (4.58, float(row["umin"]), 0.0 if node else 1.0)
    )
    published = float(row["nu_p_nu"]) / float(row["power"])
    # the IRAC curve was revised after 2007, and the 7.7 µm feature lies on its edge
    assert got == pytest.approx(published, rel=0.02 if "irac" in row["band"] else 2e-3)


def test_published_long_wavelength_end():
    # ν P_ν in erg/s/H and the power of U1.00_1.00_MW3.1_60.txt
    for um, nu_p_nu in ((1.000e4, 5.303e-31), (9.290e3, 7.063e-31)):
        got = lnu(um, 4.58, 1.0, 0.0)[0] * C_UM_S / um
        assert got == pytest.approx(nu_p_nu / 4.558e-24, rel=5e-4)


def test_power_grows_with_the_mean_intensity():
    """Published: 5.236e-22 erg/s/H at ⟨U⟩ = 115.1, 4.558e-24 at U = 1."""
    table = templates()
    mean_u = table.power(table.umin_umax)[-1] / table.power(table.umin_only)[-1, 8]
    at_10 = np.exp(np.interp(np.log(10.0), np.log(table.umin), np.log(mean_u)))
    assert at_10 == pytest.approx(5.236e-22 / 4.558e-24, rel=2e-3)
    # ⟨U⟩ = U_min ln(U_max/U_min) / (1 − U_min/U_max), Draine & Li 2007, equation 24
    expected = table.umin * np.log(1e6 / table.umin) / (1.0 - table.umin / 1e6)
    assert mean_u == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("umin", [0.1, 1.0, 25.0])
def test_colours_of_another_code(umin, gamma):
    """γ weighs masses: the ratio of the two kinds must be that of the tables in FSPS."""
    table = [r for r in rows("dust_emission_fsps.csv") if float(r["umin"]) == umin]
    um = np.array([float(r["um"]) for r in table])
    only, power_law = (np.array([float(r[k]) for r in table]) for k in ("umin_only", "umin_umax"))
    theirs = (1.0 - gamma) * only + gamma * power_law
    ours = lnu(um, 2.5, umin, gamma)
    assert ours / ours[3] == pytest.approx(theirs / theirs[3], rel=3e-3)


@pytest.mark.parametrize("qpah", [0.47, 2.5, 4.58])
@pytest.mark.parametrize("umin", [0.5, 1.0, 5.0, 25.0])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1])
def test_total_luminosity_from_four_bands(qpah, umin, gamma):
    """Draine & Li 2007, equation 22: 0.95 (7.9) + 1.15 (24) + (71) + (160), good to about 10 %."""
    weights = {"spitzer_irac_ch4": (7.872, 0.95), "spitzer_mips_24": (23.68, 1.15),
               "spitzer_mips_70": (71.42, 1.0), "spitzer_mips_160": (155.9, 1.0)}  # fmt: skip
    total = sum(c * nominal_band(n, um, (qpah, umin, gamma)) for n, (um, c) in weights.items())
    assert total == pytest.approx(1.0, abs=0.11)
