"""The sweeps of notebook 09 through both models. A script and a notebook (jupytext)."""

# %% [markdown]
# # The same sweeps, emulated
#
# Every function of `tengri.analysis.sweeps` takes any photometric model. Below, the same lines run
# on the exact model and on published surrogates, at the parameter values of notebook 09. They
# have learnt the light of every stellar age: a spec may have any star-formation history.

# %%
import os
from pathlib import Path

import jax
import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np

import tengri
from tengri import Fixed, Instrument, Parameters, Uniform
from tengri.analysis.compare import compare
from tengri.analysis.plotting import setup_style

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))


def save(figure, name):
    """Keep a figure, and show it once in a notebook."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", dpi=80)
    plt.close(figure)
    return figure


def show(name, comparison):
    """Print a comparison's residuals."""
    pooled = comparison.numbers()["pooled"]
    shown = ", ".join(f"{q[1:]} %: {pooled[q]:.2f}" for q in ("p50", "p95", "p99"))
    print(f"{name}: |Δm| [mmag] {shown}, worst {pooled['max']:.2f}")


GALAXY = dict(
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
emulated = tengri.load_model("sdss", spec=Parameters(**GALAXY))
exact = emulated.exact_model()

# %% [markdown]
# ## One parameter

# %%
sweep = compare(
    exact,
    emulated,
    sweep=("dust_tau_diff", np.linspace(0.0, 2.0, 41)),
    base={"met_logzsol": -0.3},
)
show("dust sweep", sweep)
save(sweep.plot(), "emulated_sweep_dust")

# %% [markdown]
# ## The 16 × 16 grid

# %%
grid = compare(
    exact,
    emulated,
    grid={"met_logzsol": np.linspace(-1.5, 0.0, 16), "dust_tau_diff": np.linspace(0.0, 1.5, 16)},
)
show("metallicity × dust grid", grid)
save(grid.plot(("sdss_g", "sdss_r")), "emulated_grid_sdss")

# %% [markdown]
# ## The NIRCam track

# %%
track_spec = Parameters(
    sfh_tsnorm_log_peak_sfr=Fixed(1.0),
    sfh_tsnorm_peak_lbt_gyr=Fixed(0.3),
    sfh_tsnorm_width_gyr=Fixed(0.2),
    sfh_tsnorm_skew=Fixed(0.0),
    sfh_tsnorm_trunc=Fixed(3.0),
    met_logzsol=Fixed(-0.5),
    dust_tau_bc=Fixed(0.3),
    dust_tau_diff=Fixed(0.2),
    dust_slope=Fixed(-0.7),
    nebular="cloudy",
    neb_logU=Fixed(-3.0),
    redshift=Uniform(0.5, 8.0),
)
nircam = tengri.load_model("jwst_nircam", spec=track_spec)
track = compare(nircam.exact_model(), nircam, track=np.linspace(0.5, 8.0, 64))
show("NIRCam track", track)
save(
    track.plot_colours(x=("jwst_f277w", "jwst_f444w"), y=("jwst_f150w", "jwst_f277w")),
    "emulated_track_nircam",
)

# %% [markdown]
# ## A population with stochastic histories
#
# The same surrogate under another spec: a smooth history times a random process (`field`), whose
# latent numbers no network has seen. Its age distribution is computed, its light is emulated.

# %%
stochastic_spec = Parameters(
    mean_sfh_type=["dpl", "field"],
    sfh_dpl_log_peak_sfr=Fixed(1.0),
    sfh_dpl_alpha=Uniform(0.5, 3.0),
    sfh_dpl_beta=Uniform(0.5, 2.0),
    sfh_dpl_tau_gyr=Uniform(1.0, 9.0),
    sfh_field_psd_sigma=Uniform(0.1, 0.6),
    sfh_field_psd_tau_myr=Uniform(10.0, 300.0),
    met_logzsol=Uniform(-1.0, 0.2),
    dust_tau_bc=Uniform(0.0, 1.5),
    dust_tau_diff=Uniform(0.0, 1.0),
    redshift=Uniform(0.02, 0.3),
)
stochastic = tengri.load_model("sdss", spec=stochastic_spec)
drawn = stochastic_spec.sample_batch(jax.random.key(4), 1000)
magnitudes = {
    "exact": np.asarray(stochastic.exact_model().predict_magnitudes_batch(drawn)),
    "emulated": np.asarray(stochastic.predict_magnitudes_batch(drawn)),
}
error = 1e3 * np.abs(magnitudes["emulated"] - magnitudes["exact"])
print(f"stochastic histories: |Δm| [mmag] 50 %: {np.median(error):.2f}, "
      f"99 %: {np.percentile(error, 99):.2f}, worst {error.max():.2f}")  # fmt: skip
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for (name, m), marker in zip(magnitudes.items(), "o."):
    axes[0].plot(m[:, 1] - m[:, 2], m[:, 0] - m[:, 1], marker, ms=5 if marker == "o" else 3,
                 mfc="none" if marker == "o" else None, label=name)  # fmt: skip
axes[0].set(xlabel="g − r [mag]", ylabel="u − g [mag]")
axes[0].legend()
axes[1].hist(error, bins=np.geomspace(1e-3, 30.0, 40), histtype="step",
             label=[n.removeprefix("sdss_") for n in stochastic.filter_names])  # fmt: skip
axes[1].set(xscale="log", xlabel="|Δm|, emulated − exact [mmag]", ylabel="galaxies")
axes[1].legend()
save(figure, "emulated_stochastic")

# %% [markdown]
# ## Spectra
#
# `spectrum_compact` has the whole spectrum: the exact equations on a grid of few eigenspectra. With
#
#     SEDModel = lambda spec, ssp, observation=None: emulator.load(
#         "spectrum_compact", spec=spec, observation=observation)
#
# all of notebook 09 runs on it as it stands. Its three sweeps of spectra, one panel each, and
# below each what the emulated spectra are off by.

# %%
SPECTRAL = {
    name: prior if name != "met_logzsol" else Fixed(-0.3)
    for name, prior in GALAXY.items()
    if name != "dust_tau_diff"
}
LAWS = ("calzetti", "cardelli", "smc", "lmc", "noll09")


def spectra(spec, params):
    """Return rest wavelengths, and spectra of both models for some parameters."""
    fast = tengri.load_model("spectrum_compact", spec=spec)
    found = fast.predict_rest_sed_batch(params)
    exact_sed = fast.exact_model().predict_rest_sed_batch(params).sed
    return np.asarray(found.wavelength), np.asarray(exact_sed), np.asarray(found.sed)


def panel(axes, found, labels, reach):
    """Draw exact (lines) and emulated (dots) spectra, and their difference below."""
    wave, exact_sed, emulated_sed = found
    shown = (wave >= reach[0]) & (wave <= reach[1])
    for i, label in enumerate(labels):
        colour = f"C{i}"
        axes[0].plot(wave[shown], (exact_sed[i] / wave)[shown], color=colour, lw=1.2, label=label)
        axes[0].plot(wave[shown][::9], (emulated_sed[i] / wave)[shown][::9], ".", ms=2, color="k")
        axes[1].plot(wave[shown], 100.0 * (emulated_sed[i] / exact_sed[i] - 1.0)[shown], lw=0.7,
                     color=colour)  # fmt: skip
    axes[0].set(xscale="log", yscale="log", ylabel="λF$_λ$ (any unit)")
    axes[0].legend(fontsize=7)
    axes[1].set(xscale="log", xlabel="rest wavelength [Å]", ylabel="Δ [%]")


figure, axes = plt.subplots(2, 3, figsize=(13, 5), sharex="col", height_ratios=(3, 1),
                            layout="constrained")  # fmt: skip
depths = np.array([0.0, 0.3, 0.7, 1.5, 3.0])
dust_spec = Parameters(**SPECTRAL, dust_tau_diff=Uniform(0.0, 3.0))
panel(axes[:, 0], spectra(dust_spec, {"dust_tau_diff": depths}),
      [f"τ = {depth:g}" for depth in depths], (1000.0, 1e4))  # fmt: skip

at_rest = {**SPECTRAL, "redshift": Fixed(0.0)}
by_law = [spectra(Parameters(**at_rest, dust_law_diff=law, dust_tau_diff=(0.0, 1.0)),
                  {"dust_tau_diff": np.array([0.7])}) for law in LAWS]  # fmt: skip
panel(axes[:, 1], (by_law[0][0], *(np.concatenate(s) for s in zip(*(x[1:] for x in by_law)))),
      LAWS, (1000.0, 1e4))  # fmt: skip

luminosities = np.array([9.0, 10.0, 11.0, 12.0, 13.0])
agn_spec = Parameters(**SPECTRAL, dust_tau_diff=Fixed(0.3), agn_model="standard",
                      agn_log_lbol=Uniform(8.0, 14.0))  # fmt: skip
panel(axes[:, 2], spectra(agn_spec, {"agn_log_lbol": luminosities}),
      [f"log L = {value:g}" for value in luminosities], (1000.0, 1e6))  # fmt: skip
for ax, title in zip(axes[0], ("diffuse optical depth", "dust law", "luminosity of the nucleus")):
    ax.set_title(title)
save(figure, "emulated_spectra")

# %% [markdown]
# The NIRCam track of notebook 09 through the same surrogate, at any redshift and in any band.

# %%
nircam_spec = Parameters(
    sfh_tsnorm_log_peak_sfr=Fixed(1.0),
    sfh_tsnorm_peak_lbt_gyr=Fixed(0.3),
    sfh_tsnorm_width_gyr=Fixed(0.2),
    sfh_tsnorm_skew=Fixed(0.0),
    sfh_tsnorm_trunc=Fixed(3.0),
    met_logzsol=Fixed(-0.5),
    dust_tau_bc=Fixed(0.3),
    dust_tau_diff=Fixed(0.2),
    dust_slope=Fixed(-0.7),
    redshift=Uniform(0.5, 8.0),
)
of_spectra = tengri.load_model(
    "spectrum_compact", spec=nircam_spec, observation=Instrument.JWST_NIRCam().observation()
)
track = compare(of_spectra.exact_model(), of_spectra, track=np.linspace(0.5, 8.0, 64))
show("NIRCam track, from spectra", track)
save(track.plot(), "emulated_track_spectra")
