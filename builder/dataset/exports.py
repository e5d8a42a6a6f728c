"""A dataset's folder from plan and store: data, rejects, manifest. The same store, the same bytes."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jsonlines

from builder import io, records
from builder.dataset import card, files, manifests, shapes
from builder.dataset.files import Folder, Format, Layout
from builder.dataset.loading import Loading
from builder.plan import plans
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project.words import NOBODY
from builder.results import rows, settle, tally
from builder.results.copies import Copies
from builder.results.rows import Batch, ContentDigest, Reading
from builder.store import Store
from builder.table.tables import JSON
from builder.text import model_name

_ANSWER = re.compile(
    r"(?<=no JSON object in the answer): .*|(?<=^not JSON): (?!finding).*", re.DOTALL
)
_FOUND = re.compile(r" \(found .*?\)(?=; |$)", re.DOTALL)
_KEY = re.compile(r"[0-9a-f]{32}-\d+-\d+")
_PARTICULAR = re.compile(r"""(?<!\w)(?:\d+(?:\.\d+)?|'[^']*'|"[^"]*"|「[^」]*」|“[^”]*”)""")
REPAIR = "what was paid for is safe in the store; repair this and run `builder export`"
REASONS = 10_000  # reasons of rejects that are told apart


@dataclass(frozen=True, slots=True)
class Form:
    """The form that an export is asked to have; what is None is as the project says."""

    format: Format | None = None
    shape: shapes.Name | None = None
    raw: bool = False


@dataclass(slots=True)
class Export:
    """What a dataset's folder holds, or would hold."""

    name: str
    folder: Path
    settlement: settle.Settlement
    counts: Counter[str]  # rows by split, those without a row too
    # How often answers were refused, by stage and reason without its particulars.
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], records.Reject] = field(default_factory=dict)
    content: ContentDigest = field(default_factory=ContentDigest)
    copies: Copies = field(init=False)
    altered: tuple[str, ...] = ()  # what the files cannot give back as it was, a line each
    changed: bool = True  # False where the folder held just this already
    before: manifests.Manifest | None = None  # what stood there
    kept: bool = False  # True where the folder was left alone, for it holds more than this
    edits: Sequence[str] = ()  # where it was, the files that changed since it was written

    def __post_init__(self) -> None:
        self.copies = Copies(self.settlement.dataset)

    @property
    def tallies(self) -> tally.Tallies:
        return self.settlement.tallies

    @property
    def rows(self) -> int:
        return self.counts.total()

    @property
    def wanted(self) -> int:
        return sum(tally.wanted for tally in self.tallies.values())

    @property
    def coming(self) -> bool:
        """Whether rows that it is made from may still come."""
        return any(part.open for part in self.settlement.dataset.scenarios)

    @property
    def to_ask(self) -> int:
        """Rows that a run would ask for."""
        return sum(tally.to_ask for tally in self.tallies.values())

    @property
    def new_reasons(self) -> Counter[tuple[str, str]]:
        """How often answers were refused since what stood there, by stage and reason."""
        known = self.before.reject_reasons if self.before else []
        return self.reasons - Counter({(r.stage, r.reason): r.count for r in known})

    @property
    def splits(self) -> dict[str, int]:
        return {split: count for split, count in self.counts.items() if count}

    @property
    def empty_splits(self) -> list[str]:
        return [split for split, count in self.counts.items() if not count]

    def add(self, batch: Batch) -> None:
        self.counts.update(batch.splits)
        self.content.add(batch)
        self.copies.add(batch)

    def note(self, reject: records.Reject) -> None:
        reason = (reject.stage, plain(reject))
        if reason in self.reasons or len(self.reasons) < REASONS:
            self.reasons[reason] += 1
            self.examples.setdefault(reason, reject)


def plain(reject: records.Reject) -> str:
    """The reason of a reject without what differs from answer to answer.

    That is quotations of the answer, keys of other rows, and numbers, which are shown as N.
    """
    raw = reject.raw.casefold()

    def generalise(match: re.Match[str]) -> str:
        if match[0][0].isdigit():
            return "N"
        return "…" if match[0][1:-1].casefold() in raw else match[0]

    reason = _KEY.sub("another row", _FOUND.sub("", _ANSWER.sub("", reject.reason)))
    return _PARTICULAR.sub(generalise, reason)


def folder(plan: Plan, dataset: DatasetPlan) -> Path:
    """Where a dataset goes: runs that flags changed go under trial/, each model by itself."""
    outputs = plan.project.outputs
    if not plan.trial:
        return outputs / dataset.name
    models = sorted({model_name(model) for model in _models(plan, dataset)})
    name = re.sub(r"[^\w.+-]+", "-", "+".join(models) or NOBODY)
    if len(name) > 64:
        name = f"{name[:55]}-{records.digest_of(models).hex()[:8]}"
    return outputs / "trial" / name / dataset.name


def _models(plan: Plan, dataset: DatasetPlan) -> set[str]:
    """The models that are asked for a dataset; where nobody is, those asked for what it is made from."""
    parts: list[ScenarioPlan] = [*dataset.scenarios]
    while parts:
        models = {asked.model for part in parts for asked in part.asked if part.asks}
        if models:
            return models
        names = {name for part in parts for name in plans.upstream_of(part, plan.datasets)}
        parts = [part for part in plan.scenarios() if part.name in names]
    return set()


def trials(plan: Plan, dataset: DatasetPlan) -> list[str]:
    """Models whose trials of this dataset hold rows."""
    files = (plan.project.outputs / "trial").glob(f"*/{dataset.name}/{manifests.NAME}")
    exported = [manifests.read(file.parent) for file in files]
    models = {m.models[0] for m in exported if m and m.rows and len(m.models) == 1}
    return sorted(models - {NOBODY})


def read(dataset: DatasetPlan, store: Store) -> Reading:
    """A pass over the rows that plan and store make; it has not begun."""
    return rows.read(settle.settle(dataset, store))


def write(
    plan: Plan,
    dataset: DatasetPlan,
    store: Store,
    form: Form | None = None,
    *,
    partial: bool = False,
) -> Export:
    """Writes data/, the card, rejects.jsonl and manifest.json of a dataset.

    They are left alone when they hold just that already, and where they hold more rows while some
    are still to be asked for, unless `partial`; no rows are never written over some. Some thousand
    rows are in memory. Raises InputError where the shape does not fit, and StoreError, naming the
    path, where the folder cannot be written; what stood there stays.
    """
    reading = read(dataset, store)
    with io.writing(folder(plan, dataset), hint=REPAIR):
        export = compare(plan, dataset, reading, form)
        if export is not None and not export.changed:
            card.write(export.folder)
            return export
        if export is not None and _keep(plan, dataset, export, partial=partial):
            return export
    return write_rows(plan, dataset, reading.again(), form, partial=partial)


def write_rows(
    plan: Plan,
    dataset: DatasetPlan,
    reading: Reading,
    form: Form | None = None,
    *,
    partial: bool = False,
) -> Export:
    """Writes the folder of a dataset from one pass over its rows, also where it holds just that.

    Leaves it alone and raises as `write` does.
    """
    export = _begin(plan, dataset, reading)
    layout = _layout(plan, dataset, reading, form)
    with io.writing(export.folder, hint=REPAIR):
        _write(plan, dataset, reading, layout, export, partial=partial)
        if not export.kept:
            card.write(export.folder)
    return export


def _keep(plan: Plan, dataset: DatasetPlan, export: Export, *, partial: bool) -> bool:
    """Whether the folder is left alone: it would lose rows that are still to be had, or all."""
    stood = export.before.rows if export.before else int(files.any_in(export.folder / "data"))
    losing = export.rows < stood
    lacking = export.to_ask > 0 or export.coming
    export.kept = losing and (not export.rows or (lacking and not partial))
    if export.kept:
        export.edits = edits(plan, dataset, export.before)
    return export.kept


class Earlier(NamedTuple):
    """An export that stands in a folder."""

    folder: Path
    rows: int
    edits: Sequence[str]
    """The files that changed since it was written."""


def earlier(plan: Plan, dataset: DatasetPlan) -> Earlier | None:
    """The export in a dataset's folder; None where there is none, or one without rows."""
    home = folder(plan, dataset)
    manifest = manifests.load(home)
    if manifest is None or not manifest.rows:
        return None
    return Earlier(home, manifest.rows, edits(plan, dataset, manifest))


def edits(plan: Plan, dataset: DatasetPlan, before: manifests.Manifest | None) -> list[str]:
    """The files that a dataset follows from and that changed since its manifest was written."""
    if before is None:
        return []
    now, then = manifests.sources(plan, dataset), before.sources
    return sorted(name for name in {*now, *then} if now.get(name) != then.get(name))


def compare(
    plan: Plan, dataset: DatasetPlan, reading: Reading, form: Form | None = None
) -> Export | None:
    """What an export would hold by one pass over the rows, `changed` where the folder does not.

    None, and no pass, where the folder holds no whole export.
    """
    if (manifest := manifests.read(folder(plan, dataset))) is None:
        return None
    layout = _layout(plan, dataset, reading, form)
    export = _begin(plan, dataset, reading)
    for item in reading.batches():
        if isinstance(item, records.Reject):
            export.note(item)
        else:
            export.add(item)
    now = _manifest(plan, dataset, reading, layout, export).follows_from()
    export.changed = now != manifest.follows_from()
    return export


def stale_reasons(
    plan: Plan, dataset: DatasetPlan, store: Store
) -> tuple[list[str], tally.Tallies]:
    """Why a dataset's folder is not what its files and answers would make now, none where it is.

    Beside them the tallies of its scenarios, where rows were counted.
    """
    where = folder(plan, dataset)
    if not (where / manifests.NAME).is_file():
        return [f"{dataset.name} was not exported"], {}
    if (manifest := manifests.read(where)) is None:
        return [f"files in {where.name} are not those that were exported"], {}
    if names := edits(plan, dataset, manifest):
        return [f"{name} changed since the export" for name in names], {}
    form = Form(manifest.format, manifest.shape, manifest.raw)
    export = compare(plan, dataset, read(dataset, store), form)
    if export is None or export.changed:
        return ["rows, settings or answers changed since the export"], {}
    return [], export.tallies


def reject_record(reject: records.Reject) -> dict[str, Any]:
    """A reject as one line of rejects.jsonl."""
    return {
        "stage": reject.stage,
        "reason": reject.reason,
        "raw": reject.raw,
        "scenario": reject.case.scenario,
        "model": model_name(reject.model),
        "case": reject.case.id,
        "key": str(reject.key),
        "variables": {name: rows.converted(v, JSON) if isinstance(v, dict | list) else v
                      for name, v in reject.case.columns.items()},
    }  # fmt: skip


def _begin(plan: Plan, dataset: DatasetPlan, reading: Reading) -> Export:
    counts = Counter(dict.fromkeys(reading.splits, 0))
    home = folder(plan, dataset)
    before = manifests.load(home)
    return Export(dataset.name, home, reading.settlement, counts, before=before)


def _layout(plan: Plan, dataset: DatasetPlan, reading: Reading, form: Form | None) -> Layout:
    form = form or Form()
    return Layout(
        form.format or plan.project.dataset_settings(dataset.name).format,
        shapes.of(plan.project, dataset, reading.kinds, form.shape),
        form.raw,
    )


def _write(
    plan: Plan,
    dataset: DatasetPlan,
    reading: Reading,
    layout: Layout,
    export: Export,
    *,
    partial: bool,
) -> None:
    where = export.folder
    axes: dict[str, Counter[Any]] = {
        axis.name: Counter() for s in dataset.scenarios for axis in s.scenario.axes
    }
    example: dict[str, Any] = {}
    loading = Loading(layout)
    where.mkdir(parents=True, exist_ok=True)
    rejects_part, manifest_part = where / "rejects.part", where / "manifest.part"
    with (
        Folder(where / "data", layout) as shards,
        rejects_part.open("w", encoding="utf-8", newline="\n") as stream,
        jsonlines.Writer(stream) as rejects,
    ):
        for item in reading.batches():
            if isinstance(item, records.Reject):
                export.note(item)
                rejects.write(reject_record(item))
                continue
            export.add(item)
            for name, counts in axes.items():
                counts.update(item.columns[name])
            shaped = layout.shape.columns(item.columns)
            example = example or next(rows.records(shaped))
            loading.add(shaped)
            shards.write(item._replace(columns=shaped))
    if _keep(plan, dataset, export, partial=partial):
        shards.discard()
        rejects_part.unlink()
        return
    parts = {f"data/{name}": path for name, path in shards.partial().items()}
    manifest = _manifest(plan, dataset, reading, layout, export).model_copy(
        update={
            "axes": {name: manifests.shares(counts) for name, counts in axes.items()},
            "example": manifests.shorten(example),
            "features": loading.features(),
            "loading": loading.options(),
            "files": manifests.describe({**parts, "rejects.jsonl": rejects_part}),
        }
    )
    export.altered = tuple(loading.notes())
    manifest_part.write_text(manifest.as_json(), "utf-8")
    # All is written now. No manifest while the files change: one that is there vouches for them.
    (where / manifests.NAME).unlink(missing_ok=True)
    shards.publish()
    io.replace({rejects_part: where / "rejects.jsonl", manifest_part: where / manifests.NAME})


def _manifest(
    plan: Plan, dataset: DatasetPlan, reading: Reading, layout: Layout, export: Export
) -> manifests.Manifest:
    kinds = [[name, str(kind)] for name, kind in reading.kinds.items()]
    content = export.content.whole(
        layout.format, kinds, dict(reading.splits), layout.shape.about(), rows.BLOCK, layout.raw
    )
    return manifests.make(
        plan, dataset, layout, content=content, records=export.content.rows(),
        splits=export.splits, tallies=export.tallies, reasons=export.reasons,
    )  # fmt: skip
