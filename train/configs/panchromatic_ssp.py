"""GALEX to WISE, 25 bands, redshift 0.01–3, any star-formation history, dust emission.

    tengri train panchromatic_ssp

A minute of training on an H200, or an hour on one core: |Δm| is 1.0 / 1.6 / 4.4 / 8.4 / 19 mmag at
50 / 68 / 95 / 99 / 99.9 % of fresh draws from six families of histories
(`checkpoints/panchromatic`). The spectrum of the dust is exact: the surrogate serves any
`dust_emission` and all of its parameters.
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("GALEX", "SDSS", "PANSTARRS", "VISTA", "SPITZER_IRAC", "WISE"),
        parameters={
            "sfh_dpl_log_peak_sfr": (-1.0, 3.0),
            "sfh_dpl_alpha": (0.1, 5.0),
            "sfh_dpl_beta": (0.1, 3.0),
            "sfh_dpl_tau_gyr": (0.1, 12.0),
            "met_logzsol": (-2.0, 0.2),
            "dust_tau_bc": (0.0, 4.0),
            "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3),
            "dust_emission": "dl07",
            "dust_qpah": (0.5, 4.5),
            "dust_umin": {"kind": "LogUniform", "lo": 0.1, "hi": 25.0},
            "dust_gamma_dl": {"kind": "LogUniform", "lo": 1e-3, "hi": 0.3},
            "redshift": (0.01, 3.0),
        },
    ),
    data=Data(pool=32768, reuse=96, chunk=256),
    network=Network(
        target="ssp_photometry",
        width=192,
        depth=2,
        knots=1024,
        components=24,
        by_band=True,
        tables=("met_logzsol",),
    ),
    optimiser=Optimiser(batch=1024, learning_rate=2e-2),
    run=Run(steps=11000),
)
