"""Exports a project and prints where the CPU seconds went: in reading the store, or beyond.

Reading is what hands over the rows, planned, looked up, judged and laid out in columns; beyond is
what makes files of them. Both in one process and in turns, so that a machine that changes its
speed changes it for both.

python -m benchmarks.beyond FOLDER
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from time import process_time

from builder import store
from builder.dataset import exports
from builder.plan import requests
from builder.project.settings import Project
from builder.records import Reject
from builder.results import rows
from builder.results.rows import Batch


def main() -> None:
    gc.set_threshold(50_000, 20, 20)
    project = Project.find(sys.argv[1])
    plan = requests.plan(project)
    reading = 0.0
    handed_over = rows.Reading.batches

    def timed(self: rows.Reading) -> Iterator[Batch | Reject]:
        nonlocal reading
        batches = handed_over(self)
        while True:
            began = process_time()
            batch = next(batches, None)
            reading += process_time() - began
            if batch is None:
                return
            yield batch

    rows.Reading.batches = timed  # type: ignore[method-assign]  # the one place where the clock fits
    began = process_time()
    with store.reading(project.store) as held:
        for one in plan.datasets:
            exports.write_rows(plan, one, exports.read(one, held))
    whole = process_time() - began
    print(json.dumps({"reading": reading, "beyond": whole - reading}))


if __name__ == "__main__":
    main()
