"""why: the walk of one row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import application, options
from builder.cli.layout import readable
from builder.project.sources import COLUMN
from builder.text import counted, cut, money

if TYPE_CHECKING:
    from builder.results.trace import Basis, Dependents, Origin, Try
    from builder.verbs.why import WhyResult

TEXT = 200  # letters of a reply that are printed


@click.command(cls=application.Verb, help=application.VERBS["why"])
@click.argument("word", metavar="CASE|KEY", help="The `_case` or the `_key` of a row or a reject.")
@click.option("--json", "as_json", is_flag=True, help="The walk as JSON.")
@options.trial_options
@options.project_options
def why(
    word: str, rows: int | None, model: str | None, project: Path, *, as_json: bool, quiet: bool
) -> None:
    """Prints the walk of one row."""
    from builder.verbs import why as verb  # its help is shown without it

    walk = verb.why(project, word, rows=rows, model=model)
    if as_json:
        print(json.dumps(walk.document(), ensure_ascii=False, indent=2, default=str))
    else:
        print("\n".join(lines(walk)))


def lines(walk: WhyResult) -> Iterator[str]:
    """The walk as text."""
    trace = walk.trace
    case = trace.standing.planned.case
    dataset = trace.dataset.name if trace.dataset.exported else "no dataset"
    yield f"── {walk.scenario} · case {walk.case} · {dataset} · occurrence {case.occurrence}"
    for name, value in case.columns.items():
        if name != COLUMN:
            yield f"   {name} = {cut(readable(value), TEXT)}"
    yield f"{walk.fate.kind}: {walk.fate.why}" + f"; in {trace.split}" * bool(trace.split)
    for other in trace.alike:
        yield f"   the case {other} has the same key"
    yield from _section("made from rows", _origins(walk.origins))
    yield from _section("tries", _tries(walk.tries))
    yield from _section("asked again when these change", _basis(trace.basis))
    yield from _section("hangs on it", _dependents(walk.dependents))
    for name in trace.drawn_by:
        yield f"   {name} draws from the rows of {walk.scenario}"


def _section(title: str, parts: Iterable[str]) -> Iterator[str]:
    texts = [f"   {line}" for line in parts]
    yield from [title, *texts] if texts else [f"{title}: none"]


def _origins(origins: Iterable[Origin], indent: str = "") -> Iterator[str]:
    for origin in origins:
        yield f"{indent}{origin.source}  {cut(origin.id, TEXT)}  {origin.scenario or origin.file}"
        yield from _origins(origin.origins, indent + "   ")


def _tries(tries: Iterable[Try]) -> Iterator[str]:
    for key, reply, verdict, reason in tries:
        usage, usd = reply.usage, money(reply.usd)
        tokens = f"{usage.input or 0:,} + {usage.output or 0:,} tokens · {usd} usd"
        model = reply.answered_by or reply.model
        yield f"{key} · {model} · {reply.stop} · {tokens}"
        yield f"   {verdict}" + f": {cut(reason, TEXT)}" * bool(reason)
        yield f"   {cut(reply.text, TEXT)}"


def _basis(basis: Basis) -> Iterator[str]:
    names = ", ".join(basis.names) or "no name"
    if not basis.prompt:
        yield f"nobody is asked; the key follows from what fills {names}"
        return
    yield f"what {', '.join(basis.prompt)} prints with {names}"
    if basis.schema:
        yield f"the JSON Schema of {basis.schema}"
    yield f"the model {basis.model}, its params {json.dumps(dict(basis.params), default=str)}"


def _dependents(every: Iterable[Dependents]) -> Iterator[str]:
    for scenario, depth, cases, rows, ids in every:
        more = f" and {cases - len(ids):,} more" if cases > len(ids) else ""
        indent = "   " * (depth - 1)
        count = f"{counted(cases, 'case')}, {counted(rows, 'row')}"
        yield f"{indent}{scenario}  {count}: {', '.join(ids)}{more}"
