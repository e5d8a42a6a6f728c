"""What a model wrote is never an input error: rows that make no case are counted, and a few named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import builder
from builder import Call, Fake
from tests import projects

SCHEMAS = """\
from typing import Any

from pydantic import BaseModel


class Seed(BaseModel):
    text: str | None
    score: int | None = None
    tags: list[Any] | None = None
    parts: list[dict[str, Any]] = []
    anything: Any = None


class Story(BaseModel):
    story: str
"""
GOOD = {"text": "tea", "score": 2, "tags": ["a", "b"], "parts": [{"name": "x", "size": 1}]}


def chain(folder: Path, downstream: str, prompt: str, rows: int) -> Path:
    """So many seeds, and the scenario that is made from them."""
    files = {
        "pyproject.toml": projects.SETTINGS,
        "schemas/all.py": SCHEMAS,
        "scenarios/seeds.yaml": f"schema: Seed\nrows: {rows}\n",
        "scenarios/stories.yaml": f"schema: Story\nfrom: {{seed: seeds}}\n{downstream}",
        "prompts/seeds.j2": "A seed.",
        "prompts/stories.j2": prompt,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def made(folder: Path, seeds: Sequence[Any]) -> tuple[int, str]:
    """How many stories were made of these seeds, and what a plan says of the others."""
    texts = iter([json.dumps({**GOOD, **seed}) for seed in seeds])

    def answer(call: Call) -> str | None:
        return next(texts) if call.messages[-1].content == "A seed." else None

    result = builder.open(folder).run(engine=Fake(answer), export=False)
    assert result.missing == 0
    planned = projects.run(folder, "plan")
    assert planned.code == 0, planned.err
    return result.tallies["stories"].accepted, planned.out


@pytest.mark.parametrize(
    ("prompt", "broken"),
    [
        ("{{ 6 // seed.score }}", {"score": 0}),
        ("{{ seed.score + 1 }}", {"score": None}),
        ("{{ seed.text | upper | replace(' ', seed.text) }}{{ seed.text + '!' }}", {"text": None}),
        ("{{ seed.tags | first }}", {"tags": []}),
        ("{% for tag in seed.tags %}{{ tag }}{% endfor %}", {"tags": None}),
        ("{{ seed.parts[0].name }}", {"parts": []}),
        ("{% for part in seed.parts %}{{ part.size * 2 }}{% endfor %}", {"parts": [{"name": "y"}]}),
        ("{{ seed.anything.depth.depth }}", {"anything": {"depth": 3}}),
        ("{{ range(seed.score) | join }}", {"score": 10**9}),
        ("{{ seed.text.format(1) }}", {"text": "{9}"}),
    ],
)
def test_a_row_that_a_template_cannot_render_makes_no_case(
    prompt: str, broken: dict[str, Any], tmp_path: Path
) -> None:
    good = {"anything": {"depth": {"depth": 1}}}
    stories, told = made(chain(tmp_path, "", prompt, 3), [good, broken, good])
    assert stories == 2
    assert "stories: 1 case not made: it cannot be rendered (1)" in told


def test_the_first_three_of_such_rows_are_named(tmp_path: Path) -> None:
    folder = chain(tmp_path, "", "{{ 6 // seed.score }}", 6)
    stories, told = made(folder, [{"score": 0}, {}, *[{"score": 0}] * 4])
    assert stories == 1
    assert "5 cases not made" in told
    named = [line for line in told.split("\n") if "prompts/stories.j2:1" in line]
    assert len(named) == 3


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("seed.score > 1", {"score": None}),
        ("6 / seed.score > 1", {"score": 0}),
        ("seed.score + 1 == 9 or seed.score > 1", {"score": None}),
        ("seed.anything > 1", {"anything": "much"}),
        ("seed.anything > 1", {"anything": [1, 2]}),
        ("'t' in seed.text", {"text": None}),
        ("not (seed.score > 1) or seed.score == 2", {"score": None}),
    ],
)
def test_a_rule_that_cannot_be_decided_does_not_hold(
    rule: str, broken: dict[str, Any], tmp_path: Path
) -> None:
    good = {"anything": 3}
    folder = chain(tmp_path, f'keep:\n  - "{rule}"\n', "{{ seed.id }}", 3)
    stories, told = made(folder, [good, broken, good])
    assert stories == 2
    assert "1 case not made: keep (1)" in told


@pytest.mark.parametrize(
    ("tags", "cases", "told"),
    [
        (None, 0, "tags is no list (1)"),
        ([], 0, ""),
        (["a", "", "  ", None, [], {}], 1, "an entry of tags is empty (5)"),
        (["a", "a", "a"], 3, ""),
        ([{"x": 1}, {"x": 1}, [1, 2], 3, True, 4.5], 6, ""),
        (["\u2028", "{{ seed }}", "{% end", "\x00", "a" * 9_999], 4, "is empty (1)"),
    ],
)
def test_entries_of_a_list_make_a_case_each_and_empty_ones_none(
    tags: list[Any] | None, cases: int, told: str, tmp_path: Path
) -> None:
    folder = chain(tmp_path, "vary:\n  tag: {of: seed.tags}\n", "{{ tag }}", 2)
    stories, planned = made(folder, [{"tags": ["only"]}, {"tags": tags}])
    assert stories == 1 + cases
    assert told in planned


def test_equal_entries_of_a_list_are_rows_of_their_own(tmp_path: Path) -> None:
    """Known by value and by the number among equals, so that none of them is taken for another."""
    folder = chain(tmp_path, "vary:\n  tag: {of: seed.tags}\n", "{{ tag }}", 1)
    texts = iter([json.dumps({**GOOD, "tags": ["a", "a", "b", "a"]})])
    builder.open(folder).run(engine=Fake(lambda call: next(texts, None)))
    rows = projects.rows(folder, "stories")
    assert sorted(row["tag"] for row in rows) == ["a", "a", "a", "b"]
    assert len({row["_case"] for row in rows}) == 4


def test_rows_that_agree_in_nothing_that_a_model_wrote_are_counted_and_no_error(
    tmp_path: Path,
) -> None:
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": "schema: Letter\nrows: 2\nvary: {tone: [glad, sad]}\n",
            "prompts/letters.j2": "A {{ tone }} letter.\n",
            "scenarios/replies.yaml": (
                "schema: Letter\nfrom:\n  a: letters\n  b: {scenario: letters, on: {tone: text}}\n"
            ),
            "prompts/replies.j2": "{{ a.text }} {{ b.text }}\n",
        },
    )
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    assert "replies: 2 cases not made: b has no match (2)" in projects.run(tmp_path, "plan").out
