"""diff: what lies between two releases of a dataset, in folders or on the Hub."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InputError
from builder.hub import comparison, remote
from builder.project.settings import NAME, Project
from builder.verbs.result import Result


@dataclass(frozen=True, slots=True, repr=False)
class DiffResult(Result):
    """The differences between two releases; one record a scenario."""

    difference: comparison.Difference

    def summary(self) -> str:
        total = self.difference.total
        return (
            f"{self.difference.before.name} → {self.difference.after.name}: {total.added:,} added, "
            f"{total.removed:,} removed, {total.changed:,} changed"
        )

    def records(self) -> Iterator[Mapping[str, object]]:
        for name, change in self.difference.scenarios.items():
            yield {"scenario": name, **change.model_dump()}


def diff(
    folder: str | Path, before: str | Path, after: str | Path, *, dataset: str = ""
) -> DiffResult:
    """Compares two releases: each a folder, an exported dataset of the project in `folder`, or
    REPO@TAG, REPO@COMMIT or REPO on the Hub. A tag alone, as `after`, is one of `before`'s REPO.

    `dataset` tells which of a repository's datasets.
    """
    with ExitStack() as stack:
        left = _side(str(before), "", dataset, folder, stack)
        repository = str(before).partition("@")[0] if "@" in str(before) else ""
        right = _side(str(after), repository, dataset, folder, stack)
        return DiffResult(comparison.between(left, right))


def _side(
    text: str, repository: str, dataset: str, folder: str | Path, stack: ExitStack
) -> comparison.Side:
    """The release that a text names; a tag alone is one of `repository`."""
    name, at, revision = text.partition("@")
    if Path(text).is_dir():
        return comparison.folder(Path(text))
    project = _project(folder)
    if not at and "/" not in text:
        if project and NAME.match(text) and (project.outputs / text).is_dir():
            return comparison.folder(project.outputs / text)
        if not repository:
            raise InputError(
                f"no folder and no exported dataset {text!r}",
                hint="REPO@TAG names a release on the Hub",
            )
        name, revision = repository, text
    environ = project.environ() if project else os.environ
    hub = stack.enter_context(remote.opened(name, environ.get("HF_TOKEN", "").strip()))
    if (head := hub.head(revision or remote.BRANCH)) is None:
        raise InputError(f"the Hub has no dataset {name}, or HF_TOKEN may not see it")
    shown_name = text if at else f"{name}@{revision or 'main'}"
    return comparison.revision(hub, head.commit, dataset, shown_name)


def _project(folder: str | Path) -> Project | None:
    """The project that holds a folder; None where there is none: releases are compared anywhere."""
    try:
        return Project.find(folder)
    except InputError:
        return None
