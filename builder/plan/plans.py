"""The plan: which requests the files ask for, in columns of numbers rather than objects.

What stays in memory is a digest, a repeat and two integers a case, so that a million of them fit
where a thousand objects would.

Repeats number identical requests over all scenarios of a dataset that stand on one level, in the
order (scenario, plan order). Beyond the planned cases stand the reserves: level e holds occurrence
n + e of every combination that has n rows planned, numbered behind the levels before it. A level is
made when the first case spends its tries, and then whole, so that its keys too follow from
the files alone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from builder.errors import InputError, nearest
from builder.plan import addresses, pools, source_fields, spread
from builder.plan.cases import Cases, number_repeats
from builder.plan.drawer import Drawer
from builder.plan.feed import Feed
from builder.plan.planned import Asked, ScenarioPlan
from builder.plan.upstream import SourceRows
from builder.project import scenarios, settings, sources, words
from builder.project.scenarios import Scenario
from builder.project.sources import Source

LEAST_KEPT = 0.01  # Share of all draws that `keep` must let pass.


@dataclass(slots=True)
class DatasetPlan:
    """All scenarios of one dataset: the unit in which repeats are numbered."""

    name: str
    scenarios: list[ScenarioPlan]
    # The fields that are measured, where the project names them.
    text: tuple[str, ...] | None = None
    # The share of each split.
    splits: Mapping[str, float] = field(default_factory=lambda: {"train": 1.0})
    # Columns of which rows that agree in all of them share a split.
    together: tuple[str, ...] = ()
    _reserves: list[list[Cases]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(scenario.cases) for scenario in self.scenarios)

    @property
    def exported(self) -> bool:
        """Whether its rows become a folder: those of a level in between may not."""
        return self.scenarios[0].scenario.exported

    @property
    def distinct(self) -> bool:
        """Whether rows of this dataset are compared with one another."""
        return any(s.scenario.words.similarity_below is not None for s in self.scenarios)

    def reserve(self, level: int) -> list[Cases]:
        """Occurrence n + level of every combination, for each scenario. The levels before are made too."""
        while len(self._reserves) <= level:
            self._reserves.append(self._level(len(self._reserves)))
        return self._reserves[level]

    def _level(self, level: int) -> list[Cases]:
        fresh = []
        before = [part.cases for part in self.scenarios]
        for part in self.scenarios:
            index, first, counts = np.unique(
                part.cases.index, return_index=True, return_counts=True
            )
            # The order in which the plan first names each combination.
            order = np.argsort(first, kind="stable")
            able = order[level < np.maximum(3, counts[order])] if part.asks else order[:0]
            occurrence = (counts[able] + level).astype(np.int32)
            fresh.append(pools.addressed(part, index[able], occurrence))
        earlier = [before, *self._reserves]
        return _numbered(self.scenarios, fresh, earlier)


def _numbered(
    parts: Sequence[ScenarioPlan], cases: Sequence[Cases], before: Sequence[Sequence[Cases]]
) -> list[Cases]:
    """Cases with their repeats: those of scenarios on one level are numbered together."""
    numbered = list(cases)
    for depth in {part.scenario.depth for part in parts}:
        here = [number for number, part in enumerate(parts) if part.scenario.depth == depth]
        ahead = [listed[number] for listed in before for number in here]
        fresh = number_repeats([cases[number] for number in here], ahead)
        for number, part in zip(here, fresh, strict=True):
            numbered[number] = part
    return numbered


class Plan(NamedTuple):
    """What the files of a project ask for."""

    project: settings.Project
    datasets: tuple[DatasetPlan, ...]
    # The scenarios that a command named; the others are here for their datasets' sake.
    wanted: frozenset[str]
    # Whether flags changed what the files say, so that the dataset goes to outputs/trial.
    trial: bool = False

    def scenarios(self) -> Iterator[ScenarioPlan]:
        for dataset in self.datasets:
            for scenario in dataset.scenarios:
                if scenario.name in self.wanted:
                    yield scenario


class Overrides(NamedTuple):
    """What flags say in place of the files."""

    rows: words.Rows | None = None
    model: str | None = None
    tries: int | None = None


# Gives the rows of a source, from the plans of the scenarios that stand below and what is held.
Hand = Callable[[Source, Mapping[str, DatasetPlan]], SourceRows]


def make(
    project: settings.Project,
    loaded: Sequence[Scenario],
    ask: Mapping[str, tuple[Asked, ...]],
    hand: Hand,
    wanted: Sequence[str] = (),
    overrides: Overrides | None = None,
) -> Plan:
    """The plan of these scenarios; `ask` says for each which models it asks, and how, and `hand`
    gives the rows that a scenario is made from.

    Time grows with the number of cases, about 10 microseconds each; memory by 36 bytes a case.
    Raises InputError for a prompt that cannot be rendered or rules that keep nothing.
    """
    changed = overrides or Overrides()
    parts: dict[str, list[ScenarioPlan]] = {}
    datasets: dict[str, DatasetPlan] = {}
    for depth in sorted({scenario.depth for scenario in loaded}):
        level = [scenario for scenario in loaded if scenario.depth == depth]
        for scenario in sorted(level, key=lambda s: s.name):
            rows = tuple(hand(source, datasets) for source in scenario.sources)
            drawn = {d.names: hand(d.source, datasets) for d in scenario.draws if d.source}
            part = _scenario(project, scenario, ask[scenario.name], changed, rows, drawn)
            parts.setdefault(scenario.dataset, []).append(part)
        for name in sorted({scenario.dataset for scenario in level}):
            parts[name].sort(key=lambda part: part.name)
            fresh = [part for part in parts[name] if part.scenario.depth == depth]
            numbered = number_repeats([part.cases for part in fresh], [])
            for part, cases in zip(fresh, numbered, strict=True):
                # Where nobody is asked a key is none of the store's.
                part.cases = cases if part.asks else replace(cases, repeats=-1 - cases.repeats)
            datasets[name] = _dataset(project, name, parts[name])
    every = [part for dataset in datasets.values() for part in dataset.scenarios]
    named = [part for part in every if not wanted or part.name in wanted]
    return Plan(
        project,
        tuple(datasets[name] for name in sorted(datasets)),
        wanted=frozenset(part.name for part in standing_on(named, [*datasets.values()])),
        trial=changed.rows is not None or changed.model is not None,
    )


def _dataset(project: settings.Project, name: str, parts: list[ScenarioPlan]) -> DatasetPlan:
    chosen = project.dataset_settings(name)
    fields = {column for part in parts for column in part.scenario.schema.columns}
    variables = {column for part in parts for column in part.scenario.columns()}
    _check_columns(project, name, "text", chosen.text or (), fields)
    _check_columns(project, name, "together", chosen.together, fields | variables)
    text = None if chosen.text is None else tuple(chosen.text)
    return DatasetPlan(
        name,
        list(parts),
        text,
        _splits(project, name, parts, chosen),
        tuple(chosen.together),
    )


def standing_on(
    parts: Sequence[ScenarioPlan], datasets: Sequence[DatasetPlan]
) -> list[ScenarioPlan]:
    """These scenarios and all whose rows they are made from, however far below."""
    known = {part.name: part for dataset in datasets for part in dataset.scenarios}
    closed: dict[str, ScenarioPlan] = {}
    waiting = [*parts]
    while waiting:
        part = waiting.pop()
        if part.name not in closed:
            closed[part.name] = part
            waiting += [known[name] for name in upstream_of(part, datasets)]
    return list(closed.values())


def upstream_of(part: ScenarioPlan, datasets: Collection[DatasetPlan]) -> list[str]:
    """The scenarios whose rows those of this one are made from."""
    named = (
        handing(source, datasets) for source in part.scenario.upstream if source.kind != "table"
    )
    return [other.name for _, parts in named for other in parts]


def handing(
    source: Source, datasets: Iterable[DatasetPlan]
) -> tuple[DatasetPlan, list[ScenarioPlan]]:
    """The dataset of a source that is no table, and the scenarios of it whose rows they are."""
    if source.kind == "dataset":
        dataset = next(dataset for dataset in datasets if dataset.name == source.target)
        return dataset, dataset.scenarios
    pairs = ((dataset, part) for dataset in datasets for part in dataset.scenarios)
    dataset, part = next(pair for pair in pairs if pair[1].name == source.target)
    return dataset, [part]


def _splits(
    project: settings.Project,
    name: str,
    parts: Sequence[ScenarioPlan],
    own: settings.DatasetSettings,
) -> Mapping[str, float]:
    """The splits of a dataset: its own, or those of what its rows are made from."""
    of_itself = {("dataset", name), *(("scenario", part.name) for part in parts)}
    handed = [
        part.feed.first.splits
        for part in parts
        if part.feed is not None and part.feed.first.source[1:3] not in of_itself
    ]
    inherited = next((splits for splits in handed if splits is not None), None)
    if inherited is None:
        return own.splits
    for setting, value in (("splits", len(own.splits) > 1), ("together", own.together)):
        if value:
            raise InputError(
                f"{name!r} is made from rows of another dataset, whose splits it has: a row stands "
                "where its root stands",
                place=project.place(("datasets", name, setting)),
                hint=f"set {setting!r} there, and none here",
            )
    return inherited


def _check_columns(
    project: settings.Project,
    dataset: str,
    setting: str,
    names: Sequence[str],
    known: Collection[str],
) -> None:
    """Raises InputError where a setting names what is no column of the dataset."""
    what = "field" if setting == "text" else "column"
    for name in names:
        if name not in known:
            raise InputError(
                f"no {what} {name!r} in the dataset {dataset!r}.{nearest(name, known)}",
                place=project.place(("datasets", dataset, setting)),
                hint=f"{what}s: {', '.join(sorted(known))}",
            )


def _scenario(
    project: settings.Project,
    scenario: Scenario,
    ask: tuple[Asked, ...],
    changed: Overrides,
    rows: tuple[SourceRows, ...],
    drawn: Mapping[tuple[str, ...], SourceRows],
) -> ScenarioPlan:
    if changed.rows is not None and not (rows and scenario.words.rows.each):
        words_ = scenario.words.model_copy(update={"rows": changed.rows})
        scenario = scenario._replace(words=words_)
    feed = _feed(project, scenario, ask, rows) if rows else None
    _check_drawn(scenario, drawn)
    source = spread.source(scenario.grid, scenario.words.seed)
    if feed is not None:
        source = source._replace(unit_words=feed.words)
    nothing = np.empty(0, np.int32)
    part = ScenarioPlan(
        scenario=scenario,
        asked=ask,
        tries=scenario.words.tries if ask[0].model != words.NOBODY else 1,
        limit=max(changed.tries or 0, scenario.words.tries) if ask[0].model != words.NOBODY else 1,
        kept=0,
        cases=Cases(np.empty(0, np.int64), nothing, np.empty(0, "V16"), nothing, nothing),
        source=source,
        drawer=Drawer(scenario.draws, source, project.outputs / "fits", rows_of=drawn),
        given={**scenario.given, "schema": scenarios.schema_text(scenario.schema)},
        feed=feed,
    )
    if feed is None:
        shared = _shared(scenario, source, scenario.words.rows)
        part.kept, part.wanted = shared.kept, len(shared.index)
        if part.waits_for:
            return part
        part.cases = addresses.addressed(part, shared.index, shared.occurrence)
        _check_kept(part)
    else:
        _fed(part, feed, source, changed.rows)
        feed.counting = False
    return part


def _check_kept(part: ScenarioPlan) -> None:
    drawn = len(part.cases) + part.redrawn
    if len(part.cases) < LEAST_KEPT * drawn:
        raise InputError(
            f"`keep` lets {len(part.cases) / drawn:.2%} of the draws pass, expected at least "
            f"{LEAST_KEPT:.0%}",
            place=part.scenario.document.place(("keep",), key=True),
            hint="loosen a rule, or draw within it: bounds (min, max) and `by`",
        )


def _feed(
    project: settings.Project,
    scenario: Scenario,
    ask: Sequence[Asked],
    rows: tuple[SourceRows, ...],
) -> Feed:
    """What the sources of a scenario give. InputError where a table needs ids, or a field is none."""
    own = project.dataset_settings(scenario.dataset).splits
    dealt = (splits for splits in (*(r.splits for r in rows), own) if splits and len(splits) > 1)
    splits = next(dealt, None)
    why = ["draws"] * bool(scenario.draws)
    why += ["a total"] * (scenario.words.rows.total is not None)
    why += ["splits"] * (splits is not None) + ["several models"] * (len(ask) > 1)
    for source in scenario.sources:
        if why and source.kind == "table" and not source.id:
            raise sources.needs_id(source, why)
    source_fields.check(scenario, rows)
    return Feed(scenario, rows, splits)


def _check_drawn(scenario: Scenario, drawn: Mapping[tuple[str, ...], SourceRows]) -> None:
    """Passes where rows that are drawn from have every field that the lines name."""
    for draw in scenario.draws:
        if draw.source is None:
            continue
        known = drawn[draw.names].kinds
        columns = draw.options.get("columns", draw.columns)
        for field_ in (*columns, *(draw.by or ())[1:]) if known else ():
            if field_ not in known and field_ not in sources.OWN:
                raise sources.no_field(draw.source, field_, known, draw.place)


def _fed(part: ScenarioPlan, feed: Feed, source: spread.Source, most: words.Rows | None) -> None:
    """Plans the cases that the rows of sources make."""
    scenario = part.scenario
    rows = scenario.words.rows
    if rows.total is not None:
        part.wanted = rows.total
    if part.waits_for or not feed.units:
        part.kept = scenario.grid.size
        return
    if not feed.pooled:
        shared = _shared(scenario, source, rows)
        index, occurrence = shared.index, shared.occurrence
        if most is not None and most.total is not None:
            index, occurrence = index[: most.total], occurrence[: most.total]
        part.cases = addresses.addressed(part, index, occurrence)
        part.wanted = len(part.cases)
    else:
        shared = _shared(scenario, source._replace(unit_words=None), rows)
        part.cases = pools.addressed(part, shared.index, shared.occurrence)
    part.kept = shared.kept
    feed.check_matches(len(part.cases))


def _shared(scenario: Scenario, source: spread.Source, rows: words.Rows) -> spread.Shared:
    mask = spread.mask(scenario.grid, scenario.keep_axes, scenario.given)
    combinations = spread.kept(source, mask)
    place = scenario.document.place(("rows",))
    if not combinations:
        raise InputError("`keep` leaves no combination", place=scenario.document.place(("keep",)))
    each = rows.each or rows.least
    if rows.total is not None and each * combinations > rows.total:
        raise InputError(
            f"least {each} of each of {combinations} combinations is {each * combinations}, "
            f"more than the total of {rows.total}",
            place=place,
        )
    if (wanted := rows.total or each * combinations) > spread.MAX_ROWS:
        raise InputError(
            f"{wanted:,} rows; a scenario has at most {spread.MAX_ROWS:,}",
            place=place,
            hint="share them among several scenarios of one dataset",
        )
    return spread.share(source, rows, mask)
