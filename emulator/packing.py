"""Lossless packing of tables that are rounded: second differences in whole steps, deflated.

A column of a table whose values are multiples of a power of two is that unit and whole numbers.
Along a smooth curve their second differences are small, and few bytes once those of equal
significance lie together. The size of what is unpacked is known before anything is inflated.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping

import numpy as np

Arrays = dict[str, np.ndarray]

#: Where packed arrays are kept in a file; what is worth it.
PREFIX, LEAST_SIZE = "packed/", 1 << 12
#: Whole numbers of a column stay below this, so that their differences are exact in 32 bits.
MOST = 1 << 28
#: No array of a surrogate is unpacked to more bytes than this.
MAX_BYTES = 1 << 28
#: What inflating may take [bytes]; preset 6 of LZMA needs 9 MiB.
MEMORY_LIMIT = 1 << 26


def packed(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return arrays by path, with those that can be packed as ``packed/PATH/{unit,shape,bytes}``.

    They are ``unit`` (n_column,), ``shape`` (2,) and the deflated bytes of the steps.
    """
    out: Arrays = {}
    for path, values in arrays.items():
        found = _pack(values)
        out |= {path: values} if found is None else {
            f"{PREFIX}{path}/{name}": a for name, a in found.items()
        }  # fmt: skip
    return out


def unpacked(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays that `packed` was given.

    Raises
    ------
    KeyError, ValueError
        Parts that do not belong together, damaged or larger than any surrogate.
    """
    out = {path: values for path, values in arrays.items() if not path.startswith(PREFIX)}
    paths = sorted({path.removeprefix(PREFIX).rpartition("/")[0]
                    for path in arrays if path.startswith(PREFIX)})  # fmt: skip
    for path in paths:
        unit, shape, data = (arrays[f"{PREFIX}{path}/{n}"] for n in ("unit", "shape", "bytes"))
        out[path] = _unpack(path, unit, shape, data)
    return out


def _pack(values: np.ndarray) -> Arrays | None:
    """Return the parts of a packed array (n,) or (n, n_column), or None where nothing is won."""
    if values.ndim not in (1, 2) or values.dtype.kind != "f" or values.size < LEAST_SIZE:
        return None
    columns = values.reshape(len(values), -1)
    unit = _units(columns)
    whole = np.round(columns / unit).astype(np.float64)
    if not np.isfinite(whole).all() or np.abs(whole).max() >= MOST:
        return None
    steps = np.diff(whole.T, n=2, axis=1, prepend=np.zeros((len(unit), 2))).astype(np.int32)
    unsigned = ((steps << 1) ^ (steps >> 31)).astype("<u4")  # small numbers of either sign
    planes = unsigned.reshape(-1, 1).view(np.uint8).T  # bytes of equal significance
    data = lzma.compress(planes.tobytes(), preset=6)
    return {"unit": unit.astype(values.dtype), "shape": np.array(values.shape, np.int64),
            "bytes": np.frombuffer(data, np.uint8)}  # fmt: skip


def _unpack(path: str, unit: np.ndarray, shape: np.ndarray, data: np.ndarray) -> np.ndarray:
    sizes = tuple(int(length) for length in shape)
    n, columns = (*sizes, 1)[:2]
    size = 4 * n * columns
    if len(sizes) > 2 or unit.shape != (columns,) or n < 1 or not 0 < size <= MAX_BYTES:
        raise ValueError(f"{path}: {unit.shape} units of an array {sizes}")
    inflate = lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY_LIMIT)
    try:
        raw = inflate.decompress(data.tobytes(), size + 1)
    except lzma.LZMAError as error:
        raise ValueError(f"{path}: cannot be inflated ({error})") from error
    if len(raw) != size or not inflate.eof:
        raise ValueError(f"{path}: {len(raw)} bytes of {size} expected")
    planes = np.frombuffer(raw, np.uint8).reshape(4, -1)
    unsigned = np.ascontiguousarray(planes.T).view("<u4").astype(np.int64)
    steps = ((unsigned >> 1) ^ -(unsigned & 1)).reshape(columns, n)
    whole = np.cumsum(np.cumsum(steps, axis=1), axis=1)
    values = (whole * unit[:, None].astype(np.float64)).T.astype(unit.dtype)
    return np.ascontiguousarray(values.reshape(sizes))


def _units(values: np.ndarray) -> np.ndarray:
    """Return the largest power of two of which all values of a column are multiples."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    whole = np.abs(mantissa * 2.0**53).astype(np.int64)
    power = np.where(whole == 0, 127, exponent - 53 + np.log2(np.maximum(whole & -whole, 1)))
    return np.asarray(2.0 ** np.min(power, axis=0))
