"""Rows held against one another: whether a row's text is too near to an accepted one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from builder.plan import columns
from builder.plan.plans import DatasetPlan, ScenarioPlan
from builder.records import Reject, Row
from builder.stats import near
from builder.table import tables


@dataclass(slots=True)
class Likeness:
    """The accepted rows of a dataset, and the texts that no row may be near to."""

    fields: dict[str, tuple[str, ...]]
    """Scenario to the fields that are measured."""
    accepted: near.Index[str]
    unlike: dict[str, near.Index[str]] = field(default_factory=dict)

    def refused(self, scenario: ScenarioPlan, row: Row, raw: str) -> Reject | None:
        """The reject that this row is, or None; a row that passes is held from now on."""
        limit = scenario.scenario.words.similarity_below
        text = columns.text_of(scenario.scenario.schema.row, row.fields, self.fields[scenario.name])
        if limit is not None:
            for index in (self.unlike.get(scenario.name), self.accepted):
                match = index.nearest(text) if index is not None else None
                if match is not None and match.similarity >= limit:
                    reason = f"near-duplicate of {match.key}, {match.similarity:.2f}"
                    return Reject(row.case, row.key, row.model, "similar", reason, raw)
        self.accepted.add(str(row.key), text)
        return None


def likeness(dataset: DatasetPlan) -> Likeness:
    """An empty memory for the rows of this dataset. InputError for a file that cannot be read."""
    limits = [s.scenario.words.similarity_below for s in dataset.scenarios]
    made = Likeness(
        {s.name: columns.text_fields(s, dataset.text) for s in dataset.scenarios},
        near.Index(min(limit for limit in limits if limit is not None)),
    )
    for scenario in dataset.scenarios:
        limit = scenario.scenario.words.similarity_below
        if scenario.scenario.unlike and limit is not None:
            index: near.Index[str] = near.Index(limit)
            for path in scenario.scenario.unlike:
                for line, text in texts(path):
                    index.add(f"{path.name}:{line}", text)
            made.unlike[scenario.name] = index
    return made


def texts(path: Path) -> list[tuple[int, str]]:
    """The texts of a file with their lines: each line of a .txt, each text cell of a table."""
    if path.suffix.lower() in (".txt", ".md"):
        lines = tables.read_text(path).split("\n")
        return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    table = tables.load(path)
    first = 2 if path.suffix.lower() in (".csv", ".tsv") else 1
    return [
        (number, value)
        for number, record in enumerate(table.records(), first)
        for value in record.values()
        if isinstance(value, str)
    ]
