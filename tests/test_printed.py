"""A prompt that prints a missing value is warned about, with its place and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import projects

TABLE = "eur,house\n" + "12.5,flat\n" * 18 + ",villa\n" * 2
DRAW = "schema: Letter\nrows: 5\ndraw:\n  - bootstrap: {table: tables/t.csv}\n"
SAID = "is missing in 2 of 20 rows and is printed as None: {% if "


def planned(folder: Path, prompt: str, scenario: str = DRAW, **others: str) -> list[str]:
    """The lines of a plan that speak of missing values."""
    files = {f"prompts/{name}.j2": content for name, content in others.items()}
    projects.write(
        folder,
        {
            "scenarios/letters.yaml": scenario,
            "scenarios/tables/t.csv": TABLE,
            "prompts/letters.j2": prompt,
            **files,
        },
    )
    ran = projects.run(folder, "plan")
    assert ran.code == 0, ran.err
    return [line for line in ran.out.split("\n") if "printed as None" in line]


@pytest.mark.parametrize(
    ("prompt", "column"),
    [
        ("Hello.\nThe bill: {{ eur }}.", 14),
        ("Hello.\n{{ eur | string | upper }}", 4),
        ("Hello.\n{{ 'It is ' ~ eur ~ '.' }}", 15),
        ("Hello.\n{{ eur | default('unknown') }}", 4),
        ("Hello.\n{% if house == 'flat' %}{{ eur }}{% endif %}", 28),
        ("Hello.\n{{ house if house else eur }}", 24),
        ("Hello.\n{% user %}{{ eur }}{% enduser %}", 14),
        ("Hello.\n{% for k in range(2) %}{{ eur }}{% endfor %}", 27),
    ],
)
def test_a_missing_value_that_is_printed_is_named_with_its_place(
    tmp_path: Path, prompt: str, column: int
) -> None:
    prompt = prompt.replace("Hello.\n{% user", "\n{% user")
    file = tmp_path / "prompts/letters.j2"
    assert planned(tmp_path, prompt) == [
        f"{file.relative_to(tmp_path)}:2:{column}: eur {SAID}eur is not none %}}"
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ house }}",
        "{% if eur is not none %}{{ eur }}{% endif %}{{ house }}",
        "{% if eur %}{{ eur }}{% else %}{{ house }}{% endif %}",
        "{% if eur is none %}{{ house }}{% elif house %}{{ eur }}{% endif %}",
        "{{ eur if eur is not none else 'unknown' }}",
        "{{ eur or 'unknown' }}",
        "{{ eur | default('unknown', true) }}",
        "{{ eur | default('unknown', boolean=true) | upper }}",
        "{{ eur | tojson }}",
        "{% set eur = eur or 0 %}{{ eur }}",
        "{% for eur in [1, 2] %}{{ eur }}{% endfor %}",
        "{% macro bill(eur) %}{{ eur }}{% endmacro %}{{ bill(3) }}",
        "{# {{ eur }} #}{{ house }}",
        "{% if eur %}{% include 'part.j2' %}{% endif %}{{ house }}",
    ],
)
def test_a_missing_value_that_is_tested_or_replaced_is_no_matter(
    tmp_path: Path, prompt: str
) -> None:
    assert planned(tmp_path, prompt, part="{{ eur }}") == []


def test_included_and_extended_templates_are_looked_at(tmp_path: Path) -> None:
    lines = planned(tmp_path, "{% include 'part.j2' %}", part="\n{{ eur }}")
    assert [line.partition(":")[0] for line in lines] == ["prompts/part.j2"]
    child = "{% extends 'base.j2' %}{% block body %}{{ house }}{% endblock %}"
    base = "Hello. {% block body %}{{ eur }}{% endblock %}"
    assert planned(tmp_path, child, base=base) == []


def test_what_keep_lets_through_is_never_missing(tmp_path: Path) -> None:
    assert planned(tmp_path, "{{ eur }}", DRAW + "keep: [eur > 3]\n") == []


@pytest.mark.parametrize(
    ("prompt", "warned"),
    [
        ("{% for shot in shots %}{{ shot.eur }}{% endfor %}", True),
        ("{{ shots[0].house }}", False),
        ("{% for shot in shots if shot.eur is not none %}{{ shot['eur'] }}{% endfor %}Hi", False),
        ("{% for shot in shots %}{{ shot.eur if shot.eur else '?' }}{% endfor %}", False),
    ],
)
def test_few_shot_examples_have_missing_values_too(
    tmp_path: Path, prompt: str, *, warned: bool
) -> None:
    scenario = DRAW.replace("bootstrap", "examples")
    lines = planned(tmp_path, prompt, scenario)
    assert [f"shots.eur {SAID}" in line for line in lines] == [True] * warned


def test_attributes_of_an_axis_may_be_missing(tmp_path: Path) -> None:
    scenario = "schema: Letter\nrows: 1 each\nvary:\n  item: {table: tables/a.csv}\n"
    file = tmp_path / "scenarios/tables/a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("item,kwh\nlamp,3\npen,NA\n", "utf-8")
    (line,) = planned(tmp_path, "{{ item }}: {{ item.kwh }}", scenario)
    assert line.startswith("prompts/letters.j2:1:21: item.kwh is missing in 1 of 2 rows and is")
    assert planned(tmp_path, "{{ item }}{% if item.kwh %}{{ item.kwh }}{% endif %}", scenario) == []


def test_keep_says_what_it_loses_to_missing_values(tmp_path: Path) -> None:
    scenario = DRAW.replace("rows: 5", "rows: 200") + "keep: [eur > 3]\n"
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": scenario,
            "scenarios/tables/t.csv": TABLE,
            "scenarios/items.yaml": "schema: Letter\nprompt: letters\nrows: 1 each\nunused: [item]\nvary:\n"
            "  item: {table: tables/a.csv}\nkeep: [item.kwh > 2]\n",
            "scenarios/tables/a.csv": "item,kwh\nlamp,3\npen,NA\ncup,1\n",
            "prompts/letters.j2": "Hello.",
        },
    )
    ran = projects.run(tmp_path, "plan")
    assert ran.code == 0, ran.err
    assert "items: keep left 1 of 3 combinations." in ran.out
    assert "items: keep refused 1 combination for a missing item.kwh." in ran.out
    (line,) = (line for line in ran.out.split("\n") if "draws for a missing eur" in line)
    refused = int(line.split("refused ")[1].split()[0])
    assert 5 < refused < 60
    share = next(line for line in ran.out.split("\n") if "letters: keep let" in line)
    assert f"{200 / (200 + refused):.0%}" in share
