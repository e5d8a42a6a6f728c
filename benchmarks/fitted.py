"""What fitted samplers add to a plan: the same plan with drawn values and with fixed ones.

python -m benchmarks.fitted [--rows N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import measure

ROWS = 100_000
TABLE = measure.ROOT / "docs/drawing/tables/orders.csv"
FIXED = """\
given: {channel: app, placed: 2026-02-01, items: 2, amount: 214.5, refund_asked: 3.5, waited_days: 4}
"""
COLUMNS = "[channel, placed, items, amount, refund_asked, waited_days]"
DRAWN: Mapping[str, str] = {
    **{
        name: f"draw:\n  - {name}: {{table: orders.csv, columns: {COLUMNS}}}\n"
        for name in ("bootstrap", "copula", "gmm", "cart", "fit")
    },
    "cart, by region": "draw:\n  - cart: {table: orders.csv, by: region}\n",
    "cart, keep": (
        f"draw:\n  - cart: {{table: orders.csv, columns: {COLUMNS}}}\n"
        "keep: [refund_asked <= amount, waited_days >= 2]\n"
    ),
}
FILES = {
    "pyproject.toml": '[tool.builder]\nmodel = "fake:any"\n',
    "prompts/orders.j2": (
        "{{ region }} {{ channel }} {{ placed }} {{ items }} {{ amount }} {{ refund_asked }} "
        "{{ waited_days }}\n"
    ),
    "schemas/note.py": "from pydantic import BaseModel\n\n\nclass Note(BaseModel):\n    note: str\n",
}
HEAD = "schema: Note\nrows: {rows}\nvary:\n  region: [华东, 华北, 华南]\n"
PLAN = """\
import json, sys
from builder import cli
sys.argv = ["builder", "plan"]
try:
    cli.main()
finally:
    print(json.dumps(sorted({"scipy", "sklearn"} & set(sys.modules))))
"""


def added(rows: int = ROWS, times: int = 3) -> Iterator[tuple[str, float, list[str]]]:
    """For each way to draw, the CPU seconds that it adds to a plan once fitted, and the heavy
    packages that such a plan imports. The first line is the plan without any: its own seconds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        (folder / "scenarios").mkdir()
        shutil.copy(TABLE, folder / "scenarios/orders.csv")
        base = _planned(folder, FIXED, rows, times)[0]
        yield "nothing drawn", base, []
        for name, lines in DRAWN.items():
            _planned(folder, lines, 100, 1)  # fitted
            cpu, heavy = _planned(folder, lines, rows, times)
            yield name, cpu - base, heavy


def _planned(folder: Path, lines: str, rows: int, times: int) -> tuple[float, list[str]]:
    """CPU seconds of a whole `builder plan`, and what it imported of the heavy packages."""
    (folder / "scenarios/orders.yaml").write_text(HEAD.format(rows=rows) + lines, "utf-8")
    ran = measure.often(lambda: measure.child([sys.executable, "-c", PLAN], folder), times)
    return ran.cpu, json.loads(ran.out.splitlines()[-1])


def main() -> None:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--rows", type=int, default=ROWS)
    rows = talk.parse_args().rows
    for name, seconds, heavy in added(rows):
        print(f"{name:20} {seconds:8.2f} s CPU  {', '.join(heavy)}", flush=True)


if __name__ == "__main__":
    main()
