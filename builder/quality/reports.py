"""The report of a dataset: one self-contained page for people, one JSON file for programs.

The page runs no script and loads nothing: its policy allows only the style sheet inside it, by
digest. Texts of models appear escaped, shortened, and with personal data masked. The same
evidence gives the same bytes; neither file names a time.
"""

import base64
import difflib
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from builder import io, svg
from builder.quality import (
    coverage,
    figures,
    labels,
    pii,
    report_file,
)
from builder.quality.findings import WORST_FIRST, Evidence, Finding, Verdict
from builder.stats import features
from builder.table.tables import CATEGORY, NUMBER, Column
from builder.text import counted, cut, number

POINTS = 700  # points a side on the map of coverage
COLUMNS = 12
PAIRS = 8
SCENARIOS = 20
PAIR_LETTERS = 600
_LABELS: Mapping[Verdict, str] = {
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
    io.write(folder / report_file.NAME, report_file.of(name, evidence, findings, basis).to_json())


def html(name: str, evidence: Evidence, findings: Sequence[Finding]) -> str:
    """The page over a dataset of this name."""
    style, page = (
        Template((files("builder.quality") / f"report.{ending}").read_text("utf-8"))
        for ending in ("css", "html")
    )
    sheet = style.substitute(
        palette=" ".join(f"--{name}: {colour};" for name, colour in svg.PALETTE.items())
    )
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return page.substitute(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=sheet,
        title=_words(name, 120),
        summary=_summary(evidence),
        outcome=_outcome(findings),
        families="".join(_families(findings)),
        sections="\n".join(_sections(evidence, findings)),
        footer=f"Personal data that is not looked for: {svg.escape(report_file.NOT_LOOKED_FOR)}.",
    )


def _words(value: object, columns: int = 60) -> str:
    """A text for the page: escaped, and cut to a width."""
    return svg.escape(cut(str(value), columns))


def _summary(evidence: Evidence) -> str:
    rows = counted(evidence.rows.rows, "row")
    if evidence.scenarios:
        rows += f" from {len(evidence.scenarios)} scenarios"
    if evidence.reference:
        rows += f", compared with {counted(evidence.reference.rows, 'row')} of reference"
    return f"{rows}."


def _outcome(findings: Sequence[Finding]) -> str:
    verdicts = Counter(finding.verdict for finding in findings)
    failed, few = verdicts["fail"], verdicts["too-few-rows"]
    outcome = "No gate failed" if few else "Every gate holds"
    if failed:
        outcome = f"{counted(failed, 'gate')} failed: not to be published"
    if few:
        outcome += f"; {counted(few, 'gate')} had too few rows to tell"
    return f'<p class="outcome {"fail" if failed else "pass"}">{outcome}.</p>'


def _families(findings: Sequence[Finding]) -> Iterator[str]:
    verdicts: dict[str, Counter[Verdict]] = {}
    for finding in findings:
        if finding.limit is not None or finding.verdict != "pass":
            verdicts.setdefault(finding.gate.partition(".")[0], Counter())[finding.verdict] += 1
    for gate, counts in verdicts.items():
        worst = next(verdict for verdict in WORST_FIRST if counts[verdict])
        label = _LABELS[worst] if worst == "pass" else f"{counts[worst]} {_LABELS[worst]}"
        yield (
            f'<li><b>{_words(gate).capitalize()}</b><span class="verdict {worst}">{label}'
            f"</span><small>of {counted(counts.total(), 'gate')}</small></li>"
        )


def _sections(evidence: Evidence, findings: Sequence[Finding]) -> Iterator[str]:
    known, rejects = evidence.reference or evidence.context.drawn, evidence.context.rejects
    for title, note, body in (
        ("Findings", "", _table(findings)),
        (
            "Columns",
            f"Each column's values{', over those of the reference' * bool(known)}.",
            _marginals(evidence),
        ),
        (
            "Coverage of the reference",
            "Each text is a point; near points are alike. Ringed points of the reference have no "
            "row of the dataset near them.",
            _map(evidence),
        ),
        (
            "Combinations",
            "Rows of each combination of the first two axes; short ones are outlined.",
            _combinations(evidence),
        ),
        (
            "Length and diversity",
            "Box: half of the texts; line: from shortest to longest; bright mark: the median.",
            _by_scenario(evidence, findings),
        ),
        (
            "Rejects",
            "Why answers were refused, most frequent first.",
            _wide(figures.bars(rejects)) if rejects else "",
        ),
        (
            "Nearest pairs",
            "The most alike texts of the dataset; what differs is underlined.",
            _pairs(evidence),
        ),
    ):
        if body:
            line = f'<p class="note">{svg.escape(note)}</p>' if note else ""
            yield f"<section><h2>{svg.escape(title)}</h2>{line}{body}</section>"


def _wide(picture: str) -> str:
    """A picture that keeps its size on a narrow screen and scrolls sideways there."""
    return f'<div class="scroll">{picture}</div>'


def _table(findings: Sequence[Finding]) -> str:
    """What needs attention first; what passed and what is only shown, folded away."""
    groups: dict[str, list[Finding]] = {"": [], "passed": [], "further figures, not judged": []}
    for finding in sorted(findings, key=lambda finding: WORST_FIRST.index(finding.verdict)):
        passed = "further figures, not judged" if finding.limit is None else "passed"
        groups[passed if finding.verdict == "pass" else ""].append(finding)
    urgent = groups.pop("")
    parts = [_rows(urgent) if urgent else '<p class="note">Nothing needs attention.</p>']
    parts += [
        f"<details><summary>{len(group)} {heading}</summary>{_rows(group)}</details>"
        for heading, group in groups.items()
        if group
    ]
    return "".join(parts)


def _rows(findings: Sequence[Finding]) -> str:
    head = (
        '<tr class="head"><th>Verdict</th><th>Gate</th><th>Where</th><th class="figure">Value</th>'
        '<th class="figure">Limit</th><th>What to do</th></tr>'
    )
    body = "".join(
        f'<tr><td class="state"><span class="verdict {finding.verdict}">{_LABELS[finding.verdict]}</span></td>'
        f'<td class="name">{_words(finding.gate)}</td>'
        f'<td class="where">{_words(finding.what) or "all rows"}</td>'
        f'<td class="figure value">{number(finding.value)}</td>'
        f'<td class="figure limit">{"" if finding.limit is None else number(finding.limit)}</td>'
        f'<td class="advice">{_words(finding.advice, 300)}</td></tr>'
        for finding in findings
    )
    return f"<table>{head}{body}</table>"


def _legend(labels: Mapping[str, str]) -> str:
    entries = "".join(f'<li class="is-{name}">{label}</li>' for name, label in labels.items())
    return f'<ul class="legend">{entries}</ul>'


def _marginals(evidence: Evidence) -> str:
    columns = [*evidence.rows.of(NUMBER), *evidence.rows.of(CATEGORY)][:COLUMNS]
    if not columns:
        return ""
    known = evidence.reference.columns if evidence.reference else {}
    reference = {**evidence.context.drawn, **known}
    parts = [
        f"<div><h3>{_words(column.name)}</h3>{_marginal(column, reference.get(column.name))}</div>"
        for column in columns
    ]
    legend = _legend({"ours": "dataset", **({"line": "reference"} if reference else {})})
    return f'{legend}<div class="grid">{"".join(parts)}</div>'


def _marginal(column: Column, reference: Column | None) -> str:
    if column.numeric:
        known = reference.values if reference and reference.numeric else np.empty(0)
        return figures.marginal(*(side[~np.isnan(side)] for side in (column.values, known)))
    ours, theirs = (
        labels.shares([cell for cell in side.values if cell is not None]) if side else {}
        for side in (column, reference)
    )
    return figures.shares(ours, theirs)


def _map(evidence: Evidence) -> str:
    if not evidence.texts or not evidence.reference_texts:
        return ""
    ours, theirs = evidence.vectors
    if min(len(ours), len(theirs)) <= coverage.K:
        return ""
    rng = evidence.rng("map")
    theirs, ours = (side[rng.permutation(len(side))[: coverage.MOST]] for side in (theirs, ours))
    covered = coverage.reach(ours, theirs).covered
    flat, known = features.plane(ours, theirs)
    legend = _legend(
        {"ours": "dataset", "reference": "reference", "missing": "reference, not covered"}
    )
    return legend + figures.plane(flat[:POINTS], known[:POINTS], covered[:POINTS])


def _combinations(evidence: Evidence) -> str:
    context, rows = evidence.context, evidence.rows
    axes = context.axes[:2] or tuple(column.name for column in rows.of(CATEGORY)[:2])
    if len(axes) < 2:
        return ""
    values = [[str(cell) for cell in rows.column(axis).values] for axis in axes]
    planned = Counter[tuple[str, str]]()
    for key, count in context.planned.items() if context.axes else ():
        planned[str(key[0]), str(key[1])] += count
    names = [
        [name for name, _ in Counter([*side, *(key[k] for key in planned)]).most_common(size)]
        for k, (side, size) in enumerate(zip(values, (14, 10), strict=True))
    ]
    grids = [
        np.array([[grid[a, b] for b in names[1]] for a in names[0]], dtype=np.float64)
        for grid in (Counter(zip(*values, strict=True)), planned)
    ]
    return _wide(figures.heat(names[0], names[1], grids[0], grids[1] if planned else None))


def _by_scenario(evidence: Evidence, findings: Sequence[Finding]) -> str:
    if not evidence.texts:
        return ""
    names: Sequence[str] = evidence.rows.scenarios or ["all rows"] * evidence.rows.rows
    distinct = {f.what: f.value for f in findings if f.gate == "diversity.distinct_2"}
    if not evidence.scenarios and "" in distinct:
        distinct[names[0]] = distinct[""]
    lengths = labels.lengths(names, evidence.texts)
    return _wide(figures.boxes(dict(list(lengths.items())[:SCENARIOS]), distinct))


def _pairs(evidence: Evidence) -> str:
    parts = []
    order = np.argsort(-evidence.pairs.similarity, kind="stable")[:PAIRS]
    for i, j, similarity in zip(*(part[order].tolist() for part in evidence.pairs), strict=True):
        left, right = _marked(*(pii.mask(evidence.texts[k][:PAIR_LETTERS]) for k in (i, j)))
        parts.append(
            f'<div class="pair"><h3>rows {i + 1} and {j + 1}, similarity {similarity:.2f}</h3>'
            f"<p>{left}</p><p>{right}</p></div>"
        )
    return "".join(parts)


def _marked(a: str, b: str) -> tuple[str, str]:
    left: list[str] = []
    right: list[str] = []
    for kind, i, ii, j, jj in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for parts, part in ((left, a[i:ii]), (right, b[j:jj])):
            escaped = svg.escape(part)
            parts.append(escaped if kind == "equal" or not part else f"<mark>{escaped}</mark>")
    return "".join(left), "".join(right)
