"""Five bands and four free parameters, small enough for tests and for trying things out.

    tengri train tiny

About half a minute on two cores, most of it compiling; then |Δm| is 2.7 / 7.9 / 11 mmag at
50 / 95 / 99 % of its small box.
"""

from train.config import Config, Data, Model, Network, Optimiser, Run

CONFIG = Config(
    model=Model(
        instruments=("SDSS",),
        parameters={
            "sfh_tsnorm_log_peak_sfr": 1.0,
            "sfh_tsnorm_peak_lbt_frac": (0.1, 0.9),
            "sfh_tsnorm_width_frac": 0.2,
            "sfh_tsnorm_skew": 0.0,
            "sfh_tsnorm_trunc": 3.0,
            "met_logzsol": (-1.0, 0.2),
            "dust_tau_bc": 0.5,
            "dust_tau_diff": (0.0, 1.0),
            "dust_slope": -0.7,
            "redshift": (0.02, 0.2),
        },
    ),
    data=Data(pool=1024, reuse=8, chunk=256),
    network=Network(width=32, depth=2, knots=16, features=4),
    optimiser=Optimiser(batch=256, late_batch=256),
    run=Run(
        steps=400,
        validation_rows=256,
        evaluation_rows=512,
        dispatch=32,
        validate_seconds=1.0,
        log_seconds=1.0,
        timing_rows=0,
        jacobian_rows=0,
    ),
)
