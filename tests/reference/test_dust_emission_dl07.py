"""``dl07`` against the band averages of its authors and against the templates of FSPS."""

from __future__ import annotations

import csv
from pathlib import Path

import jax
import numpy as np
import pytest
from sedpy.observate import Filter

from tengri import Parameters, SEDModel, Uniform, load_ssp_data
from tengri.components.dust.emission.dl07 import DL07, MILKY_WAY_QPAH, spectrum, templates
from tengri.errors import ParameterError

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


COLOURS_UM = np.array([3.35, 7.9, 12.0, 24.0, 70.0, 160.0, 350.0])


def colours(component, qpah):
    """Return ln L_ν/L_IR (n_qpah, n_um) at U = 1."""
    spectrum = jax.jit(lambda q: component.spectrum(COLOURS_UM * 1e4, {
        "dust_qpah": q, "dust_umin": 1.0, "dust_gamma_dl": 0.01}))  # fmt: skip
    return np.log([np.asarray(spectrum(float(q))) for q in qpah])


def largest_jump(component, nodes):
    """Return how far an inner node lies from the straight line between its neighbours, ln F."""
    f = np.exp(colours(component, nodes))
    t = ((nodes[1:-1] - nodes[:-2]) / (nodes[2:] - nodes[:-2]))[:, None]
    return np.abs(np.log(f[1:-1] / ((1 - t) * f[:-2] + t * f[2:]))).max(axis=0)


def test_colours_change_smoothly_with_the_share_of_pahs():
    """More PAHs, more of their bands, at every step; the Clouds in between were no such step."""
    before = DL07.at(1)
    nodes = templates().qpah
    steps = np.diff(colours(DL07, np.linspace(0.47, 4.58, 83)), axis=0)
    assert (steps[:, :3] > 0.0).all()  # 3.4, 7.9 and 12 µm
    assert (steps[:, 4:] < 0.0).all()  # the power is missing at 70 to 350 µm
    mixed = np.diff(colours(before, np.linspace(0.47, 4.58, 83)), axis=0)
    assert (mixed[:, :3] < 0.0).any() and (mixed[:, 4:] > 0.0).any()
    galaxy, all_of_them = np.array(MILKY_WAY_QPAH), nodes[nodes >= 0.47]
    assert largest_jump(DL07, galaxy).max() < 0.05
    assert largest_jump(before, all_of_them).max() > 0.15
    for q in galaxy:  # at the nodes of the Milky Way nothing changed
        np.testing.assert_allclose(colours(DL07, [q]), colours(before, [q]), rtol=1e-9)


def test_values_outside_the_data_are_an_error():
    model = SEDModel(Parameters(dust_emission="dl07", dust_qpah=(0.47, 4.58), redshift=0.1),
                     load_ssp_data())  # fmt: skip
    with pytest.raises(ParameterError, match="dust_qpah"):
        model.predict_rest_sed({"dust_qpah": 0.3})
    with pytest.raises(ParameterError, match="dust_qpah"):
        Parameters(dust_emission="dl07", dust_qpah=Uniform(0.1, 4.58))


def test_a_stored_spec_keeps_the_templates_of_its_time():
    today = Parameters(dust_emission="dl07", redshift=0.1)
    first = today.with_physics({"dust emission model dl07": 1})
    stored = first.with_params(dust_qpah=(0.1, 4.58)).to_dict()
    spec = Parameters.from_dict(stored)
    assert spec.composition.dust_emission == DL07.at(1)
    assert spec.get_distribution("dust_qpah") == Uniform(0.1, 4.58)
    assert today.composition.dust_emission == DL07
