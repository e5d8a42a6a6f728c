"""report.json: one format, written and read by name, older files included."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from builder.quality import report_file
from builder.quality.findings import Context, Evidence, Finding
from builder.table import frame

FINDINGS = [
    Finding("drift.ks", "amount", 0.1234567, 0.1, "fail", "draw from a fit"),
    Finding("drift.ks", "waited", 0.01, 0.1, "pass"),
    Finding("drift.js", "amount", 0.11, 0.1, "pass"),
    Finding("diversity.distinct_2", "", 0.19, 0.2, "pass"),
    Finding("own.even", "", 0.4, 0.5, "fail"),
    Finding("coverage.recall", "text", 0.5, None, "pass"),
    Finding.too_few("drift.classifier", "text", "50 texts a side are needed"),
]


@pytest.fixture
def report() -> report_file.Report:
    rows = frame.build({"amount": [1.5, 2.5, 3.5]})
    basis = {"records": "abc", "judged_by": "def"}
    return report_file.of("set", Evidence(rows, None, Context()), FINDINGS, basis)


def test_what_is_written_is_read_again_and_fits_its_schema(
    report: report_file.Report, tmp_path: Path
) -> None:
    (tmp_path / report_file.NAME).write_bytes(report.to_json())
    assert report_file.read(tmp_path) == report
    jsonschema.validate(orjson.loads(report.to_json()), report_file.json_schema())
    assert (report.rows, report.reference_rows, report.passed) == (3, None, False)
    assert report.verdicts == {"fail": 2, "warn": 0, "too-few-rows": 1, "pass": 4}


def test_findings_come_back_with_six_decimals_and_nan_for_what_was_not_measured(
    report: report_file.Report,
) -> None:
    restored = report.restored()
    assert restored[0] == Finding("drift.ks", "amount", 0.123457, 0.1, "fail", "draw from a fit")
    assert restored[1:6] == FINDINGS[1:6]
    assert math.isnan(restored[6].value)
    assert report.findings[6].value is None


def test_the_checked_in_schema_is_the_codes() -> None:
    held = Path(__file__).parents[1] / "docs" / "report.schema.json"
    assert json.loads(held.read_text("utf-8")) == report_file.json_schema()


def test_a_report_of_the_version_before_is_read(report: report_file.Report) -> None:
    old: dict[str, Any] = orjson.loads(report.to_json())
    del old["version"], old["gates"]
    read = report_file.parse(json.dumps(old).encode())
    assert read is not None
    assert (read.version, read.gates) == (1, {})
    assert read.restored()[:6] == report.restored()[:6]


@pytest.mark.parametrize(
    "damage",
    [{"version": 3}, {"rows": "3"}, {"findings": None}, {"findings": [{"gate": "drift.ks"}]}],
)
def test_what_this_version_does_not_know_is_no_report(
    damage: dict[str, Any], report: report_file.Report
) -> None:
    assert (
        report_file.parse(json.dumps({**orjson.loads(report.to_json()), **damage}).encode()) is None
    )
    assert report_file.parse(b"[]") is None


def test_a_missing_or_cut_file_is_no_report(tmp_path: Path) -> None:
    assert report_file.read(tmp_path) is None
    (tmp_path / report_file.NAME).write_text('{"rows": 3', "utf-8")
    assert report_file.read(tmp_path) is None


def test_a_measure_is_summed_up_by_its_worst_verdict_then_by_its_strain(
    report: report_file.Report,
) -> None:
    summaries = {one.worst.gate: one for one in report_file.by_measure(report)}
    assert list(summaries) == ["drift.ks", "drift.js", "diversity.distinct_2", "own.even"]
    assert (summaries["drift.ks"].worst.what, summaries["drift.ks"].figures) == ("amount", 2)
    passing = report_file.parse(json.dumps(
        {"rows": 1, "findings": [
            {"gate": "a.b", "what": what, "value": value, "limit": 0.2, "verdict": "pass", "advice": ""}
            for what, value in (("x", 0.02), ("y", 0.19), ("z", 0.1))
        ]}
    ).encode())  # fmt: skip
    assert passing is not None
    assert report_file.by_measure(passing)[0].worst.what == "y"


def test_the_direction_of_a_limit_is_the_gates_and_only_else_told_by_the_verdict(
    report: report_file.Report,
) -> None:
    judged = {(one.gate, one.what): one for one in report_file.figures(report)}
    # These two pass beyond their limit, which chance explains: their verdict shows no direction.
    assert judged["drift.js", "amount"].bound == "≤0.1"
    assert judged["diversity.distinct_2", ""].bound == "≥0.2"
    assert judged["own.even", ""].bound == "≥0.5"
    assert judged["drift.js", "amount"].strain == pytest.approx(1.1)
    assert judged["diversity.distinct_2", ""].strain == pytest.approx(0.2 / 0.19)


@pytest.mark.parametrize(
    ("value", "limit", "upper", "strain_"),
    [(0.0, 0.0, True, 0.0), (1.0, 0.0, True, math.inf), (0.0, 3.0, False, math.inf), (2.0, 0.0, False, 0.0)],
)  # fmt: skip
def test_strain_at_zero(value: float, limit: float, upper: bool, strain_: float) -> None:
    assert report_file.Judged("a.b", "", value, limit, "pass", upper=upper).strain == strain_
