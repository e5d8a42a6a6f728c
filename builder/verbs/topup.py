"""topup: more rows where a reference is thinly covered, round by round.

Each round measures the dataset, writes the scenario NAME_topup for what is thin, and runs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import io, store
from builder.dataset import exports
from builder.engines.protocol import Engine
from builder.errors import InputError, Place
from builder.fill import pool
from builder.plan import plans
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project import documents, scenarios, settings
from builder.project.words import Words
from builder.quality import contexts, topups
from builder.stats import features, minilm
from builder.store import Store
from builder.table import frame, reader
from builder.text import counted
from builder.verbs import check, run, scope
from builder.verbs.fills import Filled, Site, fill
from builder.verbs.monitor import Monitor
from builder.verbs.plan import estimate


@dataclass(frozen=True, slots=True)
class Round:
    """Where a dataset stood against its reference, and what was asked for then."""

    number: int
    proposal: topups.Proposal
    gained: float | None  # coverage over that of the round before; None for the first
    file: Path  # the scenario of the new rows
    rows: int = 0  # rows that it is given; 0 where no further round follows
    end: str = ""  # why no further round follows
    notes: tuple[str, ...] = ()  # how columns of the reference were read that were not plain


@dataclass(frozen=True, slots=True, repr=False)
class TopUpResult(run.FilledResult):
    """What a top-up reached; one record a round."""

    dataset: str
    file: Path
    """The scenario file of the new rows: for a person to read and commit."""
    rounds: Sequence[Round]
    filled: Filled | None
    """How the last round ended; None where there was none."""

    @property
    def coverage(self) -> float | None:
        """The share of the reference that the rows cover; None where it was not measured."""
        return self.rounds[-1].proposal.coverage if self.rounds else None

    def summary(self) -> str:
        asked = counted(sum(turn.rows > 0 for turn in self.rounds), "round")
        if not self.rounds:
            return f"{self.dataset}: {asked}"
        last = self.rounds[-1].proposal
        return (
            f"{self.dataset}: {asked}, coverage {last.coverage:.2f} of at most {last.ceiling:.2f}"
        )

    def records(self) -> Iterator[Mapping[str, object]]:
        for turn in self.rounds:
            yield {
                "round": turn.number,
                "coverage": turn.proposal.coverage,
                "ceiling": turn.proposal.ceiling,
                "thin clusters": len(turn.proposal.thin),
                "rows": turn.rows,
            }


@dataclass(slots=True)
class _Site:
    """What the rounds share."""

    name: str
    folder: str | Path
    reference: frame.Frame
    embed: features.Embed | None
    monitor: Monitor
    engine: Engine | None
    cap: settings.Budget | None  # what is left of the budget of all rounds
    file: Path
    prompt: Path
    base: Mapping[str, Any]

    def plan(self, name: str) -> Plan:
        return scope.plan_of(self.folder, [name])


def topup(
    folder: str | Path,
    name: str,
    *,
    monitor: Monitor,
    rounds: int = 3,
    reference: str | Path | None = None,
    model: str | None = None,
    rows: int | None = None,
    budget: str | None = None,
    semantic: bool = False,
    engine: Engine | None = None,
    report: Callable[[Round], None] = lambda measured: None,
) -> TopUpResult:
    """Writes and runs a scenario for what a reference has and the dataset of `name` lacks.

    `report` sees every round before its calls. What ended a fill before its end is the result's
    `filled.failure`, for the caller to raise. Raises InputError where the scenario cannot be
    topped up, or somebody changed the file of rounds before.
    """
    embed = minilm.load() if semantic else None
    plan = scope.plan_of(folder, [name])
    scenario = _scenario(plan, name)
    compared = _reference(scenario, reference)
    file = plan.project.scenarios / f"{name}_topup.yaml"
    weights = _weights(file)
    site = _Site(
        name, folder, compared, embed, monitor, engine, cap=run.budget_of(plan, budget), file=file,
        prompt=plan.project.prompts / f"{name}_topup.j2", base=_base(scenario, model),
    )  # fmt: skip
    if engine is None:
        asking = scope.plan_of(folder, [name], model=model)
        pool.check(asking, concurrency=plan.project.settings.concurrency, cap=site.cap)
    history: list[Round] = []
    with store.locked(plan.project.outputs), store.writing(plan.project.store) as answers:
        filled = _fill(site, answers) if weights else None
        while filled is None or not filled.progress.stopped:
            measured = _measure(site, answers, history, rounds, rows)
            if not measured.end:
                weights = _write(site, measured, weights)
            history.append(measured)
            report(measured)
            if measured.end:
                break
            filled = _fill(site, answers)
        plan = site.plan(name)
        if filled is not None and filled.fruitless:
            written: list[exports.Export] = []
            tallies = estimate(plan, answers, whole=False).tallies()
        else:
            asked = filled is not None and filled.progress.calls > 0
            written = [
                exports.write_rows(plan, d, exports.read(d, answers))
                if asked
                else exports.write(plan, d, answers)
                for d in [_dataset(plan, name)]
            ]
            tallies = {n: tally for export in written for n, tally in export.tallies.items()}
    names = frozenset({name, file.stem})
    return TopUpResult(names, tallies, written, _dataset(plan, name).name, file, history, filled)


def _scenario(plan: Plan, name: str) -> scenarios.Scenario:
    scenario = next(planned for planned in plan.scenarios() if planned.name == name).scenario
    if scenario.upstream:
        roots = plans.standing_on([_part(plan, name)], plan.datasets)
        names = sorted(part.name for part in roots if not part.scenario.upstream)
        raise InputError(
            f"{name} is made from other rows, so its rows follow from them",
            place=scenario.place,
            hint=f"builder topup {names[0]}" if names else "add rows to its table",
        )
    return scenario


def _part(plan: Plan, name: str) -> ScenarioPlan:
    return next(part for part in plan.scenarios() if part.name == name)


def _dataset(plan: Plan, name: str) -> DatasetPlan:
    return next(d for d in plan.datasets if any(part.name == name for part in d.scenarios))


def _reference(scenario: scenarios.Scenario, path: str | Path | None) -> frame.Frame:
    name = scenario.name
    if not settings.NAME.match(f"{name}_topup"):
        raise InputError(
            f"{f'{name}_topup'!r} is too long for the name of a scenario", place=scenario.place
        )
    taken = {*scenario.columns(), *scenario.given, *scenario.schema.columns}
    taken |= {drawn for draw in scenario.draws for drawn in draw.names}
    if topups.FOCUS in taken:
        raise InputError(
            f"{name} has a {topups.FOCUS!r} of its own, the axis that a top-up adds",
            place=scenario.place,
            hint="rename it, or top up the scenario that it came from",
        )
    if path is not None:
        return frame.read(Path(path))
    if scenario.reference is None:
        raise InputError(
            f"{name} has no reference texts",
            place=scenario.place,
            hint="--reference PATH names them, or `expect: {drift: {table: …}}`",
        )
    return contexts.beside(scenario.reference)


def _weights(file: Path) -> dict[str, int]:
    """The rows of each focus in the file of rounds before; InputError for one that people changed."""
    other = file.with_suffix(".yml")
    if other.exists() or (file.exists() and not topups.untouched(reader.read_text(file))):
        raise InputError(
            "this file was written or changed by somebody; it is left as it is",
            place=Place(other if other.exists() else file, 1, 1),
            hint="rename it to keep its rows, then top up again",
        )
    if not file.exists():
        return {}
    weights = Words.read(documents.read(file)).vary[topups.FOCUS]
    assert isinstance(weights, dict)  # the file is as it was written here
    return {str(focus): rows for focus, rows in weights.items() if isinstance(rows, int)}


def _base(scenario: scenarios.Scenario, model: str | None) -> dict[str, Any]:
    data = scenario.document.data
    assert isinstance(data, dict)  # or it was no scenario
    taken = ("rows", "expect", "prompt")
    words = {str(word): value for word, value in data.items() if word not in taken}
    return {"prompt": scenario.prompt.file.stem, **words, **({"model": model} if model else {})}


def _measure(
    site: _Site, answers: Store, history: Sequence[Round], rounds: int, rows: int | None
) -> Round:
    evidence = check.gather(
        _dataset(site.plan(site.name), site.name), answers, site.reference, site.embed
    )
    rng = evidence.rng(f"topup {len(history)}")
    try:
        proposal = topups.propose(
            evidence.texts, evidence.reference_texts, rng, semantic=site.embed
        )
    except ValueError as error:
        raise InputError(
            str(error), hint=f"at least 11 rows and 22 reference texts; `builder run {site.name}`"
        ) from None
    coverages = [*(turn.proposal.coverage for turn in history), proposal.coverage]
    gained = coverages[-1] - coverages[-2] if history else None
    end = topups.finished(coverages, proposal.ceiling)
    if not end and not proposal.thin:
        end = "no part of the reference is thinly covered"
    if not end and len(coverages) > rounds:
        end = f"{rounds} rounds are done"
    more = 0 if end else rows or topups.wanted(proposal, evidence.rows.rows)
    notes = () if history else site.reference.notes
    return Round(len(coverages), proposal, gained, site.file, more, end, notes)


def _write(site: _Site, turn: Round, before: Mapping[str, int]) -> dict[str, int]:
    """Writes the scenario and, where the template has no `focus`, a prompt; the rows of each focus.

    What cannot be planned is taken back.
    """
    scenario = _scenario(site.plan(site.name), site.name)
    thin = turn.proposal.thin
    weights = topups.shares(thin, turn.rows, before)
    previous = site.file.read_bytes() if site.file.exists() else None
    lacking = topups.FOCUS not in scenario.prompt.names
    fresh = lacking and not site.prompt.exists()
    words = {**site.base, "prompt": site.file.stem if lacking else site.base["prompt"]}
    text = topups.scenario(words, weights, thin, name=site.name, seed=scenario.words.seed)
    with io.writing(site.file):
        if fresh:
            source = "\n".join(file.read_text("utf-8-sig") for file in scenario.prompt.files)
            io.write(site.prompt, topups.prompt(scenario.prompt.file.stem, source))
        io.write(site.file, text)
    try:
        site.plan(site.file.stem)
    except InputError:
        if fresh:
            site.prompt.unlink()
        if previous is None:
            site.file.unlink()
        else:
            io.write(site.file, previous)
        raise
    return weights


def _fill(site: _Site, answers: Store) -> Filled:
    """Asks for the rows that the written scenario lacks, and takes their cost off the budget."""
    before = estimate(site.plan(site.file.stem), answers, whole=False)
    filled = fill(before, Site(answers, site.monitor, site.cap, engine=site.engine))
    if site.cap is not None:
        site.cap = site.cap.less(filled.progress.usd, filled.progress.tokens)
    if filled.failure is not None:
        filled.progress.stopped = filled.progress.stopped or filled.failure.message
    return filled
