"""Fit a spectrum and photometry together with NUTS, exact and emulated. A script and a notebook."""

# %% [markdown]
# # Fit a spectrum and photometry
#
# One posterior of five SDSS bands and a spectrum with the range of DESI: stars, dust, the velocity
# dispersion, and a calibration of the spectrum that is known to some per cent only and integrated
# out. Gas is part of the default grid; with `nebular="cloudy"` on a grid of stars alone it has
# parameters, and its lines have a width of their own, `gas_sigma_kms`. The pixels are twenty of
# DESI's wide and R is 250, which the embedded grid can serve; `tengri data build --resolution full`
# makes one for DESI's own pixels, `Instrument.DESI()`.
#
# The same data are fitted twice: with the exact model, and with the published surrogate of spectra,
# whose own errors are added to those of the data. Their posteriors agree to a tenth of σ.
#
# The onset of star formation is held: free, it makes a curved ridge with τ and the mass, which
# takes `blackjax.window_adaptation` and longer chains.

# %%
import os
from functools import partial
from pathlib import Path

import blackjax
import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np
from blackjax.mcmc.hmc import HMCState
from scipy.optimize import minimize

import emulator
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.analysis.plotting import setup_style
from tengri.forward.calibration import Calibration
from tengri.forward.nuisances import Nuisances

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))
STEPS = 40 if os.environ.get("TENGRI_FAST") else 120

spec = Parameters(
    sfh_delayed_log_total_mass=(9.0, 12.0),
    sfh_delayed_tau_gyr=(0.3, 5.0),
    sfh_delayed_age_gyr=5.0,
    met_logzsol=(-1.5, 0.3),
    dust_tau_bc=0.5,
    dust_tau_diff=(0.0, 2.0),
    redshift=0.1,
)
edges = Instrument.DESI().spectrographs[0].edges[::20]
spectrograph = Instrument.spectrum(edges=edges, resolution=250.0, name="DESI")
observation = (Instrument.SDSS() + spectrograph).observation()

model = SEDModel(spec, load_ssp_data(), observation, units="nJy")
fast = emulator.load("spectrum_compact", spec=spec, observation=observation, units="nJy")

# %% [markdown]
# ## A mock galaxy
#
# S/N is 20 in the bands and 25 in a pixel; the calibration is wrong by a tilt and a bend of some
# per cent, and a stretch of the spectrum is masked.

# %%
truth = {
    "sfh_delayed_log_total_mass": 10.5,
    "sfh_delayed_tau_gyr": 1.5,
    "met_logzsol": -0.2,
    "dust_tau_diff": 0.4,
    "vel_sigma_kms": 180.0,
}
nuisances = Nuisances(vel_sigma_kms=(50.0, 400.0), calibration=Calibration(4, sigma=0.1))
posterior = model.joint_posterior(nuisances)

rng = np.random.default_rng(3)
wave = observation.spectrograph().wave
pure = {
    k: np.asarray(v, np.float64)
    for k, v in posterior(posterior.params(posterior.vector(truth))).items()
}
x = 2.0 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1.0
distorted = pure["DESI"] * (1.0 + 0.06 * x - 0.04 * (2.0 * x**2 - 1.0))
spectrum_error = 0.04 * np.median(pure["DESI"]) * np.ones_like(wave)
spectrum = distorted + spectrum_error * rng.normal(size=wave.size)
spectrum[(wave > 7590.0) & (wave < 7700.0)] = np.nan
band_error = pure["photometry"] / 20.0
bands = pure["photometry"] + band_error * rng.normal(size=5)
data = posterior.data(bands, band_error, {"DESI": (spectrum, spectrum_error)})

# %% [markdown]
# ## NUTS
#
# From the peak of the posterior, with the inverse of its curvature there as the mass matrix; these
# chains give the covariance for those that are kept. The surrogate does this, and then either model
# is sampled from there with the same random numbers.


# %%
#: What is called a hundred times only is compiled sooner, and hardly optimised.
QUICK = {"xla_backend_optimization_level": 0}


def density_of(posterior):
    """Return ln posterior with its slope, compiled."""
    both = jax.value_and_grad(lambda u: posterior.log_posterior(u, data))
    return jax.jit(both, compiler_options=QUICK)


@partial(jax.jit, static_argnames="posterior")
@partial(jax.vmap, in_axes=(None, 0, 0, None, None))
def chain(posterior, key, start, covariance, step_size):
    """Return draws (STEPS, size), their densities, acceptance and divergences of one chain."""
    kernel = blackjax.nuts(
        lambda u: posterior.log_posterior(u, data),
        step_size=step_size,
        inverse_mass_matrix=covariance,
        max_num_doublings=6,
    )

    def one(state, key):
        state, info = kernel.step(key, state)
        kept = state.position, state.logdensity, info.acceptance_rate, info.is_divergent
        return state, kept

    return jax.lax.scan(one, start, jax.random.split(key, STEPS))[1]


def started(density, points):
    """Return the states at which chains start, from the compiled density."""
    found = [(u, *density(u)) for u in jnp.asarray(points)]
    return HMCState(*(jnp.stack(part) for part in zip(*found)))


fits = {"exact": posterior, "emulated": fast.joint_posterior(nuisances)}
density = {name: density_of(one) for name, one in fits.items()}


def minus(u):
    """Return -ln posterior of the surrogate and its slope, for SciPy."""
    value, slope = density["emulated"](jnp.asarray(u))
    return -float(value), -np.asarray(slope, np.float64)


far = {**truth, "dust_tau_diff": 0.8, "met_logzsol": -0.6, "vel_sigma_kms": 250.0}
peak = minimize(minus, np.asarray(posterior.vector(far)), jac=True, method="BFGS").x
steps = 0.02 * np.eye(posterior.size)
curvature = np.array([(minus(peak + step)[1] - minus(peak - step)[1]) / 0.04 for step in steps])
covariance = np.linalg.inv(0.5 * (curvature + curvature.T))

keys = jax.random.split(jax.random.key(0), 4)
start = started(density["emulated"], [peak, peak])
pilot, *_ = chain(fits["emulated"], keys[:2], start, jnp.asarray(covariance), 0.4)
kept = pilot[:, STEPS // 4 :].reshape(-1, posterior.size)
draws, heights = {}, {}
for name, one in fits.items():
    start = started(density[name], pilot[:, -1])
    u, height, acceptance, divergent = chain(one, keys[2:], start, jnp.cov(kept.T), 0.7)
    rhat = blackjax.diagnostics.rhat(u)
    draws[name], heights[name] = u.reshape(-1, posterior.size), height.reshape(-1)
    print(f"{name}: acceptance {float(acceptance.mean()):.2f}, divergent {int(divergent.sum())}, "
          f"largest R̂ {float(rhat.max()):.3f}")  # fmt: skip

# %% [markdown]
# ## Exact and emulated
#
# Two chains differ by their own random numbers. How far the posteriors are apart, the draws of one
# say: weighted with the ratio of the densities they are draws of the other, and what moves then is
# no noise of sampling.

# %%
emulated = np.array([float(density["emulated"](u)[0]) for u in draws["exact"]])
ratio = emulated - np.asarray(heights["exact"], np.float64)
weight = np.exp(ratio - ratio.max())
weight /= weight.sum()
params = {name: jax.vmap(posterior.params)(u) for name, u in draws.items()}
shifts = {}
print(f"effective share of the draws: {1.0 / (weight**2).sum() / len(weight):.3f}")
print(f"{'':28s} {'truth':>8s} {'exact':>16s} {'emulated':>16s} {'shift / σ':>10s}")
for name in posterior.names:
    x, y = (np.asarray(params[which][name], np.float64) for which in fits)
    shifts[name] = ((weight * x).sum() - x.mean()) / x.std()
    print(f"{name:28s} {truth[name]:8.3f} {x.mean():8.3f} ± {x.std():5.3f} {y.mean():8.3f} ± "
          f"{y.std():5.3f} {shifts[name]:10.3f}")  # fmt: skip
assert max(map(abs, shifts.values())) < 0.1

# %%
u = draws["exact"]
some = u[:: max(1, len(u) // 50)]
spectra, polynomials = jax.lax.map(
    lambda v: (posterior(v)["DESI"], posterior.polynomials(v, data)["DESI"]), some
)
figure, axes = plt.subplots(3, 1, figsize=(8, 8), height_ratios=(3, 1, 1), layout="constrained")
pivots = [f.pivot for f in observation.filters]
model_mean = np.asarray((spectra * polynomials).mean(axis=0))
axes[0].plot(wave, spectrum * 1e-6, color="0.7", lw=0.6, label="mock spectrum, S/N = 25 a pixel")
axes[0].plot(wave, model_mean * 1e-6, lw=1.0, label="model, calibrated")
axes[0].errorbar(pivots, bands * 1e-6, band_error * 1e-6, fmt="ko", capsize=3, label="mock bands")
axes[0].set_ylabel(r"$f_\nu$ [mJy]")
axes[0].legend(fontsize=9)
axes[1].plot(wave, (spectrum - model_mean) / spectrum_error, ".", ms=2)
axes[1].set_ylabel("residual / σ")
low, high = np.percentile(polynomials, [16, 84], axis=0)
axes[2].fill_between(wave, low, high, alpha=0.4, label="calibration, 68 %")
axes[2].plot(wave, distorted / pure["DESI"], "k--", lw=1.0, label="truth")
axes[2].set_ylabel("calibration")
axes[2].set_xlabel("observed wavelength [Å]")
axes[2].legend(fontsize=9)
FIGURES.mkdir(parents=True, exist_ok=True)
figure.savefig(FIGURES / "spectrum_fit.png", dpi=80)

# %%
names = posterior.names
figure, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
for ax, name in zip(axes.flat, names):
    for which in fits:
        ax.hist(np.asarray(params[which][name]), bins=20, density=True, alpha=0.5, label=which)
    ax.axvline(truth[name], color="k", ls="--")
    ax.set_xlabel(name, fontsize=9)
    ax.set_yticks([])
axes.flat[0].legend(fontsize=8)
figure.savefig(FIGURES / "spectrum_posterior.png", dpi=80)
