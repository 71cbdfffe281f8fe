"""SDSS as Photulator does it (Alsing+2020): one 4 × 128 network per band, staged Adam.

    tengri train sdss_photulator

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
    network=Network(
        name="per_output", width=128, depth=4, activation="speculator", redshift="none"
    ),
    optimiser=Optimiser(
        name="adamw",
        learning_rate=1e-3,
        schedule="staged",
        batch=1024,
        late_batch=8192,
        late=0.3,
        ema=0.0,
    ),
    run=Run(minutes=12.0),
)
