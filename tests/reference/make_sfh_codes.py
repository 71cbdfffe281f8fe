"""Write ``data/sfh_codes.json``: star-formation histories of bagpipes and prospector.

Not run by the tests. In an environment of its own:

    pip install bagpipes==1.3.6 astro-prospector==1.4.1 astro-sedpy
    python tests/reference/make_sfh_codes.py

Bagpipes (Carnall et al. 2018): SFR per mass formed at some lookback times, and the share of the
mass formed in bins of them. Its sampling of the history, 0.0025 dex, limits masses to some 1e-3.
Prospector (Johnson et al. 2021; Leja et al. 2017, 2019): mass per bin of the transforms.
"""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import bagpipes
import numpy as np
import prospect
from bagpipes.models.star_formation_history import star_formation_history
from prospect.models import transforms

OUTPUT = Path(__file__).parent / "data" / "sfh_codes.json"
BINS_GYR = [0.0, 0.05, 0.2, 1.0, 3.0, 6.0, 14.0]
TIMES_GYR = [0.003, 0.03, 0.15, 0.5, 1.2, 2.5, 4.0, 6.5]
# name of our family: component of bagpipes, its parameters, redshift
BAGPIPES = {
    "const": ("constant", {"age_max": 5.0, "age_min": 0.4}, 0.3),
    "tau": ("exponential", {"age": 7.0, "tau": 1.7}, 0.3),
    "exp": ("exponential", {"age": 9.9, "tau": -2.3}, 0.3),
    "delayed": ("delayed", {"age": 7.0, "tau": 1.7}, 0.3),
    "lnorm": ("lognormal", {"tmax": 4.0, "fwhm": 3.0}, 0.3),
    "dpl": ("dblplaw", {"alpha": 2.6, "beta": 0.7, "tau": 4.5}, 0.3),
}
RATIOS = [0.3, -0.2, 0.5, -0.4, 0.1, 0.7]
BROKEN = [0.9, 0.75, 0.8, 0.5, 0.6, 0.35]  # b_i of the stick, Beta deviates
EDGES_GYR = [0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 6.0, 13.7]
AGES_OF_UNIVERSE_GYR = [13.7, 5.75, 1.5, 0.64]
PSB = {"tlast": 0.35, "tflex": 2.0, "ratio_young": -1.3, "ratios": [0.4, -0.6, 0.2, 1.1],
       "ratios_old": [-0.3, 0.5, 0.2], "t_univ": 7.5}  # fmt: skip


def of_bagpipes(component: str, parameters: dict, redshift: float) -> dict:
    """Return the history of one component."""
    given = {"massformed": 10.0, "metallicity": 1.0, **parameters}
    history = star_formation_history({"redshift": redshift, component: given})
    ages, rate = history.ages / 1e9, history.sfh  # Gyr, Msun/yr
    mass = rate * history.age_widths
    at = [int(np.argmin(np.abs(ages - t))) for t in TIMES_GYR]
    return {
        "parameters": parameters,
        "t_univ_gyr": history.age_of_universe / 1e9,
        "lookback_gyr": ages[at].tolist(),
        "sfr_per_gyr": (rate[at] / mass.sum() * 1e9).tolist(),
        "share": (np.histogram(ages, BINS_GYR, weights=mass)[0] / mass.sum()).tolist(),
    }


def of_prospector() -> dict:
    """Return the masses in bins of a continuity and of a Dirichlet history of unit mass."""
    edges = np.array(EDGES_GYR) * 1e9
    bins = np.log10(np.stack([np.maximum(edges[:-1], 1.0), edges[1:]], axis=1))
    continuity = transforms.logsfr_ratios_to_masses(0.0, np.array(RATIOS), bins)
    dirichlet = transforms.zfrac_to_masses(1.0, np.array(BROKEN), bins)
    return {
        "edges_gyr": EDGES_GYR,
        "continuity": {"ratios": RATIOS, "mass": continuity.tolist()},
        "dirichlet": {"broken": BROKEN, "mass": dirichlet.tolist()},
        "edges_at": {str(t): edges_at(t) for t in AGES_OF_UNIVERSE_GYR},
        "psb": of_psb(),
    }


def edges_at(t_univ_gyr: float) -> list[float]:
    """Return the edges [Gyr] of seven bins at an age of the Universe."""

    class Cosmology:
        """Answers with that age."""

        @staticmethod
        def age(z: float) -> SimpleNamespace:
            return SimpleNamespace(value=t_univ_gyr)

    transforms.cosmo = Cosmology
    young = [0.0, 7.4772, 8.0]  # log10 years
    start = np.array([*itertools.pairwise(young)] + [[0.0, 0.0]] * 5)
    bins = transforms.zred_to_agebins(zred=0.0, agebins=start)
    return [0.0, *(10 ** bins[:, 1] / 1e9).tolist()]


def of_psb() -> dict:
    """Return edges [Gyr] and masses of nine bins of a post-starburst history of unit mass."""
    old = np.log10(np.linspace(PSB["tflex"], PSB["t_univ"], 4)[1:] * 1e9)
    given = {
        "logmass": np.array([0.0]),
        "agebins": np.stack([np.zeros(9), np.concatenate([np.zeros(6), old])], axis=1),
        "logsfr_ratios": np.array(PSB["ratios"]),
        "logsfr_ratio_young": np.array([PSB["ratio_young"]]),
        "logsfr_ratio_old": np.array(PSB["ratios_old"]),
        **{name: np.array([PSB[name]]) for name in ("tlast", "tflex")},
        "nflex": np.array([5]),
        "nfixed": np.array([3]),
    }
    bins = transforms.psb_logsfr_ratios_to_agebins(**given)
    mass = transforms.logsfr_ratios_to_masses_psb(**given)
    return {**PSB, "edges_gyr": [0.0, *(10 ** bins[:, 1] / 1e9).tolist()], "mass": mass.tolist()}


def main() -> None:
    """Write the file."""
    found = {
        "bagpipes_version": bagpipes.__version__ if hasattr(bagpipes, "__version__") else "1.3.6",
        "prospector_version": prospect.__version__,
        "bins_gyr": BINS_GYR,
        "bagpipes": {name: of_bagpipes(*case) for name, case in BAGPIPES.items()},
        "prospector": of_prospector(),
    }
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
