"""bagpipes (Carnall+2018): ``model_galaxy.update`` with the same histories, dust, bands, redshifts.

It has its own BC03 grid (41 ages, R = 100), always absorbs by the intergalactic medium and always
computes rest-frame UVJ; the tables of the star-formation histories are made beforehand and not
counted. One process, as it is used in a sampler.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from work import Work

AV_PER_TAU = 2.5 / np.log(10.0)
N_TIMES = 100


def updates(work: Work, n: int) -> Callable[[], np.ndarray]:
    """Return a call that updates one model to n galaxies and returns their photometry [µJy]."""
    with contextlib.redirect_stdout(io.StringIO()):
        import bagpipes
    described = [components(work, i) for i in range(n)]
    model = bagpipes.model_galaxy(described[0], filt_list=_filters(work), phot_units="mujy")

    def run() -> np.ndarray:
        photometry = []
        for one in described:
            model.update(one)
            photometry.append(model.photometry.copy())
        return np.array(photometry)

    return run


def one_each(work: Work, n: int) -> Callable[[int], np.ndarray]:
    """Return a call that makes the model of galaxy i, of n, and returns its photometry [µJy]."""
    with contextlib.redirect_stdout(io.StringIO()):
        import bagpipes
    described, filters = [components(work, i) for i in range(n)], _filters(work)

    def run(i: int) -> np.ndarray:
        model = bagpipes.model_galaxy(described[i], filt_list=filters, phot_units="mujy")
        return model.photometry

    return run


def components(work: Work, i: int) -> dict[str, Any]:
    """Return galaxy i as bagpipes describes it; its formed mass is that of our model."""
    p = {name: float(values[i]) for name, values in work.galaxies.items()}
    model = work.model
    t_obs = float(model.cosmology.age_gyr(p["redshift"]))
    age = np.geomspace(1e-3, 0.999, N_TIMES) * t_obs
    sfr = np.asarray(model.spec.composition.sfh.sfr(p, age, t_obs), dtype=float)
    tau = max(p["dust_tau_diff"], 1e-3)
    history = np.stack([1e9 * age, sfr], axis=1)
    mass = float(np.log10(np.trapezoid(sfr, 1e9 * age)))
    metals = 0.0142 / 0.02 * 10.0 ** p["met_logzsol"]  # its Sun has Z = 0.02
    return {
        "redshift": p["redshift"],
        "custom": {"history": history, "massformed": mass, "metallicity": metals},
        "dust": {"type": "Calzetti", "Av": AV_PER_TAU * tau, "eta": 1.0 + p["dust_tau_bc"] / tau},
        "t_bc": 0.01,
    }


def _filters(work: Work) -> list[str]:
    folder = Path(tempfile.mkdtemp())
    for f in work.filters:
        np.savetxt(folder / f"{f.name}.dat", np.stack([f.wave, f.trans], axis=1))
    return [str(folder / f"{f.name}.dat") for f in work.filters]
