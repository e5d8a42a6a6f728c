"""What a dataset's folder says of itself: manifest.json, from which the card is written too."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from builder.dataset import declared_features, files
from builder.dataset.files import Format
from builder.dataset.shapes import Shape
from builder.plan.plans import DatasetPlan, Plan, ScenarioPlan
from builder.results.tally import Tallies, Tally

NAME = "manifest.json"
VALUES = 50
"""Values of an axis whose shares are told; the rest is summed up."""
REASONS = 20
Manifest = dict[str, Any]
Reasons = Counter[tuple[str, str]]
Shares = Mapping[str, Counter[Any]]


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder, if it has one and every file is the one that it names."""
    try:
        manifest: Manifest = json.loads((folder / NAME).read_text("utf-8"))
        for name, about in manifest["files"].items():
            if files.digest(folder / name) != about["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest


def as_json(manifest: Manifest) -> str:
    """The manifest as its file holds it."""
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"


def make(
    plan: Plan,
    dataset: DatasetPlan,
    shape: Shape,
    form: Format,
    digests: Mapping[str, str],
    splits: Mapping[str, int],
    tallies: Tallies,
    reasons: Reasons,
    *,
    raw: bool,
) -> Manifest:
    """All that follows from plan and store, without the files that were written."""
    every = [tallies[scenario.name] for scenario in dataset.scenarios]
    times = [t for tally in every for t in tally.span if t]
    return {
        "dataset": dataset.name,
        **digests,
        "format": form,
        "raw": raw,
        "shape": shape.name,
        "rows": sum(splits.values()),
        "splits": dict(splits),
        "features": declared_features.as_card(shape, flat=form == "csv"),
        "scenarios": {
            scenario.name: _scenario(scenario, tallies[scenario.name])
            for scenario in dataset.scenarios
        },
        "origins": _origins(dataset, shape),
        "card": _card(plan, dataset),
        "models": sorted({asked.model for s in dataset.scenarios for asked in s.asked}),
        "answered_by": sorted({m for tally in every for m in tally.models if m}),
        "usd": round(sum(tally.usd for tally in every), 6),
        "answers_without_price": sum(tally.unpriced for tally in every),
        "output_tokens": sum(tally.output_tokens for tally in every),
        "first_answer": _iso(min(times)) if times else None,
        "last_answer": _iso(max(times)) if times else None,
        "reject_reasons": [
            {"stage": stage, "reason": reason, "count": count}
            for (stage, reason), count in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
        ][:REASONS],
        "prompts": _prompts(plan, dataset),
        "sources": sources(plan, dataset),
        "versions": {
            name: version(name) for name in ("text-dataset-builder", "pydantic", "jinja2")
        },
    }


def shares(counts: Shares) -> dict[str, Any]:
    """How often each axis has which value, the most frequent first."""
    found: dict[str, Any] = {}
    for name, counted in counts.items():
        ordered = sorted(
            ((_shown(value), n) for value, n in counted.items() if value is not None),
            key=lambda pair: (-pair[1], pair[0]),
        )
        found[name] = {
            "values": dict(ordered[:VALUES]),
            "other": sum(n for _, n in ordered[VALUES:]),
            "distinct": len(ordered),
        }
    return found


def sources(plan: Plan, dataset: DatasetPlan) -> dict[str, str]:
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
            name = path.resolve().relative_to(plan.project.root).as_posix()
            found[name] = files.digest(path)
    return dict(sorted(found.items()))


def listed(written: Mapping[str, Path]) -> dict[str, Any]:
    """Size and SHA-256 of files, by the names that they are to have."""
    found: dict[str, Any] = {}
    for name, path in sorted(written.items()):
        found[name] = {"bytes": path.stat().st_size, "sha256": files.digest(path)}
        if name.endswith(".parquet"):
            found[name]["unpacked"] = files.unpacked(path)
    return found


def example(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row as a card shows it: long texts cut."""
    return {name: _cut(value) for name, value in (record or {}).items()}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= 300 else value[:299] + "…"
    if isinstance(value, list):
        return [_cut(one) for one in value[:8]]
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items()}
    return value


def _scenario(scenario: ScenarioPlan, tally: Tally) -> dict[str, Any]:
    return {
        "about": _comment(scenario.scenario.document.file),
        "wanted": tally.wanted,
        "accepted": tally.accepted,
        "rejects": tally.rejects,
        "answers": tally.answers,
        "short_combinations": len(tally.short),
        "short_rows": sum(tally.short.values()),
        "open": tally.open,
    }


def _comment(file: Path) -> str:
    """What a scenario's file says of itself: the comment that it begins with."""
    lines = []
    for line in file.read_text("utf-8-sig").splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server" not in line:
            lines.append(line.lstrip("#").strip())
    return " ".join(lines).strip()


def _origins(dataset: DatasetPlan, shape: Shape) -> dict[str, str]:
    """Where the columns come from that are no part of an answer."""
    found = {}
    for scenario in dataset.scenarios:
        for axis in scenario.scenario.axes:
            found[axis.name] = "an axis"
        for draw in scenario.scenario.draws:
            found.update(dict.fromkeys(draw.columns, f"drawn ({draw.sampler})"))
    for name, fields in shape.taken.items():
        found[name] = ", ".join(f"{one}: {found.get(one, 'the answer')}" for one in fields)
    return {name: of for name, of in found.items() if name in shape.kinds}


def _prompts(plan: Plan, dataset: DatasetPlan) -> dict[str, str]:
    """The templates, for a project that wants them quoted."""
    if not plan.project.dataset_settings(dataset.name).prompts:
        return {}
    paths = {path for scenario in dataset.scenarios for path in scenario.scenario.prompt.files}
    root = plan.project.root
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8-sig") for path in sorted(paths)
    }


def _card(plan: Plan, dataset: DatasetPlan) -> dict[str, Any]:
    settings = plan.project.dataset_settings(dataset.name)
    return {
        "title": settings.title,
        "about": settings.about,
        "languages": settings.languages,
        "license": settings.license,
        "tasks": settings.tasks,
    }


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def digest_of(content: Path | bytes) -> str:
    """SHA-256 of a file or of bytes, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return files.digest(content)
