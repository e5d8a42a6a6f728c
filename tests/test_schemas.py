"""Schemas: found by name, loaded as they stand on the disk, asked for and written down faithfully."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError, Place
from builder.project import schemas
from builder.project.schemas import Schema
from tests import projects

HEAD = "from pydantic import BaseModel, Field, computed_field, field_validator\n\n\n"


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return folder


def load(folder: Path, wanted: str = "Letter", **modules: str) -> Schema:
    return schemas.load(write(folder, **modules), wanted, place=Place(folder / "x.yaml", 1, 1))


def refusal(folder: Path, wanted: str = "Letter", **modules: str) -> InputError:
    with pytest.raises(InputError) as found:
        load(folder, wanted, **modules)
    return found.value


def test_what_is_asked_for_has_fields_in_declared_order_and_no_titles_of_our_own(
    tmp_path: Path,
) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom enum import Enum\n"
        "from typing_extensions import TypedDict\n\n"
        + HEAD
        + "class Mood(Enum):\n    GLAD = 'glad'\n    SAD = 'sad'\n\n\n@dataclass\nclass Pair:\n    a: int\n\n\n"
        "class Named(TypedDict):\n    b: int\n\n\n"
        "class Part(BaseModel):\n    zulu: int\n    alpha: list[Part] = []\n\n\n"
        "class Letter(BaseModel):\n    zulu: str = Field(title='Said')\n    mood: Mood\n    alpha: Part | None = None\n"
        "    pair: Pair\n    named: Named\n"
    )
    asked = load(tmp_path, m=text).asked
    assert list(asked["properties"]) == ["zulu", "mood", "alpha", "pair", "named"]
    assert list(asked["$defs"]["Part"]["properties"]) == ["zulu", "alpha"]
    assert asked["properties"]["zulu"]["title"] == "Said"
    assert json.dumps(asked).count('"title"') == 1


def test_a_class_that_contains_itself_stands_whole_at_the_root(tmp_path: Path) -> None:
    text = f"from __future__ import annotations\n{HEAD}class Letter(BaseModel):\n    text: str\n    next: Letter | None = None\n"
    found = load(tmp_path, m=text)
    assert found.asked["type"] == "object"
    assert found.columns == ("text", "next")


def test_sets_have_one_order_whatever_the_process(tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(30)]
    text = f"{HEAD}class Letter(BaseModel):\n    tags: set[str] = {set(words)!r}\n"
    assert load(tmp_path, m=text).asked["properties"]["tags"]["default"] == sorted(words)


def test_columns_are_what_a_row_holds(tmp_path: Path) -> None:
    text = (
        f"{HEAD}class Letter(BaseModel):\n    said: str = Field(alias='Text')\n    hidden: str = Field('', exclude=True)\n"
        "    read: int = Field(0, validation_alias='in', serialization_alias='out')\n"
        "    @computed_field\n    @property\n    def length(self) -> int:\n        return len(self.said)\n"
    )
    found = load(tmp_path, m=text)
    assert list(found.asked["properties"]) == ["Text", "hidden", "in"]
    assert found.columns == ("said", "read", "length")
    aliased = text.replace("    said", "    model_config = {'serialize_by_alias': True}\n    said")
    assert load(tmp_path, m=aliased).columns == ("Text", "out", "length")


@pytest.mark.parametrize("by_alias", [False, True])
def test_a_field_with_an_alias_reaches_the_dataset(by_alias: bool, tmp_path: Path) -> None:
    config = f"    model_config = {{'serialize_by_alias': {by_alias}}}\n"
    text = (
        f"{HEAD}class Part(BaseModel):\n{config}    word: str = Field(alias='Word', max_length=9)\n\n\n"
        f"class Letter(BaseModel):\n{config}    text: str = Field(alias='Text', max_length=9)\n    part: Part\n"
    )
    folder = projects.write(tmp_path, {"schemas/letters.py": text})
    assert projects.run(folder, "run", "--quiet", "--format", "jsonl").code == 0
    (file,) = (folder / "outputs/letter/data").glob("*.jsonl")
    outer, inner = ("Text", "Word") if by_alias else ("text", "word")
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        assert row[outer]
        assert row["part"][inner]


def test_validators_see_the_names_of_the_template(tmp_path: Path) -> None:
    text = (
        f"{HEAD}class Letter(BaseModel):\n    text: str = Field(max_length=9)\n\n"
        "    @field_validator('text')\n    @classmethod\n    def told(cls, text, info):\n"
        "        assert info.context['tone'] in ('glad', 'sad') and info.context['role'] == 'x'\n        return text\n"
    )
    scenario = "schema: Letter\ngiven:\n  role: x\nvary:\n  tone: [glad, sad]\n"
    files = {"schemas/letters.py": text, "scenarios/letters.yaml": scenario}
    assert projects.run(projects.write(tmp_path, files), "run", "--quiet").code == 0


def test_an_edit_is_seen_at_once_also_a_neighbours(tmp_path: Path) -> None:
    letter = f"from .parts import Part\n{HEAD}class Letter(BaseModel):\n    part: Part\n"
    for size in (1, 2, 3):
        part = f"{HEAD}class Part(BaseModel):\n    n: int = Field(ge={size})\n"
        found = load(tmp_path, m=letter, parts=part)
        assert found.asked["$defs"]["Part"]["properties"]["n"]["minimum"] == size
        assert load(tmp_path, "Part").asked["properties"]["n"]["minimum"] == size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.py", "parts.py"]


def test_modules_of_two_projects_stay_apart(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        text = f"from .parts import Part\n{HEAD}class Letter(BaseModel):\n    {name}: Part\n"
        part = f"{HEAD}class Part(BaseModel):\n    {name}: int\n"
        found = load(tmp_path / name, m=text, parts=part)
        assert list(found.asked["$defs"]["Part"]["properties"]) == [name]


def test_an_imported_class_is_not_a_modules_own(tmp_path: Path) -> None:
    own = f"{HEAD}class Letter(BaseModel):\n    text: str\n"
    other = "from .letters import Letter\nfrom pydantic import BaseModel\n\n\nclass Note(Letter):\n    more: int\n"
    assert load(tmp_path, letters=own, notes=other).file.stem == "letters"
    assert list(load(tmp_path, "Note").asked["properties"]) == ["text", "more"]
    assert "no class 'notes:Letter'" in refusal(tmp_path, "notes:Letter").message


def test_two_of_a_name_are_told_apart_by_their_modules(tmp_path: Path) -> None:
    text = f"{HEAD}class Letter(BaseModel):\n    text: str\n"
    found = refusal(tmp_path, a=text, b=text)
    assert "a.py:4:1 and " in found.message
    assert found.hint == "write a:Letter or b:Letter"
    assert load(tmp_path, "b:Letter").file.stem == "b"


def test_a_broken_module_matters_only_to_who_wants_something_from_it(tmp_path: Path) -> None:
    good = f"{HEAD}class Letter(BaseModel):\n    text: str\n"
    load(tmp_path, good=good, broken="class Note(BaseModel)\n", raising="raise RuntimeError('x')\n")
    found = refusal(tmp_path, "Note")
    assert found.place == Place(tmp_path / "broken.py", 1, 22)


@pytest.mark.parametrize(
    ("text", "said", "line", "column"),
    [
        ("class Letter(BaseModel):\n    a: str\n    b: strr\n", "name 'strr' is not defined", 6, 5),
        ("class Letter(BaseModel):\n    pass\n", "has no fields", 4, 1),
        ("def f():\n    raise KeyError('x')\n\n\nclass Letter(BaseModel):\n    a: int = f()\n", "KeyError: 'x'", 5, 5),
        ("class Letter:\n    a: int\n", "is no Pydantic model", 4, 1),
        ("class Letter(int):\n    pass\n", "is no Pydantic model", 4, 1),
        ("from collections.abc import Callable\nclass Letter(BaseModel):\n    f: Callable[[], int]\n", "has no JSON Schema", 5, 1),
        ("class Letter(BaseModel):\n    a: str = Field(pattern='(')\n", "regex", 4, 1),
        ("import sys; sys.exit(0)\nclass Letter(BaseModel):\n    a: int\n", "SystemExit: 0", 4, 1),
        ("if True:\n    class Letter(BaseModel):\n        a: int\n", "no class 'Letter'", 1, 1),
    ],
)  # fmt: skip
def test_an_error_names_its_line(
    text: str, said: str, line: int, column: int, tmp_path: Path
) -> None:
    found = refusal(tmp_path, m=HEAD + text)
    assert said in found.message
    assert found.place is not None
    assert (found.place.line, found.place.column) == (line, column)


def test_a_field_is_placed_where_it_is_declared(tmp_path: Path) -> None:
    text = f"{HEAD}class Base(BaseModel):\n    a: int\n\n\nclass Letter(Base):\n    b: int\n    @computed_field\n    @property\n    def c(self) -> int: return 1\n"
    found = load(tmp_path, m=text)
    places = [found.place(name) for name in ("b", "c", "a", "")]
    assert [(place.line, place.column) for place in places] == [(9, 5), (12, 5), (8, 1), (8, 1)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("    text: str", "text"),
        ("    text: str\n    stars: int = 3\n    mood: Literal['a', 'b'] = 'a'", "text"),
        ("    text: str = Field(alias='Text')", "Text"),
        ("    stars: int = 3\n    text: str = ''", "text"),
        ("    text: str\n    stars: int", None),
        ("    text: str\n    note: str = ''", None),
        ("    stars: int", None),
    ],
)
def test_plain_text_fills_the_only_text_field(fields: str, expected: Any, tmp_path: Path) -> None:
    found = load(
        tmp_path, m=f"from typing import Literal\n{HEAD}class Letter(BaseModel):\n{fields}\n"
    )
    if expected is None:
        with pytest.raises(InputError, match="the whole reply"):
            found.text_field()
    else:
        assert found.text_field() == expected


def test_loading_leaves_the_interpreter_as_it_was(tmp_path: Path) -> None:
    path, written = list(sys.path), sys.dont_write_bytecode
    load(tmp_path, m=f"{HEAD}class Letter(BaseModel):\n    a: int\n")
    refusal(tmp_path, m="raise KeyError\nclass Letter: ...\n")
    assert (sys.path, sys.dont_write_bytecode) == (path, written)
