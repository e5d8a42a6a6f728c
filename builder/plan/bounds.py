"""What a scenario is likely to ask and what it can ask at most, before its sources are whole.

Expected is one answer for each row that is to come, more where answers were refused before; at
most is every try of every case and of all that may be called up for it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from builder.plan.planned import ScenarioPlan

USUAL = 6  # Entries that a list without a bound is taken to have beyond its least.


class Outlook(NamedTuple):
    """How many rows a scenario will have."""

    expected: int
    most: int | None
    """None where nothing bounds them."""
    unbounded: str = ""
    """What has no bound, with its line."""


def rows(part: ScenarioPlan) -> Outlook:
    """The rows that a scenario will have, those whose sources are still to come among them."""
    feed = part.feed
    if feed is None or feed.pooled:
        return Outlook(part.wanted, part.wanted)
    first, planned = feed.first, len(part.cases)
    if not part.open:
        return Outlook(planned, planned)
    listed, most_listed, unbounded = _lists(part)
    made = 0 if part.waits_for else len(first)
    units = feed.units if made else 0
    combinations = part.kept // units if units else part.kept
    each = (part.scenario.words.rows.each or 1) * max(1, combinations)
    rate = planned / made if made else each * listed
    coming = max(0, first.expected - made)
    expected = planned + round(coming * rate)
    if first.most is None or most_listed is None:
        return Outlook(expected, None, unbounded or first.unbounded)
    return Outlook(expected, max(planned, first.most * each * most_listed))


def most_answers(part: ScenarioPlan, outlook: Outlook) -> int | None:
    """Answers that the cases of a scenario can take at most; None where nothing bounds them."""
    if outlook.most is None:
        return None
    feed = part.feed
    # Where a case that is called up would ask what the spent one asked, none is.
    reserved = 1 if feed is None or feed.pooled or part.scenario.draws else 0
    tries = part.limit if part.asks else 0
    if part.feed is None or part.feed.pooled:
        index = np.sort(part.cases.index)
        ends = np.flatnonzero(np.append(index[1:] != index[:-1], [True] * bool(len(index)))) + 1
        counts = np.diff(ends, prepend=0)
        known = int((counts + np.maximum(3, counts)).sum())
        unknown = outlook.most - len(part.cases)
        return tries * (known + unknown + (max(3 * part.kept, unknown) if unknown else 0))
    each = part.scenario.words.rows.each or 1
    groups = -(-outlook.most // each)
    return tries * groups * (each + max(3, each) * reserved)


def _lists(part: ScenarioPlan) -> tuple[float, int | None, str]:
    """Entries that the lists of a row have, the likely number and the most; what has no bound."""
    likely, most, unbounded = 1.0, 1, ""
    assert part.feed is not None
    for axis in part.scenario.axes:
        if not axis.source:
            continue
        least, bound, place = part.feed.first.lists.get(axis.parent, (0, None, None))
        likely *= (least + (least + USUAL if bound is None else bound)) / 2
        if bound is None:
            unbounded = f"the list {axis.parent!r} has no max_length" + f" ({place})" * bool(place)
        else:
            most *= bound
    return likely, None if unbounded else most, unbounded
