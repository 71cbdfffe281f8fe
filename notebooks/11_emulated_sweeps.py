"""The sweeps of notebook 09 through both models. A script and a notebook (jupytext)."""

# %% [markdown]
# # The same sweeps, emulated
#
# Every function of `tengri.analysis.sweeps` takes any photometric model. Below, the same lines run
# on the exact model and on a published surrogate, at the parameter values of notebook 09. The
# surrogate learnt times as fractions of the age of the Universe; it takes them in Gyr as well.

# %%
import os
from pathlib import Path

import matplotlib

matplotlib.use(os.environ.get("MPLBACKEND", "Agg"))
import matplotlib.pyplot as plt
import numpy as np

import emulator
from tengri import Fixed, Parameters, Uniform
from tengri.analysis.compare import compare
from tengri.analysis.plotting import setup_style

setup_style()
FIGURES = Path(os.environ.get("TENGRI_FIGURES", "docs/figures"))


def save(figure, name):
    """Keep a figure."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", dpi=80)
    plt.close(figure)


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
emulated = emulator.load("sdss", spec=Parameters(**GALAXY))
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
    redshift=Uniform(0.5, 8.0),
)
nircam = emulator.load("jwst_nircam", spec=track_spec)
track = compare(nircam.exact_model(), nircam, track=np.linspace(0.5, 8.0, 64))
show("NIRCam track", track)
save(
    track.plot_colours(x=("jwst_f277w", "jwst_f444w"), y=("jwst_f150w", "jwst_f277w")),
    "emulated_track_nircam",
)
