"""The names of a scenario: each of them one thing, and every axis put to use."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError, Place
from builder.project import documents, schemas, variables
from builder.project.axes import Axis, Value
from builder.project.documents import Document
from builder.project.draws import EXAMPLES, Draw
from builder.project.prompts import Prompt, Prompts
from builder.project.schemas import Schema

TEXT = "given:\n  place: Rome\nvary:\n  tone: [glad, sad]\nunused: [tone]\n"
MODULE = "from pydantic import BaseModel\n\n\nclass Letter(BaseModel):\n    text: str\n    mood: str = 'loud'\n"
HERE = Place(Path("x.yaml"), 7, 3)


def document(folder: Path) -> Document:
    file = folder / "x.yaml"
    file.write_text(TEXT, "utf-8")
    return documents.read(file)


def schema(folder: Path) -> Schema:
    (folder / "m.py").write_text(MODULE, "utf-8")
    return schemas.load(folder, "Letter", place=HERE)


def prompt(folder: Path, text: str) -> Prompt:
    (folder / "x.j2").write_text(text, "utf-8")
    return Prompts(folder).load("x", ["tone", "pitch"], place=HERE)


def axis(name: str) -> Axis:
    return Axis(name, (Value("glad"),), HERE)


def draw(*names: str, sampler: str = "uniform", in_dataset: bool = True) -> Draw:
    return Draw(sampler, names, {}, HERE, in_dataset=in_dataset)


def test_every_name_has_the_place_where_it_is_written(tmp_path: Path) -> None:
    read = document(tmp_path)
    places = variables.names(read, ["place"], [axis("tone")], [draw("amount", "days")])
    assert list(places) == ["place", "tone", "amount", "days"]
    assert [place.line for place in places.values()] == [2, 4, 7, 7]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a b",), "'a b' is no name for a variable"),
        (("_a",), "'_a' is no name for a variable"),
        (("loop",), "'loop' means something else in templates"),
        (("true",), "'true' means something else in templates"),
        (("class",), "'class' means something else in templates"),
        (("tone",), "'tone' is named twice: here and at line 4"),
        (("n", "n"), "'n' is named twice: here and at line 7"),
    ],
)
def test_a_name_is_one_thing(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        variables.names(document(tmp_path), ["place"], [axis("tone")], [draw(*names)])
    assert message in refused.value.message


def test_a_column_is_an_axis_a_drawn_value_or_a_field(tmp_path: Path) -> None:
    fields = schema(tmp_path)
    hidden = [draw("text", in_dataset=False), draw("text", sampler=EXAMPLES)]
    variables.check_columns([axis("tone")], [draw("amount"), *hidden], fields)
    for axes, draws in (([axis("text")], []), ([], [draw("amount", "text")])):
        with pytest.raises(InputError, match="'text' is a column of this scenario and a field"):
            variables.check_columns(axes, draws, fields)


def test_an_axis_is_used_in_the_template_or_in_the_schemas_module(tmp_path: Path) -> None:
    fields, read = schema(tmp_path), document(tmp_path)
    used = prompt(tmp_path, "{{ tone }}")
    variables.check_axes_used([axis("tone"), axis("mood"), axis("loud")], [], used, fields, read)
    variables.check_axes_used([axis("pitch")], ["pitch"], used, fields, read)
    with pytest.raises(InputError) as refused:
        variables.check_axes_used([axis("pitch")], [], used, fields, read)
    assert "the axis 'pitch' appears in neither" in refused.value.message
    assert refused.value.hint == "write {{ pitch }} into x.j2, or `unused: [pitch]`"


def test_unused_names_an_axis(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        variables.check_axes_used(
            [axis("tones")], ["tone"], prompt(tmp_path, "x"), schema(tmp_path), document(tmp_path)
        )
    assert refused.value.message == "'unused' names 'tone', which is no axis. Did you mean 'tones'?"
    assert refused.value.place == Place(tmp_path / "x.yaml", 5, 10)
