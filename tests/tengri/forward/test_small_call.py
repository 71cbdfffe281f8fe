"""A single call of a surrogate is one piece of machine code, and answers as the batch does."""

from __future__ import annotations

import re
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
import tengri
from emulator import published
from tengri import Fixed, Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.stellar.sfh import SFH_FAMILIES
from tengri.errors import ParameterError, UnknownNameError
from tengri.forward import small_call
from tengri.forward.evaluator import flux_of
from tengri.forward.small_call import (
    AWAIT_S,
    SPECIALISE_AFTER,
    SmallCall,
    compiled_quickly,
    in_one_piece,
)
from tests.evaluators import evaluators_of

BESIDE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast")


def operations(fn, x):
    """Operations of the compiled program's entry; what only hands over is left out."""
    text = jax.jit(fn).lower(x).compile().as_text()
    words = re.findall(r"= (?:\(.*?\)|\S+) ([a-z\-]+)\(", text[text.index("ENTRY") :])
    return [word for word in words if word not in BESIDE]


@jax.custom_jvp
def cubed(x):
    return x**3


cubed.defjvp(lambda given, change: (cubed(*given), 3 * given[0] ** 2 * change[0]))


def of_inner_functions(x):
    def step(total, value):
        return total + jnp.where(value > 0, cubed(value), jnp.clip(value, -1, 1)), value.sum()

    total, sums = jax.lax.scan(step, jnp.zeros(3), x["a"])
    high = jax.lax.cond(x["b"] > 0, jnp.sin, jnp.cos, x["b"])
    return {"total": total, "sums": [sums, jnp.cumsum(sums) @ x["a"], high]}


X = {"a": np.linspace(-1.0, 2.0, 12, dtype=np.float32).reshape(4, 3), "b": np.float32(0.3)}


def test_it_is_one_call_with_the_same_answer():
    whole = in_one_piece(of_inner_functions)
    ours, plain = jax.jit(whole)(X), jax.jit(of_inner_functions)(X)
    assert jax.tree.structure(ours) == jax.tree.structure(plain)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), ours, plain)
    assert operations(whole, X) == ["call"] != operations(of_inner_functions, X)


@pytest.mark.parametrize(
    "library",
    [
        lambda x: jnp.sort(x["a"], axis=0),
        lambda x: jnp.linalg.cholesky(jnp.eye(3) + x["a"].T @ x["a"]),
        lambda x: jnp.zeros(5).at[x["a"].astype(int)[:, 0]].add(x["a"][:, 1]),
        lambda x: jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), np.float32), x["b"]),
        lambda x: jax.lax.top_k(x["a"], 2)[0],
        lambda x: jax.lax.cond(x["b"] > 0, lambda a: jnp.fft.rfft(a).real, lambda a: a[:, :2],
                               x["a"]),
    ],
    ids=["sort", "cholesky", "scatter", "callback", "top_k", "fft in a branch"],
)  # fmt: skip
def test_what_a_library_does_is_left_as_it_is(library):
    whole = in_one_piece(library)
    assert operations(whole, X) == operations(library, X) != ["call"]
    np.testing.assert_allclose(jax.jit(whole)(X), jax.jit(library)(X), rtol=1e-6)


def powers(x, power):
    return jax.tree.map(lambda y: y**power, of_inner_functions(x))


@pytest.mark.parametrize("options", [small_call.QUICK_OPTIONS, (("no_such_option", True),)],
                         ids=["quick", "unknown to the compiler"])  # fmt: skip
def test_what_is_compiled_quickly_has_the_same_answer(options, monkeypatch):
    monkeypatch.setattr(small_call, "QUICK_OPTIONS", options)
    quick, plain = compiled_quickly(powers, "power"), jax.jit(powers, static_argnames="power")
    same = partial(jax.tree.map, lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6))
    same(quick(X, power=2), plain(X, power=2))
    same(jax.jit(partial(quick, power=2))(X), plain(X, power=2))


def test_where_the_compiler_gives_up_a_program_is_compiled_well():
    def refused(x):
        raise NotImplementedError

    call = SmallCall(jax.jit(lambda c, x: c), jax.jit(lambda c, x: x), np.float32(1.0), refused)
    first = [float(call(np.float32(2.0))) for _ in range(SPECIALISE_AFTER)]
    assert first == [1.0] * SPECIALISE_AFTER
    assert [float(call(np.float32(2.0))) for _ in range(3)] == [2.0] * 3


def agrees(model, n=3, in_pieces=False):
    drawn = model.spec.sample_batch(jax.random.key(0), n)
    batch = {name: np.asarray(drawn[name]) for name in model.spec.free_params}
    one = {k: v[1].item() if v.ndim == 1 else v[1] for k, v in batch.items()}
    evaluator = evaluators_of(model).choose(model.spec.resolve(one)).for_one_galaxy()
    whole, v = in_one_piece(lambda v: flux_of(evaluator, model.units, v.unpack())), model.pack(one)
    if in_pieces:
        with pytest.raises(jax.errors.JaxRuntimeError, match="Fusion"):
            operations(whole, v)
    else:
        assert operations(whole, v) == ["call"]
    both = model.predict_photometry(one), model.predict_photometry_batch(batch)[1]
    np.testing.assert_allclose(*both, rtol=2e-5)


@pytest.mark.parametrize("name", published.names())
def test_of_every_published_surrogate(name):
    agrees(emulator.load(name, units="maggies"))


TABLE = {"sfh_table_t_gyr": Fixed([0.0, 2.0, 5.0]), "sfh_table_sfr": Fixed([1.0, 3.0, 0.5])}


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(SFH_FAMILIES))
def test_of_every_history(family):
    box = emulator.load("sdss").spec
    learnt = {name: box.get_distribution(name).bounds
              for name in emulator.load("sdss").artefact.target.input_names}  # fmt: skip
    history = ("dpl", family) if family in ("burst", "field") else family
    spec = Parameters(mean_sfh_type=history, **learnt, **TABLE if family == "table" else {})
    agrees(emulator.load("sdss", spec=spec, units="maggies"))


EXACT = {
    "stars": {},
    "one redshift": {"redshift": 0.3},
    "dust emission": {"dust_emission": "dl07"},
    "a nucleus": {"agn_model": "standard", "agn_log_lbol": (9.0, 12.0)},
    "gas": {"nebular": "cloudy", "neb_logU": (-4.0, -1.0)},
    "a field": {"mean_sfh_type": ("dpl", "field")},
}


@pytest.mark.slow
@pytest.mark.parametrize("given", EXACT.values(), ids=EXACT)
def test_of_exact_models(given):
    grid = "ssp_bc03_miles_kroupa_noneb.h5" if "nebular" in given else None
    spec = Parameters(**{"redshift": (0.01, 1.0), "met_logzsol": (-2.0, 0.2),
                         "dust_tau_diff": (0, 3), **given})  # fmt: skip
    model = SEDModel(spec, load_ssp_data(grid), Instrument.SDSS().observation(), units="maggies")
    agrees(model, in_pieces=grid is not None)  # the largest product is a library's


def packer_of(model):
    """What takes Python floats without a second look."""
    _, ranges = evaluators_of(model).for_floats()
    assert ranges is not None
    return model.spec.float_packer(model.packer.scalars, ranges)


def test_exact_checks_hold_for_floats():
    spec = Parameters(redshift=(0.01, 1.0), met_logzsol=(-2.0, 0.2))
    model = SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation(), units="maggies")
    inside = {"redshift": 0.2, "met_logzsol": -1.0}
    looked_at = {name: np.array(value) for name, value in inside.items()}
    assert packer_of(model).pack(inside, np.float64) is not None
    np.testing.assert_array_equal(model.predict_photometry(inside),
                                  model.predict_photometry(looked_at))  # fmt: skip
    with pytest.warns(UserWarning, match="outside the SSP grid"):
        model.predict_photometry({**inside, "met_logzsol": 0.9})
    with pytest.raises(ParameterError, match="redshift > 0"):
        model.predict_photometry({**inside, "redshift": 0.0})
    far = model.predict_photometry({**inside, "redshift": 1.2})
    assert np.isfinite(far).all()


def test_floats_and_a_closer_look_agree():
    model = emulator.load("sdss_tsnorm", units="maggies")
    centre = {n: float(np.mean(model.spec.get_distribution(n).bounds)) for n in
              model.spec.free_params}  # fmt: skip
    packer = packer_of(model)
    assert packer.pack(centre, np.float32) is not None
    looked_at = {n: np.array(v) for n, v in centre.items()}
    assert packer.pack(looked_at, np.float32) is None
    np.testing.assert_array_equal(model.predict_photometry(centre),
                                  model.predict_photometry(looked_at))  # fmt: skip
    numpys = {n: np.float32(v) for n, v in centre.items()}
    np.testing.assert_array_equal(packer.pack(numpys, np.float64),
                                  model.pack(numpys).scalars)  # fmt: skip
    edge = np.float32(model.spec.get_distribution("redshift").bounds[0]) - np.float32(1e-5)
    assert packer.pack({**numpys, "redshift": edge}, np.float64) is None
    for wrong, message in (
        ({"redshift": 3.0}, "redshift"),
        ({"redshift": float("nan")}, "redshift"),
        ({"redshift": None}, "redshift"),
        ({"redshif": 0.3}, "Did you mean redshift"),
    ):
        with pytest.raises((ParameterError, UnknownNameError), match=message):
            model.predict_photometry({**centre, **wrong})
    with pytest.raises(ParameterError, match="dust_slope"):
        model.predict_photometry({n: v for n, v in centre.items() if n != "dust_slope"})


def test_an_amplitude_too_low_to_be_sure_of_stars_is_looked_at():
    model = emulator.load("sdss_tsnorm", units="maggies")
    centre = {n: float(np.mean(model.spec.get_distribution(n).bounds)) for n in
              model.spec.free_params}  # fmt: skip
    faint = {**centre, "sfh_tsnorm_log_peak_sfr": -model.artefact.log10_mass_min - 0.1}
    assert packer_of(model).pack(faint, np.float32) is None
    assert np.isfinite(model.predict_photometry(faint)).all()


class Late:
    """An answer that is there after so many looks."""

    def __init__(self, looks: float) -> None:
        self.looks = looks

    def is_ready(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


def test_an_answer_is_awaited_for_a_moment_only():
    call = SmallCall(lambda _, x: x, lambda _, x: x, None, lambda x: x)
    assert call(Late(looks=3)).looks == 0
    begin = time.perf_counter()
    call(Late(looks=np.inf))  # left to whoever needs it: no hang
    assert AWAIT_S <= time.perf_counter() - begin < 100 * AWAIT_S


@pytest.mark.parametrize("name", ["exact", "sdss_tsnorm"])
def test_numbers_that_jit_does_not_trace_are_part_of_its_program(name):
    if name == "exact":
        model = tengri.load_model(name, {"redshift": 0.1}, "SDSS", units="nJy")
        galaxy = {}
    else:
        model = tengri.load_model(name, units="nJy")
        drawn = model.spec.sample(jax.random.key(0))
        galaxy = {n: float(drawn[n]) for n in model.spec.free_params}
    alone = np.asarray(model.predict_photometry(galaxy))
    twice = jax.jit(lambda x: x * model.predict_photometry(galaxy))(2.0)
    np.testing.assert_allclose(twice, 2.0 * alone, rtol=1e-5)
    slope = jax.grad(lambda x: x * model.predict_photometry(galaxy)[0])(2.0)
    np.testing.assert_allclose(slope, alone[0], rtol=1e-5)
    mass = float(model.predict_derived(galaxy)["stellar_mass"])
    more = jax.jit(lambda x: x * model.predict_derived(galaxy)["stellar_mass"])(2.0)
    np.testing.assert_allclose(more, 2.0 * mass, rtol=1e-5)
