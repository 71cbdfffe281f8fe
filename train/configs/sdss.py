"""SDSS ugriz, redshift 0.01–1, skewed-normal histories, two-component dust: all free.

    tengri train sdss

Five minutes of training, generation included, and about one of evaluation on two cores. The
published one (`checkpoints/sdss_tsnorm`) had 45 000 steps, 14 minutes of one core, with ``--set
run.steps=45000 --set data.reuse=8``: |Δm| is 1.9 / 2.9 / 7.7 / 14 / 28 mmag at 50 / 68 / 95 / 99 /
99.9 % of fresh prior draws, worst for very short bursts (sfh_tsnorm_width_frac below 0.06).

The activation is `smoothstep`, for speed: about as accurate as a GELU here, where one with long
algebraic tails, as cheap, stayed half as accurate.
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("SDSS",),
        parameters={
            "sfh_tsnorm_log_peak_sfr": (-1.0, 3.0),
            "sfh_tsnorm_peak_lbt_frac": (0.02, 0.95),
            "sfh_tsnorm_width_frac": (0.014, 0.5),
            "sfh_tsnorm_skew": (-1.0, 1.0),
            "sfh_tsnorm_trunc": (1.0, 10.0),
            "met_logzsol": (-2.0, 0.2),
            "dust_tau_bc": (0.0, 4.0),
            "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3),
            "redshift": (0.01, 1.0),
        },
    ),
    data=Data(pool=65536),
    network=Network(
        width=128, depth=2, activation="smoothstep", knots=256, tables=("met_logzsol",)
    ),
    optimiser=Optimiser(batch=1024, learning_rate=2e-2),
    run=Run(minutes=5.0),
)
