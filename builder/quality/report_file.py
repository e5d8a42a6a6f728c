"""report.json: what the gates found of a dataset, for programs, for the card and for comparisons.

A card shows one line a measure: the figure that is nearest to its limit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from builder.project import expect
from builder.quality.findings import WORST_FIRST, Evidence, Finding, Verdict
from builder.text import number

NAME = "report.json"
VERSION = 2  # files of version 1 name no version and no gates
# What no recogniser of personal data finds.
NOT_LOOKED_FOR = (
    "names of people, postal addresses, dates of birth, user names, passport, licence and plate "
    "numbers, bank accounts other than IBANs, identity numbers of other countries than China "
    "and the US, 15-digit Chinese identity numbers, pictures"
)


class _Entry(BaseModel):
    # Built where a report is written or read: a card of rows that nobody checked has none.
    model_config = ConfigDict(frozen=True, strict=True, defer_build=True)


class Basis(_Entry):
    """What the verdicts follow from; empty where a caller chose what the rows were held against."""

    records: str = Field("", description="digest of the rows")
    judged_by: str = Field("", description="digest of the limits, references and gates")


class MeasureEntry(_Entry):
    """A measure as its gate declared it when the rows were judged."""

    upper: bool = Field(description="whether a value must stay at or under its limit, not over it")
    meaning: str = Field(description="what is so where a value lies beyond its limit")


class GateEntry(_Entry):
    """A gate as it declared itself when the rows were judged."""

    asks: str = Field(description="the question that its measures answer")
    measures: dict[str, MeasureEntry]


class FindingEntry(_Entry, extra="forbid"):
    """One finding as it is written."""

    gate: str = Field(description="gate.measure, as in the table of limits")
    what: str = Field(description="column, scenario or label; empty for all rows")
    value: float | None = Field(description="to six decimals; null where rows were too few")
    limit: float | None = Field(description="null where the value is shown and not judged")
    verdict: Verdict
    advice: str = Field(description="one line: what the figure means and what to do")


class Report(BaseModel):
    """The findings over one dataset."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        defer_build=True,
        title="report.json",
        json_schema_serialization_defaults_required=True,
    )

    version: int = Field(1, ge=1, le=VERSION, description="of this format")
    dataset: str = ""
    rows: int = 0
    basis: Basis = Basis(records="", judged_by="")
    reference_rows: int | None = Field(None, description="null where there was no reference")
    passed: bool = Field(True, description="whether no gate failed")
    verdicts: dict[Verdict, int] = Field(default_factory=dict, description="findings of each")
    not_looked_for: str = Field("", description="personal data that no recogniser finds")
    gates: dict[str, GateEntry] = Field(
        default_factory=dict, description="the gates that judged, by name"
    )
    findings: list[FindingEntry]

    def restored(self) -> list[Finding]:
        """The findings as the gates gave them, values to six decimals."""
        return [
            Finding(
                entry.gate, entry.what, math.nan if entry.value is None else entry.value,
                entry.limit, entry.verdict, entry.advice,
            )
            for entry in self.findings
        ]  # fmt: skip

    def to_json(self) -> bytes:
        """The content of the file: the same findings give the same bytes."""
        return orjson.dumps(
            self.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )


def of(
    name: str,
    evidence: Evidence,
    findings: Sequence[Finding],
    basis: Mapping[str, str] | None = None,
) -> Report:
    """The report over a dataset of this name; `basis` holds the digests that verdicts follow from."""
    verdicts = Counter(finding.verdict for finding in findings)
    names = dict.fromkeys(finding.gate.partition(".")[0] for finding in findings)
    declared = expect.gates()
    return Report(
        version=VERSION,
        dataset=name,
        rows=evidence.rows.rows,
        basis=Basis(**(basis or {})),
        reference_rows=evidence.reference.rows if evidence.reference else None,
        passed=not verdicts["fail"],
        verdicts={verdict: verdicts[verdict] for verdict in WORST_FIRST},
        not_looked_for=NOT_LOOKED_FOR,
        gates={
            name: GateEntry(
                asks=declared[name].asks,
                measures={
                    measure.name: MeasureEntry(upper=measure.upper, meaning=measure.meaning)
                    for measure in declared[name].measures
                },
            )
            for name in names
            if name in declared
        },
        findings=[
            FindingEntry(
                gate=finding.gate,
                what=finding.what,
                value=None if math.isnan(finding.value) else round(float(finding.value), 6),
                limit=finding.limit,
                verdict=finding.verdict,
                advice=finding.advice,
            )
            for finding in findings
        ],
    )


def parse(content: bytes) -> Report | None:
    """The report in the bytes of a file; None where they hold none that this version knows."""
    try:
        return Report.model_validate_json(content)
    except ValidationError:
        return None


def read(folder: Path) -> Report | None:
    """The report in a dataset's folder; None where there is none that can be read."""
    try:
        return parse((folder / NAME).read_bytes())
    except OSError:
        return None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file as it is written, which docs/report.schema.json holds."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Report.model_json_schema(mode="serialization"),
    }


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure that was held against a limit."""

    gate: str
    what: str
    value: float
    limit: float
    verdict: Verdict
    upper: bool

    @property
    def bound(self) -> str:
        """The limit as people read it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass", upper=True).bound
        '≤0.1'
        """
        return f"{'≤' if self.upper else '≥'}{number(self.limit)}"

    @property
    def strain(self) -> float:
        """How much of what the limit allows is used up: 1 at the limit, more beyond it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass", upper=True).strain
        0.5
        """
        used, allowed = (self.value, self.limit) if self.upper else (self.limit, self.value)
        if used <= 0:
            return 0.0
        return used / allowed if allowed > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Summary:
    """A measure over all that it looked at."""

    worst: Judged
    figures: int


def figures(report: Report) -> list[Judged]:
    """The findings with a figure and a limit."""
    return [
        Judged(
            entry.gate, entry.what, entry.value, entry.limit, entry.verdict,
            upper=_upper(report, entry, entry.value, entry.limit),
        )
        for entry in report.findings
        if entry.limit is not None and entry.value is not None
    ]  # fmt: skip


def by_measure(report: Report) -> list[Summary]:
    """A summary of each measure, gates together, in the order in which they judged."""
    gates: dict[str, dict[str, list[Judged]]] = {}
    for judged in figures(report):
        gate = judged.gate.partition(".")[0]
        gates.setdefault(gate, {}).setdefault(judged.gate, []).append(judged)
    return [
        Summary(
            max(group, key=lambda judged: (-WORST_FIRST.index(judged.verdict), judged.strain)),
            len(group),
        )
        for measures in gates.values()
        for group in measures.values()
    ]


def _upper(report: Report, entry: FindingEntry, value: float, limit: float) -> bool:
    """Whether a limit is one from above; a report that does not say so shows it by its verdict."""
    gate, _, measure = entry.gate.partition(".")
    if gate in report.gates and measure in report.gates[gate].measures:
        return report.gates[gate].measures[measure].upper
    return (value <= limit) == (entry.verdict == "pass")
