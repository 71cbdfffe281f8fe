"""Nodes whose gas lets ionising photons pass are found and replaced; sound ones stay."""

from __future__ import annotations

import numpy as np
import pytest

from tengri.components.stellar.nebular_table import cloudy_table
from tengri.grids import recombination

H_ALPHA, H_BETA, OIII = 6564.61, 4862.69, 5008.24


@pytest.fixture(scope="module")
def table():
    """Sound nodes alone: five logU, two metallicities, three ages."""
    whole = cloudy_table()
    part = slice(0, 5), slice(3, 5), slice(0, 3)
    assert not whole.replaced[part].any()
    return whole.lines[part], whole.continuum[part], whole.line_wave


def brightness(lines, line_wave, wave):
    return lines[..., np.argmin(np.abs(line_wave - wave))]


def test_hydrogen_lines_are_told_from_others(table):
    _, _, wave = table
    found = recombination.hydrogen(wave)
    known = {1215.67: True, H_ALPHA: True, H_BETA: True, 40522.5: True, 3889.742: False,
             4686.99: False, 6585.27: False, OIII: False}  # fmt: skip
    for at, is_hydrogen in known.items():
        assert found[np.argmin(np.abs(wave - at))] == is_hydrogen, at


def test_sound_tables_stay_as_they_are(table):
    lines, continuum, wave = table
    corrected = recombination.corrected(lines, continuum, wave)
    np.testing.assert_array_equal(corrected.lines, lines)
    np.testing.assert_array_equal(corrected.continuum, continuum)
    assert not corrected.replaced.any()


def test_a_leaking_node_takes_its_neighbour_s_light_and_the_trend_of_metals(table):
    lines, continuum, wave = table
    broken, glow = lines.copy(), continuum.copy()
    broken[4, 1, 0] *= 0.3
    glow[4, 1, 0] *= 5.0
    corrected = recombination.corrected(broken, glow, wave)
    assert np.argwhere(corrected.replaced).tolist() == [[4, 1, 0]]
    np.testing.assert_array_equal(corrected.continuum[4, 1, 0], continuum[3, 1, 0])
    hydrogen = recombination.hydrogen(wave)
    np.testing.assert_array_equal(corrected.lines[4, 1, 0, hydrogen], lines[3, 1, 0, hydrogen])
    ratio = brightness(corrected.lines, wave, OIII) / brightness(corrected.lines, wave, H_BETA)
    np.testing.assert_allclose(ratio[4, 1, 0] / ratio[3, 1, 0], ratio[4, 0, 0] / ratio[3, 0, 0])


def test_a_whole_age_and_a_whole_metallicity_take_the_next(table):
    lines, continuum, wave = table
    broken = lines.copy()
    broken[:, 0, 2] *= 1.3
    corrected = recombination.corrected(broken, continuum, wave)
    np.testing.assert_array_equal(corrected.lines[:, 0, 2], lines[:, 0, 1])
    broken = lines.copy()
    broken[:, 1] *= 0.05
    corrected = recombination.corrected(broken, continuum, wave)
    np.testing.assert_array_equal(corrected.lines[:, 1], lines[:, 0])


def test_case_b_is_the_unit(table):
    lines, _, wave = table
    alpha, beta = recombination.case_b(lines, wave)
    np.testing.assert_allclose(beta, brightness(lines, wave, H_BETA) * 3.828e33 / 1e47 / 4.78e-13)
    np.testing.assert_allclose(alpha / beta, brightness(lines, wave, H_ALPHA)
                               / brightness(lines, wave, H_BETA) / 2.86)  # fmt: skip
