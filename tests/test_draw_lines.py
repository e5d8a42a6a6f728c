"""The lines of `draw`: a column from a distribution, columns of a table, or examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project import documents, draws
from builder.project.draws import Draw
from builder.sampling import samplers

TABLE = "region,amount,day\nnorth,1,2026-01-01\nsouth,2,2026-01-02\n"


def load(folder: Path, *lines: str) -> list[Draw]:
    (folder / "t.csv").write_text(TABLE, "utf-8")
    file = folder / "x.yaml"
    file.write_text("draw:\n" + "".join(f"  - {line}\n" for line in lines), "utf-8")
    document = documents.read(file)
    assert isinstance(document.data, dict)
    entries = document.data["draw"]
    assert isinstance(entries, list)
    return draws.load(document, entries, ["region", "tone"], folder, samplers)


def test_a_distribution_fills_the_column_that_begins_the_line(tmp_path: Path) -> None:
    (draw,) = load(tmp_path, "wait: {normal: [10, 2], min: 0}")
    assert (draw.sampler, draw.names, draw.columns) == ("normal", ("wait",), ("wait",))
    assert draw.options["min"] == 0
    assert (draw.table, draw.by, draw.in_dataset) == (None, None, True)
    assert (draw.place.line, draw.place.column) == (2, 5)


def test_a_sampler_of_a_table_fills_its_columns_but_the_one_that_groups(tmp_path: Path) -> None:
    grouped, renamed, chosen = load(
        tmp_path,
        "bootstrap: {table: t.csv, by: region}",
        "bootstrap: {table: t.csv, by: {tone: region}, column: false}",
        "bootstrap: {table: t.csv, columns: [amount]}",
    )
    assert (grouped.columns, grouped.by) == (("amount", "day"), ("region", "region"))
    assert (renamed.by, renamed.in_dataset) == (("tone", "region"), False)
    assert (chosen.names, chosen.by, chosen.in_dataset) == (("amount",), None, True)
    assert chosen.table is not None


def test_examples_are_one_name_and_no_column(tmp_path: Path) -> None:
    usual, other = load(
        tmp_path, "examples: {table: t.csv}", "examples: {table: t.csv, n: 1, as: few, by: region}"
    )
    assert (usual.names, usual.columns, usual.in_dataset) == (("shots",), (), False)
    assert usual.options == {"n": 3, "columns": ("region", "amount", "day")}
    assert (other.names, other.options["n"], other.by) == (("few",), 1, ("region", "region"))


def test_a_column_of_numbers_that_was_read_as_text_is_known(tmp_path: Path) -> None:
    many = "".join(f"{n}\n" for n in range(3))
    (tmp_path / "odd.csv").write_text(f"amount\n{many}lots\n", "utf-8")
    (draw,) = load(tmp_path, "bootstrap: {table: odd.csv}")
    ((name, reason),) = draw.texts()
    assert name == "amount"
    assert "'amount' is a column of odd.csv that was read as text, for 'lots'" in reason
    assert list(load(tmp_path, "wait: {uniform: [0, 1]}")[0].texts()) == []


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("wait", 5, "expected a mapping of one key, found 'wait'"),
        ("{a: 1, b: 2}", 5, "expected a mapping of one key, found a mapping"),
        ("normal: [1, 2]", 5, "'normal' is a distribution; a line begins with the column"),
        ("bootstrp: {table: t.csv}", 5, "there is no sampler 'bootstrp'. Did you mean 'bootstrap'?"),
        ("wait: 3", 11, "the column 'wait' needs a sampler, found 3"),
        ("wait: {}", 5, "the column 'wait' names no samplers, expected one"),
        ("wait: {unifrm: [0, 1]}", 12, "there is no sampler 'unifrm'. Did you mean 'uniform'?"),
        ("wait: {uniform: [0, 1], poisson: 3}", 5, "the column 'wait' names 2 samplers, expected one"),
        ("wait: {min: 0}", 5, "the column 'wait' names no samplers, expected one"),
        ("wait: {gmm: x}", 12, "'gmm' fills several columns; it begins a line of its own"),
        ("wait: {uniform: [0, 1], by: tone}", 29, "'by' is for samplers that learn from a table"),
        ("wait: {uniform: [0, 1], column: 3}", 37, "column: expected true or false, found 3"),
        ("wait: {uniform: [1, 0]}", 21, "uniform: low 1.0 is above high 0.0"),
        ("wait: {normal: [1, 2], mim: 0}", 28, "normal has no option 'mim'. Did you mean 'min'?"),
        ("wait: {normal: {mean: x, sd: 1}}", 27, "normal: mean is a number, not 'x'"),
        ("bootstrap: 3", 16, "bootstrap needs a table, found 3"),
        ("bootstrap: {columns: [a]}", 16, "bootstrap needs a table"),
        ("bootstrap: {tabel: t.csv}", 17, "unknown word 'tabel'. Did you mean 'table'?"),
        ("bootstrap: {table: u.csv}", 24, "file 'u.csv' not found. Did you mean 't.csv'?"),
        ("bootstrap: {table: t.csv, by: regin}", 35, "'by' names 'regin', which is no axis. Did you mean 'region'?"),
        ("bootstrap: {table: t.csv, by: tone}", 35, "'tone'"),
        ("bootstrap: {table: t.csv, columns: []}", 40, "columns: expected a list of names, found a list"),
        ("bootstrap: {table: t.csv, columns: [amount, 3]}", 40, "columns: expected a list of names"),
        ("bootstrap: {table: t.csv, columns: [amont]}", 41, "Did you mean 'amount'?"),
        ("bootstrap: {table: t.csv, colums: [amount]}", 31, "bootstrap has no option 'colums'. Did you mean 'columns'?"),
        ("examples: {table: t.csv, m: 3}", 30, "unknown word 'm'"),
        ("examples: {table: t.csv, n: 0}", 33, "n is 0, expected a whole number from 1"),
        ("examples: {table: t.csv, n: true}", 33, "n is True, expected a whole number from 1"),
        ("examples: {table: t.csv, as: _a}", 34, "as: '_a' is no name for a variable"),
        ("examples: {table: t.csv, as: a b}", 34, "as: 'a b' is no name for a variable"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_its_place(
    line: str, column: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        load(tmp_path, line)
    assert message in refused.value.message
    where = refused.value.place
    assert where is not None
    assert (where.line, where.column) == (2, column)
