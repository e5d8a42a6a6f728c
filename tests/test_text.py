"""Texts cut to a width, and figures as words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import text

TEXTS = st.text(max_size=30)


@pytest.mark.parametrize(
    ("words", "columns", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("退款", 4, "退款"),
        ("退款", 3, "退…"),
        ("退款申请", 6, "退款…"),
        ("a退款", 4, "a退…"),
        ("ab", 1, "…"),
        ("a\nb", 3, "a b"),
        ("", 0, ""),
    ],
)
def test_a_text_is_cut_at_its_width(words: str, columns: int, shown: str) -> None:
    assert text.cut(words, columns) == shown


def test_a_text_that_fits_is_padded_to_its_columns() -> None:
    assert text.fit("退", 4) == "退  "
    assert text.fit("abcd", 4) == "abcd"
    assert text.fit("abcde", 4) == "abc…"


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 40))
def test_no_cut_text_is_wider_than_its_room_or_loses_what_fits(words: str, columns: int) -> None:
    shown = text.cut(words, columns)
    assert text.width(shown) <= columns
    if text.width(text.plain(words)) <= columns:
        assert shown == text.plain(words)
    else:
        assert shown.endswith("…")
        assert text.width(shown) >= columns - 1
    assert text.width(text.fit(words, columns)) == columns


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_nothing_that_a_terminal_obeys_is_left(words: str) -> None:
    assert text.plain(words).isprintable()
    assert all(c in "\n\t" or c.isprintable() for c in text.visible(words))
    assert len(text.plain(words)) == len(words)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.1235"),
        (0.5, "0.5"),
        (12.3456, "12.35"),
        (999.96, "1000"),
        (1000.4, "1,000"),
        (-1234.5, "-1,234"),
        (3.0, "3"),
        (0.0, "0"),
        (math.nan, "–"),
        (math.inf, "inf"),
    ],
)
def test_a_figure_has_four_digits_that_count(value: float, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345, "12,345"), (True, "True"), (0.25, "0.25"), ("a", "a"), (None, "None")],
)
def test_a_cell_shows_numbers_as_figures_and_all_else_as_it_is(value: object, shown: str) -> None:
    assert text.cell(value) == shown


def test_a_count_agrees_with_its_noun() -> None:
    assert text.counted(0, "row") == "0 rows"
    assert text.counted(1, "reply", "replies") == "1 reply"
    assert text.counted(1_000, "reply", "replies") == "1,000 replies"
