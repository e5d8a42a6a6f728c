"""Which scenario stands on which: the graph that `from` makes of a project's files."""

import graphlib
from collections.abc import Mapping, Sequence

from builder.errors import InputError
from builder.project import draws, sources
from builder.project.documents import Document
from builder.project.words import Words

Written = Mapping[str, tuple[Document, Words]]


def upstream(name: str, written: Written, datasets: Mapping[str, str]) -> list[str]:
    """The scenarios whose rows those of a scenario are made from."""
    names: list[str] = []
    words = written[name][1] if name in written else None
    made_from = sources.upstream(words.from_) if words else ()
    drawn_from = draws.upstream(words.draw) if words else ()
    for kind, target in (*made_from, *drawn_from):
        if kind == "scenario":
            names.append(target)
        elif kind == "dataset":
            names += [other for other, dataset in datasets.items() if dataset == target]
    return names


def depths(written: Written, datasets: Mapping[str, str]) -> dict[str, int]:
    """How many levels of scenarios lie under each. InputError for rows that are made from themselves."""
    edges = {name: upstream(name, written, datasets) for name in written}
    counted: dict[str, int] = {}
    try:
        for name in graphlib.TopologicalSorter(edges).static_order():
            counted[name] = max((counted[other] + 1 for other in edges.get(name, ())), default=0)
    except graphlib.CycleError as error:
        circle = [name for name in error.args[1][::-1] if name in written]
        files = " ← ".join(written[name][0].file.name for name in circle)
        raise InputError(
            f"rows that are made from themselves: {files}",
            place=written[circle[0]][0].place(("from",), key=True),
            hint="`from` of one of them names rows that are there without the others",
        ) from None
    return counted


def closure(wanted: Sequence[str], written: Written, datasets: Mapping[str, str]) -> set[str]:
    """The wanted scenarios, those that share a dataset with them, and all that these stand on."""
    closed: set[str] = set()
    waiting = [name for name in wanted if name in datasets]
    while waiting:
        name = waiting.pop()
        if name not in closed:
            closed.add(name)
            waiting += [other for other in datasets if datasets[other] == datasets.get(name)]
            waiting += [other for other in upstream(name, written, datasets) if other in datasets]
    return closed
