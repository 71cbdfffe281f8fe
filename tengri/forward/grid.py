r"""The rest wavelengths of a galaxy whose dust or nucleus shines in the infrared.

SSP grids are made for stars: few wavelengths beyond 3 µm, and for some libraries none beyond
100 µm. Dust emission peaks near 100 µm, with features of 1 per cent width between 3 and 20 µm
and a tail to millimetres. `with_infrared_nodes` fills the gaps, with the nodes of the dust's own
table where it is one, and continues the grid to 1 cm.

Stars keep every node and are linear in λ between them, which is how bands integrate a spectrum,
so nothing changes for them; beyond the grid's end they follow the Rayleigh–Jeans law L_ν ∝ ν².

The trapezoid rule in ν misses h²/6 of the integral of a smooth spectrum that vanishes at both
ends, on nodes spaced by h in ln ν: 2e-4 at the steps below.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from tengri.grids import compact

END_AA = 1e8
#: The largest step in ln λ up to each wavelength [Å]; blueward of the first nothing is added.
START_AA = 1e4
#: Redward of it dust emission is smooth: its own nodes are not needed.
SMOOTH_AA = 4e5
LARGEST_STEP = ((3e4, 0.03), (1e6, 0.01), (1e7, 0.03), (END_AA, 0.1))


def with_infrared_nodes(
    wave: np.ndarray, flux: np.ndarray, dust: np.ndarray | tuple[()] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Return an SSP grid with enough infrared wavelengths for dust and active nuclei.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Ascending rest wavelengths [Å].
    flux : ndarray, shape (..., n_wave)
        L_ν of stars.
    dust : ndarray, optional
        Wavelengths [Å] of a table of dust emission: its features are a step or two wide, and a
        grid that passes between its nodes would lose some per cent of them.

    Returns
    -------
    wave : ndarray, shape (n_more,)
        The given nodes and the added ones.
    flux : ndarray, shape (..., n_more)
        Of the dtype given.
    """
    dust = np.asarray(dust, dtype=np.float64)
    nodes = extended_wave(np.union1d(np.asarray(wave, np.float64), dust[dust <= SMOOTH_AA]))
    return nodes, on_nodes(wave, flux, nodes)


def extended_wave(wave: np.ndarray) -> np.ndarray:
    """Return ``wave`` [Å] with steps no wider than ``LARGEST_STEP``, to 1 cm or its own end."""
    wave = np.asarray(wave, dtype=np.float64)
    marks = [edge for edge in (START_AA, *(e for e, _ in LARGEST_STEP)) if edge > wave[-1]]
    given = np.concatenate([wave, marks])
    pieces = [_subdivided(lo, hi) for lo, hi in itertools.pairwise(given)]
    return np.concatenate([*pieces, given[-1:]])


def _subdivided(lo: float, hi: float) -> np.ndarray:
    """Return ``lo`` and the nodes that are missing between it and ``hi``."""
    if hi <= START_AA or lo >= END_AA:
        return np.array([lo])
    step = next(step for edge, step in LARGEST_STEP if lo < edge)
    n = max(1, math.ceil(math.log(hi / lo) / step - 1e-9))
    return np.geomspace(lo, hi, n + 1)[:-1]


def on_nodes(wave: np.ndarray, flux: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return ``flux`` on ``nodes``: linear in λ, ∝ λ⁻² beyond the last wavelength."""
    wave = np.asarray(wave, dtype=np.float64)
    tail = (wave[-1] / np.maximum(nodes, wave[-1])) ** 2
    return (compact.interpolated(wave, flux, nodes) * tail).astype(flux.dtype)
