"""EAZY (Brammer, van Dokkum & Coppi 2008): non-negative sums of templates on a grid of redshifts.

Run through eazy-py, with its own templates, template error function and prior of the K magnitude
from a checkout of ``gbrammer/eazy-photoz``, and with the filter curves that ours has. In a folder
for temporary files: EAZY writes beside its catalogue.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TEMPLATES = "templates/fsps_full/tweak_fsps_QSF_12_v3.param"
TEMPLATE_ERROR = "templates/TEMPLATE_ERROR.eazy_v1.0"
PRIOR = "templates/prior_K_TAO.dat"
#: Rounds in which EAZY looks for its zero points.
ROUNDS = 3


class Answer(NamedTuple):
    """What EAZY says of n galaxies.

    Attributes
    ----------
    z : ndarray, shape (n,)
        ``z_ml``: the maximum of P(z), refined between the points of the grid.
    seconds, processor : float
        To fit all galaxies and, where it was asked for, find the zero points; with the time to
        integrate the templates over the bands, which is `Answer.setup` and spent once.
    setup : float
        Processor seconds.
    zero_points : ndarray, shape (n_bands,)
        Factors of the fluxes.
    """

    z: np.ndarray
    seconds: float
    processor: float
    setup: float
    zero_points: np.ndarray


def photometric_redshifts(
    folder: Path,
    curves: dict[str, np.ndarray],
    flux: np.ndarray,
    error: np.ndarray,
    templates: str = TEMPLATES,
) -> dict[str, Answer]:
    """Return the redshifts of a catalogue with and without the prior, and with zero points.

    Parameters
    ----------
    folder : Path
        A checkout of ``gbrammer/eazy-photoz``.
    curves : dict
        Of every band, (n, 2): wavelength [Å] and transmission. The last is that of the prior.
    flux, error : ndarray, shape (n, n_bands)
        In µJy.
    """
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch), _quiet():
        os.symlink(folder / "templates", "templates")
        _write_inputs(curves, flux, error)
        begin, wall = _processor(), time.perf_counter()
        code = _photoz(len(curves), templates)
        setup, waited = _processor() - begin, time.perf_counter() - wall
        found = {}
        for name, prior, solve in (
            ("plain", False, False), ("prior", True, False),
            ("zero points", False, True), ("prior, zero points", True, True),
        ):  # fmt: skip
            code.zp = np.ones_like(code.zp)
            begin, wall = _processor(), time.perf_counter()
            if solve:
                _solve(code, prior)
            code.fit_catalog(code.idx, n_proc=0, prior=prior)
            seconds = waited + time.perf_counter() - wall
            found[name] = Answer(np.array(code.zbest), seconds, setup + _processor() - begin,
                                 setup, np.array(code.zp))  # fmt: skip
        return found


def _photoz(n_bands: int, templates: str) -> Any:
    from eazy.photoz import PhotoZ

    settings: dict[str, Any] = {
        "CATALOG_FILE": "catalogue.cat", "FILTERS_RES": "curves.res", "MAIN_OUTPUT_FILE": "out",
        "TEMPLATES_FILE": templates, "TEMP_ERR_FILE": TEMPLATE_ERROR, "PRIOR_FILE": PRIOR,
        "PRIOR_FILTER": n_bands, "PRIOR_ABZP": 23.9, "Z_MIN": 0.01, "Z_MAX": 6.0, "Z_STEP": 0.01,
        "MW_EBV": 0.0, "CAT_HAS_EXTCORR": True, "VERBOSITY": 0, "APPLY_PRIOR": "y",
    }  # fmt: skip
    return PhotoZ(param_file=None, translate_file="names.translate", zeropoint_file=None,
                  params=settings, load_prior=True, load_products=False, n_proc=0)  # fmt: skip


def _solve(code: Any, prior: bool) -> None:
    """Find the zero points as EAZY's own examples do."""
    bright = ((code.fnu / code.efnu) > 1.0).sum(axis=1) > 4
    for turn in range(ROUNDS):
        code.iterate_zp_templates(
            idx=code.idx[bright], update_templates=False, update_zeropoints=True, iter=turn,
            n_proc=0, save_templates=False, error_residuals=False, prior=prior,
            NBIN=min(code.NOBJ // 100, 180),
        )  # fmt: skip
    code.set_sys_err(positive=True)


def _processor() -> float:
    """Return processor seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _write_inputs(curves: dict[str, np.ndarray], flux: np.ndarray, error: np.ndarray) -> None:
    blocks, names = [], []
    for i, (band, curve) in enumerate(curves.items(), 1):
        middle = np.average(curve[:, 0], weights=curve[:, 1])
        rows = "\n".join(f"{j} {w:.6e} {t:.6e}" for j, (w, t) in enumerate(curve, 1))
        blocks.append(f"{len(curve)} {band} lambda_c= {middle:.4e} AB-Vega=0.0 w95=1.0\n{rows}\n")
        names.append(f"f_{band} F{i}\ne_{band} E{i}\n")
    Path("curves.res").write_text("".join(blocks))
    Path("names.translate").write_text("".join(names))
    columns = ["id", *(f"f_{b}" for b in curves), *(f"e_{b}" for b in curves)]
    table = np.column_stack([np.arange(1, len(flux) + 1), flux, error])
    np.savetxt(
        "catalogue.cat",
        table,
        header=" ".join(columns),
        fmt=["%d", *["%.8g"] * (table.shape[1] - 1)],
    )


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep what EAZY prints and warns of away."""
    import warnings

    nowhere = io.StringIO()
    with (
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield
