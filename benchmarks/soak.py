"""The long forms of the promises: each line with the figure that this run measured beside it.

    make soak            about twenty minutes
    python -m benchmarks.soak --quick

Ends with 1 if a line does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import crashes, faults
from tests.sites import Found

ENDLESS = ("500", "429-seconds", "hang", "reset", "drip", "prose")
# Replies a second, calls in flight for that, and how many replies beyond these a kill may cost.
REPEATS = ((50, 8, 1), (500, 32, 7), (2000, 128, 20))
Trial = Callable[[Path], Found]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: the promise's number, what was tried, and how."""

    number: int
    about: str
    trial: Trial


def lines(*, quick: bool) -> list[Line]:
    """What is tried one after another, in the order of the promises."""

    def size(short: int, long: int) -> int:
        return short if quick else long

    sizes = tuple(range(4, 1400, 350 if quick else 58))
    return [
        Line(1, "killed and resumed", lambda f: crashes.kills(
            f, kills=size(6, 50), rows=size(250, 2000))),
        *(Line(1, f"kills at {rate:,}/s", partial(
            crashes.repeats, kills=size(5, 50), rate=rate, flying=flying, least=least))
          for rate, flying, least in REPEATS),
        Line(2, "nothing changed", lambda f: crashes.idle(f, rows=size(500, 10_000))),
        Line(3, "one fault for ever", endless),
        Line(3, "an outage", lambda f: faults.outage(
            f, rows=size(200, 2000), begin=2, end=size(6, 32))),
        Line(4, "15 % faults", lambda f: faults.transport(f, rows=size(300, 3000))),
        Line(4, "final errors", faults.final),
        Line(5, "no answers", faults.no_answers),
        Line(6, "20 MB, gzip bombs", lambda f: faults.bodies(f, rows=size(10, 60))),
        Line(6, "one limiter", lambda f: faults.pace(f, seconds=size(15, 60))),
        Line(7, "broken files", faults.inputs),
        Line(7, "folders", crashes.folders),
        Line(8, "signals", crashes.signals),
        Line(9, "memory of runs", lambda f: faults.memory(f, rows=(500, size(1500, 5000)))),
        Line(9, "a long run", lambda f: faults.memory(f, rows=(5000, size(6000, 100_000)))),
        Line(9, "a large plan", lambda f: faults.planned(f, rows=size(100_000, 1_000_000))),
        Line(10, "two runs", crashes.lock),
        Line(11, "damaged state", lambda f: crashes.damage(f, flips=size(5, 60))),
        Line(11, "full disk", lambda f: crashes.full_disk(f, rows=size(300, 2000), sizes=sizes)),
        Line(12, "secrets", faults.secrets),
        Line(13, "hostile answers", faults.hostile),
        Line(15, "budgets", faults.budgets),
    ]  # fmt: skip


def endless(folder: Path) -> Found:
    """Endpoints that show one fault for ever, all at the same time: they cost waiting alone."""
    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        # A call of a provider's length: one to a machine of one's own may take ten minutes.
        found = list(pool.map(lambda fault: faults.only(folder, fault, timeout=75), ENDLESS))
    return Found(
        ", ".join(one.figure for one in found),
        all(one.holds for one in found),
        all(one.in_time for one in found),
    )


def tried(line: Line) -> Found:
    """What a line's trial found; one that fails does not hold."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            return line.trial(Path(folder))
        except Exception as error:  # noqa: BLE001  (the other lines are to be tried all the same)
            return Found(f"{type(error).__name__}: {error}", False)


def main() -> int:
    talk = argparse.ArgumentParser(description="The long forms of the promises.")
    talk.add_argument("--quick", action="store_true", help="a short look, about three minutes")
    talk.add_argument("--only", type=int, nargs="*", metavar="N", help="these promises alone")
    given = talk.parse_args()
    failed = 0
    for line in lines(quick=given.quick):
        if not given.only or line.number in given.only:
            failed += not show(line.number, line.about, tried(line))
    print(f"{failed} lines do not hold" if failed else "every line holds")
    return int(failed > 0)


def show(number: int, about: str, found: Found) -> bool:
    """One row of the table; whether it holds."""
    holds = found.holds and found.in_time
    mark = "holds" if holds else "FAILS" if not found.holds else "LATE "
    print(f"{number:>3}  {mark}  {about:<20} {found.figure}", flush=True)
    return holds


if __name__ == "__main__":
    sys.exit(main())
