"""Whole runs against servers that answer as real ones do when something is wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests import bodies, projects
from tests.scripted import Body, Refusal, Scripted, chat, error, letter, project, prompt

USAGE = {"prompt_tokens": 20, "completion_tokens": 10}
CUT = chat('{"text": "and then', "length")
THOUGHTS = chat(None, reasoning_content="hm " * 20)
FILTERED = chat("", "content_filter")
EMPTY = chat(None)


@pytest.mark.parametrize("latency", [0.0, pytest.param(0.3, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (CUT, ["cut off at max_tokens = 20", "raise max_tokens"]),
        (THOUGHTS, ["reasoning alone", "chat_template_kwargs: {enable_thinking: false}"]),
        (FILTERED, ["stopped by the provider's filter"]),
        (EMPTY, ["empty"]),
        (chat(""), ["empty"]),
        (chat("\n\n"), ["empty"]),
        (chat("", "length", reasoning="hm"), ["cut off at max_tokens = 20"]),
    ],
    ids=["cut", "thoughts", "filtered", "null", "empty", "blank", "cut-in-thoughts"],
)
def test_replies_that_are_all_no_answers_end_a_run_after_forty_and_name_what_to_set(
    reply: Any, words: list[str], latency: float, tmp_path: Path
) -> None:
    with Scripted(lambda number, body: reply, latency=latency) as server:
        ran = projects.run(project(tmp_path, server, rows="1000", params="max_tokens = 20"), "run")
        assert ran.code == 75
        assert 20 <= server.calls <= 40
    for word in words:
        assert word in ran.err
    assert f"{server.answers * 20:,} + {server.answers * 10:,} tokens" in ran.err
    assert projects.held(tmp_path) == server.answers


TOO_LONG = "{} are too long for the model: 5,035 of 1,024 tokens"
LONG = "request (5035 tokens) exceeds the available context size (1024 tokens), try increasing it"


def overflowing(number: int, body: Body) -> Any:
    """What llama.cpp says to two of ten documents; the others are answered."""
    if prompt(body).endswith(("d3.", "d7.")):
        return Refusal(400, error(LONG, 400, "exceed_context_size_error"))
    return letter(number)


def test_prompts_that_are_too_long_are_set_aside_and_the_rest_is_whole(tmp_path: Path) -> None:
    with Scripted(overflowing) as server:
        folder = project(tmp_path, server, rows="5 each")
        first = projects.run(folder, "run")
        assert (first.code, server.calls) == (5, 50)
        assert TOO_LONG.format("10 rows of doc = 'd3' or 'd7'") in first.err
        again = projects.run(folder, "run")
        assert again.code == 5
        asked = {prompt(body) for body in server.bodies[50:]}
        assert asked == {"Write letter d3.", "Write letter d7."}
        server.script = lambda number, body: letter(number)
        assert projects.run(folder, "run").code == 0
        assert projects.held(folder) == 50


def test_one_prompt_that_is_too_long_is_named_by_its_value(tmp_path: Path) -> None:
    def script(number: int, body: Body) -> Any:
        return overflowing(number, body) if prompt(body).endswith("d3.") else letter(number)

    with Scripted(script) as server:
        ran = projects.run(project(tmp_path, server, rows="3 each"), "run")
    assert ran.code == 5
    assert TOO_LONG.format("3 rows of doc = 'd3'") in ran.err


def test_a_server_that_refuses_every_request_ends_the_run_after_a_few(tmp_path: Path) -> None:
    said = "Something in the request is not right."
    with Scripted(lambda number, body: Refusal(400, error(said))) as server:
        ran = projects.run(project(tmp_path, server, rows="1000"), "run")
        assert ran.code == 75
        assert server.calls <= 16
    assert said in ran.err.partition("error: ")[2]


def test_a_generation_that_the_server_refuses_costs_one_try(tmp_path: Path) -> None:
    bad = error("Failed to generate JSON.", "json_validate_failed")

    def script(number: int, body: Body) -> Any:
        return Refusal(400, bad) if number in (3, 11) else letter(number)

    with Scripted(script) as server:
        assert projects.run(project(tmp_path, server, rows="2 each"), "run").code == 0
        assert server.calls == 22


def test_a_limit_that_links_to_billing_is_waited_out(tmp_path: Path) -> None:
    said = "Rate limit reached on requests per min. Please try again in 200ms. Add a payment method: https://example.com/billing"

    def script(number: int, body: Body) -> Any:
        refused = Refusal(429, error(said, "rate_limit_exceeded", "requests"))
        return refused if number in (1, 2) else letter(number)

    with Scripted(script) as server:
        assert projects.run(project(tmp_path, server), "run").code == 0
        assert server.calls == 12


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"type": "error", "error": {"type": "api_error", "message": "insufficient balance (1008)"}}),
        (402, error("Insufficient Balance")),
        (422, error("Budget has been exceeded! Current cost: 0.5", "422", "budget_exceeded")),
        (429, error("余额不足或无可用资源包,请充值。", "1113")),
        (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
    ],
)  # fmt: skip
def test_an_empty_account_ends_a_run_at_once(status: int, body: Any, tmp_path: Path) -> None:
    with Scripted(lambda number, sent: Refusal(status, body)) as server:
        ran = projects.run(project(tmp_path, server, rows="1000"), "run")
        assert ran.code == 75
        assert server.calls <= 8
    assert "is out of quota or balance" in ran.err.partition("error: ")[2].partition("\n")[0]


GOOD = json.dumps({"text": "a letter"})
CALLED = [{"id": "c", "type": "function", "function": {"name": "answer", "arguments": GOOD}}]


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ({"content": None, "tool_calls": CALLED}, "tool_calls"),
        ({"content": "", "tool_calls": CALLED}, "tool_calls"),
        ({"content": None, "reasoning_content": GOOD}, "reasoning"),
        ({"content": "", "reasoning": GOOD}, "reasoning"),
        ({"content": "\n", "reasoning_content": GOOD}, "reasoning"),
    ],
)
def test_an_answer_that_stands_elsewhere_is_a_row(
    message: dict[str, Any], where: str, tmp_path: Path
) -> None:
    text = message.pop("content")
    finish = "tool_calls" if where == "tool_calls" else "stop"
    with Scripted(lambda number, body: chat(text, finish, **message)) as server:
        ran = projects.run(project(tmp_path, server), "run")
        assert (ran.code, server.calls) == (0, 10)
    assert where in ran.err
    assert projects.rows(tmp_path)[0]["text"] == "a letter"


def test_replies_without_text_are_counted_with_tokens_and_cost(tmp_path: Path) -> None:
    def script(number: int, body: Body) -> Any:
        return THOUGHTS if number % 2 else letter(number)

    price = "usd_per_million = {input = 100.0, output = 200.0}"
    with Scripted(script) as server:
        ran = projects.run(project(tmp_path, server, extra=price), "run")
        calls = server.calls
    assert ran.code in (0, 5)
    assert f"{calls * 20:,} + {calls * 10:,} tokens" in ran.err
    assert f"{calls * (20 * 100 + 10 * 200) / 1e6:.3f}".rstrip("0") in ran.err
    assert f"{calls // 2} all reasoning" in ran.err


def test_refusals_at_random_leave_no_row_short(tmp_path: Path) -> None:
    rng = random.Random(5)

    def script(number: int, body: Body) -> Any:
        return chat(None, refusal="I cannot.") if rng.random() < 0.15 else letter(number)

    with Scripted(script) as server:
        ran = projects.run(project(tmp_path, server, rows="30 each"), "run")
    assert ran.code == 0
    assert "refus" in ran.err
    assert len(projects.rows(tmp_path)) == 300


def test_a_server_that_ignores_how_structure_is_asked_for_is_asked_in_the_prompt(
    tmp_path: Path,
) -> None:
    def script(number: int, body: Body) -> Any:
        return chat("Dear all, here it is.") if "response_format" in body else letter(number)

    with Scripted(script) as server:
        ran = projects.run(project(tmp_path, server, rows="10 each"), "run")
        assert ran.code == 0
        ignored = sum("response_format" in body for body in server.bodies)
        assert ignored <= 20
    assert len(projects.rows(tmp_path)) == 100


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("Unable to generate parser for this template: JSON schema error at #/a: unrecognized type", 400)),
        (500, error("failed to parse grammar", 500, "server_error")),
        (400, error("JSON schema conversion failed: unsupported pattern", 400)),
    ],
)  # fmt: skip
def test_a_schema_that_the_server_cannot_read_is_left_out_once(
    status: int, body: Any, tmp_path: Path
) -> None:
    def script(number: int, sent: Body) -> Any:
        asked = sent.get("response_format", {}).get("type")
        return Refusal(status, body) if asked == "json_schema" else letter(number)

    with Scripted(script) as server:
        assert projects.run(project(tmp_path, server, rows="4 each"), "run").code == 0
        assert server.calls == 42  # the whole schema, the strict one, then all rows


def said(meaning: str) -> list[Any]:
    """The bodies of the table that mean this, each with the name of who says it."""
    chosen = [b for b in bodies.TABLE if b.meaning == meaning and b.status >= 400]
    return [pytest.param(b, id=f"{b.who}-{b.status}-{n}") for n, b in enumerate(chosen)]


@pytest.mark.parametrize("body", said("schema"))
def test_whoever_refuses_a_schema_in_words_of_its_own_is_asked_in_another_way(
    body: bodies.Body, tmp_path: Path
) -> None:
    refused = "json_object" if body.asked.mode == "json_object" else "json_schema"

    def script(number: int, sent: Body) -> Any:
        asked = sent.get("response_format", {}).get("type")
        return Refusal(body.status, body.body) if asked == refused else letter(number)

    with Scripted(script) as server:
        ran = projects.run(project(tmp_path, server, rows="2 each"), "run")
        assert ran.code == 0, ran.err
        assert server.calls <= 24
    assert len(projects.rows(tmp_path)) == 20


@pytest.mark.parametrize("body", said("param"))
def test_a_param_that_is_refused_is_named_at_once_and_structure_left_alone(
    body: bodies.Body, tmp_path: Path
) -> None:
    params = "\n".join(f"{name} = 1" for name in body.asked.params)
    with Scripted(lambda number, sent: Refusal(body.status, body.body)) as server:
        folder = project(tmp_path, server, params=params, settings="concurrency = 1")
        ran = projects.run(folder, "run")
        assert (ran.code, server.calls) == (75, 1)
    last = ran.err.partition("error: ")[2]
    assert any(f"params.{name} is not taken by model 'm'" in last for name in body.asked.params)
    assert "structured" not in last


@pytest.mark.parametrize("body", said("model"))
def test_a_model_that_is_not_there_is_the_trouble_that_is_named(
    body: bodies.Body, tmp_path: Path
) -> None:
    with Scripted(lambda number, sent: Refusal(body.status, body.body)) as server:
        ran = projects.run(project(tmp_path, server, rows="1000"), "run")
        assert ran.code == 75
        assert server.calls <= 8
    last = ran.err.partition("error: ")[2]
    assert "has no model 'm'" in last
    assert "Traceback" not in ran.err


QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    "body",
    [
        [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": QUOTA, "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.2s"}]}}],
        {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": f"{QUOTA} Please retry in 0.2s."}},
        error(f"{QUOTA} Limit 60 requests per min; try again in 200ms.", "rate_limit_exceeded", "requests"),
    ],
    ids=["details", "words", "code"],
)  # fmt: skip
def test_a_quota_that_says_when_to_come_back_is_waited_for(body: Any, tmp_path: Path) -> None:
    def script(number: int, sent: Body) -> Any:
        return Refusal(429, body) if number in (0, 5) else letter(number)

    with Scripted(script) as server:
        assert projects.run(project(tmp_path, server), "run").code == 0
        assert server.calls == 12


SIGNS = ("{{ 7 * 6 }}", "{% raw %}{{ a }}{% endraw %}", "{# none #}", "${HOME} $1 %s %(a)s {0} {a}", "{% user %}", "{{")  # fmt: skip


@pytest.mark.parametrize("door", ["vary", "table", "given"])
def test_signs_of_templates_within_values_reach_the_model_word_for_word(
    door: str, tmp_path: Path
) -> None:
    values = json.dumps(SIGNS)
    rows = "schema: Letter\nrows: 1 each\n"
    doors = {
        "vary": f"{rows}vary:\n  sign: {values}\n",
        "table": f"{rows}vary:\n  sign: {{table: signs.jsonl, value: sign}}\n",
        "given": f"{rows}given:\n  signs: {values}\nvary:\n  n: [0, 1, 2, 3, 4, 5]\n",
    }
    with Scripted(lambda number, sent: letter(number)) as server:
        files = {
            "scenarios/letters.yaml": doors[door],
            "scenarios/signs.jsonl": "".join(json.dumps({"sign": sign}) + "\n" for sign in SIGNS),
            "prompts/letters.j2": f"About {{{{ {'signs[n]' if door == 'given' else 'sign'} }}}}.",
        }
        ran = projects.run(project(tmp_path, server, files=files), "run")
        assert ran.code == 0, ran.err
        assert {prompt(sent) for sent in server.bodies} == {f"About {sign}." for sign in SIGNS}


def test_a_model_of_one_letter_is_no_stranger_to_itself(tmp_path: Path) -> None:
    with Scripted(lambda number, body: letter(number)) as server:
        assert "answered by" not in projects.run(project(tmp_path, server), "run").err
