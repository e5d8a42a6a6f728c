"""Draws without any model: the values that a scenario's rows would get, and how true they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.plan import fidelity
from builder.plan.draws import Draw
from builder.plan.fidelity import Fidelity
from builder.plan.plan import ScenarioPlan
from builder.plan.samplers import fit, registry
from builder.plan.tables import Table, typed

FEWEST = 20
"""Rows of a table that can be halved for an honest comparison."""
MOST = 100_000
"""Rows drawn to be compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fitted line of `draw` beside its table."""

    draw: Draw
    reference: Table
    drawn: Table
    found: Fidelity
    halved: bool
    """Whether half the table was held out; a small table is compared with itself."""
    tried: list[tuple[str, float]]
    """What `fit` chose among, with scores, the chosen one first."""


def rows(scenario: ScenarioPlan) -> list[dict[str, Any]]:
    """Axes and drawn values of every planned case."""
    cases = scenario.cases
    return [dict(one.case.columns) for one in scenario.make(cases.index, cases.occurrence)]


def compare(scenario: ScenarioPlan, n: int) -> list[Comparison]:
    """Each fitted line of `draw` beside its table, `n` rows drawn without regard to `by`.

    The sampler learns from one half and is compared with both, so that a classifier and the
    nearest rows meet rows that it never saw. Needs scikit-learn.
    """
    return [
        _one(scenario, draw, min(n, MOST))
        for draw in scenario.scenario.draws
        if draw.table is not None and draw.columns
    ]


def _one(scenario: ScenarioPlan, draw: Draw, n: int) -> Comparison:
    assert draw.table is not None
    table = draw.table.select(draw.columns)
    sampler = registry.sampler(draw.sampler)
    rng = np.random.default_rng(scenario.scenario.words.seed)
    order = rng.permutation(len(table))
    half, rest = order[: len(table) // 2], order[len(table) // 2 :]
    halved = len(table) >= FEWEST
    reference = table.take(np.sort(half)) if halved else table
    held_out = table.take(np.sort(rest)) if halved else None
    try:
        arrays = sampler.fit(reference, draw.options, rng)
    except ValueError:
        halved, reference, held_out = False, table, None
        arrays = scenario.drawer.learned(draw)
    drawn = Table(sampler.draw(arrays, rng.random((n, sampler.width(arrays)))))
    found = fidelity.compare(drawn, reference, held_out, rng)
    tried = fit.choice(scenario.drawer.learned(draw)) if draw.sampler == "fit" else []
    return Comparison(draw, table, drawn, found, halved, tried)


def table_of(records: list[dict[str, Any]]) -> Table:
    """Drawn rows as a table."""
    names = list(records[0]) if records else []
    return Table({name: typed(name, [record[name] for record in records]) for name in names})
