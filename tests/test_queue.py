"""The queue between what is missing and who asks, and the online filler that works it off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder import Fake, store
from builder.engines.protocol import Endpoint
from builder.errors import BuilderError, ProviderError, TransportError
from builder.fill.fill import Fill
from builder.fill.progress import MESSAGES, Progress
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.records import Call, Completion, Key, Stop, Usage
from builder.results import estimates, settle
from tests import clock, projects

ANSWER = '{"text": "Dear all, good news."}'
Ask = Callable[[Call], str | Completion | BuilderError | None]


def reply(call: Call, stop: Stop = "end", **fields: Any) -> Completion:
    return Completion(call.key, ANSWER, call.request.model, stop=stop)._replace(**fields)


class Site:
    """A project of so many rows, filled on a clock that jumps."""

    def __init__(self, folder: Path, *, rows: int = 12, words: str = "") -> None:
        scenario = f"schema: Letter\nrows: {rows}\nvary:\n  tone: [glad, sad]\n{words}"
        settings = f"{projects.SETTINGS}[tool.builder.params]\nmax_tokens = 50\n"
        files = {"scenarios/letters.yaml": scenario, "pyproject.toml": settings}
        self.folder = projects.write(folder, files)
        self.asked: list[Call] = []
        self.error: BuilderError | None = None

    def fill(
        self,
        ask: Ask,
        *,
        concurrency: int = 1,
        budget: int | None = None,
        latency: float = 0.0,
    ) -> Progress:
        """What a run with these answers did; `error` is what it raised."""
        plan: Plan = projects.plan(self.folder)

        def answer(call: Call) -> object:
            self.asked.append(call)
            return ask(call)

        path = self.folder / "outputs" / "store.sqlite"
        with store.writing(path) as answers:
            progress = Progress.before(estimates.make(plan, answers, whole=False))

            async def run(now: clock.Clock) -> None:
                endpoint = Endpoint("fake", "fake", options={"latency": latency})
                engine = Fake(answer, endpoint=endpoint)  # type: ignore[arg-type]
                cap = None if budget is None else Budget(tokens=budget)
                fill = Fill(plan, answers, progress, concurrency, cap, engine=engine)
                try:
                    await fill.run()
                except BuilderError as error:
                    self.error = error

            clock.run(run)
        return progress


def test_every_case_is_asked_once_and_every_reply_kept(tmp_path: Path) -> None:
    site = Site(tmp_path)
    progress = site.fill(lambda call: reply(call, usage=Usage(10, 5), usd=0.5))
    assert len({call.key for call in site.asked}) == len(site.asked) == 12
    assert (progress.wanted, progress.to_ask, progress.accepted, progress.calls) == (12,) * 4
    assert (progress.input_tokens, progress.output_tokens, progress.usd) == (120, 60, 6.0)
    assert (progress.unpriced, progress.rejects, progress.unfilled, progress.stopped) == (
        0, 0, 0, "",
    )  # fmt: skip
    assert projects.held(tmp_path) == 12
    again = Site(tmp_path).fill(lambda call: None)
    assert (again.to_ask, again.calls) == (0, 0)
    assert again.holding == {"letters"}


def test_calls_are_in_flight_together_up_to_the_concurrency(tmp_path: Path) -> None:
    site, flying = Site(tmp_path), Counter[str]()
    site.fill(lambda call: flying.update(["asked"]), concurrency=3, latency=1.0)
    assert flying["asked"] == 12


def test_a_reply_that_is_no_answer_is_asked_again_as_often_as_a_case_has_tries(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, rows=1, words="tries: 3\n")
    progress = site.fill(lambda call: reply(call, "length"))
    assert [call.again for call in site.asked] == [0, 1, 2]
    assert len({call.key for call in site.asked}) == 1
    assert (progress.calls, progress.non_answers, progress.unfilled) == (3, {"length": 3}, 1)
    assert (progress.accepted, progress.rejects, progress.unpriced) == (0, 0, 3)
    with store.reading(tmp_path / "outputs" / "store.sqlite") as answers:
        assert (answers.count(), answers.count("attempts")) == (0, 3)
    later = Site(tmp_path, rows=1, words="tries: 3\n")
    later.fill(lambda call: reply(call, "length" if call.again < 4 else "end"))
    assert [call.again for call in later.asked] == [3, 4]


def test_a_refused_answer_is_a_reject_and_its_case_is_asked_again(tmp_path: Path) -> None:
    site = Site(tmp_path, rows=1, words="tries: 2\n")
    progress = site.fill(lambda call: None if call.key.attempt else reply(call, text="prose"))
    assert [call.key.attempt for call in site.asked] == [0, 1]
    assert site.asked[1].turns[0].content == "prose"
    assert (progress.rejects, progress.accepted, progress.unfilled) == (1, 1, 0)
    with store.reading(tmp_path / "outputs" / "store.sqlite") as answers:
        whole = answers.whole(site.asked[1].key)
        assert whole is not None
        assert len(whole.sent) == 2 + len(site.asked[0].messages) or len(whole.sent) == 2


def test_trouble_that_stays_leaves_its_case_and_the_run_goes_on(tmp_path: Path) -> None:
    first: list[Key] = []

    def ask(call: Call) -> BuilderError | None:
        first[:] = first or [call.key]
        return TransportError("cut") if call.key == first[0] else None

    site = Site(tmp_path)
    progress = site.fill(ask, concurrency=2)
    assert (progress.accepted, progress.unfilled, progress.failures) == (11, 1, 8)
    assert progress.trouble == {"cut": 8}
    assert (progress.stopped, site.error) == ("", None)
    assert len(site.asked) == 11 + 8


def test_what_no_repeating_helps_ends_the_run_with_what_came_before(tmp_path: Path) -> None:
    site = Site(tmp_path)
    progress = site.fill(lambda call: None if len(site.asked) < 4 else ProviderError("no key"))
    assert isinstance(site.error, ProviderError)
    assert (progress.stopped, len(site.asked), progress.accepted) == ("no key", 4, 3)
    assert projects.held(tmp_path) == 3
    assert Site(tmp_path).fill(lambda call: None).to_ask == 9


def test_calls_in_flight_are_kept_when_another_ends_the_run(tmp_path: Path) -> None:
    site = Site(tmp_path)
    progress = site.fill(
        lambda call: ProviderError("no key") if call.key == site.asked[0].key else None,
        concurrency=3,
        latency=1.0,
    )
    assert (len(site.asked), progress.accepted, projects.held(tmp_path)) == (3, 2, 2)


def test_a_budget_stops_the_run_without_an_error(tmp_path: Path) -> None:
    site = Site(tmp_path)
    progress = site.fill(lambda call: reply(call, usage=Usage(100, 50)), budget=900)
    assert site.error is None
    assert 2 <= len(site.asked) <= 5
    assert progress.accepted == len(site.asked) == projects.held(tmp_path)
    assert progress.stopped.startswith(
        f"the budget of 900 tokens leaves no room: {150 * len(site.asked)} paid"
    )


def test_calls_that_are_known_to_be_free_take_nothing_from_a_budget(tmp_path: Path) -> None:
    def ask(*, free: bool) -> Progress:
        site = Site(tmp_path / str(free), rows=2)

        def answer(call: Call) -> BuilderError | Completion:
            if len(site.asked) == 1:
                return TransportError("refused", free=free)
            return reply(call, usage=Usage(100, 50))

        return site.fill(answer, budget=450)

    assert ask(free=True).accepted == 2
    assert ask(free=False).accepted == 1


def test_a_store_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    site = Site(tmp_path, rows=300)

    def ask(call: Call) -> None:
        (tmp_path / "outputs" / "store.part").mkdir(exist_ok=True)

    progress = site.fill(ask)
    assert site.error is not None
    assert "cannot write" in str(site.error)
    assert progress.stopped in ("", "the store cannot be written")


def test_answers_that_are_all_prose_end_the_run_at_the_twentieth(tmp_path: Path) -> None:
    site = Site(tmp_path, rows=60)
    progress = site.fill(lambda call: "I would be glad to.")
    assert (len(site.asked), progress.rejects) == (20, 20)
    assert str(site.error).startswith("the first 20 answers of fake were all no JSON")


def test_one_row_among_them_lets_prose_go_on(tmp_path: Path) -> None:
    site = Site(tmp_path, rows=30, words="tries: 1\n")
    site.fill(lambda call: None if len(site.asked) == 2 else "I would be glad to.")
    assert site.error is None
    assert len(site.asked) > 30


@pytest.mark.parametrize(
    ("line", "asked", "begins"),
    [
        ("nothing()", 5, "schemas/letters.py:9:1: a validator raised NameError"),
        (
            "raise ValueError(f'{len(self.text)} signs')",
            40,
            "the first 40 answers of 'letters' were all refused for one reason: ",
        ),
    ],
)
def test_answers_that_are_all_refused_for_one_reason_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, asked: int, begins: str
) -> None:
    site = Site(tmp_path, rows=90)
    (tmp_path / "schemas/letters.py").write_text(_validator(line), "utf-8")
    monkeypatch.chdir(tmp_path)
    site.fill(lambda call: None)
    assert len(site.asked) == asked
    assert str(site.error).startswith(begins)


def test_as_many_combinations_as_there_are_up_to_five_must_be_among_the_refused(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, rows=90)
    scenario = (
        "schema: Letter\nrows: 100\nvary:\n  tone: {a: 94, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1}\n"
    )
    (tmp_path / "scenarios/letters.yaml").write_text(scenario, "utf-8")
    (tmp_path / "schemas/letters.py").write_text(_validator("raise ValueError('no')"), "utf-8")
    site.fill(lambda call: None)
    tones = [call.messages[0].content for call in site.asked]
    assert len(site.asked) >= 40
    assert len(set(tones)) == 5 or len(site.asked) == 40


def test_rows_held_before_let_refusals_go_on(tmp_path: Path) -> None:
    Site(tmp_path, rows=2).fill(lambda call: None)
    site = Site(tmp_path, rows=60, words="tries: 1\n")
    site.fill(lambda call: "I would be glad to.")
    assert site.error is None
    assert len(site.asked) > 58


def test_only_so_many_messages_of_failures_are_remembered() -> None:
    progress = Progress()
    for number in range(MESSAGES + 5):
        progress.note_failure(TransportError(f"{number}"))
    progress.note_failure(TransportError("0"))
    assert (progress.failures, len(progress.trouble)) == (MESSAGES + 6, MESSAGES)
    assert (progress.trouble["0"], progress.trouble["1"]) == (2, 1)


def _validator(line: str) -> str:
    return (
        "from pydantic import BaseModel, Field, ValidationInfo, model_validator\n\n\n"
        "class Letter(BaseModel):\n    text: str = Field(min_length=5, max_length=80)\n\n"
        '    @model_validator(mode="after")\n'
        '    def fits(self, info: ValidationInfo) -> "Letter":\n'
        f"        {line}\n        return self\n"
    )


@pytest.mark.parametrize(("usd", "unpriced"), [(None, 4), (0.5, 0)])
def test_answers_in_the_store_of_unknown_price_are_counted(
    tmp_path: Path, usd: float | None, unpriced: int
) -> None:
    Site(tmp_path, rows=4).fill(lambda call: reply(call, usd=usd))
    (dataset,) = projects.plan(tmp_path).datasets
    with store.reading(tmp_path / "outputs" / "store.sqlite") as answers:
        tally = settle.settle(dataset, answers).exhaust().tallies["letters"]
    assert (tally.answers, tally.unpriced, tally.usd) == (4, unpriced, 4 * (usd or 0.0))


@pytest.mark.parametrize(("rows", "accepted"), [(0, 0), (-2, 0), (2, 2), (9, 5)])
def test_a_round_counts_no_fewer_than_no_rows_and_no_more_than_were_missing(
    rows: int, accepted: int
) -> None:
    progress = Progress(to_ask=5)
    progress.scenarios["letters"].to_ask = 5
    progress.end_round({"letters": rows})
    assert (progress.accepted, progress.scenarios["letters"].accepted) == (accepted, accepted)
