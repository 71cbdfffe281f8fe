"""Where a command writes its figure: any format of matplotlib, chosen by the name's ending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: What help and messages name; every other format of matplotlib will do.
ENDINGS = (".png", ".pdf", ".svg")


def check(out: Path) -> None:
    """Raise ConfigError for a name that no figure can have."""
    from matplotlib.backend_bases import FigureCanvasBase

    from tengri.errors import ConfigError

    if out.suffix.removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise ConfigError(f"-o {out}: a figure ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")


def save(figure: Any, out: Path) -> None:
    """Write a figure whole or not at all, and close it."""
    import matplotlib.pyplot as plt

    from tengri.io import atomic

    check(out)
    with atomic.whole(out) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
    plt.close(figure)
