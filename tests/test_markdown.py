"""Text as inert Markdown: escaped cells, tables, and fences that no content ends."""

from __future__ import annotations

import pytest

from builder.dataset import markdown
from builder.dataset.markdown import Raw


@pytest.mark.parametrize(
    ("content", "longest"), [("plain", 3), ("``", 3), ("```", 4), ("a ````` b ``", 6)]
)
def test_a_fence_is_longer_than_any_run_within(content: str, longest: int) -> None:
    block = markdown.fenced(content, "json")
    fence = "`" * longest
    assert block == f"{fence}json\n{content}\n{fence}"


def test_marks_that_nobody_sees_are_replaced_in_a_fence() -> None:
    assert markdown.fenced("a\x1b[0m\tb\nc") == "```\na\ufffd[0m\tb\nc\n```"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*a* _b_ #c", r"\*a\* \_b\_ \#c"),
        ("<b>&@x", "&lt;b&gt;&amp;&#64;x"),
        ("http://x www.y.z", "http&#58;//x www&#46;y.z"),
        ("a\n\tb\x00c", "a b c"),
        (3, "3"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_text_is_one_inert_line(value: object, expected: str) -> None:
    assert markdown.text(value) == expected


def test_numbers_stand_to_the_right_and_cells_are_escaped() -> None:
    rows = [["a|b", 1234, 0.123456, Raw("[x](y)"), 1], ["c", "–", 2.0, Raw("`z`"), "two"]]
    assert markdown.table(["t", "n", "f", "r", "m"], rows).splitlines() == [
        "| t | n | f | r | m |",
        "| --- | ---: | ---: | --- | --- |",
        r"| a\|b | 1,234 | 0.1235 | [x](y) | 1 |",
        "| c | – | 2 | `z` | two |",
    ]
    assert markdown.table(["b"], [[True]]).splitlines()[-1] == "| True |"


def test_a_folded_block_opens_at_a_click() -> None:
    block = markdown.folded("all <b>", "| x |")
    assert block == "<details>\n<summary>all &lt;b&gt;</summary>\n\n| x |\n\n</details>"
