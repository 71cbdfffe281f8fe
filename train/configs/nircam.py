"""JWST NIRCam, eight wide bands, redshift 0.01–8: all parameters free.

    tengri train nircam

Twenty minutes of training on two cores. After twelve (10 987 steps) |Δm| was 3.7 / 5.8 / 17 / 35 /
92 mmag at 50 / 68 / 95 / 99 / 99.9 % of fresh prior draws (`checkpoints/jwst_nircam_tsnorm`).
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("JWST_NIRCam",),
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
            "redshift": (0.01, 8.0),
        },
    ),
    data=Data(pool=65536),
    network=Network(name="resmlp", width=256, depth=2, knots=256, features=16),
    optimiser=Optimiser(batch=1024, learning_rate=2e-2),
    run=Run(minutes=20.0),
)
