"""The table of light at nodes of bands: one file serves any dust, any history, any metals."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from emulator.artefact import Artefact, ssp_info, write
from emulator.history import cosmology_to_dict
from emulator.networks import build_network
from emulator.surrogate import EmulatedSEDModel
from emulator.tabulated import quadrature
from emulator.targets import BandNodesTarget, target_from_dict
from emulator.verification import evaluate, verify, with_checks
from tengri import Instrument, Observation, Parameters, Photometry, SEDModel, load_ssp_data
from tengri.analysis import accuracy
from tengri.components.array_module import array_module
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.errors import ConfigError, ParameterError
from tengri.priors import Uniform
from tengri.registry import Param
from tests.emulator.conftest import draws, top_hat

EDGES = {"u": (3200, 3900), "g": (4000, 5500), "i": (7000, 8500), "w3": (9e4, 13e4)}
FILTERS = tuple(top_hat(name, *edges) for name, edges in EDGES.items())
Z = {"redshift": (0.01, 0.3)}
SCREENS = {"dust_tau_bc": (0.0, 4.0), "dust_tau_diff": (0.0, 3.0)}
KNOTS, EIGENSPECTRA = 131, 20
#: What the table may be off by [mmag], at 95 % and at most.
P95, MOST = 2.0, 5.0


def model(**spec):
    """Return an exact model; where dust does not shine, without the band of dust."""
    filters = FILTERS if "dust_emission" in spec else FILTERS[:-1]
    spec = Parameters(**{"mean_sfh_type": "dpl", **Z, **SCREENS, **spec})
    return SEDModel(spec, load_ssp_data(), Observation(Photometry(filters)))


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    """A table of a spec with dust emission, with check pairs."""
    exact = model(dust_emission="modified_blackbody")
    photometry = exact.observation.photometry
    target = BandNodesTarget.build(exact.spec, photometry, exact.ssp.age_edges_gyr)
    inputs = target.in_scaling(exact.spec)
    weights, scaling = target.tabulate(exact.evaluator(), inputs, KNOTS, EIGENSPECTRA)
    network = build_network("table", z_column=0, knots=KNOTS)
    bare = Artefact(exact.spec, photometry, target, network, weights, inputs, scaling,
                    cosmology_to_dict(exact.cosmology), ssp_info(exact.ssp),
                    error_bars={"68": np.full(len(FILTERS), 1e-3)})  # fmt: skip
    params = draws(exact.spec, 8, seed=3)
    return with_checks(bare, params, evaluate(exact, params))


def surrogate(artefact: Artefact, asked: SEDModel) -> EmulatedSEDModel:
    return EmulatedSEDModel(artefact, asked.spec, asked.observation)


def errors(artefact: Artefact, n: int = 24, **spec) -> np.ndarray:
    """Return |Δm| [mmag] of bright bands in float32 for prior draws of a spec."""
    asked = model(**spec)
    params = {k: v.astype(np.float32) for k, v in draws(asked.spec, n).items()}
    exact = evaluate(asked, params)
    with jax.enable_x64(False):
        found = evaluate(surrogate(artefact, asked), params)
    size = 1e3 * np.abs(accuracy.delta_mag(exact, found))[accuracy.bright(exact)]
    assert np.isfinite(found).all() and size.size > n
    return size


def assert_close(size: np.ndarray) -> None:
    assert np.percentile(size, 95.0) < P95 and size.max() < MOST, (
        f"{np.percentile(size, 95.0):.2f} mmag at 95 %, {size.max():.2f} at most"
    )


def parameters_of(law: str) -> dict[str, tuple[float, float]]:
    """Return the free parameters of a law over their whole priors."""
    return {param.name: param.prior for param in LAWS[law].params}


# --- one table, any dust ----------------------------------------------------------------------

QUICK = ("calzetti", "metals in two steps", "one age")


@pytest.mark.parametrize(
    "law", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in LAWS]
)
def test_every_law_of_the_registry(artefact, law):
    assert_close(errors(artefact, dust_law=law, **parameters_of(law)))


def test_a_law_that_a_user_adds_and_another_one_around_young_stars(artefact):
    def curve(wave_aa, p):
        return jnp.exp(p["mine_slope"] * jnp.asarray(array_module(wave_aa).log(wave_aa / 5500.0)))

    slope = Param("mine_slope", -1.0, Uniform(-2.0, -0.2), (-3.0, 0.0), "", "slope")
    with LAWS.temporarily(DustLaw("mine", (slope,), curve, "nobody")):
        size = errors(artefact, dust_law_diff="mine", dust_law_bc="smc", mine_slope=(-2.0, -0.2))
    assert_close(size)


def test_light_without_dust_and_dust_of_the_milky_way(artefact):
    assert_close(errors(artefact, dust_law="calzetti", dust_f_clear=(0.0, 0.9), mw_ebv=(0.0, 0.5)))


@pytest.mark.slow
@pytest.mark.parametrize("emission", ["dl07", "casey2012"])
def test_dust_radiates_what_it_absorbs_and_a_nucleus_shines_beside_it(artefact, emission):
    more = {"dust_emission": emission, "agn_model": "standard", "agn_log_lbol": (8.0, 11.0)}
    assert_close(errors(artefact, dust_law="calzetti", dust_f_clear=(0.0, 0.5), **more))


@pytest.mark.parametrize("depth", [20.0, 90.0])
def test_what_is_very_deep_is_dark_and_finite(artefact, depth):
    """In float32, values and slopes; without dust emission there is no other light."""
    asked = model(mean_sfh_type="delta", sfh_delta_age_gyr=2e-3, dust_law="calzetti")
    with jax.enable_x64(False):
        fast = surrogate(artefact, asked)
        params = {"dust_tau_bc": depth, "dust_tau_diff": 0.3, "redshift": 0.2}
        flux, slopes = jax.value_and_grad(lambda p: fast.predict_photometry(p).sum())(
            {k: jnp.asarray(v) for k, v in params.items()}
        )
    clear = surrogate(artefact, asked).predict_photometry({**params, "dust_tau_bc": 0.0}).sum()
    assert 0.0 < flux < 1e-3 * clear
    assert all(np.isfinite(s) for s in slopes.values())


# --- one table, any history -------------------------------------------------------------------

HISTORIES = {
    "metals in two steps": {
        "met_mode": "two_step", "met_logzsol_old": (-1.5, 0.0), "met_logzsol_young": (-1.0, 0.2),
        "met_step_age_gyr": (0.1, 5.0),
    },
    "metals on a ramp": {
        "met_mode": "ramp", "met_logzsol_0": (-1.5, -0.5), "met_logzsol_final": (-0.5, 0.2),
    },
    "one age": {"mean_sfh_type": "delta", "sfh_delta_age_gyr": (2e-3, 5.0), "met_logzsol": (-1, 0)},
    "bins": {"mean_sfh_type": "continuity", "sfh_cont_ratio_0": (-2.0, 2.0)},
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in HISTORIES]
)
def test_histories_of_stars_and_metals(artefact, name):
    assert_close(errors(artefact, dust_law="noll09", dust_delta=(-1.0, 0.4), **HISTORIES[name]))


def test_slopes_are_those_of_the_exact_model(artefact):
    """In every input, the redshift too: 3 % of the rms of the exact slopes."""
    free = {"met_logzsol": (-1.0, 0.2), "dust_delta": (-1.0, 0.4), "sfh_dpl_tau_gyr": (0.5, 8.0)}
    asked = model(dust_law="kriek_conroy", **free)
    fast, params = surrogate(artefact, asked), draws(asked.spec, 24)

    def slopes(photometric):
        one = jax.jacfwd(photometric.predict_magnitudes)
        return jax.jit(jax.vmap(one))({k: jnp.asarray(v) for k, v in params.items()})

    found, exact = slopes(fast), slopes(asked)
    for name in free | Z | SCREENS:
        true, error = np.asarray(exact[name]), np.asarray(found[name] - exact[name])
        assert np.sqrt(np.mean(error**2)) < 0.03 * np.sqrt(np.mean(true**2)), name


# --- its file, its limits ---------------------------------------------------------------------


def test_a_file_chooses_law_and_history_where_it_is_loaded(artefact, tmp_path):
    path = tmp_path / "nodes.h5"
    write(path, artefact)
    assert verify(path).difference < 1e-5
    asked = model(dust_law="calzetti", met_mode="two_step", sfh_dpl_tau_gyr=(0.5, 8.0))
    fast = emulator.load(path, spec=asked.spec, observation=asked.observation)
    one = {"sfh_dpl_tau_gyr": 2.0, "dust_tau_bc": 1.0, "dust_tau_diff": 0.5, "redshift": 0.1}
    np.testing.assert_array_equal(
        fast.predict_photometry(one), surrogate(artefact, asked).predict_photometry(one)
    )
    with pytest.raises(ParameterError, match="redshift"):
        fast.predict_photometry({**one, "redshift": 1.5})


def test_nodes_of_another_release_are_read_and_those_of_another_band_refused(artefact, tmp_path):
    """Where nodes lie is the file's own; that they lie in the bands is checked."""
    target = artefact.target
    assert target_from_dict(target.to_dict()) == target
    spec, photometry, edges = artefact.spec, artefact.photometry, artefact.ssp["age_edges"]
    moved = replace(target, nodes=tuple(x + 1.0 for x in target.nodes))
    assert moved.rebuilt(spec, photometry, edges) == moved
    other = replace(target, nodes=target.nodes[::-1])
    with pytest.raises(ConfigError, match="target"):
        write(tmp_path / "other.h5", replace(artefact, target=other))


@pytest.mark.parametrize(
    ("more", "said"),
    [({"redshift": 0.3}, "redshift"), ({"igm_xhi": 0.5}, "igm_xhi"),
     ({"agn_model": "standard"}, "agn_model"), ({"nebular": "cloudy"}, "nebular")],
)  # fmt: skip
def test_what_no_table_holds_is_refused(more, said):
    spec = Parameters(**{"mean_sfh_type": "dpl", **Z, **more})
    with pytest.raises(ConfigError, match=said):
        BandNodesTarget.build(spec, Photometry(FILTERS), load_ssp_data().age_edges_gyr)


@pytest.mark.parametrize(
    ("more", "said"),
    [({"igm_xhi": 0.5}, "igm_xhi"), ({"igm_model": "madau"}, "igm_model"),
     ({"mw_ebv": 0.1, "dust_emission": "dl07"}, "mw_ebv"),
     ({"agn_model": "standard", "agn_log_lbol": 9.0, "agn_screen": "diffuse"}, "agn_screen")],
)  # fmt: skip
def test_what_is_not_exact_beside_the_table_is_refused(artefact, more, said):
    with pytest.raises(ConfigError, match=said):
        surrogate(artefact, model(**more))


def test_metals_off_the_grid_have_one_rule_in_both_models(artefact):
    """NaN inside jit; outside an error, or with "clip" the end of the grid."""
    asked = model(met_mode="two_step", met_logzsol_old=-0.5)
    fast = surrogate(artefact, asked)
    off = {"met_logzsol_young": 0.95, "dust_tau_bc": 1.0, "dust_tau_diff": 0.3, "redshift": 0.1}
    for one in (fast, asked):
        assert np.isnan(jax.jit(one.predict_photometry)(off)).all()
    with pytest.raises(ParameterError, match=r"met_logzsol_young = 0\.95.*\[-2\.15\d*, 0\.84"):
        fast.predict_photometry(off)
    end = float(artefact.ssp["lgmet"][-1] - np.log10(0.0142))
    clipped = EmulatedSEDModel(artefact, asked.spec, asked.observation, out_of_domain="clip")
    at_end = fast.predict_photometry({**off, "met_logzsol_young": end})
    np.testing.assert_allclose(clipped.predict_photometry(off), at_end, rtol=1e-5)
    with pytest.raises(ParameterError, match="met_logzsol"):
        surrogate(artefact, model(met_logzsol=0.95))


# --- nodes ------------------------------------------------------------------------------------


def test_nodes_integrate_polynomials_of_twice_their_order():
    """Gauss: n nodes are exact to the degree 2 n - 1 in ln λ, for a flat spectrum."""
    curve = FILTERS[1]
    nodes = np.log(quadrature.band_nodes(curve))
    x = np.log(np.linspace(curve.wave[0], curve.wave[-1], quadrature.SAMPLES))
    measure = np.interp(np.exp(x), curve.wave, curve.trans) / np.exp(x)
    share = measure @ quadrature.lagrange(x, nodes) / measure.sum()
    for degree in range(2 * len(nodes)):
        powers = [((t - x[0]) / (x[-1] - x[0])) ** degree for t in (nodes, x)]
        assert share @ powers[0] == pytest.approx(measure @ powers[1] / measure.sum(), rel=1e-9)
    assert (share > 0.0).all()


@pytest.mark.parametrize("bump", [0.0, 4.0])
def test_a_band_that_is_open_again_far_away_has_its_nodes_where_its_light_is(bump):
    """VISTA Z lets half a per cent through at 2.2 µm, too: behind the bump at z = 2.5."""
    curve = next(f for f in Instrument.VISTA().photometry.filters if f.name == "vista_z")
    wave = np.linspace(curve.wave[0], curve.wave[-1], quadrature.SAMPLES)
    measure = np.interp(wave, curve.wave, curve.trans) / wave
    pieces = quadrature.band_pieces(curve)
    ends = [piece.first for piece in pieces[1:]] + [np.inf]

    def screen(x: np.ndarray) -> np.ndarray:
        return np.exp(
            -3.0 * (x / 8800.0) ** -0.7 - bump * np.exp(-0.5 * ((x - 7600.0) / 600.0) ** 2)
        )

    behind = 0.0
    for piece, end in zip(pieces, ends):
        part = (wave >= piece.first) & (wave < end)
        onto = quadrature.lagrange(np.log(wave[part]), np.log(piece.nodes))
        behind += measure[part] @ onto @ screen(np.array(piece.nodes))
    assert behind == pytest.approx(measure @ screen(wave), rel=1e-3)
    assert sum(8060.0 < x < 9500.0 for x in pieces[0].nodes) == len(pieces[0].nodes) >= 3


def test_light_that_dust_absorbs_is_given_to_its_nodes_whole():
    wave = np.geomspace(100.0, 0.9e6, 2000)
    onto, nodes = quadrature.heat_weights(wave), np.array(quadrature.heat_nodes())
    np.testing.assert_allclose(onto.sum(axis=1), 1.0)
    smooth = np.log(np.maximum(wave, 912.0))
    np.testing.assert_allclose(onto @ np.log(nodes), smooth, rtol=1e-12)
