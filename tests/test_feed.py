"""How the rows of sources make cases: what is looked up, what makes none, what nobody exports."""

from __future__ import annotations

import json
from pathlib import Path

from tests import projects

FILES = {
    "scenarios/tables/people.csv": "id,town\np1,Bath\np2,York\np3,Bath\n",
    "scenarios/letters.yaml": (
        "schema: Letter\nfrom:\n  who: {table: tables/people.csv, id: id, take: [town]}\n"
    ),
    "prompts/letters.j2": "A letter of {{ who.id }}.\n",
    "prompts/near.j2": "{{ a.text }}{% for other in others %} - {{ other.text }}{% endfor %}\n",
}
NEAR = "schema: Letter\nfrom:\n  a: {{scenario: letters, take: [town]}}\n  others: {{scenario: letters, on: town, {}}}\n"


def plan_of(folder: Path, near: str) -> projects.Ran:
    projects.write(folder, {**FILES, "scenarios/near.yaml": NEAR.format(near)})
    assert projects.run(folder, "run", "letters").code == 0
    return projects.run(folder, "plan")


def test_rows_that_match_fewer_than_wanted_are_counted(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, "n: 2")
    assert planned.code == 0
    assert (
        "near: 3 cases not made: others has only 1 match (2), others has no match (1).\n"
        in planned.out
    )


def test_fewer_rows_will_do_where_least_says_so_and_never_the_row_itself(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, "n: 2, least: 1")
    assert "near: 1 case not made: others has no match (1).\n" in planned.out
    assert projects.run(tmp_path, "run", "--yes").code == 0
    froms = [row["_from"] for row in projects.rows(tmp_path, "near")]
    assert sorted(made["others"] for made in froms) == sorted([made["a"]] for made in froms)
    assert all(made["a"] not in made["others"] for made in froms)


def test_a_project_of_one_level_that_nobody_exports_ends_whole(tmp_path: Path) -> None:
    projects.write(tmp_path, {"scenarios/letters.yaml": "schema: Letter\ndataset: none\n"})
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    assert not list(tmp_path.glob("outputs/*/manifest.json"))
    assert "── row 1 · letters" in projects.run(tmp_path, "show", "letters").out


def test_equal_entries_of_a_list_are_cases_of_their_own(tmp_path: Path) -> None:
    tags = '{"id": 1, "tags": ["x", "x", "", null, "y"]}\n{"id": 2, "tags": []}\n{"id": 3}\n'
    projects.write(
        tmp_path,
        {
            "scenarios/tables/tags.jsonl": tags,
            "scenarios/letters.yaml": (
                "schema: Letter\nfrom:\n  row: {table: tables/tags.jsonl, id: id}\n"
                "vary:\n  tag: {of: row.tags}\n"
            ),
            "prompts/letters.j2": "A letter about {{ tag }}.\n",
        },
    )
    assert projects.run(tmp_path, "run").code == 0
    rows = projects.rows(tmp_path, "letters")
    assert [row["tag"] for row in rows] == ["x", "x", "y"]
    assert len({row["_case"] for row in rows}) == 3
    left_out = "3 cases not made: an entry of tags is empty (2), tags is no list (1)"
    assert left_out in projects.run(tmp_path, "plan").out


def test_few_shots_fields_and_choices_are_drawn_out_of_rows_of_others(tmp_path: Path) -> None:
    drawn = (
        "schema: Letter\nfrom: {a: letters}\ndraw:\n"
        "  - examples: {scenario: letters, n: 2, as: shots}\n"
        "  - bootstrap: {scenario: letters, columns: [town]}\n"
        "  - other: {choice: {scenario: letters, column: text}}\n"
    )
    prompt = "{{ a.text }}|{{ other }}|{{ town }}|{% for s in shots %}{{ s.text }}|{% endfor %}\n"
    projects.write(tmp_path, {**FILES, "scenarios/near.yaml": drawn, "prompts/near.j2": prompt})
    planned = projects.run(tmp_path, "plan")
    assert planned.code == 0
    assert "3 rows of near hang on them" in planned.out
    assert projects.run(tmp_path, "run").code == 0
    letters = {row["text"]: row["town"] for row in projects.rows(tmp_path, "letters")}
    rows = projects.rows(tmp_path, "near")
    assert len(rows) == 3
    assert {row["town"] for row in rows} <= set(letters.values())
    shown = projects.run(tmp_path, "plan", "near", "--show", "3", "--quiet").out
    prompts = [line.split("|") for line in shown.splitlines() if line.count("|") == 5]
    assert len(prompts) == 3
    for own, other, _, *shots, _ in prompts:
        assert own not in {other, *shots}
        assert {other, *shots} <= set(letters)
        assert len(set(shots)) == 2
    before = (tmp_path / "outputs/near/manifest.json").read_bytes()
    assert "asked" not in projects.run(tmp_path, "run").err
    assert (tmp_path / "outputs/near/manifest.json").read_bytes() == before


def test_what_is_missing_agrees_with_nothing(tmp_path: Path) -> None:
    keyed = '{"id": 1, "k": null}\n{"id": 2, "k": "x"}\n{"id": 3}\n'
    others = '{"id": 7, "k": null, "note": "a"}\n{"id": 8, "k": "x", "note": "b"}\n{"id": 9}\n'
    projects.write(
        tmp_path,
        {
            "scenarios/tables/keyed.jsonl": keyed,
            "scenarios/tables/others.jsonl": others,
            "scenarios/letters.yaml": (
                "schema: Letter\nfrom:\n  row: {table: tables/keyed.jsonl, id: id}\n"
                "  other: {table: tables/others.jsonl, id: id, on: k}\n"
            ),
            "prompts/letters.j2": "A letter about {{ other.note }} for {{ row.id }}.\n",
        },
    )
    assert projects.run(tmp_path, "run").code == 0
    assert [row["_from"] for row in projects.rows(tmp_path, "letters")] == [
        {"row": "2", "other": "8"}
    ]
    planned = projects.run(tmp_path, "plan")
    assert "letters: 2 cases not made: other has no match (2).\n" in planned.out


def test_a_dataset_that_no_case_was_made_for_is_shown_and_checked(tmp_path: Path) -> None:
    projects.write(
        tmp_path,
        {
            **FILES,
            "scenarios/letters.yaml": FILES["scenarios/letters.yaml"]
            + "keep:\n  - town == 'Rome'\n",
        },
    )
    assert projects.run(tmp_path, "run").code == 0
    for words in (["show", "letters"], ["show", "letters", "--rejects"], ["check", "letters"]):
        ran = projects.run(tmp_path, *words)
        assert ran.code == 0, ran.err


def test_what_can_be_asked_at_most_does_not_grow_with_what_is_held(tmp_path: Path) -> None:
    twice = "schema: Letter\nrows: 2 each\nfrom: {a: letters}\nvary:\n  tone: [glad, sad]\n"
    projects.write(tmp_path, {**FILES, "scenarios/twice.yaml": twice})
    (tmp_path / "prompts/twice.j2").write_text("{{ tone }} {{ a.text }}", "utf-8")

    def line() -> dict[str, int]:
        plan = json.loads(projects.run(tmp_path, "plan", "--json").out)
        (line,) = (line for line in plan["scenarios"] if line["scenario"] == "twice")
        return {name: line[name] for name in ("most_rows", "most_calls")}

    before = line()
    assert before["most_rows"] == 3 * 2 * 2
    assert projects.run(tmp_path, "run", "letters").code == 0
    table = tmp_path / "scenarios/tables/people.csv"
    table.write_text(table.read_text("utf-8") + "p4,York\n", "utf-8")
    assert line() == {name: most // 3 * 4 for name, most in before.items()}


def test_no_more_is_expected_than_can_be_asked(tmp_path: Path) -> None:
    faults = "[tool.builder.providers.fake]\nfaults = {malformed = 1.0}\n"
    projects.write(tmp_path, {**FILES, "pyproject.toml": projects.SETTINGS + faults})
    projects.run(tmp_path, "run")
    people = "".join(f"n{number},Hull\n" for number in range(40))
    (tmp_path / "scenarios/tables/people.csv").write_text("id,town\np1,Bath\n" + people, "utf-8")
    plan = json.loads(projects.run(tmp_path, "plan", "--json").out)
    (line,) = plan["scenarios"]
    assert line["to_ask"] <= line["calls"] <= line["most_calls"]


def test_a_run_says_at_its_end_what_made_no_row(tmp_path: Path) -> None:
    near = (
        "schema: Letter\nfrom: {a: {scenario: letters, take: [town]}}\nkeep:\n  - town == 'York'\n"
    )
    projects.write(
        tmp_path, {**FILES, "scenarios/near.yaml": near, "prompts/near.j2": "{{ a.text }}"}
    )
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    assert "near: 2 cases not made: keep (2).\n" in ran.err.partition("asked: ")[2]
    again = projects.run(tmp_path, "run").err
    assert again.count("near: 2 cases not made") == 1


def test_a_level_in_between_is_shown_but_neither_exported_nor_checked(tmp_path: Path) -> None:
    projects.write(tmp_path, {"scenarios/letters.yaml": "schema: Letter\ndataset: none\n"})
    assert projects.run(tmp_path, "run").code == 0
    assert projects.run(tmp_path, "show", "letters").code == 0
    for words in (["export", "letters"], ["check", "letters"], ["publish", "letters", "me/x"]):
        ran = projects.run(tmp_path, *words)
        assert ran.code == 2
        assert "'letters' is a level in between" in ran.err
    assert "none:" not in projects.run(tmp_path, "show", "letterz").err


def test_trials_of_what_asks_nobody_stand_apart_by_the_models_it_is_made_from(
    tmp_path: Path,
) -> None:
    copies = (
        "schema: Letter\nmodel: none\nfrom: {a: {scenario: letters, take: [text]}}\nfill: [text]\n"
    )
    projects.write(tmp_path, {**FILES, "scenarios/copies.yaml": copies})
    for model in ("fake:one", "fake:two"):
        trial = ["--rows", "2", "--model", model]
        assert projects.run(tmp_path, "run", "copies", *trial).code == 0
        folder = f"trial/{model.replace(':', '-')}/copies"
        assert len(projects.rows(tmp_path, folder)) == 2
        assert projects.run(tmp_path, "check", "copies", *trial).code == 0
        assert (tmp_path / "outputs" / folder / "report.html").is_file()


def test_a_number_that_no_column_holds_is_an_error_with_its_line(tmp_path: Path) -> None:
    for number in (2**63, 10**20):
        table = f'{{"id": 1, "town": "Bath"}}\n{{"id": 2, "town": [{number}]}}\n'
        projects.write(tmp_path, {**FILES, "scenarios/tables/people.jsonl": table})
        edited = FILES["scenarios/letters.yaml"].replace("people.csv", "people.jsonl")
        (tmp_path / "scenarios/letters.yaml").write_text(edited, "utf-8")
        planned = projects.run(tmp_path, "plan")
        assert planned.code == 2
        assert f"people.jsonl:2:1: no 64 bits hold the whole number {number}" in planned.err


def test_ids_of_many_digits_stay_as_they_are(tmp_path: Path) -> None:
    table = f"id,town\n{2**53},Bath\n{2**53 + 1},York\n"
    projects.write(tmp_path, {**FILES, "scenarios/tables/people.csv": table})
    assert projects.run(tmp_path, "run", "letters").code == 0
    ids = {row["_from"]["who"] for row in projects.rows(tmp_path, "letters")}
    assert ids == {str(2**53), str(2**53 + 1)}


def test_an_export_takes_no_rows_away_that_hang_on_rows_to_come(tmp_path: Path) -> None:
    copies = (
        "schema: Letter\nmodel: none\nfrom: {a: {scenario: letters, take: [text]}}\nfill: [text]\n"
    )
    letters = FILES["scenarios/letters.yaml"] + "dataset: none\n"
    projects.write(
        tmp_path,
        {**FILES, "scenarios/letters.yaml": letters, "scenarios/copies.yaml": copies},
    )
    assert projects.run(tmp_path, "run").code == 0
    before = projects.rows(tmp_path, "copies")
    lengths = sorted(len(row["text"]) for row in before)
    stricter = projects.SCHEMA + (
        "\n    @__import__('pydantic').field_validator('text')\n    @classmethod\n"
        "    def short(cls, text: str) -> str:\n"
        f"        if len(text) >= {lengths[-1]}:\n            raise ValueError('too long')\n"
        "        return text\n"
    )
    (tmp_path / "schemas/letters.py").write_text(stricter, "utf-8")
    ran = projects.run(tmp_path, "export")
    assert ran.code == 5
    assert "`builder run` asks for the rows that it is made from" in ran.err
    assert projects.rows(tmp_path, "copies") == before
    assert projects.run(tmp_path, "export", "--partial").code == 0
    assert len(projects.rows(tmp_path, "copies")) < len(before)


def test_a_table_without_rows_is_an_error_in_every_format(tmp_path: Path) -> None:
    for name, text in (("people.csv", "id,town\n"), ("people.jsonl", ""), ("people.json", "[]")):
        projects.write(tmp_path, {**FILES, f"scenarios/tables/{name}": text})
        edited = FILES["scenarios/letters.yaml"].replace("people.csv", name)
        (tmp_path / "scenarios/letters.yaml").write_text(edited, "utf-8")
        planned = projects.run(tmp_path, "plan")
        assert planned.code == 2
        assert f"{name}:1:1: the table has no rows" in planned.err
