"""Curves can be told apart by every common colour vision; names never cover each other."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tengri.analysis.galaxy import TITLE_WIDTH, galaxy_title
from tengri.analysis.labels import (
    band_label,
    colour_label,
    label_curves,
    line_label,
    parameter_label,
    spread,
)
from tengri.analysis.style import category_colours, curve_styles
from tengri.components.composition import registered_params
from tengri.errors import ConfigError
from tengri.registry import Param

#: Linear RGB as people without one of the three cones see it (Machado, Oliveira & Fernandes 2009,
#: IEEE TVCG 15, 1291, severity 1).
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    "print in grey": [[0.2126, 0.7152, 0.0722]] * 3,
}  # fmt: skip
#: A difference in CIELAB that a glance sees; 2.3 is the least noticeable one.
GLANCE = 12.0


def lab(colours, vision) -> np.ndarray:
    """CIELAB (D65) of sRGB colours (n, 3) as a vision sees them."""
    rgb = np.array([to_rgb(c) for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(VISIONS[vision]), 0.0, 1.0)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum((linear @ to_xyz.T) / [0.9505, 1.0, 1.089], 1e-6)).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def least_difference(colours, vision) -> float:
    seen = lab(colours, vision)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(apart[np.triu_indices(len(seen), 1)].min())


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("n", [2, 3, 5, 8, 11, 12])
def test_curves_of_one_line_style_differ_in_colour(n, vision):
    looks = curve_styles(n)
    for pattern in {str(look["ls"]) for look in looks}:
        shades = [look["color"] for look in looks if str(look["ls"]) == pattern]
        if len(shades) > 1:
            assert least_difference(shades, vision) > GLANCE, pattern
    assert len({(str(look["ls"]), look["color"]) for look in looks}) == n


@pytest.mark.parametrize("vision", [name for name in VISIONS if name != "print in grey"])
def test_categories_differ(vision):
    assert least_difference(category_colours(6), vision) > GLANCE
    with pytest.raises(ConfigError, match="cannot be told apart"):
        category_colours(20)


def test_the_simulation_would_find_a_bad_choice():
    assert least_difference(["#00a000", "#c04000"], "deuteranopia") < 30.0
    assert least_difference(["#b0c000", "#d0b000"], "deuteranopia") < GLANCE


def test_names_stay_apart_near_their_curves():
    heights = [0.5, 0.5, 0.51, 0.1, 0.99, 1.0, 0.52]
    places = np.array(spread(heights, 0.05))
    assert np.diff(np.sort(places)).min() > 0.0499 and places.max() <= 1.0 and places.min() >= 0.0
    assert np.array_equal(np.argsort(heights, kind="stable"), np.argsort(places, kind="stable"))
    assert np.abs(places - heights).max() < 0.12
    assert spread([0.2, 0.8], 0.05) == [0.2, 0.8] and spread([], 0.1) == []


def _ends(ax, heights):
    low, high = ax.get_ylim()
    return [(height - low) / (high - low) for height in heights]


def test_every_curve_has_its_name():
    figure, ax = plt.subplots()
    curves = [ax.plot([0, 1], [i, i + 1.0])[0] for i in range(3)]
    curves += ax.plot([0, 1], [np.nan, np.nan])
    label_curves(ax, curves, ["a", "b", "c", "nowhere"])
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    at = [text.xy for text in ax.texts]
    np.testing.assert_allclose(at, [(1.05 / 1.1, y) for y in _ends(ax, (1.0, 2.0, 3.0))])
    assert [t.get_color() for t in ax.texts] == [c.get_color() for c in curves[:3]]
    plt.close(figure)


def test_every_parameter_has_a_symbol_that_can_be_drawn():
    params = registered_params()
    assert not [name for name, param in params.items() if not param.symbol]
    figure, ax = plt.subplots()
    for name in params:
        ax.text(0, 0, parameter_label(name))
    figure.canvas.draw()  # mathtext raises on what it cannot read
    plt.close(figure)
    assert parameter_label("dust_tau_diff") == r"$\tau_{V,\rm diff}$"
    assert parameter_label("sfh_dpl_log_total_mass") == r"$\log_{10} M_{\rm formed}$ [$M_\odot$]"
    assert parameter_label("mine") == "mine"
    assert Param("mine", 1.0, None, unit="K").label == "mine [K]"


def test_words():
    assert [band_label(b) for b in ("sdss_u", "jwst_f150w", "2mass_ks")] == [
        "SDSS u", "JWST F150W", "2MASS KS"]  # fmt: skip
    assert [line_label(n) for n in ("Ha_6565", "[OIII]_5008", "HeII_4687", "Pab_12822")] == [
        "Hα 6565", "[O III] 5008", "He II 4687", "Paβ 12822"]  # fmt: skip
    assert colour_label("sdss_g", "sdss_r") == "SDSS g − r [mag]"
    assert colour_label("galex_nuv", "sdss_r") == "GALEX NUV − SDSS r [mag]"
    galaxy = {name: param.default for name, param in registered_params().items()}
    title = galaxy_title("SEDModel", galaxy, registered_params())
    assert title.startswith("SEDModel") and r"$z$ = 0.1".replace(" ", "\u00a0") in title
    assert max(map(len, title.splitlines())) < 4 * TITLE_WIDTH
