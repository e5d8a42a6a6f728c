"""What stands around the calls: start-up, planning, nothing to do, exports, up to a million rows.

python -m benchmarks.plan [--quick]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import Check, Ran

NOWHERE = "http://127.0.0.1:9"
SIZES = (10_000, 100_000, 1_000_000)
TIMES = 7


def builder(folder: Path, *words: str) -> Ran:
    return measure.child([*measure.BUILDER, *words], folder)


def start(times: int) -> list[list[Any]]:
    """Commands on the shipped scenarios, and what a run costs before its first call."""
    told = measure.often(lambda: builder(measure.ROOT, "--help"), times)
    planned = measure.often(lambda: builder(measure.ROOT, "plan"), times)
    return [
        ["`builder --help`", "", told.cpu, told.peak],
        ["`builder plan`, the shipped scenarios", "", planned.cpu, planned.peak],
    ]


def yardstick(times: int) -> list[Any]:
    """How fast this machine is today: what a package costs that every run on OpenAI imports."""
    ran = measure.often(lambda: measure.child([sys.executable, "-c", "import openai"]), times)
    return ["to compare with: `python -c 'import openai'`", "", ran.cpu, ran.peak]


def first_call(times: int) -> list[Any]:
    """CPU of a run when its first call reaches the server, which takes its time to answer."""

    def once() -> Ran:
        with tempfile.TemporaryDirectory() as scratch, measure.server("--latency", "1") as address:
            folder = measure.project(Path(scratch), address, rows=1)
            command = [*measure.BUILDER, "run", "--yes", "--quiet", "--no-export"]
            return measure.child(command, folder, seen=lambda: measure.counted(address)["calls"])

    ran = measure.often(once, times)
    return ["`builder run`, until its first call is sent", 1, ran.cpu, ran.peak]


def nothing(rows: int, times: int) -> list[Any]:
    """A run that finds all done."""
    with tempfile.TemporaryDirectory() as scratch, measure.server("--latency", "0") as address:
        folder = measure.project(Path(scratch), address, rows=rows)
        builder(folder, "run", "--yes", "--quiet", "--concurrency", "256")
        ran = measure.often(lambda: builder(folder, "run", "--yes", "--quiet"), times)
    return ["`builder run`, nothing to do", rows, ran.cpu, ran.peak]


def sized(rows: int) -> tuple[list[list[Any]], list[float]]:
    """Lines of one size, and the seconds of plan, plan with all held, export, and of it beyond
    reading the store.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = measure.project(Path(scratch), NOWHERE, rows=rows)
        plan = measure.often(lambda: builder(folder, "plan"), 3 if rows <= 100_000 else 1)
        measure.child([sys.executable, "-m", "benchmarks.hold", str(folder)])
        held = builder(folder, "plan")
        export = builder(folder, "export")
        apart = [sys.executable, "-m", "benchmarks.beyond", str(folder)]
        beyond = min(json.loads(measure.child(apart).out)["beyond"] for _ in range(2))
    lines: list[list[Any]] = [
        ["`builder plan`, nothing held", rows, plan.cpu, plan.peak],
        ["`builder plan`, all held and judged", rows, held.cpu, held.peak],
        ["`builder export`", rows, export.cpu, export.peak],
        ["… of it beyond reading the store", rows, beyond, ""],
    ]
    return lines, [plan.cpu, held.cpu, export.cpu, beyond]


def section(sizes: tuple[int, ...] = SIZES, times: int = TIMES) -> tuple[str, list[Check]]:
    """The table, as Markdown, and its figures held against their limits."""
    lines: list[list[Any]] = [*start(times), first_call(times), nothing(5_000, times)]
    checks = [
        Check(f"CPU s of {line[0]}", float(line[2]), most=most)
        for line, most in zip(lines, (0.5, 0.5, 1.0, 0.8), strict=True)
    ]
    lines.insert(2, yardstick(times))
    seconds, peaks = {}, {}
    for size in sizes:
        more, seconds[size] = sized(size)
        peaks[size] = [line[3] for line in more]
        lines += more
    a, b = sizes[-2:]
    names = ("plan", "plan with all held", "export")
    exponents = [math.log(seconds[b][i] / seconds[a][i]) / math.log(b / a) for i in range(3)]
    grown = [f"{name} {exponent:.2f}" for name, exponent in zip(names, exponents, strict=True)]
    checks += [
        Check(f"CPU s of a plan of {a:,}", seconds[a][0], most=2.5),
        Check(f"MB of a plan of {b:,} with all held", peaks[b][1], most=300),
        Check("growth exponent of plans", exponents[0], most=1.05),
        Check(f"CPU s of an export of {b:,}, beyond reading the store", seconds[b][3], most=3),
        Check("MB that it takes", peaks[b][2], most=300),
        Check(
            f"bytes of memory for each row that it has more than one of {a:,}",
            (peaks[b][2] - peaks[a][2]) * 2**20 / (b - a),
            most=100,
        ),
    ]
    text = (
        f"## Around the calls\n\nWhole commands, start-up included; those without a size beside them and the small ones "
        f"are the least of {times}, plans up to 100,000 of 3, what is beyond reading of 2. Held answers were put into the store by `benchmarks/hold.py`, one for each row. Beyond reading the "
        f"store, which hands over rows judged and laid out in columns, is what makes files of them: "
        f"digests, Parquet, counts, card (`benchmarks/beyond.py`).\n\n"
        f"{measure.table(['', 'rows', 'CPU s', 'MB'], lines)}\n\n"
        f"Growth of CPU from {a:,} to {b:,} rows, as the exponent of the number of rows: {', '.join(grown)}.\n"
    )
    return text, checks


def main() -> None:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--quick", action="store_true", help="up to 20,000 rows")
    given = talk.parse_args()
    text, checks = section((5_000, 20_000), 3) if given.quick else section()
    print(text, measure.checked(checks), sep="\n")


if __name__ == "__main__":
    main()
