"""Rubin/LSST ugrizy, redshift 0.01–3, any star-formation history.

    tengri train lsst_ssp

Less than a minute of training on an H200: |Δm| is 0.65 / 1.0 / 3.2 / 6.4 / 14 mmag at 50 / 68 / 95
/ 99 / 99.9 % of fresh draws from six families of histories (`checkpoints/lsst`); u behind thick
dust at z > 2, which only its red edge sees, is the hardest.
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("LSST",),
        parameters={
            "sfh_dpl_log_peak_sfr": (-1.0, 3.0),
            "sfh_dpl_alpha": (0.1, 5.0),
            "sfh_dpl_beta": (0.1, 3.0),
            "sfh_dpl_tau_gyr": (0.1, 12.0),
            "met_logzsol": (-2.0, 0.2),
            "dust_tau_bc": (0.0, 4.0),
            "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3),
            "redshift": (0.01, 3.0),
        },
    ),
    data=Data(pool=32768, reuse=96),
    network=Network(
        target="ssp_photometry",
        width=192,
        depth=2,
        knots=1024,
        components=32,
        by_band=True,
        tables=("met_logzsol",),
    ),
    optimiser=Optimiser(batch=1024, learning_rate=2e-2),
    run=Run(steps=12000),
)
