"""Columns of Arrow as arrays of NumPy, and back: nulls are masks, integers keep every digit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tengri.catalogue.table import Columns, Schema

UNIT_NAMES = (b"unit", b"units")


def unit_of(field: pa.Field) -> str:
    """Return the field's metadata ``unit`` or ``units``, or nothing."""
    metadata = field.metadata or {}
    return next((metadata[key].decode() for key in UNIT_NAMES if key in metadata), "")


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


def layout(schema: Schema) -> pa.Schema:
    """Return the fields of a table that is to be written, with units and facts."""
    fields = [pa.field(name, _type(field.dtype), metadata={"unit": field.unit})
              for name, field in schema.fields.items()]  # fmt: skip
    return pa.schema(fields, metadata={str(k): str(v) for k, v in schema.facts.items()})


def _type(dtype: np.dtype) -> pa.DataType:
    kind = pa.string() if dtype.base.kind in "SU" else pa.from_numpy_dtype(dtype.base)
    for length in reversed(dtype.shape):
        kind = pa.list_(kind, length)
    return kind


def record_batches(layout: pa.Schema, chunks: Iterable[Columns]) -> Iterator[pa.Table]:
    """Yield tables of the layout, one per chunk; what is masked is null."""
    for chunk in chunks:
        yield pa.Table.from_arrays(
            [_column(chunk[field.name], field.type) for field in layout], schema=layout
        )


def _column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    missing = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if data.ndim == 1:
        return pa.array(data, kind, mask=missing)
    flat = pa.array(data.ravel(), _innermost(kind), mask=missing.ravel())
    for length in reversed(data.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, length)
    return flat


def _innermost(kind: pa.DataType) -> pa.DataType:
    return _innermost(kind.value_type) if pa.types.is_fixed_size_list(kind) else kind
