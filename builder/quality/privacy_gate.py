"""The gate of copies and of personal data: its measures, apart from what they are measured with,
which takes long to load and which a plan that names them in `expect` does not need."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from builder.project.expect import Measure

if TYPE_CHECKING:
    from builder.quality.findings import Evidence, Finding, Limits


class Privacy:
    """The gate of copies, of rows too close to the reference, and of personal data."""

    name = "privacy"
    asks = "is a row copied from the reference, or does one give a person away?"
    measures = (
        Measure(
            "copied_rows", 0, upper=True, most=None,
            meaning="rows equal reference rows, beyond what the reference repeats itself",
        ),
        Measure(
            "copied_texts", 0, upper=True, most=None,
            meaning="texts that equal a reference text or are as near as 0.8 to it",
        ),
        Measure(
            "verbatim", 0, upper=True, most=None,
            meaning="texts that share 50 characters in a row with the reference (20 for Chinese)",
        ),
        Measure(
            "closest", 0.6, upper=True,
            meaning="rows lie nearer to what they were made from than to rows held out",
        ),
        Measure(
            "too_close", 0.15, upper=True,
            meaning="rows lie nearer to a reference row than 95 % of reference rows do (nothing held out)",
        ),
        Measure("pii", 0, upper=True, most=None, meaning="personal data or keys, see below"),
        Measure(
            "placeholders", 0, upper=True, strict=False, most=None,
            meaning="addresses and numbers reserved for examples, such as `example.com`",
        ),
    )  # fmt: skip

    def __call__(self, evidence: "Evidence", limits: "Limits") -> Iterator["Finding"]:
        from builder.quality import privacy

        yield from privacy.findings(evidence, limits)
