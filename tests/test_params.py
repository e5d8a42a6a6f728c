"""What a value of a param must look like, at its bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from builder.engines import params


@pytest.mark.parametrize(
    ("check", "good", "bad", "expected"),
    [
        (params.number(0, 2), (0, 2, 0.5), (-0.01, 2.01, True, "1", math.nan), "a number from 0 to 2"),
        (params.number(0), (0, 1e9), (-1, math.inf, None), "a number of at least 0"),
        (params.number(), (-1e9, 3), (math.inf, False, []), "a number"),
        (params.integer(1), (1, 10**9), (0, 1.0, True, "1"), "a whole number of at least 1"),
        (params.integer(0, 20), (0, 20), (-1, 21), "a whole number from 0 to 20"),
        (params.word(), ("", "any"), (1, None), "a text"),
        (params.word("low", "high"), ("low", "high"), ("middle", 3), "one of low, high"),
        (params.flag, (True, False), (0, 1, "true"), "true or false"),
        (params.table, ({}, {"a": 1}), ([], "a"), "a table"),
        (params.words, ("a", ["a", "b"], ("a",), []), (1, [1], ["a", 1]), "a text or a list of texts"),
        (params.output_config, ({}, {"effort": "low"}), ({"format": {}}, "low"), 'a table such as {effort = "low"}, without format'),
    ],
)  # fmt: skip
def test_a_check_says_what_it_expected(
    check: params.Check, good: tuple[Any, ...], bad: tuple[Any, ...], expected: str
) -> None:
    assert [check(value) for value in good] == [""] * len(good)
    assert [check(value) for value in bad] == [expected] * len(bad)


def test_names_that_are_unknown_pass_only_where_servers_take_more() -> None:
    known = {"max_tokens": params.integer(1)}
    assert params.problems("x", {"min_p": 1}, known, extras=True) == []
    assert params.problems("x", {"min_p": 1}, known, extras=False) == [
        "params.min_p: x has no such param."
    ]
    (typo,) = params.problems("x", {"max_token": 1}, known, extras=True)
    assert typo == "params.max_token: unknown. Did you mean 'max_tokens'?"
    assert params.problems("x", {"stream": True, "max_tokens": 0}, known, extras=True) == [
        "params.stream: set by the engine itself; leave it out",
        "params.max_tokens: 0 is not a whole number of at least 1",
    ]
