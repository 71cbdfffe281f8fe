"""SDSS ugriz, redshift 0.01–1, any star-formation history: metals, dust and its slope free.

    tengri train sdss_ssp

Half an hour of training on one core: |Δm| is 0.14 / 0.22 / 0.60 / 1.1 / 2.2 mmag at 50 / 68 / 95 /
99 / 99.9 % of fresh draws from six families of histories (`checkpoints/sdss`).
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("SDSS",),
        parameters={
            "sfh_dpl_log_peak_sfr": (-1.0, 3.0),
            "sfh_dpl_alpha": (0.1, 5.0),
            "sfh_dpl_beta": (0.1, 3.0),
            "sfh_dpl_tau_gyr": (0.1, 12.0),
            "met_logzsol": (-2.0, 0.2),
            "dust_tau_bc": (0.0, 4.0),
            "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3),
            "redshift": (0.01, 1.0),
        },
    ),
    data=Data(pool=65536, reuse=64),
    network=Network(
        target="ssp_photometry",
        width=112,
        activation="smoothstep",
        depth=2,
        knots=512,
        components=32,
        by_band=True,
        tables=("met_logzsol",),
    ),
    optimiser=Optimiser(batch=1024, learning_rate=2e-2),
    run=Run(steps=57788),
)
