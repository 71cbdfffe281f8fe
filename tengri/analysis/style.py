"""The look of the figures: colour-blind-safe maps, inward ticks, legible at column width."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from tengri.errors import ConfigError, unknown

# Perceptually uniform maps; the pale end is cut off so that every line shows on white.
SWEEP_CMAPS = {
    **dict.fromkeys(("dust", "agn", "sfh", "nebular", "radio", "redshift"), "viridis"),
    **dict.fromkeys(("metallicity", "stellar_age"), "cividis"),
}
SWEEP_VMIN, SWEEP_VMAX = 0.0, 0.85

_BASE: dict[str, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "font.family": "serif",
    "mathtext.fontset": "dejavuserif",
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.titlesize": 12,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.6,
    "image.cmap": "viridis",
}
_TICKS: dict[str, Any] = {
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
}
STYLES: dict[str, dict[str, Any]] = {
    "tengri": _BASE | _TICKS,
    "tengri-nature": _BASE
    | _TICKS
    | {"font.family": "sans-serif", "mathtext.fontset": "dejavusans", "font.size": 8,
       "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 7},
    "tengri-minimal": _BASE | {"axes.spines.top": False, "axes.spines.right": False},
}  # fmt: skip


def setup_style(style: str = "tengri") -> None:
    """Set matplotlib's rcParams to one of ``STYLES``.

    Raises
    ------
    UnknownNameError
        Another name.
    """
    if style not in STYLES:
        raise unknown("style", style, STYLES)
    plt.rcdefaults()
    plt.rcParams.update(STYLES[style])  # type: ignore[arg-type]


def colours(n: int, cmap: str = "viridis") -> np.ndarray:
    """Return n colours (n, 4) from the dark end of ``cmap`` to where it is still legible."""
    return plt.get_cmap(cmap)(np.linspace(SWEEP_VMIN, SWEEP_VMAX, n))


#: One pattern for each; curves of one colour never share it.
LINE_STYLES = ("-", (0, (6, 1.5)), (0, (4, 1.2, 1, 1.2)), (0, (1.5, 1)))
#: Colours that stay apart for every common colour vision (Okabe & Ito 2008, less the yellow).
CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def curve_styles(n: int, cmap: str = "viridis") -> list[dict[str, Any]]:
    """Return n distinct looks of ordered curves: colours run along ``cmap``, line styles alternate.

    Curves of one line style are far apart in colour, so that eleven bands can be told apart.
    """
    shades = colours(n, cmap)
    n_styles = min(len(LINE_STYLES), max(1, -(-n // 3)))
    return [{"color": tuple(map(float, shades[i])), "ls": LINE_STYLES[i % n_styles], "lw": 1.7}
            for i in range(n)]  # fmt: skip


def category_colours(n: int) -> list[str]:
    """Return n colours of things without an order, at most ``len(CATEGORIES)``.

    Raises
    ------
    ConfigError
        More of them: nobody tells them apart.
    """
    if n > len(CATEGORIES):
        raise ConfigError(f"{n} colours without an order cannot be told apart; use curve_styles.")
    return list(CATEGORIES[:n])


def png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """Return a figure as bytes of a PDF, the same at any time."""
    buffer = io.BytesIO()
    FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})
    return buffer.getvalue()
