"""The embedded nebular table against hydrogen recombination in case B.

Effective coefficients at 10⁴ K and 100 electrons/cm³ from Osterbrock & Ferland (2006), tables 2.1
and 4.2, and line ratios from Storey & Hummer (1995), to which the gas of every node must come close
whatever its metals: between 5000 and 20 000 K Hβ per photon changes by 5, Hα/Hβ by 10 per cent.
"""

from __future__ import annotations

import numpy as np
import pytest

from tengri.components.stellar.nebular import CLOUDY
from tengri.components.stellar.nebular_table import cloudy_table

LSUN, PHOTONS, PLANCK, C = 3.828e33, 1e47, 6.62607015e-27, 2.99792458e10
ALPHA_B, ALPHA_H_BETA = 2.59e-13, 3.03e-14  # cm³/s
H_BETA = 4862.69
#: Brightness in units of Hβ at 20 000, 10 000 and 5000 K, by vacuum wavelength [Å].
RATIOS = {6564.61: (2.75, 2.86, 3.04), 18756.1: (0.28, 0.339, 0.41), 12821.6: (0.14, 0.163, 0.19)}
#: Of the priors and the ages of gas: what a model can reach with ordinary metals.
USED = slice(None), slice(0, 6), slice(0, 11)


@pytest.fixture(scope="module")
def table():
    return cloudy_table()


def line(table, wave):
    found = int(np.argmin(np.abs(table.line_wave - wave)))
    assert table.line_wave[found] == pytest.approx(wave, rel=1e-4)
    return table.lines[..., found]


def test_h_beta_per_ionising_photon_of_every_node(table):
    expected = ALPHA_H_BETA / ALPHA_B * PLANCK * C / (H_BETA * 1e-8)
    per_photon = line(table, H_BETA) * LSUN / PHOTONS
    np.testing.assert_allclose(per_photon, expected, rtol=0.105)


def test_h_alpha_per_ionising_photon_of_every_node(table):
    """1.37e-12 erg: what a rate of star formation is read off (Kennicutt 1998)."""
    np.testing.assert_allclose(line(table, 6564.61) * LSUN / PHOTONS, 1.37e-12, rtol=0.105)


@pytest.mark.parametrize("wave", RATIOS)
def test_hydrogen_ratios_of_every_node(table, wave):
    """Collisions in the hot gas of few metals add a tenth to Hβ at most."""
    ratio, (hot, middle, cold) = line(table, wave) / line(table, H_BETA), RATIOS[wave]
    assert 0.9 * hot < ratio.min() and ratio.max() < cold
    assert np.median(ratio) == pytest.approx(middle, rel=0.11)


def test_lyman_alpha_of_every_node(table):
    """8.7 Hα in case B; collisions in the hot gas of few metals add up to two thirds."""
    ratio = line(table, 1215.67) / line(table, 6564.61)
    assert ratio.min() > 7.9 and ratio[USED].max() < 14.5


def test_which_nodes_are_not_the_source_s(table):
    """Metal-rich gas that is strongly ionised, and old stars: none of what most galaxies have."""
    rich = np.flatnonzero(10.0**table.lgmet > 0.049)
    assert rich.tolist() == [5, 6]
    assert table.replaced[:, 6].all() and table.replaced[4:, 5].all()
    assert not table.replaced[:3, 5, :9].any() and not table.replaced[:8, :5, :11].any()
    assert table.replaced.mean() == pytest.approx(321 / 945)


def test_metal_lines_of_replaced_nodes_go_on_smoothly(table):
    """From neighbour to neighbour in log U as steeply as at half solar Z, up to a factor."""
    strong = [line(table, w) / line(table, H_BETA) for w in (5008.24, 6585.27, 3729.9, 9533.2)]
    for ratio in strong:
        steps, half = (np.diff(np.log(ratio[:, z, :9]), axis=0) for z in (5, 4))
        assert np.abs(steps[3:] - half[3:]).max() < 1e-3


def test_specs_of_older_physics_have_the_source_s_nodes(table):
    """What the replaced nodes were like: Hβ per photon down to a fiftieth of case B."""
    before = CLOUDY.at(1).table()
    same = table.replaced == 0
    np.testing.assert_array_equal(before.lines[same], table.lines[same])
    np.testing.assert_array_equal(before.continuum[same], table.continuum[same])
    per_photon = line(before, H_BETA) * LSUN / PHOTONS / 4.78e-13
    assert per_photon.min() < 0.02
    alpha = line(before, 6564.61) * LSUN / PHOTONS / 1.37e-12
    off = np.maximum(np.abs(per_photon - 1.0), np.abs(alpha - 1.0))
    assert off[~same].min() > 0.095 and off[same].max() < 0.105
