"""The graph of scenarios as text and as Mermaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.plan import graph
from tests import projects

SCHEMAS = """\
from pydantic import BaseModel


class Letter(BaseModel):
    text: str
"""
FILES = {
    "schemas/letters.py": SCHEMAS,
    "tables/people.csv": "id,town\np1,Bath\np2,Bath\n",
    "scenarios/letters.yaml": (
        "schema: Letter\nfrom:\n  who: {table: ../tables/people.csv, id: id, take: [town]}\n"
    ),
    "scenarios/seeds.yaml": "schema: Letter\nrows: 3\n",
    "scenarios/replies.yaml": (
        "schema: Letter\nprompt: letters\nvary:\n  tone: [glad, sad]\nfrom:\n"
        "  letter: {scenario: letters, take: [town]}\n  other: {scenario: letters, on: {town: town}}\n"
    ),
    "scenarios/pool.yaml": "schema: Letter\nprompt: letters\nfrom:\n  row: {dataset: letter}\n",
    "prompts/seeds.j2": "Write a first letter.\n",
    "prompts/letters.j2": "Write a letter.{% if tone is defined %} {{ tone }}{% endif %}\n",
}


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    return projects.write(tmp_path, FILES)


def test_each_level_stands_further_to_the_right_than_what_it_is_made_from(chain: Path) -> None:
    assert projects.run(chain, "plan", "--graph").out.splitlines() == [
        "tables/people.csv  2 rows",
        "  letters          0 of 2 rows  from who: tables/people.csv",
        "seeds              0 of 3 rows",
        "  pool             0 of 3 rows  from row: seeds",
        "    replies        0 of 4 rows  from letter: letters, other on town: letters",
    ]


def test_rows_that_are_held_are_counted(chain: Path) -> None:
    projects.run(chain, "run", "seeds")
    assert "seeds              3 of 3 rows" in projects.run(chain, "plan", "--graph").out
    assert projects.run(chain, "plan", "--graph", "pool").out.splitlines() == [
        "seeds   3 of 3 rows",
        "  pool  0 of 3 rows  from row: seeds",
    ]


def test_mermaid_has_tables_as_cylinders_and_look_ups_dotted(chain: Path) -> None:
    out = projects.run(chain, "plan", "replies", "--graph", "mermaid").out
    assert out == projects.run(chain, "plan", "--graph=mermaid", "replies").out
    assert out.splitlines() == [
        "flowchart LR",
        '  n0[("tables/people.csv<br/>2 rows")]',
        '  n1["letters<br/>0 of 2 rows"]',
        '  n2["replies<br/>0 of 4 rows"]',
        '  n0 -->|"who"| n1',
        '  n1 -->|"letter"| n2',
        '  n1 -.->|"other on town"| n2',
    ]


def test_few_shots_out_of_rows_made_before_are_a_dotted_arrow(chain: Path) -> None:
    (chain / "scenarios/drawn.yaml").write_text(
        "schema: Letter\ndraw:\n  - examples: {scenario: seeds, n: 2, as: shots}\n"
        "  - examples: {scenario: seeds, n: 1, as: more}\n",
        "utf-8",
    )
    (chain / "prompts/drawn.j2").write_text("{% for s in shots %}{{ s.text }}{% endfor %}", "utf-8")
    out = projects.run(chain, "plan", "--graph=mermaid", "drawn").out
    assert out.count('  n0 -.->|"draw"| n1') == 1
    projects.run(chain, "run", "drawn")
    case = projects.rows(chain)[-1]["_case"]
    assert "   drawn draws from the rows of seeds\n" in projects.run(chain, "why", case).out


def test_a_card_draws_the_same_without_what_is_held(chain: Path) -> None:
    parts = [part for part in projects.plan(chain).scenarios() if part.name == "seeds"]
    assert graph.text(parts) == "seeds  3 rows"
    assert graph.mermaid(parts) == 'flowchart LR\n  n0["seeds<br/>3 rows"]'


def test_a_project_without_sources_is_a_list(tmp_path: Path) -> None:
    out = projects.run(projects.write(tmp_path), "plan", "--graph").out
    assert out == "letters  0 of 2 rows\n"


def test_what_stands_after_graph_may_be_a_scenario(chain: Path) -> None:
    ran = projects.run(chain, "plan", "--graph", "leters")
    assert (ran.code, ran.out) == (2, "")
    assert "no scenario 'leters'. Did you mean 'letters'?" in ran.err
