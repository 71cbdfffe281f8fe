"""Words of figures: bands by direct labels, the model and the galaxy in a title."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tengri.analysis.style import curve_styles
from tengri.components.composition import registered_params
from tengri.registry import Param

GREEK = dict(zip("abgd", "αβγδ"))
#: Letters of bands that are written small.
SMALL = set("ugrizy")


def band_label(name: str) -> str:
    """Return a band's name as papers write it: ``jwst_f150w`` as JWST F150W."""
    words = name.split("_")
    last = words[-1] if words[-1] in SMALL else words[-1].upper()
    return " ".join([*(word.upper() for word in words[:-1]), last])


def line_label(name: str) -> str:
    """Return a line's name as papers write it: ``Ha_6565`` as Hα 6565, ``[OIII]_5008``."""
    species, _, wave = name.partition("_")
    species = re.sub(r"^(Ly|H|Pa|Br|Pf|Hu)([abgd])$", lambda m: m[1] + GREEK[m[2]], species)
    species = re.sub(r"^(\[?[A-Z][a-z]?)([IVX]+)", r"\1 \2", species)
    return f"{species} {wave}".strip()


def colour_label(blue: str, red: str) -> str:
    """Return the label of a colour: ``sdss_g``, ``sdss_r`` as SDSS g − r [mag]."""
    one, other = band_label(blue), band_label(red)
    instrument, _, last = other.rpartition(" ")
    shared = one.rpartition(" ")[0] == instrument
    return f"{one} − {last if shared else other} [mag]"


def parameter_label(name: str, params: Mapping[str, Param] | None = None) -> str:
    """Return the axis label of a parameter: its symbol and unit, as it was declared."""
    known = registered_params() if params is None else params
    return known[name].label if name in known else name


def set_title(ax: Axes, text: str) -> None:
    """Write the title of a figure small and left; a long one on several lines."""
    if text:
        ax.set_title(text, fontsize=8)


def plot_bands(
    ax: Axes,
    x: np.ndarray,
    values: np.ndarray,
    bands: Sequence[str],
    cmap: str = "viridis",
    **options: Any,
) -> list[Line2D]:
    """Plot one curve for each band, each with its own colour and line style.

    Parameters
    ----------
    ax : Axes
    x : ndarray, shape (n,)
    values : ndarray, shape (n, n_bands)
    bands : sequence of str
    cmap : str
    **options
        Of the curves.
    """
    styles = curve_styles(len(bands), cmap)
    return [ax.plot(x, values[:, i], **{**style, **options})[0] for i, style in enumerate(styles)]


def label_curves(ax: Axes, curves: Sequence[Line2D], names: Sequence[str], size: int = 8) -> None:
    """Write the name of every curve beside its right end, in its colour, none over another.

    The limits of the axes must be final; a thin line leads from a curve to a name that had to
    give way.
    """
    ends = [(curve, name, end) for curve, name in zip(curves, names)
            if (end := _last(curve)) is not None]  # fmt: skip
    ax.get_xlim(), ax.get_ylim()  # limits are found when they are asked for
    to_axes = ax.transData + ax.transAxes.inverted()
    at = np.array([to_axes.transform(end) for _, _, end in ends]).reshape(-1, 2).clip(0.0, 1.0)
    heights = at[:, 1].tolist()
    figure_height = ax.get_figure().get_size_inches()[1]  # type: ignore[union-attr]
    step = 1.25 * size / 72.0 / (figure_height * ax.get_position().height)
    for (curve, name, _), start, place in zip(ends, at, spread(heights, step)):
        colour = curve.get_color()
        ax.annotate(
            name, tuple(start), (1.035, place), "axes fraction", "axes fraction", fontsize=size,
            color=colour, va="center", ha="left", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": colour, "shrinkA": 0, "shrinkB": 0,
                        "relpos": (0.0, 0.5)},
        )  # fmt: skip


def spread(heights: Sequence[float], step: float) -> list[float]:
    """Return places near ``heights``, in their order, ``step`` apart, centred on crowds."""
    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # wanted centre, number
    for k in order:
        groups.append([heights[k], 1])
        while len(groups) > 1 and _overlap(groups[-2], groups[-1], step):
            (one, n), (other, m) = groups[-2:]
            groups[-2:] = [[(n * one + m * other) / (n + m), n + m]]
    low = 0.0
    places = np.empty(len(heights))
    position = 0
    for centre, n in groups:
        first = max(centre - 0.5 * (n - 1) * step, low)
        for _ in range(int(n)):
            places[order[position]] = first
            first, position = first + step, position + 1
        low = first
    over = places.max(initial=0.0) - max(1.0, (len(heights) - 1) * step)
    return [float(place - max(over, 0.0)) for place in places]


def _overlap(one: Sequence[float], other: Sequence[float], step: float) -> bool:
    return other[0] - one[0] < 0.5 * (one[1] + other[1]) * step


def _last(curve: Line2D) -> tuple[float, float] | None:
    x, y = (np.asarray(a, float) for a in curve.get_data())
    seen = np.flatnonzero(np.isfinite(y))
    return (float(x[seen[-1]]), float(y[seen[-1]])) if seen.size else None
