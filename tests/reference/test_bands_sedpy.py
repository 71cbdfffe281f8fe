"""Band fluxes and pivots against astro-sedpy (Johnson 2019), on finely sampled SEDs.

sedpy integrates by trapezoid, so SED and curve are both given to it on a grid of 0.1 Å per 1000 Å.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
from sedpy import observate

from tengri.observation import BandProjection, load_filter

PAIRS = {
    "sdss_u": "sdss_u0",
    "sdss_r": "sdss_r0",
    "galex_nuv": "galex_NUV",
    "2mass_ks": "twomass_Ks",
    "wise_w2": "wise_w2",
    "irac_36": "spitzer_irac_ch1",
    "hst_f435w": "acs_wfc_f435w",
    "hst_f160w": "wfc3_ir_f160w",
    "jwst_f200w": "jwst_f200w",
    "miri_f770w": "jwst_f770w",
    "lsst_g": "lsst_baseline_g",
    "hsc_i": "hsc_i",
    "des_y": "decam_Y",
    "ps1_z": "panstarrs_z",
    "vista_j": "vista_vircam_J",
    "ukidss_k": "ukirt_wfcam_K",
    "roman_f129": "roman_wfi_f129",
    "herschel_250": "herschel_spire_250",
}
LIGHT = 2.998e18  # Å/s, as sedpy has it
NODES = np.geomspace(500.0, 6e6, 3000)


def f_nu(nodes: np.ndarray) -> np.ndarray:
    """A rippled power law [erg/s/cm²/Hz] with a break at 4000 Å and broad lines."""
    lines = 4.0 * np.exp(-0.5 * (np.sin(np.log(nodes) * 40.0) / 0.05) ** 2)
    smooth = (nodes / 5500.0) ** 1.3 * np.where(nodes < 4000.0, 0.5, 1.0)
    return 1e-28 * (smooth * (1.0 + 0.2 * np.sin(nodes / 300.0)) + lines)


@pytest.mark.parametrize("z", [0.0, 0.63])
def test_fluxes_agree(z) -> None:
    projection = BandProjection.build(NODES, [load_filter(name) for name in PAIRS], 0.0, 1.0)
    ours = np.asarray(jax.jit(projection.project)(f_nu(NODES), z))
    for flux, (name, sedpy_name) in zip(ours, PAIRS.items()):
        sedpy_filter = observate.Filter(sedpy_name)
        w = sedpy_filter.wavelength
        fine = np.geomspace(w[0], w[-1], int(np.log(w[-1] / w[0]) / 1e-5))
        lnu = np.interp(fine, NODES * (1.0 + z), f_nu(NODES))
        trans = np.interp(fine, w, sedpy_filter.transmission)
        dense = observate.Filter(sedpy_name, data=(fine, trans), min_trans=0.0)
        magnitude = dense.ab_mag(fine, lnu * LIGHT / fine**2)
        theirs = 10 ** (-0.4 * magnitude) * observate.Filter.ab_gnu
        assert flux == pytest.approx(theirs, rel=1e-3), name


@pytest.mark.parametrize("name", PAIRS)
def test_pivots_agree(name) -> None:
    assert load_filter(name).pivot == pytest.approx(
        observate.Filter(PAIRS[name]).wave_pivot, rel=1e-3
    )
