"""What a run would do: counts for each scenario, tokens and money, before anything is asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from builder.engines import prices, structured, tokens
from builder.engines.protocol import Endpoint
from builder.engines.registry import engine_class
from builder.plan import bounds, columns, plans, requests
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project.words import NOWHERE
from builder.results import settle
from builder.results.settle import Settlements
from builder.results.tally import Tally
from builder.stats.shingles import is_cjk
from builder.store import Store
from builder.text import counted

LEAST_RATE = 0.02  # Of answers that are accepted, as an estimate takes it.
REASK = 4000  # Tokens that a re-ask adds at most beside the refused answer.
FEW = 5  # Rows of one prompt that may well come out different.


class ScenarioEstimate(NamedTuple):
    """One scenario of a plan: what it wants, what is held, what is to be asked."""

    scenario: str
    dataset: str
    combinations: int
    grid: int
    """Combinations before `keep`."""
    wanted: int
    held: int
    to_ask: int
    short: int
    """Rows that no try is left for."""
    rejects: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    """None where a price is unknown."""
    models: tuple[str, ...]
    kept_draws: float
    """Share of draws that `keep` let pass."""
    displaced: tuple[str, ...]
    """Held answers that rows accepted before them pushed out: each is asked once more."""
    draw_notes: tuple[str, ...]
    """Few prompts for many rows, how tables were read, what `keep` lost, what was drawn otherwise."""
    warnings: tuple[str, ...]
    """Defaults that differ from run to run, and missing values that are printed; with places."""
    other_hosts: tuple[str, ...]
    """Hosts that gave held answers and are not asked now."""
    unset: tuple[str, ...]
    """Variables that hold no key yet, and that a run needs."""
    not_installed: tuple[str, ...]
    """What this machine lacks to ask, with the command that brings it."""
    foreign: tuple[str, ...]
    """Models that know English only, where the prompt is mainly Chinese, Japanese or Korean."""
    unenforced: tuple[str, ...] = ()
    """Fields whose pattern no provider enforces."""
    ready: int = 0
    """Rows of `to_ask` whose cases are known."""
    coming: int = 0
    """Rows whose cases hang on rows that are to come."""
    most_rows: int | None = None
    """Rows at most; None where nothing bounds them, or all are known."""
    calls: int = 0
    """Answers that are likely to be asked for, by the rate at which they were accepted so far."""
    most_calls: int | None = None
    """Answers that can be asked for at most; None where nothing bounds them."""
    most_tokens: int | None = None
    """Tokens of these at most; None where nothing bounds them, as without `max_tokens`."""
    most_usd: float | None = None
    """What these cost at most; None where nothing bounds it, or a price is unknown."""
    depth: int = 0
    """How many levels of scenarios it stands on."""
    hanging: Mapping[str, int] = MappingProxyType({})
    """Scenario to its rows that hang on rows of this one that are to come."""
    left_out: Mapping[str, int] = MappingProxyType({})
    """Why rows of its sources made no case, with how many."""
    refused: int = 0
    """Cases that have no row and no other question left, where no number promised them."""
    source_notes: tuple[str, ...] = ()
    """What is worth a word of its sources: unbounded lists, rows that a template cannot render."""


@dataclass(slots=True)
class Estimate:
    """A plan compared with a store."""

    lines: list[ScenarioEstimate]
    unplanned: int | None
    """Held answers that no scenario asks for any more; None when not all were planned."""
    settlements: Settlements = field(default_factory=dict)
    """The finished walks, by dataset."""

    def tallies(self) -> dict[str, Tally]:
        """The counts of every scenario, those of the same datasets among them."""
        return {
            name: tally
            for settlement in self.settlements.values()
            for name, tally in settlement.tallies.items()
        }

    @property
    def to_ask(self) -> int:
        return sum(line.to_ask for line in self.lines)

    @property
    def wanted(self) -> int:
        return sum(line.wanted for line in self.lines)

    @property
    def calls(self) -> int:
        """Answers that are likely to be asked for."""
        return sum(line.calls for line in self.lines)

    @property
    def most_calls(self) -> int | None:
        """Answers that can be asked for at most; None where nothing bounds them."""
        known = [line.most_calls for line in self.lines if line.most_calls is not None]
        return sum(known) if len(known) == len(self.lines) else None

    @property
    def most_usd(self) -> float | None:
        """What all can cost at most; None where nothing bounds it, or a price is unknown."""
        known = [line.most_usd for line in self.lines if line.most_usd is not None]
        return sum(known) if len(known) == len(self.lines) else None

    @property
    def usd(self) -> float | None:
        """The estimate for all, None where one price is unknown."""
        known = [line.usd for line in self.lines if line.usd is not None]
        return sum(known) if len(known) == len(self.lines) else None


def make(plan: Plan, store: Store, *, whole: bool, settled: Settlements | None = None) -> Estimate:
    """The estimate of a plan. `whole` tells that every scenario of the project is planned;
    `settled` are finished walks by dataset, so that none is made twice.

    Raises InputError where scenarios of one dataset disagree on a column.
    """
    settlements: Settlements = {}
    lines = []
    for dataset in plan.datasets:
        columns.of_dataset(dataset.scenarios)
        settlement = (settled or {}).get(dataset.name)
        if settlement is None:
            settlement = settle.settle(dataset, store).exhaust()
        settlements[dataset.name] = settlement
        lines += [
            _line(plan, part, dataset, settlement.tallies[part.name])
            for part in dataset.scenarios
            if part.name in plan.wanted
        ]
    estimate = Estimate(_hung(plan, lines), None, settlements)
    if whole and not plan.trial:
        used = sum(tally.answers for tally in estimate.tallies().values())
        estimate.unplanned = max(0, store.count() - used)
    return estimate


def _hung(plan: Plan, lines: Sequence[ScenarioEstimate]) -> list[ScenarioEstimate]:
    """The lines, each with what hangs on its rows that are to come."""
    parts = {part.name: part for dataset in plan.datasets for part in dataset.scenarios}
    hanging: dict[str, dict[str, int]] = {}
    for line in lines:
        for name in plans.upstream_of(parts[line.scenario], plan.datasets) if line.coming else ():
            hanging.setdefault(name, {})[line.scenario] = line.coming
    return [line._replace(hanging=hanging.get(line.scenario, {})) for line in lines]


def _line(plan: Plan, part: ScenarioPlan, dataset: DatasetPlan, tally: Tally) -> ScenarioEstimate:
    outlook = bounds.rows(part)
    coming = max(0, outlook.expected - part.wanted) if part.feed is not None else 0
    if part.waits_for:
        coming = outlook.expected
    size = _size(part)
    asked = tally.open + coming if part.asks else 0
    asked_bytes = tally.open_bytes + coming * size if part.asks else 0
    rate = min(1.0, max(LEAST_RATE, tally.accepted / tally.answers)) if tally.answers else 1.0
    input_tokens = round(asked_bytes * tokens.PER_BYTE)
    output_tokens = round(asked * _answer_length(part, tally))
    endpoints = {
        asked_of.model: requests.endpoint(
            plan.project, asked_of.model.partition(":")[0], written=asked_of.written
        )
        for asked_of in (part.asked if part.asks else ())
    }
    most = _most(part, outlook, tally, endpoints, coming)
    drawn = len(part.cases) + part.redrawn
    return ScenarioEstimate(
        scenario=part.name,
        dataset=dataset.name if dataset.exported else NOWHERE,
        combinations=part.kept,
        grid=part.grid,
        wanted=max(part.wanted, outlook.expected),
        held=tally.accepted,
        to_ask=tally.to_ask + (coming if part.asks else 0),
        coming=coming,
        short=sum(tally.short.values()),
        rejects=tally.rejects,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        usd=_price(endpoints, input_tokens, output_tokens),
        models=tuple(endpoints),
        kept_draws=len(part.cases) / drawn if drawn else 1.0,
        displaced=tuple(tally.displaced),
        draw_notes=(*(_alike(part) if tally.to_ask and part.asks else ()), *part.notes()),
        warnings=(*part.scenario.schema.unsteady, *part.scenario.printed_missing()),
        other_hosts=_other_hosts(tally, endpoints),
        unset=tuple(
            endpoint.api_key_env
            for endpoint in endpoints.values()
            if asked and endpoint.api_key_env and not endpoint.api_key
        ),
        not_installed=_not_installed(endpoints) if asked else (),
        foreign=_foreign(part, endpoints) if tally.to_ask and part.asks else (),
        unenforced=tuple(structured.unenforced(part.asked[0].schema or {})) if asked else (),
        ready=tally.to_ask,
        most_rows=None if part.feed is None else outlook.most,
        calls=_calls(asked, rate, most.answers),
        most_calls=most.answers,
        most_tokens=most.tokens,
        most_usd=most.usd,
        depth=part.scenario.depth,
        left_out={} if part.feed is None else dict(+part.feed.left_out),
        refused=tally.refused,
        source_notes=_source_notes(part, outlook),
    )


def _calls(asked: int, rate: float, most: int | None) -> int:
    """Answers that so many rows are likely to take, but no more than can be asked for."""
    likely = round(asked / rate)
    return likely if most is None else min(likely, max(asked, most))


class _Most(NamedTuple):
    """What can be asked at most; None where nothing bounds it."""

    answers: int | None
    tokens: int | None = None
    usd: float | None = None


def _most(
    part: ScenarioPlan,
    outlook: bounds.Outlook,
    tally: Tally,
    endpoints: Mapping[str, Endpoint],
    coming: int,
) -> _Most:
    answers = bounds.most_answers(part, outlook)
    if answers is None:
        return _Most(None)
    # What was answered is not asked again, nor is a case that has its row.
    tries = part.limit if part.asks else 0
    answers = max(0, answers - max(tally.answers, tries * tally.accepted))
    bound = max((tokens.most(asked.params) for asked in part.asked), default=0)
    if not answers:
        return _Most(0, 0, 0.0)
    if not bound or coming or not len(part.cases):
        return _Most(answers)
    largest = _largest(part)
    usd = _price(endpoints, answers * largest, answers * bound, worst=True)
    return _Most(answers, answers * (largest + bound), usd)


def _price(
    endpoints: Mapping[str, Endpoint],
    input_tokens: float,
    output_tokens: float,
    *,
    worst: bool = False,
) -> float | None:
    """What tokens cost, shared by these models or all by the dearest; None where a price is unknown."""
    share = 1 if worst else max(1, len(endpoints))
    found = [
        prices.estimate(where, model.partition(":")[2], input_tokens / share, output_tokens / share)
        for model, where in endpoints.items()
    ]
    known = [usd for usd in found if usd is not None]
    if len(known) < len(found):
        return None
    return max(known, default=0.0) if worst else sum(known)


def _size(part: ScenarioPlan) -> float:
    """Bytes that a request is likely to have: the mean of those that are known, or of the templates."""
    if len(part.cases):
        return float(part.cases.sizes.mean())
    return float(sum(file.stat().st_size for file in part.scenario.prompt.files))


def _largest(part: ScenarioPlan) -> int:
    """Tokens of the largest request at most, those of a re-ask among them: a token is a byte at least."""
    bound = max((tokens.most(asked.params) for asked in part.asked), default=0)
    schema = max(len(str(asked.schema)) for asked in part.asked)
    return int(part.cases.sizes.max()) + schema + bound + REASK


def _source_notes(part: ScenarioPlan, outlook: bounds.Outlook) -> tuple[str, ...]:
    if (feed := part.feed) is None:
        return ()
    notes = [note for rows in feed.rows for note in rows.notes]
    notes += [
        f"{counted(n, 'further row')} of {name} {'agrees' if n == 1 else 'agree'}, too: the first in "
        "plan order is taken"
        for name, n in feed.further.items()
    ]
    if part.unmade:
        notes.append(f"the pool is {counted(part.unmade, 'row')} too small for {part.wanted:,}")
    if outlook.unbounded:
        notes.append(f"rows at most: no bound, {outlook.unbounded}")
    return (*notes, *feed.named)


def _alike(part: ScenarioPlan) -> Iterator[str]:
    """A line where many rows have one prompt, and nothing refuses those that come out alike."""
    rows, prompts = len(part.cases), part.cases.requests
    if rows > FEW * prompts and part.scenario.words.similarity_below is None:
        yield (
            f"{counted(rows, 'row')}, {counted(prompts, 'different prompt')}: only sampling makes "
            "them differ; draw something into the prompt, or set similarity_below"
        )


def _not_installed(endpoints: Mapping[str, Endpoint]) -> tuple[str, ...]:
    lacks = (
        engine_class(where.protocol).not_installed(where, model.partition(":")[2])
        for model, where in endpoints.items()
    )
    return tuple(filter(None, lacks))


def _foreign(part: ScenarioPlan, endpoints: Mapping[str, Endpoint]) -> tuple[str, ...]:
    models = tuple(
        model for model, where in endpoints.items()
        if model.partition(":")[2] in engine_class(where.protocol).english_only
    )  # fmt: skip
    if not models:
        return ()
    first = part.make(part.cases.index[:1], part.cases.occurrence[:1])
    asked = " ".join(message.content for case in first for message in case.request.messages)
    return models if is_cjk(asked) else ()


def _answer_length(part: ScenarioPlan, tally: Tally) -> float:
    if tally.answers and tally.output_tokens:
        return tally.output_tokens / tally.answers
    return tokens.typical_output(part.asked[0].params)


def _other_hosts(tally: Tally, endpoints: dict[str, Endpoint]) -> tuple[str, ...]:
    now = {requests.host(place) for where in endpoints.values() for place in where.each()}
    return tuple(sorted(host for host in tally.hosts if host and host not in now))
