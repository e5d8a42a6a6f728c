"""Draws without any model: the values that a scenario's rows would get, and how true they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.plan import drawer
from builder.plan.planned import ScenarioPlan
from builder.project import documents, draws
from builder.sampling import fidelity, fit, samplers
from builder.table import tables

FEWEST = 20  # Rows of a table that can be halved for an honest comparison.
MOST = 100_000  # Rows drawn to be compared.


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fitted line of `draw` beside its table."""

    draw: draws.Draw
    reference: tables.Table
    drawn: tables.Table
    found: fidelity.Fidelity
    # What `fit` chose among, with scores, the chosen one first, for each value of `by`.
    tried: dict[str, list[tuple[str, float]]]


def rows(scenario: ScenarioPlan) -> list[dict[str, Any]]:
    """Axes and drawn values of every planned case."""
    cases = scenario.cases
    return [dict(planned.case.columns) for planned in scenario.make(cases.index, cases.occurrence)]


def compare(scenario: ScenarioPlan, n: int) -> list[Comparison]:
    """Each fitted line of `draw` beside its table, `n` rows drawn; `by` groups at their shares.

    The sampler learns from one half and is compared with both, so that a classifier and the
    nearest rows meet rows that it never saw; a small table is compared with itself. Needs
    scikit-learn.
    """
    return [
        _one(scenario, draw, min(n, MOST))
        for draw in scenario.scenario.draws
        if draw.table is not None and draw.columns
    ]


def _one(scenario: ScenarioPlan, draw: draws.Draw, n: int) -> Comparison:
    rng = np.random.default_rng(scenario.scenario.words.seed)
    values: list[Any] = [None]
    if draw.by is not None:
        combinations = scenario.scenario.grid.combinations(np.unique(scenario.cases.index))
        values = list(dict.fromkeys(combination[draw.by[0]] for combination in combinations))
    groups = [scenario.drawer.rows(draw, value).select(draw.columns) for value in values]
    reference = tables.stacked(groups)
    tried = {
        "" if value is None else documents.describe(value): chosen
        for value in values
        if (chosen := fit.choice(scenario.drawer.learned(draw, value)))
    }
    if len(reference) >= FEWEST:
        ours, theirs = [], []
        for group in groups:
            order, half = rng.permutation(len(group)), -(-len(group) // 2)
            ours.append(group.take(np.sort(order[:half])))
            theirs.append(group.take(np.sort(order[half:])))
        try:
            drawn = _drawn(draw, ours, n, rng)
        except ValueError:
            pass  # half the table is too small for the sampler
        else:
            seen, held_out = tables.stacked(ours), tables.stacked(theirs)
            likeness = fidelity.compare(drawn, seen, held_out, rng)
            return Comparison(draw, reference, drawn, likeness, tried)
    drawn = _drawn(draw, groups, n, rng)
    return Comparison(draw, reference, drawn, fidelity.compare(drawn, reference, None, rng), tried)


def _drawn(
    draw: draws.Draw, groups: Sequence[tables.Table], n: int, rng: np.random.Generator
) -> tables.Table:
    """About n rows of what is learned from each group, as many as its share of all."""
    total = sum(len(group) for group in groups)
    parts = []
    for group in groups:
        sampler, options = samplers.sampler(draw.sampler), draw.options
        try:
            arrays = sampler.fit(group, options, rng)
        except ValueError:
            if draw.by is None:
                raise
            sampler = samplers.sampler(drawer.WHOLE)
            arrays = sampler.fit(group, sampler.options({}), rng)
        u = rng.random((max(1, round(n * len(group) / total)), sampler.width(arrays)))
        parts.append(tables.Table(sampler.draw(arrays, u)))
    return tables.stacked(parts)
