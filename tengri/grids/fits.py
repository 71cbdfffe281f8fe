"""A reader of FITS image extensions: enough for the grids of the wheel, and no more.

FITS Standard 4.0 (Pence et al. 2010, A&A 524, A42): blocks of 2880 bytes; a header of cards of
80 characters up to ``END``; big-endian data with the first axis running fastest.
"""

from __future__ import annotations

import math

import numpy as np

from tengri.errors import DataError

_BLOCK, _CARD = 2880, 80
_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def read_images(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Return the images of a FITS file by their EXTNAME; ``name`` is for messages."""
    images: dict[str, np.ndarray] = {}
    at = 0
    while at < len(content):
        header, at = _header(content, at, name)
        shape = [int(header[f"NAXIS{i}"]) for i in range(int(header["NAXIS"]), 0, -1)]
        kind = np.dtype(_TYPES[int(header["BITPIX"])])
        size = math.prod(shape) * kind.itemsize if shape else 0
        if at + size > len(content):
            raise DataError(f"{name}: truncated within {header.get('EXTNAME', 'its first image')}.")
        if shape:
            image = np.frombuffer(content, kind, math.prod(shape), at).reshape(shape)
            images[header.get("EXTNAME", "PRIMARY")] = image
        at += -(-size // _BLOCK) * _BLOCK
    return images


def _header(content: bytes, at: int, name: str) -> tuple[dict[str, str], int]:
    """Return the cards from ``at`` on as text, and where the data start."""
    cards: dict[str, str] = {}
    for start in range(at, len(content) - _CARD + 1, _CARD):
        card = content[start : start + _CARD].decode("ascii", "replace")
        if card.rstrip() == "END":
            return cards, at + -(-(start + _CARD - at) // _BLOCK) * _BLOCK
        if card[8:10] == "= ":
            cards[card[:8].strip()] = _value(card[10:])
    raise DataError(f"{name}: not a FITS file, or truncated: a header without END.")


def _value(text: str) -> str:
    text = text.strip()
    return text[1:].split("'")[0].strip() if text.startswith("'") else text.split("/")[0].strip()
