"""One exchange over a wire that answers from a list: no socket, no SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from builder.engines import anthropic, exchange, failures, meanings, openai
from builder.engines.exchange import Exchange, Format
from builder.engines.failures import Reply
from builder.engines.protocol import Endpoint
from builder.errors import ProviderError, RequestError, TransportError
from builder.project.settings import Prices
from builder.records import Call, Completion, Key, Message, Request, Usage

KEY = "sk-secret-0001"
ASKED = meanings.Asked("m", "text", ("max_tokens",))
HERE = Endpoint(
    "lab",
    base_url="http://lab.example.com/v1",
    api_key=KEY,
    api_key_env="LAB_KEY",
    usd_per_million=Prices(input=1.0, output=10.0, cached=0.1),
)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


class Listed:
    """A wire that gives these replies in turn, and keeps what was sent."""

    host = "lab.example.com:80"

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[str, Any]] = []

    async def post(self, path: str, payload: bytes) -> Reply:
        self.sent.append((path, orjson.loads(payload)))
        return self.replies.pop(0)

    async def get(self, path: str) -> Reply:
        self.sent.append((path, None))
        return self.replies.pop(0)


def reply(payload: Any, status: int = 200, **headers: str) -> Reply:
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return Reply(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, body, 0.5
    )


def answer(text: Any = "fine", finish: str = "stop", **usage: Any) -> Reply:
    counted = {"prompt_tokens": 100, "completion_tokens": 20, **usage}
    choice = {"message": {"content": text}, "finish_reason": finish}
    return reply({"model": "m-1", "choices": [choice], "usage": counted})


def ask(wire: Listed, form: Format = openai.FORMAT, **given: Any) -> Completion:
    call = Call(Request("lab:m", (Message("user", "hello"),), {}, given.pop("schema", None)), Key(b"k" * 16, 0, 0), **given)  # fmt: skip
    return asyncio.run(Exchange(HERE, wire, form).complete(call))


def test_a_reply_becomes_a_completion_with_all_that_is_known() -> None:
    wire = Listed(answer(prompt_tokens_details={"cached_tokens": 40}))
    completion = ask(wire, turns=(Message("assistant", "x"), Message("user", "again")))
    assert (completion.text, completion.stop, completion.stop_reason) == ("fine", "end", "stop")
    assert completion.usage == Usage(100, 20, 40)
    assert completion.usd == pytest.approx((60 * 1.0 + 40 * 0.1 + 20 * 10) / 1e6)
    assert (completion.model, completion.answered_by) == ("lab:m", "m-1")
    assert (completion.host, completion.mode, completion.latency) == (wire.host, "text", 0.5)
    ((path, body),) = wire.sent
    assert path == "/chat/completions"
    assert [turn["content"] for turn in body["messages"]] == ["hello", "x", "again"]
    assert "seed" not in body


def test_a_format_with_seeds_takes_another_for_each_reply_that_was_no_answer() -> None:
    form = openai.FORMAT._replace(seeded=True)
    seeds = []
    for again in (0, 0, 1):
        wire = Listed(answer())
        ask(wire, form, again=again)
        seeds.append(wire.sent[0][1]["seed"])
    assert seeds[0] == seeds[1] == Key(b"k" * 16, 0, 0).seed()
    assert seeds[2] == Key(b"k" * 16, 0, 0).seed(1) != seeds[0]


def test_the_mode_that_a_server_refuses_is_left_and_the_answer_kept() -> None:
    refusal = reply({"error": {"message": "response_format is not supported"}}, 400)
    wire = Listed(refusal, refusal, refusal, answer('{"a": "x"}'))
    completion = ask(wire, schema=SCHEMA)
    assert completion.mode == "prompt"
    formats = [body.get("response_format", {}).get("type") for _, body in wire.sent]
    assert formats == ["json_schema", "json_schema", "json_object", None]


def test_a_refusal_without_a_reason_is_tried_in_the_lower_modes_once() -> None:
    refusal = reply({"error": {"message": "no such field"}}, 400)
    wire = Listed(*[refusal] * 5)
    there = Exchange(HERE, wire, openai.FORMAT)
    call = Call(Request("lab:m", (Message("user", "hello"),), {}, SCHEMA), Key(b"k" * 16, 0, 0))
    for sent in (4, 5):
        with pytest.raises(
            RequestError, match=r"refused the request for model 'm' \(400\): no such"
        ):
            asyncio.run(there.complete(call))
        assert len(wire.sent) == sent
    formats = [body.get("response_format", {}).get("type") for _, body in wire.sent]
    assert formats == ["json_schema", "json_schema", "json_object", None, "json_schema"]
    wire.replies = [answer("{}")]
    assert asyncio.run(there.complete(call)).mode == "json_schema_full"


def test_a_server_that_ignores_how_structure_is_asked_for_is_asked_in_the_prompt() -> None:
    def modes(*texts: str) -> list[str]:
        there = Exchange(HERE, Listed(*map(answer, texts)), openai.FORMAT)
        call = Call(Request("lab:m", (Message("user", "hello"),), {}, SCHEMA), Key(b"k" * 16, 0, 0))
        return [asyncio.run(there.complete(call)).mode for _ in texts]

    assert modes(*["Sure!"] * 6) == ["json_schema_full"] * 5 + ["prompt"]
    assert modes("{}", *["Sure!"] * 9) == ["json_schema_full"] * 10
    assert modes(*["Sure!"] * 4, "{}", *["Sure!"] * 9) == ["json_schema_full"] * 14


def test_a_lower_mode_that_is_answered_is_kept() -> None:
    refusal = reply({"error": {"message": "no such field"}}, 400)
    wire = Listed(refusal, refusal, answer("{}"), answer("{}"))
    there = Exchange(HERE, wire, openai.FORMAT)
    call = Call(Request("lab:m", (Message("user", "hello"),), {}, SCHEMA), Key(b"k" * 16, 0, 0))
    assert [asyncio.run(there.complete(call)).mode for _ in range(2)] == ["json_object"] * 2


def test_a_model_that_is_unknown_is_answered_by_the_names_that_are_served() -> None:
    absent = reply({"error": {"message": "no", "code": "model_not_found"}}, 404)
    listing = reply({"data": [{"id": "mm"}, {"id": "z"}]})
    wire = Listed(absent, listing)
    with pytest.raises(ProviderError) as caught:
        ask(wire)
    assert caught.value.hint == "It serves mm, z. Did you mean 'mm'?"
    assert wire.sent[-1] == ("/models", None)
    with pytest.raises(ProviderError) as caught:
        ask(Listed(absent, reply("no list", 404)))
    assert caught.value.hint.startswith("Check the model's name")


def test_an_answer_is_taken_from_the_tool_that_was_called_or_from_the_thoughts() -> None:
    def moved(**message: Any) -> Reply:
        choice = {"message": {"content": None, **message}, "finish_reason": "stop"}
        return reply({"choices": [choice], "usage": {"completion_tokens": 9}})

    whole = '{"a": "b"}'
    call = [{"function": {"name": "answer", "arguments": whole}}]
    taken = ask(Listed(moved(tool_calls=call)), schema=SCHEMA)
    assert (taken.text, taken.stop, taken.stop_reason) == (whole, "end", "stop in tool_calls")
    taken = ask(Listed(moved(reasoning=whole)), schema=SCHEMA)
    assert (taken.text, taken.stop, taken.stop_reason) == (whole, "end", "stop in reasoning")
    needy = {**SCHEMA, "required": ["a", "c"]}
    for thoughts, schema in (
        ("hm, what now?", SCHEMA),
        (whole, needy),
        (whole, None),
        ("[]", SCHEMA),
    ):
        alone = ask(Listed(moved(reasoning=thoughts)), schema=schema)
        assert (alone.stop, alone.text, alone.reasoning) == ("reasoning", "", thoughts)
        assert alone.usage.output == 9
    assert ask(Listed(moved())).stop == "empty"


def test_a_generation_that_the_server_refuses_is_an_answer_to_be_judged() -> None:
    body = {
        "error": {"message": "no", "code": "json_validate_failed", "failed_generation": "{half"}
    }
    refused = ask(Listed(reply(body, 400)), schema=SCHEMA)
    assert (refused.text, refused.stop, refused.stop_reason) == (
        "{half",
        "end",
        "json_validate_failed",
    )


def test_a_reply_of_any_good_status_is_read() -> None:
    assert ask(Listed(answer()._replace(status=201))).text == "fine"
    with pytest.raises(TransportError, match="answered 204 without whole JSON: 0 bytes"):
        ask(Listed(reply(b"", 204)))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (b"<html>busy", TransportError, "answered 200 without whole JSON: busy"),
        (b"", TransportError, "answered 200 without whole JSON: 0 bytes"),
        ([1], TransportError, "answered 200 with no JSON object"),
        ({"choices": []}, TransportError, "The reply holds no choice"),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, TransportError, "with an error inside: slow down"),
        ({"type": "error", "error": {"message": "busy", "type": "overloaded_error"}}, TransportError, "with an error inside: busy"),
        ({"error": {"message": "who are you", "code": 401}}, ProviderError, "refused the API key in LAB_KEY (401)"),
        ({"error": {"message": "pay", "code": "402"}}, ProviderError, "out of quota or balance"),
        ({"error": {"message": "insufficient_quota"}}, ProviderError, "out of quota or balance"),
        ({"error": {"message": f"bad key {KEY}"}}, TransportError, "bad key [key]"),
    ],
)  # fmt: skip
def test_a_200_without_an_answer_is_what_it_means(
    given: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        ask(Listed(reply(given)))
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "limited"), [("rate_limit_error", True), ("overloaded", True), ("server_error", False)]
)
def test_an_error_inside_a_200_says_whether_to_slow_down(kind: str, limited: bool) -> None:
    inside = {"error": {"message": "busy", "type": kind}}
    with pytest.raises(TransportError) as caught:
        ask(Listed(reply(inside, retry_after="7")))
    assert (caught.value.limited, caught.value.after) == (limited, 7.0)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("stop", "end"), ("length", "length"), ("content_filter", "filter"), ("refusal", "refusal")],
)
def test_why_a_reply_stopped_is_kept(finish: str, stop: str) -> None:
    assert ask(Listed(answer("half", finish))).stop == stop


def test_a_filter_that_refuses_the_prompt_is_a_completion_that_cost_no_output() -> None:
    refusal = reply({"error": {"message": "stopped", "code": "content_filter"}}, 400)
    completion = ask(Listed(refusal))
    assert (completion.stop, completion.stop_reason, completion.text) == ("filter", "content_filter", "")  # fmt: skip
    assert completion.usage == Usage(None, 0)
    assert not completion.is_answer


def test_keys_that_a_model_repeats_are_taken_out_of_its_answer() -> None:
    assert ask(Listed(answer(f"your key is {KEY}"))).text == "your key is [key]"


def test_a_byte_order_mark_before_the_answer_is_no_trouble() -> None:
    marked = answer()._replace(body=b"\xef\xbb\xbf" + answer().body)
    assert ask(Listed(marked)).text == "fine"


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (5, 5), (10**8, 10**8), (10**8 + 1, None), (-1, None), (True, None), (1.0, None)],
)
def test_a_count_of_tokens_is_believed_within_reason(value: Any, count: int | None) -> None:
    assert exchange.tokens(value) == count


def test_anthropics_reply_is_its_text_blocks() -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "one "}, {"type": "text", "text": "two"}]  # fmt: skip
    payload = {"content": blocks, "stop_reason": "end_turn", "model": "c-1", "usage": {"input_tokens": 5}}  # fmt: skip
    wire = Listed(reply(payload))
    completion = ask(wire, anthropic.FORMAT)
    assert (completion.text, completion.stop, completion.answered_by) == ("one two", "end", "c-1")
    assert completion.usage == Usage(5, None, None)
    assert completion.reasoning == "hm"
    assert completion.usd is None
    assert wire.sent[0][0] == "/messages"
    nothing: list[dict[str, object]] = [{"content": None}, {"content": []}]
    for broken in nothing:
        with pytest.raises(TransportError):
            ask(Listed(reply(broken)), anthropic.FORMAT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\nc", "a b c"),
        ("<b>bold</b> word", "bold word"),
        (f"key {KEY}", "key [key]"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "…"),
        ("bell\x07", "bell"),
    ],
)
def test_what_a_server_said_is_one_short_line(text: str, shown: str) -> None:
    assert failures.excerpt(text, failures.redactor(HERE)) == shown


def test_a_key_too_short_to_tell_is_not_looked_for() -> None:
    assert failures.redactor(Endpoint("x", api_key="abc"))("abc") == "abc"
    assert failures.redactor(Endpoint("x", api_key="abcd"))("abcd") == "[key]"
    assert failures.redactor(Endpoint("x", api_key="a/b+c"))("a%2Fb%2Bc") == "[key]"


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"error": {"message": "m", "code": 7, "type": "T"}}, ("m", ("7", "t"), ())),
        ({"error": {"message": "m", "innererror": {"code": "in"}}}, ("m", ("in",), ())),
        (
            {"detail": [{"loc": ["body", "top_k"]}]},
            ('{"detail":[{"loc":["body","top_k"]}]}', (), ("top_k",)),
        ),
        ({"error": {"param": "a.B"}}, ('{"error":{"param":"a.B"}}', (), ("a", "b"))),
        ({"msg": "m"}, ("m", (), ())),
        ({"error": "plain"}, ("plain", (), ())),
        ([{"error": {"message": "m", "status": "S"}}], ("m", ("s",), ())),
        ([1], ("[1]", (), ())),
    ],
)
def test_an_error_is_read_in_each_of_the_usual_shapes(
    payload: Any, fault: tuple[str, tuple[str, ...], tuple[str, ...]]
) -> None:
    assert failures.fault_in(payload, str)[:3] == fault


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_in_each_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert failures.retry_after(headers, now=60.0) == seconds
    assert failures.retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, now=60.0) == 0.0


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (302, "", "answers with a redirect to https://else.example.com"),
        (401, "", "Set LAB_KEY to a valid key"),
        (403, "", "forbids model 'm'"),
        (404, "", "has no model 'm' at base_url http://lab.example.com/v1"),
        (413, "", "The prompt is too long for model 'm' (413)"),
        (
            400,
            "max_tokens is unsupported: use max_completion_tokens",
            "Write max_completion_tokens",
        ),
        (400, "context_length exceeded", "The prompt is too long"),
        (400, "json_schema is unknown", "structured output asked of model 'm'"),
        (429, "insufficient_quota", "out of quota"),
        (403, "billing", "out of quota"),
        (418, "", "refused the request for model 'm' (418)"),
    ],
)
def test_a_final_refusal_names_what_to_set(status: int, text: str, words: str) -> None:
    given = Reply(status, {"location": "https://else.example.com"}, text.encode(), 0.0)
    error = meanings.error_of(HERE, ASKED, given, failures.fault_of(given, str), str)
    assert isinstance(error, ProviderError | RequestError)
    assert words in str(error)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 529])
def test_trouble_is_worth_another_try(status: int) -> None:
    given = Reply(status, {"retry-after": "3"}, b"busy", 0.0)
    error = meanings.error_of(HERE, ASKED, given, failures.fault_of(given, str), str)
    assert isinstance(error, TransportError)
    assert (error.free, error.after, error.limited) == (True, 3.0, status in (429, 529))
    assert str(error) == f"lab answered {status}: busy"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_beside_the_answer_is_kept(field: str) -> None:
    message = {"content": "fine", field: f"first this, then {KEY}"}
    payload = {"choices": [{"message": message, "finish_reason": "stop"}]}
    completion = ask(Listed(reply(payload)))
    assert (completion.text, completion.reasoning) == ("fine", "first this, then [key]")
    assert ask(Listed(answer())).reasoning == ""
