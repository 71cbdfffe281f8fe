"""One contract for every component in every registry, through the whole forward model.

Value and gradient are finite over the registry's whole prior range, also in float32; every
parameter has an effect; gradients equal finite differences; the second call compiles nothing.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import FREE, Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.components.composition import compose
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.igm import IGM_MODELS
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES
from tengri.components.stellar.nebular import NEBULAR_MODELS
from tengri.components.stellar.sfh import SFH_FAMILIES, make_log_age_grid
from tengri.priors import LogUniform
from tests.compilations import compilations

TABLE = {"sfh_table_t_gyr": np.linspace(0.0, 12.0, 9), "sfh_table_sfr": np.linspace(1.0, 3.0, 9)}
DEFAULT_SFH = {"mean_sfh_type": "tsnorm"}

CASES: dict[str, dict] = {}
for _name, _family in SFH_FAMILIES.items():
    _types = [_name] if _family.kind == "additive" else ["dpl", _name]
    CASES[f"sfh {_name}"] = {"mean_sfh_type": _types, "n_grid": 32}
for _name in LAWS:
    CASES[f"law {_name}"] = DEFAULT_SFH | {"dust_law": _name}
for _name in METALLICITY_HISTORIES:
    CASES[f"metallicity {_name}"] = DEFAULT_SFH | {"met_mode": _name}
for _name in IGM_MODELS:
    CASES[f"igm {_name}"] = DEFAULT_SFH | {"igm_model": _name}
for _name in EMISSION_MODELS:
    CASES[f"dust emission {_name}"] = DEFAULT_SFH | {"dust_emission": _name}
    CASES[f"cmb {_name}"] = CASES[f"dust emission {_name}"] | {"cmb": "dacunha13"}
for _name in AGN_MODELS:
    CASES[f"agn {_name}"] = DEFAULT_SFH | {"agn_model": _name}
for _name in NEBULAR_MODELS:
    CASES[f"nebular {_name}"] = DEFAULT_SFH | {"nebular": _name}
CASES["kitchen sink"] = {
    "mean_sfh_type": ["dpl", "const", "burst", "field"], "n_grid": 32, "met_mode": "ramp",
    "dust_law_bc": "power_law", "dust_law_diff": "noll09", "agn_model": "standard",
    "agn_screen": "diffuse", "nebular": "cloudy", "dust_emission": "dl07",
    "cmb": "dacunha13", "escape": "picket_fence",
}  # fmt: skip

# Parameters that no setting brings: they are part of the model where they are named.
NAMED = {
    "gas of its own": ("neb_logz", "neb_fesc_lya"),
    "neutral gas": ("igm_xhi", "igm_log_nhi_dla"),
    "clear sky and clear lines of sight": ("mw_ebv", "dust_f_clear"),
}
CASES["gas of its own"] = DEFAULT_SFH | {"nebular": "cloudy"}
CASES["neutral gas"] = DEFAULT_SFH
CASES["clear sky and clear lines of sight"] = DEFAULT_SFH

BANDS = ["galex_fuv", "sdss_u", "sdss_r", "sdss_z", "2mass_ks", "wise_w1", "wise_w3", "wise_w4"]
REDSHIFTS = (0.05, 3.0)
# The damping wing of the neutral medium, which lies beyond the end of reionisation, in sdss_z.
DISTANT = {"neutral gas": (5.8, 6.8)}


def build(settings: dict, ssp, named=(), redshifts=REDSHIFTS) -> SEDModel:
    """Return a model with every scalar parameter free over its registered prior, ``named`` too.

    Amplitudes are masses: a prior on the peak SFR in Gyr holds histories without stars by t(z).
    """
    types = np.atleast_1d(settings["mean_sfh_type"])
    table = TABLE if "table" in types else {}
    additive = [SFH_FAMILIES[t] for t in types if SFH_FAMILIES[t].kind == "additive"]
    masses = [f.amplitudes["log_total_mass"].name for f in additive]
    params = compose(settings, [*table, *masses, *named]).params
    assert set(named) <= set(params)
    free = {n: FREE for n, p in params.items() if p.shape == () and n not in ("redshift", *table)}
    spec = Parameters(**settings, **table, **free, redshift=redshifts)
    observation = Instrument.from_names(BANDS).observation()
    return SEDModel(spec, ssp, observation, units="nJy")


def points(model: SEDModel, n: int) -> dict[str, np.ndarray]:
    """Return prior draws and the two corners of every parameter, others in the middle."""
    spec = model.spec
    draws = {k: np.asarray(v) for k, v in spec.sample_batch(jax.random.key(5), n).items()}
    middle = {k: v[:1] for k, v in draws.items()}
    rows = [draws]
    for name in spec.free_params:
        if draws[name].ndim > 1:
            continue
        for u in (1e-3, 1.0 - 1e-3):
            rows.append(middle | {name: np.asarray(spec.get_distribution(name).from_unit(u))[None]})
    return {k: np.concatenate([r[k] for r in rows]) for k in draws}


@pytest.fixture(scope="session")
def small_ssp(ssp):
    """The embedded grid at every fourth wavelength: the contract is about formulas."""
    return thinned(ssp)


@pytest.fixture(scope="session")
def small_stars():
    """The stars without gas, for models that have it as a component."""
    return thinned(load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5"))


def thinned(ssp):
    return replace(ssp, ssp_wave=ssp.ssp_wave[::4], ssp_flux=ssp.ssp_flux[:, :, ::4])


# Thirty seconds each: a history, gas and dust in the quick suite, everything in the long one.
QUICK = {"sfh tsnorm", "dust emission dl07", "nebular cloudy"}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES]
)
@pytest.mark.filterwarnings("ignore:.*beyond 3 µm")
def test_component_contract(case, small_ssp, small_stars):
    grid = small_stars if "nebular" in CASES[case] else small_ssp
    model = build(CASES[case], grid, NAMED.get(case, ()), DISTANT.get(case, REDSHIFTS))
    batch = points(model, 12)
    names = [n for n in model.spec.free_params if np.ndim(batch[n]) == 1]

    def log_flux(x, rest, faint):
        flux = model.predict_photometry({**rest, **{n: x[i] for i, n in enumerate(names)}})
        return jnp.log(flux + faint)

    value, jacobian = jax.jit(jax.vmap(log_flux)), jax.jit(jax.vmap(jax.jacfwd(log_flux)))
    x = np.stack([batch[n] for n in names], axis=-1)
    rest = {k: v for k, v in batch.items() if k not in names}
    # dropouts are compared on the scale of the galaxy, not of their own vanishing flux
    faint = 1e-6 * np.exp(value(x, rest, np.zeros(len(x)))).max(axis=1)
    exact = np.asarray(jacobian(x, rest, faint))
    assert np.isfinite(exact).all(), _where(exact, names, x)
    dead = [n for i, n in enumerate(names) if not np.any(np.abs(exact[..., i]) > 1e-12)]
    assert not dead, f"{case}: no effect of {dead}"

    with jax.enable_x64(False):
        arguments = jax.tree.map(np.float32, (x, rest, faint))
        single = np.asarray(jacobian(*arguments))
        assert np.isfinite(single).all(), _where(single, names, x)
        with compilations() as compiled:
            jacobian(*arguments)
        assert compiled.count == 0

    few = jax.tree.map(lambda v: v[:4], (rest, faint))
    numeric = finite_differences(value, len(x), x[:4], steps(model, names, x[:4]), *few)
    # a parameter may have no effect in these few galaxies (a start before the Big Bang)
    scale = np.maximum(np.abs(exact[:4]).max(axis=(0, 1)), 1e-3 * np.abs(exact).max(axis=(0, 1)))
    error = np.abs(numeric - exact[:4]).max(axis=(0, 1)) / scale
    assert (error < 2e-4).all(), {n: e for n, e in zip(names, error) if e >= 2e-4}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*beyond 3 µm")
def test_the_kitchen_sink_has_a_gradient_for_every_parameter(small_stars):
    """Reverse mode, by scalars and by each node of the field, in both precisions."""
    model = build(CASES["kitchen sink"], small_stars)
    p = {k: np.asarray(v)[0] for k, v in points(model, 1).items()} | {"redshift": np.array(0.3)}
    assert set(p) == set(model.spec.all_params) and p["sfh_field_xi"].shape == (32,)

    def log_flux(q):
        return jnp.log(model.predict_photometry(q))

    jacobian = jax.jit(jax.jacrev(log_flux))
    for bits, dtype in ((64, np.float64), (32, np.float32)):
        with jax.enable_x64(bits == 64):
            exact = jacobian({k: v.astype(dtype) for k, v in p.items()})
        assert all(np.isfinite(g).all() for g in exact.values()), bits
        assert [k for k, g in exact.items() if not np.any(g)] == []
    t_univ = 10.1  # Gyr at z = 0.3: nodes before the Big Bang cannot count
    young = 10.0 ** make_log_age_grid(32) < t_univ * 1e9
    assert np.abs(exact["sfh_field_xi"]).max(axis=0)[young].min() > 0.0


def steps(model, names, x):
    """Return the steps (n, n_parameters): relative where the prior is uniform in the logarithm."""
    typical = np.maximum(1.0, np.abs(x).max(axis=0)) + 0.0 * x
    log = [isinstance(model.spec.get_distribution(n), LogUniform) for n in names]
    return 1e-4 * np.where(log, np.abs(x), typical)


#: Fourth-order central differences: places in steps, and the weights of the values there.
PLACES, WEIGHTS = np.array([1.0, -1.0, 2.0, -2.0]), np.array([8.0, -8.0, -1.0, 1.0]) / 12.0


def finite_differences(f, n_rows, x, step, *rest):
    """Return the slopes (n, n_bands, n_parameters) of log fluxes at points (n, n_parameters).

    All places in blocks of ``n_rows``, the size for which ``f`` is compiled.
    """
    n, n_params = x.shape
    shifts = PLACES[:, None, None, None] * step[:, :, None] * np.eye(n_params)
    at = (x[:, None, :] + shifts).reshape(-1, n_params)
    galaxy = np.tile(np.repeat(np.arange(n), n_params), len(PLACES))
    rest = jax.tree.map(lambda v: v[galaxy], rest)
    blocks = [np.arange(i, i + n_rows) % len(at) for i in range(0, len(at), n_rows)]
    found = [f(*jax.tree.map(lambda v, b=block: v[b], (at, *rest))) for block in blocks]
    values = np.concatenate(found)[: len(at)].reshape(len(PLACES), n, n_params, -1)
    return np.einsum("s,sipb->ibp", WEIGHTS, values) / step[:, None, :]


def _where(values, names, x):
    row, band, column = np.argwhere(~np.isfinite(values))[0]
    return f"not finite: band {BANDS[band]}, d/d{names[column]}, at {dict(zip(names, x[row]))}"
