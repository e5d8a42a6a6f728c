"""A dataset's folder from plan and store: data, rejects, manifest. The same store, the same bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonlines

from builder.errors import StoreError
from builder.export import files, rows
from builder.export.files import Folder, Format
from builder.plan.columns import JSON
from builder.plan.plan import DatasetPlan, Plan
from builder.records import Reject
from builder.run.results import Tallies, Tally
from builder.store import Store

_VALUES = re.compile(
    r"""(?<![\w])(?:\d+(?:\.\d+)?|'[^']*'|"[^"]*"|「[^」]*」|“[^”]*”|[0-9a-f]{32}-\d+-\d+)"""
)


@dataclass(slots=True)
class Exported:
    """What a dataset's folder holds now."""

    name: str
    folder: Path
    splits: dict[str, int]
    empty_splits: list[str]
    tallies: Tallies
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], Reject] = field(default_factory=dict)
    changed: bool = True
    """False where the folder held just this already."""

    @property
    def rows(self) -> int:
        return sum(self.splits.values())

    def note(self, reject: Reject) -> None:
        # What differs from row to row (numbers, quoted text) is no other reason.
        reason = (reject.stage, _VALUES.sub("…", reject.reason))
        if reason in self.reasons or len(self.reasons) < 10_000:
            self.reasons[reason] += 1
            self.examples.setdefault(reason, reject)


def folder(plan: Plan, dataset: DatasetPlan) -> Path:
    """Where a dataset goes: runs that flags changed go under trial/."""
    outputs = plan.project.outputs
    return (outputs / "trial" if plan.trial else outputs) / dataset.name


def write(plan: Plan, dataset: DatasetPlan, store: Store, *, form: Format = "parquet") -> Exported:
    """Writes data/, rejects.jsonl and manifest.json of a dataset, or leaves them be when they
    hold just that already.

    One pass over plan and store, some thousand rows in memory. Raises StoreError, naming the
    path, where the folder cannot be written; what stood there stays.
    """
    where = folder(plan, dataset)
    splits = plan.project.dataset_settings(dataset.name).splits
    with _naming(where):
        return _write(plan, dataset, store, where, splits, form)


def _write(
    plan: Plan,
    dataset: DatasetPlan,
    store: Store,
    where: Path,
    splits: Mapping[str, float],
    form: Format,
) -> Exported:
    current = _current(plan, dataset, store, where, splits, form)
    if current is not None:
        return current
    reading = rows.read(dataset, store, splits)
    counts = dict.fromkeys(splits, 0)
    made = Exported(dataset.name, where, counts, [], reading.tallies)
    content = _content(reading, form)
    where.mkdir(parents=True, exist_ok=True)
    rejects_part, part = where / "rejects.part", where / "manifest.part"
    with (
        Folder(where / "data", reading.kinds, form) as out,
        rejects_part.open("w", encoding="utf-8", newline="\n") as stream,
        jsonlines.Writer(stream) as rejects,
    ):
        for item in reading.records():
            if isinstance(item, Reject):
                made.note(item)
                rejects.write(reject_record(item))
                continue
            split, record = item
            counts[split] += 1
            content.add(split, record)
            out.write(split, record)
    made.splits = {split: n for split, n in counts.items() if n}
    made.empty_splits = [split for split, n in counts.items() if not n]
    written = {f"data/{name}": path for name, path in out.made().items()}
    about = {
        name: _about(path)
        for name, path in sorted({**written, "rejects.jsonl": rejects_part}.items())
    }
    manifest = _manifest(plan, dataset, made, content.hex(), form, about)
    part.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")
    # All is on the disk now. No manifest while the files change: one that is there vouches for them.
    (where / "manifest.json").unlink(missing_ok=True)
    out.publish()
    rejects_part.replace(where / "rejects.jsonl")
    part.replace(where / "manifest.json")
    return made


def reject_record(reject: Reject) -> dict[str, Any]:
    """A reject as one line of rejects.jsonl."""
    return {
        "stage": reject.stage,
        "reason": reject.reason,
        "raw": reject.raw,
        "scenario": reject.case.scenario,
        "model": reject.model,
        "case": reject.case.id,
        "key": str(reject.key),
        "variables": {name: rows.converted(v, JSON) if isinstance(v, dict | list) else v
                      for name, v in reject.case.columns.items()},
    }  # fmt: skip


def _current(
    plan: Plan,
    dataset: DatasetPlan,
    store: Store,
    where: Path,
    splits: Mapping[str, float],
    form: Format,
) -> Exported | None:
    """What the folder holds, if that is just what an export would write now."""
    try:
        manifest = json.loads((where / "manifest.json").read_text("utf-8"))
        for name, about in manifest["files"].items():
            if _about(where / name) != about:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    reading = rows.read(dataset, store, splits)
    found = Exported(
        dataset.name, where, dict.fromkeys(splits, 0), [], reading.tallies, changed=False
    )
    content = _content(reading, form)
    for item in reading.records():
        if isinstance(item, Reject):
            found.note(item)
        else:
            found.splits[item[0]] += 1
            content.add(*item)
    found.empty_splits = [split for split, n in found.splits.items() if not n]
    found.splits = {split: n for split, n in found.splits.items() if n}
    wanted = _manifest(plan, dataset, found, content.hex(), form, manifest["files"])
    return found if wanted == manifest else None


def _content(reading: rows.Reading, form: Format) -> rows.ContentDigest:
    kinds = [[name, str(kind)] for name, kind in reading.kinds.items()]
    return rows.ContentDigest(form, kinds, dict(reading.splits))


def _manifest(
    plan: Plan, dataset: DatasetPlan, made: Exported, content: str, form: Format,
    about: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    tallies = made.tallies
    times = [t for tally in tallies.values() for t in tally.span if t]
    return {
        "dataset": dataset.name,
        "content": content,
        "format": form,
        "rows": made.rows,
        "splits": made.splits,
        "scenarios": {
            scenario.name: _scenario(tallies[scenario.name]) for scenario in dataset.scenarios
        },
        "models": sorted({asked.model for s in dataset.scenarios for asked in s.asked}),
        "answered_by": sorted({m for tally in tallies.values() for m in tally.models if m}),
        "usd": round(sum(tally.usd for tally in tallies.values()), 6),
        "answers_without_price": sum(tally.unpriced for tally in tallies.values()),
        "first_answer": _iso(min(times)) if times else None,
        "last_answer": _iso(max(times)) if times else None,
        "sources": _sources(plan, dataset),
        "versions": {
            name: version(name) for name in ("text-dataset-builder", "pydantic", "jinja2")
        },
        "files": about,
    }


def _scenario(tally: Tally) -> dict[str, Any]:
    return {
        "wanted": tally.wanted,
        "accepted": tally.accepted,
        "rejects": tally.rejects,
        "answers": tally.answers,
        "short_combinations": len(tally.short),
    }


def _sources(plan: Plan, dataset: DatasetPlan) -> dict[str, str]:
    """SHA-256 of every file that the dataset follows from, by its path in the project."""
    found: dict[str, str] = {}
    for scenario in dataset.scenarios:
        loaded = scenario.scenario
        for path in (
            loaded.document.file,
            loaded.schema.file,
            *loaded.prompt.files,
            *(draw.table.source for draw in loaded.draws if draw.table and draw.table.source),
        ):
            found[path.resolve().relative_to(plan.project.root).as_posix()] = files.digest(path)  # fmt: skip
    return dict(sorted(found.items()))


def _about(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": files.digest(path)}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def _naming(where: Path) -> Iterator[None]:
    """Trouble with the disk as one line that names the path."""
    try:
        yield
    except OSError as error:
        path = error.filename or where
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}",
            hint="what was paid for is safe in the store; mend this and run `builder export`",
        ) from error
