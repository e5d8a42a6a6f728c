"""The shapes that trainers eat, held against what trainers and `datasets` check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import builder
from tests import projects

SCHEMA = """\
from typing import Literal

from pydantic import BaseModel, Field


class Turn(BaseModel):
    speaker: Literal["customer", "agent"]
    text: str = Field(min_length=3, max_length=40)


class Talk(BaseModel):
    turns: list[Turn] = Field(min_length=2, max_length=4)


class Pair(BaseModel):
    question: str = Field(min_length=3, max_length=40)
    answer: str = Field(min_length=3, max_length=40)
    mood: Literal["good", "bad"]
"""
FILES = {
    "schemas/letters.py": SCHEMA,
    "prompts/letters.j2": "Write.{% if tone is defined %} {{ tone }}{% endif %}\n",
    "scenarios/letters.yaml": "schema: Pair\nrows: 6 each\nvary:\n  tone: [愤怒, no, 失望]\n",
    "scenarios/talks.yaml": "prompt: letters\nschema: Talk\nrows: 5\n",
}


def project(folder: Path, settings: str = "", **more: str) -> Path:
    files = {**FILES, "pyproject.toml": f"{projects.SETTINGS}\n{settings}\n", **more}
    return projects.write(folder, files)


def made(folder: Path, dataset: str = "pair") -> Any:
    """The exported dataset as people load it."""
    import datasets

    cache = str(folder / "cache")
    return datasets.load_dataset(str(folder / "outputs" / dataset), cache_dir=cache, split="train")


def run(folder: Path, *words: str) -> projects.Ran:
    return projects.run(folder, *words)


def test_messages_of_one_question_and_one_answer(tmp_path: Path) -> None:
    project(
        tmp_path,
        "[tool.builder.datasets.pair]\n"
        'shape = {as = "messages", system = "tone", user = "question", assistant = "answer", keep = ["mood"]}',
    )
    assert run(tmp_path, "run").code == 0
    rows = made(tmp_path)
    assert rows.column_names == ["messages", "mood", "_scenario", "_model", "_case", "_key"]
    turns = rows[0]["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert turns[0]["content"] in {"愤怒", "no", "失望"}
    assert all(turn["content"] for turn in turns)


TOOLS = """\
from typing import Literal

from pydantic import BaseModel, Field


class Function(BaseModel):
    name: Literal["look_up"]
    arguments: str = Field(max_length=20)


class Call(BaseModel):
    id: str = Field(max_length=8)
    type: Literal["function"]
    function: Function


class Turn(BaseModel):
    role: Literal["user", "assistant", "tool"]
    content: str | None = Field(max_length=40)
    tool_calls: list[Call] | None
    tool_call_id: str | None = Field(max_length=8)
    name: str | None = Field(max_length=8)
    seconds: float


class Talk(BaseModel):
    messages: list[Turn]
"""


def tools_project(folder: Path, schema: str = TOOLS) -> builder.Workspace:
    settings = '[tool.builder.datasets.talk]\nshape = {as = "messages", turns = "messages"}'
    root = project(folder, settings, **{"schemas/letters.py": schema})
    (root / "scenarios/letters.yaml").unlink()
    return builder.open(root)


def test_messages_keep_whatever_a_turn_holds(tmp_path: Path) -> None:
    nothing = {"tool_calls": None, "tool_call_id": None, "name": None, "seconds": 0.5}
    function = {"name": "look_up", "arguments": '{"a": 1}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    talk = [
        {**nothing, "role": "user", "content": "hello", "name": "Ada"},
        {**nothing, "role": "assistant", "content": None, "tool_calls": calls},
        {**nothing, "role": "tool", "content": "42", "tool_call_id": "c1"},
        {**nothing, "role": "assistant", "content": "it is 42"},
    ]
    workspace = tools_project(tmp_path)
    for form in ("parquet", "jsonl"):
        workspace.run(engine=builder.Fake(lambda call: json.dumps({"messages": talk})), format=form)
        rows = made(tmp_path, "talk")
        assert rows[0]["messages"] == talk


def test_a_turn_without_text_that_calls_nothing_is_an_error(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"content": None, "tool_calls": [], "tool_call_id": "c", "name": None}
    answer = json.dumps({"messages": [{**empty, "role": "user", "seconds": 1}]})
    with pytest.raises(builder.InputError, match="has no 'content'"):
        tools_project(tmp_path).run(engine=builder.Fake(lambda call: answer))


def test_a_field_of_a_turn_that_a_trainer_would_misread_is_an_error(tmp_path: Path) -> None:
    schema = SCHEMA.replace("    speaker:", "    role: str\n    speaker:")
    settings = (
        '[tool.builder.datasets.talk]\nshape = {as = "messages", turns = "turns", '
        'role = "speaker", content = "text"}'
    )
    ran = run(project(tmp_path, settings, **{"schemas/letters.py": schema}), "run")
    assert ran.code == 2
    assert "a turn of 'turns' holds 'role' beside 'speaker' and 'text'" in ran.err


def test_other_fields_or_roles_make_other_files(tmp_path: Path) -> None:
    line = '[tool.builder.datasets.{}]\nshape = {{as = "messages", {}}}'
    swapped = [
        ("pair", 'user = "question", assistant = "answer"', 'user = "answer", assistant = "question"'),
        ("talk", 'turns = "turns", role = "speaker", content = "text", roles = {customer = "user", agent = "assistant"}',
         'turns = "turns", role = "speaker", content = "text", roles = {customer = "assistant", agent = "user"}'),
    ]  # fmt: skip
    for dataset, one, other in swapped:
        found = []
        for words in (one, other):
            project(tmp_path, line.format(dataset, words))
            assert run(tmp_path, "run", "--quiet").code == 0
            (path,) = (tmp_path / "outputs" / dataset / "data").iterdir()
            found.append(path.read_bytes())
        assert found[0] != found[1]


def test_a_field_of_turns_becomes_messages_with_the_roles_that_the_project_says(
    tmp_path: Path,
) -> None:
    shape = (
        '{as = "messages", turns = "turns", role = "speaker", content = "text", '
        'roles = {customer = "user", agent = "assistant"}}'
    )
    project(tmp_path, f"[tool.builder.datasets.talk]\nshape = {shape}")
    assert run(tmp_path, "run").code == 0
    rows = made(tmp_path, "talk")
    assert {turn["role"] for row in rows for turn in row["messages"]} <= {"user", "assistant"}
    assert "turns" not in rows.column_names


def test_a_speaker_that_no_trainer_knows_is_named(tmp_path: Path) -> None:
    shape = '{as = "messages", turns = "turns", role = "speaker", content = "text"}'
    project(tmp_path, f"[tool.builder.datasets.talk]\nshape = {shape}")
    ran = run(tmp_path, "run")
    assert ran.code == 2
    assert "spoken by" in ran.err
    assert "roles = {" in ran.err
    assert list((tmp_path / "outputs/talk/data").glob("*")) == []


def test_prompt_and_completion_are_guessed_where_there_are_just_two_texts(tmp_path: Path) -> None:
    project(tmp_path)
    assert run(tmp_path, "run", "--quiet").code == 0
    columns = made(tmp_path)
    assert run(tmp_path, "export", "pair", "--as", "prompt-completion").code == 0
    rows = made(tmp_path)
    assert rows.column_names[:2] == ["prompt", "completion"]
    assert rows["prompt"][:] == columns["question"][:]
    assert rows["completion"][:] == columns["answer"][:]


def test_class_names_come_from_the_axis_and_survive_loading(tmp_path: Path) -> None:
    import datasets

    shape = '{as = "text-label", text = "question", label = "tone"}'
    project(tmp_path, f"[tool.builder.datasets.pair]\nshape = {shape}")
    assert run(tmp_path, "run").code == 0
    assert_labelled(made(tmp_path))
    # Also where only the data is at hand.
    (tmp_path / "outputs/pair/README.md").unlink()
    bare = datasets.load_dataset(
        str(tmp_path / "outputs/pair"), cache_dir=str(tmp_path / "bare"), split="train"
    )
    assert_labelled(bare)


def assert_labelled(rows: Any) -> None:
    label = rows.features["label"]
    assert label.names == ["愤怒", "no", "失望"]
    assert {label.int2str(number) for number in rows["label"]} == {"愤怒", "no", "失望"}
    assert rows.column_names[:2] == ["text", "label"]


def test_features_of_card_and_parquet_are_those_that_datasets_would_write(tmp_path: Path) -> None:
    import datasets
    import pyarrow.parquet

    from builder.dataset import files, shapes
    from builder.table.tables import (
        BOOLEAN,
        INTEGER,
        NUMBER,
        STRING,
        Kind,
    )

    struct = Kind("struct", fields=(("x", INTEGER), ("y", Kind("list", of=STRING))))
    kinds = {
        "a": STRING, "b": BOOLEAN, "f": NUMBER, "i": INTEGER, "s": struct,
        "l": Kind("list", of=STRING), "ll": Kind("list", of=Kind("list", of=struct)),
    }  # fmt: skip
    shape = shapes.Shape("text-label", kinds, {"i": ("no", "愤怒")})
    schema = files.arrow_schema(shape)
    expected = datasets.Features.from_arrow_schema(
        files.arrow_schema(shapes.Shape("columns", kinds))
    )
    expected["i"] = datasets.ClassLabel(names=["no", "愤怒"])
    assert datasets.Features.from_arrow_schema(schema) == expected
    assert schema.metadata == expected.arrow_schema.metadata
    assert shapes.features_in_card(shape) == expected._to_yaml_list()
    assert pyarrow.parquet is not None


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ('{as = "mesages"}', "'messages'"),
        ('{as = "messages", usr = "question"}', "Did you mean 'user'?"),
        ('{as = "messages", user = "question"}', "both `user` and `assistant`"),
        ('{as = "messages", user = "qestion", assistant = "answer"}', "Did you mean 'question'?"),
        ('{as = "messages"}', "a field of turns"),
        ('{as = "text-label"}', "its text; able: question, answer"),
        (
            '{as = "text-label", text = "question", label = "answer"}',
            "a label is an axis or an enum",
        ),
        ('{as = "prompt-completion", keep = ["mod"]}', "Did you mean 'mood'?"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_line(tmp_path: Path, shape: str, told: str) -> None:
    project(tmp_path, f"[tool.builder.datasets.pair]\nlicense = 'mit'\nshape = {shape}")
    ran = run(tmp_path, "export", "pair")
    assert ran.code == 2
    assert told in ran.err
    assert "pyproject.toml:6:" in ran.err


def test_a_column_that_would_mislead_a_trainer_is_refused(tmp_path: Path) -> None:
    schema = SCHEMA.replace("mood: Literal", "chosen: Literal")
    project(tmp_path, **{"schemas/letters.py": schema})
    ran = run(tmp_path, "export", "pair", "--as", "prompt-completion")
    assert ran.code == 2
    assert "'chosen' stays beside" in ran.err


@pytest.mark.parametrize(
    ("shape", "schema", "told"),
    [
        ('{as = "text-label", text = "question", label = "tone"}', SCHEMA, "has no 'tone'"),
        ('{as = "messages", turns = "turns", role = "speaker", content = "text", '
         'roles = {customer = "user", agent = "assistant"}}',
         SCHEMA.replace("Field(min_length=2, max_length=4)", "Field(max_length=0)"), "has no 'turns'"),
        ('{as = "messages", turns = "turns", role = "speaker", content = "text", '
         'roles = {customer = "user", agent = "assistant"}}',
         SCHEMA.replace("text: str = Field(min_length=3, max_length=40)", "text: str | None = Field(max_length=0)"),
         "has no 'text'"),
    ],
)  # fmt: skip
def test_a_row_that_a_trainer_would_stumble_over_is_named(
    tmp_path: Path, shape: str, schema: str, told: str
) -> None:
    dataset = "talk" if "turns" in shape else "pair"
    more = {"scenarios/plain.yaml": "prompt: letters\nschema: Pair\nrows: 2\n"}
    settings = f"[tool.builder.datasets.{dataset}]\nshape = {shape}"
    project(tmp_path, settings, **{"schemas/letters.py": schema}, **more)
    ran = run(tmp_path, "run")
    assert ran.code == 2
    assert told in ran.err
