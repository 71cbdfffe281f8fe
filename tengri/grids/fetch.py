"""Download a data file into the folder for downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tengri.grids.files import download_folder
from tengri.io.download import download, name_in


def fetch(url: str, output: str | Path | None = None, **options: Any) -> Path:
    """Download ``url`` and return where it is.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    output : path, optional
        Default: the name in the URL, in the folder for downloads.
    **options
        ``sha256``, ``attempts`` and ``timeout_s`` of `tengri.io.download.download`.

    Raises
    ------
    DataError
        As there.
    """
    target = Path(output) if output is not None else download_folder() / name_in(url)
    return download(url, target, **options)
