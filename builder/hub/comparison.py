"""What lies between two releases of a dataset: rows by `_case`, shares by axis, gates side by side.

Files with the same content are never opened. Of the others, 18 bytes a row stay in memory,
and one file at a time is on the disk.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from builder.dataset import files, history, manifests
from builder.errors import InputError
from builder.hub import remote
from builder.quality import report_file
from builder.records import canonical
from builder.table import reader

K = TypeVar("K")
V = TypeVar("V")
UNREAD = "_key"  # the address of an answer: another one with the same content is no other row


@dataclass(frozen=True, slots=True)
class Shard:
    """One data file of a release."""

    name: str
    entry: remote.Entry
    open: Callable[[], AbstractContextManager[Path]]

    @property
    def split(self) -> str:
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Side:
    """One release."""

    name: str
    shards: tuple[Shard, ...]
    # The share of each value of an axis.
    axes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # Figures by gate and what it measured.
    gates: Mapping[tuple[str, str], float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two releases."""

    before: Side
    after: Side
    scenarios: dict[str, history.Change]
    opened: int  # files that had to be read
    axes: dict[str, list[tuple[str, float | None, float | None]]] = field(default_factory=dict)
    # Gate, what it measured, and its figure before and after.
    gates: list[tuple[str, str, Any, Any]] = field(default_factory=list)

    @property
    def total(self) -> history.Change:
        changes = self.scenarios.values()
        return history.Change(
            added=sum(change.added for change in changes),
            removed=sum(change.removed for change in changes),
            changed=sum(change.changed for change in changes),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.name,
            "after": self.after.name,
            "scenarios": {name: change.model_dump() for name, change in self.scenarios.items()},
            "axes": self.axes,
            "gates": self.gates,
        }


def folder(path: Path) -> Side:
    """The release in a folder. InputError where it holds no data."""
    paths = sorted(file for file in (path / "data").glob("*") if file.suffix in files.ENDINGS)
    if not paths:
        raise InputError(f"{path} holds no dataset", hint="name a folder with a data/ in it")
    shards = tuple(
        Shard(
            file.name,
            remote.Entry(file.stat().st_size, files.digest(file)),
            _local(file),
        )
        for file in paths
    )
    manifest = manifests.load(path)
    return Side(str(path), shards, _axes(manifest), _gates(manifests.report_of(path, manifest)))


def revision(repository: remote.Remote, commit: str, dataset: str = "", shown: str = "") -> Side:
    """The release in a repository at a revision. InputError where it holds several datasets and
    none was named."""
    entries = repository.entries(commit)
    names = datasets_in(entries)
    if not dataset and len(names) == 1:
        dataset = names[0]
    if dataset not in names:
        raise InputError(
            f"{shown or repository.name} holds {'several datasets' if names else 'no dataset of ours'}",
            hint=f"--dataset names one of {', '.join(names)}" if names else "publish one first",
        )
    prefix = f"{dataset}/data/"
    shards = tuple(
        Shard(path.removeprefix(prefix), entry, partial(repository.file, path, commit))
        for path, entry in sorted(entries.items())
        if path.startswith(prefix) and path.endswith(files.ENDINGS)
    )
    manifest: manifests.Manifest | None = None
    with suppress(ValueError):
        manifest = manifests.parse(repository.read(f"{dataset}/{manifests.NAME}", commit))
    path = f"{dataset}/{report_file.NAME}"
    report = report_file.parse(repository.read(path, commit)) if path in entries else None
    return Side(
        shown or f"{repository.name}@{commit[:10]}", shards, _axes(manifest), _gates(report)
    )


def datasets_in(entries: Iterable[str]) -> list[str]:
    """The datasets that stand in a repository."""
    return sorted(path.split("/")[0] for path in entries
                  if path.endswith("/manifest.json") and path.count("/") == 1)  # fmt: skip


def between(before: Side, after: Side) -> Difference:
    """What differs between two releases. Rows that stand on both sides in files of the same content are not read."""
    left, right = _unmatched(before, after)
    if len(endings := {Path(shard.name).suffix for shard in (*left, *right)}) > 1:
        raise InputError(
            f"one release is {' and the other '.join(sorted(endings))}; rows of two formats are not compared"
        )
    names: dict[str, int] = {}
    counts = _pair(_Index.of(left, names), _Index.of(right, names), len(names)).tolist()
    changes = {
        name: history.Change(
            added=counts[number][0], removed=counts[number][1], changed=counts[number][2]
        )
        for name, number in sorted(names.items())
    }
    return Difference(
        before, after, changes, len(left) + len(right),
        {name: [(value, *pair) for value, pair in _join(*axis).items()]
         for name, axis in _join(before.axes, after.axes).items()},
        [(*key, *pair) for key, pair in _join(before.gates, after.gates).items()],
    )  # fmt: skip


def moved(before: Side, after: Side) -> int:
    """How many rows stand in another split after than before."""
    left, right = map(_splits, _unmatched(before, after, sides=True))
    return sum(right.get(case, split) != split for case, split in left.items())


def _splits(shards: Iterable[Shard]) -> dict[int, str]:
    """The split of each row of these files, by case."""
    splits: dict[int, str] = {}
    for shard in shards:
        with shard.open() as path:
            for _, record in reader.rows(path, foreign=True):
                splits[_word(str(record.get("_case")).encode())] = shard.split
    return splits


def same(
    left: remote.Entry, right: remote.Entry, content: Callable[[], bytes] | None = None
) -> bool:
    """Whether two files have the same content; `content` is that of `left` where it is at hand."""
    if left.size != right.size:
        return False
    if left.sha256 and right.sha256:
        return left.sha256 == right.sha256
    if left.git and right.git:
        return left.git == right.git
    return content is not None and remote.git_id(content()) == right.git


@dataclass(slots=True)
class _Index:
    """Rows of some files in columns: case, digest of the content, number of the scenario."""

    cases: array[int] = field(default_factory=lambda: array("Q"))
    digests: array[int] = field(default_factory=lambda: array("Q"))
    scenarios: array[int] = field(default_factory=lambda: array("H"))

    @classmethod
    def of(cls, shards: Iterable[Shard], names: dict[str, int]) -> _Index:
        """The index of all rows in these files; `names` numbers the scenarios of both sides."""
        index = cls()
        for shard in shards:
            with shard.open() as path:
                for _, record in reader.rows(path, foreign=True):
                    index.add(record, names, shard.name)
        return index

    def add(self, record: dict[str, Any], names: dict[str, int], shard: str) -> None:
        """Notes one row; the record loses its address."""
        case, scenario = record.get("_case"), record.get("_scenario")
        if case is None or scenario is None:
            raise InputError(f"{shard} has no column _case: it was not made here")
        record.pop(UNREAD, None)
        self.cases.append(_word(str(case).encode()))
        self.digests.append(_word(canonical(record)))
        self.scenarios.append(names.setdefault(scenario, len(names)))

    def sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint16]]:
        """(n,) cases in order, with their digests and scenarios."""
        columns = (self.cases, self.digests, self.scenarios)
        cases, digests, scenarios = (np.asarray(column) for column in columns)
        order = np.argsort(cases, kind="stable")
        return cases[order], digests[order], scenarios[order]


def _pair(left: _Index, right: _Index, scenarios: int) -> NDArray[np.int64]:
    """(scenarios, 3) counts of added, removed and changed rows."""
    a, a_digest, a_scenario = left.sorted()
    b, b_digest, b_scenario = right.sorted()
    _, at, bt = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    only_a, only_b = np.ones(len(a), bool), np.ones(len(b), bool)
    only_a[at] = only_b[bt] = False
    parts = (b_scenario[only_b], a_scenario[only_a], b_scenario[bt][a_digest[at] != b_digest[bt]])
    return np.stack([np.bincount(part, minlength=scenarios) for part in parts], axis=1)


def _unmatched(
    before: Side, after: Side, *, sides: bool = False
) -> tuple[list[Shard], list[Shard]]:
    """The files of each side whose content is nowhere on the other; with `sides`, nowhere in the
    same split."""
    left, right = set(range(len(before.shards))), set(range(len(after.shards)))
    for i, shard in enumerate(before.shards):
        for j, other in enumerate(after.shards):
            if (shard.split == other.split or not sides) and _equal(shard, other):
                left.discard(i)
                right.discard(j)
    return [before.shards[i] for i in sorted(left)], [after.shards[j] for j in sorted(right)]


def _equal(left: Shard, right: Shard) -> bool:
    """Whether two files have the same content; one whose git id nobody knows is read for it."""
    if left.entry.git and not right.entry.git:
        left, right = right, left

    def content() -> bytes:
        with left.open() as path:
            return path.read_bytes()

    return same(left.entry, right.entry, content)


def _join(
    before: Mapping[K, V] | None, after: Mapping[K, V] | None
) -> dict[K, tuple[V | None, V | None]]:
    left, right = before or {}, after or {}
    return {key: (left.get(key), right.get(key)) for key in {**left, **right}}


def _axes(manifest: manifests.Manifest | None) -> dict[str, dict[str, float]]:
    return {
        name: {value: share for value, _, share in axis.most_frequent(len(axis.values))}
        for name, axis in (manifest.axes if manifest else {}).items()
    }


def _gates(report: report_file.Report | None) -> dict[tuple[str, str], float | None]:
    return {(entry.gate, entry.what): entry.value for entry in report.findings} if report else {}


def _word(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _local(path: Path) -> Callable[[], AbstractContextManager[Path]]:
    return lambda: nullcontext(path)
