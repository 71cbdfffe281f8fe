r"""``nenkova08``: the mean quasar with a torus of clouds, as radiative transfer has it.

CLUMPY tori of Nenkova et al. (2008, ApJ 685, 147 and 160), the subset that FSPS carries (Conroy,
Gunn & White 2009, ApJ 699, 486): nine optical depths τ_V of single clouds, of standard dust of the
Milky Way, in a torus of Gaussian edge ten times as wide as its inner radius; ten clouds along an
equatorial ray, distributed as r⁻² (the file says Y = 10, N_0 = 10, q = 2). The angle of view is
that of the file, whatever ``agn_type``: that says what is seen of disc and broad lines alone.

Templates are power laws between their nodes, scaled to unit power, and mixed linearly in
:math:`\ln \tau_V`. Their bluest 1 to 3 per cent, below 1 µm, is light of the disc that clouds
scatter. Disc, lines, X-rays and polar dust are those of `standard`.
"""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn.standard import quasar
from tengri.components.agn.torus import Params, Torus
from tengri.constants import C_AA_PER_S
from tengri.errors import DataError
from tengri.grids import files
from tengri.grids.nenkova08 import TAU_V
from tengri.io import hdf5_reader, seal
from tengri.numerics.interpolation import hat_weights
from tengri.priors import LogUniform
from tengri.registry import Param

TAU = Param("agn_tau_v", 10.0, LogUniform(TAU_V[0], TAU_V[-1]), (TAU_V[0], TAU_V[-1]), "",
            "V-band optical depth of one cloud of the torus",
            symbol=r"$\tau_{V,\rm torus}$")  # fmt: skip
#: Where nothing is left [Å].
ENDS_AA = 1e9
#: ln τ_V, the ends a rounding error of float32 further out: the bounds are inside, with a slope.
_LN_TAU = np.log(TAU_V) + 2e-6 * np.array([-1.0, *np.zeros(len(TAU_V) - 2), 1.0])


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """Return wavelengths [Å] and νL_ν (n_tau, n_wave) of the embedded file, read once.

    Raises
    ------
    DataError
        If the file is missing or damaged, or not of the known optical depths.
    """
    path = files.resolve(files.TORUS_NENKOVA08)
    seal.verify(path)
    with hdf5_reader.open_hdf5(path) as file:
        if missing := {"wave", "tau_v", "lnu"} - set(file):
            raise DataError(f"{path}: no dataset {', '.join(sorted(missing))}; get a fresh copy.")
        wave, tau, lnu = (hdf5_reader.array(file, name, path).astype(np.float64)
                          for name in ("wave", "tau_v", "lnu"))  # fmt: skip
    if tau.shape != (len(TAU_V),) or not np.allclose(tau, TAU_V):
        raise DataError(f"{path}: tau_v is {tau}, expected {TAU_V}; get a fresh copy.")
    return wave, lnu * C_AA_PER_S / wave


def templates(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of unit power at each optical depth, (n_tau, n_wave)."""
    return _drawn(np.asarray(wave_aa, np.float64)) / _total()[:, None]


@cache
def _total() -> np.ndarray:
    """Return the power of the tables, scattered light blueward of 1 µm included, (n_tau,)."""
    wave = np.geomspace(table()[0][0], ENDS_AA, 8001)
    return np.trapezoid(_drawn(wave), np.log(wave))


def _drawn(wave_aa: np.ndarray) -> np.ndarray:
    """Return νL_ν of the tables: power laws between nodes, and beyond the last; 0 before them."""
    wave, nu_lnu = table()
    x, nodes, height = np.log(wave_aa), np.log(wave), np.log(nu_lnu)
    slope = (height[:, -1] - height[:, -2]) / (nodes[-1] - nodes[-2])
    tail = slope[:, None] * np.maximum(x - nodes[-1], 0.0)
    drawn = np.stack([np.interp(x, nodes, row) for row in height]) + tail
    return np.where(wave_aa < wave[0], 0.0, np.exp(drawn))


def weights(p: Params, hidden: Array) -> Array:
    """Return the weights of the optical depths, (n_tau,)."""
    return hat_weights(jnp.log(p[TAU.name]), _LN_TAU)


CLOUDS = Torus(
    (TAU,),
    templates,
    weights,
    "Nenkova et al. 2008, ApJ 685, 147; Nenkova et al. 2008, ApJ 685, 160; "
    "Conroy et al. 2009, ApJ 699, 486",
    lambda: table()[0],
)
NENKOVA08 = quasar("nenkova08", CLOUDS)
