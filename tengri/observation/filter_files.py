"""Files of filter curves: two columns, EAZY's ``FILTER.RES``, several curves between headers.

=====================  ========================================================================
two columns            wavelength and response; blanks, commas or semicolons between them, ``#``
                       before comments, one line of column names (LePhare, SVO, sedpy, ECSV)
``FILTER.RES``         of EAZY, FAST and Prospector's kin: a line with the number of rows and the
                       name, then index, wavelength and response; many curves
many curves            a ``#`` line with the name before each one (FSPS, SLUG)
=====================  ========================================================================

The header is obeyed where it states the unit of the wavelengths (Å, nm, µm, mm, cm, m) or a
detector that counts energy (a line ``# energy``). Rows may ascend or descend; noise below zero
is dropped as it is from the curves that come with the package.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tengri.errors import ConfigError, DataError, unknown
from tengri.io import hdf5_reader
from tengri.observation.conventions import per_photon
from tengri.quantities import as_unit

DETECTORS = ("photon", "energy")
#: Of a file of curves; EAZY's, of hundreds, has about 3 MB.
MAX_BYTES = 1 << 23
#: Noise below zero that is dropped, over the peak; published curves have up to 0.5 per cent.
NOISE = 0.01
LYMAN_LIMIT_AA = 912.0
#: Å in one unit
LENGTHS = {"angstrom": 1.0, "nm": 10.0, "um": 1e4, "mm": 1e7, "cm": 1e8, "m": 1e10}

_LONG = {
    "angstrom": r"angstr(?:o|ö|oe)ms?|ångstr(?:o|ö)ms?|å|aa|ang",
    "nm": r"nm|nano-?met(?:er|re)s?",
    "um": r"um|µm|μm|microns?|micro-?met(?:er|re)s?",
    "mm": r"mm|milli-?met(?:er|re)s?",
    "cm": r"cm|centi-?met(?:er|re)s?",
    "frequency": r"[kmgt]?hz|k?ev",
}
_WORD = "|".join(f"(?P<{name}>{words})" for name, words in _LONG.items())
_COLUMN = r"(?:wave\w*?|lambda|lam|λ|wl|wvl)"
# from the surest statement to the least sure one: a column of wavelengths, brackets, any word
_TIERS = (
    rf"{_COLUMN}[\"'\s_(\[/,:=.-]+(?:(?:is|are|in|given|units?)[\"'\s_(\[/,:=-]+)*"
    rf"(?:(?i:{_WORD})|(?P<A>A)|(?P<m>m))(?!\w)",
    rf"[\[(]\s*(?:(?i:{_WORD})|(?P<A>A)|(?P<m>m))\s*[\])]",
    rf"(?<![\d.]\s)(?<![\d.\w-])(?i:{_WORD})(?!\w)",
)
_DETECTOR = re.compile(
    r"\s*(?:detector\w*\s*[:=]?\s*)?(energy|photon)s?(?:[\s-]*count(?:er|ing))?\s*", re.I
)
_SVO_DETECTOR = re.compile(r".*detector\s*type\s*[:=]\s*([01])\b.*", re.I)


class Curve(NamedTuple):
    """One curve of a file: name, wavelengths [Å] that ascend, response per photon."""

    name: str
    wave: np.ndarray
    trans: np.ndarray


class _Block(NamedTuple):
    """Rows of one curve as they stand, and the comments that came before them."""

    name: str
    table: np.ndarray
    header: tuple[str, ...]


def read_curves(path: str | Path, unit: Any = None, detector: str | None = None) -> list[Curve]:
    """Return all curves of a file.

    Parameters
    ----------
    path : path
        See the top of the file.
    unit : str or astropy unit, optional
        Of the wavelengths, whatever the header says. Default: the header's, else Å.
    detector : {"photon", "energy"}, optional
        What the response is per. Default: the header's, else photon.

    Raises
    ------
    DataError
        A file that is missing or of another kind; a header with two units.
    ConfigError
        An unknown unit or detector.
    """
    path = Path(path).expanduser()
    if detector is not None and detector not in DETECTORS:
        raise unknown("detector", str(detector), DETECTORS)
    blocks = _blocks(path)
    return [_curve(path, block, unit, detector) for block in blocks]


def _curve(path: Path, block: _Block, unit: Any, detector: str | None) -> Curve:
    stated = unit_of_header(block.header, path) if unit is None else None
    factor = _factor(unit) if unit is not None else LENGTHS[stated or "angstrom"]
    wave, trans = clean(block.table[:, 0] * factor, block.table[:, 1])
    if unit is None and stated is None and 0.0 < _middle(wave, trans) < LYMAN_LIMIT_AA:
        warnings.warn(
            f"{path}: the curve {block.name!r} lies about {_middle(wave, trans):.4g} Å, below the "
            f"Lyman limit ({LYMAN_LIMIT_AA:g} Å), and its header states no unit. If it is in nm "
            'or µm, give unit="nm" or unit="um"; if in Å, unit="angstrom".',
            stacklevel=4,
        )
    if (detector or detector_of_header(block.header) or "photon") == "energy":
        if not _is_curve(wave):
            raise ConfigError(
                f"Filter curve {block.name!r}: wavelengths must be positive and strictly "
                "increasing to count energy."
            )
        wave, trans = per_photon(wave, trans)
    return Curve(block.name, wave, trans)


def _is_curve(wave: np.ndarray) -> bool:
    return wave.size > 1 and wave[0] > 0.0 and bool((np.diff(wave) > 0.0).all())


def _middle(wave: np.ndarray, trans: np.ndarray) -> float:
    """Return the mean wavelength, weighted with the response."""
    return float((wave * trans).sum() / trans.sum()) if trans.sum() > 0.0 else 0.0


def clean(wave: np.ndarray, trans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve ascending, without the noise below zero that measured ones carry."""
    noise = (trans < 0.0) & (trans >= -NOISE * np.max(trans, initial=0.0))
    order = np.argsort(wave[~noise], kind="stable")
    return wave[~noise][order], trans[~noise][order]


# --- headers ----------------------------------------------------------------------------------


def unit_of_header(lines: tuple[str, ...], path: Path) -> str | None:
    """Return the key of `LENGTHS` that a header states, or None.

    Raises
    ------
    DataError
        Two units that are equally plausible, or a frequency.
    """
    text = "\n".join(lines)
    for tier in _TIERS:
        matches = [match.groupdict() for match in re.finditer(tier, text)]
        found = {{"A": "angstrom"}.get(k, k) for m in matches for k, v in m.items() if v}
        if len(found) == 1 and found != {"frequency"}:
            return found.pop()
        if found:
            raise DataError(
                f"{path}: the header states {' and '.join(sorted(found))}; give unit= one of "
                f"{', '.join(LENGTHS)}, and wavelengths rather than frequencies."
            )
    return None


def detector_of_header(lines: tuple[str, ...]) -> str | None:
    """Return the detector that a line of the header names, or None."""
    for line in lines:
        if match := _DETECTOR.fullmatch(line):
            return match[1].lower()
        if match := _SVO_DETECTOR.fullmatch(line):
            return DETECTORS[1 - int(match[1])]
    return None


def _factor(unit: Any) -> float:
    """Return Å per unit of a name, or of a unit of astropy."""
    if isinstance(unit, str):
        for name, words in _LONG.items():
            if name in LENGTHS and re.fullmatch(words, unit, re.I):
                return LENGTHS[name]
        if unit in ("A", "m"):
            return LENGTHS["angstrom" if unit == "A" else "m"]
        raise unknown("unit of wavelength", unit, LENGTHS)
    try:
        return float(unit.to(as_unit("Angstrom")))
    except (AttributeError, ValueError, TypeError):
        raise unknown("unit of wavelength", str(unit), LENGTHS) from None


# --- rows -------------------------------------------------------------------------------------


def _blocks(path: Path) -> list[_Block]:
    """Return the curves of a file as they stand."""
    try:
        lines = hdf5_reader.read_text(path, MAX_BYTES).lstrip("\ufeff").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of a filter curve.") from None
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a file of wavelength, transmission ({error}).") from error
    body = [line for line in lines if line.strip() and not _is_comment(line)]
    if _is_eazy(body):
        return _eazy_blocks(path, body)
    return _plain_blocks(path, lines)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "!", "%", "//"))


def _words(line: str) -> list[str]:
    return re.sub(r"[,;]", " ", line.split("#")[0]).split()


def _numbers(line: str) -> list[float] | None:
    """Return the leading numbers of a line; None if its first word is none."""
    found: list[float] = []
    for word in _words(line):
        try:
            found.append(float(word.replace("D", "E").replace("d", "e")))
        except ValueError:
            break
    return found or None


def _is_eazy(body: list[str]) -> bool:
    """Whether the file begins with a number of rows and a row that begins with its index."""
    if len(body) < 3 or not _count(body[0]):
        return False
    first, second = _numbers(body[1]), _numbers(body[2])
    return bool(
        first and second and len(first) >= 3 and len(second) >= 3
        and first[0] in (0.0, 1.0) and second[0] == first[0] + 1.0
    )  # fmt: skip


def _count(line: str) -> int:
    """Return the number of rows that a line begins with; 0 for none."""
    word = next(iter(_words(line)), "")
    return int(word) if re.fullmatch(r"[0-9]{1,7}", word) else 0


def _eazy_blocks(path: Path, body: list[str]) -> list[_Block]:
    blocks: list[_Block] = []
    place = 0
    while place < len(body):
        words, n = _words(body[place]), _count(body[place])
        rows = [_numbers(line) or [] for line in body[place + 1 : place + 1 + n]]
        if n < 1 or len(rows) != n or any(len(row) < 3 for row in rows):
            raise DataError(
                f"{path}: curve {len(blocks) + 1} should be a line with the number of rows and "
                f"that many rows of index, wavelength [Å] and response; it is {body[place][:60]!r}."
            )
        name = Path(words[1]).stem if len(words) > 1 else f"{path.stem}_{len(blocks) + 1}"
        blocks.append(_Block(name, np.array([row[1:3] for row in rows]), ()))
        place += 1 + n
    return _named_apart(blocks)


def _plain_blocks(path: Path, lines: list[str]) -> list[_Block]:
    """Return one curve, or several where a comment stands between curves that start anew."""
    groups: list[tuple[list[str], list[list[float]]]] = [([], [])]
    for line in filter(str.strip, lines):
        numbers = None if _is_comment(line) else _numbers(line)
        header, rows = groups[-1]
        if numbers is None:
            if not _is_comment(line) and (rows or (header and not _is_comment(header[-1]))):
                raise DataError(_not_two_columns(path, f"{line.strip()[:60]!r}"))
            if rows:
                groups.append(([line], []))
            else:
                header.append(line)
        elif len(numbers) < 2:
            raise DataError(_not_two_columns(path, f"{line.strip()[:60]!r}"))
        else:
            rows.append(numbers[:2])
    found = [group for group in groups if group[1]]
    if sum(len(rows) for _, rows in found) < 2:
        raise DataError(_not_two_columns(path, "less than two rows of numbers"))
    tables = [np.array(rows) for _, rows in found]
    headers = [tuple(line.lstrip(" #!%/").strip() for line in header) for header, _ in found]
    step = np.diff(np.concatenate(tables)[:, 0])
    if (step > 0.0).all() or (step < 0.0).all() or len(tables) == 1:
        everything = tuple(line for header in headers for line in header)
        return [_Block(path.stem, np.concatenate(tables), everything)]
    names = [(header[0].split() or [path.stem])[0] if header else path.stem for header in headers]
    return _named_apart([_Block(*one) for one in zip(names, tables, headers)])


def _not_two_columns(path: Path, got: str) -> str:
    return f"{path}: not a file of wavelength [Å], transmission ({got})."


def _named_apart(blocks: list[_Block]) -> list[_Block]:
    """Return curves whose names differ: a second one of a name gets its number in the file."""
    names = [block.name for block in blocks]
    return [
        block._replace(name=f"{block.name}_{i}") if block.name in names[: i - 1] else block
        for i, block in enumerate(blocks, 1)
    ]
