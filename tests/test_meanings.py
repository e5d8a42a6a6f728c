"""What a provider's failure means: the table of bodies, and what follows from each meaning."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from builder.engines import failures, meanings
from builder.engines.failures import Reply
from builder.engines.meanings import Asked
from builder.engines.protocol import Endpoint
from builder.errors import EngineError, ProviderError, RequestError, TransportError
from tests import bodies
from tests.bodies import TABLE, Body

DOCS = Path(__file__).parents[1] / "docs" / "failures.md"
HERE = Endpoint("lab", base_url="http://lab.example.com/v1", api_key_env="LAB_KEY")


def reply_of(body: Body) -> Reply:
    text = body.body.encode() if isinstance(body.body, str) else orjson.dumps(body.body)
    return Reply(body.status, dict(body.headers), text, 0.0)


@pytest.mark.parametrize(
    "body", TABLE, ids=[f"{i}-{b.who}-{b.status}" for i, b in enumerate(TABLE)]
)
def test_each_body_means_what_a_person_reads_in_it(body: Body) -> None:
    fault = failures.fault_of(reply_of(body), str)
    assert meanings.meaning_of(body.status, fault, body.asked) == body.meaning
    if body.after is not None or body.meaning == "wait":
        assert fault.after == (None if body.after is None else pytest.approx(body.after))


@pytest.mark.parametrize("body", [body for body in TABLE if body.status == 200])
def test_an_error_inside_a_good_status_is_none_of_an_answer(body: Body) -> None:
    assert failures.is_fault(body.body)


def test_an_answer_is_no_error() -> None:
    message = {"content": '{"error": "none", "message": "hi"}', "role": "assistant"}
    whole = {"choices": [{"message": message, "error": None}], "base_resp": {"status_code": 0}}
    assert not failures.is_fault(whole)
    assert not failures.is_fault({"type": "message", "content": [], "error": None})


def test_the_table_has_at_least_80_bodies_and_stands_in_the_docs() -> None:
    assert len(TABLE) >= 80
    assert bodies.as_markdown() in DOCS.read_text("utf-8")


KINDS: dict[str, type[EngineError]] = {
    "wait": TransportError,
    "trouble": TransportError,
    "long": RequestError,
    "request": RequestError,
}


@pytest.mark.parametrize("body", TABLE)
def test_each_meaning_is_an_error_of_its_kind_that_shows_what_was_said(body: Body) -> None:
    reply = reply_of(body)
    fault = failures.fault_of(reply, str)
    error = meanings.error_of(HERE, body.asked, reply, fault, str)
    assert type(error) is KINDS.get(body.meaning, ProviderError)
    assert fault.message[:40] in str(error)
    if isinstance(error, TransportError):
        assert error.limited == (body.meaning == "wait")
        assert error.free == (body.status != 200)


@pytest.mark.parametrize(
    ("who", "tokens"),
    [
        ("OpenAI", (9001, 8192)),
        ("vLLM", (5035, 1024)),
        ("llama.cpp", (5035, 1024)),
        ("TGI", (5035, 1024)),
        ("SGLang", (5035, 1024)),
        ("Groq", (8000, 6000)),
        ("Gemini", (1200000, 1048576)),
        ("Bedrock", None),
    ],
)
def test_how_long_a_prompt_is_and_may_be_is_read(who: str, tokens: tuple[int, int] | None) -> None:
    body = next(body for body in TABLE if body.who == who and body.meaning == "long")
    reply = reply_of(body)
    error = meanings.error_of(HERE, body.asked, reply, failures.fault_of(reply, str), str)
    assert isinstance(error, RequestError)
    assert error.tokens == tokens


def test_a_param_is_named_and_the_other_name_for_it() -> None:
    body = next(body for body in TABLE if body.meaning == "param")
    reply = reply_of(body)
    error = meanings.error_of(HERE, body.asked, reply, failures.fault_of(reply, str), str)
    assert str(error).startswith("params.max_tokens is not taken by model 'small-1'")
    assert error.hint == "Write max_completion_tokens instead of max_tokens in params."


def test_a_long_body_is_read_to_its_end() -> None:
    text = "x" * 5000 + " insufficient balance"
    fault = failures.fault_in({"message": text}, str)
    assert len(fault.message) < 400
    assert meanings.meaning_of(400, fault, Asked("m")) == "money"
