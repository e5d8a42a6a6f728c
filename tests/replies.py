"""Replies of models, and what a person would read as the answer: shared by test and docs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import BaseModel


class Note(BaseModel):
    """The schema of the table."""

    text: str
    amount: int | None = None
    tags: list[str] = []


class Reply(NamedTuple):
    """A reply, and the fields of its row; None for a reject."""

    kind: str
    reply: str
    row: dict[str, Any] | None


GOOD = '{"text": "final", "amount": 3}'
DRAFT = '{"text": "draft", "amount": 1}'
ROW = {"text": "final", "amount": 3}
TABLE = (
    # Whole JSON stays untouched.
    Reply("whole JSON", GOOD, ROW),
    Reply("white space around it", f"\n\n  {GOOD}\n", ROW),
    Reply("a byte-order mark before it", "\ufeff" + GOOD, ROW),
    Reply("a fence within a text", json.dumps({"text": "```json\n" + DRAFT + "\n```"}), {"text": "```json\n" + DRAFT + "\n```"}),
    Reply("an object within a text", json.dumps({"text": "send " + DRAFT}), {"text": "send " + DRAFT}),
    Reply("thinking tags within a text", '{"text": "write <think> and </think>"}', {"text": "write <think> and </think>"}),
    Reply("a key twice: the last counts", '{"text": "one", "text": "two"}', {"text": "two"}),
    Reply("JSON quoted as a JSON string", json.dumps(GOOD), ROW),
    Reply("escapes", '{"text": "\\u4f60\\u597d\\n\\"x\\""}', {"text": '你好\n"x"'}),
    # Reasoning before the answer is dropped.
    Reply("a draft in the thoughts", f"<think>maybe {DRAFT}? no.</think>\n{GOOD}", ROW),
    Reply("a draft in a fence in the thoughts", f"<think>try\n```json\n{DRAFT}\n```\nno</think>\n{GOOD}", ROW),
    Reply("only the closing tag", f"let me try {DRAFT} first</think>\n{GOOD}", ROW),
    Reply("thoughts without an end", f"<think>try {DRAFT} hmm, that is too", None),
    Reply("thoughts without an end, behind prose", f"Let me see. <think>try {DRAFT}", None),
    Reply("braces in the thoughts", f"<think>one of {{calm, angry}}</think>\n{GOOD}", ROW),
    Reply("an open brace in the thoughts", f"<think>I begin with {{ and end</think>{GOOD}", ROW),
    Reply("<thinking>", f"<thinking>fill {{text, amount}}</thinking>{GOOD}", ROW),
    Reply("<reasoning>", f"<reasoning>{DRAFT}</reasoning>{GOOD}", ROW),
    Reply("tags in capitals", f"<THINK>{DRAFT}</THINK>{GOOD}", ROW),
    Reply("[THINK]", f"[THINK]{DRAFT}[/THINK]{GOOD}", ROW),
    Reply("◁think▷", f"◁think▷{DRAFT}◁/think▷{GOOD}", ROW),
    Reply("channels", f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}", ROW),
    Reply("two blocks of thoughts", f"<think>{DRAFT}</think> and <think>{DRAFT}</think>{GOOD}", ROW),
    Reply("thoughts behind the answer", f"{GOOD}\n<think>that was it</think>", ROW),
    Reply("thoughts and nothing else", f"<think>{GOOD}</think>", None),
    Reply("thoughts, then an answer in a fence", f"<think>hm</think>\n```json\n{GOOD}\n```", ROW),
    # Prose and fences around it.
    Reply("a fence", f"```json\n{GOOD}\n```", ROW),
    Reply("a fence without a language", f"```\n{GOOD}\n```", ROW),
    Reply("prose before", f"Here is your note:\n{GOOD}", ROW),
    Reply("prose behind", f"{GOOD}\nLet me know if it fits.", ROW),
    Reply("braces in the prose before", f"Filling {{text}} and {{amount}}: {GOOD}", ROW),
    Reply("braces in the prose behind", f"{GOOD}\n(I chose {{3}} for the amount.)", ROW),
    Reply("an echoed schema before", '{"properties": {"text": {"type": "string"}}, "required": ["text"]}\n' + GOOD, ROW),
    Reply("another object behind", GOOD + '\n{"confidence": 0.9}', ROW),
    Reply("a list of one", f"[{GOOD}]", ROW),
    Reply("double braces", "{" + GOOD + "}", ROW),
    Reply("a brace too many", GOOD + "}", ROW),
    Reply("the same answer twice", f"{GOOD}\n\nAgain: {GOOD}", ROW),
    Reply("the same answer in another order", f'{GOOD}\n{{"amount": 3, "text": "final"}}', ROW),
    Reply("two different answers", f"{DRAFT}\n{GOOD}", None),
    Reply("two different answers with broken syntax", "{'text': 'a'} or {'text': 'b'}", None),
    # Syntax is repaired, and nothing else.
    Reply("a comma too many", '{"text": "final", "amount": 3,}', ROW),
    Reply("single quotes", "{'text': 'final', 'amount': 3}", ROW),
    Reply("keys without quotes", '{text: "final", amount: 3}', ROW),
    Reply("a comma missing", '{"text": "final"\n"amount": 3}', ROW),
    Reply("a line end within a text", '{"text": "one\ntwo"}', {"text": "one\ntwo"}),
    Reply("quotation marks within a text", '{"text": "say "hi" now"}', {"text": 'say "hi" now'}),
    Reply("None for null", "{'text': 'final', 'amount': None}", {"text": "final"}),
    Reply("a comment", '{"text": "final", "amount": 3 // three\n}', ROW),
    Reply("an address within a text", '{"text": "see https://example.com/a",}', {"text": "see https://example.com/a"}),
    Reply("full-width punctuation", "{“text”：“你好”，“amount”：3}", {"text": "你好", "amount": 3}),
    Reply("a broken object around whole ones", '{"text": "final", "tags": ["a", "b",], "amount": 3,}', {"text": "final", "tags": ["a", "b"], "amount": 3}),
    Reply("prose around broken syntax", "Sure! {'text': 'final', 'amount': 3} Enjoy.", ROW),
    # A number is never repaired.
    Reply("a sum to be worked out", '{"text": "final", "amount": 3 * 250}', None),
    Reply("a number in words", '{"text": "final", "amount": 2 million}', None),
    Reply("a number with a unit", '{"text": "final", "amount": 50%}', None),
    Reply("thousands with commas", '{"text": "final", "amount": 1,000}', None),
    Reply("a number in two parts", '{"text": "final", "amount": 12 345}', None),
    Reply("a plus before a number", '{"text": "final", "amount": +5}', None),
    Reply("a hexadecimal number", '{"text": "final", "amount": 0x1F}', None),
    # What was cut off is no answer, whatever the server says.
    Reply("cut off within a text", '{"amount": 3, "text": "I walked to the station and then the tr', None),
    Reply("cut off behind a brace within a text", '{"amount": 3, "text": "I closed the block with a } and then the program st', None),
    Reply("cut off behind a smiley", '{"amount": 3, "text": "thank you :} and one more thing, could you ple', None),
    Reply("cut off within a list", '{"text": "x", "tags": ["a", "b', None),
    Reply("cut off behind whole objects within", '{"text": "x", "list": [{"text": "a"}, {"text": "b"', None),
    Reply("cut off behind a comma", '{"text": "x",', None),
    Reply("cut off within a number", '{"text": "x", "amount": 12', None),
    Reply("cut off with single quotes", "{'text': 'closed } and then the", None),
    Reply("a whole answer and one that was cut off", GOOD + '\n{"text": "anoth', None),
    # No answer at all.
    Reply("nothing", "", None),
    Reply("prose", "Sorry, I cannot do that.", None),
    Reply("a list of texts", '["final"]', None),
    Reply("a field missing", '{"amount": 3}', None),
    Reply("no number where there is to be one", '{"text": "final", "amount": NaN}', None),
    Reply("an empty object", "{}", None),
)  # fmt: skip


def as_markdown() -> str:
    """The table for docs/answers.md."""
    lines = ["| reply | what becomes of it |", "| --- | --- |"]
    for kind, reply, row in TABLE:
        outcome = "refused" if row is None else f"`{_cell(json.dumps(row, ensure_ascii=False))}`"
        lines.append(f"| {_escape(kind)}: {_code(reply)} | {outcome} |")
    return "\n".join(lines) + "\n"


def _code(reply: str) -> str:
    return f"`` {_cell(reply)} ``" if reply.strip() else "(empty)"


def _cell(text: str) -> str:
    return text.replace("\n", "⏎").replace("|", "\\|").replace("\ufeff", "⍰")


def _escape(text: str) -> str:
    return text.replace("<", "\\<").replace("[", "\\[")
