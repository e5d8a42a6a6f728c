"""The sections of a card, for people: what a dataset holds, how it was made, how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from builder.dataset.markdown import (
    fenced,
    folded,
    table,
    text,
)
from builder.dataset.part import Part
from builder.quality import strain
from builder.quality.strain import Judged

OWN = {
    "_scenario": "the scenario that the row comes from",
    "_model": "the model that answered",
    "_case": "the row's name: the same in every release",
    "_key": "the content address of the request and its answer",
}


def of(part: Part, level: int) -> Iterator[str]:
    """The blocks of Markdown over one dataset, headings of this level."""
    mark = "#" * level
    yield from _what(part)
    yield f"{mark} Scenarios"
    yield from _scenarios(part.manifest)
    yield f"{mark} Columns"
    yield from _columns(part.manifest)
    if part.manifest["axes"]:
        yield f"{mark} Axes"
        yield f"![Rows by axis]({part.prefix}plots/axes.svg)"
        yield table(["axis", "values", "shares"], [_axis(*one) for one in part.manifest["axes"].items()])  # fmt: skip
    yield f"{mark} How it was made"
    yield from _made(part.manifest)
    yield f"{mark} Gates"
    yield from _gates(part)
    if part.releases:
        yield f"{mark} Releases"
        yield from _releases(part.releases)
    yield f"{mark} Known limits"
    yield "\n".join(f"- {line}" for line in _limits(part))
    yield f"{mark} How to make it again"
    yield from _again(part)
    yield f"{mark} Citation"
    yield fenced(_citation(part), "bibtex")


def _what(part: Part) -> Iterator[str]:
    manifest = part.manifest
    scenarios = len(manifest["scenarios"])
    yield text(manifest["card"]["about"] or (
        f"{manifest['rows']:,} rows of synthetic text from {scenarios} scenario{'s' * (scenarios > 1)}: "
        "what varies was planned beforehand, a language model wrote the text, a schema judged every answer."
    ), 2000)  # fmt: skip
    where = json.dumps(part.repository or ".") + (f', "{part.name}"' if part.prefix else "")
    yield fenced(f"from datasets import load_dataset\n\nloaded = load_dataset({where})", "python")
    rows = [[split, n, *part.sizes(split)] for split, n in manifest["splits"].items()]
    yield table(["split", "rows", "bytes", "unpacked"], rows)
    if manifest["example"]:
        yield "One row:"
        yield fenced(json.dumps(manifest["example"], ensure_ascii=False, indent=2), "json")


def _scenarios(manifest: Mapping[str, Any]) -> Iterator[str]:
    whole = manifest["rows"] or 1
    yield table(["scenario", "what", "rows", "share", "answers", "rejects", "rows missing"], [
        [name, one["about"], one["accepted"], f"{one['accepted'] / whole:.1%}", one["answers"],
         one["rejects"], one["short_rows"] + one["open"]]
        for name, one in manifest["scenarios"].items()])  # fmt: skip


def _columns(manifest: Mapping[str, Any]) -> Iterator[str]:
    origins = {**manifest["origins"], **OWN}
    yield table(["column", "type", "from"], [
        [one["name"], _type(one), origins.get(one["name"], "the answer")]
        for one in manifest["features"]])  # fmt: skip


def _type(feature: Mapping[str, Any]) -> str:
    if "list" in feature:
        inner = feature["list"]
        if isinstance(inner, str):
            return f"list of {inner}"
        return "list of " + _type({"struct": inner} if isinstance(inner, list) else inner)
    if "struct" in feature:
        return "{" + ", ".join(f"{one['name']}: {_type(one)}" for one in feature["struct"]) + "}"
    if isinstance(feature["dtype"], dict):
        names = feature["dtype"]["class_label"]["names"]
        return "class: " + ", ".join(f"{number} {label}" for number, label in names.items())
    return str(feature["dtype"])


def _axis(name: str, found: Mapping[str, Any]) -> list[Any]:
    counts = list(found["values"].items())
    total = sum(n for _, n in counts) + found["other"] or 1
    shown = [f"{value} {n / total:.1%}" for value, n in counts[:12]]
    rest = sum(n for _, n in counts[12:]) + found["other"]
    return [name, found["distinct"], ", ".join(shown + ([f"others {rest / total:.1%}"] if rest else []))]  # fmt: skip


def _made(manifest: Mapping[str, Any]) -> Iterator[str]:
    calls = sum(one["answers"] for one in manifest["scenarios"].values())
    rejects = sum(one["rejects"] for one in manifest["scenarios"].values())
    span = sorted({str(t)[:10] for t in (manifest["first_answer"], manifest["last_answer"]) if t})
    facts = {
        "models asked": ", ".join(manifest["models"]),
        "answered by": ", ".join(manifest["answered_by"]),
        "calls answered": f"{calls:,}, of which {rejects:,} were rejected",
        "dates": " to ".join(span),
        "cost": _cost(manifest["usd"], manifest["answers_without_price"], calls),
        "output tokens": f"{manifest['output_tokens']:,}",
        "made with": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
    }  # fmt: skip
    yield "\n".join(f"- {name}: {text(told, 2000) or '–'}" for name, told in facts.items())
    if manifest["reject_reasons"]:
        yield "Why answers were rejected, most frequent first:"
        yield fenced("\n".join(
            f"{one['count']:>8,} × {one['stage']}: {' '.join(one['reason'].split())[:200]}"
            for one in manifest["reject_reasons"]))  # fmt: skip
    for name, template in manifest.get("prompts", {}).items():
        yield f"The prompt {text(name)}:"
        yield fenced(template.strip("\n"), "jinja")


def _cost(usd: float, unpriced: int, calls: int) -> str:
    if unpriced == calls:
        return "unknown" if calls else "–"
    more = f", and {unpriced:,} answers of unknown price" if unpriced else ""
    return f"{usd:.4f} usd{more}"


def _gates(part: Part) -> Iterator[str]:
    report = part.report
    if report is None:
        yield "Nobody has run the gates over these rows."
        return
    failed = sum(finding.verdict == "fail" for finding in report.findings)
    over = f"{report.rows:,} rows"
    if report.reference_rows:
        over += f", beside {report.reference_rows:,} rows of reference"
    yield f"Measured over {over}: " + (f"**{failed} failed.**" if failed else "every gate holds.")
    summaries = strain.by_measure(report)
    if not summaries:
        return
    gates = dict.fromkeys(summary.worst.gate.partition(".")[0] for summary in summaries)
    asked = [
        f"- {text(name)}: {text(report.gates[name].asks)}" for name in gates if name in report.gates
    ]
    if asked:
        yield "\n".join(asked)
    yield f"![Gates]({part.prefix}plots/gates.svg)"
    yield "Each gate by the figure that is nearest to its limit:"
    heads = ["gate", "of", "figure", "limit", "verdict"]
    yield table([*heads, "figures"], [[*_figure(one.worst), one.figures] for one in summaries])
    if any(one.worst.strain > 1 and one.worst.verdict == "pass" for one in summaries):
        yield "A figure beyond its limit passes where chance alone explains it."
    every = strain.each(report)
    if len(every) > len(summaries):
        yield folded(f"All {len(every)} figures", table(heads, [_figure(one) for one in every]))
    few = dict.fromkeys(one.gate for one in report.findings if one.verdict == "too-few-rows")
    if few:
        yield f"Too few rows to tell: {text(', '.join(few))}."


def _figure(one: Judged) -> list[Any]:
    return [one.gate, one.what or "all rows", one.value, one.bound, one.verdict]


def _releases(releases: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    heads = ["release", "answers until", "rows", "added", "removed", "changed", "by scenario"]
    yield table(heads, [_release(one) for one in releases[::-1][:20]])


def _release(one: Mapping[str, Any]) -> list[Any]:
    head = [one["tag"], one["date"] or "–", one["rows"]]
    changes = one["changes"]
    if not changes:
        return [*head, "", "", "", "the first release"]
    each = [
        f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in change.items() if count)
        for name, change in changes.items()
        if any(change.values())
    ]
    sums = [sum(c[what] for c in changes.values()) for what in ("added", "removed", "changed")]
    return [*head, *sums, "; ".join(each) or "no row"]


def _limits(part: Part) -> Iterator[str]:
    manifest = part.manifest
    yield "The text is synthetic: it reflects the models that wrote it and the prompts that asked, not a population."
    scenarios = manifest["scenarios"].values()
    if missing := sum(one["short_rows"] + one["open"] for one in scenarios):
        yield f"{missing:,} planned rows are missing, so some combinations are thinner than planned."
    if any(one["rejects"] for one in scenarios):
        yield "Answers that the schema refused are left out, so what models find hard may be rarer than planned."
    if len(manifest["answered_by"]) == 1:
        yield "One model wrote all of it; its habits are the dataset's."
    if part.report is None:
        yield "Diversity, drift and personal data were not measured."
    elif part.report.not_looked_for:
        yield f"Personal data that was not looked for: {text(part.report.not_looked_for, 600)}."
    if not manifest["card"]["license"]:
        yield "No licence was given; ask before you use it."


def _again(part: Part) -> Iterator[str]:
    yield (
        "With the project's files, whose SHA-256 digests stand in `manifest.json`. Answers that the "
        "project's store holds are not asked again."
    )
    yield fenced("\n".join([
        "pip install text-dataset-builder",
        f"builder run {' '.join(part.manifest['scenarios'])}",
        f"builder export {part.name}",
    ]), "sh")  # fmt: skip


def _citation(part: Part) -> str:
    plain = " ".join("".join(c for c in part.title if c not in "{}\\").split())
    fields = {
        "author": part.repository.partition("/")[0],
        "title": plain,
        "year": str(part.manifest["last_answer"] or "")[:4],
        "url": f"https://huggingface.co/datasets/{part.repository}" if part.repository else "",
        "note": "synthetic dataset made with text-dataset-builder",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{part.name.replace('-', '_')},\n" + ",\n".join(lines) + "\n}"
