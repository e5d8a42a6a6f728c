"""YAML 1.2 as people type it, with the place of every key and value.

The composed node tree is turned into plain Python here rather than by the library, because
the slips worth catching are visible only in the nodes: a key given twice, a number that YAML
would rewrite (4.10 becomes 4.1), a full-width comma that glues two list entries into one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from builder.errors import InputError, Place
from builder.plan.tables import read_text

Path_ = tuple[str | int, ...]
"""Keys and indexes from the root to a value."""

MAX_BYTES = 2**20
MAX_NODES = 200_000
MAX_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_FULL_WIDTH = {
    "，": ",",
    "：": ":",
    "［": "[",
    "］": "]",
    "｛": "{",
    "｝": "}",
    "、": ",",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: plain values, and where each stands."""

    file: Path
    data: Any
    keys: Mapping[Path_, Place]
    values: Mapping[Path_, Place]

    def place(self, path: Path_, *, key: bool = False) -> Place:
        """Where the value at `path` stands (or its key), or the nearest enclosing one that does."""
        for end in range(len(path), -1, -1):
            for table in (self.keys, self.values) if key else (self.values, self.keys):
                if path[:end] in table:
                    return table[path[:end]]
        return Place(self.file)


def read(path: Path) -> Document:
    """The document in a YAML file. InputError: file, line, column, what was expected."""
    text = read_text(path)
    if len(text) > MAX_BYTES:
        raise InputError(f"a YAML file holds at most {MAX_BYTES} characters", place=Place(path))
    loader = YAML(typ="safe", pure=True)
    try:
        root = loader.compose(text)
    except MarkedYAMLError as error:
        raise _syntax(path, text, error) from None
    except RecursionError:
        raise InputError(f"nested deeper than {MAX_DEPTH} levels", place=Place(path)) from None
    except Exception as error:  # noqa: BLE001  (ruamel raises bare ones on bytes it cannot read)
        raise InputError(f"not YAML: {_one_line(error)}", place=Place(path)) from None
    reader = _Reader(path)
    data = None if root is None else reader.value(root, (), in_flow=False)
    return Document(path, data, reader.keys, reader.values)


class _Reader:
    """Turns nodes into values and remembers their places."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[Path_, Place] = {}
        self.values: dict[Path_, Place] = {}
        self.count = 0

    def value(self, node: Node, path: Path_, *, in_flow: bool) -> Any:
        self.count += 1
        place = self.place(node)
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:
            raise InputError("too many or too deeply nested values (aliases count)", place=place)
        self.values[path] = place
        flow = in_flow or bool(getattr(node, "flow_style", False))
        if isinstance(node, MappingNode):
            return self.mapping(node, path, flow)
        if isinstance(node, SequenceNode):
            self.known_tag(node, "seq")
            return [
                self.value(child, (*path, i), in_flow=flow) for i, child in enumerate(node.value)
            ]
        assert isinstance(node, ScalarNode)
        return self.scalar(node, in_flow=in_flow)

    def mapping(self, node: MappingNode, path: Path_, flow: bool) -> dict[Any, Any]:
        self.known_tag(node, "map")
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise InputError("a key must be a plain word", place=self.place(key_node))
            key = self.scalar(key_node, in_flow=flow)
            place = self.place(key_node)
            if key in found:
                first = self.keys[(*path, key)]
                raise InputError(
                    f"key {key!r} stands here again; first at line {first.line}",
                    place=place,
                )
            self.keys[(*path, key)] = place
            found[key] = self.value(value_node, (*path, key), in_flow=flow)
        return found

    def scalar(self, node: ScalarNode, *, in_flow: bool) -> Any:
        text: str = node.value
        tag = str(node.tag).removeprefix(_TAG)
        place = self.place(node)
        plain = node.style is None
        if plain and in_flow:
            self.no_full_width(text, place)
        if tag in ("str", "timestamp") or not plain:
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag in ("int", "float"):
            return self.number(text, tag, place)
        raise InputError(
            f"the tag {tag!r} is not allowed; values are text, numbers, true, false, lists and mappings",
            place=place,
            hint="quote the text if it begins with '!'",
        )

    def number(self, text: str, tag: str, place: Place) -> int | float:
        try:
            number: int | float = int(text) if tag == "int" else float(text)
            shown = str(number)
        except ValueError:
            number, shown = 0, ""
        if shown != text:
            mend = f"write {shown} for the number or " if shown else ""
            raise InputError(
                f"the number {text} would be read as {shown or 'something else'}",
                place=place,
                hint=f'{mend}"{text}" for the text',
            )
        return number

    def no_full_width(self, text: str, place: Place) -> None:
        for wide in "，：":
            if wide in text:
                offset = text.index(wide)
                raise InputError(
                    f"a full-width {wide!r} in a list or mapping joins {text!r} into one value",
                    place=Place(place.file, place.line, place.column + offset),
                    hint=f"write {_FULL_WIDTH[wide] + ' '!r} to separate, or quote the text",
                )

    def known_tag(self, node: Node, kind: str) -> None:
        if str(node.tag) != _TAG + kind:
            raise InputError(f"the tag {node.tag!s} is not allowed", place=self.place(node))

    def place(self, node: Node) -> Place:
        return Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax(path: Path, text: str, error: MarkedYAMLError) -> InputError:
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    row, column = (mark.line, mark.column) if mark else (0, 0)
    hint, row, column = _mend(lines, min(row, len(lines) - 1), column)
    problem = _one_line(error.problem or error.context or error)
    return InputError(f"not YAML: {problem}", place=Place(path, row + 1, column + 1), hint=hint)


def _mend(lines: list[str], row: int, column: int) -> tuple[str, int, int]:
    """A hint for the usual slips, and where the slip stands: on this line or just above it."""
    for at in (row, row - 1):
        line = lines[at] if 0 <= at < len(lines) else ""
        for wide, narrow in _FULL_WIDTH.items():
            if (
                wide in line
                and wide != "、"
                and not re.search(rf"""["'][^"']*{wide}[^"']*["']""", line)
            ):
                return (
                    f"a full-width {wide!r} stands here; YAML wants {narrow!r}",
                    at,
                    line.index(wide),
                )
        if re.match(r"""\s*-\s+(['"]).*\1\s*\S""", line):
            offset = len(line) - len(line.lstrip("- "))
            return (
                "an expression that begins with a quote needs quotes around the whole: "
                """- "'延迟发货' == trigger\"""",
                at,
                offset,
            )
    line = lines[row] if 0 <= row < len(lines) else ""
    if "\t" in line[: column + 1]:
        return "indent with spaces: YAML allows no tab here", row, column
    if ": " in line.strip() and line.count(": ") > 1:
        return "quote a text that holds ': '", row, column
    return "", row, column


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())[:200]
