"""The planned cases of one scenario, and how any case of it is made.

A case is a scenario, a combination and an occurrence; its request is made when somebody
looks at it and forgotten afterwards.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder import jsonschema
from builder.errors import InputError
from builder.plan import spread, upstream
from builder.plan.cases import Cases
from builder.plan.drawer import Drawer
from builder.plan.feed import Feed, Given
from builder.plan.upstream import SourceRows
from builder.project import expressions, prompts, sources
from builder.project.scenarios import Scenario
from builder.project.words import NOBODY
from builder.records import (
    Case,
    Message,
    Request,
    message_bytes,
    request_digest,
    request_head,
)
from builder.table.tables import Kind
from builder.text import counted

CHUNK = 2048
MAX_REDRAWS = 1000
MAX_REDRAWS_OF_ROWS = 100  # The same where a rule may read rows of a source.


class Asked(NamedTuple):
    """How a scenario asks: one of its models with the params in full and the head of the digest."""

    model: str
    params: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    head: hashlib.blake2b
    # The model's name as written, where its canonical name says less: never in a key.
    written: str = ""

    def request(self, messages: tuple[Message, ...]) -> Request:
        return Request(self.model, messages, self.params, self.schema)


@dataclass(slots=True)
class Planned:
    """One case with its request, which is rendered when somebody looks at it: verdicts need none."""

    case: Case
    asked: Asked
    prompt: prompts.Prompt
    _request: Request | None = None

    @property
    def request(self) -> Request:
        if self._request is None:
            self._request = self.asked.request(self.prompt.render(self.case.variables))
        return self._request

    @property
    def digest(self) -> bytes:
        """The content address of its request."""
        return request_digest(self.asked.head, message_bytes(self.request.messages))


@dataclass(slots=True)
class ScenarioPlan:
    """The planned cases of one scenario, and how any case of it is made."""

    scenario: Scenario
    asked: tuple[Asked, ...]
    tries: int  # refused answers after which a case is given up and the next occurrence called up
    limit: int  # the same for a run that was told to try harder where a combination stays short
    kept: int
    cases: Cases
    source: spread.Source
    drawer: Drawer
    given: Mapping[str, Any]
    feed: Feed | None = None  # What its sources give, where it has any.
    wanted: int = 0  # Rows that the files ask for, as far as the sources are known.
    redrawn: int = 0  # draws that `keep` refused while the plan was made
    # Those of them that were refused for a missing value, by its name.
    lacking: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.scenario.name

    @property
    def grid(self) -> int:
        """Combinations before `keep`, those with rows of its first source among them."""
        feed = self.feed
        if feed is not None and (feed.pooled or self.waits_for or not feed.units):
            return self.scenario.grid.size
        return self.source.size

    @property
    def unmade(self) -> int:
        """Rows of a total that no case is planned for, though the pool is settled."""
        if self.feed is None or not self.feed.pooled or self.waits_for:
            return 0
        return self.wanted - len(self.cases)

    @property
    def waits_for(self) -> list[str]:
        """The sources that must be settled before any case is made, and are not."""
        drawn = [r.source.target for r in self.drawer.rows_of.values() if not r.settled]
        return [*(self.feed.waits_for if self.feed else ()), *drawn]

    @property
    def open(self) -> bool:
        """Whether rows that it is made from may still come or go."""
        return bool(self.waits_for) or (self.feed is not None and self.feed.open)

    @property
    def handed(self) -> list[SourceRows]:
        """All the rows that it is made or drawn from."""
        return [*(self.feed.rows if self.feed else ()), *self.drawer.rows_of.values()]

    @property
    def copied(self) -> frozenset[str]:
        """Its columns and fields that hold text of a table, which nobody generated."""
        return frozenset() if self.feed is None else self.feed.names_of("copied")

    @property
    def generated(self) -> frozenset[str]:
        """Its columns and fields that hold what a model wrote."""
        scenario = self.scenario
        asked = {*scenario.schema.columns} - {*scenario.words.fill} - self.copied
        return frozenset(asked) | (
            frozenset() if self.feed is None else self.feed.names_of("generated")
        )

    @property
    def asks(self) -> bool:
        """Whether anybody is asked; else every field is filled or computed."""
        return self.asked[0].model != NOBODY

    def make(self, index: NDArray[np.int64], occurrence: NDArray[np.int32]) -> list[Planned]:
        """The cases with these numbers, which are planned or called up."""
        return [planned for planned in self.tried(index, occurrence) if planned is not None]

    def tried(
        self, index: NDArray[np.int64], occurrence: NDArray[np.int32]
    ) -> list[Planned | None]:
        """The cases with these numbers; None where the rows of its sources make none."""
        planned: list[Planned | None] = []
        for start in range(0, len(index), CHUNK):
            numbers, again = index[start : start + CHUNK], occurrence[start : start + CHUNK]
            if self.feed is None:
                cases = self._cases(numbers, again)
            else:
                units, crossed, again = self.feed.locate(self.source, numbers, again)
                numbers = units * self.scenario.grid.size + crossed
                cases = self._fed(self.feed, units, crossed, again)
            models = self._models(numbers, again)
            planned += [
                None if case is None else Planned(case, model, self.scenario.prompt)
                for case, model in zip(cases, models, strict=True)
            ]
        return planned

    def notes(self) -> list[str]:
        """How tables were read, what `keep` lost to missing values, what was drawn otherwise than
        written; a line each."""
        scenario = self.scenario
        left_out = spread.lacking(self.source, scenario.keep_axes, scenario.given)
        lines = [
            *(f"{counted(n, 'combination')} for a missing {name}" for name, n in left_out.items()),
            *(f"{counted(n, 'draw')} for a missing {name}" for name, n in self.lacking.items()),
        ]
        return [*scenario.remarks(), *(f"keep refused {x}" for x in lines), *self.drawer.notes]

    def drawn_kinds(self) -> dict[str, Kind]:
        """The kind of each drawn column: integer, float, date or category."""
        index, occurrence = self.cases.index[:1], self.cases.occurrence[:1]
        index = index % self.scenario.grid.size
        return self.drawer.kinds(index, occurrence, self.scenario.grid.combinations(index))

    def planned_counts(self) -> dict[int, int]:
        """Combination number to the rows wanted of it."""
        index, counts = np.unique(self.cases.index, return_counts=True)
        return dict(zip(index.tolist(), counts.tolist(), strict=True))

    def _cases(
        self, index: NDArray[np.int64], occurrence: NDArray[np.int32]
    ) -> Sequence[Case | None]:
        scenario = self.scenario
        combinations = scenario.grid.combinations(index)
        drawn = self._drawn(index, occurrence, combinations)
        columns, of_rows = scenario.columns(), bool(self.drawer.rows_of)
        takes = any(axis.take for axis in scenario.axes)
        cases: list[Case | None] = []
        for combination, values, k in zip(combinations, drawn, occurrence.tolist(), strict=True):
            if values is None or (of_rows and self._lacks_rows(values)):
                cases.append(None)
                continue
            variables = {**self.given, **combination, **values}
            if takes:
                variables |= scenario.taken(combination)
            cases.append(
                Case(
                    scenario.name,
                    combination,
                    k,
                    variables,
                    {name: variables[name] for name in columns},
                )
            )
        return cases

    def _fed(
        self,
        feed: Feed,
        units: NDArray[np.int64],
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
    ) -> list[Case | None]:
        """The cases of these units and combinations; None where one is not made."""
        scenario, times = self.scenario, occurrence.tolist()
        columns = [name for name in scenario.columns() if name != sources.COLUMN]
        drawers = self.drawer.rows_of
        crossed = scenario.grid.combinations(index)
        cases: list[Case | None] = [None] * len(units)
        ready: list[tuple[int, Given, dict[str, Any], dict[str, Any]]] = []
        for number, part in enumerate(feed.given(units, crossed)):
            if isinstance(part, str):
                self._leave_out(feed, part)
                continue
            combination = {**crossed[number], **part.entries} if part.entries else crossed[number]
            names = {**self.given, **part.records, **part.taken, **combination}
            names |= scenario.taken(combination)
            if not scenario.keep_sources or self._passes(scenario.keep_sources, names):
                ready.append((number, part, combination, names))
            else:
                self._leave_out(feed, "keep")
        rows = np.array([number for number, *_ in ready], np.int64)
        numbers = units[rows] * scenario.grid.size + index[rows]
        drawn = self._drawn(
            numbers, occurrence[rows], [c for _, _, c, _ in ready], [names for *_, names in ready],
            [upstream.id_word(part.row.id) for _, part, _, _ in ready] if drawers else (),
        )  # fmt: skip
        for (number, part, combination, names), values in zip(ready, drawn, strict=True):
            if values is None or self._lacks_rows(values):
                self._leave_out(feed, "keep" if values is None else "too few rows to draw")
                continue
            names.update(values)
            shown = {name: names[name] for name in columns}
            shown[sources.COLUMN] = part.ids
            cases[number] = Case(
                scenario.name, combination, times[number], names, shown, part.name, part.row.root
            )
        return cases

    def _lacks_rows(self, values: Mapping[str, Any]) -> bool:
        """Whether a line that draws from rows found too few."""
        return any(names[0] not in values for names in self.drawer.rows_of)

    def _leave_out(self, feed: Feed, why: str) -> None:
        if self.counting:
            feed.left_out[why] += 1

    def _passes(
        self, rules: Sequence[expressions.Expression], variables: Mapping[str, Any]
    ) -> bool:
        """Whether every rule holds; one over answers that cannot be decided does not."""
        for rule in rules:
            try:
                if not rule.holds(variables):
                    return False
            except InputError:
                return False
        return True

    @property
    def counting(self) -> bool:
        """Whether the plan is being made: what makes no case is counted then."""
        return not len(self.cases.digests)

    def _drawn(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
        names: Sequence[Mapping[str, Any]] = (),
        own: Sequence[int] = (),
    ) -> Sequence[dict[str, Any] | None]:
        """The drawn values of these cases, redrawn until `keep` lets them pass. `names` are what
        its rules see beside them where that is more than the combination: such a case is None in
        the end, for nobody wrote what it was made from."""
        drawn: list[dict[str, Any] | None] = [
            *self.drawer.draw(index, occurrence, combinations, own=own)
        ]
        if not self.scenario.keep_rows:
            return drawn
        known = names or combinations
        refused: Sequence[int] = range(len(combinations))
        for redraw in range(1, (MAX_REDRAWS_OF_ROWS if names else MAX_REDRAWS) + 1):
            refused = [row for row in refused if self._refused(known[row], drawn[row] or {})]
            if not refused:
                return drawn
            rows = np.array(refused)
            again = self.drawer.draw(
                index[rows], occurrence[rows], [combinations[row] for row in refused], redraw,
                [own[row] for row in refused] if own else (),
            )  # fmt: skip
            for row, values in zip(refused, again, strict=True):
                drawn[row] = values
        if names:
            for row in refused:
                if self._refusal(known[row], drawn[row] or {}):
                    drawn[row] = None
            return drawn
        row = refused[0]
        rule = self._refusal(combinations[row], drawn[row] or {})
        assert rule is not None
        where = ", ".join(f"{name} {value}" for name, value in combinations[row].items())
        raise InputError(
            f"`keep` refused {MAX_REDRAWS} draws in a row for {where or 'the only combination'}; the last by {rule.text!r}",
            place=rule.place,
            hint="loosen the rule, or draw within it: bounds (min, max) and `by`",
        )

    def _refused(self, names: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether `keep` refuses these values; counted while the plan is made, before requests."""
        rule = self._refusal(names, values)
        if rule is not None and self.counting:
            self.redrawn += 1
            self.lacking.update(rule.lacks({**self.given, **names, **values}))
        return rule is not None

    def _refusal(
        self, names: Mapping[str, Any], values: Mapping[str, Any]
    ) -> expressions.Expression | None:
        known = {**self.given, **names, **values}
        holds = self._passes if self.feed else lambda rules, known: rules[0].holds(known)
        return next((rule for rule in self.scenario.keep_rows if not holds([rule], known)), None)

    def _models(self, index: NDArray[np.int64], occurrence: NDArray[np.int32]) -> list[Asked]:
        if len(self.asked) == 1:
            return [self.asked[0]] * len(index)
        scores = [
            self.source.uniforms(index, occurrence, f"model {asked.model}", 1)[:, 0]
            for asked in self.asked
        ]
        return [self.asked[i] for i in np.argmin(np.stack(scores), axis=0).tolist()]


def asked(model: str, params: Mapping[str, Any], scenario: Scenario, *, written: str = "") -> Asked:
    """How `scenario` asks `model` with these params."""
    schema = None
    if scenario.words.answer != "text" and model != NOBODY:
        schema = jsonschema.without(scenario.schema.asked, scenario.words.fill)
    return Asked(model, params, schema, request_head(model, params, schema), written)
