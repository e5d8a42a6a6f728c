"""The sections of a card, for people: what a dataset holds, how it was made, how far to trust it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.dataset import history, manifests, markdown
from builder.quality import report_file
from builder.text import decimals

OWN = {
    "_scenario": "the scenario that the row comes from",
    "_model": "the model that answered",
    "_case": "the row's name: the same in every release",
    "_key": "the content address of the request and its answer",
}
# Heads of the tables.
SCENARIOS = ["scenario", "what", "rows", "share", "answers", "rejects", "rows missing"]
CHANGES = ["release", "answers until", "rows", "added", "removed", "changed", "by scenario"]
VALUES = 12  # values of an axis whose shares are told
RELEASES = 20  # releases that are told, the last ones


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the card of a dataset is written from."""

    manifest: manifests.Manifest
    report: report_file.Report | None = None
    releases: Sequence[history.Release] = ()
    prefix: str = ""  # where its files stand, seen from the card: empty, or a folder with its slash
    repository: str = ""

    @property
    def name(self) -> str:
        return self.manifest.dataset

    @property
    def title(self) -> str:
        return self.manifest.card.title or self.name.replace("_", " ")

    def sizes(self, split: str) -> tuple[int, int]:
        """Bytes of a split's files, as stored and as loaded."""
        listed = self.manifest.files.items()
        chosen = [file for name, file in listed if name.startswith(f"data/{split}-")]
        return sum(file.bytes for file in chosen), sum(file.loaded for file in chosen)


def of(facts: Facts, level: int) -> Iterator[str]:
    """The blocks of Markdown over one dataset, headings of this level."""
    manifest, rows = facts.manifest, facts.manifest.rows or 1
    origins = {**manifest.origins, **OWN}
    scenarios = [
        [name, counts.about, counts.accepted, f"{counts.accepted / rows:.1%}", counts.answers,
         counts.rejects, counts.short_rows + counts.open]
        for name, counts in manifest.scenarios.items()
    ]  # fmt: skip
    columns = [
        [feature["name"], _type(feature), origins.get(str(feature["name"]), "the answer")]
        for feature in manifest.features
    ]
    axes = [
        f"![Rows by axis]({facts.prefix}plots/axes.svg)",
        markdown.table(
            ["axis", "values", "shares"],
            [_axis(name, axis) for name, axis in manifest.axes.items()],
        ),
    ]
    releases = [_release(release) for release in facts.releases[::-1][:RELEASES]]
    sections: dict[str, Iterable[str]] = {
        "Scenarios": [markdown.table(SCENARIOS, scenarios)],
        "Made from": _made_from(manifest) if manifest.upstream else [],
        "Columns": [markdown.table(["column", "type", "from"], columns)],
        "Axes": axes if manifest.axes else [],
        "How it was made": _making(manifest),
        "Gates": _gates(facts),
        "Releases": [markdown.table(CHANGES, releases)] if releases else [],
        "Known limits": ["\n".join(f"- {line}" for line in _limits(facts))],
        "How to make it again": _again(facts),
        "Citation": [markdown.fenced(_citation(facts), "bibtex")],
    }
    yield from _opening(facts)
    for title, blocks in sections.items():
        if blocks:
            yield f"{'#' * level} {title}"
            yield from blocks


def _opening(facts: Facts) -> Iterator[str]:
    manifest = facts.manifest
    scenarios = len(manifest.scenarios)
    yield markdown.text(manifest.card.about or (
        f"{manifest.rows:,} rows of synthetic text from {scenarios} scenario{'s' * (scenarios > 1)}: "
        "what varies was planned beforehand, a language model wrote the text, a schema judged every answer."
    ), 2000)  # fmt: skip
    where = json.dumps(facts.repository or ".") + (f', "{facts.name}"' if facts.prefix else "")
    yield markdown.fenced(
        f"from datasets import load_dataset\n\nloaded = load_dataset({where})", "python"
    )
    rows = [[split, count, *facts.sizes(split)] for split, count in manifest.splits.items()]
    yield markdown.table(["split", "rows", "bytes", "unpacked"], rows)
    if manifest.example:
        yield "One row:"
        yield markdown.fenced(json.dumps(manifest.example, ensure_ascii=False, indent=2), "json")


def _type(feature: Mapping[str, Any]) -> str:
    """A column's type in words.

    >>> _type({"list": [{"name": "role", "dtype": "string"}]})
    'list of {role: string}'
    """
    if "list" in feature:
        inner = feature["list"]
        if isinstance(inner, str):
            return f"list of {inner}"
        return "list of " + _type({"struct": inner} if isinstance(inner, list) else inner)
    if "struct" in feature:
        return "{" + ", ".join(f"{part['name']}: {_type(part)}" for part in feature["struct"]) + "}"
    if isinstance(feature["dtype"], dict):
        names = feature["dtype"]["class_label"]["names"]
        return "class: " + ", ".join(f"{number} {label}" for number, label in names.items())
    return str(feature["dtype"])


def _axis(name: str, axis: manifests.AxisShares) -> list[Any]:
    shares = [f"{value} {share:.1%}" for value, _, share in axis.most_frequent(VALUES)]
    return [name, axis.distinct, ", ".join(shares)]


def _made_from(manifest: manifests.Manifest) -> Iterator[str]:
    """The chain of scenarios, and the rows that each was made from."""
    yield markdown.fenced(manifest.chain, "mermaid")
    rows = [
        [u.scenario, u.name, f"{u.kind} {u.source}", u.rows, u.digest] for u in manifest.upstream
    ]
    yield markdown.table(["scenario", "as", "made from", "rows", "BLAKE2b"], rows)


def _making(manifest: manifests.Manifest) -> Iterator[str]:
    calls = sum(counts.answers for counts in manifest.scenarios.values())
    rejects = sum(counts.rejects for counts in manifest.scenarios.values())
    days = sorted({time[:10] for time in (manifest.first_answer, manifest.last_answer) if time})
    facts = {
        "models asked": ", ".join(manifest.models),
        "answered by": ", ".join(manifest.answered_by),
        "calls answered": f"{calls:,}, of which {rejects:,} were rejected",
        "dates": " to ".join(days),
        "cost": _cost(manifest.usd, manifest.answers_without_price, calls),
        "output tokens": f"{manifest.output_tokens:,}",
        "made with": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }  # fmt: skip
    yield "\n".join(f"- {name}: {markdown.text(fact, 2000) or '–'}" for name, fact in facts.items())
    if manifest.reject_reasons:
        yield "Why answers were rejected, most frequent first:"
        yield markdown.fenced("\n".join(
            f"{reject.count:>8,} × {reject.stage}: {' '.join(reject.reason.split())[:200]}"
            for reject in manifest.reject_reasons))  # fmt: skip
    for name, template in manifest.prompts.items():
        yield f"The prompt {markdown.text(name)}:"
        yield markdown.fenced(template.strip("\n"), "jinja")


def _cost(usd: float, unpriced: int, calls: int) -> str:
    if unpriced == calls:
        return "unknown" if calls else "–"
    more = f", and {unpriced:,} answers of unknown price" if unpriced else ""
    return f"{usd:.{max(4, decimals(usd))}f} usd{more}"


def _gates(facts: Facts) -> Iterator[str]:
    if (report := facts.report) is None:
        yield "Nobody has run the gates over these rows."
        return
    failed = sum(finding.verdict == "fail" for finding in report.findings)
    over = f"{report.rows:,} rows"
    if report.reference_rows:
        over += f", beside {report.reference_rows:,} rows of reference"
    yield f"Measured over {over}: " + (f"**{failed} failed.**" if failed else "every gate holds.")
    summaries = report_file.by_measure(report)
    if not summaries:
        return
    questions = [
        f"- {markdown.text(name)}: {markdown.text(report.gates[name].asks)}"
        for name in dict.fromkeys(summary.worst.gate.partition(".")[0] for summary in summaries)
        if name in report.gates
    ]
    if questions:
        yield "\n".join(questions)
    yield f"![Gates]({facts.prefix}plots/gates.svg)"
    yield "Each gate by the figure that is nearest to its limit:"
    heads = ["gate", "of", "figure", "limit", "verdict"]
    rows = [[*_figure(summary.worst), summary.figures] for summary in summaries]
    yield markdown.table([*heads, "figures"], rows)
    worst = [summary.worst for summary in summaries]
    if any(figure.strain > 1 and figure.verdict == "pass" for figure in worst):
        yield "A figure beyond its limit passes where chance alone explains it."
    if len(figures := report_file.figures(report)) > len(summaries):
        every = markdown.table(heads, [_figure(figure) for figure in figures])
        yield markdown.folded(f"All {len(figures)} figures", every)
    if few := dict.fromkeys(f.gate for f in report.findings if f.verdict == "too-few-rows"):
        yield f"Too few rows to tell: {markdown.text(', '.join(few))}."


def _figure(figure: report_file.Judged) -> list[Any]:
    return [figure.gate, figure.what or "all rows", figure.value, figure.bound, figure.verdict]


def _release(release: history.Release) -> list[Any]:
    head = [release.tag, release.date or "–", release.rows]
    changes = release.changes
    if not changes:
        return [*head, "", "", "", "the first release"]
    by_scenario = [
        f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in change if count)
        for name, change in changes.items()
        if change
    ]
    every = changes.values()
    return [
        *head,
        sum(change.added for change in every),
        sum(change.removed for change in every),
        sum(change.changed for change in every),
        "; ".join(by_scenario) or "no row",
    ]


def _limits(facts: Facts) -> list[str]:
    manifest, report = facts.manifest, facts.report
    scenarios = manifest.scenarios.values()
    missing = sum(counts.short_rows + counts.open for counts in scenarios)
    unsought = markdown.text(report.not_looked_for, 600) if report else ""
    limits = (
        (True, "The text is synthetic: it reflects the models that wrote it and the prompts that asked, not a population."),
        (manifest.copied, f"Text of a table, which nobody generated: {markdown.text(', '.join(manifest.copied))}."),
        (missing, f"{missing:,} planned rows are missing, so some combinations are thinner than planned."),
        (any(counts.rejects for counts in scenarios), "Answers that the schema refused are left out, so what models find hard may be rarer than planned."),
        (len(manifest.answered_by) == 1, "One model wrote all of it; its habits are the dataset's."),
        (report is None, "Diversity, drift and personal data were not measured."),
        (unsought, f"Personal data that was not looked for: {unsought}."),
        (not manifest.card.license, "No licence was given; ask before you use it."),
    )  # fmt: skip
    return [limit for holds, limit in limits if holds]


def _again(facts: Facts) -> list[str]:
    commands = [
        "pip install text-dataset-builder",
        f"builder run {' '.join(facts.manifest.scenarios)}",
        f"builder export {facts.name}",
    ]
    return [
        "With the project's files, whose SHA-256 digests stand in `manifest.json`. Answers that the "
        "project's store holds are not asked again.",
        markdown.fenced("\n".join(commands), "sh"),
    ]


def _citation(facts: Facts) -> str:
    fields = {
        "author": facts.repository.partition("/")[0],
        "title": " ".join("".join(c for c in facts.title if c not in "{}\\").split()),
        "year": (facts.manifest.last_answer or "")[:4],
        "url": f"https://huggingface.co/datasets/{facts.repository}" if facts.repository else "",
        "note": "synthetic dataset made with text-dataset-builder",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{facts.name.replace('-', '_')},\n" + ",\n".join(lines) + "\n}"
