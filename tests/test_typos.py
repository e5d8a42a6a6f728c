"""Typos: what is known of full-width signs, quotes and brackets, and where each is said to stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project import documents, typos
from builder.project.typos import Typo


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("５ each", "full-width signs stand here; write 5 each"),
        ("“glad”", 'full-width signs stand here; write "glad"'),
        ("【a、b】", "full-width signs stand here; write [a,b]"),
        ("5 each", ""),
        ("中文", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_a_hint_writes_the_value_as_a_plain_keyboard_does(value: object, hint: str) -> None:
    assert typos.hint(value) == hint


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-5-mini", "openai:gpt-5-mini"),
        ("o3", "openai:o3"),
        ("claude-sonnet-5", "anthropic:claude-sonnet-5"),
        ("omega", ""),
        ("my-gpt-5", ""),
        ("qwen3", ""),
    ],
)
def test_a_model_gets_the_provider_that_its_name_tells_of(name: str, model: str) -> None:
    assert typos.model(name) == model


@pytest.mark.parametrize(
    ("text", "column"),
    [("rows：5", 4), ("a：b：c", 1), ("rows: 5：", -1), ("a b：c", -1), ("：", -1)],
)
def test_a_wide_colon_is_found_behind_a_first_word_alone(text: str, column: int) -> None:
    assert typos.wide_colon(text) == column


def complaint(tmp_path: Path, text: str) -> str:
    file = tmp_path / "x.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as refused:
        documents.read(file)
    place = refused.value.place
    assert place is not None
    return f"{place.line}:{place.column} {refused.value.message} | {refused.value.hint}"


@pytest.mark.parametrize(
    ("text", "complained"),
    [
        ("a: 1\nb: 'open\nc: 2\n", "2:4 not YAML: the quote ' that opens here is never closed | "),
        ("a: 1\n---\nb: 2\n", "2:1 not YAML: a second document begins here | take out the line ---"),
        ("a: 1\nrows：5\nb: 2\n", "2:5 * | a full-width '：' stands here; YAML wants ':'"),
        ("a: ［1, 2]\n  b: c\n", "1:4 * | a full-width '［' stands here; YAML wants '['"),
        ("a: [1, 2\nb: 3\n", "1:4 not YAML: the '[' that opens here is not closed: * | "),
        ("a: [1, 2］\nb: 3\n", "1:9 * | a full-width '］' stands here; YAML wants ']'"),
        ("a: 1\nb\nc: 2\n", "2:1 not YAML: a key without ': ' behind it | write key: value"),
        ("a:\n\t- 1\n", "2:1 * | indent with spaces: YAML allows no tab here"),
        ("a: [1]\n\u3000 b: 2\n-\n", "2:1 * | a full-width space stands here; YAML wants an ordinary one"),
        ("a: @b\n", "1:4 * | quote a text that begins with '@'"),
        ("a: *b\n", "1:4 * | quote a text that begins with '*'"),
        ('a: "\\d"\n', "1:6 * | within double quotes a backslash is written twice; *"),
        ("a: b: c\n", "1:5 * | quote a text that holds ': '"),
        ("a: 'b' c\n", "1:8 * | quote the text as a whole"),
        ("a: 1\n  b: 2\n", "2:4 * | lines of one mapping or list begin in the same column"),
        ("a:\n  - 'b' == c\n", "2:5 * | an expression that begins with a quote needs quotes *"),
    ],
)  # fmt: skip
def test_a_complaint_names_the_typo_and_its_place(
    text: str, complained: str, tmp_path: Path
) -> None:
    said = complaint(tmp_path, text)
    for part in complained.split("*"):
        assert part in said
    assert said.startswith(complained.split("*", maxsplit=1)[0])


def test_a_parser_that_says_no_place_has_the_typo_at_the_beginning() -> None:
    assert typos.find("a: 1", "odd", None, "", None) == Typo("odd", "", 0, 0)


def test_a_place_behind_the_end_is_on_the_last_line() -> None:
    assert typos.find("a: 1\nb: 2", "odd", (7, 3), "", None) == Typo("odd", "", 1, 3)
