"""Errors along parameters: which break is in which band, and that curves are quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from tengri import Parameters
from tengri.observation.filters import FilterCurve, load_filter
from train.parameter_figure import FEATURES, by_parameter, crossing, half_maximum

BOX = FilterCurve("box", np.array([3999.0, 4000.0, 5000.0, 5001.0]), np.array([0.0, 1.0, 1.0, 0.0]))


def test_a_line_is_in_a_band_between_the_redshifts_of_its_edges() -> None:
    assert half_maximum(BOX) == (4000.0, 5000.0)
    low, high = crossing(1215.67, BOX, (0.0, 10.0)) or (0.0, 0.0)
    assert low == pytest.approx(4000.0 / 1215.67 - 1.0)
    assert high == pytest.approx(5000.0 / 1215.67 - 1.0)
    assert crossing(1215.67, BOX, (0.0, 1.0)) is None
    assert crossing(4500.0, BOX, (0.05, 1.0)) == pytest.approx((0.05, 5000.0 / 4500.0 - 1.0))


def test_lya_enters_the_bands_of_sdss_at_the_known_redshifts() -> None:
    """Lyα is in u for 1.6 < z < 2.2, the u dropouts follow (Fukugita et al. 1996, AJ 111, 1748)."""
    low, high = crossing(FEATURES["Lyα"], load_filter("sdss_u"), (0.0, 6.0)) or (0.0, 0.0)
    assert 1.5 < low < 1.75 and 2.1 < high < 2.4


def test_curves_are_the_quantiles_of_all_entries() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    params = {"redshift": rng.uniform(0.0, 1.0, n), "dust_tau_diff": rng.uniform(0.0, 3.0, n),
              "latent": rng.normal(size=(n, 2))}  # fmt: skip
    delta = np.repeat(1e-3 * (1.0 + params["redshift"])[:, None], 2, axis=1)
    delta[:5] = np.nan
    spec = Parameters(redshift=(0.0, 1.0), dust_tau_diff=(0.0, 3.0))
    figure = by_parameter(params, delta, spec, (BOX, load_filter("sdss_r")))
    top, features, dust = figure.axes
    median = next(line for line in top.lines if line.get_label() == "50 % of all")
    x, y = median.get_data()
    assert np.allclose(y, 1.0 + np.asarray(x), atol=0.02)
    # Lyα is in neither band below redshift 1, the breaks of the optical are
    shown = [text.get_text() for text in features.get_yticklabels()]
    assert shown == ["Balmer break", "4000 Å break", "[O III]", "Hα"]
    assert any(np.allclose(line.get_xdata(), 1.0) for line in dust.lines)  # τ = 1
