"""Energy counting and reference spectra, against published colour corrections and quadrature."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.errors import ConfigError, UnknownNameError
from tengri.observation.bands import BandProjection, band_matrix
from tengri.observation.filters import FilterCurve, load_filter
from tengri.observation.photometry import Photometry

UM = 1e4
WAVE = np.geomspace(1e4, 2e7, 20001)


def blackbody(kelvin: float):
    """Return B_ν as a function of wavelength [Å], to a factor."""

    def spectrum(wave):
        x = 1.43877688e8 / (wave * kelvin)
        return wave**-3.0 * np.exp(-x) / -np.expm1(-x)

    return spectrum


def power_law(index: float):
    return lambda wave: wave**-index


def correction(curve: FilterCurve, spectrum, nominal_um: float) -> float:
    """Return the quoted over the true flux density at the nominal wavelength."""
    lnu = spectrum(WAVE) / spectrum(nominal_um * UM)
    return float((band_matrix(WAVE, [curve], 0.0) @ lnu)[0])


# Poglitsch et al. 2010, A&A 518, L2, Table 3: 70, 100, 160 µm; given to two decimals
PACS = {
    "ν⁻¹": (power_law(-1.0), (1.00, 1.00, 1.00)),
    "ν⁻³": (power_law(-3.0), (1.04, 1.04, 1.06)),
    "ν²": (power_law(2.0), (1.02, 1.03, 1.08)),
    "ν³": (power_law(3.0), (1.04, 1.07, 1.14)),
    "10⁴ K": (blackbody(1e4), (1.02, 1.03, 1.07)),
    "100 K": (blackbody(100.0), (0.99, 1.01, 1.04)),
    "50 K": (blackbody(50.0), (0.98, 0.99, 1.01)),
    "20 K": (blackbody(20.0), (1.22, 1.04, 0.96)),
}


@pytest.mark.parametrize("case", PACS)
def test_pacs_colour_corrections_are_the_published_ones(case):
    spectrum, published = PACS[case]
    for um, expected in zip((70.0, 100.0, 160.0), published):
        curve = load_filter(f"herschel_{um:.0f}", reference="pacs")
        assert correction(curve, spectrum, um) == pytest.approx(expected, abs=0.025)


# MIPS Instrument Handbook, colour corrections for ν f_ν constant: 24, 70, 160 µm
@pytest.mark.parametrize(
    ("band", "nominal", "published"),
    [("mips_24", 23.675, 0.961), ("mips_70", 71.42, 0.918), ("mips_160", 155.9, 0.959)],
)
def test_mips_colour_corrections_are_the_published_ones(band, nominal, published):
    curve = load_filter(band, reference="mips")
    assert correction(curve, power_law(-1.0), nominal) == pytest.approx(published, abs=1.5e-3)
    assert correction(curve, blackbody(1e4), nominal) == pytest.approx(1.0, abs=1e-5)


# K_MonP of the SPIRE Handbook: what the pipeline's ν⁻¹ makes of a flat spectrum's average
@pytest.mark.parametrize(("um", "k_mon"), [(250, 1.0102), (350, 1.0095), (500, 1.0056)])
def test_spire_monochromatic_factors_are_the_published_ones(um, k_mon):
    curve = load_filter(f"herschel_{um}", reference="spire")
    assert curve.scale == pytest.approx(k_mon, abs=2e-3)
    assert correction(curve, power_law(-1.0), float(um)) == pytest.approx(1.0, abs=1e-5)


def test_energy_counting_is_the_integral_over_frequency(tmp_path):
    """⟨f_ν⟩ = ∫ f_ν R dν / ∫ R dν, by quadrature in frequency."""
    knots, response = np.linspace(8e5, 1.2e6, 9), np.array([0, 1, 4, 5, 6, 5, 3, 1, 0.0])
    np.savetxt(tmp_path / "bolometer.dat", np.c_[knots, response], header="energy")
    curve = FilterCurve.from_file(tmp_path / "bolometer.dat")
    nu = np.linspace(1.0 / knots[-1], 1.0 / knots[0], 400_001)
    r, f = np.interp(1.0 / nu, knots, response), blackbody(30.0)(1.0 / nu)
    expected = np.trapezoid(f * r, nu) / np.trapezoid(r, nu)
    got = band_matrix(WAVE, [curve], 0.0) @ blackbody(30.0)(WAVE)
    assert got[0] == pytest.approx(expected, rel=2e-6)
    photon = FilterCurve.from_file(tmp_path / "bolometer.dat", detector="photon")
    assert photon.pivot > curve.pivot and photon != curve


def test_every_projection_quotes_the_same_flux_density():
    curves = [load_filter("wise_w4"), load_filter("herschel_100", reference="pacs")]
    plain = [curve.with_reference("") for curve in curves]
    wave = np.geomspace(1e3, 2e7, 300)
    lnu = jnp.asarray(blackbody(60.0)(wave) / blackbody(60.0)(1e6))
    with_scale, without = (BandProjection.build(wave, c, 0.0, 0.5) for c in (curves, plain))
    ratio = with_scale.project(lnu, 0.2) / without.project(lnu, 0.2)
    np.testing.assert_allclose(ratio, [1.0, curves[1].scale], rtol=1e-12)
    assert abs(curves[1].scale - 1.0) > 1e-3
    for matrix in (with_scale.rows(0.2), band_matrix(wave, curves, 0.2)):
        np.testing.assert_allclose(matrix @ lnu, with_scale.project(lnu, 0.2), rtol=1e-9)
    slopes = [jax.jacfwd(p.project, 1)(lnu, 0.2) for p in (with_scale, without)]
    np.testing.assert_allclose(slopes[0], slopes[1] * ratio, rtol=1e-9)


def test_a_reference_is_part_of_a_curve_and_only_where_there_is_one():
    curve = load_filter("herschel_100")
    quoted = curve.with_reference("pacs")
    assert quoted != curve and quoted.with_reference("") == curve
    for one in (curve, quoted):
        assert FilterCurve.from_dict(one.to_dict()) == one
        assert one.renamed("other").reference == one.trimmed().reference == one.reference
    both = Photometry((curve, quoted.renamed("pacs_100")))
    assert Photometry.from_dict(both.to_dict()).fingerprint == both.fingerprint
    assert "reference" not in curve.to_dict()
    # what sealed surrogates hold
    assert load_filter("sdss_r").fingerprint.startswith("04ee98b9f74df2dc551bef524c88bd42")
    assert curve.fingerprint.startswith("3178616d165bc5f759374416352bd7e7")


def test_a_reference_of_other_bands_is_refused():
    with pytest.raises(ConfigError, match=r"70, 100, 160 µm; the pivot is 0\.6"):
        load_filter("sdss_r", reference="pacs")
    with pytest.raises(UnknownNameError, match="Known: mips, pacs, spire"):
        load_filter("herschel_100").with_reference("nu")
