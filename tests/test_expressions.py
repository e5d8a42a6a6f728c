"""The language of `keep`: what it says is what Python would say, and it can say nothing else."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InputError, Place
from builder.project import expressions
from builder.project.carriers import Text
from builder.project.expressions import Names

HERE = Place(Path("letters.yaml"), 7, 5)
NAMES: dict[str, Any] = {
    "tone": "glad",
    "产品": "手表",
    "x": 3,
    "y": 2.5,
    "none": None,
    "tags": ["a", "b"],
}


def holds(text: str, **more: Any) -> bool:
    names = {**NAMES, **more}
    return expressions.parse(text, Names(names), HERE).holds(names)


def refusal(text: str) -> InputError | None:
    """Why an expression is none, or cannot be decided."""
    try:
        expressions.parse(text, Names(NAMES), HERE).holds(NAMES)
    except InputError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tone == 'glad'", True),
        ("not tone == 'glad'", False),
        ("产品 == '手表' and tone != 'sad'", True),
        ("tone in ['glad', 'sad'] or x > 99", True),
        ("tone not in ('glad', 'sad')", False),
        ("0 <= y <= x", True),
        ("0 <= x <= y", False),
        ("x * 2 - 1 == 5", True),
        ("x // 2 + x % 2 == 2", True),
        ("-x < +y", True),
        ("x / 2 == 1.5", True),
        ("'la' in tone", True),
        ("'a' in tags", True),
        ("none is None", True),
        ("none is not None", False),
        ("none > 3", False),
        ("not none > 3", False),  # a comparison with a missing value is true of nothing
        ("x", True),
        ("True", True),
        ("  x\n  > 1  ", True),
        ("tone == 'glad' # of course", True),
        ("(x > 1) == True", True),
        ("tone + '!' == 'glad!'", True),
    ],
)
def test_an_expression_says_what_it_looks_like(text: str, expected: bool) -> None:
    assert holds(text) is expected


def test_an_attribute_is_the_one_that_the_scenario_gave() -> None:
    tone = Text("glad")
    tone.attributes = {"face": "smile", "upper": 3}
    assert holds("tone.face == 'smile'", tone=tone)
    assert holds("tone.upper == 3", tone=tone)
    with pytest.raises(InputError, match="has no attribute 'lower'"):
        holds("tone.lower == 3", tone=tone)
    with pytest.raises(InputError, match="has no attribute 'upper'"):
        holds("tone.upper == 3")


@pytest.mark.parametrize(
    "text",
    [
        "len(tone)",
        "tone.__class__",
        "tone._x",
        "().__class__",
        "tone.face.upper",
        "tone[0]",
        "[t for t in tags]",
        "{t for t in tags}",
        "{'a': 1}",
        "lambda: 1",
        "f'{tone}'",
        "x ** 9",
        "x if y else 1",
        "x := 3",
        "*tags",
        "x, *tags",
        "await x",
        "(yield x)",
        "b'x'",
        "1j",
        "...",
        "x << 9",
        "x | 1",
        "~x",
        "x @ y",
        "__import__('os')",
        "_attribute(tone, 'x')",
        "_times",
        "__builtins__",
        "x; y",
        "import os",
        "x = 3",
        "x\ny",
        "",
        "   ",
        "#",
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    found = refusal(text)
    assert found is not None
    assert found.place is not None
    assert found.place.line == 7


@pytest.mark.parametrize(
    "text",
    [
        "tone * 1000000000",
        "tags * 1000000000",
        "tone % x",
        "'%1000000000d' % x",
        "tone - 1",
        "x < tone",
    ],
)
def test_what_cannot_be_decided_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(InputError, match="cannot be decided") as found:
        holds(text)
    assert found.value.place == HERE


@pytest.mark.parametrize("text", ["x / 0 > 1", "x % 0 == 1", "x // 0 == 1"])
def test_a_division_by_zero_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(InputError, match="zero"):
        holds(text)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("x == tune", 10),
        ("产品 == tune", 11),
        ("手 == tone", 5),
        ("tone ==", 12),
        ("tone = 'a'", 10),
    ],
)
def test_the_column_counts_characters(text: str, column: int) -> None:
    with pytest.raises(InputError) as found:
        expressions.parse(text, Names(NAMES), HERE)
    assert found.value.place == Place(HERE.file, 7, column)


def test_an_expression_names_what_it_reads() -> None:
    found = expressions.parse("x < y and tone in tags and 产品", Names(NAMES), HERE)
    assert found.names == {"x", "y", "tone", "tags", "产品"}


@pytest.mark.parametrize(
    "text", ["(" * 1000 + ")" * 1000, "-" * 1990 + "1", "not " * 490 + "x", "x" * 2001]
)
def test_long_and_deep_expressions_end_at_once(text: str) -> None:
    assert len(str(refusal(text))) < 2500


numbers = st.integers(-20, 20)
operands = st.sampled_from(["x", "y", "z"]) | numbers.map(lambda n: f"({n})")
sums = st.recursive(
    operands,
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({' '.join(t)})"),
    max_leaves=6,
)
tests = st.recursive(
    st.tuples(sums, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), sums).map(" ".join),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
        lambda t: f"not ({t[0]}) {t[1]} ({t[2]})"
    ),
    max_leaves=4,
)


@given(tests, numbers, numbers, numbers)
def test_arithmetic_and_logic_are_pythons(text: str, x: int, y: int, z: int) -> None:
    names = {"x": x, "y": y, "z": z}
    found = expressions.parse(text, Names(names), HERE)
    assert found.holds(names) is bool(eval(text, {}, names))


@given(st.text(alphabet=string.printable + "（），。＝“”中文产品", max_size=40))
def test_any_text_is_an_expression_or_an_error_with_its_place(text: str) -> None:
    found = refusal(text)
    if found is not None:
        assert found.place is not None
        assert found.place.line == 7
        assert found.place.column >= 5
