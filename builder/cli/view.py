"""What the command line says, as text: pure functions from results to lines."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from builder.text import cell, counted, fit, number, visible, width

if TYPE_CHECKING:
    # Plans are to be shown without what runs and exports need.
    from builder.dataset.exports import Export
    from builder.fill.progress import Progress
    from builder.plan.plans import Planned
    from builder.plan.preview import Comparison
    from builder.quality.findings import Finding
    from builder.records import Reject
    from builder.results.estimates import Estimate, ScenarioEstimate
    from builder.results.tally import Tally


LABEL = 24
"""Columns up to which a value is a label; a longer one is a text."""


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = 40) -> str:
    """Aligned columns; numbers to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    sizes = [
        min(widest, max(width(head), *(width(row[i]) for row in texts), 1))
        if texts
        else width(head)
        for i, head in enumerate(heads)
    ]
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(heads))]
    lines = []
    for row in (list(heads), *texts):
        cells = []
        for text, size, numeric in zip(row, sizes, right, strict=True):
            shown = fit(text, size)
            cells.append(
                " " * (size - width(shown.rstrip())) + shown.rstrip() if numeric else shown
            )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def plan(survey: Estimate, drift: Sequence[str] = (), terminal_columns: int = 80) -> str:
    """The plan as a table and what is worth a word beneath it, drift of its draws included.

    Where the terminal is too narrow for all columns, the datasets are left out.
    """
    heads = ["scenario", "dataset", "combinations", "rows", "held", "to ask", "tokens", "usd"]
    rows: list[list[Any]] = [
        [
            line.scenario, line.dataset, line.combinations, line.wanted, line.held, line.to_ask,
            line.input_tokens + line.output_tokens,
        ]
        for line in survey.lines
    ]  # fmt: skip
    prices = [line.usd if line.to_ask else 0.0 for line in survey.lines]
    if len(rows) > 1:
        rows.append(["in all", "", *(sum(row[i] for row in rows) for i in range(2, 7))])
        prices.append(survey.usd)
    small = any(0 < usd < 0.1 for usd in prices if usd is not None)
    shown = ["unknown" if usd is None else f"{usd:,.{4 if small else 2}f}" for usd in prices]
    size = max(map(len, shown), default=0)
    lines = [[*row, price.rjust(size)] for row, price in zip(rows, shown, strict=True)]
    text = table(heads, lines)
    if max(map(width, text.split("\n"))) > terminal_columns:
        text = table(heads[:1] + heads[2:], [line[:1] + line[2:] for line in lines])
    notes = [*drift, *(note for line in survey.lines for note in _notes(line))]
    if survey.unplanned:
        notes.append(
            f"{counted(survey.unplanned, 'held answer')} of trials, or from before an edit: not in "
            "this plan, kept in the store."
        )
    return "\n".join([text, *dict.fromkeys(notes)])


def _notes(line: ScenarioEstimate) -> list[str]:
    found = []
    if line.combinations < line.grid:
        found.append(f"{line.scenario}: keep left {line.combinations} of {line.grid} combinations.")
    if line.kept_draws < 1:
        found.append(f"{line.scenario}: keep let {line.kept_draws:.0%} of the draws pass.")
    found += [f"{line.scenario}: {note}." for note in line.draw_notes]
    if line.displaced:
        found.append(_displaced(line.scenario, line.displaced))
    if line.other_hosts:
        found.append(f"{line.scenario}: some held answers came from {', '.join(line.other_hosts)}.")
    if line.short:
        found.append(
            f"{line.scenario}: {counted(line.short, 'row')} cannot be had within the tries; "
            "`run --tries T` asks on."
        )
    found += [f"{name} is not set; a run needs the key that it holds." for name in line.unset]
    found += [
        f"{line.scenario}: its prompt is mainly Chinese, Japanese or Korean, and {model} knows "
        "English only; --model names another one."
        for model in line.foreign
    ]
    if line.usd is None and line.to_ask:
        found.append(
            f"{line.scenario}: the price of {', '.join(line.models)} is unknown; usd_per_million under "
            f"[tool.builder.providers.{line.models[0].partition(':')[0]}] sets it."
        )
    return found


def comparison(one: Comparison) -> str:
    """How true a fitted line of `draw` is to its table."""
    found = one.found
    rows = [
        [
            c.name,
            c.kind,
            f"{c.ks:.3f}",
            "-" if c.shift != c.shift else f"{c.shift:+.3f}",
            f"{c.outside:.1%}",
        ]
        for c in found.columns
    ]
    source = one.reference.source.name if one.reference.source else "its table"
    lines = [f"{one.draw.sampler} on {source}, {len(one.drawn):,} rows drawn"]
    for group, ((chosen, score), *others) in one.tried.items():
        beaten = ", ".join(f"{name} ({value:.3f})" for name, value in others)
        within = f"{group}: " if group else ""
        lines.append(f"{within}chose {chosen} (AUC {score:.3f}) before {beaten}")
    lines.append(
        table(["column", "kind", "KS complement", "mean shift (sd)", "out of range"], rows)
    )
    lines.append(f"correlations differ by {found.correlation:.3f} on average")
    if found.auc is not None and found.closest is not None:
        lines.append(
            f"against the half held out: classifier AUC {found.auc:.3f} (0.5 is best), "
            f"{found.closest:.0%} of the rows nearer to what was learnt (50% is best)"
        )
    else:
        lines.append("the table is too small to hold half of it out: compared with itself")
    lines.append(f"{found.copies:.1%} of the rows are copies of real ones")
    return "\n".join(lines)


def findings(found: Sequence[Finding]) -> str:
    """What failed, what warns, what could not be told for want of rows; how many passed."""
    if not found:
        return "nothing to judge: no column of texts, and no reference to hold the others against"
    order = ("fail", "warn", "too-few-rows")
    urgent = sorted(
        (finding for finding in found if finding.verdict in order),
        key=lambda finding: order.index(finding.verdict),
    )
    rows = [
        [
            finding.verdict,
            finding.gate,
            finding.what or "all rows",
            number(finding.value),
            number(math.nan if finding.limit is None else finding.limit),
        ]
        for finding in urgent
    ]
    passed = sum(finding.verdict == "pass" and finding.limit is not None for finding in found)
    holding = counted(passed, "gate holds", "gates hold")
    if not urgent:
        return holding
    lines = table(["verdict", "gate", "where", "value", "limit"], rows, widest=48).split("\n")
    advised = [
        line for at, finding in enumerate(urgent)
        for line in (lines[at + 1], *([f"    {visible(finding.advice)}"] if finding.advice else []))
    ]  # fmt: skip
    return "\n".join([lines[0], *advised, holding])


def money(usd: float | None) -> str:
    if usd is None:
        return "unknown"
    return f"{usd:.2f}" if usd >= 0.1 or usd == 0 else f"{usd:.4f}"


def request(planned: Planned) -> str:
    """One rendered request with its variables."""
    case = planned.case
    head = f"── {case.scenario} · case {case.id} · {planned.request.model}"
    shown = {name: value for name, value in case.variables.items() if name != "schema"}
    variables = [f"   {name} = {_value(value)}" for name, value in shown.items()]
    messages = [
        f"[{message.role}]\n{visible(message.content)}" for message in planned.request.messages
    ]
    return "\n".join([head, *variables, *messages])


def record(number: int, values: Mapping[str, Any]) -> str:
    """One row as a readable record."""
    own = [name for name in values if name.startswith("_")]
    lines = [f"── row {number} · {values.get('_scenario', '')} · {values.get('_model', '')}"]
    size = max((width(name) for name in values if name not in own), default=0)
    for name, value in values.items():
        if name in own or value is None:
            continue
        lines.append(f"{fit(name, size)}  {_value(value)}")
    return "\n".join(lines)


def reject(number: int, found: Reject) -> str:
    """One reject as a readable record."""
    shown = " · ".join(f"{name} = {_value(value)}" for name, value in found.case.columns.items())
    return "\n".join(
        [
            f"── reject {number} · {found.case.scenario} · {found.stage} · {found.key}",
            f"case    {shown}",
            f"reason  {visible(found.reason)}",
            f"raw     {visible(found.raw)}",
        ]
    )


def sample(records: Sequence[Mapping[str, Any]], terminal_columns: int) -> str:
    """Rows side by side as a table as wide as the terminal, half of it at least for long texts."""
    if not records:
        return "no rows"
    names = [
        name
        for name in records[0]
        if not name.startswith("_") and any(record.get(name) is not None for record in records)
    ]
    cells = [[_value(record.get(name)) for name in names] for record in records]
    wanted = [max(width(name), *(width(row[i]) for row in cells)) for i, name in enumerate(names)]
    room = max(terminal_columns - 2 * (len(names) - 1), 8 * len(names))
    sizes = [min(size, room) for size in wanted]
    texts = [i for i, size in enumerate(wanted) if size > LABEL]
    while sum(sizes) > room:
        long = sum(sizes[i] for i in texts) > room // 2
        some = texts if long else [i for i in range(len(sizes)) if i not in texts]
        sizes[max(some, key=lambda i: sizes[i])] -= 1
    rows = [names, ["─" * size for size in sizes], *cells]
    return "\n".join(
        "  ".join(fit(text, size) for text, size in zip(row, sizes, strict=True)).rstrip()
        for row in rows
    )


def progress(state: Progress) -> str:
    """One line about a run under way."""
    seconds = max(time.monotonic() - state.started, 1e-9)
    rate = state.accepted / seconds
    left = max(0, state.to_ask - state.accepted)
    parts = [
        f"{state.accepted}/{counted(state.to_ask, 'row')}",
        counted(state.rejects, "reject"),
        f"{rate:.1f} rows/s",
        f"{_count(state.input_tokens + state.output_tokens)} tokens",
    ]
    if state.usd or not state.unpriced:
        parts.append(f"{money(state.usd)} usd")
    if state.failures:
        parts.append(counted(state.failures, "failed call"))
    if left and rate:
        parts.append(f"about {duration(left / rate)} left")
    return " · ".join(parts)


def displaced(before: Mapping[str, Tally], after: Mapping[str, Tally]) -> list[str]:
    """The rows that were there before a run and that others have pushed out in it."""
    lost = {name: tally.lost(before[name]) for name, tally in after.items() if name in before}
    return [_displaced(name, keys) for name, keys in lost.items() if keys]


def _displaced(scenario: str, keys: Sequence[str]) -> str:
    shown = "; ".join(keys[:5])
    more = f"; and {len(keys) - 5} more, all among the rejects" if len(keys) > 5 else ""
    rows = counted(len(keys), "row was", "rows were")
    return f"{scenario}: {rows} displaced: {shown}{more}."


def summary(state: Progress, made: Sequence[Export]) -> str:
    """The closing words of a run."""
    lines = []
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
    if state.non_answers:
        lines.append(
            f"{counted(state.non_answers, 'reply was no answer', 'replies were no answers')} (cut off, "
            "refused or filtered): logged with their cost, asked again on the next run"
        )
    if state.failures:
        worst = max(state.trouble.items(), key=lambda item: item[1], default=("", 0))
        failed = counted(state.failures, "call failed and was", "calls failed and were")
        lines.append(f"{failed} tried again; most often: {worst[0]}")
    for model, limit in state.limits.items():
        lines.append(f"{model} allows {limit}")
    for dataset in made:
        lines += _dataset(dataset)
    return "\n".join(lines)


def _dataset(made: Export) -> list[str]:
    wanted = sum(tally.wanted for tally in made.tallies.values())
    splits = ", ".join(f"{name} {count}" for name, count in made.splits.items())
    lines = [
        f"{made.name}: {made.rows} of {counted(wanted, 'row')}"
        + (f" ({splits})" if len(made.splits) > 1 else "")
    ]
    if made.empty_splits:
        lines.append(f"  left out, for no row fell into it: split {', '.join(made.empty_splits)}")
    refused = sum(tally.rejects for tally in made.tallies.values())
    if refused:
        lines.append(
            f"  {counted(refused, 'answer')} rejected, all in {made.folder.name}/rejects.jsonl; "
            "most often:"
        )
        for (stage, reason), count in made.reasons.most_common(5):
            example = made.examples[stage, reason]
            lines.append(f"    {count} × {stage}: {fit(reason, 90).rstrip()}")
            lines.append(f"        e.g. {fit(example.raw, 86).rstrip()}")
    short = {name: tally.short for name, tally in made.tallies.items() if tally.short}
    for name, combinations in short.items():
        lines.append(
            f"  {name}: {counted(sum(combinations.values()), 'row')} short in "
            f"{counted(len(combinations), 'combination')} after all tries; "
            "`builder run --tries T` asks on"
        )
    return lines


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _count(number: int) -> str:
    return (
        f"{number / 1e6:.1f} M"
        if number >= 1e6
        else f"{number / 1e3:.1f} k"
        if number >= 1e4
        else str(number)
    )


def _value(value: Any) -> str:
    if isinstance(value, str):
        return visible(value)
    return visible(json.dumps(value, ensure_ascii=False, default=str))
