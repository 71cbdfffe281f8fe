"""SDSS as Parrot does it (Mathews+2023): 5 × 512 GELU, soft logarithms, NAdam in three steps.

    tengri train sdss_parrot

A baseline: it sees one family of histories, the default one of `sdss_ssp`, in the same box.
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
    data=Data(pool=65536),
    network=Network(name="mlp", width=512, depth=5, activation="gelu", redshift="none"),
    optimiser=Optimiser(name="nadam", learning_rate=1e-3, schedule="staged", batch=1024, ema=0.0),
    run=Run(minutes=12.0),
)
