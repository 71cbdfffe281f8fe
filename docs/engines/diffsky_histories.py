"""Star-formation histories of diffsky mocks (OpenCosmo) in, magnitudes out.

    python docs/engines/diffsky_histories.py MOCK.h5 OUT.h5 [--bands lsst]
    python docs/engines/diffsky_histories.py demo MOCK.h5 [--rows 2000]  # needs diffstar

MOCK.h5 holds what diffsky's mocks hold or make: ``t_table`` (n_t,), cosmic times [Gyr],
``sfh_table`` (n, n_t), star-formation rates there [Msun/yr], ``redshift_true`` (n,), and, where
they have them, ``lg_met_mean``: log10 of the metal fraction Z of their stars. A history is cut at
the age of the universe where the galaxy is seen, turned into lookback time, and given to the exact
model as a table; its mass is the integral of the table itself.
"""

import argparse

import h5py
import numpy as np

import tengri
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.cosmology import default_cosmology

#: Times of the tables [shares of the age at the redshift]: young stars need fine ones.
SHARES = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 119)])
ROWS = 4096


def histories(t: np.ndarray, sfr: np.ndarray, age: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parameters of tabulated histories.

    Parameters
    ----------
    t : array (n_t,)
        Cosmic times [Gyr], ascending.
    sfr : array (n, n_t)
        [Msun/yr].
    age : array (n,)
        Age of the universe at the redshift of each galaxy [Gyr].
    """
    lookback = age[:, None] * SHARES
    rate = np.stack([np.interp(a - back, t, one) for a, back, one in zip(age, lookback, sfr)])
    mass = 1e9 * np.trapezoid(rate, lookback, axis=1)
    return {"sfh_table_t_gyr": lookback, "sfh_table_sfr": np.maximum(rate, 0.0),
            "sfh_table_log_total_mass": np.log10(mass)}  # fmt: skip


def predict(source: str, out: str, bands: str) -> None:
    """Write magnitudes of a mock, in its order."""
    cosmology = default_cosmology()
    ssp = tengri.load_ssp_data()
    with h5py.File(source) as mock, h5py.File(out, "w") as made:
        t, z = mock["t_table"][:], mock["redshift_true"][:]
        age = np.asarray(cosmology.age_gyr(z), float)
        spec = tengri.Parameters(
            mean_sfh_type="table", sfh_table_t_gyr=age[0] * SHARES,
            sfh_table_sfr=np.ones(len(SHARES)), sfh_table_log_total_mass=10.0,
            met_logzsol=0.0, dust_tau_diff=0.3, dust_tau_bc=0.3,
            redshift=(float(0.99 * z.min()), float(1.01 * z.max())),
        )  # fmt: skip
        seen = getattr(tengri.Instrument, bands.upper())().observation()
        model = tengri.SEDModel(spec, ssp, seen, cosmology=cosmology, units="mag_ab")
        for name in model.filter_names:
            made.create_dataset(name, z.shape, np.float32)
        for first in range(0, len(z), ROWS):
            some = slice(first, first + ROWS)
            given = histories(t, mock["sfh_table"][some], age[some]) | {"redshift": z[some]}
            if "lg_met_mean" in mock:
                z_metal = np.clip(mock["lg_met_mean"][some], *ssp.ssp_lgmet[[0, -1]])
                given["met_logzsol"] = z_metal - LOG10_ZSUN
            magnitudes = np.asarray(model.predict_photometry_batch(given))
            for i, name in enumerate(model.filter_names):
                made[name][some] = magnitudes[:, i]
        print(f"{out}: {len(z)} galaxies in {', '.join(model.filter_names)}")


def demo(out: str, rows: int) -> None:
    """Write histories of diffstar with scatter about its default galaxy, as diffsky makes them."""
    from diffmah import DEFAULT_MAH_PARAMS
    from diffstar import DEFAULT_DIFFSTAR_PARAMS, calc_sfh_galpop

    rng = np.random.default_rng(7)
    t = np.linspace(0.1, 13.8, 100)
    halo = DEFAULT_MAH_PARAMS._replace(
        **{name: value + 0.1 * rng.normal(size=rows) for name, value
           in DEFAULT_MAH_PARAMS._asdict().items() if name != "t_peak"},
        t_peak=np.full(rows, DEFAULT_MAH_PARAMS.t_peak),
    )  # fmt: skip
    stars = DEFAULT_DIFFSTAR_PARAMS._replace(
        **{name: value + 0.1 * rng.normal(size=rows)
           for name, value in DEFAULT_DIFFSTAR_PARAMS._asdict().items()}
    )  # fmt: skip
    sfh = calc_sfh_galpop(stars, halo, t, lgt0=np.log10(13.8), fb=0.156)
    with h5py.File(out, "w") as mock:
        mock["t_table"], mock["sfh_table"] = t, np.asarray(sfh, np.float32)
        mock["redshift_true"] = rng.uniform(0.05, 1.0, rows)
    print(f"{out}: {rows} histories")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--bands", default="lsst")
    parser.add_argument("--rows", type=int, default=2000)
    args = parser.parse_args()
    if args.source == "demo":
        demo(args.out, args.rows)
    else:
        predict(args.source, args.out, args.bands)


if __name__ == "__main__":
    main()
