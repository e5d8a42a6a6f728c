"""Columns as Arrow holds them, put together from numpy's bytes.

Arrow's own way from Python objects loads pandas, for 50 MB and a fifth of a second, and takes
several times as long. Imported where files are written: pyarrow is large.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from builder.table.tables import Kind

_NUMPY = {"integer": np.int64, "number": np.float64}


def kind_type(kind: Kind) -> pyarrow.DataType:
    """The Arrow type of a column."""
    if kind.name == "list" and kind.of is not None:
        return pyarrow.list_(kind_type(kind.of))
    if kind.name == "struct":
        return pyarrow.struct([(name, kind_type(inner)) for name, inner in kind.fields])
    simple = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
    }
    return simple.get(kind.name, pyarrow.string())


def leaves(name: str, kind: Kind) -> list[str]:
    """The columns of a Parquet file that hold a column's values.

    >>> leaves("turns", Kind("list", Kind("struct", fields=(("role", Kind("string")),))))
    ['turns.list.element.role']
    """
    if kind.name == "list" and kind.of is not None:
        return leaves(f"{name}.list.element", kind.of)
    if kind.name == "struct":
        return [leaf for inner, part in kind.fields for leaf in leaves(f"{name}.{inner}", part)]
    return [name]


def array(values: Sequence[Any], kind: Kind) -> pyarrow.Array:
    """(n,) values as an array of the column's type, None as null."""
    present, holes = None, None in values
    if holes:
        present = np.fromiter((value is not None for value in values), np.bool_, len(values))
    buffers: list[Any] = [None if present is None else _bits(present)]
    children: list[pyarrow.Array] = []
    if kind.name == "list" and kind.of is not None:
        lists = [value or () for value in values]
        buffers.append(_offsets(lists))
        children.append(array([item for items in lists for item in items], kind.of))
    elif kind.name == "struct":
        structs = [value or {} for value in values]
        children += [array([s.get(name) for s in structs], inner) for name, inner in kind.fields]
    elif kind.name == "boolean":
        buffers.append(_bits(np.fromiter(map(bool, values), np.bool_, len(values))))
    elif kind.name in _NUMPY:
        numbers = [value or 0 for value in values] if holes else values
        buffers.append(pyarrow.py_buffer(np.array(numbers, dtype=_NUMPY[kind.name])))
    else:
        buffers += _text([value or "" for value in values] if holes else values)
    return pyarrow.Array.from_buffers(kind_type(kind), len(values), buffers, children=children)


def batch(
    columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind], schema: pyarrow.Schema
) -> pyarrow.RecordBatch:
    """Columns of one length as one piece of a table."""
    arrays = [array(columns[name], kind) for name, kind in kinds.items()]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _text(values: Sequence[str]) -> list[pyarrow.Buffer]:
    """The buffers of a text column: offsets, and the UTF-8 of all values."""
    whole = "".join(values)
    if whole.isascii():
        return [_offsets(values), pyarrow.py_buffer(whole.encode())]
    parts = [value.encode() for value in values]
    return [_offsets(parts), pyarrow.py_buffer(b"".join(parts))]


def _offsets(values: Sequence[Any]) -> pyarrow.Buffer:
    """(n + 1,) where each value begins, and where the last ends; OverflowError past 2 GiB."""
    begins = np.zeros(len(values) + 1, dtype=np.int32)
    lengths = np.fromiter(map(len, values), np.int32, len(values))
    if lengths.sum(dtype=np.int64) > np.iinfo(np.int32).max:
        raise OverflowError(f"{len(values)} rows hold more than 2 GiB in one column")
    np.cumsum(lengths, out=begins[1:])
    return pyarrow.py_buffer(begins)


def _bits(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> pyarrow.Buffer:
    return pyarrow.py_buffer(np.packbits(flags, bitorder="little"))
