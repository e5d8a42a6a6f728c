"""The fields of sources' rows that a scenario's files name: each is there, before anything is asked."""

from collections.abc import Iterator, Sequence

from builder.errors import InputError, Place, nearest
from builder.plan.upstream import SourceRows
from builder.project import sources
from builder.project.scenarios import Scenario
from builder.project.sources import Source


def check(scenario: Scenario, every: Sequence[SourceRows]) -> None:
    """Passes where the rows of the sources have every field that the scenario's files name, a list
    where its entries are named. InputError with the place of the first that they lack."""
    for rows in every:
        if not rows.kinds:
            continue
        sources.check_named(rows.source, rows.kinds)
        for name, place in _used(scenario, rows.source):
            if name not in rows.kinds and name not in sources.OWN:
                raise sources.no_field(rows.source, name, rows.kinds, place)
    _check_lists(scenario, every[0])
    if every[0].kinds:
        _check_looked_up(scenario, every)


def _used(scenario: Scenario, source: Source) -> Iterator[tuple[str, Place]]:
    """What template, rules and axes take from a row of a source, each with its place."""
    rules = (*scenario.keep_sources, *scenario.keep_rows)
    direct = [*scenario.prompt.attributes(source.name)]
    direct += [(word, r.place) for r in rules for name, word in r.attributes if name == source.name]
    if source.n is not None and direct:
        name, place = direct[0]
        raise InputError(
            f"{source.name!r} is a list of rows, for it has n, and a list has no {name!r}",
            place=place,
            hint=f"{{% for row in {source.name} %}}{{{{ row.{name} }}}}{{% endfor %}}",
        )
    yield from direct
    if source.n is not None:
        yield from scenario.prompt.attributes(source.name, each=True)
    yield from ((a.parent, a.place) for a in scenario.axes if a.source == source.name)


def _check_lists(scenario: Scenario, first: SourceRows) -> None:
    for axis in scenario.axes:
        kind = first.kinds.get(axis.parent) if axis.source else None
        if kind is not None and kind.name not in ("list", "json"):
            raise InputError(
                f"{axis.parent!r} is no list but {kind.name}, so it gives {axis.name!r} no values",
                place=axis.place,
                hint=f"'of' names a list of the rows of {axis.source!r}",
            )


def _check_looked_up(scenario: Scenario, every: Sequence[SourceRows]) -> None:
    """Passes where what a source is looked up by is known before it."""
    names = {*every[0].kinds, *sources.OWN, *scenario.given, *(a.name for a in scenario.axes)}
    for rows in every:
        for mine in rows.source.on:
            if mine not in names:
                raise InputError(
                    f"`on` names {mine!r}, which is no name that comes before it.{nearest(mine, names)}",
                    place=rows.source.at("on"),
                    hint="on: {mine: theirs}; mine is a field of the first source, given, taken or varied",
                )
        names |= {*rows.source.take.values()}
