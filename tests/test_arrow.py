"""Arrow arrays put together from bytes: what goes in comes out, whatever its type."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.dataset import arrow
from builder.table.tables import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Kind

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN: dict[Kind, st.SearchStrategy[Any]] = {
    STRING: TEXT,
    JSON: TEXT,
    INTEGER: st.integers(-(2**63), 2**63 - 1),
    NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN: st.booleans(),
}


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """What a column of this kind may hold, null among it."""
    if kind.of is not None:
        return st.none() | st.lists(values(kind.of), max_size=4)
    if kind.fields:
        return st.none() | st.fixed_dictionaries({n: values(inner) for n, inner in kind.fields})
    return st.none() | PLAIN[kind]


def nested(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    lists = inner.map(lambda kind: Kind("list", of=kind))
    structs = st.lists(inner, min_size=1, max_size=3).map(
        lambda kinds: Kind("struct", fields=tuple((f"f{i}", k) for i, k in enumerate(kinds)))
    )
    return lists | structs


KINDS = st.recursive(st.sampled_from(list(PLAIN)), nested, max_leaves=4)


@given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), st.lists(values(kind), max_size=40))))
def test_an_array_holds_what_it_was_made_of(made: tuple[Kind, list[Any]]) -> None:
    kind, held = made
    array = arrow.array(held, kind)
    array.validate(full=True)
    assert array.type == arrow.kind_type(kind)
    assert array.null_count == held.count(None)
    assert array.to_pylist() == held


def test_files_are_written_without_pandas() -> None:
    code = (
        "import sys, pathlib, tempfile\n"
        "from builder.dataset import files, shapes\n"
        "from builder.table.tables import STRING\n"
        "shape = shapes.Shape('columns', {'a': STRING})\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    one = files.opener(files.Layout('parquet', shape))(pathlib.Path(folder, 'a.parquet'))\n"
        "    one.write({'a': ['x', None, '四']})\n"
        "    one.close()\n"
        "assert 'pyarrow' in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (STRING, ["a"]),
        (Kind("list", of=STRING), ["a.list.element"]),
        (Kind("struct", fields=(("b", STRING), ("c", Kind("list", of=STRING)))), ["a.b", "a.c.list.element"]),
    ],
)  # fmt: skip
def test_leaves_are_named_as_parquet_names_them(kind: Kind, expected: list[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    array = arrow.array([None], kind)
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"a": array}), sink)
    told = parquet.ParquetFile(pyarrow.BufferReader(sink.getvalue())).metadata
    assert [told.row_group(0).column(i).path_in_schema for i in range(told.num_columns)] == expected
    assert arrow.leaves("a", kind) == expected
