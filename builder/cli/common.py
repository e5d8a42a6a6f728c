"""What the verbs do alike: how they talk, heed signals, find plans and datasets."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from builder.errors import InputError, nearest


def say(text: str, *, quiet: bool = False) -> None:
    if not text or quiet:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        # Nobody listens any more: that stops the talk and not the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Interrupted(BaseException):
    """A signal outside of a fill. No KeyboardInterrupt, which click would turn into its own end."""


class Twice(Interrupted):
    """The second signal: leave at once."""


@contextmanager
def heeding() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, until the end of the `with`."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    heed(twice=False)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before:
                signal.signal(number, handler)


def heed(*, twice: bool) -> None:
    """Sets what the next signal raises. An event loop that ends forgets it: set it again."""

    def ring(number: int, frame: FrameType | None) -> None:
        if twice:
            raise Twice
        heed(twice=True)
        raise Interrupted

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ring)
        signal.signal(signal.SIGTERM, ring)


def planned(
    folder: Path,
    names: Sequence[str] | None,
    *,
    rows: int | None = None,
    model: str | None = None,
    tries: int | None = None,
) -> tuple[Any, Any]:
    from builder.plan import requests
    from builder.plan.plans import Overrides
    from builder.project.settings import Project
    from builder.project.words import Rows

    found = Project.find(folder)
    changed = Overrides(Rows(total=rows) if rows else None, model, tries)
    return found, requests.plan(found, names or [], changed)


def drift_of(made: Any) -> list[str]:
    """Planned draws that drift beyond what somebody expects; nothing is loaded where nobody does."""
    expected = [made.project.dataset_settings(one.name).expect for one in made.datasets]
    expected += [scenario.scenario.words.expect for scenario in made.scenarios()]
    if not any("drift" in one for one in expected):
        return []
    from builder.quality import drawn

    return drawn.notes(made)


def datasets_of(made: Any, wanted: Sequence[str]) -> list[Any]:
    """The datasets named, by dataset or by class."""
    known = {dataset.name: dataset for dataset in made.datasets}
    classes = {s.scenario.schema.name: d for d in made.datasets for s in d.scenarios}
    fills = {s.name: d.name for d in made.datasets for s in d.scenarios}
    chosen = []
    for name in wanted:
        if name in fills and name not in known and name not in classes:
            raise InputError(
                f"{name!r} is a scenario; its rows are in the dataset {fills[name]!r}",
                hint=f"name that: {fills[name]}",
            )
        if name not in known and name not in classes:
            raise InputError(
                f"no dataset {name!r}.{nearest(name, [*known, *classes])}",
                hint=f"datasets: {', '.join(known)}",
            )
        chosen.append(known.get(name) or classes[name])
    return chosen or list(known.values())


def plan_columns() -> int:
    """How wide a plan may be: what is no terminal takes 80 columns."""
    return shutil.get_terminal_size((80, 24)).columns


def shown_path(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
