"""topup: more rows where a reference is thinly covered, round by round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from builder import io
from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import (
    planned,
    say,
    shown_path,
)
from builder.cli.gating import sentence_vectors
from builder.cli.options import (
    Number,
    project_options,
    reference_option,
    semantic_option,
    yes_option,
)
from builder.errors import InputError, Place


class Site(NamedTuple):
    """What the rounds share."""

    name: str
    own: str
    """The scenario that they write."""
    project: Path
    reference: Any
    embed: Any
    file: Path
    prompt: Path


@click.command(cls=Verb)
@click.argument("name", metavar="NAME", help="Scenario.")
@click.option("--rounds", type=Number(1, 20), default=3, show_default=True, help="At most so many.")
@reference_option
@click.option("--model", help="provider:model of the new rows.")
@click.option("--rows", type=Number(1), help="Rows a round; by deficit when left out.")
@click.option("--budget", help="Stop before it costs more: 5usd or 200000tok.")
@yes_option
@semantic_option
@project_options
def topup(
    name: str,
    rounds: int,
    reference: Path | None,
    model: str | None,
    rows: int | None,
    budget: str | None,
    project: Path,
    *,
    yes: bool,
    semantic: bool,
    quiet: bool,
) -> None:
    """Write and run a scenario for what a reference has and a dataset lacks."""
    from builder import store
    from builder.cli.drive import (
        LEFT,
        finish,
        fruitless,
        ready,
    )
    from builder.dataset import exports
    from builder.quality import topups
    from builder.results import estimates

    embed = sentence_vectors() if semantic else None
    found, made = planned(project, [name])
    site = _site(name, project, made, reference, embed)
    earlier = _earlier(site)
    base = _base(made, name, model)
    purse = _Purse(budget or found.settings.budget)
    ready(planned(project, [name], model=model)[1], purse.cap)
    with store.locked(found.outputs), store.writing(found.store) as held:
        last = _fill(site, held, purse, yes=yes, quiet=quiet) if earlier else None
        history: list[float] = []
        while last is None or not last[0].stopped:
            proposal, size = _measure(site, held, len(history))
            history.append(proposal.coverage)
            say(_standing(history, proposal.ceiling), quiet=quiet)
            why = _end(history, proposal, rounds)
            if why:
                say(f"{why}.", quiet=quiet)
                break
            more = rows or topups.wanted(proposal, size)
            earlier = _write(site, base, proposal, more, earlier)
            say(_round(len(history), site, proposal, more), quiet=quiet)
            last = _fill(site, held, purse, yes=yes, quiet=quiet)
        made = planned(project, [name])[1]
        left = last is not None and fruitless(*last)
        folders = [] if left else [exports.write(made, one, held) for one in made.datasets]
        tallies = estimates.make(made, held, whole=False).tallies() if left else {}
    if last is None:
        print(shown_path(folders[0].folder))
        return
    state, failure = last
    say(view.summary(state, folders), quiet=quiet)
    if left:
        say(LEFT, quiet=quiet)
    if failure is not None:
        raise failure
    say(f"read and commit {shown_path(site.file)}", quiet=quiet)
    tallies |= {scenario: tally for one in folders for scenario, tally in one.tallies.items()}
    wanted = {name, site.file.stem}
    for one in folders:
        print(shown_path(one.folder))
    finish(state, tallies, wanted, f"builder check {made.datasets[0].name}", quiet=quiet)


class _Purse:
    """What is left of a cap that all rounds share."""

    def __init__(self, text: str | None) -> None:
        from builder.project.settings import Budget

        self.cap = Budget.parse(text) if text else None

    def spend(self, state: Any) -> None:
        from builder.project.settings import Budget

        if self.cap is None:
            return
        if self.cap.usd is not None:
            self.cap = Budget(usd=max(0.0, self.cap.usd - state.usd))
        else:
            spent = state.input_tokens + state.output_tokens
            self.cap = Budget(tokens=max(0, (self.cap.tokens or 0) - spent))


def _site(name: str, project: Path, made: Any, reference: Path | None, embed: Any) -> Site:
    """Where everything is. InputError where the scenario cannot be topped up."""
    from builder.project.settings import NAME
    from builder.quality import contexts, topups
    from builder.table import frame

    scenario = next(one for one in made.scenarios() if one.name == name).scenario
    own = f"{name}_topup"
    if not NAME.match(own):
        raise InputError(f"{own!r} is too long for the name of a scenario", place=scenario.place)
    taken = {*scenario.columns(), *scenario.given, *scenario.schema.columns}
    taken |= {drawn for draw in scenario.draws for drawn in draw.names}
    if topups.FOCUS in taken:
        raise InputError(
            f"{name} has a {topups.FOCUS!r} of its own, the axis that a top-up adds",
            place=scenario.place,
            hint="rename it, or top up the scenario that it came from",
        )
    if reference is None and scenario.reference is None:
        raise InputError(
            f"{name} has no reference texts",
            place=scenario.place,
            hint="--reference PATH names them, or `expect: {drift: {table: …}}`",
        )
    table = scenario.reference
    beside = frame.read(reference) if reference else contexts.beside(table) if table else None
    file = made.project.scenarios / f"{own}.yaml"
    return Site(name, own, project, beside, embed, file, made.project.prompts / f"{own}.j2")


def _earlier(site: Site) -> dict[str, int]:
    """The rows of each focus in the file of rounds before; InputError for one that people changed."""
    from builder.project import documents
    from builder.project.words import Words
    from builder.quality import topups
    from builder.table import reader

    other = site.file.with_suffix(".yml")
    if other.exists() or (site.file.exists() and not topups.untouched(reader.read_text(site.file))):
        raise InputError(
            "this file was written or changed by somebody; it is left as it is",
            place=Place(other if other.exists() else site.file, 1, 1),
            hint="rename it to keep its rows, then top up again",
        )
    if not site.file.exists():
        return {}
    words = Words.read(documents.read(site.file))
    return {str(focus): int(weight) for focus, weight in words.vary[topups.FOCUS].items()}


def _base(made: Any, name: str, model: str | None) -> dict[str, Any]:
    """The words of the scenario, those left out that a top-up has for itself."""
    scenario = next(one for one in made.scenarios() if one.name == name).scenario
    own = {k: v for k, v in scenario.document.data.items() if k not in ("rows", "expect", "prompt")}
    return {
        "prompt": scenario.prompt.file.stem,
        **own,
        **({"model": model} if model else {}),
    }


def _measure(site: Site, held: Any, turn: int) -> tuple[Any, int]:
    """Where the dataset stands now beside the reference, and how many rows it has."""
    from builder.quality import topups
    from builder.verbs import checking

    made = planned(site.project, [site.name])[1]
    found = checking.evidence(made.datasets[0], held, site.reference, site.embed)
    rng = found.rng(f"topup {turn}")
    try:
        proposal = topups.propose(found.texts, found.reference_texts, rng, semantic=site.embed)
    except ValueError as error:
        raise InputError(
            str(error), hint=f"at least 11 rows and 22 reference texts; `builder run {site.name}`"
        ) from None
    return proposal, found.rows.rows


def _standing(history: list[float], ceiling: float) -> str:
    gained = f", {history[-1] - history[-2]:+.2f}" if len(history) > 1 else ""
    return f"coverage {history[-1]:.2f} of at most {ceiling:.2f}{gained}"


def _end(history: list[float], proposal: Any, rounds: int) -> str:
    """Why no further round follows; empty where one does."""
    from builder.quality import topups

    if done := topups.finished(history, proposal.ceiling):
        return str(done)
    if not proposal.thin:
        return "no part of the reference is thinly covered"
    return f"{rounds} rounds are done" if len(history) > rounds else ""


def _round(turn: int, site: Site, proposal: Any, rows: int) -> str:
    told = [f"  {one.focus} ({one.covered:.0%} covered)" for one in proposal.thin]
    return "\n".join(
        [
            f"round {turn}: {rows} rows for {len(told)} thin clusters, in {shown_path(site.file)}:",
            *told,
        ]
    )


def _write(
    site: Site, base: Mapping[str, Any], proposal: Any, rows: int, earlier: Mapping[str, int]
) -> dict[str, int]:
    """Writes the scenario and, where the template has no `focus`, a prompt; the rows of each focus.

    What cannot be planned is taken back.
    """
    from builder.quality import topups

    made = planned(site.project, [site.name])[1]
    scenario = next(one for one in made.scenarios() if one.name == site.name).scenario
    weights = topups.shares(proposal.thin, rows, earlier)
    before = site.file.read_bytes() if site.file.exists() else None
    fresh = topups.FOCUS not in scenario.prompt.names and not site.prompt.exists()
    own = topups.FOCUS not in scenario.prompt.names
    words = {**base, "prompt": site.own if own else base["prompt"]}
    text = topups.scenario(words, weights, proposal.thin, name=site.name, seed=scenario.words.seed)
    with io.writing(site.file):
        if fresh:
            source = "\n".join(file.read_text("utf-8-sig") for file in scenario.prompt.files)
            io.write(site.prompt, topups.prompt(scenario.prompt.file.stem, source))
        io.write(site.file, text)
    try:
        planned(site.project, [site.own])
    except InputError:
        if fresh:
            site.prompt.unlink()
        if before is None:
            site.file.unlink()
        else:
            io.write(site.file, before)
        raise
    return weights


def _fill(site: Site, held: Any, purse: _Purse, *, yes: bool, quiet: bool) -> Any:
    """Asks for the rows that the written scenario lacks: its progress, and the error that ended it."""
    from builder.cli.drive import filled
    from builder.fill.progress import Progress
    from builder.results import estimates

    made = planned(site.project, [site.own])[1]
    looked = estimates.make(made, held, whole=False)
    say(view.plan(looked), quiet=quiet)
    state = Progress.before(looked)
    failure = filled(
        made, held, state, looked.usd, purse.cap, settled=looked.settlements, yes=yes, quiet=quiet
    )
    purse.spend(state)
    if failure is not None:
        state.stopped = state.stopped or failure.message
    return state, failure
