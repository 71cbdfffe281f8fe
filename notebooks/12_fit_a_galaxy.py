"""Fit mock photometry by gradient descent, exact and emulated. A script and a notebook."""

# %% [markdown]
# # Fit a galaxy with gradients
#
# `model.flat_function()` is either model as a differentiable function of one vector, with the
# densities of prior and likelihood. Here a mock galaxy at S/N = 20 is fitted with Adam in unbounded
# coordinates, by the exact model and by the surrogate; then the curvature of the posterior at its
# peak gives the error bars.

# %%
import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np
import optax

import tengri
from tengri import Parameters
from tengri.analysis.plotting import setup_style

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))
STEPS = 150 if os.environ.get("TENGRI_FAST") else 600

spec = Parameters(
    sfh_tsnorm_log_peak_sfr=(-1.0, 3.0),
    sfh_tsnorm_peak_lbt_frac=0.3,
    sfh_tsnorm_width_frac=0.15,
    sfh_tsnorm_skew=0.0,
    sfh_tsnorm_trunc=3.0,
    met_logzsol=(-2.0, 0.2),
    dust_tau_bc=0.5,
    dust_tau_diff=(0.0, 3.0),
    dust_slope=-0.7,
    redshift=(0.01, 1.0),
)
fast = tengri.load_model("sdss", spec=spec, units="nJy")
exact = fast.exact_model()
truth = {
    "sfh_tsnorm_log_peak_sfr": 0.8,
    "met_logzsol": -0.4,
    "dust_tau_diff": 0.6,
    "redshift": 0.15,
}
flux_true = np.asarray(exact.predict_photometry(truth))
noise = flux_true / 20.0
observed = flux_true + noise * np.random.default_rng(1).normal(size=flux_true.size)


# %%
def fit(model):
    """Return the best parameters, their standard errors, and the seconds it took."""
    flat = model.flat_function("unbounded")
    data = flat.data(observed, noise)

    def loss(u):
        return -flat.log_posterior(u, data)

    optimiser = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

    @jax.jit
    def run(u):
        def step(carry, _):
            u, state = carry
            value, gradient = jax.value_and_grad(loss)(u)
            updates, state = optimiser.update(gradient, state)
            return (optax.apply_updates(u, updates), state), value

        return jax.lax.scan(step, (u, optimiser.init(u)), length=STEPS)

    start = jnp.zeros(flat.size)
    run(start)[1].block_until_ready()
    begin = time.perf_counter()
    (u, _), history = run(start)
    history.block_until_ready()
    seconds = time.perf_counter() - begin
    covariance = jnp.linalg.inv(jax.jit(jax.hessian(loss))(u))
    values = jax.jacfwd(lambda v: jnp.stack([flat.params(v)[name] for name in flat.names]))(u)
    errors = jnp.sqrt(jnp.diag(values @ covariance @ values.T))
    return flat.params(u), dict(zip(flat.names, errors)), seconds, history


results = {"exact": fit(exact), "emulated": fit(fast)}
for name, (best, errors, seconds, history) in results.items():
    shown = ", ".join(f"{k} = {float(best[k]):.3f} ± {float(errors[k]):.3f}" for k in truth)
    print(f"{name:9s} {1e3 * seconds:8.1f} ms   −ln posterior = {float(history[-1]):.2f}   {shown}")

# %%
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
pivot = [f.pivot / 1e4 for f in fast.observation.photometry.filters]
ax.errorbar(pivot, observed, noise, fmt="ko", capsize=3, label="mock photometry, S/N = 20")
for (name, (best, *_)), marker in zip(results.items(), "s^"):
    model = {"exact": exact, "emulated": fast}[name]
    ax.plot(pivot, model.predict_photometry(best), marker, ms=9, mfc="none", label=f"{name} fit")
ax.set_xlabel("pivot wavelength [µm]")
ax.set_ylabel(r"$f_\nu$ [nJy]")
ax.legend()
FIGURES.mkdir(parents=True, exist_ok=True)
figure.savefig(FIGURES / "fit.png", dpi=80)
