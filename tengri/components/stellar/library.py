"""How sharp the spectra of an SSP grid are.

A spectrum that is linear between nodes resolves what is as wide as their distance; where the
library of stars behind it is less sharp than that, it is the library that counts.
"""

from __future__ import annotations

import numpy as np

from tengri.components.stellar.ssp_data import SSPData

#: Distances of nodes of which the largest counts: lines and edges have nodes of their own. Over
#: as many again it changes, so that light is not spread by steps.
NEIGHBOURS = 7
#: Part of a grid's citation → FWHM [Å] of its library, and the rest wavelengths [Å] that it spans.
LIBRARIES = {
    # MILES in vacuum: Falcón-Barroso et al. 2011, A&A 532, A95
    "Falcon-Barroso": (2.51, 3541.4, 7411.6),
}


def fwhm_aa(ssp: SSPData, wave: np.ndarray) -> np.ndarray:
    """Return the full width at half maximum [Å] of what a grid resolves at ``wave`` [Å].

    Parameters
    ----------
    ssp : SSPData
        Its attribute ``citation`` says which library it is made of.
    wave : ndarray, shape (n,)
        Rest wavelengths [Å].
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d  # here: 20 MB, for spectra alone

    nodes = np.asarray(ssp.ssp_wave, np.float64)
    middle, gaps = 0.5 * (nodes[1:] + nodes[:-1]), np.diff(nodes)
    widest = uniform_filter1d(maximum_filter1d(gaps, NEIGHBOURS), NEIGHBOURS)
    found = np.interp(wave, middle, widest)
    for name, (width, first, last) in LIBRARIES.items():
        if name in str(ssp.attrs.get("citation", "")):
            inside = (wave >= first) & (wave <= last)
            found = np.where(inside, np.maximum(found, width), found)
    return found
