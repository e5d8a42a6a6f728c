"""Puts an answer for every planned row into a project's store.

python -m benchmarks.hold FOLDER
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.server import reply
from builder import store
from builder.plan import requests
from builder.plan.plans import Plan
from builder.project.settings import Project
from builder.records import Completion, Message, Usage


def answers(plan: Plan) -> Iterator[Completion]:
    texts = []
    for number in range(251):
        body = json.loads(reply(number).partition(b"\r\n\r\n")[2])
        texts.append(body["choices"][0]["message"]["content"])
    sent = (Message("user", "put there by a benchmark"),)
    for dataset in plan.datasets:
        for scenario in dataset.scenarios:
            for number, key in enumerate(scenario.cases.keys(0, len(scenario.cases))):
                yield Completion(
                    key, texts[number % 251], scenario.asked[0].model, answered_by="bench-1",
                    usage=Usage(60, 45), mode="json_schema", host="127.0.0.1:9",
                    latency=0.05, time=1.7e9 + number, sent=sent,
                )  # fmt: skip


def main() -> None:
    gc.set_threshold(50_000, 20, 20)
    project = Project.find(sys.argv[1])
    plan = requests.plan(project)
    path = Path(project.store)
    with store.locked(project.outputs), store.writing(path) as held:
        made = answers(plan)
        while group := list(islice(made, 5_000)):
            held.add(group)


if __name__ == "__main__":
    main()
