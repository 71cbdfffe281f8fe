"""Train a surrogate for your own bands and priors. A script and a notebook (jupytext)."""

# %% [markdown]
# # Train a surrogate for your filters
#
# A configuration names bands, priors and how long to train; `tengri train FILE` does the rest.
# Here the same from Python, for three bands and four parameters, in seconds. For a surrogate that
# you would use, give it minutes: the shipped `sdss` configuration is a starting point.

# %%
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import tengri
from tengri.analysis.compare import compare

CONFIG = """
[model]
bands = ["sdss_g", "sdss_r", "2mass_j"]

[model.parameters]
sfh_delayed_tau_frac = [0.05, 1.0]
sfh_delayed_age_frac = [0.1, 0.95]
sfh_delayed_log_total_mass = [8.0, 12.0]
met_logzsol = [-1.0, 0.2]
dust_tau_bc = 0.5
dust_tau_diff = [0.0, 2.0]
redshift = [0.02, 0.3]

[data]
pool = 4096

[network]
width = 64
depth = 2

[run]
minutes = 0.25
evaluation_rows = 4000
"""

folder = Path(tempfile.mkdtemp())
(folder / "mine.toml").write_text(CONFIG)

# %% [markdown]
# `--dry-run` first: parameters, bands, network, measured speed, time and disk; nothing is written.

# %%
program = [sys.executable, "-m", "tengri"]
print(subprocess.check_output([*program, "train", "mine.toml", "--dry-run"], cwd=folder, text=True))

# %%
subprocess.run([*program, "train", "mine.toml", "--out", "run"], cwd=folder, check=True)
report = json.loads((folder / "run" / "report" / "report.json").read_text())
print(
    "|Δm| at 50, 95, 99 % [mmag]:", [report["accuracy"]["pooled"][q] for q in ("p50", "p95", "p99")]
)

# %% [markdown]
# The artefact is one file. It knows its ranges, bands, accuracy and the SSP grid it stands for.

# %%
surrogate = tengri.load_model(folder / "run")
print(surrogate.summary())
magnitudes = surrogate.predict_magnitudes(
    {
        "sfh_delayed_tau_frac": 0.3,
        "sfh_delayed_age_frac": 0.8,
        "sfh_delayed_log_total_mass": 10.5,
        "met_logzsol": -0.2,
        "dust_tau_diff": 0.4,
        "redshift": 0.1,
    }
)
print(dict(zip(surrogate.filter_names, np.round(np.asarray(magnitudes), 3))))

# %% [markdown]
# Against the exact model, on fresh draws:

# %%
comparison = compare(surrogate.exact_model(), surrogate, n_draws=500)
print({q: round(comparison.numbers()["pooled"][q], 2) for q in ("p50", "p95", "p99")})
