"""Rows held against one another: whether a row's text is too near to an accepted one."""

from dataclasses import dataclass, field
from pathlib import Path

from builder.plan import columns
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.records import Reject, Row
from builder.stats import near
from builder.table import reader, tables


@dataclass(slots=True)
class AcceptedTexts:
    """The texts of a dataset's accepted rows, and those that no row may be near to."""

    fields: dict[str, tuple[str, ...]]
    """Scenario to the fields that are measured."""
    accepted: near.Index[str]
    unlike: dict[str, near.Index[str]] = field(default_factory=dict)

    def refuse(self, part: ScenarioPlan, row: Row, raw: str) -> Reject | None:
        """The reject that this row is, or None; the text of a row that passes is remembered."""
        limit = part.scenario.words.similarity_below
        text = columns.text_of(part.scenario.schema.row, row.fields, self.fields[part.name])
        if limit is not None:
            for index in (self.unlike.get(part.name), self.accepted):
                match = index.nearest(text) if index is not None else None
                if match is not None and match.similarity >= limit:
                    reason = f"near-duplicate of {match.key}, {match.similarity:.2f}"
                    return Reject(row.case, row.key, row.model, "similar", reason, raw)
        self.accepted.add(str(row.key), text)
        return None


def accepted_texts(dataset: DatasetPlan) -> AcceptedTexts:
    """An empty memory for the rows of this dataset. InputError for a file that cannot be read."""
    limits = [part.scenario.words.similarity_below for part in dataset.scenarios]
    memory = AcceptedTexts(
        {part.name: columns.text_fields(part, dataset.text) for part in dataset.scenarios},
        near.Index(min(limit for limit in limits if limit is not None)),
    )
    for part in dataset.scenarios:
        limit = part.scenario.words.similarity_below
        if part.scenario.unlike and limit is not None:
            index: near.Index[str] = near.Index(limit)
            for path in part.scenario.unlike:
                for line, text in texts(path):
                    index.add(f"{path.name}:{line}", text)
            memory.unlike[part.name] = index
    return memory


def texts(path: Path) -> list[tuple[int, str]]:
    """The texts of a file with their lines: each line of a .txt, each text cell of a table."""
    if path.suffix.lower() in (".txt", ".md"):
        lines = reader.read_text(path).split("\n")
        return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    table = tables.load(path)
    first = 2 if path.suffix.lower() in (".csv", ".tsv") else 1
    return [
        (number, value)
        for number, record in enumerate(table.records(), first)
        for value in record.values()
        if isinstance(value, str)
    ]
