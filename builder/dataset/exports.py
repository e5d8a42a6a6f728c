"""A dataset's folder from plan and store: data, rejects, manifest. The same store, the same bytes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonlines

from builder import io
from builder.dataset import card, files, manifests, shapes
from builder.dataset.files import Folder, Format
from builder.dataset.manifests import Manifest
from builder.dataset.shapes import Name, Shape
from builder.plan.columns import JSON
from builder.plan.plans import DatasetPlan, Plan
from builder.records import Reject, digest_of
from builder.results import rows, settle
from builder.results.rows import Reading
from builder.results.settle import Settlement
from builder.results.tally import Tallies
from builder.store import Store

_ANSWER = re.compile(
    r"(?<=no JSON object in the answer): .*|(?<=^not JSON): (?!finding).*", re.DOTALL
)
_FOUND = re.compile(r" \(found .*?\)(?=; |$)", re.DOTALL)
_KEY = re.compile(r"[0-9a-f]{32}-\d+-\d+")
_PARTICULAR = re.compile(r"""(?<!\w)(?:\d+(?:\.\d+)?|'[^']*'|"[^"]*"|「[^」]*」|“[^”]*”)""")
MEND = "what was paid for is safe in the store; repair this and run `builder export`"


@dataclass(slots=True)
class Exported:
    """What a dataset's folder holds now."""

    name: str
    folder: Path
    splits: dict[str, int]
    empty_splits: list[str]
    tallies: Tallies
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often answers were refused, by stage and reason without its particulars."""
    examples: dict[tuple[str, str], Reject] = field(default_factory=dict)
    changed: bool = True
    """False where the folder held just this already."""
    settlement: Settlement | None = None
    """The finished walk over the dataset."""

    @property
    def rows(self) -> int:
        return sum(self.splits.values())

    def note(self, reject: Reject) -> None:
        reason = (reject.stage, plain(reject))
        if reason in self.reasons or len(self.reasons) < 10_000:
            self.reasons[reason] += 1
            self.examples.setdefault(reason, reject)


def plain(reject: Reject) -> str:
    """The reason of a reject without what differs from answer to answer: quotations of it, keys of
    other rows, and numbers, which are shown as N."""
    raw = reject.raw.casefold()

    def generally(found: re.Match[str]) -> str:
        if found[0][0].isdigit():
            return "N"
        return "…" if found[0][1:-1].casefold() in raw else found[0]

    reason = _KEY.sub("another row", _FOUND.sub("", _ANSWER.sub("", reject.reason)))
    return _PARTICULAR.sub(generally, reason)


def folder(plan: Plan, dataset: DatasetPlan) -> Path:
    """Where a dataset goes: runs that flags changed go under trial/, each model by itself."""
    outputs = plan.project.outputs
    if not plan.trial:
        return outputs / dataset.name
    models = sorted({asked.model for s in dataset.scenarios for asked in s.asked})
    name = re.sub(r"[^\w.+-]+", "-", "+".join(models))
    if len(name) > 64:
        name = f"{name[:55]}-{digest_of(models).hex()[:8]}"
    return outputs / "trial" / name / dataset.name


def trials(plan: Plan, dataset: DatasetPlan) -> list[str]:
    """Models whose trials of this dataset hold rows."""
    found = set()
    for file in (plan.project.outputs / "trial").glob(f"*/{dataset.name}/{manifests.NAME}"):
        held = manifests.read(file.parent)
        if held and held["rows"] and len(held["models"]) == 1:
            found.update(held["models"])
    return sorted(found)


def write(
    plan: Plan,
    dataset: DatasetPlan,
    store: Store,
    *,
    form: Format | None = None,
    shape: Name | None = None,
    raw: bool = False,
    afresh: bool = False,
) -> Exported:
    """Writes data/, the card, rejects.jsonl and manifest.json of a dataset, or leaves them be
    when they hold just that already; `afresh` tells that they do not.

    One pass over plan and store, some thousand rows in memory. `form` and `shape` are said over
    what the project says; `raw` leaves CSV cells as they are. Raises InputError where the shape does not
    fit, and StoreError, naming the path, where the folder cannot be written; what stood there
    stays.
    """
    where = folder(plan, dataset)
    with io.writing(where, hint=MEND):
        found = None if afresh else standing(plan, dataset, store, form, shape=shape, raw=raw)
        if found is None or found.changed:
            form = form or plan.project.dataset_settings(dataset.name).format
            found = _write(plan, dataset, _reading(plan, dataset, store, shape), form, raw=raw)
        card.write(where)
        return found


def _reading(
    plan: Plan, dataset: DatasetPlan, store: Store, shape: Name | None
) -> tuple[Reading, Shape]:
    """A pass over the rows that has not begun, and the shape they get."""
    splits = plan.project.dataset_settings(dataset.name).splits
    reading = rows.read(settle.settle(dataset, store), splits)
    return reading, shapes.of(plan.project, dataset, reading.kinds, shape)


def _write(
    plan: Plan,
    dataset: DatasetPlan,
    read: tuple[Reading, Shape],
    form: Format,
    *,
    raw: bool,
) -> Exported:
    reading, shape = read
    where = folder(plan, dataset)
    counts = Counter(dict.fromkeys(reading.splits, 0))
    made = Exported(dataset.name, where, counts, [], reading.tallies)
    content = rows.ContentDigest()
    axes = _axes(dataset)
    first: dict[str, Any] | None = None
    where.mkdir(parents=True, exist_ok=True)
    rejects_part = where / "rejects.part"
    with (
        Folder(where / "data", files.form(form, shape, raw=raw), form) as out,
        rejects_part.open("w", encoding="utf-8", newline="\n") as stream,
        jsonlines.Writer(stream) as rejects,
    ):
        for item in reading.batches():
            if isinstance(item, Reject):
                made.note(item)
                rejects.write(reject_record(item))
                continue
            content.add(item)
            counts.update(item.splits)
            for name, counted in axes.items():
                counted.update(item.columns[name])
            shaped = shape.columns(item.columns)
            first = first or next(rows.records(shaped))
            out.write(item._replace(columns=shaped))
    made.splits = {split: n for split, n in counts.items() if n}
    made.empty_splits = [split for split, n in counts.items() if not n]
    manifest = _manifest(plan, dataset, made, reading, content, shape, form, raw=raw)
    manifest["axes"] = manifests.shares(axes)
    manifest["example"] = manifests.example(first)
    written = {f"data/{name}": path for name, path in out.made().items()}
    manifest["files"] = manifests.listed({**written, "rejects.jsonl": rejects_part})
    manifest_part = where / "manifest.part"
    manifest_part.write_text(manifests.as_json(manifest), "utf-8")
    # All is written now. No manifest while the files change: one that is there vouches for them.
    (where / manifests.NAME).unlink(missing_ok=True)
    out.publish()
    io.replace({rejects_part: where / "rejects.jsonl", manifest_part: where / manifests.NAME})
    return made


def _axes(dataset: DatasetPlan) -> dict[str, Counter[Any]]:
    names = [axis.name for s in dataset.scenarios for axis in s.scenario.axes]
    return {name: Counter() for name in names}


def stale(plan: Plan, dataset: DatasetPlan, store: Store) -> tuple[list[str], Tallies]:
    """Why a dataset's folder is not what its files and answers would make now, nothing where it
    is; and how the cases stand."""
    where = folder(plan, dataset)
    if not (where / manifests.NAME).is_file():
        return [f"{dataset.name} was not exported"], {}
    held = manifests.read(where)
    if held is None:
        return [f"files in {where.name} are not those that were exported"], {}
    now = manifests.sources(plan, dataset)
    then = held.get("sources", {})
    names = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if names:
        return [f"{name} changed since the export" for name in names], {}
    form, shape, raw = held.get("format", "parquet"), held.get("shape"), held.get("raw", False)
    found = standing(plan, dataset, store, form, shape=shape, raw=raw)
    if found is None or found.changed:
        return ["rows, settings or answers changed since the export"], {}
    return [], found.tallies


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


def standing(
    plan: Plan,
    dataset: DatasetPlan,
    store: Store,
    form: Format | None = None,
    *,
    shape: Name | None = None,
    raw: bool = False,
) -> Exported | None:
    """What an export would hold, compared with what the folder holds: `changed` tells whether they
    differ. None where the folder holds no whole export."""
    where = folder(plan, dataset)
    manifest = manifests.read(where)
    if manifest is None:
        return None
    reading, chosen = _reading(plan, dataset, store, shape)
    found = Exported(dataset.name, where, dict.fromkeys(reading.splits, 0), [], reading.tallies)
    content = rows.ContentDigest()
    counts = Counter(found.splits)
    for item in reading.batches():
        if isinstance(item, Reject):
            found.note(item)
        else:
            counts.update(item.splits)
            content.add(item)
    found.empty_splits = [split for split, n in counts.items() if not n]
    found.splits = {split: n for split, n in counts.items() if n}
    form = form or plan.project.dataset_settings(dataset.name).format
    wanted = _manifest(plan, dataset, found, reading, content, chosen, form, raw=raw)
    found.changed = wanted != {name: manifest.get(name) for name in wanted}
    found.settlement = reading.settlement
    return found


def _manifest(
    plan: Plan,
    dataset: DatasetPlan,
    made: Exported,
    reading: Reading,
    content: rows.ContentDigest,
    shape: Shape,
    form: Format,
    *,
    raw: bool,
) -> Manifest:
    kinds = [[name, str(kind)] for name, kind in reading.kinds.items()]
    whole = content.whole(form, kinds, dict(reading.splits), shape.about(), rows.BLOCK, raw)
    digests = {"content": whole, "records": content.rows()}
    return manifests.make(
        plan, dataset, shape, form, digests, made.splits, made.tallies, made.reasons, raw=raw
    )
