"""Tables as arrays without Python objects, in an order that does not depend on the file's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.sampling.sampler import Arrays
from builder.table.tables import OF_CODE, Column, Kind, Table

Codes = NDArray[np.int64]


def coded(column: Column) -> tuple[Codes, NDArray[np.str_]]:
    """A category column's (n,) codes, -1 where missing, and its (m,) texts in code-point order."""
    known = {value for value in column.values.tolist() if value is not None}
    texts = np.array(sorted(known), dtype=np.str_)
    index = {text: code for code, text in enumerate(texts.tolist())}
    codes = [-1 if value is None else index[value] for value in column.values.tolist()]
    return np.array(codes, dtype=np.int64), texts


def ranked(column: Column) -> NDArray[Any]:
    """Numbers (n,) in the order of a column's values: its own, or codes; missing ones last."""
    if column.numeric:
        return column.values + 0.0
    codes, texts = coded(column)
    return np.where(codes < 0, len(texts), codes)


def canonical(table: Table) -> Table:
    """The same rows sorted by their columns, first column first, missing values last."""
    keys = [ranked(column) for column in reversed(list(table.columns.values()))]
    return table.take(np.lexsort(keys)) if keys else table


def header(table: Table) -> Arrays:
    """`names` and `kinds`, (d,) texts each, which every fitted sampler keeps."""
    return {
        "names": np.array(list(table.columns), dtype=np.str_),
        "kinds": np.array([column.kind.code for column in table.columns.values()], dtype=np.str_),
    }


def headed(arrays: Arrays) -> list[tuple[str, Kind]]:
    """Names and kinds of the columns."""
    codes = zip(arrays["names"].tolist(), arrays["kinds"].tolist(), strict=True)
    return [(name, OF_CODE[code]) for name, code in codes]


def pack(table: Table) -> Arrays:
    """A whole table: the header, then `values0`, `values1` … and `texts0` … of categories."""
    arrays = header(table)
    for i, column in enumerate(table.columns.values()):
        if not column.numeric:
            arrays[f"values{i}"], arrays[f"texts{i}"] = coded(column)
        else:
            arrays[f"values{i}"] = column.values + 0.0
    return arrays


def values(arrays: Arrays, i: int, rows: Codes) -> NDArray[Any]:
    """Column i of a packed table at these rows (n,): floats, or text objects and None."""
    column = arrays[f"values{i}"][rows]
    return decoded(column, arrays[f"texts{i}"]) if f"texts{i}" in arrays else column


def decoded(codes: Codes, texts: NDArray[np.str_]) -> NDArray[Any]:
    """Text objects of codes, None for -1."""
    # The last entry serves -1.
    return np.array([*texts.tolist(), None], dtype=object)[codes]
