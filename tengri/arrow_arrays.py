"""Arrays of Arrow as arrays of NumPy: nulls are masks, integers keep every digit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def as_masked(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a column of Arrow, (n,) or of lists of one length (n, k); nulls are masked.

    Text and what NumPy has no type for become objects.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # of no chunk, or too large for one
            column = pa.concat_arrays(column.chunks) if column.num_chunks else _empty(column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_list(column.type):
        return _rows(column)
    missing = np.asarray(column.is_null().to_numpy(zero_copy_only=False), bool)
    if pa.types.is_null(column.type):
        return np.ma.MaskedArray(np.full(len(column), np.nan), mask=missing)
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        column = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)
    values = column.to_numpy(zero_copy_only=False)
    return np.ma.MaskedArray(values, mask=missing) if missing.any() else values


def _is_list(kind: pa.DataType) -> bool:
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)
            or pa.types.is_fixed_size_list(kind))  # fmt: skip


def _empty(kind: pa.DataType) -> pa.Array:
    return pa.array([], kind)


def _rows(column: pa.Array) -> np.ndarray:
    """Return a column of lists of one length as (n, k); of several, as objects (n,)."""
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(column) and (len(lengths) != 1 or lengths[0] is None):
        return np.array([*column.to_pylist(), None], object)[:-1]
    flat = as_masked(column.flatten())
    return flat.reshape(len(column), lengths[0] if lengths else 0)
