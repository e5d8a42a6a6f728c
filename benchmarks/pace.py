"""What trouble costs: `builder run` against a server that refuses at random, or over a rate.

python -m benchmarks.pace [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Check, Ran

LATENCY = 0.2
"""Seconds of an answer: enough for 64 calls in flight to be the limit, not the CPU."""
FLIGHT = 64
RATE = 20
RETRY_AFTER = 1


def run(rows: int, *words: str) -> tuple[Ran, dict[str, float]]:
    """One run of so many rows against a server that was started with these words."""
    with tempfile.TemporaryDirectory() as scratch, measure.server(*words) as address:
        folder = measure.project(Path(scratch), address, rows=rows)
        flags = ["run", "--yes", "--quiet", "--no-export", "--concurrency", str(FLIGHT)]
        ran = measure.child([*measure.BUILDER, *flags], folder)
        return ran, measure.counted(address)


def section(rows: int = 20_000, limited: int = 600, rounds: int = 2) -> tuple[str, list[Check]]:
    """The table, as Markdown, and its figures held against their limits."""
    latency = ["--latency", str(LATENCY)]
    refusing = [*latency, "--refuse", "0.05", "--retry-after", str(RETRY_AFTER)]
    clean, scattered, ratios = [], [], []
    for _ in range(rounds):
        clean.append(run(rows, *latency))
        scattered.append(run(rows, *refusing))
        ratios.append(clean[-1][1]["seconds"] / scattered[-1][1]["seconds"])
    _, seen = run(
        limited, "--latency", "0.05", "--rate", str(RATE), "--retry-after", str(RETRY_AFTER)
    )
    lines = [
        ["clean", rows, *_line([seen for _, seen in clean], rows)],
        ["5 % answered 429 at random", rows, *_line([seen for _, seen in scattered], rows)],
        [f"at most {RATE} calls a second", limited, *_line([seen], limited)],
    ]
    filled = limited / seen["seconds"]
    checks = [
        Check(
            "throughput under 5 % of 429s, of the clean run's", measure.middle(ratios), least=0.9
        ),
        Check(f"calls a second that brought a row, of {RATE} allowed", filled, least=16),
        Check("calls per row under that cap", seen["calls"] / limited, most=1.3),
    ]
    text = (
        f"## Trouble\n\n{FLIGHT} calls in flight, answers after {LATENCY * 1000:g} ms (50 ms under the cap), each 429 "
        f"with Retry-After: {RETRY_AFTER}; rows/s from the first call to the last, median of {rounds} rounds in turn "
        f"(the cap: one run).\n\n{measure.table(['', 'rows', 'rows/s', 'calls per row'], lines)}\n\n"
        f"With 5 % of the calls refused the throughput is {measure.middle(ratios):.0%} of the clean run's; what is lost "
        f"is the end, where the last refused calls wait alone. Of the "
        f"{RATE} calls a second that the cap allows, {filled:.1f} brought a row.\n"
    )
    return text, checks


def _line(seen: list[dict[str, float]], rows: int) -> list[float]:
    return [
        measure.middle([rows / one["seconds"] for one in seen]),
        measure.middle([one["calls"] / rows for one in seen]),
    ]


def main() -> None:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--quick", action="store_true", help="fewer rows, once")
    given = talk.parse_args()
    text, checks = section(2_000, 200, 1) if given.quick else section()
    print(text, measure.checked(checks), sep="\n")


if __name__ == "__main__":
    main()
