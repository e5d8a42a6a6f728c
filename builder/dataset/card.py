"""The card of a dataset: README.md for the Hub and for people, and its figures as SVG.

It is written from the manifest, the report of the gates and the list of releases alone, so that
the same three give the same bytes, on this machine or from what a repository holds. Names and
values are escaped; what models wrote stands in fenced blocks that it cannot end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from builder import io
from builder.dataset import charts, sections
from builder.dataset.markdown import Raw, table, text
from builder.dataset.part import Part, report_of
from builder.quality import strain

NAME = "README.md"
MARK = "<!-- written by text-dataset-builder from manifest.json; edits here are overwritten -->"
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
         (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))  # fmt: skip
TASKS = {"text-label": "text-classification"}


def write(folder: Path) -> None:
    """Puts README.md and plots/ into a dataset's folder, from what stands there; files that hold
    just this already are left alone."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    part = Part(manifest, report_of(folder, manifest))
    figures = files(part)
    for name, content in figures.items():
        put(folder / name, content)
    for old in (folder / "plots").glob("*"):
        if f"plots/{old.name}" not in figures:
            old.unlink()
    put(folder / NAME, render([part]))


def renew(folder: Path) -> None:
    """The card of a folder that has one, with what the gates found since."""
    if (folder / NAME).is_file() and (folder / "manifest.json").is_file():
        write(folder)


def put(path: Path, content: str) -> None:
    """Writes a file whole or not at all, and only where it would change."""
    if path.is_file() and path.read_bytes() == content.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write(path, content)


def files(part: Part) -> dict[str, str]:
    """The figures that the card shows, by name."""
    found = {}
    if part.manifest["axes"]:
        found["plots/axes.svg"] = charts.shares(part.manifest["axes"])
    if part.report and (summaries := strain.by_measure(part.report)):
        found["plots/gates.svg"] = charts.gates(summaries)
    return found


def render(parts: Sequence[Part]) -> str:
    """README.md over one dataset, or over several as configs of one repository."""
    import yaml

    head = yaml.safe_dump(metadata(parts), allow_unicode=True, sort_keys=False, width=10_000)
    if len(parts) == 1:
        body = [f"# {text(parts[0].title)}", *sections.of(parts[0], 2)]
    else:
        rows = [[Raw(f"[{text(p.title)}](#{_anchor(p.title)})"), Raw(f"`{p.name}`"),
                 p.manifest["rows"]] for p in parts]  # fmt: skip
        body = ["# " + text(" and ".join(p.title for p in parts)), "Several datasets, one config each.",
                table(["dataset", "config", "rows"], rows)]  # fmt: skip
        for part in parts:
            body += [f"## {text(part.title)}", *sections.of(part, 3)]
    return f"---\n{head}---\n{MARK}\n\n" + "\n\n".join(body) + "\n"


def metadata(parts: Sequence[Part]) -> dict[str, Any]:
    """What the Hub reads of a card."""
    cards = [part.manifest["card"] for part in parts]
    languages = sorted({language for card in cards for language in card["languages"]})
    licenses = sorted({card["license"] for card in cards if card["license"]})
    rows = sum(part.manifest["rows"] for part in parts)
    found: dict[str, Any] = {
        "pretty_name": " and ".join(part.title for part in parts),
        "language": languages,
        "license": licenses[0] if len(licenses) == 1 else licenses,
        "task_categories": sorted({task for part in parts for task in _tasks(part.manifest)}),
        "size_categories": [next((name for most, name in SIZES if rows < most), "n>100M")],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"] if languages else [],
        "source_datasets": ["original"],
        "tags": ["synthetic", "text-dataset-builder", *sorted({t for p in parts for t in _tags(p.manifest)})],
        "configs": [_config(part, default=len(parts) == 1 or not i) for i, part in enumerate(parts)],
        "dataset_info": [_info(part) for part in parts],
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _config(part: Part, *, default: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"config_name": part.name}
    if default:
        found["default"] = True
    paths = [{"split": split, "path": f"{part.prefix}data/{split}-*"} for split in part.manifest["splits"]]  # fmt: skip
    return {**found, "data_files": paths}


def _info(part: Part) -> dict[str, Any]:
    manifest = part.manifest
    sizes = {split: part.sizes(split) for split in manifest["splits"]}
    return {
        "config_name": part.name,
        "features": manifest["features"],
        "splits": [
            {"name": split, "num_bytes": sizes[split][1], "num_examples": rows}
            for split, rows in manifest["splits"].items()
        ],
        "download_size": sum(size for size, _ in sizes.values()),
        "dataset_size": sum(size for _, size in sizes.values()),
    }


def _tasks(manifest: Mapping[str, Any]) -> list[str]:
    chosen = manifest["card"]["tasks"]
    return list(chosen) or [TASKS.get(manifest["shape"], "text-generation")]


def _tags(manifest: Mapping[str, Any]) -> list[str]:
    return ["conversational", "sft"] if manifest["shape"] == "messages" else []


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
