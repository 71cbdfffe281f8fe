"""Fit a spectrum and photometry together with NUTS. A script and a notebook."""

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
from scipy.optimize import minimize

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

# The exact model; a surrogate of spectra takes its place in this line:
# model = emulator.load("spectrum_compact", spec=spec, observation=observation, units="nJy")
model = SEDModel(spec, load_ssp_data(), observation, units="nJy")

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
# chains give the covariance for those that are kept.

# %%
log_density = lambda u: posterior.log_posterior(u, data)  # noqa: E731
value_and_slope = jax.jit(jax.value_and_grad(log_density))


def minus(u):
    """Return -ln posterior and its slope, for SciPy."""
    value, slope = value_and_slope(jnp.asarray(u))
    return -float(value), -np.asarray(slope, np.float64)


far = {**truth, "dust_tau_diff": 0.8, "met_logzsol": -0.6, "vel_sigma_kms": 250.0}
peak = minimize(minus, np.asarray(posterior.vector(far)), jac=True, method="BFGS").x
steps = 0.02 * np.eye(posterior.size)
curvature = np.array([(minus(peak + step)[1] - minus(peak - step)[1]) / 0.04 for step in steps])
covariance = np.linalg.inv(0.5 * (curvature + curvature.T))


@jax.jit
@partial(jax.vmap, in_axes=(0, 0, None, None))
def chain(key, start, covariance, step_size):
    """Return draws (STEPS, size), acceptance and divergences of one chain."""
    kernel = blackjax.nuts(
        log_density, step_size=step_size, inverse_mass_matrix=covariance, max_num_doublings=6
    )

    def one(state, key):
        state, info = kernel.step(key, state)
        return state, (state.position, info.acceptance_rate, info.is_divergent)

    return jax.lax.scan(one, kernel.init(start), jax.random.split(key, STEPS))[1]


keys = jax.random.split(jax.random.key(0), 4)
pilot, *_ = chain(keys[:2], jnp.asarray([peak, peak]), jnp.asarray(covariance), 0.25)
kept = pilot[:, STEPS // 4 :].reshape(-1, posterior.size)
u, acceptance, divergent = chain(keys[2:], pilot[:, -1], jnp.cov(kept.T), 0.4)
rhat = blackjax.diagnostics.rhat(u)
draws = jax.vmap(posterior.params)(u.reshape(-1, posterior.size))
print(f"acceptance {float(acceptance.mean()):.2f}, divergent {int(divergent.sum())}, "
      f"largest R̂ {float(rhat.max()):.3f}")  # fmt: skip
for name in posterior.names:
    low, middle, high = np.percentile(draws[name], [16, 50, 84])
    print(
        f"{name:28s} {middle:8.3f}  -{middle - low:.3f} +{high - middle:.3f}   truth {truth[name]}"
    )

# %%
some = u.reshape(-1, posterior.size)[:: max(1, u.shape[0] * u.shape[1] // 50)]
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
    ax.hist(np.asarray(draws[name]), bins=30, density=True, alpha=0.6)
    ax.axvline(truth[name], color="k", ls="--")
    ax.set_xlabel(name, fontsize=9)
    ax.set_yticks([])
figure.savefig(FIGURES / "spectrum_posterior.png", dpi=80)
