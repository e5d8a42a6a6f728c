"""Pydantic classes under schemas/: found by name, loaded alone, turned into JSON Schema.

A module is executed only when a scenario names one of its classes; the classes of a file are
read from its syntax tree, so that a plan can say beforehand which modules it will run.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from builder.errors import InputError, Place, nearest
from builder.plan.tables import read_text
from builder.records import digest_of


@dataclass(frozen=True, slots=True)
class Schema:
    """One class of the project, as a request needs it and as a row needs it."""

    name: str
    model: type[BaseModel]
    asked: Mapping[str, Any]
    """The validation-mode JSON Schema, fields in declared order, no generated titles."""
    row: Mapping[str, Any]
    """The serialisation-mode JSON Schema: what the dataset's columns hold."""
    file: Path
    line: int
    lines: Mapping[str, int]
    """Line of each field in its file, where it is declared there."""
    source: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that become columns: declared and computed ones, excluded ones left out."""
        return tuple(self.row.get("properties", {}))

    def place(self, name: str = "") -> Place:
        return Place(self.file, self.lines.get(name, self.line), 1)

    def text_field(self) -> str:
        """The one field that a plain-text answer fills. InputError where it is not the only one."""
        required = [name for name, field in self.model.model_fields.items() if field.is_required()]
        texts = [
            name
            for name, part in self.asked.get("properties", {}).items()
            if part.get("type") == "string" and "enum" not in part
        ]
        if len(texts) != 1 or set(required) - set(texts):
            raise InputError(
                f"answer: text needs a schema whose only text field takes the whole reply; "
                f"{self.name} has {', '.join(texts) or 'none'}",
                place=self.place(),
                hint="give the other fields defaults, or use answer: json",
            )
        return str(texts[0])


def declared(folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """Class names to the files and lines under `folder` that define them."""
    found: dict[str, list[tuple[Path, int]]] = {}
    for file in sorted(folder.glob("*.py")):
        tree = _tree(file)
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append((file, node.lineno))
    return found


def load(folder: Path, wanted: str, *, place: Place) -> Schema:
    """The schema of that name (`Class` or `module:Class`). InputError: where and what is wrong."""
    module, _, name = wanted.rpartition(":")
    classes = declared(folder)
    found = [hit for hit in classes.get(name, []) if not module or hit[0].stem == module]
    if not found:
        known = [
            *classes,
            *(f"{f.stem}:{c}" for c, hits in classes.items() for f, _ in hits),
        ]
        raise InputError(
            f"no class {wanted!r} in a module under {folder.name}/.{nearest(wanted, known)}",
            place=place,
            hint=f"classes there: {', '.join(sorted(classes)) or 'none'}",
        )
    if len(found) > 1:
        spots = " and ".join(str(Place(file, line)) for file, line in found)
        raise InputError(
            f"class {name!r} is defined twice: {spots}",
            place=place,
            hint=f"write {found[0][0].stem}:{name} or {found[1][0].stem}:{name}",
        )
    file, line = found[0]
    if not file.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{file.name} is a link out of the project", place=place)
    model = _model(folder, file, name, line)
    return _schema(model, name, file, line)


def _schema(model: type[BaseModel], name: str, file: Path, line: int) -> Schema:
    try:
        asked = model.model_json_schema(schema_generator=_Untitled, mode="validation")
        row = model.model_json_schema(schema_generator=_Untitled, mode="serialization")
    except (PydanticUserError, PydanticInvalidForJsonSchema) as error:
        message = str(error).split("\n")[0]
        raise InputError(
            f"{name} has no JSON Schema: {message}", place=Place(file, line, 1)
        ) from None
    if asked.get("type") != "object" and "$ref" not in asked:
        raise InputError(f"{name} is no object with fields", place=Place(file, line, 1))
    if "$ref" in asked:
        # A class that contains itself: its own definition stands at the root as well.
        target = asked["$ref"].rsplit("/", 1)[-1]
        asked = {**asked["$defs"][target], "$defs": asked["$defs"]}
        row = {**row["$defs"][row["$ref"].rsplit("/", 1)[-1]], "$defs": row["$defs"]}
    for column in row.get("properties", {}):
        if column.startswith("_"):
            raise InputError(
                f"the field {column!r} begins with an underscore, as the builder's own columns do",
                place=Place(file, line, 1),
            )
    source = read_text(file)
    lines = _field_lines(source, name)
    return Schema(name, model, asked, row, file, line, lines, source)


class _Untitled(GenerateJsonSchema):
    """Titles that Pydantic makes up from names are left out, fields stay as declared."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: Any) -> Any:
        made = super().model_schema(schema)
        cls = schema["cls"]
        if made.get("title") == cls.__name__ and not cls.model_config.get("title"):
            made.pop("title")
        return made

    def enum_schema(self, schema: Any) -> Any:
        made = super().enum_schema(schema)
        made.pop("title", None)
        return made

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        return value


def _model(folder: Path, file: Path, name: str, line: int) -> type[BaseModel]:
    model = getattr(_module(folder, file), name, None)
    place = Place(file, line, 1)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise InputError(f"{name} is no Pydantic model", place=place, hint="class X(BaseModel): …")
    if issubclass(model, RootModel):
        raise InputError(f"{name} is a RootModel; a row needs named fields", place=place)
    if not model.model_fields:
        raise InputError(f"{name} has no fields", place=place)
    return model


class _Source(importlib.machinery.SourceFileLoader):
    """Compiles the file each time: a cache keyed by the second misses quick edits, and leaves
    files in the user's folder."""

    def get_code(self, fullname: str) -> Any:
        return compile(read_text(Path(self.path)), self.path, "exec", dont_inherit=True)


def _module(folder: Path, file: Path) -> ModuleType:
    package = "builder_schemas_" + digest_of(str(folder.resolve())).hex()[:12]
    if package not in sys.modules:
        holder = ModuleType(package)
        holder.__path__ = [str(folder)]
        sys.modules[package] = holder
    name = f"{package}.{file.stem}"
    loader = _Source(name, str(file))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # forward references are looked up there
    try:
        loader.exec_module(module)
    except InputError:
        raise
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt | MemoryError):
            raise
        raise _import_error(file, error) from None
    return module


def _import_error(file: Path, error: BaseException) -> InputError:
    lines = [
        f.lineno or 1 for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)
    ]
    message = str(error).split("\n")[0]
    return InputError(
        f"the module cannot be loaded: {type(error).__name__}: {message}",
        place=Place(file, lines[-1] if lines else 1, 1),
    )


def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(read_text(file), str(file))
    except SyntaxError as error:
        place = Place(file, error.lineno or 1, error.offset or 1)
        raise InputError(f"not Python: {error.msg}", place=place) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not Python: {error}", place=Place(file, 1, 1)) from None


def _field_lines(source: str, name: str) -> dict[str, int]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            found = {}
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    found[part.target.id] = part.lineno
                elif isinstance(part, ast.FunctionDef):
                    found[part.name] = part.lineno
            return found
    return {}
