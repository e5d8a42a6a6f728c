"""How the rows of its sources make the cases of a scenario: crossed, opened, looked up, pooled.

A unit is what the first source gives to be crossed with the axes: one of its rows, or an entry of
a list in it. For `n each` a case is a unit and a combination, numbered together. For a total each
combination has the units in an order of its own, by hash, and occurrence k takes the k-th of them:
rows are used again only when all were used once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError
from builder.plan import roots, upstream
from builder.plan.spread import Source as Numbers
from builder.plan.spread import mix, word
from builder.plan.upstream import Handed, LookUp, SourceRows
from builder.project import carriers
from builder.project.scenarios import Scenario
from builder.project.sources import Source
from builder.records import canonical, digest_of

NAMED = 3  # Rows that are named of those which a template cannot render.


class Given(NamedTuple):
    """What the sources give to one case."""

    row: Handed
    records: Mapping[str, Any]
    """Source to its row, or list of rows."""
    taken: Mapping[str, Any]
    """What `take` names."""
    entries: Mapping[str, Any]
    """The values of axes that stand in a list of the row."""
    ids: Mapping[str, Any]
    """Source to the id of its row, or list of ids."""
    name: str
    """The id of the row, and among equal entries of its lists which they are."""


@dataclass(slots=True)
class Feed:
    """The rows of a scenario's sources, as cases are made of them."""

    scenario: Scenario
    rows: tuple[SourceRows, ...]
    splits: Mapping[str, float] | None = None
    """The splits that the sources' rows stand in, where there is more than one."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Why rows made no case, and how many; counted while the plan is made."""
    further: Counter[str] = field(default_factory=Counter)
    """Source to its rows that agree, too, beyond those that are taken; counted as `left_out` is."""
    counting: bool = True
    named: list[str] = field(default_factory=list)
    """The first rows that a template could not render, each with what was wrong."""
    _units: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _entries: list[tuple[Any, ...]] = field(default_factory=list)
    _among: dict[int, str] = field(default_factory=dict)  # Unit to its numbers among equals.
    _words: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    _look_ups: list[LookUp] = field(default_factory=list)
    _pools: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    _matched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._open()
        self._look_ups = [
            upstream.looked_up(rows, [*rows.source.on.values()]) for rows in self.rows[1:]
        ]

    @property
    def pooled(self) -> bool:
        """Whether its combinations take rows of a pool, for a total."""
        return self.scenario.words.rows.total is not None

    @property
    def first(self) -> SourceRows:
        """The rows that make the cases."""
        return self.rows[0]

    @property
    def units(self) -> int:
        """What is crossed with the axes: rows, or entries of their lists."""
        return len(self._words)

    @property
    def waits_for(self) -> list[str]:
        """The sources that must be settled before any case is made, and are not."""
        return [
            rows.source.target
            for number, rows in enumerate(self.rows)
            if not rows.settled and (rows.source.n is not None if number else self.pooled)
        ]

    @property
    def open(self) -> bool:
        """Whether rows may still come that cases are made of, or go."""
        return any(not rows.settled for rows in self.rows)

    @property
    def words(self) -> NDArray[np.uint64]:
        """(units,) 64 bits of each unit's id."""
        return self._words

    def _open(self) -> None:
        """Lists the units: every row, or the entries of its lists."""
        opened = [axis for axis in self.scenario.axes if axis.source]
        if not opened:
            self._units, self._words = np.arange(len(self.first)), self.first.words
            return
        units: list[int] = []
        words: list[int] = []
        for number, row in enumerate(self.first.each()):
            tuples: list[tuple[tuple[Any, ...], int, tuple[int, ...]]]
            tuples = [((), upstream.id_word(row.id), ())]
            for axis in opened:
                values = self._list(row, axis.parent)
                tuples = [
                    (
                        (*entry, value),
                        hashed ^ int(word("entry", axis.name, str(value), among)),
                        (*ranks, among),
                    )
                    for entry, hashed, ranks in tuples
                    for value, among in values
                ]
            for entry, hashed, ranks in tuples:
                if any(ranks):
                    self._among[len(units)] = "-".join(["", *map(str, ranks)])
                units.append(number)
                self._entries.append(entry)
                words.append(hashed)
        self._units = np.array(units, np.int64)
        self._words = np.array(words, np.uint64)

    def _list(self, row: Handed, name: str) -> list[tuple[Any, int]]:
        """The entries of a list in a row as values of an axis, each with its number among equals."""
        entries = row.fields.get(name)
        if not isinstance(entries, list):
            self.left_out[f"{name} is no list"] += 1
            return []
        values: list[tuple[Any, int]] = []
        among: Counter[str] = Counter()
        for entry in entries:
            if entry in (None, "", [], {}) or (isinstance(entry, str) and not entry.strip()):
                self.left_out[f"an entry of {name} is empty"] += 1
                continue
            value = entry
            if isinstance(entry, dict):
                value = carriers.carrier(digest_of(entry).hex()[:16], entry)
            elif isinstance(entry, list):
                value = canonical(entry).decode()
            values.append((value, among[str(value)]))
            among[str(value)] += 1
        return values

    def pool(self, numbers: Numbers, combination: int) -> NDArray[np.int64]:
        """The units in the order in which a combination takes them, less those that make no case."""
        if combination not in self._pools:
            axes = numbers._replace(unit_words=None)  # the combination alone, of no unit
            c = axes.combination_words(np.array([combination], np.int64))
            order = np.argsort(mix(mix(self._words ^ word("pool")) + c), kind="stable")
            self._pools[combination] = order
        return self._pools[combination]

    def refuse(
        self, numbers: Numbers, index: NDArray[np.int64], occurrence: NDArray[np.int32]
    ) -> bool:
        """Takes the units of these cases, which are not made, out of their combinations' pools;
        those that were used before stay. Whether any was taken out."""
        units, _, again = self.locate(numbers, index, occurrence)
        fresh = again == 0
        for combination in np.unique(index[fresh]).tolist():
            pool = self.pool(numbers, combination)
            refused = units[fresh & (index == combination)]
            self._pools[combination] = pool[~np.isin(pool, refused)]
        return bool(fresh.any())

    def locate(
        self, numbers: Numbers, index: NDArray[np.int64], occurrence: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """(n,) units, combinations of the axes, and occurrences of these cases."""
        size = self.scenario.grid.size
        if not self.pooled:
            return index // size, index % size, occurrence
        units = np.empty(len(index), np.int64)
        again = np.empty(len(index), np.int32)
        for combination in np.unique(index).tolist():
            here = np.flatnonzero(index == combination)
            pool = self.pool(numbers, combination)
            again[here], places = np.divmod(occurrence[here], np.int32(max(1, len(pool))))
            units[here] = pool[places]
        return units, index, again

    def given(
        self, units: NDArray[np.int64], combinations: Sequence[Mapping[str, Any]]
    ) -> list[Given | str]:
        """What the sources give to cases of these units, or why they make none."""
        rows = self.first.rows(self._units[units])
        opened = [axis.name for axis in self.scenario.axes if axis.source]
        name, take = self.first.source.name, self.first.source.take
        if not opened and not self._look_ups:  # as most are
            records = [row.record() for row in rows]
            return [
                Given(
                    row,
                    {name: record},
                    {m: record.get(t) for t, m in take.items()},
                    {},
                    {name: row.id},
                    row.id,
                )
                for row, record in zip(rows, records, strict=True)
            ]
        given: list[Given | str] = []
        for unit, row in zip(units.tolist(), rows, strict=True):
            record = row.record()
            entries = dict(zip(opened, self._entries[unit], strict=True)) if opened else {}
            taken = {mine: record.get(theirs) for theirs, mine in take.items()}
            known = row.id + self._among.get(unit, "")
            given.append(Given(row, {name: record}, taken, entries, {name: row.id}, known))
        for others, look_up in zip(self.rows[1:], self._look_ups, strict=True):
            given = self._beside(others, look_up, given, combinations)
        return given

    def _beside(
        self,
        rows: SourceRows,
        look_up: LookUp,
        given: Sequence[Given | str],
        combinations: Sequence[Mapping[str, Any]],
    ) -> list[Given | str]:
        """The same with the rows of a source that is looked up, or why there is no case."""
        source, wanted = rows.source, rows.source.n or 1
        compared: list[list[object]] = []
        for part, combination in zip(given, combinations, strict=True):
            values: list[object] = [None]
            if isinstance(part, Given):
                names = (
                    combination,
                    part.entries,
                    part.taken,
                    self.scenario.given,
                    part.row.record(),
                )
                values = [next((n[mine] for n in names if mine in n), None) for mine in source.on]
            compared.append(values)
        firsts, lasts = look_up.spans(compared)
        # One more, for the row itself may be among them.
        numbers = [
            look_up.order[first : min(last, first + wanted + 1)]
            for first, last in zip(firsts, lasts, strict=True)
        ]
        found = iter(rows.rows(np.concatenate(numbers)) if numbers else ())
        beside: list[Given | str] = []
        for part, chosen, first, last in zip(given, numbers, firsts, lasts, strict=True):
            hits = [next(found) for _ in chosen]
            joined = (
                self._joined(source, part, hits, last - first) if isinstance(part, Given) else part
            )
            beside.append(joined)
        return beside

    def _joined(
        self, source: Source, here: Given, hits: Sequence[Handed], agreeing: int
    ) -> Given | str:
        """What the sources give with these rows of one that is looked up, or why there is no case."""
        # The row itself, whatever it is reached by: those of tables bear their files beside ids.
        itself = (here.row.id, here.row.case)
        others = [row for row in hits if (row.id, row.case) != itself]
        own, wanted = len(hits) - len(others), source.n or 1
        rows = others[:wanted]
        if rows:
            self._matched.add(source.name)
        least = 1 if source.n is None else wanted if source.least is None else source.least
        if len(rows) < least:
            return f"{source.name} has {'no' if not rows else f'only {len(rows)}'} match"
        if (
            self.splits
            and len({roots.side(self.splits, row.root) for row in (here.row, *rows)}) > 1
        ):
            return f"{source.name} stands in another split"
        if self.counting and (further := agreeing - own - len(rows)) > 0:
            self.further[source.name] += further
        looked = [row.record() for row in rows]
        single = source.n is None
        taken = dict(here.taken)
        for theirs, mine in source.take.items():
            listed = [record.get(theirs) for record in looked]
            taken[mine] = listed[0] if single else listed
        return here._replace(
            records={**here.records, source.name: looked[0] if single else looked},
            ids={**here.ids, source.name: rows[0].id if single else [row.id for row in rows]},
            taken=taken,
        )

    def names_of(self, what: Literal["copied", "generated"]) -> frozenset[str]:
        """The names of the scenario that hold fields of rows which are copied, or generated."""
        names: set[str] = set()
        for rows in self.rows:
            fields = rows.copied if what == "copied" else rows.generated
            source = rows.source
            names |= {mine for theirs, mine in source.take.items() if theirs in fields}
            names |= {
                a.name for a in self.scenario.axes if a.source == source.name and a.parent in fields
            }
            names |= {source.name} & {*self.scenario.words.fill} if fields else set()
        return frozenset(names)

    def check_matches(self, cases: int) -> None:
        """Passes where every look-up matched something, or rows are still to come."""
        mine_generated = self.names_of("generated") | self.first.generated
        for rows in self.rows[1:]:
            settled = all(r.settled and len(r) for r in (self.first, rows))
            on = rows.source.on
            # What a model wrote is never an input error.
            if mine_generated & on.keys() or rows.generated & {*on.values()}:
                continue
            if settled and not cases and rows.source.name not in self._matched:
                pairs = ", ".join(f"{mine}: {theirs}" for mine, theirs in on.items())
                raise InputError(
                    f"no row of {rows.source.target!r} agrees with any of {self.first.source.target!r} "
                    f"on {{{pairs}}}",
                    place=rows.source.at("on"),
                    hint="what prints alike agrees",
                )

    def leave_out(self, why: str, name: str, message: str) -> None:
        """Counts a case that is not made, and names it where it is one of the first."""
        self.left_out[why] += 1
        if len(self.named) < NAMED:
            self.named.append(f"{self.first.source.name} {name}: {message}")
