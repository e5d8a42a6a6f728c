"""YAML 1.2 as people type it, with the place of every key and value.

The composed node tree is turned into plain Python here rather than by the library, because
the typos worth catching are visible only in the nodes: a key given twice, a number that YAML
would rewrite (4.10 becomes 4.1), a full-width comma that glues two list entries into one.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, StreamMark
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from builder.errors import InputError, Place
from builder.project import typos
from builder.table.reader import read_text, siblings

Data = Union["list[Data]", "dict[Any, Data]", str, int, float, bool, None]
Step = str | int | float | None  # A key of a mapping or an index of a list.
KeyPath = tuple[Step, ...]  # The steps from the root to a value.

MAX_CHARACTERS = 2**19
MAX_VALUES = 30_000  # Keys and values of one file: what can be read within a second.
MAX_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_ENDS = "\0\r\n\x85\u2028\u2029"


class Document(NamedTuple):
    """A parsed file: plain values, and where each stands."""

    file: Path
    data: Data
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]
    quoted: frozenset[KeyPath] = frozenset()

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value at `path` stands (or its key), or the nearest enclosing one that does."""
        for end in range(len(path), -1, -1):
            for table in (self.keys, self.values) if key else (self.values, self.keys):
                if path[:end] in table:
                    return table[path[:end]]
        return Place(self.file)

    def text_place(self, path: KeyPath) -> Place:
        """Where the first character of a text stands: behind its quote, where it has one."""
        place = self.place(path)
        return Place(place.file, place.line, place.column + (path in self.quoted))


def read(path: Path) -> Document:
    """The document in a YAML file. InputError: file, line, column, what was expected."""
    text = read_text(path)
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"a YAML file holds at most {MAX_CHARACTERS} characters", place=Place(path)
        )
    loader = YAML(typ="safe", pure=True)
    loader.Scanner, loader.Composer = _Tabs, _Bounded
    try:
        root = loader.compose(text)
    except _TooMuchError as error:
        raise _too_much(_place(path, error.problem_mark), deep=error.deep) from None
    except MarkedYAMLError as error:
        raise _syntax(path, text, error) from None
    except ReaderError as error:
        ahead = text[: error.position]
        raise InputError(
            f"the control character {error.character!r} is not allowed",
            place=Place(path, ahead.count("\n") + 1, len(ahead) - ahead.rfind("\n")),
            hint="take it out",
        ) from None
    except Exception as error:  # noqa: BLE001  (ruamel raises bare ones on what it cannot read)
        raise InputError(f"not YAML: {_one_line(error)}", place=Place(path)) from None
    reader = _Reader(path)
    data = None if root is None else reader.value(root, (), in_flow=False)
    return Document(path, data, reader.keys, reader.values, frozenset(reader.quoted))


class _TooMuchError(MarkedYAMLError):
    """A file of more values, or deeper ones, than anybody writes."""

    def __init__(self, mark: StreamMark, *, deep: bool) -> None:
        super().__init__(problem_mark=mark)
        self.deep = deep


class _Tabs(Scanner):
    """Takes tabs where YAML does: within a text, behind a colon, at the end of a line. Those that
    indent are errors.
    """

    def scan_to_next_token(self) -> object:
        reader = self.reader
        if reader.column > 0:
            while reader.peek() in " \t":
                reader.forward()
        comment: object = super().scan_to_next_token()
        while reader.peek() == "\t" and reader.peek(self._white()) in _ENDS:
            reader.forward(self._white())
            comment = super().scan_to_next_token()
        return comment

    def scan_plain_spaces(self, indent: object, start_mark: object) -> object:
        white: str = self.reader.prefix(self._white())
        if "\t" in white:
            self.reader.forward(len(white))
            if self.reader.peek() not in _ENDS:
                return [white]
        return super().scan_plain_spaces(indent, start_mark)

    def _white(self) -> int:
        length = 0
        while self.reader.peek(length) in " \t":
            length += 1
        return length


class _Bounded(Composer):
    """Gives up on files that would take long to read."""

    def __init__(self, loader: YAML | None = None) -> None:
        super().__init__(loader=loader)
        self.warn_double_anchors = False
        self.composed = self.levels = 0

    def compose_node(self, parent: object, index: object) -> object:
        self.composed += 1
        self.levels += 1
        if self.composed > MAX_VALUES or self.levels > MAX_DEPTH:
            raise _TooMuchError(self.parser.peek_event().start_mark, deep=self.levels > MAX_DEPTH)
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[KeyPath, Place] = {}
        self.values: dict[KeyPath, Place] = {}
        self.quoted: set[KeyPath] = set()
        self.count = 0

    def value(self, node: Node, path: KeyPath, *, in_flow: bool) -> Data:
        self.count += 1
        self.values[path] = self.place(node)
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise _too_much(self.values[path], deep=len(path) > MAX_DEPTH)
        flow = in_flow or bool(getattr(node, "flow_style", False))
        if isinstance(node, MappingNode):
            return self.mapping(node, path, flow)
        if isinstance(node, SequenceNode):
            self.known_tag(node, "seq")
            for child in node.value if flow else ():
                self.no_glued(child)
            return [
                self.value(child, (*path, i), in_flow=flow) for i, child in enumerate(node.value)
            ]
        assert isinstance(node, ScalarNode)
        if node.style in ("'", '"'):
            self.quoted.add(path)
        return self.scalar(node, in_flow=in_flow)

    def mapping(self, node: MappingNode, path: KeyPath, flow: bool) -> dict[Any, Data]:
        self.known_tag(node, "map")
        mapping: dict[Any, Data] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise InputError(
                    "a key must be a plain word",
                    place=self.place(key_node),
                    hint="quote a text that begins with { or [; text of a scenario is never a template",
                )
            key = self.scalar(key_node, in_flow=flow)
            place = self.place(key_node)
            if isinstance(key, str) and key[:1] in ("\u3000", "\u00a0"):
                kind = "full-width" if key[0] == "\u3000" else "no-break"
                raise InputError(
                    f"a {kind} space stands before {key.strip()!r}",
                    place=place,
                    hint="indent with ordinary spaces",
                )
            if key_node.style is None:
                no_curly_quotes(key, place)
            if key in mapping:
                first = self.keys[(*path, key)].line
                raise InputError(
                    f"key {key!r} stands here again; first at line {first}", place=place
                )
            self.keys[(*path, key)] = place
            mapping[key] = self.value(value_node, (*path, key), in_flow=flow)
            if isinstance(value_node, ScalarNode) and not value_node.value and not value_node.style:
                self.values[(*path, key)] = place  # nothing stands nowhere; its key is near
        return mapping

    def scalar(self, node: ScalarNode, *, in_flow: bool) -> Step:
        text: str = node.value
        tag = str(node.tag).removeprefix(_TAG)
        place = self.place(node)
        plain = node.style is None
        if plain and in_flow:
            self.no_full_width(text, place)
        if not text.isascii() or "\0" in text:
            self.writable(text, place)
        match tag if plain else "str":
            case "str" | "timestamp":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self.number(text, tag, place)
        raise InputError(
            f"the tag {tag!r} is not allowed; values are text, numbers, true, false, lists and mappings",
            place=place,
            hint="write the values out, '<<' is not read"
            if tag == "merge"
            else "quote the text if it begins with '!'",
        )

    def number(self, text: str, tag: str, place: Place) -> int | float:
        try:
            number: int | float = int(text) if tag == "int" else float(text)
            reading = str(number) if math.isfinite(number) else ""
        except ValueError:
            number, reading = 0, ""
        if reading != text:
            raise InputError(
                f"the number {text} would be read as {reading}"
                if reading
                else f"{text} is no number in plain decimal digits",
                place=place,
                hint=(f"write {reading} for the number or " if reading else "")
                + f'"{text}" for the text',
            )
        if abs(number) >= 2**63 and tag == "int":
            raise InputError(
                f"the number {text} is too large: at most {2**63 - 1}",
                place=place,
                hint=f'"{text}" for the text',
            )
        return number

    def writable(self, text: str, place: Place) -> None:
        if "\0" in text:
            raise InputError("a NUL, which no text holds", place=place, hint="take it out")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(
                "half of a surrogate pair, which no file can hold",
                place=place,
                hint="write the character itself, or its whole code \\UXXXXXXXX",
            ) from None

    def no_full_width(self, text: str, place: Place) -> None:
        for wide in "，：":
            if wide in text:
                raise InputError(
                    f"a full-width {wide!r} in a list or mapping joins {text!r} into one value",
                    place=Place(place.file, place.line, place.column + text.index(wide)),
                    hint=f"write {typos.narrow(wide) + ' '!r} to separate, or quote the text",
                )

    def no_glued(self, child: Node) -> None:
        """、 and ； within a list's entry are commas typed as one writes Chinese."""
        plain = isinstance(child, ScalarNode) and child.style is None
        if glue := re.search(r"(?<=\w)[、；](?=\w)", child.value) if plain else None:
            place = self.place(child)
            raise InputError(
                f"{glue[0]!r} joins {child.value!r} into one value",
                place=place._replace(column=place.column + glue.start()),
                hint="write ', ' to separate, or quote the text",
            )

    def known_tag(self, node: Node, kind: str) -> None:
        if str(node.tag) != _TAG + kind:
            raise InputError(
                f"the tag {str(node.tag).removeprefix(_TAG)!r} is not allowed",
                place=self.place(node),
            )

    def place(self, node: Node) -> Place:
        return _place(self.path, node.start_mark)


def no_curly_quotes(text: Data, place: Place) -> None:
    """InputError for a text whose quotes YAML would take for a part of it."""
    if isinstance(text, str) and (quoted := re.fullmatch(r"[“”‘’](.*)[“”‘’]", text)):
        raise InputError(
            f"to YAML the quotes are a part of {text}",
            place=place,
            hint=f'write plain quotes: "{quoted[1]}"',
        )


def file_inside(document: Document, path: KeyPath, name: Data, root: Path) -> Path:
    """The file that a scenario names, relative to its own folder and within the project."""
    place = document.place(path)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"expected the path of a file, found {describe(name)}", place=place)
    file = (document.file.parent / name).resolve()
    if not file.is_relative_to(root.resolve()):
        raise InputError(f"{name!r} lies outside the project", place=place)
    if not file.is_file():
        raise InputError(
            f"file {name!r} not found.{siblings(file)}",
            place=place,
            hint="paths are relative to the scenario's own folder",
        )
    return file


def describe(value: object) -> str:
    """How an error names a value that a person wrote.

    >>> describe([1, 2]), describe("glad"), describe(None)
    ('a list', "'glad'", 'nothing')
    """
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():  # which may carry attributes
            return repr(str(value))
    return repr(value)


def _syntax(path: Path, text: str, error: MarkedYAMLError) -> InputError:
    problem = _one_line(error.problem or error.context or error)
    stood, opened = (
        (mark.line, mark.column) if mark else None
        for mark in (error.problem_mark, error.context_mark)
    )
    typo = typos.find(text, problem, stood, error.context or "", opened)
    place = Place(path, typo.row + 1, typo.column + 1)
    return InputError(f"not YAML: {typo.problem}", place=place, hint=typo.hint)


def _place(path: Path, mark: StreamMark) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


def _too_much(place: Place, *, deep: bool) -> InputError:
    if deep:
        return InputError(
            f"nested deeper than {MAX_DEPTH} levels, or an alias within itself", place=place
        )
    return InputError(
        f"a YAML file holds at most {MAX_VALUES} values, those behind aliases counted",
        place=place,
        hint="long lists of values stand in a file of their own: {file: topics.txt}",
    )


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())[:200]
