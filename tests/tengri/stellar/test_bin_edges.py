"""Bins of piecewise-constant histories: named rules, edges that are said, early times."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from curves import formed, sfr

from tengri import Parameters
from tengri.components.stellar.sfh import BinEdges, StarFormationHistory
from tengri.errors import ConfigError, ParameterError, UnknownNameError

EDGES = np.concatenate([[0.0], 10 ** np.arange(-3, 0, 0.05), np.arange(1.0, 14.01, 0.25)])
SAID = (0.0, 0.05, 0.4, 2.0, 9.0)


@pytest.mark.parametrize("choice", ["leja19", "stretched", SAID])
def test_edges_never_descend_and_are_continuous(choice) -> None:
    at = jax.jit(jax.vmap(BinEdges.of(choice).at))
    t = np.geomspace(0.005, 14.0, 20001)
    edges = np.asarray(at(t))
    assert (np.diff(edges, axis=1) >= 0.0).all() and (edges[:, 0] == 0.0).all()
    assert (edges[:, -1] <= t * (1 + 1e-12)).all()
    assert (np.abs(np.diff(edges, axis=0)) <= 3.0 * np.diff(t)[:, None]).all()
    slopes = jax.vmap(jax.jacfwd(BinEdges.of(choice).at))(t[::50])
    assert np.isfinite(slopes).all()


def test_young_bins_are_the_same_at_every_redshift() -> None:
    for t in (13.787, 3.2, 0.64, 0.2):
        edges = np.asarray(BinEdges().at(t))
        np.testing.assert_allclose(edges[:3], [0.0, 0.03, 0.1])
        assert edges[-2] == pytest.approx(0.85 * t)


def test_masses_stay_finite_when_the_universe_is_younger_than_an_edge() -> None:
    history = StarFormationHistory.build("dirichlet", bins=BinEdges.of(SAID))
    p = {q.name: q.default for q in history.params}
    slope = jax.jit(jax.jacfwd(lambda p, t: history.formed(p, EDGES, t)[1], (0, 1)))
    for t in (0.3, 0.03):
        _, share = formed(history, p, EDGES, t)
        assert share.sum() == pytest.approx(1.0) and (share[EDGES[:-1] >= t] == 0.0).all()
        assert all(np.isfinite(s).all() for s in jax.tree.leaves(slope(p, jnp.asarray(t))))


def test_edges_that_are_said_are_those_of_the_history() -> None:
    history = StarFormationHistory.build("continuity", bins=BinEdges.of(SAID))
    assert [q.name for q in history.params][1:] == [f"sfh_cont_ratio_{i}" for i in range(3)]
    p = {q.name: q.default for q in history.params} | {"sfh_cont_ratio_1": 1.0}
    rate = sfr(history, p, [0.39, 0.41, 8.9, 9.1], 13.0)
    assert rate[0] / rate[1] == pytest.approx(10.0) and rate[1] == rate[2] and rate[3] == 0.0
    width, level = np.diff(SAID), np.array([1.0, 1.0, 0.1, 0.1])
    _, share = formed(history, p, np.array(SAID), 13.0)
    np.testing.assert_allclose(share, width * level / np.sum(width * level), rtol=1e-9)


def test_the_setting() -> None:
    spec = Parameters(
        mean_sfh_type="continuity", sfh_bin_edges_gyr=[0, 0.1, 0.5, 1, 2, 4, 6, 9, 13.8],
        sfh_cont_ratio_6=(-1, 1), redshift=0.1,
    )  # fmt: skip
    assert spec.settings["sfh_bin_edges_gyr"] == [0, 0.1, 0.5, 1, 2, 4, 6, 9, 13.8]
    assert spec.free_params == ["sfh_cont_ratio_6"]
    assert Parameters.from_dict(spec.to_dict()) == spec
    usual = Parameters(mean_sfh_type="continuity", redshift=0.1)
    assert usual.settings["sfh_bin_edges_gyr"] == "leja19" and usual != spec
    with pytest.raises(ParameterError, match="sfh_cont_ratio_6"):
        Parameters(mean_sfh_type="continuity", sfh_cont_ratio_6=(-1, 1), redshift=0.1)


@pytest.mark.parametrize(
    ("edges", "error"),
    [("leja2019", UnknownNameError), ([0.1, 1, 2], ConfigError), ([0, 2, 1], ConfigError),
     ([0, 1], ConfigError), ([0, 1, np.inf], ConfigError), (3.0, ConfigError),
     (list(range(40)), ConfigError), ([0, "a", 3], ConfigError)],
)  # fmt: skip
def test_what_are_no_edges(edges, error) -> None:
    with pytest.raises(error, match="sfh_bin_edges_gyr"):
        Parameters(mean_sfh_type="continuity", sfh_bin_edges_gyr=edges, redshift=0.1)


def test_edges_without_effect() -> None:
    with pytest.raises(ConfigError, match="no effect on tsnorm"):
        Parameters(mean_sfh_type="tsnorm", sfh_bin_edges_gyr=[0, 1, 13.8], redshift=0.1)
    with pytest.raises(ConfigError, match="no effect on dpl"):
        Parameters(redshift=0.1, sfh_bin_edges_gyr="stretched")
