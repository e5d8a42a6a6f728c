"""A reply is read as a person would read it: the table, and laws that hold for any reply."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from builder.results import extract
from tests import replies
from tests.replies import Note

DOCS = Path(__file__).parents[1] / "docs" / "answers.md"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("case", replies.TABLE, ids=[case.kind for case in replies.TABLE])
def test_a_reply_is_read_as_a_person_would(case: replies.Reply) -> None:
    fitting = []
    try:
        candidates = extract.objects(case.reply)
    except extract.NoJsonError:
        candidates = []
    for candidate in candidates:
        try:
            note = Note.model_validate_json(candidate)
        except ValidationError:
            continue
        row = {k: v for k, v in note.model_dump(exclude_unset=True).items() if v is not None}
        if row not in fitting:
            fitting.append(row)
    assert fitting == ([case.row] if case.row else fitting if len(fitting) > 1 else [])


def test_the_table_has_at_least_60_replies_and_stands_in_the_docs() -> None:
    assert len(replies.TABLE) >= 60
    assert replies.as_markdown() in DOCS.read_text("utf-8")


@given(text=texts, around=texts.filter(lambda text: not set(text) & set('{}"<[◁')))
def test_a_whole_object_is_found_word_for_word_whatever_stands_around_it(
    text: str, around: str
) -> None:
    reply = json.dumps({"text": text}, ensure_ascii=False)
    assert [json.loads(found) for found in extract.objects(reply)] == [{"text": text}]
    found = extract.objects(f"{around} {reply} {around}")
    assert [json.loads(candidate) for candidate in found] == [{"text": text}]


@given(text=texts, cut=st.integers(min_value=1))
def test_an_answer_that_was_cut_off_is_never_completed(text: str, cut: int) -> None:
    whole = json.dumps({"text": text, "tags": [text]}, ensure_ascii=False)
    with pytest.raises(extract.NoJsonError):
        extract.objects(whole[: 1 + cut % (len(whole) - 1)])


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Just a text.", "Just a text."),
        ("  kept as it is \n", "  kept as it is \n"),
        ("<think>hm</think>\nJust a text.", "Just a text."),
        ("hm, so I say</think> Just a text.", "Just a text."),
        ("Write <think> to make it think.", "Write <think> to make it think."),
        ("<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>Yes.", "Yes."),
    ],
)
def test_reasoning_before_a_text_is_dropped_and_all_else_stays(reply: str, text: str) -> None:
    assert extract.text_of(reply) == text


@pytest.mark.parametrize("reply", ["<think>only this</think>", "<think>without an end"])
def test_a_reply_that_only_thinks_is_no_text(reply: str) -> None:
    with pytest.raises(extract.NoJsonError, match="only reasoning"):
        extract.text_of(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "[" * 100_000, "{" * 9_999, '{"a":' * 5000, "{'text': " * 2000, "```json\n" * 5000,
        '{"text": "' + "\\" * 9_999, '{"n": 1' + "0" * 5000, "{'n': 1" + "0" * 5000 + "}",
        '{"text": "\\ud800"}', "<think>" * 5000, "{a: " + "1" * 5000 + "} {b: 2}",
    ],
    ids=range(11),
)  # fmt: skip
def test_no_reply_breaks_whoever_reads_it(reply: str) -> None:
    with contextlib.suppress(extract.NoJsonError):
        extract.objects(reply)
    with contextlib.suppress(extract.NoJsonError):
        extract.text_of(reply)
