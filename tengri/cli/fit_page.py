"""The page of a fitted catalogue: what failed, redshifts, χ², zero points; nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.analysis.plotting import fits as figures
from tengri.analysis.redshifts import OUTLIER, quality, relative_error
from tengri.analysis.style import png
from tengri.catalogue.table import open_table
from tengri.cli import html_page as page
from tengri.inference.observations import FLAGS, UNUSABLE
from tengri.inference.results import POOR_P, flag_counts
from tengri.inference.zero_points import ZeroPoints
from tengri.io import atomic

#: Rows that a table of a page shows at most.
MOST_ROWS = 60
#: Columns that the tables show, where the fit has them.
SHOWN = ("n_bands", "chi2", "predictive_p", "redshift_peak", "redshift_p50", "redshift_odds", "ess")

Columns = Mapping[str, np.ndarray]


def write(
    path: Path,
    out: Path,
    names: Mapping[str, np.ndarray],
    title: str,
    z_spec: np.ndarray | None,
    zero_points: ZeroPoints | None,
    settings: str,
) -> None:
    """Write the page of a fitted catalogue.

    Parameters
    ----------
    path : Path
        The page.
    out : Path
        The fitted catalogue.
    names : mapping
        Its columns that identify a galaxy, read already: what ``--keep`` copied.
    title : str
    z_spec : ndarray, shape (n,), or None
        Spectroscopic redshifts, NaN where there is none.
    zero_points : ZeroPoints or None
        What was solved for.
    settings : str
        How the fit was made.
    """
    columns = _read(out)
    parts = [_summary(columns)]
    parts += _failures(columns, names)
    if z_spec is not None and "redshift_peak" in columns:
        parts += _redshifts(columns, names, z_spec)
    parts += _goodness(columns)
    if zero_points is not None:
        parts += _zero_points(zero_points)
    parts += _population(columns)
    parts += [page.heading("How it was made"), page.pre(settings)]
    atomic.write_text(path, page.render(title, parts))


def _read(out: Path) -> dict[str, np.ndarray]:
    """Return the scalar columns of the fit that the page needs."""
    wanted = ["flag", *SHOWN, "redshift_p16", "redshift_p84", "stellar_mass_p50", "sfr_100myr_p50"]
    with open_table(out) as table:
        there = [name for name in wanted if name in table.names]
        rows = table.read(there, 0, table.n_rows)
    found = {name: np.ma.filled(np.ma.asarray(v).astype(float), np.nan) for name, v in rows.items()}
    found["flag"] = found["flag"].astype(int)
    return found


def _summary(columns: Columns) -> str:
    counts = flag_counts(columns["flag"])
    share = counts["usable"] / max(1, counts["rows"])
    kind = "good" if share > 0.95 else "usable" if share > 0.5 else "poor"
    rows = [(what, str(n)) for what, n in counts.items() if n or what in ("rows", "usable")]
    said = f"{counts['usable']} of {counts['rows']} galaxies have a usable posterior."
    return f"<p class='{kind}'>{said}</p>" + page.table(("", "galaxies"), rows)


def _failures(columns: Columns, names: Columns) -> list[str]:
    """Return the galaxies that need a look, those without a usable posterior first."""
    flag = columns["flag"]
    look = UNUSABLE | FLAGS["poor fit"] | FLAGS["piled up at a prior's edge"]
    rows = np.flatnonzero(flag & look)
    p = columns.get("predictive_p", np.zeros(len(flag)))
    worst_first = np.lexsort((np.nan_to_num(p[rows], nan=0.0), (flag[rows] & UNUSABLE) == 0))
    rows = rows[worst_first]
    found = [page.heading("Look at these first")]
    if not len(rows):
        return [*found, "<p>No galaxy failed, fits poorly or lies at the edge of a prior.</p>"]
    words = [", ".join(w for w, bit in FLAGS.items() if flag[row] & bit) for row in rows]
    return [*found, _galaxies(columns, names, rows, {"why": words})]


def _galaxies(columns: Columns, names: Columns, rows: np.ndarray, more: Mapping[str, Any]) -> str:
    """Return a table of galaxies: row, names, what is more to say, figures."""
    shown = [name for name in SHOWN if name in columns]
    head = ("row", *names, *more, *shown)
    body = [
        (str(row), *(_text(v[row]) for v in names.values()), *(str(v[i]) for v in more.values()),
         *(f"{columns[name][row]:.4g}" for name in shown))
        for i, row in enumerate(rows[:MOST_ROWS])
    ]  # fmt: skip
    left = len(rows) - MOST_ROWS
    return page.table(head, body) + (f"<p>and {left} more</p>" if left > 0 else "")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _redshifts(columns: Columns, names: Columns, z_spec: np.ndarray) -> list[str]:
    z = np.where((columns["flag"] & UNUSABLE) == 0, columns["redshift_peak"], np.nan)
    everything = quality(columns["redshift_peak"], z_spec)
    found = [
        page.heading("Redshifts"),
        f"<p>Usable posteriors: {page.escaped(str(quality(z, z_spec)))}.</p>",
        f"<p>All that have a redshift, flagged or not: {page.escaped(str(everything))}.</p>",
    ]
    if not np.isfinite(relative_error(z, z_spec)).any():
        return [*found, "<p>No galaxy has both redshifts.</p>"]
    figure = figures.redshifts(z, columns["redshift_p16"], columns["redshift_p84"], z_spec)
    caption = ("Mode of P(z) (redshift_peak) with the 68 % interval against the spectroscopic "
               "redshift; dotted: the limit of an outlier.")  # fmt: skip
    found.append(page.image("redshifts", png(figure), caption))
    off = relative_error(z, z_spec)
    wrong = np.flatnonzero(np.abs(off) > OUTLIER)
    if len(wrong):
        wrong = wrong[np.argsort(-np.abs(off[wrong]))]
        more = {"z_spec": [f"{z_spec[i]:.4g}" for i in wrong]}
        found += ["<h3>Outliers</h3>", _galaxies(columns, names, wrong, more)]
    return found


def _goodness(columns: Columns) -> list[str]:
    good = np.isfinite(columns["chi2"])
    figure = figures.chi_squares(columns["chi2"], columns["n_bands"])
    poor = int(np.sum(columns["predictive_p"][good] < POOR_P))
    caption = (f"{poor} of {int(good.sum())} fits have a posterior predictive p below {POOR_P:g}; "
               "free parameters let good fits lie left of the curve.")  # fmt: skip
    return [page.heading("χ²"), page.image("chi2", png(figure), caption)]


def _zero_points(solved: ZeroPoints) -> list[str]:
    error = dict(zip(solved.bands, solved.error))
    rows = [(n, f"{o:+.4f}", f"{e:.4f}")
            for n, o, e in zip(solved.bands, solved.offset, solved.error)]  # fmt: skip
    figure = figures.zero_points(solved.as_mapping(), error)
    said = (f"Solved for over {solved.rows} galaxies in {solved.rounds} rounds; median χ² "
            f"{solved.chi2_before:.3g} before, {solved.chi2_after:.3g} after.")  # fmt: skip
    return [
        page.heading("Zero points"),
        f"<p>{said}</p>",
        page.table(("band", "added to the magnitudes [mag]", "± [mag]"), rows),
        page.image("zero_points", png(figure), "Offsets with their errors."),
    ]


def _population(columns: Columns) -> list[str]:
    if "redshift_peak" not in columns or "stellar_mass_p50" not in columns:
        return []
    good = ((columns["flag"] & UNUSABLE) == 0) & (columns["stellar_mass_p50"] > 0.0)
    mass = np.log10(columns["stellar_mass_p50"][good])
    over_z = figures.plane(columns["redshift_peak"][good], mass,
                           ("redshift", "log10 mass formed [Msun]"))  # fmt: skip
    found = [page.heading("Population"), page.image("mass", png(over_z), "Medians.")]
    if "sfr_100myr_p50" in columns:
        sequence = figures.plane(mass, columns["sfr_100myr_p50"][good],
                                 ("log10 mass formed [Msun]", "SFR over 100 Myr [Msun/yr]"),
                                 log=True)  # fmt: skip
        found.append(page.image("sfr", png(sequence), "Medians."))
    return found
