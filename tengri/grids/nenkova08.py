"""CLUMPY torus spectra of Nenkova et al. (2008, ApJ 685, 147 and 160), as FSPS carries them.

A text file of the repository of FSPS, ``dust/Nenkova08_y010_torusg_n10_q2.0.dat``: three lines of
comment, nine optical depths, then 125 rows of wavelength [Å] and f_ν at each depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tengri.errors import DataError
from tengri.grids.fetch import fetch
from tengri.grids.write import write_sealed
from tengri.io.seal import file_sha256

COMMIT = "bd187a0d07dac17b55c4dc7c60d83f63694c1b4e"
FILE = "dust/Nenkova08_y010_torusg_n10_q2.0.dat"
URL = f"https://raw.githubusercontent.com/cconroy20/fsps/{COMMIT}/{FILE}"
SHA256 = "ff93e06142264c22cc57e97dfc7bbdc9a572f36f9174b18fbd6b47babcdec324"
CITATION = "Nenkova et al. 2008, ApJ 685, 147; Nenkova et al. 2008, ApJ 685, 160"
#: V-band optical depth of a cloud.
TAU_V = (5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 150.0)
COMMENTS = 3
UNITS = {
    "wave": "Angstrom, rest",
    "tau_v": "V-band optical depth of one cloud",
    "lnu": "relative L_nu, integral over frequency about 1",
}


@contextmanager
def source(given: Path | None = None) -> Iterator[Path]:
    """Yield the file of FSPS: the one that is given, else downloaded for as long as it is used."""
    if given is not None:
        yield given
        return
    with TemporaryDirectory() as folder:
        yield fetch(URL, Path(folder) / Path(FILE).name, sha256=SHA256)


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the datasets of the text file: ``wave``, ``tau_v`` and ``lnu`` (n_tau, n_wave).

    Rows in which an optical depth has no light are left out: power laws run between the others.

    Raises
    ------
    DataError
        A table of another shape, or of other optical depths.
    """
    try:
        text = path.read_text().splitlines()[COMMENTS:]
        tau = np.array(text[0].split(), float)
        rows = np.array([line.split() for line in text[1:] if line.strip()], float)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: no table of torus spectra ({error}).") from error
    if tau.shape != (len(TAU_V),) or not np.allclose(tau, TAU_V):
        raise DataError(f"{path}: its optical depths are {tau}, expected {TAU_V}.")
    if rows.ndim != 2 or rows.shape[1] != 1 + len(TAU_V) or not (np.diff(rows[:, 0]) > 0.0).all():
        raise DataError(f"{path}: expected ascending wavelengths and {len(TAU_V)} spectra.")
    lit = rows[(rows[:, 1:] > 0.0).all(axis=1)]
    return {"wave": lit[:, 0], "tau_v": tau, "lnu": np.ascontiguousarray(lit[:, 1:].T)}


def build(path: Path, output: Path) -> str:
    """Write the spectra of the text file ``path`` to ``output``; return the digest."""
    attrs = {
        "source": f"FSPS, {FILE}",
        "source_version": COMMIT,
        "source_sha256": file_sha256(path),
        "license": "MIT (Charlie Conroy & contributors)",
        "citation": CITATION,
        "content": "CLUMPY tori: Y = 10, N_0 = 10, q = 2, Gaussian edge; axes (tau_v, wave)",
        "builder": "tengri data build",
    }
    return write_sealed(output, read(path), UNITS, attrs)
