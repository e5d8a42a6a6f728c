"""A verdict follows from the schema and the answer, and leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from builder.records import Completion, Key, Reject, Row
from builder.results import judgement
from tests import projects


@pytest.mark.parametrize(
    ("line", "text", "accepted"),
    [
        ("pass", "long enough", True),
        ("pass", "no", False),
        ("nothing()", "long enough", False),
        ("raise ValueError('no')", "long enough", False),
    ],
)
def test_a_verdict_leaves_no_limit_of_time_behind(
    tmp_path: Path, line: str, text: str, *, accepted: bool
) -> None:
    schema = (
        "from pydantic import BaseModel, Field, model_validator\n\n\n"
        "class Letter(BaseModel):\n    text: str = Field(min_length=5)\n\n"
        '    @model_validator(mode="after")\n'
        f'    def fits(self) -> "Letter":\n        {line}\n        return self\n'
    )
    plan = projects.plan(projects.write(tmp_path, {"schemas/letters.py": schema}))
    (part,) = plan.scenarios()
    (planned, *_) = part.make(part.cases.index[:1], part.cases.occurrence[:1])
    key = Key(planned.digest, 0, 0)
    answer = Completion(key, f'{{"text": "{text}"}}', "fake:any")
    with judgement.of_schemas() as judging:
        verdict = judging.verdict(part, planned, key, answer)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert isinstance(verdict, Row if accepted else Reject)


def test_an_answer_that_a_person_refused_is_a_reject_with_their_reason(tmp_path: Path) -> None:
    (part,) = projects.plan(projects.write(tmp_path)).scenarios()
    (planned, *_) = part.make(part.cases.index[:1], part.cases.occurrence[:1])
    refused, passed = (Key(planned.digest, occurrence, 0) for occurrence in (0, 1))
    text = '{"text": "long enough"}'
    with judgement.of_schemas({refused: judgement.Review("dull")}) as judging:
        verdict, other = (
            judging.verdict(part, planned, key, Completion(key, text, "fake:any"))
            for key in (refused, passed)
        )
    assert verdict == Reject(planned.case, refused, "fake:any", "review", "dull", text)
    assert isinstance(other, Row)
