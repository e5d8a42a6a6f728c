"""What a value and a limit come to: pass, warn or fail; and what a gate may rest on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from builder.errors import InputError
from builder.project.expect import Measure
from builder.quality import gates
from builder.quality.coverage import Coverage
from builder.quality.diversity_gate import LEAST_TEXTS, Diversity
from builder.quality.drift import Drift
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Gate,
    Limits,
    limits_of,
    names_of,
)
from builder.quality.labels import Labels
from builder.quality.privacy_gate import Privacy
from builder.table import frame
from builder.table.tables import CATEGORY

MEASURES = {
    "own.most": Measure("most", 0.5, upper=True, meaning="too much"),
    "own.least": Measure("least", 0.5, upper=False, meaning="too little"),
    "own.soft": Measure("soft", 0.5, upper=True, meaning="rather much", strict=False),
}


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("own.most", 0.5, "pass"),
        ("own.most", 0.51, "fail"),
        ("own.most", 0.0, "pass"),
        ("own.least", 0.5, "pass"),
        ("own.least", 0.49, "fail"),
        ("own.least", 1.0, "pass"),
        ("own.soft", 0.5, "pass"),
        ("own.soft", 0.51, "warn"),
    ],
)
def test_the_verdict_follows_from_the_side_of_the_limit(
    name: str, value: float, verdict: str
) -> None:
    finding = Limits(MEASURES).judge(name, "x", value, "do this")
    assert (finding.gate, finding.what, finding.value, finding.limit) == (name, "x", value, 0.5)
    assert finding.verdict == verdict
    assert finding.advice == ("" if verdict == "pass" else "do this")


def test_a_limit_that_somebody_set_is_strict_and_moves_the_bound() -> None:
    limits = Limits(MEASURES, {"own.soft": 0.5, "own.most": 0.6})
    assert limits.judge("own.soft", "", 0.51, "").verdict == "fail"
    assert limits.judge("own.most", "", 0.6, "").verdict == "pass"
    assert (limits.bound("own.most"), limits.bound("own.least")) == (0.6, 0.5)


def test_what_chance_explains_passes_beyond_the_limit() -> None:
    assert Limits(MEASURES).judge("own.most", "", 0.9, "", significant=False).verdict == "pass"


def test_a_measure_that_no_gate_declares_is_named() -> None:
    with pytest.raises(InputError, match=r"gate 'own' judges 'own\.even'"):
        Limits(MEASURES).judge("own.even", "", 1, "")


def test_later_expectations_win_and_a_table_is_no_limit() -> None:
    limits = limits_of({"drift": {"ks": 0.2, "table": "a.csv"}}, {"drift": {"ks": 0.3}})
    assert limits.chosen == {"drift.ks": 0.3}
    assert limits.bound("drift.js") == 0.1
    with pytest.raises(InputError, match="no gate 'drfit'"):
        limits_of({"drfit": {}})


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [([], True), (["pass", "warn", "too-few-rows"], True), (["pass", "fail"], False)],
)
def test_only_a_failure_blocks(verdicts: list[str], passed: bool) -> None:
    findings = [Finding("own.most", "", 0, 0, verdict) for verdict in verdicts]  # type: ignore[arg-type]
    assert gates.passed(findings) == passed


def evidence(ours: dict[str, list[Any]], theirs: dict[str, list[Any]] | None = None) -> Evidence:
    reference = None if theirs is None else frame.build(theirs)
    return Evidence(frame.build(ours), reference, Context())


def judged(gate: Gate, seen: Evidence) -> dict[tuple[str, str], Finding]:
    return {(f.gate, f.what): f for f in gate(seen, limits_of())}


def numbers(n: int, shift: float = 0.0) -> list[Any]:
    return [float(value) for value in np.random.default_rng(n).normal(shift, 1, n).round(6)]


def test_drift_fails_beyond_its_limit_and_beyond_chance_alone() -> None:
    moved = judged(Drift(), evidence({"x": numbers(400, 1.0)}, {"x": numbers(401)}))
    assert moved["drift.ks", "x"].verdict == "fail"
    assert moved["drift.mean_shift", "x"].verdict == "fail"
    assert moved["drift.wasserstein", "x"].limit is None
    # Forty values a side: the distance is over the limit, and chance explains it.
    chance = judged(Drift(), evidence({"x": numbers(40)}, {"x": numbers(41)}))
    assert chance["drift.ks", "x"].value > 0.1
    assert chance["drift.ks", "x"].verdict == "pass"


def test_the_correction_counts_every_test_of_every_column() -> None:
    ours, theirs = numbers(300, 0.1), numbers(301)
    alone = judged(Drift(), evidence({"x": ours}, {"x": theirs}))
    assert alone["drift.mean_shift", "x"].verdict == "fail"
    still = {f"c{k}": numbers(1000 + k) for k in range(25)}
    among = judged(
        Drift(),
        evidence({"x": ours, **{k: v[:300] for k, v in still.items()}},
                 {"x": theirs, **{k: v[300:601] for k, v in still.items()}}),
    )  # fmt: skip
    assert among["drift.mean_shift", "x"].value == alone["drift.mean_shift", "x"].value
    assert among["drift.mean_shift", "x"].verdict == "pass"


@pytest.mark.parametrize(("n", "verdict"), [(29, "too-few-rows"), (30, "pass")])
def test_drift_needs_thirty_values_a_side(n: int, verdict: str) -> None:
    found = judged(Drift(), evidence({"x": numbers(n)}, {"x": numbers(200)}))
    assert found["drift.ks", "x"].verdict == verdict
    assert math.isnan(found["drift.ks", "x"].value) == (verdict == "too-few-rows")


def test_numbers_of_few_values_are_compared_as_categories_with_a_mean() -> None:
    ours, theirs = [float(k % 5) for k in range(100)], [float(k % 4) for k in range(100)]
    effects = {gate for gate, _ in judged(Drift(), evidence({"x": ours}, {"x": theirs}))}
    assert {"drift.mean_shift", "drift.cramer"} <= effects
    assert "drift.ks" not in effects
    many = [float(k % 13) for k in range(130)]
    assert ("drift.ks", "x") in judged(Drift(), evidence({"x": many}, {"x": many}))
    assert not list(Drift()(evidence({"x": many}), limits_of()))


def words(n: int) -> list[object]:
    rng = np.random.default_rng(n)
    return [" ".join("".join(rng.choice(list("abcdefgh"), 6)) for _ in range(9)) for _ in range(n)]


def test_diversity_needs_a_hundred_texts_and_names_repeats() -> None:
    few = judged(Diversity(), evidence({"text": words(LEAST_TEXTS - 1)}))
    assert few["diversity.distinct_2", ""].verdict == "too-few-rows"
    assert few["diversity.near_duplicates", ""].value == 0
    texts = words(LEAST_TEXTS)
    enough = judged(Diversity(), evidence({"text": texts[:-5] + texts[:5]}))
    assert enough["diversity.distinct_2", ""].verdict == "pass"
    assert enough["diversity.vendi", ""].verdict == "pass"
    assert enough["diversity.near_duplicates", ""].value == pytest.approx(0.05)
    assert enough["diversity.near_duplicates", ""].verdict == "fail"
    assert not list(Diversity()(evidence({"x": numbers(30)}), limits_of()))


def test_diversity_is_judged_by_scenario_where_there_are_several() -> None:
    seen = evidence({"text": words(20), "_scenario": ["a", "b"] * 10})
    assert {what for _, what in judged(Diversity(), seen)} == {"", "a", "b"}
    assert seen.scenarios["b"] == list(range(1, 20, 2))
    assert evidence({"text": words(20), "_scenario": ["a"] * 20}).scenarios == {}


def test_combinations_that_lack_rows_are_named() -> None:
    rows = frame.build({"tone": ["calm"] * 20 + ["sharp"] * 5}, kinds={"tone": CATEGORY})
    context = Context(axes=("tone",), planned={("calm",): 20, ("sharp",): 10})
    found = judged(Coverage(), Evidence(rows, None, context))
    assert found["coverage.combinations", ""].value == 0.5
    assert found["coverage.combinations", ""].advice.startswith("short: sharp;")
    labels = judged(Labels(), Evidence(rows, None, context))
    assert labels["labels.shares", "tone"].limit == 0.1


@pytest.mark.parametrize(
    ("n", "m", "verdict"),
    [(49, 200, "too-few-rows"), (50, 99, "too-few-rows"), (50, 100, "pass")],
)
def test_coverage_needs_fifty_rows_and_twice_of_reference(n: int, m: int, verdict: str) -> None:
    found = judged(Coverage(), evidence({"x": numbers(n)}, {"x": numbers(m)}))
    assert found["coverage.reference", "columns"].verdict == verdict
    assert (("coverage.ceiling", "columns") in found) == (verdict == "pass")
    assert not list(Coverage()(evidence({"x": numbers(60)}, {"y": numbers(200)}), limits_of()))


def test_copies_and_personal_data_are_counted_by_row() -> None:
    texts = words(40)
    ours = [*texts[:30], "write to ann@mail.org or bob@mail.org today", "to ann@example.com now"]
    found = judged(Privacy(), evidence({"text": ours}, {"text": texts[29:]}))
    assert found["privacy.copied_texts", ""].value == 1
    assert found["privacy.copied_texts", ""].advice == "row 30 is nearly a reference text"
    assert found["privacy.verbatim", ""].advice.startswith("row 30 repeats ")
    assert found["privacy.pii", ""].value == 1
    assert "email in 1 (row 31)" in found["privacy.pii", ""].advice
    assert found["privacy.placeholders", ""].verdict == "warn"


def test_an_earlier_release_of_the_same_dataset_is_no_leak() -> None:
    texts = words(30)
    reference = replace(frame.build({"text": texts, "x": numbers(30)}), released=True)
    rows = frame.build({"text": texts, "x": numbers(30)})
    found = judged(Privacy(), Evidence(rows, reference, Context()))
    assert not {gate for gate, _ in found} & {"privacy.copied_texts", "privacy.copied_rows"}
    example = Context(examples=(str(texts[3]),))
    copied = judged(Privacy(), Evidence(rows, reference, example))
    assert copied["privacy.copied_texts", ""].value == 1


def test_rows_that_equal_reference_rows_beyond_chance_are_copies() -> None:
    x, y = numbers(100), numbers(101)[:100]
    found = judged(Privacy(), evidence({"x": x, "y": y}, {"x": x, "y": y}))
    # One row in a hundred is alike by chance; three deviations of that are no copies either.
    assert found["privacy.copied_rows", "x, y"].value == round(100 - 1.1 - 3)
    assert found["privacy.copied_rows", "x, y"].verdict == "fail"
    assert found["privacy.too_close", "x, y"].verdict == "fail"
    fair = judged(Privacy(), evidence({"x": x, "y": y}, {"x": numbers(102), "y": numbers(102)}))
    assert fair["privacy.copied_rows", "x, y"].value == 0
    single = judged(Privacy(), evidence({"x": x}, {"x": x}))
    assert single["privacy.copied_rows", "x"].value == 0
    assert ("privacy.too_close", "x") not in single


def test_shared_columns_leave_out_ids_of_either_side() -> None:
    ids = [f"id-{k}" for k in range(40)]
    label = ["a", "b"] * 20
    seen = evidence(
        {"x": numbers(40), "label": label, "code": numbers(40), "only": numbers(40)},
        {"x": numbers(40), "label": label, "code": ids},
    )
    assert seen.shared == ["x", "label"]
    ours, theirs = seen.columns(frame.build({"x": numbers(7), "label": label[:7]}))
    assert (len(ours), len(theirs)) == (40, 47)
    assert evidence({"x": numbers(40)}).shared == []


def test_the_cells_of_a_column_as_names() -> None:
    rows = frame.build({"x": [1.5, None, 2.0], "c": ["a", None, "b"]}, kinds={"c": CATEGORY})
    assert names_of(rows.columns["x"]) == ["1.5", None, "2"]
    assert names_of(rows.columns["c"]) == ["a", None, "b"]


def test_each_purpose_has_a_generator_of_its_own() -> None:
    seen = evidence({"x": numbers(5)})
    draws = [seen.rng(name).random() for name in ("map", "map", "closest")]
    assert draws[0] == draws[1] != draws[2]
