"""Parameters: how values are read, what is filled in, draws, vectors, dicts of calls, identity."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tengri.components.composition import registered_params
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.parameters import FREE, Parameters
from tengri.priors import Fixed, LogUniform, Normal, StudentT, Uniform

SEED = dict(
    sfh_tsnorm_log_peak_sfr=Fixed(1.0),
    sfh_tsnorm_peak_lbt_gyr=Fixed(2.0),
    sfh_tsnorm_width_gyr=Fixed(1.5),
    sfh_tsnorm_skew=Fixed(0.2),
    sfh_tsnorm_trunc=Fixed(3.0),
    met_logzsol=Uniform(-2.0, 0.2),
    dust_tau_bc=Fixed(0.5),
    dust_tau_diff=Uniform(0.0, 2.0),
    dust_slope=Fixed(-0.7),
    redshift=Fixed(0.05),
)
KEY = jax.random.PRNGKey(0)
N = 256  # one batch size, so that few shapes are compiled


@pytest.fixture(scope="module")
def spec():
    return Parameters(**SEED)


@pytest.fixture(scope="module")
def field():
    """A spec with a latent vector, heavy tails and a decade-spanning prior."""
    return Parameters(
        mean_sfh_type=["continuity", "field"],
        n_grid=8,
        sfh_cont_ratio_0=StudentT(0.0, 0.3, 2.0, -5.0, 5.0),
        sfh_field_psd_tau_myr=LogUniform(10.0, 500.0),
        met_logzsol=Normal(-0.5, 0.4, -2.0, 0.2),
    )


@pytest.fixture(scope="module")
def drawn(field):
    return field.sample_batch(KEY, N)


# --- reading values -------------------------------------------------------------------------------


def test_value_forms():
    spec = Parameters(
        dust_tau_diff=(0.0, 2.0), dust_tau_bc=FREE, met_logzsol=np.float32(-0.5), redshift=1
    )
    assert spec.get_distribution("dust_tau_diff") == Uniform(0.0, 2.0)
    assert spec.get_distribution("dust_tau_bc") == registered_params()["dust_tau_bc"].prior
    assert spec.get_distribution("met_logzsol") == Fixed(-0.5)
    assert spec.fixed_value("redshift") == 1.0
    assert spec.free_params == ["dust_tau_bc", "dust_tau_diff"]
    assert Parameters(redshift=Normal(5.0, 0.2)).free_params == ["redshift"]  # 25 sigma from 0


def test_absent_parameters_are_fixed_and_shown():
    spec = Parameters(sfh_tsnorm_skew=0.1)
    assert spec.n_free == 0
    assert spec.fixed_value("redshift") == 0.1
    assert "redshift" in spec.filled_in and "sfh_tsnorm_skew" not in spec.filled_in
    (line,) = [row for row in spec.summary().splitlines() if " redshift " in row]
    assert "filled in" in line


@pytest.mark.parametrize(
    "given, says",
    [
        (dict(dust_tau_dif=1.0), "Did you mean dust_tau_diff"),
        (dict(dust_law_dif="smc"), "Did you mean dust_law_diff"),
        (dict(sfh_tsnorm_widht_gyr=1.0), "Did you mean sfh_tsnorm_width_gyr"),
        (dict(dust_law="calzeti"), "Did you mean calzetti"),
        (dict(mean_sfh_type="tsnrm"), "Did you mean"),
        (dict(redshift="redshif"), "Did you mean|Known"),
        (dict(redshift=(0.1, 30.0)), r"\[0, 20\]"),
        (dict(redshift=-0.1), r"\[0, 20\]"),
        (dict(redshift=Normal(1.0, 0.1)), "Narrow it"),
        (dict(redshift=StudentT(5.0, 0.1, 3.0)), "Narrow it"),
        (dict(redshift=(1.0, 0.5)), "lo < hi"),
        (dict(redshift=(1.0, 2.0, 3.0)), "two numbers"),
        (dict(redshift=("a", 2.0)), "number"),
        (dict(redshift=None), "not a parameter value"),
        (dict(redshift=Uniform), "not a parameter value"),
        (dict(redshift=np.nan), "NaN"),
        (dict(redshift=np.ones(3)), "single number"),
        (dict(redshift=True), "number"),
        (dict(dust_tau_bc="dust_tau_bc"), "itself"),
        (dict(dust_tau_bc="dust_tau_diff", dust_tau_diff="redshift"), "which itself follows"),
        (dict(dust_tau_bc="met_logzsol", met_logzsol=FREE), "hard bounds"),
        (dict(sfh_table_sfr=[1.0, 2.0]), "sfh_table_t_gyr is an array"),
        (dict(sfh_tsnorm_log_peak_sfr=1.0, sfh_tsnorm_log_total_mass=10.0), "give one"),
    ],
)
def test_bad_specs_say_what_to_do(given, says):
    with pytest.raises((ParameterError, ConfigError), match=says):
        Parameters(**given)


def test_traced_values_belong_in_the_dict():
    with pytest.raises(ParameterError, match="traced"):
        jax.jit(lambda z: Parameters(redshift=z).n_free)(0.1)


def test_free_without_effect_is_an_error_fixed_is_inert():
    with pytest.raises(ParameterError, match=r"no effect.*dust_law.*power_law"):
        Parameters(dust_law="calzetti", dust_slope=FREE)
    spec = Parameters(dust_law="calzetti", dust_slope=-0.7)
    assert spec.inert == ["dust_slope"] and "dust_slope" not in spec.all_params
    assert "inert" in spec.summary()
    assert "dust_slope" in spec.sample(KEY)
    assert "dust_slope" not in spec.resolve(spec.sample(KEY))


def test_changing_an_inert_parameter_in_a_call_is_an_error():
    spec = Parameters(dust_law="calzetti", dust_slope=-0.7)
    with pytest.raises(ParameterError, match="no effect"):
        spec.resolve({"dust_slope": -1.0})
    with pytest.raises(ParameterError, match="no effect"):
        Parameters(dust_law="calzetti").resolve({"dust_slope": -1.0})


def test_mirrors_follow_their_source():
    spec = Parameters(dust_tau_bc="dust_tau_diff", dust_tau_diff=(0.0, 2.0))
    assert spec.mirrors == {"dust_tau_bc": "dust_tau_diff"}
    assert "dust_tau_bc" not in spec.free_params + spec.fixed_params
    assert spec.resolve({"dust_tau_diff": 0.4})["dust_tau_bc"] == pytest.approx(0.4)
    assert "dust_tau_bc" not in spec.sample(KEY)
    with pytest.raises(ParameterError, match="follows dust_tau_diff"):
        spec.resolve({"dust_tau_diff": 0.4, "dust_tau_bc": 1.0})


def test_old_names_warn_at_the_callers_line():
    with pytest.warns(DeprecationWarning, match="sfh_dpl_alpha") as seen:
        spec = Parameters(sfh_alpha=2.0)
    assert seen[0].filename == __file__
    assert spec.fixed_value("sfh_dpl_alpha") == 2.0
    with pytest.warns(DeprecationWarning, match="dpl"):
        assert Parameters(mean_sfh_type="double_powerlaw") == Parameters(mean_sfh_type="dpl")
    with pytest.warns(DeprecationWarning) as seen:
        assert spec.resolve({"sfh_alpha": 3.0})["sfh_dpl_alpha"] == 3.0
    assert seen[0].filename == __file__
    with pytest.raises(ParameterError, match="both"):
        Parameters(sfh_alpha=2.0, sfh_dpl_alpha=2.0)
    with pytest.raises(UnknownNameError, match="'dust_tdustt'"):
        Parameters(dust_tdustt=2.0)


def test_tables_are_array_valued():
    spec = Parameters(sfh_table_t_gyr=[0.0, 1.0, 2.0], sfh_table_sfr=np.array([1.0, 2.0, 0.5]))
    assert spec.sample(KEY)["sfh_table_sfr"].shape == (3,)
    assert spec.fixed_value("sfh_table_sfr").tolist() == [1.0, 2.0, 0.5]
    batch = spec.resolve({"redshift": np.full(4, 0.1)}, batch=True)
    assert batch["sfh_table_sfr"].shape == (4, 3)
    with pytest.raises(ParameterError, match=r"shape \(2,\)"):
        spec.resolve({"sfh_table_sfr": [1.0, 2.0]})


# --- views and identity ---------------------------------------------------------------------------


def test_views(spec):
    assert spec.free_params == ["dust_tau_diff", "met_logzsol"]
    assert spec.n_free == spec.n_latent == 2
    assert sorted(spec.free_params + spec.fixed_params) == spec.all_params
    assert set(SEED) == set(spec.all_params) == set(spec.distributions)
    assert spec.filled_in == []
    assert spec.is_fixed("redshift") and not spec.is_fixed("met_logzsol")
    assert spec.get_fixed_values()["dust_slope"] == -0.7
    assert spec.settings["dust_law_diff"] == "power_law"
    assert list(spec.mean_sfh_type) == ["tsnorm"]
    with pytest.raises(KeyError, match="Did you mean redshift"):
        spec.get_distribution("redshfit")
    with pytest.raises(ParameterError, match="free"):
        spec.fixed_value("met_logzsol")


def test_latent_fields_are_free_and_counted(field):
    assert field.free_params == [
        "met_logzsol",
        "sfh_cont_ratio_0",
        "sfh_field_psd_tau_myr",
        "sfh_field_xi",
    ]
    assert (field.n_free, field.n_latent) == (4, 11)


def test_immutable_and_derivable(spec):
    with pytest.raises(AttributeError, match="with_params"):
        spec.redshift = 1.0
    other = spec.with_params(redshift=(0.5, 8.0), dust_law_diff="smc")
    assert other.free_params == ["dust_tau_diff", "met_logzsol", "redshift"]
    assert other.settings["dust_law_diff"] == "smc"
    assert spec.is_fixed("redshift") and other != spec
    assert other.without_params("dust_law_diff").with_params(redshift=0.05) == spec
    assert "redshift" in other.without_params("redshift").filled_in
    with pytest.raises(UnknownNameError, match="given"):
        spec.without_params("dust_law_diff")


@pytest.mark.parametrize(
    "copied",
    [
        lambda s: pickle.loads(pickle.dumps(s)),
        copy.deepcopy,
        lambda s: Parameters.from_dict(json.loads(json.dumps(s.to_dict()))),
        lambda s: eval(repr(s)),
    ],
    ids=["pickle", "deepcopy", "json", "repr"],
)
def test_copies_are_equal(copied, spec, field):
    inert = Parameters(dust_law="smc", dust_slope=-1.0, dust_tau_bc="dust_tau_diff")
    table = Parameters(sfh_table_t_gyr=[0.0, 1.0], sfh_table_sfr=[1.0, 2.0])
    for original in (spec, field, inert, table):
        again = copied(original)
        assert again == original and hash(again) == hash(original)
        assert again.fingerprint() == original.fingerprint()
        assert again.summary() == original.summary()


def test_fingerprint_follows_the_meaning(spec):
    told = spec.with_params(met_logzsol=Uniform(-2.0, 0.2, "metallicity", units="dex"))
    assert told.fingerprint() == spec.fingerprint()
    assert Parameters(**dict(reversed(SEED.items()))).fingerprint() == spec.fingerprint()
    for change in (dict(redshift=0.06), dict(dust_law="smc"), dict(met_logzsol=(-2.0, 0.1))):
        assert spec.with_params(**change).fingerprint() != spec.fingerprint()


def test_damaged_descriptions_are_refused(spec):
    with pytest.raises(ParameterError, match="no description"):
        Parameters.from_dict({"settings": {}})


def test_summary_lists_everything(spec):
    text = spec.with_params(dust_tau_bc="dust_tau_diff").summary()
    assert all(name in text for name in spec.all_params)
    assert all(name in text for name in spec.settings)
    assert "Uniform(-2.0, 0.2)" in text and "= dust_tau_diff" in text and "mirror" in text


# --- draws ----------------------------------------------------------------------------------------


def test_sample_holds_numbers_only(spec):
    drawn = spec.sample(KEY)
    assert set(drawn) == set(SEED)
    assert all(jnp.asarray(v).shape == v.shape == () for v in drawn.values())
    assert drawn["redshift"] == pytest.approx(0.05)


def test_adding_a_parameter_leaves_other_draws(spec):
    more = spec.with_params(redshift=(0.5, 8.0), dust_tau_bc=FREE)
    for name in spec.free_params:
        assert more.sample(KEY)[name] == spec.sample(KEY)[name]
    batch, wide = spec.sample_batch(KEY, 5), more.sample_batch(KEY, 50)
    for name in spec.free_params:
        np.testing.assert_array_equal(batch[name], wide[name][:5])


def test_batches_are_independent_rows_of_sample(field, drawn):
    batch = drawn
    assert batch["sfh_field_xi"].shape == (N, 8) and batch["redshift"].shape == (N,)
    third = field.sample(jax.random.fold_in(KEY, 3))
    for name, value in third.items():
        np.testing.assert_allclose(batch[name][3], value, rtol=1e-12)
    xi = np.asarray(batch["sfh_field_xi"]).ravel()
    assert stats.kstest(xi, "norm").pvalue > 1e-3
    corr = np.corrcoef([batch[n] for n in field.free_params[:3]])
    assert np.abs(corr - np.eye(3)).max() < 0.25


def test_sample_works_with_new_keys_under_jit(spec):
    np.testing.assert_allclose(
        jax.jit(spec.sample)(jax.random.key(1))["met_logzsol"],
        spec.sample(jax.random.PRNGKey(1))["met_logzsol"],
        rtol=1e-12,
    )


@pytest.mark.parametrize("key", [0, jax.random.split(KEY, 3), jnp.zeros(2), None])
def test_bad_keys_are_refused(spec, key):
    with pytest.raises(ParameterError, match="JAX key"):
        spec.sample(key)


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_bad_counts_are_refused(spec, n):
    with pytest.raises(ParameterError, match="positive integer"):
        spec.sample_batch(KEY, n)
    with pytest.raises(ParameterError, match="positive integer"):
        spec.sample_sobol(n)


def test_sobol_rows_do_not_depend_on_chunks(field):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = field.sample_sobol(N, seed=5)
        parts = [field.sample_sobol(37, 5, skip) for skip in (0, 37)]
    for name, column in whole.items():
        np.testing.assert_array_equal(column[:74], np.concatenate([p[name] for p in parts]))
    other = field.sample_sobol(N, seed=6)
    assert not np.array_equal(whole["met_logzsol"], other["met_logzsol"])


def test_sobol_fills_the_prior_evenly(field):
    u = np.asarray(field.to_unit(field.sample_sobol(N)))
    assert u.shape == (N, field.n_latent)
    counts = np.stack([np.histogram(column, N // 16, (0.0, 1.0))[0] for column in u.T])
    assert (np.abs(counts - 16) <= 1).all()  # random draws would scatter by 4
    assert set(field.sample_sobol(2)) == set(field.sample(KEY))


def test_sobol_of_a_fixed_spec_and_in_float32(field, float32):
    fixed = Parameters(redshift=0.3).sample_sobol(4)
    assert fixed["redshift"].tolist() == pytest.approx([0.3] * 4)
    drawn = field.sample_sobol(N)
    assert all(v.dtype == jnp.float32 and jnp.isfinite(v).all() for v in drawn.values())
    field.resolve(drawn, batch=True)


def test_bad_skip(spec):
    with pytest.raises(ParameterError, match="skip"):
        spec.sample_sobol(3, skip=-1)
    with pytest.raises(ParameterError, match="another seed"):
        spec.sample_sobol(3, skip=2**30)


# --- vectors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["unit", "unbounded"])
def test_vectors_invert(field, drawn, space):
    for params in (field.sample(KEY), drawn):
        vector = getattr(field, f"to_{space}")(params)
        assert vector.shape[-1] == field.n_latent
        again = getattr(field, f"from_{space}")(vector)
        assert set(again) == set(params)
        for name in field.free_params:
            np.testing.assert_allclose(again[name], params[name], rtol=1e-8)


def test_log_prior_sums_the_free_parameters(field, drawn):
    params = drawn
    expected = sum(
        np.asarray(field.get_distribution(n).log_prob(params[n])).reshape(N, -1).sum(1)
        for n in field.free_params
    )
    np.testing.assert_allclose(field.log_prior(params), expected)
    np.testing.assert_allclose(jax.vmap(field.log_prior)(params), expected)
    assert field.log_prior({**field.sample(KEY), "met_logzsol": 5.0}) == -jnp.inf
    assert Parameters().log_prior({}) == 0.0


def test_unbounded_density_and_gradient(field):
    """Against automatic differentiation of the whole map, in jit and vmap."""
    y = jax.random.normal(jax.random.key(2), (5, field.n_latent))

    def flat(y):
        params = field.from_unbounded(y)
        return jnp.concatenate([jnp.ravel(params[n]) for n in field.free_params])

    jacobian = jax.vmap(jax.jacobian(flat))(y)
    np.testing.assert_allclose(
        jax.jit(field.log_abs_det)(y), np.linalg.slogdet(jacobian)[1], rtol=1e-9
    )
    density = lambda y: field.log_prior(field.from_unbounded(y)) + field.log_abs_det(y)  # noqa: E731
    assert jnp.isfinite(jax.jit(jax.vmap(jax.grad(density)))(y)).all()


def test_vectors_check_their_input(field, spec):
    with pytest.raises(ParameterError, match="2 free"):
        spec.from_unit(np.zeros(3))
    with pytest.raises(ParameterError, match="Missing free parameter met_logzsol"):
        spec.log_prior({"dust_tau_diff": 1.0})
    with pytest.raises(UnknownNameError, match="Did you mean met_logzsol"):
        spec.to_unit({"met_logsol": 1.0})


# --- dicts of calls -------------------------------------------------------------------------------

FULL = {"met_logzsol": -1.0, "dust_tau_diff": 0.5}


def test_resolve_completes_and_overrides(spec):
    out = spec.resolve({**FULL, "redshift": jnp.asarray(2.0)})
    assert set(out) == set(spec.all_params)
    assert all(v.dtype == np.float64 and v.shape == () for v in out.values())
    assert out["redshift"] == 2.0 and out["dust_slope"] == -0.7


def test_resolve_follows_the_default_float(spec, float32):
    out = spec.resolve({"met_logzsol": np.float64(-1.0), "dust_tau_diff": 1})
    assert all(v.dtype == np.float32 for v in out.values())


def test_a_stated_default_serves_an_omitted_free_parameter(spec):
    told = spec.with_params(met_logzsol=Uniform(-2.0, 0.2, default=-0.25))
    assert told.resolve({"dust_tau_diff": 0.5})["met_logzsol"] == -0.25
    with pytest.raises(ParameterError, match="Missing free parameter dust_tau_diff"):
        told.resolve({})


@pytest.mark.parametrize(
    "value, says",
    [
        (np.nan, "nan.*finite"),
        (-np.inf, "finite"),
        (1e39, "outside"),
        (-0.1, r"-0.1 lies outside its bounds \[0"),
        ("0.3", "real number"),
        (None, "real number"),
        (1j, "real number"),
        (True, "real number"),
        (object(), "real number"),
        ([[1.0], [1.0, 2.0]], "real number"),
        (np.ones(3), "predict_photometry_batch"),
        (np.ones((2, 2)), "shape"),
        (np.array([]), "no galaxies"),
        (jnp.asarray(np.nan), "finite"),
    ],
)
def test_bad_values_are_named(spec, value, says):
    with pytest.raises(ParameterError, match=says):
        spec.resolve({"met_logzsol": -1.0, "dust_tau_diff": value})


@pytest.mark.parametrize(
    "params, says",
    [
        ({**FULL, "redshfit": 1.0}, "Did you mean redshift"),
        ({**FULL, "dust_law": "smc"}, "setting"),
        ({**FULL, "agn_log_lbol": 12.0}, "agn_model"),
        ([1.0, 2.0], "dict, not list"),
        ({**FULL, 3: 1.0}, "Unknown"),
    ],
)
def test_bad_dicts_are_refused(spec, params, says):
    with pytest.raises((ParameterError, UnknownNameError), match=says):
        spec.resolve(params)


def test_batches_broadcast_scalars_and_name_bad_rows(spec):
    out = spec.resolve({"met_logzsol": np.linspace(-1, 0, 4), "dust_tau_diff": 0.5}, batch=True)
    assert {v.shape for v in out.values()} == {(4,)}
    for value, says in (
        (np.ones(3), "met_logzsol has 4, dust_tau_diff has 3|dust_tau_diff has 3, met_logzsol"),
        (np.array([0.0, 1.0, -2.0, np.nan]), r"-2 at row 2 \(2 of 4 values\).*\[0"),
        (np.array([0.0, np.nan, 1.0, 1.0]), "nan at row 1"),
        (np.ones((4, 1)), r"\(4, 1\)"),
    ):
        with pytest.raises(ParameterError, match=says):
            spec.resolve({"met_logzsol": np.zeros(4), "dust_tau_diff": value}, batch=True)
    with pytest.raises(ParameterError, match="at least one array"):
        spec.resolve(FULL, batch=True)
    with pytest.raises(ParameterError, match="Missing"):
        spec.resolve({"met_logzsol": np.zeros(4)}, batch=True)


def test_batches_of_latent_fields(field, drawn):
    out = field.resolve({**drawn, "sfh_field_xi": np.zeros(8)}, batch=True)
    assert out["sfh_field_xi"].shape == (N, 8)
    with pytest.raises(ParameterError, match=r"\(8,\) or \(n, 8\)"):
        field.resolve({**drawn, "sfh_field_xi": np.zeros((N, 7))}, batch=True)


def test_resolve_under_tracing(spec):
    """Names and shapes are checked, values are not; gradients pass through."""

    def total(params):
        return sum(jnp.asarray(v) for v in spec.resolve(params).values())

    assert jnp.isnan(jax.jit(total)({**FULL, "met_logzsol": jnp.nan}))
    assert jax.grad(total)(FULL) == {"met_logzsol": 1.0, "dust_tau_diff": 1.0}
    batch = {"met_logzsol": jnp.zeros(3), "dust_tau_diff": jnp.ones(())}
    rows = jax.jit(lambda p: spec.resolve(p, batch=True)["dust_tau_diff"])(batch)
    assert rows.shape == (3,)
    assert jax.vmap(lambda m: total({**FULL, "met_logzsol": m}))(jnp.zeros(3)).shape == (3,)
    for bad, says in ((jnp.zeros(3), "shape"), (jnp.zeros((), complex), "real")):
        with pytest.raises(ParameterError, match=says):
            jax.jit(total)({**FULL, "met_logzsol": bad})


def test_bounds_survive_rounding_to_float32(spec, float32):
    """The float32 neighbour of a bound is the bound, 0 stays sharp."""
    highest = registered_params()["met_logzsol"].bounds[1]
    edge = Parameters(redshift=FREE, met_logzsol=highest)
    edge.resolve({"redshift": np.float32(20.0)})
    with pytest.raises(ParameterError, match="outside"):
        edge.resolve({"redshift": -1e-7})


def test_validate_holds_free_parameters_to_their_priors(spec):
    spec.validate(FULL)
    spec.resolve({**FULL, "dust_tau_diff": 2.5})
    with pytest.raises(ParameterError, match="outside its prior"):
        spec.validate({**FULL, "dust_tau_diff": 2.5})
    spec.validate(spec.sample_batch(KEY, 50), batch=True)


def test_results_cannot_damage_the_spec(spec):
    out = spec.resolve(FULL)
    with pytest.raises(ValueError, match="read-only"):
        out["redshift"][...] = 3.0
