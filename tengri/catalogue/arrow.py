"""Columns of Arrow as arrays of NumPy, and back: nulls are masks, integers keep every digit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from tengri.catalogue.table import Columns, Schema

UNIT_NAMES = (b"unit", b"units")


def unit_of(field: pa.Field) -> str:
    """Return the field's metadata ``unit`` or ``units``, or nothing."""
    metadata = field.metadata or {}
    return next((metadata[key].decode() for key in UNIT_NAMES if key in metadata), "")


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
