"""The card of a dataset: README.md for the Hub and for people, and its figures as SVG.

It is written from the manifest, the report of the gates and the list of releases alone, so that
the same three give the same bytes, on this machine or from what a repository holds. Names and
values are escaped; what models wrote stands in fenced blocks that it cannot end.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder import io
from builder.dataset import charts, manifests, markdown, sections
from builder.quality import report_file

NAME = "README.md"
MARK = "<!-- written by text-dataset-builder from manifest.json; edits here are overwritten -->"
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
         (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))  # fmt: skip
TASKS = {"text-label": "text-classification"}


def write(folder: Path) -> None:
    """Puts README.md and plots/ into a dataset's folder, from what stands there; files that hold
    just this already are left alone."""
    manifest = manifests.parse((folder / manifests.NAME).read_bytes())
    facts = sections.Facts(manifest, manifests.report_of(folder, manifest))
    figures = draw(facts)
    for name, content in figures.items():
        put(folder / name, content)
    for old in (folder / "plots").glob("*"):
        if f"plots/{old.name}" not in figures:
            old.unlink()
    put(folder / NAME, render([facts]))


def renew(folder: Path) -> None:
    """The card of a folder that has one, with what the gates found since."""
    if (folder / NAME).is_file() and manifests.load(folder) is not None:
        write(folder)


def put(path: Path, content: str) -> None:
    """Writes a file whole or not at all, and only where it would change."""
    if path.is_file() and path.read_bytes() == content.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write(path, content)


def draw(facts: sections.Facts) -> dict[str, str]:
    """The figures that the card shows, as SVG by name."""
    figures = {}
    if facts.manifest.axes:
        figures["plots/axes.svg"] = charts.shares(facts.manifest.axes)
    if facts.report and (summaries := report_file.by_measure(facts.report)):
        figures["plots/gates.svg"] = charts.gates(summaries)
    return figures


def render(datasets: Sequence[sections.Facts]) -> str:
    """README.md over one dataset, or over several as configs of one repository."""
    import yaml

    head = yaml.safe_dump(metadata(datasets), allow_unicode=True, sort_keys=False, width=10_000)
    if len(datasets) == 1:
        body = [f"# {markdown.text(datasets[0].title)}", *sections.of(datasets[0], 2)]
    else:
        rows = [[markdown.Raw(f"[{markdown.text(facts.title)}](#{_anchor(facts.title)})"), markdown.Raw(f"`{facts.name}`"),
                 facts.manifest.rows] for facts in datasets]  # fmt: skip
        body = ["# " + markdown.text(" and ".join(facts.title for facts in datasets)),
                "Several datasets, one config each.", markdown.table(["dataset", "config", "rows"], rows)]  # fmt: skip
        for facts in datasets:
            body += [f"## {markdown.text(facts.title)}", *sections.of(facts, 3)]
    return f"---\n{head}---\n{MARK}\n\n" + "\n\n".join(body) + "\n"


def metadata(datasets: Sequence[sections.Facts]) -> dict[str, Any]:
    """What the Hub reads of a card."""
    files = [facts.manifest for facts in datasets]
    languages = sorted({language for m in files for language in m.card.languages})
    licenses = sorted({m.card.license for m in files if m.card.license})
    rows = sum(m.rows for m in files)
    tasks = {t for m in files for t in m.card.tasks or [TASKS.get(m.shape, "text-generation")]}
    trainer = ["conversational", "sft"] * any(m.shape == "messages" for m in files)
    fields: dict[str, Any] = {
        "pretty_name": " and ".join(facts.title for facts in datasets),
        "language": languages,
        "license": licenses[0] if len(licenses) == 1 else licenses,
        "task_categories": sorted(tasks),
        "size_categories": [next((name for most, name in SIZES if rows < most), "n>100M")],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"] if languages else [],
        "source_datasets": ["original"],
        "tags": ["synthetic", "text-dataset-builder", *trainer],
        "configs": [_config(facts, default=len(datasets) == 1 or not i) for i, facts in enumerate(datasets)],
        "dataset_info": [_info(facts) for facts in datasets],
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _config(facts: sections.Facts, *, default: bool) -> dict[str, Any]:
    paths = [{"split": split, "path": f"{facts.prefix}data/{split}-*"} for split in facts.manifest.splits]  # fmt: skip
    return {
        "config_name": facts.name,
        **({"default": True} if default else {}),
        "data_files": paths,
        **facts.manifest.loading,
    }


def _info(facts: sections.Facts) -> dict[str, Any]:
    manifest = facts.manifest
    sizes = {split: facts.sizes(split) for split in manifest.splits}
    return {
        "config_name": facts.name,
        "features": manifest.features,
        "splits": [
            {"name": split, "num_bytes": sizes[split][1], "num_examples": rows}
            for split, rows in manifest.splits.items()
        ],
        "download_size": sum(stored for stored, _ in sizes.values()),
        "dataset_size": sum(loaded for _, loaded in sizes.values()),
    }


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")
