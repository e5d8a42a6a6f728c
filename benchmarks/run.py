"""What a row costs: `builder run` beside bare loops that do the same work, in the same minutes.

    python -m benchmarks.run [--quick]

CPU per row is the slope between a short and a long run, so that start-up falls out; the
contenders take turns, and the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Check, Ran

FLIGHT = 256
LATENCY = 0.05
LOOPS = {
    "a": ("aiohttp", "bare aiohttp loop"),
    "b": ("sdk", "openai SDK loop, aiohttp backend, raw post"),
    "c": ("pool", "openai SDK loop, its default pool"),
}
OURS = "`builder run`, export and all"


def loop(kind: str, address: str, folder: Path, rows: int) -> Ran:
    measure.project(folder, address, rows=rows)
    words = [kind, address, str(folder), str(rows), str(FLIGHT)]
    return measure.child([sys.executable, "-m", "benchmarks.loops", *words])


def ours(address: str, folder: Path, rows: int) -> Ran:
    measure.project(folder, address, rows=rows)
    return measure.child(
        [*measure.BUILDER, "run", "--yes", "--quiet", "--concurrency", str(FLIGHT)], folder
    )


def once(name: str, address: str, rows: int) -> Ran:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        return (
            ours(address, folder, rows)
            if name == "d"
            else loop(LOOPS[name][0], address, folder, rows)
        )


def section(
    few: int = 5_000, many: int = 25_000, rounds: int = 2, flat: int = 100_000
) -> tuple[str, list[Check]]:
    """The table, as Markdown, and its figures held against their limits."""
    names = [*LOOPS, "d"]
    short: dict[str, list[Ran]] = {name: [] for name in names}
    long: dict[str, list[Ran]] = {name: [] for name in names}
    with measure.server("--latency", str(LATENCY)) as address:
        for _ in range(rounds):
            for name in names:
                short[name].append(once(name, address, few))
                long[name].append(once(name, address, many))
        longest = once("d", address, flat)
    slopes = {
        name: measure.middle(
            [measure.slope(a, b, many - few) for a, b in zip(short[name], long[name], strict=True)]
        )
        for name in names
    }
    rows = []
    for name in names:
        rates = [many / ran.wall for ran in long[name]]
        rows.append(
            [
                f"({name}) {OURS if name == 'd' else LOOPS[name][1]}",
                slopes[name],
                slopes[name] / slopes["b"],
                measure.middle(rates),
                measure.middle([ran.peak for ran in short[name]]),
                measure.middle([ran.peak for ran in long[name]]),
            ]
        )
    peak = measure.middle([ran.peak for ran in short["d"]])
    checks = [
        Check("CPU of a row, as times that of (b)", slopes["d"] / slopes["b"], most=1.25),
        Check("CPU of a row of (c), as times ours", slopes["c"] / slopes["d"], least=3),
        Check(f"peak MB of a run of {flat:,} rows", longest.peak, most=160),
        Check(f"MB that it has more than one of {few:,}", longest.peak - peak, most=20),
    ]
    heads = ["", "CPU ms per row", "times (b)", "rows/s", f"MB at {few:,}", f"MB at {many:,}"]
    text = (
        f"## A row\n\n{FLIGHT} calls in flight, answers after {LATENCY * 1000:g} ms, every one rendered, asked, "
        f"validated by the same class and journalled with an fsync for each group of 256. CPU per row is the slope "
        f"between {few:,} and {many:,} rows, median of {rounds} rounds in turn; rows/s those of the longer run, start-up and export "
        f"included.\n\n{measure.table(heads, rows)}\n\n"
        f"`builder run` costs {slopes['d'] / slopes['b']:.2f} times (b); (c) costs {slopes['c'] / slopes['d']:.1f} times `builder run`. A run of {flat:,} rows peaks at {longest.peak:.0f} MB.\n"
    )
    return text, checks


def main() -> None:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--quick", action="store_true", help="1,000 and 3,000 rows, once")
    given = talk.parse_args()
    text, checks = section(1_000, 3_000, 1, 3_000) if given.quick else section()
    print(text, measure.checked(checks), sep="\n")


if __name__ == "__main__":
    main()
