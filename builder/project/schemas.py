"""Pydantic classes under schemas/: found by name, loaded alone, turned into JSON Schema.

A module is executed only when a scenario names one of its classes; the classes of a file are
read from its syntax tree, so that a plan can say beforehand which modules it will run.
"""

import ast
import contextlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import invalidate_caches, machinery, util
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from pydantic import BaseModel, PydanticInvalidForJsonSchema, PydanticUserError, RootModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from builder import jsonschema, limits, records
from builder.errors import InputError, Place, nearest
from builder.project import defaults
from builder.table.reader import read_text

LIMIT = 60.0  # Seconds that importing a module may take.


class Schema(NamedTuple):
    """A Pydantic class of the project, as a request needs it and as a row does."""

    name: str
    model: type[BaseModel]
    # The validation-mode JSON Schema, fields in declared order, no generated titles.
    asked: Mapping[str, Any]
    row: Mapping[str, Any]  # the serialisation-mode JSON Schema: what the dataset's columns hold
    file: Path
    line: int
    places: Mapping[str, Place]  # where each field is declared, if that is in this file
    source: str
    by_alias: bool = False  # whether its rows name fields by their aliases
    has_sets: bool = False  # whether rows hold sets, whose order differs from process to process
    unsteady: tuple[str, ...] = ()  # fields whose default differs from run to run, a line each

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that become columns: declared and computed ones, excluded ones left out."""
        return tuple(self.row.get("properties", {}))

    def place(self, name: str = "") -> Place:
        """Where a field is declared; the class where none is named or it is inherited."""
        return self.places.get(name, Place(self.file, self.line, 1))

    def words(self) -> set[str]:
        """Every name and text in its module, what is looked up from a case among them."""
        return {
            node.id if isinstance(node, ast.Name) else str(node.value)
            for node in ast.walk(_parsed(self.source, self.file))
            if isinstance(node, ast.Name)
            or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        }

    def text_field(self) -> str:
        """The one field that a plain-text answer fills. InputError where it is not the only one."""
        texts = [
            name
            for name, part in self.asked.get("properties", {}).items()
            if part.get("type") == "string" and "enum" not in part
        ]
        if len(texts) != 1 or set(self.asked.get("required", [])) - set(texts):
            raise InputError(
                f"answer: text needs a schema whose only text field takes the whole reply; "
                f"{self.name} has {', '.join(texts) or 'none'}",
                place=self.place(),
                hint="give the other fields defaults, or use answer: json",
            )
        return str(texts[0])


def title(model: type[BaseModel]) -> str:
    """The name of a class with its module, the same however often the module was loaded."""
    return f"{model.__module__}:{model.__qualname__}"


def load(folder: Path, wanted: str, *, place: Place) -> Schema:
    """The schema of that name (`Class` or `module:Class`). InputError: where and what is wrong."""
    module, _, name = wanted.rpartition(":")
    classes, broken = _declared(folder)
    hits = [hit for hit in classes.get(name, []) if not module or hit[0].stem == module]
    if not hits:
        if broken:
            raise broken[0]
        known = [
            *classes,
            *(f"{file.stem}:{name}" for name, hits in classes.items() for file, _ in hits),
        ]
        raise InputError(
            f"no class {wanted!r} in a module under {folder.name}/.{nearest(wanted, known)}",
            place=place,
            hint=f"classes there: {', '.join(sorted(classes)) or 'none'}",
        )
    file, line = hits[0]
    if len(hits) > 1:
        other, again = hits[1]
        if other == file:
            raise InputError(
                f"class {name!r} is defined twice: here and at line {line}",
                place=Place(file, again, 1),
                hint="rename one of them",
            )
        raise InputError(
            f"class {name!r} is defined twice: {Place(file, line)} and {Place(other, again)}",
            place=place,
            hint=f"write {file.stem}:{name} or {other.stem}:{name}",
        )
    if not file.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{file.name} is a link out of the project", place=place)
    return _schema(_model(folder, file, name, line), name, file, line)


def _declared(folder: Path) -> tuple[dict[str, list[tuple[Path, int]]], list[InputError]]:
    """Class names to the files and lines under `folder` that define them, and what is wrong with
    files that cannot be read: no matter, as long as nothing is wanted from them.
    """
    classes: dict[str, list[tuple[Path, int]]] = {}
    broken = []
    for file in sorted(folder.glob("*.py")):
        try:
            nodes = _parsed(read_text(file), file).body
        except InputError as error:
            broken.append(error)
            continue
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append((file, node.lineno))
    return classes, broken


def _schema(model: type[BaseModel], name: str, file: Path, line: int) -> Schema:
    by_alias = bool(model.model_config.get("serialize_by_alias"))
    try:
        asked = model.model_json_schema(schema_generator=_Untitled, mode="validation")
        row = model.model_json_schema(
            schema_generator=_Untitled, mode="serialization", by_alias=by_alias
        )
    except (PydanticUserError, PydanticInvalidForJsonSchema) as error:
        raise InputError(
            f"{name} has no JSON Schema: {str(error).splitlines()[0]}", place=Place(file, line, 1)
        ) from None
    if asked.get("type") != "object" and "$ref" not in asked:
        raise InputError(f"{name} is no object with fields", place=Place(file, line, 1))
    asked, row = jsonschema.unwrap(asked), jsonschema.unwrap(row)
    source = read_text(file)
    places = _field_places(file, source, name)
    for field, info in model.model_fields.items():
        if by_alias and info.serialization_alias and field in places:
            places[info.serialization_alias] = places[field]
    schema = Schema(
        name, model, asked, row, file, line, places, source, by_alias,
        has_sets="'uniqueItems'" in str(row), unsteady=tuple(_unsteady(model, file)),
    )  # fmt: skip
    for column in schema.columns:
        if column.startswith("_"):
            raise InputError(
                f"the field {column!r} begins with an underscore, as the builder's own columns do",
                place=schema.place(column),
            )
    return schema


def _unsteady(model: type[BaseModel], file: Path) -> Iterator[str]:
    """A line for each default that differs from run to run, of this class or one that it holds."""
    for part in defaults.models(model):
        module = sys.modules.get(part.__module__)
        home = Path(getattr(module, "__file__", None) or file)
        fixed = all(info.is_required() for info in part.model_fields.values())
        if fixed or home.parent != file.parent:
            continue
        source = read_text(home)
        statements = _field_statements(home, source, part.__name__)
        written = {
            name: statement.value
            for name, statement in statements.items()
            if isinstance(statement, ast.AnnAssign) and statement.value is not None
        }
        places = _field_places(home, source, part.__name__)
        for name in defaults.unsteady(part, written):
            place = places.get(name, Place(home))
            yield (
                f"{place}: {part.__name__}.{name} has a default that differs from run to run; rows "
                "that fall back on it are new at every export: give a fixed default, or none"
            )


class _Untitled(GenerateJsonSchema):
    """Titles that Pydantic makes up from names are left out, fields stay as declared, and sets in
    an order that does not depend on the process.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  (Pydantic's own interface)

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        cls = schema["cls"]
        if json_schema.get("title") == cls.__name__ and not cls.model_config.get("title"):
            json_schema.pop("title")
        return json_schema

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        # Pydantic adds the names of enums, dataclasses and the like behind the methods below.
        self._names: set[str] = set()
        json_schema = super().generate(schema, mode)
        for part in json_schema.get("$defs", {}).values():
            if part.get("title") in self._names:
                part.pop("title")
        return json_schema

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        self._names.add(schema["cls"].__name__)
        return super().enum_schema(schema)

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        self._note(schema["cls"], schema.get("config"))
        return super().typed_dict_schema(schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        self._note(schema["cls"], schema.get("config"))
        return super().dataclass_schema(schema)

    def _note(self, cls: type, config: core_schema.CoreConfig | None) -> None:
        if (config or {}).get("title") in (None, cls.__name__):
            self._names.add(cls.__name__)

    def encode_default(self, dft: object) -> object:
        return super().encode_default(
            sorted(dft, key=repr) if isinstance(dft, set | frozenset) else dft
        )

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
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


class _Source(machinery.SourceFileLoader):
    """Compiles what the file holds now: a cache keyed by the second misses quick edits, and
    leaves files in the user's folder.
    """

    def get_code(self, fullname: str) -> CodeType:
        tree = _parsed(read_text(Path(self.path)), Path(self.path))
        return compile(tree, self.path, "exec", dont_inherit=True)


def _module(folder: Path, file: Path) -> ModuleType:
    package = "builder_schemas_" + records.digest_of(str(folder.resolve())).hex()[:12]
    if package not in sys.modules:
        holder = ModuleType(package)
        holder.__path__ = [str(folder)]
        sys.modules[package] = holder
    for loaded in [name for name in sys.modules if name.startswith(f"{package}.")]:
        del sys.modules[loaded]  # neighbours too are as they stand on the disk
    invalidate_caches()
    name = f"{package}.{file.stem}"
    loader = _Source(name, str(file))
    spec = util.spec_from_loader(name, loader)
    assert spec is not None
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # forward references are looked up there
    # Neighbours that it imports leave no files behind and are read anew each time.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        # What it prints is talk, not a result.
        with limits.alarm() as alarm, contextlib.redirect_stdout(sys.stderr):
            alarm(LIMIT)
            loader.exec_module(module)
    except InputError:
        raise
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt | MemoryError):
            raise
        raise _import_error(file, error) from None
    finally:
        sys.dont_write_bytecode = before
    return module


def _import_error(file: Path, error: BaseException) -> InputError:
    frames = traceback.extract_tb(error.__traceback__)
    number = [1, *(frame.lineno or 1 for frame in frames if frame.filename == str(file))][-1]
    line = [*read_text(file).split("\n"), ""][number - 1]
    reason = " ".join(str(error).split())
    reason = reason if len(reason) <= 300 else reason[:299] + "…"
    problem = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if isinstance(error, limits.TooLongError):
        problem = f"it took over {LIMIT:g} s"
    return InputError(
        f"the module cannot be loaded: {problem}",
        place=Place(file, number, len(line) - len(line.lstrip()) + 1),
    )


@lru_cache(maxsize=128)
def _parsed(text: str, file: Path) -> ast.Module:
    try:
        return ast.parse(text, str(file))
    except SyntaxError as error:
        place = Place(file, error.lineno or 1, error.offset or 1)
        raise InputError(f"not Python: {error.msg}", place=place) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not Python: {error}", place=Place(file, 1, 1)) from None


def _field_places(file: Path, source: str, name: str) -> dict[str, Place]:
    statements = _field_statements(file, source, name)
    return {
        field: Place(file, node.lineno, node.col_offset + 1) for field, node in statements.items()
    }


def _field_statements(file: Path, source: str, name: str) -> dict[str, ast.stmt]:
    """The statements of a class that declare its fields, computed ones among them."""
    classes = (node for node in _parsed(source, file).body if isinstance(node, ast.ClassDef))
    statements: dict[str, ast.stmt] = {}
    for part in next((node.body for node in classes if node.name == name), []):
        match part:
            case ast.AnnAssign(target=ast.Name(id=field)) | ast.FunctionDef(name=field):
                statements[field] = part
    return statements
