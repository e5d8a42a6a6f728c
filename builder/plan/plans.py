"""The plan: which requests the files ask for, in columns of numbers rather than objects.

A case is a scenario, a combination and an occurrence; its request is made when somebody
looks at it and forgotten afterwards. What stays in memory is a digest, a repeat and two
integers a case, so that a million of them fit where a thousand objects would.

Repeats number identical requests over all scenarios of a dataset, in the order (scenario,
plan order). Beyond the planned cases stand the reserves: level e holds occurrence n + e of
every combination that has n rows planned, numbered behind the levels before it. A level is
made when the first case spends its tries, and then whole, so that its keys too follow from
the files alone.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder import limits
from builder.errors import InputError, nearest
from builder.plan import spread
from builder.plan.cases import Cases, number_repeats
from builder.plan.drawer import Drawer
from builder.project import expressions, prompts, scenarios, settings, words
from builder.project.scenarios import Scenario
from builder.records import Case, Message, Request, message_bytes, request_digest, request_head
from builder.table.tables import Kind
from builder.text import counted

CHUNK = 2048
MAX_REDRAWS = 1000
LEAST_KEPT = 0.01  # Share of all draws that `keep` must let pass.


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
    redrawn: int = 0  # draws that `keep` refused while the plan was made
    # Those of them that were refused for a missing value, by its name.
    lacking: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.scenario.name

    def make(self, index: NDArray[np.int64], occurrence: NDArray[np.int32]) -> list[Planned]:
        """The cases with these numbers."""
        planned: list[Planned] = []
        for start in range(0, len(index), CHUNK):
            chunk = slice(start, start + CHUNK)
            cases = self._cases(index[chunk], occurrence[chunk])
            models = self._models(index[chunk], occurrence[chunk])
            planned += map(Planned, cases, models, [self.scenario.prompt] * len(cases))
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
        return self.drawer.kinds(index, occurrence, self.scenario.grid.combinations(index))

    def planned_counts(self) -> dict[int, int]:
        """Combination number to the rows wanted of it."""
        index, counts = np.unique(self.cases.index, return_counts=True)
        return dict(zip(index.tolist(), counts.tolist(), strict=True))

    def _cases(self, index: NDArray[np.int64], occurrence: NDArray[np.int32]) -> list[Case]:
        scenario = self.scenario
        combinations = scenario.grid.combinations(index)
        drawn = self._drawn(index, occurrence, combinations)
        columns = scenario.columns()
        cases = []
        for combination, values, k in zip(combinations, drawn, occurrence.tolist(), strict=True):
            variables = {**self.given, **combination, **values}
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

    def _drawn(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
    ) -> list[dict[str, Any]]:
        drawn = self.drawer.draw(index, occurrence, combinations)
        if not self.scenario.keep_rows:
            return drawn
        refused: Sequence[int] = range(len(combinations))
        for redraw in range(1, MAX_REDRAWS + 1):
            refused = [row for row in refused if self._refused(combinations[row], drawn[row])]
            if not refused:
                return drawn
            rows = np.array(refused)
            again = self.drawer.draw(
                index[rows], occurrence[rows], [combinations[row] for row in refused], redraw
            )
            for row, values in zip(refused, again, strict=True):
                drawn[row] = values
        row = refused[0]
        rule = self._refusal(combinations[row], drawn[row])
        assert rule is not None
        where = ", ".join(f"{name} {value}" for name, value in combinations[row].items())
        raise InputError(
            f"`keep` refused {MAX_REDRAWS} draws in a row for {where or 'the only combination'}; the last by {rule.text!r}",
            place=rule.place,
            hint="loosen the rule, or draw within it: bounds (min, max) and `by`",
        )

    def _refused(self, combination: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether `keep` refuses these values; counted while the plan is made, before requests."""
        rule = self._refusal(combination, values)
        if rule is not None and not len(self.cases.digests):
            self.redrawn += 1
            self.lacking.update(rule.lacks({**self.given, **combination, **values}))
        return rule is not None

    def _refusal(
        self, combination: Mapping[str, Any], values: Mapping[str, Any]
    ) -> expressions.Expression | None:
        names = {**self.given, **combination, **values}
        return next((rule for rule in self.scenario.keep_rows if not rule.holds(names)), None)

    def _models(self, index: NDArray[np.int64], occurrence: NDArray[np.int32]) -> list[Asked]:
        if len(self.asked) == 1:
            return [self.asked[0]] * len(index)
        scores = [
            self.source.uniforms(index, occurrence, f"model {asked.model}", 1)[:, 0]
            for asked in self.asked
        ]
        return [self.asked[i] for i in np.argmin(np.stack(scores), axis=0).tolist()]


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
            able = order[level < np.maximum(3, counts[order])]
            fresh.append(_addressed(part, index[able], (counts[able] + level).astype(np.int32)))
        before += [part for earlier in self._reserves for part in earlier]
        return number_repeats(fresh, before)


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


def make(
    project: settings.Project,
    loaded: Sequence[Scenario],
    ask: Mapping[str, tuple[Asked, ...]],
    wanted: Sequence[str] = (),
    overrides: Overrides | None = None,
) -> Plan:
    """The plan of these scenarios; `ask` says for each which models it asks, and how.

    Time grows with the number of cases, about 10 microseconds each; memory by 36 bytes a case.
    Raises InputError for a prompt that cannot be rendered or rules that keep nothing.
    """
    changed = overrides or Overrides()
    by_dataset: dict[str, list[ScenarioPlan]] = {}
    for scenario in sorted(loaded, key=lambda s: s.name):
        planned = _scenario(project, scenario, ask[scenario.name], changed)
        by_dataset.setdefault(scenario.dataset, []).append(planned)
    datasets = []
    for name, parts in sorted(by_dataset.items()):
        addressed = number_repeats([part.cases for part in parts], [])
        for part, cases in zip(parts, addressed, strict=True):
            part.cases = cases
        datasets.append(_dataset(project, name, parts))
    return Plan(
        project,
        tuple(datasets),
        wanted=frozenset(wanted or [scenario.name for scenario in loaded]),
        trial=changed.rows is not None or changed.model is not None,
    )


def _dataset(project: settings.Project, name: str, parts: list[ScenarioPlan]) -> DatasetPlan:
    chosen = project.dataset_settings(name)
    fields = {column for part in parts for column in part.scenario.schema.columns}
    variables = {column for part in parts for column in part.scenario.columns()}
    _check_columns(project, name, "text", chosen.text or (), fields)
    _check_columns(project, name, "together", chosen.together, fields | variables)
    text = None if chosen.text is None else tuple(chosen.text)
    return DatasetPlan(name, parts, text, chosen.splits, tuple(chosen.together))


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


def asked(model: str, params: Mapping[str, Any], scenario: Scenario, *, written: str = "") -> Asked:
    """How `scenario` asks `model` with these params."""
    schema = None if scenario.words.answer == "text" else scenario.schema.asked
    return Asked(model, params, schema, request_head(model, params, schema), written)


def _scenario(
    project: settings.Project, scenario: Scenario, ask: tuple[Asked, ...], changed: Overrides
) -> ScenarioPlan:
    source = spread.source(scenario.grid, scenario.words.seed)
    shared = _shared(scenario, source, changed.rows or scenario.words.rows)
    nothing = np.empty(0, np.int32)
    planned = ScenarioPlan(
        scenario=scenario,
        asked=ask,
        tries=scenario.words.tries,
        limit=max(changed.tries or 0, scenario.words.tries),
        kept=shared.kept,
        cases=Cases(shared.index, nothing, np.empty(0, "V16"), nothing, nothing),
        source=source,
        drawer=Drawer(scenario.draws, source, project.outputs / "fits"),
        given={**scenario.given, "schema": scenarios.schema_text(scenario.schema)},
    )
    planned.cases = _addressed(planned, shared.index, shared.occurrence)
    drawn = len(planned.cases) + planned.redrawn
    if len(planned.cases) < LEAST_KEPT * drawn:
        raise InputError(
            f"`keep` lets {len(planned.cases) / drawn:.2%} of the draws pass, expected at least "
            f"{LEAST_KEPT:.0%}",
            place=scenario.document.place(("keep",), key=True),
            hint="loosen a rule, or draw within it: bounds (min, max) and `by`",
        )
    return planned


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


def _addressed(
    scenario: ScenarioPlan, index: NDArray[np.int64], occurrence: NDArray[np.int32]
) -> Cases:
    """These cases with the digests and sizes of their requests, repeats not yet numbered."""
    digests, sizes = bytearray(), np.empty(len(index), np.int32)
    render = scenario.scenario.prompt.render
    with limits.alarm() as alarm:
        for start in range(0, len(index), CHUNK):
            chunk = slice(start, start + CHUNK)
            lengths = []
            for planned in scenario.make(index[chunk], occurrence[chunk]):
                alarm(prompts.LIMIT)  # begins anew for each rendering
                content = message_bytes(render(planned.case.variables))
                digests += request_digest(planned.asked.head, content)
                lengths.append(len(content))
            alarm(0)
            sizes[chunk] = lengths
    return Cases(index, occurrence, np.frombuffer(digests, "V16"), np.zeros_like(sizes), sizes)
