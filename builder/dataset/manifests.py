"""What a dataset's folder says of itself: manifest.json, from which the card is written too."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from builder.dataset import files, shapes
from builder.dataset.files import Format, Layout
from builder.plan import graph, plans
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project import sources as sources_of
from builder.quality import report_file
from builder.results.splits import RULE
from builder.results.tally import Tallies, Tally
from builder.text import model_name

NAME = "manifest.json"
VALUES = 50  # values of an axis whose shares are told; the rest is summed up
REASONS = 20
TEXT = 300  # characters of a text in the example row
ITEMS = 8  # items of a list in the example row


class FileModel(BaseModel):
    """Part of a file that other versions and other programs read."""

    model_config = ConfigDict(frozen=True)


class ScenarioCounts(FileModel):
    """How one scenario of a dataset stands."""

    about: str = Field(description="The comment that its file begins with.")
    wanted: int
    accepted: int
    rejects: int
    answers: int
    short_combinations: int = Field(
        description="Combinations that cannot be filled within the tries."
    )
    short_rows: int = Field(description="Rows that these lack.")
    refused: int = Field(default=0, description="Cases without a row that no number promised.")
    open: int = Field(description="Rows that were not asked for yet.")


class CardSettings(FileModel):
    """What the project says for the card."""

    title: str | None
    about: str | None
    languages: list[str]
    license: str | None
    tasks: list[str]


class Upstream(FileModel):
    """Rows that those of the dataset are made from."""

    scenario: str = Field(description="The scenario that is made from them.")
    name: str = Field(description="Their name in that scenario.")
    source: str = Field(description="Their scenario or dataset, or their file or glob.")
    kind: str = Field(description="scenario, dataset or table.")
    rows: int
    digest: str = Field(description="BLAKE2b over them.")


class RejectReason(FileModel):
    """How often answers were refused for one reason, its particulars left out."""

    stage: str
    reason: str
    count: int


class AxisShares(FileModel):
    """How often an axis has which value."""

    values: dict[str, int] = Field(description="Rows by value, the most frequent first.")
    other: int = Field(description="Rows with values beyond those.")
    distinct: int = Field(description="How many values there are.")

    def most_frequent(self, most: int) -> list[tuple[str, int, float]]:
        """Value, rows and share of all rows, the most frequent first; at the end the others."""
        counts = list(self.values.items())
        total = sum(count for _, count in counts) + self.other or 1
        others = sum(count for _, count in counts[most:]) + self.other
        listed = [*counts[:most], ("others", others)] if others else counts[:most]
        return [(value, count, count / total) for value, count in listed]


class DataFile(FileModel):
    """One file of the folder."""

    bytes: int
    sha256: str
    unpacked: int | None = Field(
        default=None, description="Bytes of a Parquet file's columns before they were compressed."
    )

    @property
    def loaded(self) -> int:
        """Bytes that are there once it is read."""
        return self.bytes if self.unpacked is None else self.unpacked


class Manifest(FileModel):
    """manifest.json: what a dataset's folder holds and what it was made from."""

    version: Literal[1] = Field(
        default=1, description="Of this file's form; files of the first do not say it."
    )
    dataset: str
    content: str = Field(description="Digest of the rows, their splits and the form of the files.")
    records: str = Field(description="SHA-256 of the rows alone.")
    format: Format
    raw: bool = Field(
        description="Whether CSV cells stay as they are, also where a spreadsheet would run them."
    )
    shape: shapes.Name
    rows: int
    splits: dict[str, int] = Field(description="Rows by split; splits without a row are left out.")
    splits_by: int = Field(
        default=1,
        description="The rule that deals rows into splits; files of the first do not say it.",
    )
    features: list[dict[str, JsonValue]] = Field(
        description="The columns, as `dataset_info.features` of a card holds them."
    )
    scenarios: dict[str, ScenarioCounts]
    origins: dict[str, str] = Field(
        description="Where columns come from that are no part of an answer."
    )
    card: CardSettings
    models: list[str] = Field(description="Models that were asked, as `provider:model`.")
    answered_by: list[str] = Field(
        description="Models as the providers named them in their answers."
    )
    usd: float
    answers_without_price: int
    output_tokens: int
    first_answer: str | None = Field(description="Time in ISO 8601, UTC.")
    last_answer: str | None
    reject_reasons: list[RejectReason] = Field(description="The most frequent first.")
    prompts: dict[str, str] = Field(
        default={}, description="Templates by path, where the project wants them quoted."
    )
    upstream: list[Upstream] = Field(
        default=[], description="The rows that those of the dataset are made from."
    )
    chain: str = Field(default="", description="Mermaid: which scenario is made from which.")
    copied: list[str] = Field(
        default=[], description="Columns that hold text of a table, which nobody generated."
    )
    sources: dict[str, str] = Field(
        description="SHA-256 of every file that the dataset follows from, by its path in the project."
    )
    versions: dict[str, str] = Field(description="Packages that made it.")
    loading: dict[str, JsonValue] = Field(
        default={}, description="What the reader of CSV is told, as a config of a card holds it."
    )
    axes: dict[str, AxisShares]
    example: dict[str, JsonValue] = Field(description="A row, long texts cut.")
    files: dict[str, DataFile] = Field(
        description="The folder's files but for the card, the report and this one, by name."
    )

    def as_json(self) -> str:
        return json.dumps(self.model_dump(exclude_unset=True), ensure_ascii=False, indent=2) + "\n"

    def follows_from(self) -> dict[str, Any]:
        """What follows from plan and store, without what is seen of the files as they are written."""
        return self.model_dump(exclude={"axes", "example", "features", "files", "loading"})


def parse(content: bytes | str) -> Manifest:
    """The manifest in the content of a file. ValueError where somebody else wrote it."""
    return Manifest.model_validate_json(content)


def load(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where it has none that was written here."""
    try:
        return parse((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder, if it has one and every file is the one that it names."""
    manifest = load(folder)
    listed = manifest.files.items() if manifest else ()
    try:
        same = all(files.digest(folder / name) == file.sha256 for name, file in listed)
    except OSError:
        return None
    return manifest if same else None


def report_of(folder: Path, manifest: Manifest | None) -> report_file.Report | None:
    """The report over the rows that this manifest is about; None where nobody looked."""
    report = report_file.read(folder)
    if report is None or manifest is None or report.basis.records != manifest.records:
        return None
    return report


def make(
    plan: Plan,
    dataset: DatasetPlan,
    layout: Layout,
    *,
    content: str,
    records: str,
    splits: dict[str, int],
    tallies: Tallies,
    reasons: Counter[tuple[str, str]],
) -> Manifest:
    """The manifest that follows from plan and store; axes, example and files are empty yet.

    `content` and `records` are its digests, `splits` count rows, `reasons` rejects by stage and
    reason.
    """
    every = [tallies[scenario.name] for scenario in dataset.scenarios]
    times = [time for tally in every for time in tally.span if time]
    settings, shape = plan.project.dataset_settings(dataset.name), layout.shape
    return Manifest(
        dataset=dataset.name,
        content=content,
        records=records,
        format=layout.format,
        raw=layout.raw,
        shape=shape.name,
        rows=sum(splits.values()),
        splits=splits,
        splits_by=RULE,
        features=shapes.features_in_card(shape, flat=layout.format == "csv"),
        scenarios={
            scenario.name: _scenario(scenario, tally)
            for scenario, tally in zip(dataset.scenarios, every, strict=True)
        },
        origins=_origins(dataset, shape),
        card=CardSettings.model_validate(settings, from_attributes=True),
        models=sorted(
            {model_name(asked.model) for s in dataset.scenarios for asked in s.asked if s.asks}
        ),
        answered_by=sorted({model_name(name) for tally in every for name in tally.models if name}),
        usd=round(sum(tally.usd for tally in every), 6),
        answers_without_price=sum(tally.unpriced for tally in every),
        output_tokens=sum(tally.output_tokens for tally in every),
        first_answer=_iso(min(times)) if times else None,
        last_answer=_iso(max(times)) if times else None,
        reject_reasons=[
            RejectReason(stage=stage, reason=reason, count=count)
            for (stage, reason), count in sorted(
                reasons.items(), key=lambda item: (-item[1], item[0])
            )
        ][:REASONS],
        prompts=_prompts(plan, dataset) if settings.prompts else {},
        **_made_from(plan, dataset),
        sources=sources(plan, dataset),
        versions={name: version(name) for name in ("text-dataset-builder", "pydantic", "jinja2")},
        axes={},
        example={},
        files={},
    )


def _made_from(plan: Plan, dataset: DatasetPlan) -> dict[str, Any]:
    """What the manifest says of the rows that others are made from; nothing where none are."""
    upstream = [
        Upstream(
            scenario=part.name,
            name=rows.source.name,
            source=rows.source.target,
            kind=rows.source.kind,
            rows=len(rows),
            digest=rows.digest(),
        )
        for part in dataset.scenarios
        for rows in part.handed
    ]
    copied = sorted({name for part in dataset.scenarios for name in part.copied})
    if not upstream:
        return {}
    chain = graph.mermaid(plans.standing_on(dataset.scenarios, plan.datasets))
    return {"upstream": upstream, "chain": chain, "copied": copied}


def shares(counts: Counter[Any]) -> AxisShares:
    """How often an axis has which value, the most frequent first.

    >>> shares(Counter({True: 2, None: 5, "b": 2, "a": 3})).values
    {'a': 3, 'b': 2, 'true': 2}
    """
    ordered = sorted(
        ((shapes.class_name(value), count) for value, count in counts.items() if value is not None),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return AxisShares(
        values=dict(ordered[:VALUES]),
        other=sum(count for _, count in ordered[VALUES:]),
        distinct=len(ordered),
    )


def sources(plan: Plan, dataset: DatasetPlan) -> dict[str, str]:
    """SHA-256 of every file that the dataset follows from, by its path in the project."""
    paths: set[Path] = set()
    for scenario in plans.standing_on(dataset.scenarios, plan.datasets):
        loaded = scenario.scenario
        paths |= {file for source in loaded.sources for file in source.files}
        tables = [draw.table.source for draw in loaded.draws if draw.table and draw.table.source]
        paths |= {loaded.document.file, loaded.schema.file, *loaded.prompt.files, *tables}
    by_name = {path.resolve().relative_to(plan.project.root).as_posix(): path for path in paths}
    return {name: files.digest(path) for name, path in sorted(by_name.items())}


def describe(paths: Mapping[str, Path]) -> dict[str, DataFile]:
    """Size and SHA-256 of files, by the names that they are to have."""
    described: dict[str, DataFile] = {}
    for name, path in sorted(paths.items()):
        unpacked = {"unpacked": files.unpacked(path)} if name.endswith(".parquet") else {}
        size, digest = path.stat().st_size, files.digest(path)
        described[name] = DataFile(bytes=size, sha256=digest, **unpacked)
    return described


def shorten(value: JsonValue) -> JsonValue:
    """A value as an example shows it: long texts and lists cut.

    >>> shorten({"a": ["b" * 400] * 9})["a"][7][-2:]
    'b…'
    """
    if isinstance(value, str):
        return value if len(value) <= TEXT else value[: TEXT - 1] + "…"
    if isinstance(value, list):
        return [shorten(item) for item in value[:ITEMS]]
    if isinstance(value, dict):
        return {name: shorten(item) for name, item in value.items()}
    return value


def _scenario(scenario: ScenarioPlan, tally: Tally) -> ScenarioCounts:
    return ScenarioCounts(
        about=_comment(scenario.scenario.document.file),
        wanted=tally.wanted,
        accepted=tally.accepted,
        rejects=tally.rejects,
        answers=tally.answers,
        short_combinations=len(tally.short),
        short_rows=sum(tally.short.values()),
        open=tally.open,
        **({"refused": tally.refused} if tally.refused else {}),
    )


def _comment(file: Path) -> str:
    lines = takewhile(lambda line: line.startswith("#"), file.read_text("utf-8-sig").splitlines())
    words = [line.lstrip("#").strip() for line in lines if "yaml-language-server" not in line]
    return " ".join(words).strip()


def _origins(dataset: DatasetPlan, shape: shapes.Shape) -> dict[str, str]:
    origins: dict[str, str] = {}
    for scenario in dataset.scenarios:
        for source in scenario.scenario.sources:
            taken = dict.fromkeys(source.take.values(), f"taken from {source.target}")
            origins |= {**taken, sources_of.COLUMN: "the ids of the rows that it is made from"}
        filled = scenario.scenario.words.fill
        origins.update({name: f"filled, {origins.get(name, 'not asked for')}" for name in filled})
        for axis in scenario.scenario.axes:
            origins[axis.name] = "an axis"
        for draw in scenario.scenario.draws:
            origins.update(dict.fromkeys(draw.columns, f"drawn ({draw.sampler})"))
    for name, fields in shape.sources.items():
        origins[name] = ", ".join(
            f"{field}: {origins.get(field, 'the answer')}" for field in fields
        )
    return {name: origin for name, origin in origins.items() if name in shape.kinds}


def _prompts(plan: Plan, dataset: DatasetPlan) -> dict[str, str]:
    paths = {path for scenario in dataset.scenarios for path in scenario.scenario.prompt.files}
    return {
        path.relative_to(plan.project.root).as_posix(): path.read_text("utf-8-sig")
        for path in sorted(paths)
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
