"""Rows handed down: what the scenarios below hold feeds the plan of those that stand on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from builder import jsonschema
from builder.errors import Place
from builder.plan import bounds, columns, plans, requests, upstream
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Overrides, Plan
from builder.plan.upstream import Handed, SourceRows
from builder.project import schemas
from builder.project.settings import Project
from builder.project.sources import Source
from builder.results import rows as results_rows
from builder.results import settle, splits
from builder.results.settle import Settlement, Settlements
from builder.store import Store, reading
from builder.text import model_name


@dataclass(slots=True)
class Levels:
    """Hands down rows from one store, each dataset settled once."""

    project: Project
    store: Store | None
    stack: ExitStack
    settled: dict[str, tuple[DatasetPlan, Settlement]] = field(default_factory=dict)
    # Scenario to its rows, of the datasets that were settled.
    _rows: dict[str, SourceRows] = field(default_factory=dict)

    def hand(self, source: Source, datasets: Mapping[str, DatasetPlan]) -> SourceRows:
        """The rows of a source, as far as they are held."""
        if source.kind == "table":
            return upstream.of_table(source, self._home)
        dataset, parts = plans.handing(source, datasets.values())
        if self.settled.get(dataset.name, (None,))[0] is not dataset:
            self._settle(dataset)
        every_kind = columns.of_dataset(parts).items()
        kinds = {name: kind for name, kind in every_kind if name not in columns.OWN}
        rows = self._rows[parts[0].name]
        if len(parts) > 1:
            every = (row for part in parts for row in self._rows[part.name].each())
            rows = SourceRows(source).fill(every)
        titles = {schemas.title(part.scenario.schema.model) for part in parts}
        title = titles.pop() if len(titles) == 1 else ""
        outlook = self._outlook(dataset, parts)
        return replace(rows, source=source, kinds=kinds, title=title, **outlook)

    def _home(self, file: Path) -> str:
        return file.relative_to(self.project.root.resolve()).as_posix()

    def _settle(self, dataset: DatasetPlan) -> None:
        """Walks a dataset once, its rows by scenario."""
        if self.store is None:
            self.store = self.stack.enter_context(reading(self.project.store))
        settlement = settle.settle(dataset, self.store)
        self.settled[dataset.name] = (dataset, settlement)
        # Where no dataset is split, nobody asks on which side a root stands.
        dealt = any(len(s.splits) > 1 for s in self.project.settings.datasets.values())
        number = splits.sides(dataset).number if dealt else lambda row: 0.0
        fresh = {part.name: SourceRows() for part in dataset.scenarios}
        models: dict[str, str] = {}
        for case in results_rows.read(settlement).cases():
            row = case.row
            assert row is not None
            name, model = row.case.id, models.get(row.model)
            if model is None:
                model = models[row.model] = model_name(row.model)
            fields = {**row.fields, **row.case.columns}
            fresh[row.case.scenario].add(Handed(name, number(row), fields, model, name))
        self._rows.update(fresh)

    def _outlook(self, dataset: DatasetPlan, parts: Sequence[ScenarioPlan]) -> Outlook:
        tallies = [self.settled[dataset.name][1].tallies[part.name] for part in parts]
        waiting = any(part.open for part in parts)
        settled = not waiting and not any(tally.to_ask for tally in tallies)
        held = sum(tally.accepted for tally in tallies)
        each = [bounds.rows(part) for part in parts]
        most = [outlook.most for outlook in each if outlook.most is not None]
        lost = sum(sum(tally.short.values()) + tally.refused for tally in tallies)
        return Outlook(
            settled=settled,
            expected=held if settled else max(held, sum(o.expected for o in each) - lost),
            most=held if settled else sum(most) if len(most) == len(each) else None,
            unbounded=next((o.unbounded for o in each if o.unbounded), ""),
            lists=dict(pair for part in parts for pair in _lists(part)),
            copied=frozenset[str]().union(*(part.copied for part in parts)),
            generated=frozenset[str]().union(*(part.generated for part in parts)),
            splits=dataset.splits if dataset.exported else _of_roots(parts),
        )


class Outlook(TypedDict):
    """What is known of the rows of a source beyond those that are held."""

    settled: bool
    expected: int
    most: int | None
    unbounded: str
    lists: Mapping[str, tuple[int, int | None, Place | None]]
    splits: Mapping[str, float] | None
    copied: frozenset[str]
    generated: frozenset[str]


def _lists(part: ScenarioPlan) -> Iterator[tuple[str, tuple[int, int | None, Place | None]]]:
    """The fields of a schema that are lists, with the least and the most entries."""
    schema = part.scenario.schema
    for name, field_ in schema.row.get("properties", {}).items():
        resolved = jsonschema.resolve(field_, schema.row)
        if resolved.get("type") == "array":
            bound = resolved.get("maxItems")
            yield name, (resolved.get("minItems", 0), bound, schema.place(name))


def _of_roots(parts: Sequence[ScenarioPlan]) -> Mapping[str, float] | None:
    """The splits that rows of no dataset stand in: those of what they are made from."""
    handed = [part.feed.first.splits for part in parts if part.feed is not None]
    return next((splits for splits in handed if splits is not None), None)


def plan(
    project: Project,
    wanted: Sequence[str] = (),
    overrides: Overrides | None = None,
    store: Store | None = None,
) -> tuple[Plan, Settlements]:
    """The plan of the wanted scenarios over what a store holds, and the walks that it took.

    Left out, the project's store is opened where rows are made from rows; its walks are not given.
    Raises InputError for whatever is wrong in a file, a setting or a flag.
    """
    with ExitStack() as stack:
        levels = Levels(project, store, stack)
        made = requests.plan(project, wanted, overrides, levels.hand)
    # A dataset that a later level has grown is walked anew.
    last = {dataset.name: dataset for dataset in made.datasets}
    walked = {
        name: settlement
        for name, (dataset, settlement) in levels.settled.items()
        if store is not None and last.get(name) is dataset
    }
    return made, walked


def has_levels(plan: Plan) -> bool:
    """Whether any of its scenarios is made from rows of another."""
    return any(part.scenario.depth for d in plan.datasets for part in d.scenarios)
