"""A population of stochastic star-formation histories. A script and a notebook (jupytext)."""

# %% [markdown]
# # Bursts in the colours of a population
#
# `field` multiplies a mean history by a random walk that forgets itself after τ: an
# Ornstein–Uhlenbeck process in linear time, whose rms in log10 SFR is σ. One standard normal per
# point of an age grid drives it, so that every galaxy is a row of a batch like any other. Here the
# same mean history, with different walks, is observed from the ultraviolet to the near infrared.

# %%
import os
from pathlib import Path

import jax
import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.analysis.plotting import colours, setup_style

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))
N = 300 if os.environ.get("TENGRI_FAST") else 2000


def save(figure, name):
    """Keep a figure."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", dpi=80)


BANDS = ("galex_fuv", "galex_nuv", "sdss_u", "sdss_g", "sdss_r", "sdss_z", "2mass_j", "2mass_ks")
spec = Parameters(
    mean_sfh_type=["const", "field"],
    sfh_const_log_peak_sfr=0.0,  # 1 Msun/yr, the mean of every galaxy
    sfh_const_start_gyr=10.0,
    sfh_field_psd_sigma=0.3,
    sfh_field_psd_tau_myr=50.0,
    met_logzsol=-0.3,
    dust_tau_bc=0.0,
    dust_tau_diff=0.0,
    redshift=0.05,
)
observation = Instrument.from_names(BANDS).observation()
model = SEDModel(spec, load_ssp_data(), observation, units="nJy")
PIVOTS_UM = np.array([f.pivot for f in observation.photometry.filters]) / 1e4
drawn = {k: np.asarray(v) for k, v in spec.sample_batch(jax.random.key(1), N).items()}


def population(sigma, tau_myr):
    """Return the fluxes of N galaxies of one scatter and one memory, (N, n_bands) in nJy."""
    walk = {"sfh_field_psd_sigma": sigma, "sfh_field_psd_tau_myr": tau_myr}
    rows = drawn | {name: np.full(N, value) for name, value in walk.items()}
    return np.asarray(model.predict_photometry_batch(rows))


# %% [markdown]
# ## Histories
#
# Four galaxies of one σ. The longer the memory, the longer an excursion lasts. The age grid has
# points 4 per cent apart: where that is more than τ, the curve shows independent points, and the
# mass in an age bin is that of the process averaged over the bin, whatever the grid.

# %%
TAUS_MYR = (10.0, 50.0, 250.0)
SHADES = colours(len(TAUS_MYR))
fig, axes = plt.subplots(1, len(TAUS_MYR), figsize=(12, 3.2), sharey=True)
for ax, tau in zip(axes, TAUS_MYR):
    for i, shade in enumerate(colours(4)):
        one = {k: v[i] for k, v in drawn.items()}
        one |= {"sfh_field_psd_sigma": 0.3, "sfh_field_psd_tau_myr": tau}
        history = model.predict_sfh(one, n_linear=13000)
        ax.plot(1e3 * np.asarray(history["t_gyr"]), history["sfr"], color=shade, lw=1.0)
    ax.axhline(1.0, color="0.6", lw=0.7, ls="--", zorder=0)
    ax.set(xscale="log", xlim=(1000, 1), yscale="log", ylim=(0.03, 30))
    ax.set(xlabel="Lookback time [Myr]", title=rf"$\tau$ = {tau:g} Myr")
axes[0].set_ylabel(r"SFR [M$_\odot$/yr]")
fig.tight_layout()
save(fig, "stochastic_histories")

# %% [markdown]
# ## What the bands see
#
# A band averages the SFR over the life of the stars that shine in it. Memory shorter than that
# averages out, so that the scatter falls from the far ultraviolet to the near infrared, and the
# faster, the shorter τ. The mean flux is that of the mean history, for flux is linear in the SFR.

# %%
smooth = np.asarray(
    SEDModel(spec.with_params(mean_sfh_type="const"), model.ssp, observation, units="nJy")
    .predict_photometry()
)  # fmt: skip
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
for tau, shade in zip(TAUS_MYR, SHADES):
    for sigma, style in ((0.3, "-"), (0.15, "--")):
        flux = population(sigma, tau)
        label = rf"$\tau$ = {tau:g} Myr" if style == "-" else None
        left.plot(PIVOTS_UM, np.log10(flux).std(axis=0), style, marker="o", ms=3, color=shade,
                  label=label)  # fmt: skip
        off = np.abs(flux.mean(axis=0) - smooth) / (flux.std(axis=0) / np.sqrt(N))
        print(f"σ = {sigma} dex, τ = {tau:g} Myr: mean flux off by {off.max():.1f} standard errors")
    colour = -2.5 * np.log10(flux[:, 0] / flux[:, 4])
    right.hist(colour, np.arange(0.2, 2.2, 0.05), density=True, histtype="step", color=shade)
smooth_colour = -2.5 * np.log10(smooth[0] / smooth[4])
right.axvline(smooth_colour, color="k", lw=0.8, ls=":", label="mean history")
left.plot([], [], "k-", label=r"$\sigma$ = 0.3 dex")
left.plot([], [], "k--", label=r"$\sigma$ = 0.15 dex")
left.set(xscale="log", ylim=(0, 0.3), xlabel="Pivot wavelength [µm]",
         ylabel="Scatter of the flux [dex]")  # fmt: skip
left.set_xticks([0.15, 0.3, 0.6, 1.2, 2.2], ["0.15", "0.3", "0.6", "1.2", "2.2"])
left.minorticks_off()
right.set(xlabel="FUV − r [mag]", ylabel="Galaxies per mag", title=r"$\sigma$ = 0.15 dex")
left.legend(fontsize=9)
right.legend(fontsize=9)
fig.tight_layout()
save(fig, "stochastic_bands")
