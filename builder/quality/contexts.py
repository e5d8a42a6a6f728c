"""The context in which gates see the rows of a plan: texts and labels, what was planned, and what
the rows were made from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from builder.plan import columns
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project import draws, scenarios
from builder.quality.findings import Context
from builder.stats import features
from builder.table import cells, frame
from builder.table.tables import (
    BOOLEAN,
    CATEGORY,
    DATE,
    ID,
    INTEGER,
    NUMBER,
    STRING,
    TEXT,
    Kind,
    Table,
)


def of_dataset(
    dataset: DatasetPlan,
    rejects: Mapping[str, int] | None = None,
    semantic: features.Embed | None = None,
) -> Context:
    """The context of a dataset's rows; only axes that all its scenarios have count."""
    names = [[a.name for a in s.scenario.axes if not a.source] for s in dataset.scenarios]
    axes = tuple(name for name in names[0] if all(name in others for others in names))
    return Context(
        text=texts(dataset),
        axes=axes,
        planned=_planned(dataset, axes),
        splits=dataset.splits,
        together=dataset.together,
        examples=tuple(examples(dataset)),
        drawn={
            column.name: column
            for scenario in dataset.scenarios
            for draw in tabled(scenario)
            if draw.table is not None
            for column in beside(draw.table, draw.columns).columns.values()
        },
        rejects=rejects or {},
        semantic=semantic,
    )


def of_scenario(dataset: DatasetPlan, scenario: ScenarioPlan, context: Context) -> Context:
    """The context of one scenario's rows, the rest as in its dataset's."""
    alone = DatasetPlan(dataset.name, [scenario], dataset.text, dataset.splits, dataset.together)
    return of_dataset(alone, semantic=context.semantic)


def texts(dataset: DatasetPlan) -> tuple[str, ...]:
    """The columns that make a row's text: the project's choice, else every field of free text."""
    fields = (columns.text_fields(scenario, dataset.text) for scenario in dataset.scenarios)
    return tuple(dict.fromkeys(name for names in fields for name in names))


def rows(dataset: DatasetPlan, records: Iterable[Mapping[str, Any]]) -> frame.Frame:
    """Records of a dataset as typed columns: by what the plan says of them, not by their look."""
    schemas = {s.name: s.scenario.schema.row for s in dataset.scenarios}
    text = texts(dataset)
    known = columns.of_dataset(dataset.scenarios)
    values: dict[str, list[Any]] = {name: [] for name in (*known, frame.SPLIT)}
    for record in records:
        schema = schemas[record[frame.SCENARIO]]
        for name, listed in values.items():
            cell = record.get(name)
            listed.append(columns.text_of(schema, record, [name]) if name in text else cell)
    return frame.build(values, kinds=_kinds(dataset, known, text))


def beside(table: Table, names: Sequence[str] = ()) -> frame.Frame:
    """A reference table as a frame, or some of its columns."""
    chosen = names or tuple(table.columns)
    kinds = {name: CATEGORY for name in names if not table.columns[name].numeric}
    values = {name: table.columns[name].scalars() for name in chosen}
    built = frame.build(values, kinds=kinds, source=table.source)
    return replace(built, notes=table.remarks(chosen))


def reference(plan: Plan, dataset: DatasetPlan) -> Table | None:
    """The table that the project names for a dataset to be compared with."""
    loaded = [scenario.scenario for scenario in dataset.scenarios]
    return scenarios.dataset_reference(plan.project, dataset.name, loaded)


def tabled(scenario: ScenarioPlan) -> list[draws.Draw]:
    """The lines of `draw` that fill columns of the dataset from a table."""
    return [d for d in scenario.scenario.draws if d.table and d.columns and d.in_dataset]


def conditioned(scenario: ScenarioPlan, draw: draws.Draw) -> bool:
    """Whether axes or `keep` decide what is drawn, so that it need not look like its table."""
    rules = scenario.scenario.keep_rows
    return draw.by is not None or any(rule.names & set(draw.columns) for rule in rules)


def examples(dataset: DatasetPlan) -> list[str]:
    """The texts of every table that few-shot examples are taken from."""
    texts: dict[str, None] = {}
    for scenario in dataset.scenarios:
        for draw in scenario.scenario.draws:
            if draw.sampler == draws.EXAMPLES and draw.table is not None:
                table = beside(draw.table.select(draw.options["columns"]))
                columns = [column.values.tolist() for column in table.of(TEXT)]
                texts.update((cell, None) for listed in columns for cell in listed if cell)
                if len(columns) > 1:
                    texts.update((text, None) for text in table.texts())
    return list(texts)


def _planned(dataset: DatasetPlan, axes: Sequence[str]) -> dict[tuple[Any, ...], int]:
    counts: Counter[tuple[Any, ...]] = Counter()
    for scenario in dataset.scenarios:
        wanted, grid = scenario.planned_counts(), scenario.scenario.grid
        index = np.fromiter(wanted, np.int64, len(wanted))
        # Of rows that are made from rows, the axes alone.
        combinations = grid.combinations(index % grid.size)
        for combination, many in zip(combinations, wanted.values(), strict=True):
            counts[tuple(_cell(combination[axis]) for axis in axes)] += many
    return dict(counts)


def _cell(value: object) -> float | str:
    """An axis value as a frame holds it."""
    number = None if isinstance(value, str) else cells.number(value)
    return str(value) if number is None else number


def _kinds(dataset: DatasetPlan, known: Mapping[str, Kind], text: Sequence[str]) -> dict[str, Kind]:
    """The kind of each column that the plan knows; one of dates, in whatever form, shows it by
    its values."""
    dated: set[str] = set()
    for scenario in dataset.scenarios:
        parts = scenario.scenario.schema.row.get("properties", {})
        dated |= {name for name, part in parts.items() if "format" in str(part)}
        dated |= {name for name, kind in scenario.drawn_kinds().items() if kind == DATE}
    kinds: dict[str, Kind] = {}
    for name, kind in known.items():
        if kind in (STRING, BOOLEAN) and name not in dated:
            kinds[name] = CATEGORY
        elif kind not in (STRING, BOOLEAN, INTEGER, NUMBER):
            kinds[name] = ID
    axes = [axis for scenario in dataset.scenarios for axis in scenario.scenario.axes]
    words = {a.name for a in axes if any(isinstance(_cell(v.value), str) for v in a.every)}
    # Numbers that count the rows, as 1 to 30 do, are values of an axis all the same.
    kinds |= {a.name: NUMBER for a in axes if a.name not in words and not a.source}
    return kinds | {name: TEXT for name in known if name in text}
