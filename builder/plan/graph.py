"""The graph of scenarios: whose rows are made from whose, as text and as Mermaid."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from builder.plan import bounds
from builder.plan.planned import ScenarioPlan
from builder.project.sources import Source
from builder.text import counted, fit, width

INDENT = "  "  # What a level stands further to the right.


class Edge(NamedTuple):
    """One source of a scenario."""

    origin: str
    """The scenario that hands its rows down, or the file of a table."""
    target: str
    """The scenario that is made from them."""
    label: str
    crossed: bool
    """Whether each of its rows makes a case; else rows are looked up in it, or drawn from it."""


def text(parts: Sequence[ScenarioPlan], held: Mapping[str, int] | None = None) -> str:
    """A line for each table and scenario, further to the right than all that it is made from.

    `held` are the rows of each scenario that are there already.
    """
    edges, tables = _edges(parts), _tables(parts)
    ranks = dict.fromkeys(tables, 0)
    lines = [(file, counted(rows, "row"), "") for file, rows in tables.items()]
    for part in _ordered(parts):
        mine = [edge for edge in edges if edge.target == part.name]
        ranks[part.name] = max((ranks[edge.origin] + 1 for edge in mine), default=0)
        origins = ", ".join(f"{edge.label}: {edge.origin}" for edge in mine)
        margin = INDENT * ranks[part.name]
        lines.append((margin + part.name, _rows(part, held), f"from {origins}" * bool(mine)))
    sizes = [max(width(line[column]) for line in lines) for column in (0, 1)]
    return "\n".join(
        "  ".join([*map(fit, line[:2], sizes), line[2]]).rstrip() for line in lines
    )  # fmt: skip


def mermaid(parts: Sequence[ScenarioPlan], held: Mapping[str, int] | None = None) -> str:
    """The same as a Mermaid flowchart, as Markdown pages draw it: tables as cylinders, a dotted
    arrow from what is looked up or drawn from."""
    lines = ["flowchart LR"]
    ids: dict[str, str] = {}
    for file, rows in _tables(parts).items():
        ids[file] = f"n{len(ids)}"
        lines.append(f'{ids[file]}[("{_quoted(file)}<br/>{counted(rows, "row")}")]')
    for part in _ordered(parts):
        ids[part.name] = f"n{len(ids)}"
        lines.append(f'{ids[part.name]}["{part.name}<br/>{_rows(part, held)}"]')
    for origin, target, label, crossed in _edges(parts):
        arrow = "-->" if crossed else "-.->"
        lines.append(f'{ids[origin]} {arrow}|"{_quoted(label)}"| {ids[target]}')
    return f"\n{INDENT}".join(lines)


def _ordered(parts: Sequence[ScenarioPlan]) -> list[ScenarioPlan]:
    return sorted(parts, key=lambda part: (part.scenario.depth, part.name))


def _rows(part: ScenarioPlan, held: Mapping[str, int] | None) -> str:
    wanted = max(part.wanted, bounds.rows(part).expected)
    return (
        counted(wanted, "row")
        if held is None
        else f"{held.get(part.name, 0):,} of {counted(wanted, 'row')}"
    )


def _tables(parts: Sequence[ScenarioPlan]) -> dict[str, int]:
    """The files of tables with their rows, in the order in which scenarios name them."""
    return {
        _file(part, rows.source): len(rows)
        for part in _ordered(parts)
        for rows in (part.feed.rows if part.feed else ())
        if rows.source.kind == "table"
    }


def _file(part: ScenarioPlan, source: Source) -> str:
    """The file or glob of a table, as seen from the folder that holds the scenarios'."""
    home = part.scenario.document.file.parent.name
    return posixpath.normpath(posixpath.join(home, source.target))


def _edges(parts: Sequence[ScenarioPlan]) -> list[Edge]:
    """Every source once: several lines of `draw` may read one."""
    return [*dict.fromkeys(edge for part in _ordered(parts) for edge in _sources(part, parts))]


def _sources(part: ScenarioPlan, parts: Sequence[ScenarioPlan]) -> Iterator[Edge]:
    """The sources of a scenario; one for each scenario of a dataset that is one."""
    scenario = part.scenario
    for number, source in enumerate(scenario.upstream):
        drawn = number >= len(scenario.sources)
        on = ", ".join(scenario.sources[number].on) if not drawn else ""
        label = "draw" if drawn else source.name + f" on {on}" * bool(on)
        if source.kind == "table":
            origins = [_file(part, source)]
        else:
            origins = [
                other.name
                for other in _ordered(parts)
                if source.target
                == (other.name if source.kind == "scenario" else other.scenario.dataset)
            ]
        for origin in origins:
            yield Edge(origin, part.name, label, crossed=not number and not drawn)


def _quoted(label: str) -> str:
    return label.replace('"', "#quot;")
