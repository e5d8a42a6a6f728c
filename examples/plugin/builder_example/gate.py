"""A gate against answers that were cut off: `expect: {endings: {whole: 0.95}}`."""

from __future__ import annotations

from collections.abc import Iterator

from builder.project.expect import Measure
from builder.quality.findings import Evidence, Finding, Limits

MARKS = tuple(".!?…。!?」”\"'")


class Endings:
    """Whether texts end where a sentence ends."""

    name = "endings"
    asks = "do the texts end where a sentence ends?"
    measures = (Measure("whole", 0.9, upper=False, meaning="texts break off within a sentence"),)

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        if evidence.texts:
            whole = sum(text.rstrip().endswith(MARKS) for text in evidence.texts)
            share = whole / len(evidence.texts)
            yield limits.judge("endings.whole", "", share, "allow longer answers: max_tokens")
