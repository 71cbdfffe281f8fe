"""Parameter sweeps: what each knob of the exact model does. A script and a notebook (jupytext)."""

# %% [markdown]
# # Parameter sweeps
#
# Vary one knob, plot a fan. The exact model is JAX, so a whole sweep is one compiled, vectorised
# call. The emulated model has the same calls: `11_emulated_sweeps.py` repeats this page with it.

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

jax.config.update("jax_enable_x64", True)

import tengri
from tengri import Fixed, Instrument, Parameters, SEDModel, Uniform, load_ssp_data
from tengri.analysis.plotting import SWEEP_CMAPS, setup_style, sweep_parameter
from tengri.analysis.plotting.sweep import wavelength_axis
from tengri.analysis.style import LINE_STYLES
from tengri.components.agn import AGN_MODELS
from tengri.components.stellar.sfh import compute_field_gp, sample_sfh_prior
from tengri.components.stellar.sfh.gp_sfh import make_log_age_grid

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))


def save(name):
    """Keep the current figure."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    plt.gcf().savefig(FIGURES / f"{name}.png", dpi=80)


print(f"tengri {tengri.__version__}")
ssp = load_ssp_data()

# %% [markdown]
# ## One parameter
#
# All values of the sweep go through one vectorised call. The ordinate is λF_λ ∝ L_ν/λ, 1 at 5500 Å.
# A diffuse screen reddens the continuum; it hardly touches the 4000 Å break, because it dims both
# sides alike. Emission lines are narrower than the plot can show and run out of it.

# %%
spec_sf = Parameters(
    sfh_tsnorm_log_peak_sfr=Fixed(1.0),
    sfh_tsnorm_peak_lbt_gyr=Fixed(2.0),
    sfh_tsnorm_width_gyr=Fixed(1.5),
    sfh_tsnorm_skew=Fixed(0.2),
    sfh_tsnorm_trunc=Fixed(3.0),
    met_logzsol=Fixed(-0.3),
    dust_tau_bc=Fixed(0.5),
    dust_tau_diff=Fixed(0.3),
    dust_slope=Fixed(-0.7),
    redshift=Fixed(0.1),
)
model_sf = SEDModel(spec_sf, ssp)

fig, ax = sweep_parameter(
    model_sf,
    "dust_tau_diff",
    [0.0, 0.3, 0.7, 1.5, 3.0],
    cmap=SWEEP_CMAPS["dust"],
    label_fmt=r"$\tau_{{\rm diff}}$ = {:.1f}",
    wave_range=(1000, 10000),
)
ax.set_title("Diffuse-ISM optical depth: a redder continuum")
fig.tight_layout()
save("sweep_dust")

# %% [markdown]
# ## A prior fan
#
# What does a prior allow? Draws of a star-formation history, straight from the registry. The double
# power law (Carnall et al. 2018) rises as a power of cosmic time and falls as another.

# %%
age_grid_yr, curves = sample_sfh_prior(
    "dpl",  # double-power-law SFH (Carnall+2018)
    jax.random.PRNGKey(0),
    n=24,
)

fig, ax = plt.subplots(figsize=(9, 4))
age_gyr = np.asarray(age_grid_yr) / 1e9
viridis = plt.get_cmap("viridis")
for i, c in enumerate(np.asarray(curves)):
    ax.plot(age_gyr, c, color=viridis(0.05 + 0.8 * i / len(curves)), lw=1.0, alpha=0.85)
ax.set_xlim(0, 13.8)
ax.set_xlabel("Lookback time [Gyr]")
ax.set_ylabel(r"SFR(t) [M$_\odot$/yr]")
ax.set_title(r"24 prior draws from $\tt{dpl}$ — what the registry default actually allows")
fig.tight_layout()
save("fan_dpl")

# %% [markdown]
# Override some priors to narrow the fan:

# %%
_, narrow = sample_sfh_prior(
    "dpl",
    jax.random.PRNGKey(0),
    n=24,
    sfh_dpl_alpha=Uniform(0.5, 1.5),  # default is Uniform(0.1, 5.0)
    sfh_dpl_tau_gyr=Uniform(2.0, 4.0),  # default is Uniform(0.1, 12.0)
)

fig, ax = plt.subplots(figsize=(9, 4))
for i, c in enumerate(np.asarray(narrow)):
    ax.plot(age_gyr, c, color=viridis(0.05 + 0.8 * i / len(narrow)), lw=1.0, alpha=0.85)
ax.set_xlim(0, 13.8)
ax.set_xlabel("Lookback time [Gyr]")
ax.set_ylabel(r"SFR(t) [M$_\odot$/yr]")
ax.set_title(r"Same family, tightened priors on $\alpha$ and $\tau$")
fig.tight_layout()
save("fan_dpl_narrow")

# %% [markdown]
# ## Instruments
#
# Named sets of bands with their curves.

# %%
for inst_factory in (Instrument.SDSS, Instrument.JWST_NIRCam, Instrument.WISE):
    inst = inst_factory()
    print(f"  {inst.name:14s} {inst.photometry.n_filters} bands  {inst.description}")

# %% [markdown]
# ## Two parameters
#
# A 16 × 16 grid of metallicity and dust is one batch. For this young galaxy dust sets g − r, and
# metallicity adds a little only towards solar; older galaxies redden with both, which is why broad
# bands alone confuse the two.

# %%
spec_grid = Parameters(
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
inst_sdss = Instrument.SDSS()
model_grid = SEDModel(spec_grid, ssp, observation=inst_sdss.observation())

n_z, n_d = 16, 16
met_axis = jnp.linspace(-1.5, 0.0, n_z)
dust_axis = jnp.linspace(0.0, 1.5, n_d)
mm, dd = jnp.meshgrid(met_axis, dust_axis, indexing="ij")

# Build the batch dict: shape (n_z * n_d,) on the swept keys, broadcast
# the fixed values to match.
base = spec_grid.sample(jax.random.PRNGKey(0))
n_total = n_z * n_d
params_batch = {}
for k, v in base.items():
    v = jnp.asarray(v)
    if k == "met_logzsol":
        params_batch[k] = mm.reshape(-1)
    elif k == "dust_tau_diff":
        params_batch[k] = dd.reshape(-1)
    else:
        params_batch[k] = jnp.broadcast_to(v, (n_total, *v.shape))

flux = model_grid.predict_photometry_batch(params_batch)  # (256, 5) for SDSS
flux = flux.reshape(n_z, n_d, -1)  # (n_z, n_d, n_filters)

i_g = inst_sdss.filter_names.index("sdss_g")
i_r = inst_sdss.filter_names.index("sdss_r")
g_minus_r = -2.5 * (jnp.log10(flux[..., i_g]) - jnp.log10(flux[..., i_r]))

fig, ax = plt.subplots(figsize=(7, 5))
im = ax.imshow(
    np.asarray(g_minus_r).T,
    origin="lower",
    aspect="auto",
    extent=(float(met_axis[0]), float(met_axis[-1]), float(dust_axis[0]), float(dust_axis[-1])),
    cmap="viridis",
)
cbar = fig.colorbar(im, ax=ax, label=r"$g - r$ [mag]")
ax.set_xlabel(r"$\log_{10}(Z / Z_\odot)$")
ax.set_ylabel(r"$\tau_{\rm diff}$")
ax.set_title("SDSS $g-r$ across a 16 × 16 (metallicity, dust) grid")
fig.tight_layout()
save("grid_sdss")

# %% [markdown]
# ## A choice: the attenuation law
#
# Same optical depth at 5500 Å, five laws. The 2175 Å bump shows in Noll+2009 (E_b = 3 by default)
# and in the Milky Way curve, weakly in the LMC one, not in the SMC one, the steepest. The birth
# clouds keep their power law: `dust_law_diff` sets the diffuse component alone.

# %%
DUST_LAW_LABELS = {
    "calzetti": "Calzetti+2000",
    "cardelli": "Cardelli+1989 (MW)",
    "smc": "SMC (Pei+1992)",
    "lmc": "LMC (Pei+1992)",
    "noll09": "Noll+2009 (with bump)",
}
fig, ax = plt.subplots(figsize=(9, 4))
viridis = plt.get_cmap("viridis")
STYLES = (*LINE_STYLES, (0, (8, 2, 1, 2)))  # the laws lie close to each other
for i, (law_name, label) in enumerate(DUST_LAW_LABELS.items()):
    spec_law = Parameters(
        sfh_tsnorm_log_peak_sfr=Fixed(1.0),
        sfh_tsnorm_peak_lbt_gyr=Fixed(2.0),
        sfh_tsnorm_width_gyr=Fixed(1.5),
        sfh_tsnorm_skew=Fixed(0.2),
        sfh_tsnorm_trunc=Fixed(3.0),
        met_logzsol=Fixed(-0.3),
        dust_tau_bc=Fixed(0.5),
        dust_tau_diff=Fixed(0.7),
        dust_slope=Fixed(-0.7),
        dust_law_diff=law_name,  # <-- the categorical sweep
        redshift=Fixed(0.0),
    )
    model_law = SEDModel(spec_law, ssp)
    pred = model_law.predict_rest_sed(spec_law.sample(jax.random.PRNGKey(0)))
    wave = np.asarray(pred.wavelength)
    lnu = np.asarray(pred.sed)
    mask = (wave >= 1000) & (wave <= 10000)
    # Normalize at 5500 Å for side-by-side shape comparison.
    inorm = int(np.argmin(np.abs(wave - 5500.0)))
    y = (lnu / lnu[inorm]) * (wave[inorm] / wave)  # λF_λ ∝ L_ν/λ
    color = viridis(0.05 + 0.8 * i / max(len(DUST_LAW_LABELS) - 1, 1))
    ax.plot(wave[mask] / 1e4, y[mask], color=color, lw=1.6, ls=STYLES[i], label=label)

wavelength_axis(ax, (0.1, 1.0))
ax.set_ylim(0, 2.2)  # the continuum; emission lines run out of the figure
ax.set_ylabel(r"$\lambda F_\lambda$ (normalised at 5500 Å)")
ax.set_title(r"Diffuse-ISM dust law at fixed $\tau_{\rm diff} = 0.7$")
ax.legend(fontsize=9, ncol=2)
fig.tight_layout()
save("laws")

# %% [markdown]
# ## One galaxy across redshift
#
# Between z ≈ 5 and 7.6 the Balmer and 4000 Å breaks cross F277W (2.42–3.13 µm): F150W − F277W peaks
# and turns, and then F277W − F444W reddens. The Lyman break is not the cause: it enters F150W only
# at z ≈ 10.

# %%
inst_jwst = Instrument.JWST_NIRCam()
spec_z = Parameters(
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
model_z = SEDModel(spec_z, ssp, observation=inst_jwst.observation())

z_grid = jnp.linspace(0.5, 8.0, 64)
base_z = spec_z.sample(jax.random.PRNGKey(0))
batch_z = {
    k: jnp.broadcast_to(jnp.asarray(v), (z_grid.size, *jnp.asarray(v).shape))
    for k, v in base_z.items()
}
batch_z["redshift"] = z_grid
flux_z = model_z.predict_photometry_batch(batch_z)  # (64, 8 NIRCam bands)

i150 = inst_jwst.filter_names.index("jwst_f150w")
i277 = inst_jwst.filter_names.index("jwst_f277w")
i444 = inst_jwst.filter_names.index("jwst_f444w")
c1 = -2.5 * (jnp.log10(flux_z[:, i150]) - jnp.log10(flux_z[:, i277]))  # F150W - F277W
c2 = -2.5 * (jnp.log10(flux_z[:, i277]) - jnp.log10(flux_z[:, i444]))  # F277W - F444W

fig, ax = plt.subplots(figsize=(6.5, 5))
sc = ax.scatter(np.asarray(c2), np.asarray(c1), c=np.asarray(z_grid), cmap="viridis", s=28)
ax.plot(np.asarray(c2), np.asarray(c1), color="0.6", lw=0.8, alpha=0.7, zorder=0)
fig.colorbar(sc, ax=ax, label="redshift z")
ax.set_xlabel(r"F277W $-$ F444W")
ax.set_ylabel(r"F150W $-$ F277W")
ax.set_title("JWST NIRCam colour–colour track for one galaxy across z = 0.5–8")
fig.tight_layout()
save("track_nircam")

# %% [markdown]
# ## An active nucleus
#
# `agn_log_lbol` always sets the luminosity, from 1 µm to 10 keV. Disc and lines take over the
# ultraviolet, the torus the mid infrared; host dust does not redden the nucleus.

# %%
spec_agn = Parameters(
    sfh_tsnorm_log_peak_sfr=Fixed(1.0),
    sfh_tsnorm_peak_lbt_gyr=Fixed(2.0),
    sfh_tsnorm_width_gyr=Fixed(1.5),
    sfh_tsnorm_skew=Fixed(0.2),
    sfh_tsnorm_trunc=Fixed(3.0),
    met_logzsol=Fixed(-0.3),
    dust_tau_bc=Fixed(0.5),
    dust_tau_diff=Fixed(0.3),
    dust_slope=Fixed(-0.7),
    agn_model="standard",
    agn_log_lbol=Fixed(10.0),
    redshift=Fixed(0.05),
)
model_agn = SEDModel(spec_agn, ssp)

fig, ax = sweep_parameter(
    model_agn,
    "agn_log_lbol",
    [9.0, 10.0, 11.0, 12.0, 13.0],
    cmap=SWEEP_CMAPS["agn"],
    label_fmt=r"$\log L_{{\rm bol}}/L_\odot$ = {:.0f}",
    wave_range=(1000, 1e6),  # UV through MIR
    log_scale=True,
    normalize_at=None,  # show absolute scaling
)
ax.set_title("AGN turns up: same SF host, log L_bol = 9 → 13")
fig.tight_layout()
save("sweep_agn")

# %% [markdown]
# The default nucleus over published quasars: the continuum of Vanden Berk et al. (2001, α_ν = −0.44
# from 1300 to 5000 Å), that of Temple et al. (2021: power laws and a black body of 1240 K), α_ox of
# Just et al. (2007), and templates of Polletta et al. (2007), of the quarters of quasars that are
# brightest and faintest in the infrared (their light at 1 µm holds stars).

# %%
quasar = AGN_MODELS["standard"]
default = {p.name: p.default for p in quasar.params}
wave = np.unique(np.concatenate([np.geomspace(1.3, 3e6, 3000), quasar.nodes()]))
nu_lnu = np.asarray(quasar.spectrum(wave, default)) / wave
nu_lnu = nu_lnu / np.interp(5100.0, wave, nu_lnu)

fig, ax = plt.subplots(figsize=(8, 5))
ax.loglog(wave * 1e-4, nu_lnu, color="k", lw=1.0, label="standard, default parameters")
line = np.geomspace(1300.0, 5000.0, 50)
ax.plot(line * 1e-4, (line / 5100.0) ** (-1.0 + 0.44), lw=2, label="Vanden Berk et al. 2001")
line = np.geomspace(1200.0, 3e4, 300)
red = np.minimum(3880.0 / line, 1.0) ** 1.593
power_law = red * np.maximum(3880.0 / line, 1.0) ** 0.651 / (3880.0 / 5100.0) ** 1.593
hot = line**-4.0 / np.expm1(1.43878e8 / (1243.6 * line))
hot = 0.966 * hot / (2e4**-4.0 / np.expm1(1.43878e8 / (1243.6 * 2e4)))
ax.plot(line * 1e-4, power_law + hot, lw=2, label="Temple et al. 2021, continuum")
um = np.array([1.0, 2.0, 3.0, 6.0, 12.0, 22.0])
faint, bright = [0.52, 0.55, 0.65, 0.67, 0.67, 0.65], [0.91, 1.46, 2.08, 2.32, 2.23, 2.62]
ax.fill_between(um, faint, bright, alpha=0.25, label="Polletta et al. 2007")
lnu_2500 = np.interp(2500.0, wave, nu_lnu) * 2500.0
log_l = np.log10(lnu_2500 / 2.998e18 / 7.4) + default["agn_log_lbol"] + np.log10(3.828e33)
alpha = -0.140 * log_l + 2.705
x_ray = lnu_2500 * 10 ** (2.605 * alpha) / 6.2
ax.errorbar(6.2e-4, x_ray, yerr=0.6 * x_ray, fmt="o", color="tab:red", label="Just et al. 2007")
ax.set(xlim=(1e-4, 300.0), ylim=(0.02, 20.0), xlabel="rest wavelength [µm]")
ax.set(ylabel=r"$\nu L_\nu$ over that at 5100 Å", title="A quasar with default parameters")
ax.legend(fontsize=8)
fig.tight_layout()
save("quasar")

# %% [markdown]
# ## Stochastic histories
#
# An Ornstein–Uhlenbeck process in linear time modulates a mean history. σ: the rms of log10 SFR in
# dex, τ its correlation time; the mean of the modulator over many realisations is 1. On a grid that
# is logarithmic in age, neighbouring points are closer than τ at young ages, where the curve is
# smooth, and further apart at old ages, where every point is independent.

# %%
n_grid = 256
log_age = make_log_age_grid(n_grid=n_grid)
d_log = float(log_age[1] - log_age[0])
age_yr = 10.0 ** np.asarray(log_age)
age_gyr_field = age_yr / 1e9

# Fix sigma; sweep tau through three orders of magnitude.
sigma_dex = 0.5
tau_values_myr = [10.0, 50.0, 250.0, 1000.0]
n_realizations = 6

fig, axes = plt.subplots(
    1, len(tau_values_myr), figsize=(4 * len(tau_values_myr), 3.2), sharey=True
)
for ax, tau_myr in zip(axes, tau_values_myr):
    key = jax.random.PRNGKey(int(tau_myr))
    for r in range(n_realizations):
        xi = jax.random.normal(jax.random.fold_in(key, r), shape=(n_grid,))
        gp_x, k0_half = compute_field_gp(
            xi,
            psd_sigma=sigma_dex,
            psd_tau_yr=tau_myr * 1e6,
            n_grid=n_grid,
            d_log_age=d_log,
        )
        modulator = jnp.exp(gp_x - k0_half)  # mass-conserving lognormal
        ax.plot(
            age_gyr_field,
            np.asarray(modulator),
            lw=1.0,
            alpha=0.85,
            color=viridis(0.1 + 0.7 * r / max(n_realizations - 1, 1)),
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(1e-3, 14)
    ax.axhline(1.0, color="0.6", lw=0.7, ls="--", zorder=0)
    ax.set_xlabel("Lookback time [Gyr]")
    ax.set_title(rf"$\tau = {tau_myr:g}$ Myr")
axes[0].set_ylabel("Burstiness modulator (mean = 1)")
fig.suptitle(rf"PSD-driven stochastic SFH — fixed $\sigma = {sigma_dex}$ dex", y=1.02)
fig.tight_layout()
save("stochastic")

# %% [markdown]
# ## Batch against loop
#
# The same 256 galaxies as one batch, and as 256 calls of a jitted function.

# %%
n = 256
met_grid_1d = jnp.linspace(-1.5, 0.0, n)
base_t = spec_grid.sample(jax.random.PRNGKey(0))

# vmap path: build (n,)-batch dict, one compiled call.
batch_t = {
    k: jnp.broadcast_to(jnp.asarray(v), (n, *jnp.asarray(v).shape)) for k, v in base_t.items()
}
batch_t["met_logzsol"] = met_grid_1d
# Warm up (first call compiles).
_ = model_grid.predict_photometry_batch(batch_t).block_until_ready()
t0 = time.perf_counter()
for _ in range(5):
    _ = model_grid.predict_photometry_batch(batch_t).block_until_ready()
t_vmap = (time.perf_counter() - t0) / 5

# Python-loop path: one predict_photometry per value, JIT-cached.
jit_predict = jax.jit(model_grid.predict_photometry)
_ = jit_predict({**base_t, "met_logzsol": met_grid_1d[0]}).block_until_ready()
t0 = time.perf_counter()
for v in met_grid_1d:
    _ = jit_predict({**base_t, "met_logzsol": v}).block_until_ready()
t_loop = time.perf_counter() - t0

speedup = t_loop / t_vmap if t_vmap > 0 else float("inf")
print(f"  vmap ({n} galaxies): {t_vmap * 1e3:6.1f} ms")
print(f"  loop ({n} galaxies): {t_loop * 1e3:6.1f} ms")
print(f"  speedup: {speedup:5.1f}×")
