"""Whether the texts repeat themselves, or one another, in all and by scenario."""

from collections.abc import Iterator, Sequence

from builder.project.expect import Measure
from builder.quality.findings import Evidence, Finding, Limits
from builder.stats import diversity

LEAST_TEXTS = diversity.SAMPLE
VENDI_TEXTS = 2000  # texts whose vectors stand for all: the score takes their eigenvalues


class Diversity:
    """The gate of the dataset's texts alone."""

    name = "diversity"
    asks = "do the texts repeat themselves, or one another?"
    measures = (
        Measure("distinct_1", 0.02, upper=False, meaning="few different words: mean over subsamples of 100 texts"),
        Measure("distinct_2", 0.2, upper=False, meaning="few different pairs of words (of characters, for Chinese)"),
        Measure(
            "compression", 8.0, upper=True, most=None,
            meaning="the texts compress to less than an eighth: they repeat long passages",
        ),
        Measure("vendi", 3.0, upper=False, most=None, meaning="fewer than three kinds of text, in effect"),
        Measure("near_duplicates", 0.02, upper=True, meaning="more than 2 % of texts are as near as 0.8 to an earlier one"),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        if not evidence.texts:
            return
        groups = {"": list(range(len(evidence.texts))), **evidence.scenarios}
        later = set(evidence.pairs.j.tolist())
        for scenario, rows in groups.items():
            yield limits.judge(
                "diversity.near_duplicates",
                scenario,
                len(later.intersection(rows)) / len(rows),
                "rows repeat earlier ones: set similarity_below, or add values to the axes",
            )
            if len(rows) < LEAST_TEXTS:
                yield Finding.too_few(
                    "diversity.distinct_2", scenario, f"{len(rows)} texts; {LEAST_TEXTS} are needed"
                )
            else:
                yield from _variety(evidence, limits, scenario, rows)


def _variety(
    evidence: Evidence, limits: Limits, scenario: str, rows: Sequence[int]
) -> Iterator[Finding]:
    texts = [evidence.texts[row] for row in rows]
    for n in (1, 2):
        yield limits.judge(
            f"diversity.distinct_{n}",
            scenario,
            diversity.distinct(texts, n, evidence.rng(f"distinct {scenario}")),
            "the same words return: raise the temperature, or vary more in the prompt",
        )
    yield limits.judge(
        "diversity.compression",
        scenario,
        diversity.compression(texts, evidence.rng(f"compression {scenario}")),
        "texts share long passages: look for a fixed opening or closing",
    )
    sample = evidence.rng(f"vendi {scenario}").permutation(rows)[:VENDI_TEXTS]
    yield limits.judge(
        "diversity.vendi",
        scenario,
        diversity.vendi(evidence.vectors[0][sample]),
        "few kinds of text: the variables of the prompt hardly change the answers",
    )
