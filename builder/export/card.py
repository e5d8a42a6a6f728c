"""The card of a dataset: README.md for the Hub and for people, and its figures as SVG.

It is written from the manifest, the report of the gates and the list of releases alone, so that
the same three give the same bytes, on this machine or from what a repository holds. Names and
values are escaped; what models wrote stands in fenced blocks that it cannot end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.export import plots
from builder.export.markdown import Raw, fenced, table, text

NAME = "README.md"
MARK = "<!-- written by text-dataset-builder from manifest.json; edits here are overwritten -->"
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
         (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))  # fmt: skip
TASKS = {"text-label": "text-classification"}
OWN = {
    "_scenario": "the scenario that the row comes from",
    "_model": "the model that answered",
    "_case": "the row's name: the same in every release",
    "_key": "the content address of the request and its answer",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What a card says of one dataset."""

    manifest: Mapping[str, Any]
    report: Mapping[str, Any] | None = None
    releases: Sequence[Mapping[str, Any]] = ()
    prefix: str = ""
    """Where its files stand, seen from the card: empty, or a folder with its slash."""
    repository: str = ""

    @property
    def name(self) -> str:
        return str(self.manifest["dataset"])

    @property
    def title(self) -> str:
        return str(self.manifest["card"]["title"] or self.name.replace("_", " "))


def write(folder: Path) -> None:
    """Puts README.md and plots/ into a dataset's folder, from what stands there; files that hold
    just this already are left alone."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    part = Part(manifest, report_of(folder), prefix="")
    for name, content in files(part).items():
        put(folder / name, content)
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
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(content, "utf-8", newline="\n")
    temporary.replace(path)


def report_of(folder: Path) -> dict[str, Any] | None:
    """The findings of the gates over this folder; None where nobody checked it."""
    try:
        report = json.loads((folder / "report.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and isinstance(report.get("findings"), list) else None


def files(part: Part) -> dict[str, str]:
    """The figures that the card shows, by name."""
    found = {}
    if part.manifest["axes"]:
        found["plots/axes.svg"] = plots.shares(part.manifest["axes"])
    if part.report is not None and _judged(part.report):
        found["plots/gates.svg"] = plots.gates(part.report["findings"])
    return found


def render(parts: Sequence[Part]) -> str:
    """README.md over one dataset, or over several as configs of one repository."""
    import yaml

    head = yaml.safe_dump(metadata(parts), allow_unicode=True, sort_keys=False, width=10_000)
    if len(parts) == 1:
        body = [f"# {text(parts[0].title)}", *_sections(parts[0], 2)]
    else:
        rows = [[Raw(f"[{text(p.title)}](#{_anchor(p.title)})"), Raw(f"`{p.name}`"),
                 p.manifest["rows"]] for p in parts]  # fmt: skip
        body = ["# " + text(" and ".join(p.title for p in parts)), "Several datasets, one config each.",
                table(["dataset", "config", "rows"], rows)]  # fmt: skip
        for part in parts:
            body += [f"## {text(part.title)}", *_sections(part, 3)]
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
    sizes = {split: sizes_of(manifest, split) for split in manifest["splits"]}
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


def sizes_of(manifest: Mapping[str, Any], split: str) -> tuple[int, int]:
    """Bytes of a split's files, as stored and unpacked."""
    chosen = [about for name, about in manifest["files"].items() if name.startswith(f"data/{split}-")]  # fmt: skip
    stored = sum(about["bytes"] for about in chosen)
    return stored, sum(about.get("unpacked", about["bytes"]) for about in chosen)


def _tasks(manifest: Mapping[str, Any]) -> list[str]:
    chosen = manifest["card"]["tasks"]
    return list(chosen) or [TASKS.get(manifest["shape"], "text-generation")]


def _tags(manifest: Mapping[str, Any]) -> list[str]:
    return ["conversational", "sft"] if manifest["shape"] == "messages" else []


def _sections(part: Part, level: int) -> Iterator[str]:
    manifest, mark = part.manifest, "#" * level
    about = manifest["card"]["about"]
    scenarios = len(manifest["scenarios"])
    yield (
        text(about, 2000)
        if about
        else (
            f"{manifest['rows']:,} rows of synthetic text from {scenarios} scenario{'s' * (scenarios > 1)}: "
            "what varies was planned beforehand, a language model wrote the text, a schema judged every answer."
        )
    )
    yield fenced(
        f"from datasets import load_dataset\n\nloaded = load_dataset({part.repository or '.'!r}"
        + (f", {part.name!r}" if part.prefix else "") + ")", "python")  # fmt: skip
    rows = [[split, n, *sizes_of(manifest, split)] for split, n in manifest["splits"].items()]
    yield table(["split", "rows", "bytes", "unpacked"], rows)
    yield f"{mark} Scenarios"
    yield table(["scenario", "what", "rows", "share", "answers", "rejects", "short"],
                list(_scenarios(manifest)))  # fmt: skip
    yield f"{mark} Columns"
    yield table(["column", "type", "from"], list(_columns(manifest)))
    if manifest["axes"]:
        yield f"{mark} Axes"
        yield f"![Rows by axis]({part.prefix}plots/axes.svg)"
        yield table(["axis", "values", "shares"], [_axis(*one) for one in manifest["axes"].items()])
    yield f"{mark} How it was made"
    yield from _made(manifest)
    yield f"{mark} Gates"
    yield from _gates(part)
    if part.releases:
        yield f"{mark} Releases"
        yield from _releases(part.releases)
    yield f"{mark} Known limits"
    yield "\n".join(f"- {line}" for line in _limits(part))
    yield f"{mark} How to make it again"
    yield (
        "With the project's files, whose SHA-256 digests stand in `manifest.json`. Answers that the "
        "project's store holds are not asked again."
    )
    yield fenced("\n".join([
        "pip install text-dataset-builder", f"builder run {' '.join(manifest['scenarios'])}",
        f"builder export {part.name}"]), "sh")  # fmt: skip
    yield f"{mark} Citation"
    yield fenced(_citation(part), "bibtex")


def _scenarios(manifest: Mapping[str, Any]) -> Iterator[list[Any]]:
    whole = manifest["rows"] or 1
    for name, one in manifest["scenarios"].items():
        share = f"{one['accepted'] / whole:.1%}"
        yield [name, one["about"], one["accepted"], share, one["answers"], one["rejects"],
               one["short_rows"]]  # fmt: skip


def _columns(manifest: Mapping[str, Any]) -> Iterator[list[Any]]:
    origins = manifest["origins"]
    for feature in manifest["features"]:
        name = feature["name"]
        yield [name, _type(feature), OWN.get(name) or origins.get(name, "the answer")]


def _type(feature: Mapping[str, Any]) -> str:
    if "list" in feature:
        inner = feature["list"]
        return "list of " + (
            inner if isinstance(inner, str) else _type({"struct": inner} if isinstance(inner, list) else inner)
        )  # fmt: skip
    if "struct" in feature:
        return "{" + ", ".join(f"{one['name']}: {_type(one)}" for one in feature["struct"]) + "}"
    if isinstance(feature["dtype"], dict):
        names = feature["dtype"]["class_label"]["names"]
        return "class: " + ", ".join(f"{number} {label}" for number, label in names.items())
    return str(feature["dtype"])


def _axis(name: str, found: Mapping[str, Any]) -> list[Any]:
    total = sum(found["values"].values()) + found["other"] or 1
    shown = [f"{value} {n / total:.1%}" for value, n in list(found["values"].items())[:12]]
    rest = sum(list(found["values"].values())[12:]) + found["other"]
    return [name, found["distinct"], ", ".join(shown + ([f"others {rest / total:.1%}"] if rest else []))]  # fmt: skip


def _made(manifest: Mapping[str, Any]) -> Iterator[str]:
    calls = sum(one["answers"] for one in manifest["scenarios"].values())
    rejects = sum(one["rejects"] for one in manifest["scenarios"].values())
    priced = f"{manifest['usd']:.4f} usd"
    if manifest["answers_without_price"]:
        priced += f", and {manifest['answers_without_price']:,} answers of unknown price"
    span = sorted({str(t)[:10] for t in (manifest["first_answer"], manifest["last_answer"]) if t})
    rows = [
        ["models asked", ", ".join(manifest["models"])],
        ["answered by", ", ".join(manifest["answered_by"]) or "–"],
        ["answers", f"{calls:,}, of which {rejects:,} were rejected"],
        ["dates", " to ".join(span) or "–"],
        ["cost", priced],
        ["output tokens", f"{manifest['output_tokens']:,}"],
        ["made with", ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())],
    ]  # fmt: skip
    yield table(["", ""], rows)
    if manifest["reject_reasons"]:
        yield "Why answers were rejected, most frequent first:"
        yield fenced("\n".join(
            f"{one['count']:>8,} × {one['stage']}: {' '.join(one['reason'].split())[:200]}"
            for one in manifest["reject_reasons"]))  # fmt: skip
    if manifest["example"]:
        yield "One row:"
        yield fenced(json.dumps(manifest["example"], ensure_ascii=False, indent=2), "json")


def _gates(part: Part) -> Iterator[str]:
    report = part.report
    if report is None:
        yield "Nobody has run the gates over these rows."
        return
    findings = report["findings"]
    failed = sum(one["verdict"] == "fail" for one in findings)
    over = f"{report['rows']:,} rows" + (
        f", beside {report['reference_rows']:,} rows of reference" if report.get("reference_rows") else ""
    )  # fmt: skip
    yield f"Measured over {over}: " + (f"**{failed} failed.**" if failed else "every gate holds.")
    if _judged(report):
        yield f"![Gates]({part.prefix}plots/gates.svg)"
        yield table(["gate", "of", "figure", "limit", "verdict"], [
            [one["gate"], one["what"], "–" if one["value"] is None else one["value"],
             "–" if one["limit"] is None else one["limit"], one["verdict"]]
            for one in findings if one["limit"] is not None or one["verdict"] != "pass"])  # fmt: skip


def _judged(report: Mapping[str, Any]) -> bool:
    return any(one["limit"] is not None and one["value"] is not None for one in report["findings"])


def _releases(releases: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for one in releases[::-1][:20]:
        changed = one["changes"]
        if not changed:
            rows.append(
                [one["tag"], one["date"] or "–", one["rows"], "", "", "", "the first release"]
            )
            continue
        each = [
            f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in change.items() if count)
            for name, change in changed.items()
            if any(change.values())
        ]
        sums = [sum(c[what] for c in changed.values()) for what in ("added", "removed", "changed")]
        rows.append(
            [one["tag"], one["date"] or "–", one["rows"], *sums, "; ".join(each) or "no row"]
        )
    yield table(["release", "answers until", "rows", "added", "removed", "changed", "by scenario"], rows)  # fmt: skip


def _limits(part: Part) -> Iterator[str]:
    manifest = part.manifest
    yield "The text is synthetic: it reflects the models that wrote it and the prompts that asked, not a population."
    short = sum(one["short_rows"] for one in manifest["scenarios"].values())
    missing = sum(one["open"] for one in manifest["scenarios"].values())
    if short + missing:
        yield f"{short + missing:,} planned rows are missing, so some combinations are thinner than planned."
    rejects = sum(one["rejects"] for one in manifest["scenarios"].values())
    if rejects:
        yield "Answers that the schema refused are left out, so what models find hard may be rarer than planned."
    if len(manifest["answered_by"]) == 1:
        yield "One model wrote all of it; its habits are the dataset's."
    if part.report is not None and part.report.get("not_looked_for"):
        yield f"Personal data that was not looked for: {text(part.report['not_looked_for'], 600)}."
    if part.report is None:
        yield "Diversity, drift and personal data were not measured."
    if not manifest["card"]["license"]:
        yield "No licence was given; ask before you use it."


def _citation(part: Part) -> str:
    year = str(manifest_year(part.manifest))
    where = f"https://huggingface.co/datasets/{part.repository}" if part.repository else ""
    plain = " ".join("".join(c for c in part.title if c not in "{}\\").split())
    lines = [f"@misc{{{part.name.replace('-', '_')},", f"  title = {{{plain}}},"]
    lines += [f"  year = {{{year}}},"] if year else []
    lines += [f"  url = {{{where}}},"] if where else []
    note = "synthetic dataset made with text-dataset-builder"
    return "\n".join([*lines, f"  note = {{{note}}}", "}"])


def manifest_year(manifest: Mapping[str, Any]) -> str:
    """The year of the last answer, or nothing."""
    return str(manifest["last_answer"] or "")[:4]


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
