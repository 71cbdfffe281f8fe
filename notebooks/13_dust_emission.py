"""Dust emission in WISE, Spitzer and Herschel bands. A script and a notebook (jupytext)."""

# %% [markdown]
# # What dust absorbs comes out again
#
# Three models give the shape of the infrared spectrum; the luminosity is what the screens absorb.
# Each parameter is swept below, in the rest-frame spectrum and in the bands of WISE, Spitzer and
# Herschel. Then the energy balance, and the cosmic microwave background, a setting (`cmb`).

# %%
import os
from pathlib import Path

import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.analysis.labels import parameter_label
from tengri.analysis.plotting import SWEEP_CMAPS, colours, setup_style, sweep_parameter
from tengri.analysis.sweeps import sweep_photometry
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.dust.emission.cmb import heated, seen_share
from tengri.constants import C_AA_PER_S, LSUN_ERG_S

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))
FAST = bool(os.environ.get("TENGRI_FAST"))


def save(figure, name):
    """Keep a figure."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", dpi=80)


ssp = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")  # no emission lines in the way
TELESCOPES = {
    "WISE": ("o", Instrument.WISE().filter_names),
    "Spitzer": ("s", (*Instrument.SPITZER_IRAC().filter_names, "spitzer_mips_24",
                      "spitzer_mips_70", "spitzer_mips_160")),
    "Herschel": ("D", Instrument.HERSCHEL().filter_names),
}  # fmt: skip
BANDS = [name for _, names in TELESCOPES.values() for name in names]
OBSERVATION = Instrument.from_names(BANDS).observation()
PIVOTS_UM = np.array([f.pivot for f in OBSERVATION.photometry.filters]) / 1e4

# 2 Msun/yr for 5 Gyr behind a good deal of dust
GALAXY = dict(
    sfh_const_log_total_mass=10.0,
    sfh_const_start_gyr=5.0,
    met_logzsol=-0.2,
    dust_tau_bc=1.0,
    dust_tau_diff=0.6,
    redshift=0.02,
)


def model_of(name, **changes):
    """Return the galaxy with one of the emission models."""
    return SEDModel(Parameters(**{**GALAXY, **changes}, dust_emission=name), ssp, OBSERVATION)


# %% [markdown]
# ## Sweeps
#
# Above: the spectrum, stars and dust, at a fixed absorbed luminosity. Below: the flux in each band
# over that of the default. All curves of a panel have one area: where one band gains, others lose.

# %%
SWEEPS = {
    "dl07": {
        "dust_umin": (0.1, 0.5, 1.0, 5.0, 25.0),
        "dust_qpah": (0.47, 1.2, 2.5, 3.5, 4.58),
        "dust_gamma_dl": (0.0, 0.01, 0.05, 0.2, 1.0),
    },
    "casey2012": {
        "dust_T": (20.0, 27.0, 35.0, 45.0, 60.0),
        "dust_beta_ir": (1.0, 1.3, 1.6, 2.0, 2.5),
        "dust_alpha_mir": (1.0, 1.5, 2.0, 2.5, 3.0),
        "dust_lambda_0_um": (50.0, 100.0, 200.0, 300.0, 400.0),
    },
    "modified_blackbody": {
        "dust_T": (20.0, 27.0, 35.0, 45.0, 60.0),
        "dust_beta_ir": (1.0, 1.3, 1.6, 2.0, 2.5),
    },
}


def draw_bands(ax, table, default):
    """Draw the flux of each swept value over the default's, band by band."""
    order = np.argsort(PIVOTS_UM)
    for row, colour in zip(table.flux, colours(len(table.flux), SWEEP_CMAPS["dust"])):
        ratio = row / default
        ax.plot(PIVOTS_UM[order], ratio[order], color=colour, lw=1.0)
        for marker, names in TELESCOPES.values():
            at = [BANDS.index(name) for name in names]
            ax.plot(PIVOTS_UM[at], ratio[at], marker, color=colour, ms=4)
    ax.set(xscale="log", yscale="log", xlim=(2.5, 800), xlabel="Pivot wavelength [µm]")


for name, parameters in SWEEPS.items():
    model = model_of(name)
    default = np.asarray(model.predict_photometry())
    fig, axes = plt.subplots(2, len(parameters), figsize=(4.2 * len(parameters), 7.0),
                             sharey="row", squeeze=False)  # fmt: skip
    for (above, below), (parameter, values) in zip(axes.T, parameters.items()):
        sweep_parameter(model, parameter, values, ax=above, cmap=SWEEP_CMAPS["dust"],
                        label_fmt="{:g}", wave_range=(2e4, 1e7), log_scale=True,
                        normalize_at=None)  # fmt: skip
        above.set(
            title=parameter_label(parameter),
            ylim=(1e5, 3e10),
        )
        above.legend(fontsize=8, ncol=2, loc="lower left")
        draw_bands(below, sweep_photometry(model, parameter, values), default)
        below.axhline(1.0, color="0.6", lw=0.7, zorder=0)
    for ax in (*axes[0, 1:], *axes[1, 1:]):
        ax.set_ylabel("")
    axes[1, 0].set_ylabel("Flux over that of the default")
    for label, (marker, _) in TELESCOPES.items():
        axes[1, 0].plot([], [], marker, color="0.4", ms=4, label=label)
    axes[1, 0].legend(fontsize=8)
    fig.suptitle(name)
    fig.tight_layout()
    save(fig, f"dust_{name}")

# %% [markdown]
# ## Energy balance
#
# ν L_ν over a logarithmic axis: equal areas are equal luminosities. What is missing between the
# stars without dust (dashed) and the stars behind it is what the dust radiates.

# %%
model = model_of("dl07")
clear = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0}
parts = {k: np.asarray(v, float) for k, v in model.predict_rest_components_batch(
    {name: np.array([GALAXY[name], bare]) for name, bare in clear.items()}).items()}  # fmt: skip
wave = model.galaxy.wave
power = {k: v * C_AA_PER_S / wave / LSUN_ERG_S / 1e9 for k, v in parts.items()}  # 1e9 Lsun
behind, bare, dust = power["stars"][0], power["stars"][1], power["dust"][0]

fig, ax = plt.subplots(figsize=(9, 4))
um = wave / 1e4
ax.fill_between(um, behind, bare, color="C0", alpha=0.25, lw=0, label="absorbed")
ax.fill_between(um, 0.0, dust, color="C3", alpha=0.25, lw=0, label="radiated")
ax.plot(um, bare, "k--", lw=0.9, label="stars without dust")
ax.plot(um, behind, color="C0", lw=1.2, label="stars behind dust")
ax.plot(um, dust, color="C3", lw=1.2, label="dust")
ax.set(xscale="log", xlim=(0.05, 1000), ylim=(0, 1.15 * bare.max()),
       xlabel="Rest wavelength [µm]", ylabel=r"$\nu L_\nu$ [10$^9$ L$_\odot$]")  # fmt: skip
ax.legend(fontsize=9)
fig.tight_layout()
save(fig, "dust_energy_balance")


def luminosity(lnu, wave):
    """Integrate L_ν [erg/s/Hz] at ``wave`` [Å] over frequency: Lsun, (n,)."""
    return -np.trapezoid(np.asarray(lnu, float), C_AA_PER_S / wave, axis=-1) / LSUN_ERG_S


taus = np.array([0.1, 0.5, 1.0, 2.0])
screens = {"dust_tau_diff": taus, "dust_tau_bc": np.full(4, 1.0)}
for law in ("calzetti",) if FAST else LAWS:
    balance = []
    for emission in EMISSION_MODELS:
        seen = model_of(emission, dust_law=law)
        light = seen.predict_rest_components_batch(screens)
        unseen = seen.predict_rest_components_batch({k: 0.0 * v for k, v in screens.items()})
        wave = seen.galaxy.wave  # with the nodes of the templates, where it has some
        absorbed = luminosity(unseen["stars"], wave) - luminosity(light["stars"], wave)
        balance.append(np.abs(luminosity(light["dust"], wave) / absorbed - 1.0).max())
    shown = ", ".join(f"{e}: {b:.1e}" for e, b in zip(EMISSION_MODELS, balance))
    print(f"|L_IR / L_absorbed - 1| with {law}: {shown}")

# %% [markdown]
# ## The cosmic microwave background
#
# It heats dust, and it is the background against which dust is seen (da Cunha et al. 2013). With
# `cmb="none"`, the default, models leave both out: `dust_T` then is T(z), and observed fluxes are
# to be divided by the share that is seen. With `cmb="dacunha13"` both are in, and `dust_T` is the
# temperature at z = 0. Warm dust below z = 2 loses less than a per cent.

# %%
redshift = np.linspace(0.0, 10.0, 101)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
temperatures = (20.0, 27.0, 35.0, 50.0)
for temperature, colour in zip(temperatures, colours(len(temperatures))):
    t_dust = np.asarray(heated(temperature, 1.6, redshift))
    for observed_um, style in ((850.0, "-"), (350.0, "--")):
        share = seen_share(observed_um * 1e4 / (1.0 + redshift), t_dust, redshift)
        label = f"{temperature:g} K" if style == "-" else None
        left.plot(redshift, share, style, color=colour, label=label)
    right.plot(redshift, t_dust, color=colour)
right.plot(redshift, 2.7255 * (1.0 + redshift), "k:", label="background")
left.plot([], [], "k-", label="850 µm")
left.plot([], [], "k--", label="350 µm")
left.set(
    xlabel="Redshift", ylabel="Share of the dust's flux that is seen", xlim=(0, 10), ylim=(0, 1.02)
)
right.set(xlabel="Redshift", ylabel="Temperature of the dust [K]", xlim=(0, 10), ylim=(0, 60))
left.legend(fontsize=8, ncol=2, loc="lower left")
right.legend(fontsize=9)
fig.tight_layout()
save(fig, "dust_cmb")
