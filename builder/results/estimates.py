"""What a run would do: counts for each scenario, tokens and money, before anything is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from builder.engines import prices, structured, tokens
from builder.engines.protocol import Endpoint
from builder.engines.registry import engine_class
from builder.plan import columns, requests
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import Plan
from builder.results import settle
from builder.results.settle import Settlements
from builder.results.tally import Tally
from builder.stats.shingles import is_cjk
from builder.store import Store
from builder.text import counted

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
            _line(plan, part, dataset.name, settlement.tallies[part.name])
            for part in dataset.scenarios
            if part.name in plan.wanted
        ]
    estimate = Estimate(lines, None, settlements)
    if whole and not plan.trial:
        used = sum(tally.answers for tally in estimate.tallies().values())
        estimate.unplanned = max(0, store.count() - used)
    return estimate


def _line(plan: Plan, part: ScenarioPlan, dataset: str, tally: Tally) -> ScenarioEstimate:
    input_tokens = round(tally.open_bytes * tokens.PER_BYTE)
    output_tokens = round(tally.open * _answer_length(part, tally))
    endpoints = {
        asked.model: requests.endpoint(
            plan.project, asked.model.partition(":")[0], written=asked.written
        )
        for asked in (part.asked if part.asks else ())
    }
    usd: float | None = 0.0
    for model, where in endpoints.items():
        share = len(endpoints)
        price = prices.estimate(
            where, model.partition(":")[2], input_tokens / share, output_tokens / share
        )
        usd = None if price is None or usd is None else usd + price
    drawn = len(part.cases) + part.redrawn
    return ScenarioEstimate(
        scenario=part.name,
        dataset=dataset,
        combinations=part.kept,
        grid=part.scenario.grid.size,
        wanted=part.wanted,
        held=tally.accepted,
        to_ask=tally.to_ask,
        short=sum(tally.short.values()),
        rejects=tally.rejects,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        usd=usd,
        models=tuple(endpoints),
        kept_draws=len(part.cases) / drawn if drawn else 1.0,
        displaced=tuple(tally.displaced),
        draw_notes=(*(_alike(part) if tally.to_ask else ()), *part.notes()),
        warnings=(*part.scenario.schema.unsteady, *part.scenario.printed_missing()),
        other_hosts=_other_hosts(tally, endpoints),
        unset=tuple(
            endpoint.api_key_env
            for endpoint in endpoints.values()
            if tally.to_ask and endpoint.api_key_env and not endpoint.api_key
        ),
        not_installed=_not_installed(endpoints) if tally.to_ask else (),
        foreign=_foreign(part, endpoints) if tally.to_ask else (),
        unenforced=tuple(structured.unenforced(part.asked[0].schema or {})) if tally.to_ask else (),
    )


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
