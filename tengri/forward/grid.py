r"""The rest wavelengths of a galaxy whose dust or nucleus shines where stars do not.

SSP grids are made for stars: few wavelengths beyond 3 µm, and for some libraries none beyond
100 µm. Dust emission peaks near 100 µm, with features of 1 per cent width between 3 and 20 µm
and a tail to millimetres. `with_infrared_nodes` fills the gaps, with the nodes of the dust's own
table where it is one, and continues the grid to 1 cm. A nucleus brings the nodes of its lines, and
those of its light blueward of the stars.

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
#: Of the distance between two nodes of a nucleus: there a node of the grid takes its place.
CLOSE = 0.3
LARGEST_STEP = ((3e4, 0.03), (1e6, 0.01), (1e7, 0.03), (END_AA, 0.1))


def with_infrared_nodes(
    wave: np.ndarray,
    flux: np.ndarray,
    dust: np.ndarray | tuple[()] = (),
    agn: np.ndarray | tuple[()] = (),
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
    agn : ndarray, optional
        Wavelengths [Å] of a nucleus, which has lines and shines where stars are dark.

    Returns
    -------
    wave : ndarray, shape (n_more,)
        The given nodes and the added ones.
    flux : ndarray, shape (..., n_more)
        Of the dtype given.
    """
    dust = np.asarray(dust, dtype=np.float64)
    nodes = np.union1d(np.asarray(wave, np.float64), dust[dust <= SMOOTH_AA])
    nodes = extended_wave(_with_missing(nodes, np.asarray(agn, dtype=np.float64)))
    return nodes, on_nodes(wave, flux, nodes)


def _with_missing(wave: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Return ``wave`` and those of ``more`` that it has no node close to.

    Close is ``CLOSE`` of the distance to the next of ``more``.
    """
    if len(more) < 2:
        return np.union1d(wave, more)
    step = np.diff(more)
    reach = CLOSE * np.minimum(np.append(step, step[-1]), np.append(step[0], step))
    near = np.clip(np.searchsorted(wave, more), 1, len(wave) - 1)
    distance = np.minimum(np.abs(more - wave[near - 1]), np.abs(more - wave[near]))
    return np.union1d(wave, more[distance > reach])


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
    """Return ``flux`` on ``nodes``: linear in λ, 0 before the first one, ∝ λ⁻² beyond the last."""
    wave = np.asarray(wave, dtype=np.float64)
    tail = np.where(nodes < wave[0], 0.0, (wave[-1] / np.maximum(nodes, wave[-1])) ** 2)
    return (compact.interpolated(wave, flux, nodes) * tail).astype(flux.dtype)
