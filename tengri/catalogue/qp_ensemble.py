"""P(z) of a fitted catalogue as an ensemble of ``qp`` (Malz et al. 2018, AJ 156, 35).

Histograms of the draws of each galaxy in equal steps of redshift. Galaxies without a usable
posterior have no P(z) and are left out; the ensemble's table (``ancil``) says which row each is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tengri.catalogue.table import open_table
from tengri.errors import ConfigError, DataError
from tengri.inference.observations import UNUSABLE

#: Step in redshift.
STEP = 0.01
#: Endings that qp writes.
ENDINGS = (".hdf5", ".h5", ".fits", ".parquet", ".pq")
DRAWS = "redshift_draws"


def check(path: Path) -> None:
    """Check that an ensemble can be written.

    Raises
    ------
    ConfigError
        No qp, or an ending that it does not know.
    """
    _qp()
    if path.suffix not in ENDINGS:
        raise ConfigError(f"{path}: an ensemble of qp ends in {', '.join(ENDINGS)}.")


def ensemble(draws: np.ndarray, flag: np.ndarray, step: float = STEP) -> Any:
    """Return the P(z) of galaxies as a ``qp.Ensemble`` of histograms.

    Parameters
    ----------
    draws : ndarray, shape (n, m)
        Redshifts with equal weights.
    flag : ndarray, shape (n,)
        Of the fit.
    step : float
        Width of a bin.

    Raises
    ------
    ConfigError
        qp is not installed.
    DataError
        No galaxy has a usable posterior.
    """
    qp = _qp()
    rows = np.flatnonzero(((flag & UNUSABLE) == 0) & np.isfinite(draws).all(axis=1))
    if not len(rows):
        raise DataError("No galaxy has a usable posterior of its redshift: there is no P(z).")
    z = draws[rows]
    first = max(0, int(np.floor(z.min() / step)) - 1)
    last = int(np.ceil(z.max() / step)) + 1
    bins = step * np.arange(first, last + 1)
    place = (np.floor(z / step).astype(int) - first).clip(0, len(bins) - 2)
    counts = np.zeros((len(rows), len(bins) - 1))
    np.add.at(counts, (np.arange(len(rows))[:, None], place), 1.0)
    ancil = {"row": rows, "flag": flag[rows]}
    return qp.hist.create_ensemble(bins=bins, pdfs=counts / (z.shape[1] * step), ancil=ancil)


def write(path: Path, out: Path) -> None:
    """Write the ensemble of a fitted catalogue that holds draws."""
    with open_table(out) as table:
        if DRAWS not in table.names:
            raise ConfigError(f"{out}: has no {DRAWS}; fit a free redshift with --draws N.")
        found = table.read([DRAWS, "flag"], 0, table.n_rows)
    draws = np.ma.filled(np.ma.asarray(found[DRAWS]).astype(float), np.nan)
    ensemble(draws, np.asarray(found["flag"]).astype(int)).write_to(str(path))


def _qp() -> Any:
    try:
        import qp
    except ImportError:
        raise ConfigError("Ensembles need qp: pip install 'tengri-sed[qp]'.") from None
    return qp
