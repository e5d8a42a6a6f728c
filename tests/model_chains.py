"""The laws of rows that are made from rows, on toy values: beside those of tests/model.py.

- A case is known by (scenario, id of the row that it is made from, axes, occurrence); its request is
  the text that is printed, and nothing else of the row counts.
- A unit is a row of the first source, or an entry of a list in it, known by its value and its number
  among equals. `n each` is n for each unit and combination of the axes. A total is shared among the
  combinations alone; each takes the units that make a case in an order of its own, again only when
  all were used once, and it waits until what it takes from is settled.
- A further source gives the first rows in plan order that agree, never the row itself; a unit that
  finds too few, or one of another split, makes no case, nor does one that `keep` refuses.
- A reserve is called up only if it asks something that no spent case of its combination asked. Where
  none is left a row of a total is short; `n each` promises none, and the case is refused.
- Repeats are numbered by dataset and level: how many levels of scenarios lie under one.
- Levels fill in order: the lowest that lacks answers is asked first.
- A row stands in the split of its root, that of the row that it is made from. Where there are splits,
  of equal texts under several roots the one of the smallest number stays, and no other is handed on.
- Nobody asked (`model: none`): the case is its row, judged like an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from tests import model
from tests.model import Combination, Dataset, Held, Key, Scenario


@dataclass(frozen=True)
class Row:
    """A row that is handed down."""

    id: str
    home: str
    """The table that it stands in; empty where it was made."""
    root: float
    fields: Mapping[str, Any] = field(compare=False)


class Unit(NamedTuple):
    """What is crossed with the axes."""

    row: Row
    tag: str | None = None
    among: int = 0

    @property
    def name(self) -> str:
        return f"{self.row.id}-{self.among}" if self.among else self.row.id


class Case(NamedTuple):
    """A case that is made from a unit; `group` is what shares a number of wanted rows."""

    scenario: str
    unit: Unit
    combination: Combination
    occurrence: int
    group: tuple[str, object]

    @property
    def axes(self) -> Combination:
        tag = ("tag", self.unit.tag)
        return tuple(sorted((*self.combination, *([tag] if self.unit.tag else []))))  # type: ignore[arg-type]

    @property
    def root(self) -> float:
        return self.unit.row.root


AnyCase = Case | model.Case


def digest(*parts: object) -> str:
    content = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def name_of(case: AnyCase) -> str:
    """What a case is known by."""
    if isinstance(case, Case):
        return digest(case.scenario, case.unit.name, case.axes, case.occurrence)[:16]
    return digest(case.scenario, sorted(case.combination), case.occurrence)[:16]


def number_of(case: AnyCase) -> float:
    """The number of its root."""
    return case.root if isinstance(case, Case) else model.number(case)


def root_of(table: str, name: str) -> float:
    return int(digest("table", table, name)[:12], 16) / 2**48


class Beside(NamedTuple):
    """A further source, looked up by the score."""

    source: str
    n: int | None
    least: int | None

    @property
    def wanted(self) -> int:
        return self.n or 1

    @property
    def enough(self) -> int:
        return 1 if self.n is None else self.n if self.least is None else self.least


@dataclass(frozen=True)
class Made:
    """A scenario whose rows are made from these; it stands beside the plain ones of a dataset."""

    name: str
    units: Sequence[Unit]
    weights: Mapping[Combination, float]
    luck: Callable[[Unit, Combination], float]
    """u(c) of a unit and a combination."""
    shares: Mapping[Combination, float]
    """u(c) of the combinations alone, for a total."""
    order: Callable[[Unit, Combination], int]
    """What a combination takes the units of a pool by."""
    makes: Callable[[Unit, Combination], bool]
    """Whether they make a case."""
    each: int = 0
    total: int | None = None
    tries: int = 3
    asks: bool = True
    waits: bool = False
    sources: tuple[str, ...] = ()
    near = None
    unlike = ()

    @property
    def limit(self) -> int:
        return self.tries

    def pool(self, combination: Combination) -> list[Unit]:
        if combination not in self.pools:
            self.pools[combination] = self.ordered(combination)
        return self.pools[combination]

    @cached_property
    def pools(self) -> dict[Combination, list[Unit]]:
        return {}

    def ordered(self, combination: Combination) -> list[Unit]:
        units = [unit for unit in self.units if self.makes(unit, combination)]
        return sorted(units, key=lambda unit: self.order(unit, combination))

    def taken(self, combination: Combination, occurrence: int) -> list[Case]:
        """The case that takes this place in a pool; none where the pool is empty."""
        if not (pool := self.pool(combination)):
            return []
        again, place = divmod(occurrence, len(pool))
        return [Case(self.name, pool[place], combination, again, (self.name, combination))]

    def plan(self) -> list[Case]:
        return self.planned

    @cached_property
    def planned(self) -> list[Case]:
        if self.waits:
            return []
        if self.total is None:
            pairs = [
                (unit, c)
                for unit in self.units
                for c in sorted(self.weights, key=lambda c, unit=unit: self.luck(unit, c))  # type: ignore[misc]
                if self.makes(unit, c)
            ]
            return [
                Case(self.name, unit, c, k, (self.name, (unit, c)))
                for k in range(self.each)
                for unit, c in pairs
            ]
        plain = Scenario(self.name, self.weights, self.shares, self.each, self.total)
        places = [(case.combination, case.occurrence) for case in plain.plan()]
        return [case for c, k in places for case in self.taken(c, k)]

    def reserve(self, level: int) -> list[Case]:
        groups: dict[tuple[str, object], list[Case]] = {}
        for case in self.plan() if self.asks else ():
            groups.setdefault(case.group, []).append(case)
        able = [cases for cases in groups.values() if level < model.reserves_behind(len(cases))]
        if self.total is None:
            return [cases[0]._replace(occurrence=len(cases) + level) for cases in able]
        return [c for cs in able for c in self.taken(cs[0].combination, len(cs) + level)]


@dataclass
class Walk(model.Walk):
    """The walk of one level of a dataset."""

    reached: Counter[Any] = field(default_factory=Counter)
    called: set[tuple[Any, int]] = field(default_factory=set)
    lost: Counter[str] = field(default_factory=Counter)
    """Scenario to cases that were refused for good."""

    def is_called(self, case: Any, level: int) -> bool:
        if not isinstance(self.dataset.scenario(case), Made):
            return super().is_called(case, level)
        return not level or (case.group, level) in self.called

    def answers(self, first: Key) -> list[str]:
        return ["{}"] if first.repeat < 0 else super().answers(first)

    def note(self, standing: model.Standing, wave: model.Wave) -> None:
        super().note(standing, wave)
        if not standing.spent or not isinstance(scenario := standing.scenario, Made):
            return
        group = standing.case.group
        asked = {spent.first.request for spent in self.spent if spent.case.group == group}
        while True:
            level = self.reached[group]
            reserve = [case for case in scenario.reserve(level) if case.group == group]
            if not reserve:
                self.lost[scenario.name] += scenario.total is None
                self.settled.short[group] += scenario.total is not None
                return
            self.reached[group] += 1
            if self.dataset.request(reserve[0]) not in asked:
                self.called.add((group, level + 1))
                return

    def count_short(self) -> None:
        made = {s.name for s in self.dataset.scenarios if isinstance(s, Made)}
        counted = {group: n for group, n in self.settled.short.items() if group[0] in made}
        super().count_short()
        for group in [group for group in self.settled.short if group[0] in made]:
            self.settled.short[group] = counted.get(group, 0)


class Step(NamedTuple):
    """A scenario as its file says it, and how it stands among the others."""

    name: str
    depth: int
    home: str
    """The dataset."""
    splits: Mapping[str, float] | None
    build: Callable[[Chain], Scenario | Made]
    """The scenario over what is handed down."""


@dataclass
class Chain:
    """A project and what it holds, level by level."""

    steps: Sequence[Step]
    tables: Mapping[str, Sequence[Row]]
    held: Held
    request: Callable[[Chain, Any], str]
    accepts: Callable[[Any, Mapping[str, Any]], bool]
    fields: Callable[[Chain, Any, str], dict[str, Any]]
    """The fields of the row of a case with an answer."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """Scenario to what it hands down."""
    settled: dict[tuple[str, int], tuple[Walk, list[tuple[Key, Any]]]] = field(default_factory=dict)
    """Dataset and level to its walk, and its rows with their keys."""
    open: set[str] = field(default_factory=set)
    """The scenarios that may still change."""
    scenarios: dict[str, Scenario | Made] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for depth in sorted({step.depth for step in self.steps}):
            level = [step for step in self.steps if step.depth == depth]
            for step in level:
                self.scenarios[step.name] = step.build(self)
            for home in sorted({step.home for step in level}):
                self._settle(home, depth, [step for step in level if step.home == home])

    def source(self, name: str) -> list[Row]:
        """The rows of a source: a table, a scenario, or all scenarios of a dataset by name."""
        if name in self.tables:
            return [*self.tables[name]]
        return [row for part in self.parts(name) for row in self.rows[part]]

    def parts(self, name: str) -> list[str]:
        """The scenarios of a source."""
        names = sorted(step.name for step in self.steps if name in (step.name, f"@{step.home}"))
        return [part for part in names if part.startswith("@") or part == name] or names

    def is_open(self, name: str) -> bool:
        return name not in self.tables and any(part in self.open for part in self.parts(name))

    def _settle(self, home: str, depth: int, steps: Sequence[Step]) -> None:
        scenarios = [self.scenarios[step.name] for step in sorted(steps)]
        dataset = Dataset(
            home,
            scenarios,  # type: ignore[arg-type]
            lambda case: self.request(self, case),
            lambda case, answer: self.accepts(case, self.fields(self, case, answer)),
        )
        walk = Walk(dataset, self.held)
        walk.independently()
        rows = [*walk.settled.rows.items()]
        self.settled[home, depth] = walk, rows
        for step, scenario in zip(sorted(steps), scenarios, strict=True):
            waiting = isinstance(scenario, Made) and any(map(self.is_open, scenario.sources))
            if waiting or any(s.case.scenario == step.name for _, s in walk.settled.open):
                self.open.add(step.name)
        self._hand_down(home, depth)

    def _hand_down(self, home: str, depth: int) -> None:
        kept = self.kept(home)
        for step in self.steps:
            if step.home == home and step.depth <= depth:
                self.rows[step.name] = [
                    Row(name_of(case), "", number_of(case), self.named(key, case))
                    for key, case in kept
                    if case.scenario == step.name
                ]

    def named(self, key: Key, case: Any) -> dict[str, Any]:
        """The fields of a row, and its axes beside them."""
        axes = case.axes if isinstance(case, Case) else case.combination
        return {**self.fields(self, case, self.held.get(key, "{}")), **dict(axes)}

    def kept(self, home: str) -> list[tuple[Key, Any]]:
        """The rows of a dataset, less those whose text another root has."""
        rows = [
            pair
            for (name, _), (_, rows) in sorted(self.settled.items())
            if name == home
            for pair in rows
        ]
        if not next((step.splits for step in self.steps if step.home == home), None):
            return rows
        first: dict[str, float] = {}
        for key, case in rows:
            if text := self.measured(key, case):
                first[text] = min(number_of(case), first.get(text, 1.0))
        return [
            (key, case)
            for key, case in rows
            if not (text := self.measured(key, case)) or number_of(case) <= first[text]
        ]

    def measured(self, key: Key, case: Any) -> str:
        """The text that is compared: what was asked for, not what is taken over."""
        return "" if key.repeat < 0 else str(json.loads(self.held[key])["text"])

    def missing(self) -> list[tuple[int, model.Standing]]:
        """The cases that want an answer, each with its level."""
        return [
            (depth, standing)
            for (_, depth), (walk, _) in self.settled.items()
            for _, standing in walk.settled.open
        ]


def fill(
    chain: Callable[[Held], Chain], held: Held, answer: Callable[[Key], str]
) -> dict[Key, str]:
    """The store when a run misses nothing any more: the lowest level is asked first."""
    full: dict[Key, str] = dict(held)
    while missing := chain(full).missing():
        lowest = min(depth for depth, _ in missing)
        keys = [standing.next_key for depth, standing in missing if depth == lowest]
        full |= {key: answer(key) for key in keys}
    return full
