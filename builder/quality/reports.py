"""The report of a dataset: one self-contained page for people, one JSON file for programs.

The page runs no script and loads nothing: its policy allows only the style sheet inside it, by
digest. Texts of models appear escaped, shortened, and with personal data masked. The same
evidence gives the same bytes; neither file names a time.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from builder import io
from builder.quality import (
    coverage,
    figures,
    labels,
    pii,
    report_file,
)
from builder.quality.findings import Evidence, Finding, Verdict
from builder.stats import features

POINTS = 700
"""Points a side on the map of coverage."""
COLUMNS = 12
PAIRS = 8
_WORDS: dict[Verdict, str] = {
    "fail": "failed",
    "warn": "warning",
    "too-few-rows": "too few rows",
    "pass": "passed",
}


def write(
    folder: Path,
    name: str,
    evidence: Evidence,
    findings: Sequence[Finding],
    basis: Mapping[str, str] | None = None,
) -> None:
    """Puts `report.html` and `report.json` into the folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    io.write(folder / "report.html", html(name, evidence, findings).encode())
    report = report_file.of(name, evidence, findings, basis)
    io.write(folder / report_file.NAME, report.to_json())


def html(name: str, evidence: Evidence, findings: Sequence[Finding]) -> str:
    """The page."""
    style = (files("builder.quality") / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    page = Template((files("builder.quality") / "report.html").read_text("utf-8"))
    return page.substitute(
        policy=policy,
        style=style,
        title=figures.shown(name, 120),
        summary=_summary(evidence),
        outcome=_outcome(findings),
        families="".join(_families(findings)),
        sections="\n".join(_sections(evidence, findings)),
        footer=f"Personal data that is not looked for: {escape(pii.NOT_LOOKED_FOR)}.",
    )


def _summary(evidence: Evidence) -> str:
    rows = f"{evidence.rows.rows:,} rows"
    if evidence.scenarios:
        rows += f" from {len(evidence.scenarios)} scenarios"
    if evidence.reference:
        rows += f", beside {evidence.reference.rows:,} rows of reference"
    return f"{rows}."


def _outcome(findings: Sequence[Finding]) -> str:
    """Whether the dataset may be published, in one line."""
    failed = sum(one.verdict == "fail" for one in findings)
    few = sum(one.verdict == "too-few-rows" for one in findings)
    verdict: Verdict = "fail" if failed else "pass"
    told = f"{_many(failed, 'gate')} failed: not to be published" if failed else "Every gate holds"
    if few:
        told = told if failed else "No gate failed"
        told += f"; {_many(few, 'gate')} had too few rows to tell"
    return f'<p class="outcome {verdict}">{told}.</p>'


def _families(findings: Sequence[Finding]) -> Iterator[str]:
    """A card for each family of gates, with its worst verdict."""
    judged: dict[str, Counter[Verdict]] = {}
    for one in findings:
        if one.limit is not None or one.verdict != "pass":
            judged.setdefault(one.gate.partition(".")[0], Counter())[one.verdict] += 1
    for family, counts in judged.items():
        worst = next(verdict for verdict in _WORDS if counts[verdict])
        told = _WORDS[worst] if worst == "pass" else f"{counts[worst]} {_WORDS[worst]}"
        yield (
            f'<li><b>{figures.shown(family).capitalize()}</b><span class="verdict {worst}">{told}'
            f"</span><small>of {_many(counts.total(), 'gate')}</small></li>"
        )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sections(evidence: Evidence, findings: Sequence[Finding]) -> Iterator[str]:
    yield _section("Findings", "", _table(findings))
    if body := _marginals(evidence):
        known = evidence.reference or evidence.context.drawn
        beside = ", over those of the reference" if known else ""
        yield _section("Columns", f"Each column's values{beside}.", body)
    if body := _map(evidence):
        note = (
            "Each text is a point; near points are alike. Ringed points of the reference have no "
            "row of the dataset near them."
        )
        yield _section("Coverage of the reference", note, body)
    if body := _combinations(evidence):
        note = "Rows of each combination of the first two axes; short ones are outlined."
        yield _section("Combinations", note, body)
    if body := _by_scenario(evidence, findings):
        note = "Box: half of the texts; line: from shortest to longest; bright mark: the median."
        yield _section("Length and diversity", note, body)
    if evidence.context.rejects:
        note = "Why answers were refused, most frequent first."
        yield _section("Rejects", note, _wide(figures.bars(evidence.context.rejects)))
    if body := _pairs(evidence):
        note = "The most alike texts of the dataset; what differs is underlined."
        yield _section("Nearest pairs", note, body)


def _section(title: str, note: str, body: str) -> str:
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{told}{body}</section>"


def _wide(plot: str) -> str:
    """A plot that keeps its size on a narrow screen and scrolls sideways there."""
    return f'<div class="scroll">{plot}</div>'


def _table(findings: Sequence[Finding]) -> str:
    """What needs attention first; what passed and what is only shown, folded away."""
    judged = [one for one in findings if one.limit is not None or one.verdict != "pass"]
    order = list(_WORDS)
    urgent = sorted(
        (one for one in judged if one.verdict != "pass"), key=lambda one: order.index(one.verdict)
    )
    passed = [one for one in judged if one.verdict == "pass"]
    figures = [one for one in findings if one.limit is None and one.verdict == "pass"]
    parts = [_rows(urgent) if urgent else '<p class="note">Nothing needs attention.</p>']
    for word, group in (("passed", passed), ("further figures, not judged", figures)):
        if group:
            parts.append(f"<details><summary>{len(group)} {word}</summary>{_rows(group)}</details>")
    return "".join(parts)


def _rows(findings: Sequence[Finding]) -> str:
    head = (
        '<tr class="head"><th>Verdict</th><th>Gate</th><th>Where</th><th class="figure">Value</th>'
        '<th class="figure">Limit</th><th>What to do</th></tr>'
    )
    body = "".join(
        f'<tr><td class="state"><span class="verdict {one.verdict}">{_WORDS[one.verdict]}</span></td>'
        f'<td class="name">{figures.shown(one.gate)}</td>'
        f'<td class="where">{figures.shown(one.what) or "all rows"}</td>'
        f'<td class="figure value">{figures.number(one.value)}</td>'
        f'<td class="figure limit">{"" if one.limit is None else figures.number(one.limit)}</td>'
        f'<td class="advice">{figures.shown(one.advice, 300)}</td></tr>'
        for one in findings
    )
    return f"<table>{head}{body}</table>"


def _legend(*names: tuple[str, str]) -> str:
    return (
        '<ul class="legend">' + "".join(f'<li class="is-{c}">{t}</li>' for c, t in names) + "</ul>"
    )


def _marginals(evidence: Evidence) -> str:
    parts = []
    named = evidence.reference.columns if evidence.reference else {}
    reference = {**evidence.context.drawn, **named}
    for column in [*evidence.rows.of("number"), *evidence.rows.of("category")][:COLUMNS]:
        other = reference.get(column.name)
        if column.kind == "number":
            known = other.values if other and other.kind == "number" else np.empty(0)
            plot = figures.marginal(_present(column.values), _present(known))
        else:
            found = [
                labels.shares([v for v in c.values if v is not None]) for c in (column, other) if c
            ]
            plot = figures.shares(found[0], found[1] if len(found) > 1 else {})
        parts.append(f"<div><h3>{figures.shown(column.name)}</h3>{plot}</div>")
    if not parts:
        return ""
    names = [("ours", "dataset"), *([("line", "reference")] if reference else [])]
    return _legend(*names) + f'<div class="grid">{"".join(parts)}</div>'


def _present(values: Any) -> Any:
    return values[~np.isnan(values)]


def _map(evidence: Evidence) -> str:
    if not evidence.texts or not evidence.reference_texts:
        return ""
    ours, theirs = evidence.vectors
    if min(len(ours), len(theirs)) <= coverage.K:
        return ""
    rng = evidence.rng("map")
    theirs = theirs[rng.permutation(len(theirs))[: coverage.MOST]]
    ours = ours[rng.permutation(len(ours))[: coverage.MOST]]
    covered = coverage.reach(ours, theirs).covered
    flat, known = features.plane(ours, theirs)
    names = (("ours", "dataset"), ("reference", "reference"), ("missing", "reference, not covered"))
    return _legend(*names) + figures.plane(flat[:POINTS], known[:POINTS], covered[:POINTS])


def _combinations(evidence: Evidence) -> str:
    context, rows = evidence.context, evidence.rows
    axes = context.axes[:2] or tuple(column.name for column in rows.of("category")[:2])
    if len(axes) < 2:
        return ""
    values = [[str(cell) for cell in rows.column(axis).values] for axis in axes]
    planned = Counter[tuple[str, str]]()
    for key, many in context.planned.items() if context.axes else ():
        planned[str(key[0]), str(key[1])] += many
    names = [
        [name for name, _ in Counter([*side, *(key[k] for key in planned)]).most_common(size)]
        for k, (side, size) in enumerate(zip(values, (14, 10), strict=True))
    ]
    counts = Counter(zip(*values, strict=True))
    grids = [
        np.array([[count[a, b] for b in names[1]] for a in names[0]], dtype=np.float64)
        for count in (counts, planned)
    ]
    return _wide(figures.heat(names[0], names[1], grids[0], grids[1] if planned else None))


def _by_scenario(evidence: Evidence, findings: Sequence[Finding]) -> str:
    if not evidence.texts:
        return ""
    rows = evidence.rows
    names: Sequence[str] = rows.scenarios or ["all rows"] * rows.rows
    found = {one.what: one.value for one in findings if one.gate == "diversity.distinct_2"}
    if not evidence.scenarios and "" in found:
        found[names[0]] = found[""]
    lengths = labels.lengths(names, evidence.texts)
    return _wide(figures.boxes(dict(list(lengths.items())[:20]), found))


def _pairs(evidence: Evidence) -> str:
    if not evidence.texts or not len(evidence.pairs.i):
        return ""
    order = np.argsort(-evidence.pairs.similarity, kind="stable")[:PAIRS]
    parts = []
    for at in order.tolist():
        i, j = int(evidence.pairs.i[at]), int(evidence.pairs.j[at])
        similar = evidence.pairs.similarity[at]
        left, right = _marked(*(pii.mask(evidence.texts[k][:600]) for k in (i, j)))
        parts.append(
            f'<div class="pair"><h3>rows {i + 1} and {j + 1}, similarity {similar:.2f}</h3>'
            f"<p>{left}</p><p>{right}</p></div>"
        )
    return "".join(parts)


def _marked(a: str, b: str) -> tuple[str, str]:
    """Both texts escaped, the stretches in which they differ marked."""
    found: tuple[list[str], list[str]] = ([], [])
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    for kind, i, ii, j, jj in matcher.get_opcodes():
        for parts, part in ((found[0], a[i:ii]), (found[1], b[j:jj])):
            safe = figures.shown(part, 1000)
            parts.append(safe if kind == "equal" or not part else f"<mark>{safe}</mark>")
    return "".join(found[0]), "".join(found[1])
