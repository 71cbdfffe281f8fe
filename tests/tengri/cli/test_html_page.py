"""Pages: nothing is fetched, text of users stays text, priors are drawn as they are."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tengri import priors
from tengri.analysis import prior_curve
from tengri.cli import html_page
from tengri.cli.html_galaxies import GalaxyCard, Look, galaxies

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def hostile_page() -> str:
    x = np.array([0.5, 1.0])
    card = GalaxyCard(HOSTILE, x, x, x, np.array([1.0, np.nan]), {HOSTILE: HOSTILE}, (HOSTILE,) * 2)
    parts = [
        html_page.lead([HOSTILE]), html_page.paragraph(HOSTILE), html_page.heading(HOSTILE),
        html_page.table([HOSTILE], [[HOSTILE]]), html_page.folded(HOSTILE, []),
        html_page.image(HOSTILE, b"", HOSTILE), galaxies([card], Look(HOSTILE, "y", "r")),
    ]  # fmt: skip
    return html_page.render(HOSTILE, parts)


def test_text_of_users_is_escaped_everywhere():
    page = hostile_page()
    # the style, our script and the data: no tag of the text
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert "<img src=x" not in page
    data = json.loads(re.findall(r"<script type='application/json'>(.*?)</script>", page, re.S)[0])
    assert data["galaxies"][0]["names"] == [HOSTILE, HOSTILE]
    assert data["galaxies"][0]["residual"] == [1.0, None]


def test_a_page_is_light_and_dark_and_fetches_nothing():
    page = html_page.render("a", [])
    assert "prefers-color-scheme:dark" in page
    assert "http://" not in page and "https://" not in page


@pytest.mark.parametrize(
    "prior",
    [priors.Uniform(-1.0, 3.0), priors.LogUniform(1e-3, 10.0), priors.Normal(0.5, 2.0),
     priors.StudentT(sigma=0.3, df=2.0, lo=-5.0, hi=5.0)],
)  # fmt: skip
def test_the_drawn_density_is_that_of_the_prior(prior):
    x, drawn = prior_curve.density(prior)
    inner = (x > x[0]) & (x < x[-1])
    truth = np.exp(np.asarray(prior.log_prob(x[inner])))
    assert drawn.max() == pytest.approx(1.0)
    assert np.allclose(drawn[inner] / drawn[inner].max(), truth / truth.max(), rtol=1e-5)
    # it covers what the prior covers
    covered = float(prior.to_unit(x[-1]) - prior.to_unit(x[0]))
    assert covered == pytest.approx(1.0, abs=3e-3)


def test_a_uniform_prior_is_a_box_in_svg():
    points = re.search(r"points='([^']*)'", prior_curve.svg(priors.Uniform(2.0, 5.0), 72, 18))
    assert points is not None and points[1].split() == ["1,17", "1.0,1.0", "71.0,1.0", "71,17"]
    assert prior_curve.svg(priors.Fixed(3.0)) == ""
