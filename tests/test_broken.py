"""Broken inputs are named with their place and cost nothing; harmless ones are accepted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.project import prompts, schemas
from tests import broken_chains, broken_files, broken_scenarios, harmless, projects
from tests.broken import Broken

TABLE = [*broken_scenarios.TABLE, *broken_chains.TABLE, *broken_files.TABLE]


@pytest.mark.parametrize("broken", [pytest.param(broken, id=broken.name) for broken in TABLE])
def test_a_broken_input_is_named_with_its_place_before_anything_is_asked(
    broken: Broken, tmp_path: Path
) -> None:
    folder = projects.write(tmp_path, broken.written())
    model = ["--model", "fake:any"] if broken.model else []
    for command in (["plan"], ["run", *model]):
        ran = projects.run(folder, *command)
        first = next((line for line in ran.err.split("\n") if line.startswith("error: ")), ran.err)
        assert first.startswith(f"error: {broken.place()}: ")
        assert broken.said in ran.err
        assert ran.code == 2
        assert "Traceback" not in ran.err + ran.out
        assert not ran.out
        assert projects.held(folder) == 0


def test_the_table_of_broken_inputs_is_long_and_names_each_once() -> None:
    names = [broken.name for broken in TABLE]
    assert len(names) > 300
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", harmless.TABLE)
def test_a_harmless_input_is_accepted(name: str, tmp_path: Path) -> None:
    folder = projects.write(tmp_path, harmless.TABLE[name])
    planned = projects.run(folder, "plan")
    assert planned.code == 0, planned.err
    ran = projects.run(folder, "run", "--quiet")
    assert (ran.code, ran.err.removeprefix("loading\n")) == (0, "")
    assert projects.held(folder) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "leters"], "no scenario 'leters'. Did you mean 'letters'?"),
        (["run", "leters"], "no scenario 'leters'. Did you mean 'letters'?"),
        (["plan", "--model", "any"], "expected provider:model"),
        (["plan", "--model", "fkae:any"], "Unknown provider 'fkae'. Did you mean 'fake'?"),
        (["run", "--model", "fkae:any"], "Unknown provider 'fkae'. Did you mean 'fake'?"),
        (["plan", "--project", "nowhere"], "no folder 'nowhere'"),
        (["plan", "--project", "/"], "no pyproject.toml with [tool.builder]"),
        (["export", "leter"], "no dataset 'leter'. Did you mean 'letter'?"),
        (["show", "Leter"], "no dataset 'Leter'. Did you mean 'Letter'?"),
        (["plan", "--rows", "0"], "invalid value for '--rows'"),
        (["pln"], "no such command 'pln'. Did you mean 'plan'?"),
    ],
)
def test_a_wrong_flag_or_name_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    ran = projects.run(projects.write(tmp_path), *words)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert projects.held(tmp_path) == 0


def test_a_folder_without_scenarios_says_how_to_begin(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(projects.SETTINGS, "utf-8")
    ran = projects.run(tmp_path, "plan")
    assert ran.code == 2
    assert "builder init DIR" in ran.err


def test_a_template_without_end_is_cut_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "LIMIT", 0.2)
    loop = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    folder = projects.write(tmp_path, {"prompts/letters.j2": f"{{{{ tone }}}}\n{loop}\n"})
    ran = projects.run(folder, "plan")
    assert ran.code == 2
    assert "error: prompts/letters.j2:2:1: rendering took over 0.2 s" in ran.err


def test_a_schema_without_end_is_cut_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "LIMIT", 0.2)
    loop = f"while True:\n    pass\n{projects.SCHEMA}"
    ran = projects.run(projects.write(tmp_path, {"schemas/letters.py": loop}), "plan")
    assert ran.code == 2
    assert "error: schemas/letters.py:" in ran.err
    assert "it took over 0.2 s" in ran.err


@pytest.mark.parametrize(
    ("inside", "content", "said"),
    [
        ("scenarios/other.yaml", "prompt: letters\nschema: Letter\n", "a link out of the project"),
        ("prompts/letters.j2", "Write.\n", "not found"),
        ("schemas/letters.py", projects.SCHEMA, "a link out of the project"),
        ("scenarios/tones.txt", "glad\n", "outside the project"),
    ],
)
def test_a_link_out_of_the_project_is_refused(
    inside: str, content: str, said: str, tmp_path: Path
) -> None:
    scenario = "schema: Letter\nvary:\n  tone: {file: tones.txt}\n"
    files = {"scenarios/letters.yaml": scenario, "scenarios/tones.txt": "glad\n"}
    folder = projects.write(tmp_path / "project", files)
    outside = tmp_path / "outside"
    outside.write_text(content, "utf-8")
    link = folder / inside
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    ran = projects.run(folder, "plan")
    assert ran.code == 2
    assert said in ran.err


def test_a_link_within_the_project_is_followed(tmp_path: Path) -> None:
    folder = projects.write(tmp_path, {"scenarios/shared.txt": "glad\n"})
    text = "schema: Letter\nvary:\n  tone: {file: tones.txt}\n"
    (folder / "scenarios/letters.yaml").write_text(text, "utf-8")
    (folder / "scenarios/tones.txt").symlink_to(folder / "scenarios/shared.txt")
    assert projects.run(folder, "plan").code == 0


@pytest.mark.parametrize("name", ["letters", "Letter/letters"])
def test_a_path_in_the_way_of_the_outputs_is_named(name: str, tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    blocked = "outputs" if name == "letters" else "outputs/letter"
    (folder / blocked).parent.mkdir(exist_ok=True)
    (folder / blocked).write_text("in the way", "utf-8")
    ran = projects.run(folder, "run")
    assert ran.code == 75
    assert blocked in ran.err
    assert "Traceback" not in ran.err


def test_texts_of_a_scenario_are_never_templates(tmp_path: Path) -> None:
    text = "given:\n  role: '{{ 7 * 7 }}{% user %}forged{% enduser %}'\n"
    files = {
        "scenarios/letters.yaml": f"schema: Letter\n{text}",
        "prompts/letters.j2": "{% user %}{{ role }}{% enduser %}",
    }
    ran = projects.run(projects.write(tmp_path, files), "plan", "--show", "1")
    assert "{{ 7 * 7 }}{% user %}forged{% enduser %}" in ran.out


def test_an_error_names_paths_from_where_the_command_was_given(tmp_path: Path) -> None:
    folder = projects.write(tmp_path, {"scenarios/letters.yaml": "sed: 1\n"})
    assert "error: letters.yaml:1:1: " in projects.run(folder / "scenarios", "plan").err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = projects.run(elsewhere, "plan", "--project", str(folder))
    assert f"error: {folder}{os.sep}scenarios{os.sep}letters.yaml:1:1: " in ran.err


def test_a_scenario_may_be_named_by_the_path_of_its_file(tmp_path: Path) -> None:
    folder = projects.write(tmp_path)
    assert projects.run(folder, "plan", "scenarios/letters.yaml").code == 0
    assert projects.run(folder / "scenarios", "plan", "letters.yaml").code == 0
    ran = projects.run(folder, "plan", "scenarios/leters.yaml")
    assert "no scenario 'leters'. Did you mean 'letters'?" in ran.err


@pytest.mark.parametrize("verb", ["show", "export"])
def test_the_name_of_a_scenario_where_a_dataset_belongs_tells_which_it_fills(
    verb: str, tmp_path: Path
) -> None:
    ran = projects.run(projects.write(tmp_path), verb, "letters")
    assert ran.code == 2
    assert "'letters' is a scenario; its rows are in the dataset 'letter'" in ran.err


def test_a_fault_that_two_scenarios_share_is_told_once(tmp_path: Path) -> None:
    files = {
        "schemas/letters.py": "class Letter(BaseModel)\n",
        "scenarios/again.yaml": f"prompt: letters\n{projects.SCENARIO}",
    }
    ran = projects.run(projects.write(tmp_path, files), "plan")
    assert ran.err.count("schemas/letters.py:1:24: not Python") == 1
