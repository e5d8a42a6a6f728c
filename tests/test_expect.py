"""What `expect` may say: read off the gates, each mistake with its place."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import pytest

from builder.project import expect


def messages(written: dict[Any, Any]) -> list[str]:
    return [problem.message for problem in expect.problems(written)]


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"drift": {"ks": 0}},
        {"drift": {"ks": 1}},
        {"drift": {"mean_shift": 12.5, "table": "a.csv"}},
        {"diversity": {"compression": 40}, "privacy": {"pii": 3}},
    ],
)
def test_limits_that_mean_something_pass_and_fit_the_schema(written: dict[str, Any]) -> None:
    assert not messages(written)
    jsonschema.validate(written, expect.json_schema())


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"drfit": {}}, "no gate 'drfit'. Did you mean 'drift'?"),
        ({3: {}}, "no gate '3'."),
        ({"drift": 0.1}, "drift: expected its measures"),
        ({"drift": {"kss": 1}}, "gate 'drift' measures no 'kss'. Did you mean 'ks'?"),
        ({"drift": {"tabel": 1}}, "gate 'drift' measures no 'tabel'. Did you mean 'table'?"),
        ({"privacy": {"table": "a.csv"}}, "gate 'privacy' measures no 'table'."),
        ({"drift": {"table": ""}}, "drift.table: expected the path of a table"),
        ({"drift": {"table": 3}}, "drift.table: expected the path of a table"),
        ({"drift": {"ks": 1.1}}, "drift.ks: expected a number from 0 to 1, found 1.1"),
        ({"drift": {"ks": -0.1}}, "drift.ks: expected a number from 0 to 1, found -0.1"),
        ({"drift": {"ks": None}}, "drift.ks: expected a number from 0 to 1, found nothing"),
        ({"drift": {"ks": True}}, "drift.ks: expected a number from 0 to 1, found True"),
        ({"drift": {"ks": "1"}}, "drift.ks: expected a number from 0 to 1, found '1'"),
        ({"drift": {"psi": math.inf}}, "drift.psi: expected a number from 0, found inf"),
        ({"drift": {"psi": math.nan}}, "drift.psi: expected a number from 0, found nan"),
    ],
)
def test_a_mistake_is_named(written: dict[Any, Any], message: str) -> None:
    assert messages(written) == [message] or messages(written)[0].startswith(message)
    if "table" not in str(written) and not any(isinstance(key, int) for key in written):
        numbers = str(written).replace("nan", "").replace("inf", "")
        assert numbers != str(written) or not jsonschema.Draft202012Validator(
            expect.json_schema()
        ).is_valid(written)


def test_a_problem_knows_whether_its_word_or_its_value_is_wrong() -> None:
    problems = list(expect.problems({"drfit": {}, "drift": {"kss": 1, "ks": 2}, "labels": []}))
    assert [(problem.path, problem.at_key) for problem in problems] == [
        (("drfit",), True),
        (("drift", "kss"), True),
        (("drift", "ks"), False),
        (("labels",), False),
    ]
    assert problems[0].hint == "gates: diversity, coverage, drift, privacy, labels"
    assert problems[1].hint == "it measures mean_shift, ks, js, psi, cramer, classifier"
    assert problems[3].hint == "labels: {length: 0.9}"


def test_a_measure_says_its_default_in_words() -> None:
    measure = expect.Measure("m", 0.25, upper=True, meaning="too much")
    assert (measure.default, measure.strict, measure.most) == ("at most 0.25", True, 1.0)
    warns = expect.Measure("m", 3, upper=False, meaning="too little", strict=False)
    assert warns.default == "at least 3 (warns)"


def test_each_built_in_measure_has_the_limit_that_the_guide_promises() -> None:
    limits = {name: (m.bound, m.upper, m.strict) for name, m in expect.measures().items()}
    assert limits == {
        "diversity.distinct_1": (0.02, False, True),
        "diversity.distinct_2": (0.2, False, True),
        "diversity.compression": (8.0, True, True),
        "diversity.vendi": (3.0, False, True),
        "diversity.near_duplicates": (0.02, True, True),
        "coverage.combinations": (0.95, False, True),
        "coverage.reference": (0.8, False, True),
        "drift.mean_shift": (0.1, True, True),
        "drift.ks": (0.1, True, True),
        "drift.js": (0.1, True, True),
        "drift.psi": (0.2, True, True),
        "drift.cramer": (0.1, True, True),
        "drift.classifier": (0.9, True, False),
        "privacy.copied_rows": (0, True, True),
        "privacy.copied_texts": (0, True, True),
        "privacy.verbatim": (0, True, True),
        "privacy.closest": (0.6, True, True),
        "privacy.too_close": (0.15, True, True),
        "privacy.pii": (0, True, True),
        "privacy.placeholders": (0, True, False),
        "labels.length": (0.9, True, False),
        "labels.splits": (0.5, True, True),
        "labels.shares": (0.1, True, False),
    }
    assert all(gate.asks and gate.measures for gate in expect.gates().values())
