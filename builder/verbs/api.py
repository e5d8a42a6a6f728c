"""The verbs as functions, for notebooks and scripts. The command line is made of the same parts.

>>> import builder, pathlib, tempfile
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> _ = builder.init_project(folder)
>>> project = builder.open_project(folder)
>>> look = builder.survey(project, ["support_messages"], rows=3, model="fake:any")
>>> look.to_ask
3
>>> builder.fill_missing(project, ["support_messages"], rows=3, model="fake:any").accepted
3
>>> builder.survey(project, ["support_messages"], rows=3, model="fake:any").to_ask
0
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from builder import store
from builder.dataset import exports
from builder.dataset.exports import Export
from builder.dataset.files import Format
from builder.errors import InputError, nearest
from builder.fill.fill import Fill
from builder.fill.progress import Progress
from builder.plan import requests
from builder.plan.plans import DatasetPlan, Overrides, Plan
from builder.project import starter
from builder.project.settings import Budget, Project
from builder.project.words import Rows
from builder.records import Reject
from builder.results import estimates, settle
from builder.results import rows as rows_module
from builder.results.estimates import Estimate
from builder.results.rows import Batch


def init_project(folder: str | Path) -> list[Path]:
    """The files of a new project in `folder`, written. InputError where one stands there already."""
    return starter.write(Path(folder))


def open_project(folder: str | Path = ".") -> Project:
    """The project that holds this folder. InputError where there is none."""
    return Project.find(folder)


def survey(
    project: Project,
    scenarios: Sequence[str] = (),
    *,
    rows: int | None = None,
    model: str | None = None,
) -> Estimate:
    """What a run would ask, hold and cost; no call is made. InputError for whatever is wrong."""
    plan = _plan(project, scenarios, rows, model)
    with store.reading(project.store) as held:
        return estimates.make(plan, held, whole=not scenarios)


def fill_missing(
    project: Project,
    scenarios: Sequence[str] = (),
    *,
    rows: int | None = None,
    model: str | None = None,
    tries: int | None = None,
    concurrency: int | None = None,
    budget: str | None = None,
) -> Progress:
    """What was asked and accepted: every missing row of these scenarios, asked for.

    Nothing is confirmed and nothing exported. Raises InputError, ProviderError, RefusedError,
    StoreError or BusyError; what was answered before is in the store.
    """
    plan = _plan(project, scenarios, rows, model, tries)
    with store.locked(project.outputs), store.writing(project.store) as held:
        looked = estimates.make(plan, held, whole=False)
        state = Progress.before(looked)
        state.dropped = held.dropped
        if looked.to_ask:
            cap = budget or project.settings.budget
            run = Fill(
                plan,
                held,
                state,
                concurrency or project.settings.concurrency,
                Budget.parse(cap) if cap else None,
            )
            _finished(run)
    return state


def export_dataset(
    project: Project,
    name: str,
    *,
    rows: int | None = None,
    model: str | None = None,
    format: Format | None = None,  # noqa: A002  (the word that people use)
) -> Export:
    """The folder of a dataset, written from what the store holds.

    With `rows` or `model` it is the folder of that trial; `format` is the project's when left out.
    """
    plan = _plan(project, (), rows, model)
    with store.locked(project.outputs), store.reading(project.store, check=True) as held:
        return exports.write(plan, _dataset(plan, name), held, exports.Form(format))


def read_rows(
    project: Project, name: str, *, rows: int | None = None, model: str | None = None
) -> Iterator[dict[str, Any]]:
    """The accepted rows of a dataset as flat records, straight from the store."""
    for item in _items(project, name, rows, model):
        if not isinstance(item, Reject):
            yield from rows_module.records(item.columns)


def read_rejects(
    project: Project, name: str, *, rows: int | None = None, model: str | None = None
) -> Iterator[Reject]:
    """The refused answers of a dataset, each with its stage, reason and raw text."""
    for item in _items(project, name, rows, model):
        if isinstance(item, Reject):
            yield item


def _items(
    project: Project, name: str, rows: int | None, model: str | None
) -> Iterator[Batch | Reject]:
    plan = _plan(project, (), rows, model)
    with store.reading(project.store) as held:
        yield from rows_module.read(settle.settle(_dataset(plan, name), held)).batches()


def _plan(
    project: Project,
    scenarios: Sequence[str],
    rows: int | None,
    model: str | None,
    tries: int | None = None,
) -> Plan:
    changed = Overrides(Rows(total=rows) if rows else None, model, tries)
    return requests.plan(project, scenarios, changed)


def _dataset(plan: Plan, name: str) -> DatasetPlan:
    known = {one.name: one for one in plan.datasets}
    if name not in known:
        raise InputError(f"no dataset {name!r}.{nearest(name, known)}")
    return known[name]


def _finished(run: Fill) -> None:
    """Runs a fill to its end, also where a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run.run())
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run.run()).result()
