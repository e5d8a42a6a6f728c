"""One case traced: its tries, the rows that it is made from, and the cases that hang on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from builder.plan import plans, upstream
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project import sources
from builder.project.sources import Source
from builder.records import Completion, Key, canonical
from builder.results import rows, settle, splits
from builder.results.settle import Settlement
from builder.results.step import Standing
from builder.store import Store

FIRST = 5  # Ids that are named of cases that hang on one.

Kind = Literal["row", "open", "spent", "refused"]


class Fate(NamedTuple):
    """What became of a case, and why."""

    kind: Kind
    why: str


class Try(NamedTuple):
    """One reply to a case."""

    key: Key
    reply: Completion
    verdict: str
    """`row`, the stage that refused it, `no answer`, or `not needed`."""
    reason: str = ""


class Origin(NamedTuple):
    """One row that a case is made from, with what that row is made from."""

    source: str
    """The name that the scenario gives to its source."""
    id: str
    scenario: str = ""
    """Empty for the row of a table."""
    file: str = ""
    """The table's file, by its path in the project."""
    origins: tuple[Origin, ...] = ()


class Dependents(NamedTuple):
    """The cases of one scenario that are made from a row, or from rows that are made from it."""

    scenario: str
    depth: int
    cases: int
    rows: int
    ids: tuple[str, ...]
    """The first of them."""


class Basis(NamedTuple):
    """What the key of a case follows from: where none of it changes, it is not asked again."""

    prompt: tuple[str, ...]
    """The files of its prompt."""
    names: tuple[str, ...]
    """What they look up, `name` or `source.field`: what they print of it counts."""
    schema: str
    """The class and the file of the JSON Schema that is sent; empty where none is."""
    model: str
    params: Mapping[str, Any]


class Trace(NamedTuple):
    """All that is known of one case."""

    standing: Standing
    dataset: DatasetPlan
    fate: Fate
    split: str
    """Empty where it has no row."""
    tries: tuple[Try, ...]
    origins: tuple[Origin, ...]
    basis: Basis
    dependents: tuple[Dependents, ...]
    alike: tuple[str, ...] = ()
    """Other cases with its key, which happens where nobody is asked."""
    drawn_by: tuple[str, ...] = ()
    """Scenarios whose lines of `draw` read the rows of its scenario."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """Traces cases of one plan through one store. Each level up or down is a walk over a dataset."""

    plan: Plan
    store: Store
    # The rows that were looked up on the way to the roots, by id.
    _known: dict[str, Standing] = field(default_factory=dict)

    def trace(self, wanted: Callable[[Standing], bool]) -> Trace | None:
        """The first case that is wanted; None where none is."""
        for dataset in self.plan.datasets:
            settlement = settle.settle(dataset, self.store)
            if cases := [case for case in settlement.every() if wanted(case)]:
                return self._traced(settlement, cases[0], cases[1:])
        return None

    def _traced(self, settlement: Settlement, case: Standing, alike: list[Standing]) -> Trace:
        dataset = settlement.dataset
        copy = case.row is not None and self._is_copy(dataset, case.row.key)
        is_row = case.row is not None and not copy
        self._look_up(case)
        return Trace(
            case,
            dataset,
            Fate("refused", rows.COPY) if copy else _fate(settlement, case),
            splits.sides(dataset).split(case.row) if case.row and is_row else "",
            tuple(self._tries(case, copy=copy)),
            tuple(self._origins(case)),
            self._basis(case),
            tuple(self._dependents(case)) if is_row else (),
            tuple(other.planned.case.id for other in alike),
            tuple(self._drawn_by(case.part)),
        )

    def _drawn_by(self, part: ScenarioPlan) -> Iterator[str]:
        sources_of = {("scenario", part.name), ("dataset", part.scenario.dataset)}
        for other in (other for dataset in self.plan.datasets for other in dataset.scenarios):
            drawn = [draw.source for draw in other.scenario.draws if draw.source is not None]
            if any((source.kind, source.target) in sources_of for source in drawn):
                yield other.name

    def _is_copy(self, dataset: DatasetPlan, key: Key) -> bool:
        """Whether a row is none in the end, for another root has its text."""
        if len(dataset.splits) == 1:
            return False
        cases = settle.settle(dataset, self.store)
        accepted = ((case.part, case.row) for case in cases if case.row is not None)
        return hash(key) in splits.copies(dataset, accepted)

    def _tries(self, case: Standing, *, copy: bool) -> Iterator[Try]:
        """Every reply to a case, in the order of its tries."""
        reasons = {reject.key: reject for reject in case.rejects}
        for number in range(len(case.held) + 1):
            key = case.first._replace(attempt=number)
            for reply in self.store.attempts(key) if case.part.asks else ():
                yield Try(key, reply, "no answer", reply.stop_reason)
            if number == len(case.held):
                return
            reply = self._reply(case, key)
            if reject := reasons.get(key):
                yield Try(key, reply, reject.stage, reject.reason)
            elif case.row is not None and case.row.key == key:
                yield Try(key, reply, *(("similar", rows.COPY) if copy else ("row", "")))
            else:
                yield Try(key, reply, "not needed")

    def _reply(self, case: Standing, key: Key) -> Completion:
        """The answer under a key with all that is known of it; what fills the row where nobody is
        asked."""
        if case.part.asks:
            return self.store.whole(key) or case.held[key.attempt]
        variables = case.planned.case.variables
        filled = {name: variables[name] for name in case.part.scenario.words.fill}
        return case.held[key.attempt]._replace(text=canonical(filled).decode())

    def _basis(self, case: Standing) -> Basis:
        scenario, asked = case.part.scenario, case.planned.asked
        prompt, root = scenario.prompt, self.plan.project.root
        names = [*scenario.words.fill]
        if case.part.asks:
            names = []
            for name in sorted(prompt.names & case.planned.case.variables.keys()):
                looked = sorted({field for field, _ in prompt.attributes(name)})
                names += [f"{name}.{field}" for field in looked] or [name]
        return Basis(
            tuple(file.relative_to(root).as_posix() for file in prompt.files),
            tuple(names),
            f"{scenario.schema.name} in {scenario.schema.file.relative_to(root).as_posix()}"
            if asked.schema is not None
            else "",
            asked.model,
            asked.params,
        )

    def _look_up(self, case: Standing) -> None:
        """Finds the rows that a case is made from, to their roots, a level at a time."""
        frontier = [case]
        while frontier:
            wanted: dict[str, set[str]] = {}
            for standing in frontier:
                for source, ids in _made_from(standing):
                    if source.kind != "table":
                        dataset, _ = plans.handing(source, self.plan.datasets)
                        wanted.setdefault(dataset.name, set()).update(ids)
            frontier = [
                standing
                for dataset in self.plan.datasets
                for standing in self._cases(dataset, wanted.get(dataset.name, ()))
            ]

    def _cases(self, dataset: DatasetPlan, ids: Collection[str]) -> Iterator[Standing]:
        """The cases of a dataset that have these ids and are not known yet."""
        for case in settle.settle(dataset, self.store).every() if ids else ():
            name = case.planned.case.id
            if name in ids and name not in self._known:
                self._known[name] = case
                yield case

    def _origins(self, case: Standing) -> Iterator[Origin]:
        for source, ids in _made_from(case):
            for name in ids:
                if source.kind == "table":
                    yield Origin(source.name, name, file=_file(case.part, source, name))
                else:
                    row = self._known[name]
                    yield Origin(
                        source.name, name, row.part.name, origins=tuple(self._origins(row))
                    )

    def _dependents(self, case: Standing) -> Iterator[Dependents]:
        """What hangs on a row, by levels: a case of a level counts where any of its rows does."""
        affected, reached = {case.planned.case.id}, {case.part.name}
        parts = [(part, d) for d in self.plan.datasets for part in d.scenarios]
        for part, dataset in sorted(parts, key=lambda pair: pair[0].scenario.depth):
            if reached.isdisjoint(plans.upstream_of(part, self.plan.datasets)):
                continue
            ids, accepted = [], 0
            for standing in settle.settle(dataset, self.store).every():
                if standing.part.name != part.name:
                    continue
                if any(not affected.isdisjoint(names) for _, names in _made_from(standing)):
                    ids.append(standing.planned.case.id)
                    accepted += standing.row is not None
            if ids:
                reached.add(part.name)
                affected.update(ids)
                depth = part.scenario.depth - case.part.scenario.depth
                yield Dependents(part.name, depth, len(ids), accepted, tuple(ids[:FIRST]))


def _made_from(case: Standing) -> Iterator[tuple[Source, list[str]]]:
    """Each source of a case with the ids of the rows that it gave."""
    ids = case.planned.case.columns.get(sources.COLUMN, {})
    for source in case.part.scenario.sources:
        names = ids.get(source.name, [])
        yield source, [names] if isinstance(names, str) else names


def _file(part: ScenarioPlan, source: Source, name: str) -> str:
    """The file that holds a row of a table, by its path in the project."""
    assert part.feed is not None
    table = next(rows for rows in part.feed.rows if rows.source.name == source.name)
    number = np.flatnonzero(table.words == np.uint64(upstream.id_word(name)))[:1]
    return table.rows(number)[0].case


def _fate(settlement: Settlement, case: Standing) -> Fate:
    """What became of a case, the walk over its dataset being at its end."""
    if case.row is not None:
        return Fate("row", f"accepted at try {case.tried}")
    if case.open:
        return Fate("open", f"a run asks for try {case.tried + 1} of {case.limit}")
    reserves = settlement.reserves[settlement.number(case.part)]
    feed = case.part.feed
    if not case.part.asks:
        return Fate("refused", "nobody is asked, so nothing else can be had")
    if reserves.replaced(case.combination):
        return Fate("spent", f"all {case.tried} tries are used up; another case was called up")
    if feed is not None and not feed.pooled:
        return Fate("refused", f"all {case.tried} tries are used up, and no other question is left")
    return Fate(
        "spent", f"all {case.tried} tries are used up, and no reserve is left: a row is short"
    )
