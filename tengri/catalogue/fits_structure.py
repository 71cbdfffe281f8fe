"""What a FITS file declares, held against what is there, and its checksums.

Headers are read card by card (FITS Standard 4.0, sections 3 and 4.4): every header ends, every
size is possible, and all data that are declared are in the file. Where a header states ``DATASUM``
or ``CHECKSUM`` (appendix J), the sums are computed: 32 bits, ones' complement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from tengri.errors import DataError

BLOCK, CARD = 2880, 80
#: A header of 20 000 cards; one of 999 columns has about 8 000.
MAX_BLOCKS = 556
MAX_FIELDS = 999
BITPIX = (8, 16, 32, 64, -32, -64)
_CHUNK = BLOCK << 10
#: Bytes of one element, by the letter of TFORM.
WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16,
          "P": 8, "Q": 16}  # fmt: skip
_TFORM = re.compile(r"(\d{0,9})([LXBIJKAEDCMPQ])")
_KEY = re.compile(
    r"NAXIS\d*|BITPIX|PCOUNT|GCOUNT|TFIELDS|THEAP|XTENSION|T(FORM|TYPE)\d+|DATASUM|CHECKSUM"
)


class Unit(NamedTuple):
    """A header with its data: where it begins, what it says, where its data begin and end."""

    number: int
    start: int
    cards: dict[str, str]
    data: int
    end: int


def check(path: Path, file: BinaryIO) -> None:
    """Raise DataError, with the extension, where a file is not what its headers say.

    Parameters
    ----------
    path : Path
        For the messages.
    file : binary file
        Open for reading.
    """
    size = file.seek(0, 2)
    for unit in _units(path, file, size):
        if problem := _table_problem(unit):
            raise DataError(f"{path}: extension {unit.number}: {problem}.")
        _check_sums(path, file, unit)


def _units(path: Path, file: BinaryIO, size: int) -> Iterator[Unit]:
    place, number = 0, 0
    while place < size:
        file.seek(place)
        cards, data = _header(path, file, place, number)
        if cards is None:
            return  # bytes after the last extension, which the standard allows
        length = _data_length(path, cards, number)
        if data + length > size:
            raise DataError(
                f"{path}: extension {number} declares {length} bytes of data and "
                f"{max(0, size - data)} are there: the file is truncated, get a fresh copy."
            )
        end = data + -(-length // BLOCK) * BLOCK
        yield Unit(number, place, cards, data, end)
        place, number = end, number + 1


def _header(
    path: Path, file: BinaryIO, place: int, number: int
) -> tuple[dict[str, str] | None, int]:
    """Return the cards that say sizes, and where the header ends."""
    cards: dict[str, str] = {}
    for block in range(MAX_BLOCKS):
        text = file.read(BLOCK)
        if block == 0 and not text.startswith((b"SIMPLE  =", b"XTENSION=")):
            if number == 0:
                raise DataError(f"{path}: cannot be read as FITS (it does not begin with SIMPLE).")
            return None, place
        if len(text) < BLOCK:
            break
        for i in range(0, BLOCK, CARD):
            card = text[i : i + CARD].decode("latin-1")
            if card.rstrip() == "END" and not (number == 0 and "XTENSION" in cards):
                return cards, place + (block + 1) * BLOCK
            key, _, value = card.partition("=")
            if _KEY.fullmatch(key.strip()):
                cards.setdefault(key.strip(), _value(value))
    raise DataError(
        f"{path}: the header of extension {number} does not end: the file is damaged or truncated."
    )


def _value(text: str) -> str:
    """Return the value of a card, without quotes and comment."""
    text = text.strip()
    return (
        text[1:].partition("'")[0].rstrip() if text.startswith("'") else text.split("/")[0].strip()
    )


def _data_length(path: Path, cards: dict[str, str], number: int) -> int:
    """Return the bytes of data of an extension, without their padding."""
    n_axes = _integer(path, cards, number, "NAXIS", 0, 999)
    if _integer(path, cards, number, "BITPIX", -64, 64) not in BITPIX:
        raise DataError(f"{path}: extension {number}: BITPIX is {cards['BITPIX']}.")
    sizes = [_integer(path, cards, number, f"NAXIS{i}", 0, 1 << 62) for i in range(1, n_axes + 1)]
    extra = _integer(path, cards, number, "PCOUNT", 0, 1 << 62, default=0)
    groups = _integer(path, cards, number, "GCOUNT", 0, 1 << 62, default=1)
    if sizes and sizes[0] == 0 and number == 0:  # random groups
        sizes = sizes[1:]
    return abs(int(cards["BITPIX"])) // 8 * groups * (extra + (math.prod(sizes) if sizes else 0))


def _integer(
    path: Path, cards: dict[str, str], number: int, key: str, lo: int, hi: int,
    default: int | None = None,
) -> int:  # fmt: skip
    text = cards.get(key)
    if text is None and default is not None:
        return default
    if text is None:
        raise DataError(f"{path}: extension {number} does not say {key}.")
    if re.fullmatch(r"[+-]?\d{1,19}", text) and lo <= int(text) <= hi:
        return int(text)
    raise DataError(f"{path}: extension {number}: {key} is {text[:30]!r}.")


def _table_problem(unit: Unit) -> str:
    """Return what is wrong with the columns of a binary table, or nothing."""
    cards = unit.cards
    if cards.get("XTENSION") != "BINTABLE":
        return ""
    if cards["NAXIS"] != "2" or cards["BITPIX"] != "8":
        return "a table needs NAXIS = 2 and BITPIX = 8"
    fields = cards.get("TFIELDS", "")
    if not re.fullmatch(r"\d{1,3}", fields):
        return f"TFIELDS is {fields[:30]!r}, 0 to {MAX_FIELDS} are possible"
    width = 0
    for i in range(1, int(fields) + 1):
        form = cards.get(f"TFORM{i}", "")
        name = cards.get(f"TTYPE{i}", str(i))
        match = _TFORM.match(form)
        if not match:
            return f"column {name!r}: TFORM{i} is {form[:30]!r}"
        n = int(match[1] or 1)
        width += -(-n // 8) if match[2] == "X" else WIDTHS[match[2]] * n
    if width != int(cards["NAXIS1"]):
        return f"its columns take {width} bytes and its rows (NAXIS1) have {cards['NAXIS1']}"
    return ""


def _check_sums(path: Path, file: BinaryIO, unit: Unit) -> None:
    """Raise where a sum that the header states is not that of the bytes."""
    stated = unit.cards.get("DATASUM", "")
    data = None
    if stated.isdecimal():
        data = _sum(file, unit.data, unit.end)
        if data != int(stated):
            raise DataError(
                f"{path}: the data of extension {unit.number} do not match their DATASUM: the "
                "file is damaged, get a fresh copy."
            )
    if len(unit.cards.get("CHECKSUM", "")) == 16:
        data = _sum(file, unit.data, unit.end) if data is None else data
        whole = _added(_sum(file, unit.start, unit.data), data)
        if whole not in (0, 0xFFFFFFFF):
            raise DataError(
                f"{path}: extension {unit.number} does not match its CHECKSUM: the file is "
                "damaged or was edited, get a fresh copy."
            )


def _sum(file: BinaryIO, start: int, stop: int) -> int:
    """Return the ones' complement sum of big-endian words of 32 bits."""
    file.seek(start)
    total = 0
    while start < stop:
        raw = file.read(min(_CHUNK, stop - start))
        words = np.frombuffer(raw + b"\0" * (-len(raw) % 4), ">u4")
        total = _added(total, int(words.sum(dtype=np.uint64)))
        start += _CHUNK
    return total


def _added(a: int, b: int) -> int:
    """Return a sum with its carries added at the low end."""
    total = a + b
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total
