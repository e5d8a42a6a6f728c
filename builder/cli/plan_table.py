"""A plan as a table, and what is worth a word beneath it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from builder.cli.layout import fitted
from builder.cli.view import displaced_line
from builder.text import counted, decimals, money

if TYPE_CHECKING:
    # A plan is printed without what runs, gates and exports import.
    from builder.results.estimates import ScenarioEstimate
    from builder.verbs.plan import PlanResult


def of_plan(result: PlanResult, drift: Sequence[str] = (), terminal_columns: int = 80) -> str:
    """The plan as a table and what is worth a word beneath it, drift of its draws included.

    Where the terminal is too narrow for all columns, some are left out.
    """
    heads = ["scenario", "dataset", "combinations", "rows", "held", "to ask", "tokens", "usd"]
    rows: list[list[object]] = [
        [line.scenario, line.dataset, *_counts(line)] for line in result.lines
    ]
    prices = [line.usd if line.to_ask else 0.0 for line in result.lines]
    if len(rows) > 1:
        rows.append(["in all", "", *map(sum, zip(*map(_counts, result.lines), strict=True))])
        prices.append(result.usd)
    digits = max((decimals(usd) for usd in prices if usd is not None), default=2)
    texts = ["unknown" if usd is None else f"{usd:,.{digits}f}" for usd in prices]
    size = max(map(len, texts), default=0)
    lines = [[*row, text.rjust(size)] for row, text in zip(rows, texts, strict=True)]
    text = fitted(heads, lines, terminal_columns, spared=("dataset", "combinations", "tokens"))
    notes = [*drift, *(note for line in result.lines for note in _notes(line))]
    if any(line.depth or line.left_out for line in result.lines) and result.to_ask:
        notes.append(_bounds(result))
    if result.unplanned:
        notes.append(
            f"{counted(result.unplanned, 'held answer')} of trials, or from before an edit: not in "
            "this plan, kept in the store."
        )
    return "\n".join([text, *dict.fromkeys(notes)])


def _bounds(result: PlanResult) -> str:
    """What a plan is likely to ask, and at most."""
    most = "no bound" if result.most_calls is None else f"{result.most_calls:,}"
    text = f"Expected: {counted(result.calls, 'answer')}; at most: {most}"
    if result.most_usd is not None:
        text += f", {money(result.most_usd)} usd"
    return f"{text}."


def left_out(before: PlanResult, after: PlanResult) -> list[str]:
    """What a run found out about rows that made no case, and cases that have no row."""
    known = {lost for line in before.lines for lost in _lost(line)}
    return [lost for line in after.lines for lost in _lost(line) if lost not in known]


def _of_rows(line: ScenarioEstimate) -> Iterator[str]:
    """What is worth a word of a scenario that rows hang on, or that is made from rows."""
    if line.hanging and line.to_ask:
        hung = " and ".join(f"{counted(n, 'row')} of {name}" for name, n in line.hanging.items())
        yield f"{line.scenario}: {line.to_ask:,} to ask; {hung} {'hangs' if sum(line.hanging.values()) == 1 else 'hang'} on them."
    yield from _lost(line)


def _lost(line: ScenarioEstimate) -> Iterator[str]:
    """How many rows of its sources made no case, how many of its cases have no row, and why."""
    if line.left_out:
        whys = ", ".join(f"{why} ({n:,})" for why, n in line.left_out.items())
        yield f"{line.scenario}: {counted(sum(line.left_out.values()), 'case')} not made: {whys}."
    if line.refused:
        yield f"{line.scenario}: {counted(line.refused, 'case')} refused for good: nothing else is left to ask."
    yield from (f"{line.scenario}: {note}." for note in line.source_notes)


def _counts(line: ScenarioEstimate) -> tuple[int, int, int, int, int]:
    tokens = line.input_tokens + line.output_tokens
    return line.combinations, line.wanted, line.held, line.to_ask, tokens


def _notes(line: ScenarioEstimate) -> Iterator[str]:
    if line.combinations < line.grid:
        yield f"{line.scenario}: keep left {line.combinations} of {line.grid} combinations."
    if line.kept_draws < 1:
        yield f"{line.scenario}: keep let {line.kept_draws:.0%} of the draws pass."
    yield from (f"{line.scenario}: {note}." for note in line.draw_notes)
    yield from _of_rows(line)
    yield from line.warnings
    if line.displaced:
        yield displaced_line(line.scenario, line.displaced)
    if line.other_hosts:
        yield f"{line.scenario}: some held answers came from {', '.join(line.other_hosts)}."
    if line.short and not any("too small" in note for note in line.source_notes):
        yield (
            f"{line.scenario}: {counted(line.short, 'row')} cannot be had within the tries; "
            "`run --tries T` asks on."
        )
    yield from (f"{name} is not set; a run needs the key that it holds." for name in line.unset)
    yield from (f"A run needs what is {lack}" for lack in line.not_installed)
    yield from (
        f"{line.scenario}: its prompt is mainly Chinese, Japanese or Korean, and {model} knows "
        "English only; --model names another one."
        for model in line.foreign
    )
    yield from (
        f"{line.scenario}: the pattern of {field} looks ahead or behind, which no provider enforces; "
        "say in the prompt what it asks for."
        for field in line.unenforced
    )
    if line.usd is None and line.to_ask:
        yield (
            f"{line.scenario}: the price of {', '.join(line.models)} is unknown; usd_per_million under "
            f"[tool.builder.providers.{line.models[0].partition(':')[0]}] sets it."
        )
