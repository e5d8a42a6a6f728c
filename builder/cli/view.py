"""The results of verbs as text: pure functions from results to lines."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from builder.cli import folders
from builder.cli.layout import duration, readable, rounded, table
from builder.text import counted, fit, money, number, visible, width

if TYPE_CHECKING:
    # A plan is printed without what runs, gates and exports import.
    from builder.dataset.exports import Export
    from builder.dataset.history import Change
    from builder.fill.progress import Progress
    from builder.hub.comparison import Difference
    from builder.hub.releases import Publication
    from builder.plan import preview
    from builder.plan.planned import Planned
    from builder.quality.findings import Finding
    from builder.records import Reject
    from builder.results.tally import Tally
    from builder.verbs import topup
    from builder.verbs.check import Audit

SHARES = 12  # values of an axis that are printed
FILES = 40  # files of a publication that are printed


def comparison(compared: preview.Comparison) -> str:
    """How true a fitted line of `draw` is to its table."""
    fidelity = compared.found
    rows = [
        [
            column.name,
            column.kind,
            f"{column.ks:.3f}",
            "-" if column.shift != column.shift else f"{column.shift:+.3f}",
            f"{column.outside:.1%}",
        ]
        for column in fidelity.columns
    ]
    source = compared.reference.source.name if compared.reference.source else "its table"
    lines = [f"{compared.draw.sampler} on {source}, {len(compared.drawn):,} rows drawn"]
    for group, ((chosen, score), *others) in compared.tried.items():
        beaten = ", ".join(f"{name} ({value:.3f})" for name, value in others)
        within = f"{group}: " if group else ""
        lines.append(f"{within}chose {chosen} (AUC {score:.3f}) before {beaten}")
    lines.append(
        table(["column", "kind", "KS complement", "mean shift (sd)", "out of range"], rows)
    )
    lines.append(f"correlations differ by {fidelity.correlation:.3f} on average")
    if fidelity.auc is not None and fidelity.closest is not None:
        lines.append(
            f"against the half held out: classifier AUC {fidelity.auc:.3f} (0.5 is best), "
            f"{fidelity.closest:.0%} of the rows nearer to what was learnt (50% is best)"
        )
    else:
        lines.append("the table is too small to hold half of it out: compared with itself")
    lines.append(f"{fidelity.copies:.1%} of the rows are copies of real ones")
    return "\n".join(lines)


def findings(judged: Sequence[Finding]) -> str:
    """What failed, what warns, what could not be judged for want of rows; how many passed."""
    if not judged:
        return "nothing to judge: no column of texts, and no reference to hold the others against"
    order = ("fail", "warn", "too-few-rows")
    urgent = sorted((f for f in judged if f.verdict in order), key=lambda f: order.index(f.verdict))
    rows = [
        [
            f.verdict,
            f.gate,
            f.what or "all rows",
            number(f.value),
            number(math.nan if f.limit is None else f.limit),
        ]
        for f in urgent
    ]
    passed = sum(f.verdict == "pass" and f.limit is not None for f in judged)
    count = counted(passed, "gate holds", "gates hold")
    if not urgent:
        return count
    head, *lines = table(["verdict", "gate", "where", "value", "limit"], rows, widest=48).split(
        "\n"
    )
    texts = [head]
    for line, finding in zip(lines, urgent, strict=True):
        texts += [line, f"    {visible(finding.advice)}"] if finding.advice else [line]
    return "\n".join([*texts, count])


def request(planned: Planned) -> str:
    """One rendered request with its variables."""
    case = planned.case
    head = f"── {case.scenario} · case {case.id} · {planned.request.model}"
    variables = [
        f"   {name} = {readable(value)}"
        for name, value in case.variables.items()
        if name != "schema"
    ]
    messages = [
        f"[{message.role}]\n{visible(message.content)}" for message in planned.request.messages
    ]
    return "\n".join([head, *variables, *messages])


def record(position: int, values: Mapping[str, object]) -> str:
    """One row as a readable record."""
    names = [name for name in values if not name.startswith("_")]
    origin = [str(values[name]) for name in ("_scenario", "_model", "_case") if name in values]
    lines = [" · ".join([f"── row {position}", *origin])]
    size = max(map(width, names), default=0)
    lines += [f"{fit(n, size)}  {readable(values[n])}" for n in names if values[n] is not None]
    return "\n".join(lines)


def reject(position: int, refused: Reject) -> str:
    """One reject as a readable record."""
    case = refused.case
    variables = " · ".join(f"{name} = {readable(value)}" for name, value in case.columns.items())
    return "\n".join(
        [
            f"── reject {position} · {case.scenario} · {refused.stage} · {refused.key}",
            f"case    {variables}",
            f"reason  {visible(refused.reason)}",
            f"raw     {visible(refused.raw)}",
        ]
    )


def progress(state: Progress) -> str:
    """One line about a run under way."""
    rate = state.rows / max(time.monotonic() - state.started, 1e-9)
    left = max(0, state.to_ask - state.rows)
    parts = [
        f"{state.rows}/{counted(state.to_ask, 'row')}",
        counted(state.rejects, "reject"),
        f"{rate:.1f} rows/s",
        f"{rounded(state.input_tokens + state.output_tokens)} tokens",
    ]
    if state.usd or not state.unpriced:
        parts.append(f"{money(state.usd)} usd")
    parts += _troubles(state)
    if left and rate:
        parts.append(f"about {duration(left / rate)} left")
    return " · ".join(parts)


def remarks(state: Progress) -> str:
    """What a run under way has beside its bars."""
    tokens = f"{rounded(state.input_tokens + state.output_tokens)} tokens"
    return " · ".join([tokens, *_troubles(state)])


def _troubles(state: Progress) -> Iterator[str]:
    if state.provisional:
        yield f"{counted(state.provisional, 'row')} to be compared"
    if state.failures:
        yield counted(state.failures, "failed call")


def displaced(before: Mapping[str, Tally], after: Mapping[str, Tally]) -> list[str]:
    """The rows that were there before a run and that others have pushed out in it."""
    keys = {name: tally.lost(before[name]) for name, tally in after.items() if name in before}
    return [displaced_line(name, pushed) for name, pushed in keys.items() if pushed]


def displaced_line(scenario: str, keys: Sequence[str]) -> str:
    first = "; ".join(keys[:5])
    more = f"; and {len(keys) - 5} more, all among the rejects" if len(keys) > 5 else ""
    rows = counted(len(keys), "row was", "rows were")
    return f"{scenario}: {rows} displaced: {first}{more}."


def summary(state: Progress, exports: Sequence[Export]) -> str:
    """What a run asked, and what the folders hold now."""
    lines: list[str] = []
    if state.calls or state.failures:
        spent = [
            counted(state.calls, "reply", "replies"),
            f"{state.input_tokens:,} + {state.output_tokens:,} tokens",
        ]
        if state.usd and state.accepted:
            spent.append(f"{money(state.usd / state.accepted)} usd a row")
        unpriced = counted(state.unpriced, "reply", "replies")
        spent.append(
            f"{money(state.usd)} usd" + f" and {unpriced} of unknown price" * bool(state.unpriced)
        )
        lines.append("asked: " + " · ".join(spent))
    lines += _unanswered(state)
    if state.failures:
        worst = max(state.trouble.items(), key=lambda item: item[1], default=("", 0))
        failed = counted(state.failures, "call failed and was", "calls failed and were")
        lines.append(f"{failed} tried again; most often: {worst[0]}")
    lines += [f"{model} allows {limit}" for model, limit in state.limits.items()]
    return "\n".join([*lines, *map(folders.lines, exports)])


def untouched(state: Progress) -> str:
    """Why a run wrote nothing, and what that leaves."""
    why = "no round was closed" if state.provisional else "no row was accepted"
    return f"{why}: the datasets' folders are as they were"


def _unanswered(state: Progress) -> Iterator[str]:
    """What came in place of answers, by its kind."""
    at = "max_tokens" + (f" = {state.cut_at}" if state.cut_at else "")
    kinds = {
        "length": f"cut off at {at}",
        "reasoning": "all reasoning (raise max_tokens, or turn thinking off)",
        "refusal": "refused by the model",
        "filter": "stopped by the provider's filter",
        "empty": "without any text",
    }
    if number := state.non_answers.total():
        parts = [f"{n:,} {kinds[stop]}" for stop, n in state.non_answers.most_common()]
        replies = counted(number, "reply was no answer", "replies were no answers")
        yield f"{replies}, logged with {'its' if number == 1 else 'their'} cost: {', '.join(parts)}"
    for where, number in (+state.elsewhere).items():
        yield f"{counted(number, 'answer')} stood {where}, not in the reply's text, and was taken from there"
    for name, aside in state.aside.items():
        error, cases = aside.error, counted(aside.cases, "row")
        of = " and ".join(
            f"{axis} = {' or '.join(sorted(fit(repr(value), 40).rstrip() for value in values))}"
            for axis, values in aside.common.items()
        )
        if error.tokens:
            why = f"too long for the model: {error.tokens[0]:,} of {error.tokens[1]:,} tokens"
        else:
            why = f"refused by the provider: {error.message}"
        yield f"{name}: {cases}{' of ' * bool(of)}{of} {'is' if aside.cases == 1 else 'are'} {why}"
    yield from (f"{model} was given up: {why}" for model, why in state.lost.items())
    if state.unfilled:
        yield f"{counted(state.unfilled, 'row')} left to the next run"
    if waiting := state.provisional:
        one = waiting == 1
        yield (
            f"{counted(waiting, 'answer')} {'is' if one else 'are'} held, to be judged when "
            f"{'its' if one else 'their'} round closes; the next run goes on from "
            f"{'it' if one else 'them'}"
        )


def audit(audit: Audit) -> str:
    """What a store holds, and what of it is damaged."""
    content = f"{counted(audit.answers, 'answer')} and {counted(audit.others, 'other reply', 'other replies')}"
    if not audit.damaged:
        return f"{content}, all sound"
    lines = [f"  {key}" for key in audit.damaged[:10]]
    count = counted(len(audit.damaged), "answer is", "answers are")
    return "\n".join(
        [f"{content}; {count} damaged: the next run drops and asks them again", *lines]
    )


def measured(turn: topup.Round, file: str) -> str:
    """Where a round of a top-up found the dataset, and what it asks for in `file`."""
    gained = "" if turn.gained is None else f", {turn.gained:+.2f}"
    proposal = turn.proposal
    lines = [
        *turn.notes,
        f"coverage {proposal.coverage:.2f} of at most {proposal.ceiling:.2f}{gained}",
    ]
    if turn.end:
        return "\n".join([*lines, f"{turn.end}."])
    thin = [f"  {cluster.focus} ({cluster.covered:.0%} covered)" for cluster in proposal.thin]
    lines.append(f"round {turn.number}: {turn.rows} rows for {len(thin)} thin clusters, in {file}:")
    return "\n".join([*lines, *thin])


def publication(planned: Publication) -> Iterator[str]:
    """What publishing would do, a line each."""
    visibility = "private" if planned.private else "public"
    fresh = ", to be made" if planned.parent is None else ""
    unseen = " was not looked at, for HF_TOKEN is not set; an empty one would get what follows"
    yield f"{planned.repository} on the Hub{f': {visibility}{fresh}' if planned.looked_at else unseen}"
    yield f"{planned.dataset}: {planned.rows:,} rows, {planned.size:,} bytes"
    yield (
        f"to send: {planned.sent:,} bytes in {len(planned.changed)} files, {planned.data} of them data; "
        f"{planned.kept} data files stay, {len(planned.deleted)} files go"
    )
    if planned.release is not None:
        since = planned.release.since
        yield f"release {planned.tag}" + (f", since {since}:" if since else ", the first")
        for scenario, change in planned.release.changes.items():
            if change:
                yield f"  {scenario}: {_change(change)}"


def sent(planned: Publication) -> Iterator[str]:
    """The files that publishing would put there or take away, a line each."""
    files = [f"  {path}  {size:,} bytes" for path, size in planned.sizes.items()]
    files += [f"  {path}  goes" for path in planned.deleted]
    yield from files[:FILES]
    if len(files) > FILES:
        yield f"  and {len(files) - FILES:,} more"


def difference(between: Difference) -> str:
    """What lies between two releases: rows by scenario, shares by axis, gates."""
    lines = [f"{between.before.name} → {between.after.name}: {_change(between.total)}"]
    if between.scenarios:
        changes = [
            [name, change.added, change.removed, change.changed]
            for name, change in between.scenarios.items()
        ]
        lines += ["", table(["scenario", "added", "removed", "changed"], changes)]
    for axis, values in between.axes.items():
        largest = sorted(values, key=lambda value: -abs((value[1] or 0) - (value[2] or 0)))[:SHARES]
        shares = [[visible(value), _share(a), _share(b)] for value, a, b in largest]
        lines += ["", table([visible(axis), "before", "after"], shares)]
    if between.gates:
        figures = [
            [gate, what, *("-" if figure is None else f"{figure:.4g}" for figure in (a, b))]
            for gate, what, a, b in between.gates
        ]
        lines += ["", table(["gate", "of", "before", "after"], figures)]
    return "\n".join(lines)


def _change(change: Change) -> str:
    return f"{change.added:,} added, {change.removed:,} removed, {change.changed:,} changed"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
