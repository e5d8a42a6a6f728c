"""Jinja templates in a sandbox: case variables in, messages out.

`{% system %}…{% endsystem %}`, `{% user %}…` and `{% assistant %}…` make the messages; a
template without them is one user message. What a template may not do (attributes that begin
with an underscore, names that nothing defines, loops without end, text of any length) is
refused with its file and line.
"""

from __future__ import annotations

import json
import re
import secrets
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateNotFound, meta, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.ext import Extension
from jinja2.loaders import BaseLoader
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from builder import limits
from builder.errors import InputError, Place, nearest
from builder.plan.tables import read_text
from builder.records import Message, Role

LIMIT = 5.0
"""Seconds that one rendering may take."""
MAX_TEXT = 2_000_000
"""Characters of the longest rendered prompt."""

_ROLES = ("system", "user", "assistant")
_MARK = secrets.token_hex(16)
"""What fences the message blocks in rendered text: new for each process, so that nothing a
variable holds can forge a turn."""


class _Turns(Extension):
    """The blocks that make messages."""

    tags = set(_ROLES)  # noqa: RUF012  (Jinja's own interface)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        token = next(parser.stream)
        body = parser.parse_statements((f"name:end{token.value}",), drop_needle=True)
        fences = [
            nodes.Output([nodes.TemplateData(_MARK + word)], lineno=token.lineno)
            for word in (f"{token.value}:", "end:")
        ]
        return [fences[0], *body, fences[1]]


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with the attributes that a scenario gave an axis value put first."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        given = getattr(obj, "attributes", None)
        if isinstance(given, dict) and attribute in given:
            return given[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (
            isinstance(left, int | float) and isinstance(right, int | float)
        ):
            raise SecurityError(f"{operator!r} takes numbers, and '**' is not allowed")
        return super().call_binop(context, operator, left, right)


class _Folder(BaseLoader):
    """Templates by name under one folder, links out of it refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_source(
        self, _environment: Any, template: str
    ) -> tuple[str, str, Callable[[], bool] | None]:
        file = self.folder / template
        inside = file.resolve().is_relative_to(self.folder.resolve())
        if not inside or not file.is_file():
            raise TemplateNotFound(template)
        return read_text(file), str(file), None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template, compiled and checked against the names it may use."""

    file: Path
    template: Template
    names: frozenset[str]
    """Every name that it or what it includes looks up."""
    files: tuple[Path, ...]
    """Itself and all that it extends, includes or imports."""
    globals: Mapping[str, Any]
    """Jinja's own names (range, dict, …)."""

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """The messages for these variables. InputError names file and line."""
        try:
            # What Template.render does, less its copying of the variables.
            context = self.template.new_context({**self.globals, **variables}, shared=True)
            text = "".join(self.template.root_render_func(context))
        except limits.TooLong:
            raise InputError(f"rendering took over {LIMIT:g} s", place=self._place(None)) from None
        except (InputError, KeyboardInterrupt):
            raise
        except (MemoryError, RecursionError) as error:
            raise InputError(
                f"rendering ran out: {type(error).__name__}", place=self._place(None)
            ) from None
        except Exception as error:  # noqa: BLE001  (a template raises what its filters raise)
            raise InputError(_reason(error, variables), place=self._place(error)) from None
        return self._messages(text)

    def _messages(self, text: str) -> tuple[Message, ...]:
        if len(text) > MAX_TEXT:
            raise InputError(
                f"a prompt has at most {MAX_TEXT} characters", place=Place(self.file, 1, 1)
            )
        before, *parts = text.split(_MARK)
        if not parts:
            parts, before = [f"user:{text}", "end:"], ""
        turns: list[Message] = []
        stray = before.strip()
        for opening, closing in zip(parts[::2], parts[1::2], strict=True):
            role, _, content = opening.partition(":")
            kind, _, after = closing.partition(":")
            if kind != "end":
                raise InputError(
                    f"a {kind} block stands inside a {role} block",
                    place=_find(self.file, f"{{% {kind}"),
                )
            turns.append(Message(cast(Role, role), content.strip()))
            stray = stray or after.strip()
        if stray:
            raise InputError(
                f"text outside of the message blocks: {stray[:60]!r}",
                place=_find(self.file, stray.split("\n")[0][:20]),
                hint="put it into {% system %}, {% user %} or {% assistant %}, or use none of them",
            )
        self._check_turns(turns)
        return tuple(turns)

    def _check_turns(self, turns: list[Message]) -> None:
        for turn in turns:
            if not turn.content:
                raise InputError(
                    f"the {turn.role} message is empty", place=_find(self.file, f"{{% {turn.role}")
                )
        if turns[-1].role != "user":
            raise InputError(
                f"the last message is the {turns[-1].role}'s; a model answers the user",
                place=_find(self.file, f"{{% {turns[-1].role}"),
            )

    def _place(self, error: BaseException | None) -> Place:
        frames = traceback.extract_tb(error.__traceback__) if error else []
        lines = [
            (frame.filename, frame.lineno) for frame in frames if frame.filename.endswith(".j2")
        ]
        file, line = lines[-1] if lines else (str(self.file), 1)
        return Place(Path(file), line or 1, _column(Path(file), line or 1))


class Prompts:
    """The templates of one project, each compiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = _Environment(
            loader=_Folder(folder),
            extensions=[_Turns, "jinja2.ext.do", "jinja2.ext.loopcontrols"],
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters["tojson"] = _tojson
        self.environment.globals.pop("lipsum", None)

    def load(self, name: str, available: Collection[str], *, place: Place) -> Prompt:
        """The prompt of that name, its names held against `available`. InputError as everywhere."""
        file = self.folder / f"{name}.j2"
        if not file.is_file():
            known = [p.stem for p in sorted(self.folder.glob("*.j2"))]
            raise InputError(
                f"prompt {name!r} not found.{nearest(name, known)}",
                place=place,
                hint=f"looked for prompts/{name}.j2; there are {', '.join(known) or 'none'}",
            )
        trees = self._trees(f"{name}.j2")
        looked_up = self._check(trees, available)
        try:
            template = self.environment.get_template(f"{name}.j2")
        except TemplateSyntaxError as error:
            raise _syntax(error, file) from None
        files = tuple(sorted(self.folder / tree for tree in trees))
        return Prompt(file, template, frozenset(looked_up), files, dict(template.globals))

    def _trees(self, name: str) -> dict[str, nodes.Template]:
        """The template and all that it extends, includes or imports, parsed."""
        trees: dict[str, nodes.Template] = {}
        queue = [(name, Place(self.folder / name))]
        while queue:
            current, place = queue.pop()
            if current in trees:
                continue
            try:
                source, _, _ = _Folder(self.folder).get_source(self.environment, current)
                tree = self.environment.parse(source, current, str(self.folder / current))
            except TemplateNotFound:
                known = [p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.j2")]
                raise InputError(
                    f"template {current!r} not found.{nearest(current, known)}",
                    place=place,
                ) from None
            except TemplateSyntaxError as error:
                raise _syntax(error, self.folder / current) from None
            trees[current] = tree
            for found in meta.find_referenced_templates(tree):
                if found is not None:
                    queue.append((found, _find(self.folder / current, found)))
        return trees

    def _check(self, trees: Mapping[str, nodes.Template], available: Collection[str]) -> set[str]:
        tested: set[str] = set()
        stored: set[str] = set()
        undeclared: dict[str, str] = {}
        for file, tree in trees.items():
            for test in tree.find_all(nodes.Test):
                if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
                    tested.add(test.node.name)
            for name_node in tree.find_all(nodes.Name):
                if name_node.ctx != "load":
                    stored.add(name_node.name)
            stored.update(macro.name for macro in tree.find_all(nodes.Macro))
            stored.update(imported.target for imported in tree.find_all(nodes.Import))
            for name in meta.find_undeclared_variables(tree):
                undeclared.setdefault(name, file)
        known = {*available, *self.environment.globals}
        for name, file in sorted(undeclared.items()):
            elsewhere = name in stored and len(trees) > 1
            if name not in known and name not in tested and not elsewhere:
                raise InputError(
                    f"{name!r} is no name of the scenario.{nearest(name, available)}",
                    place=_find(self.folder / file, name),
                    hint=f"names: {', '.join(sorted(available)) or 'none'}",
                )
        return set(undeclared)


def _syntax(error: TemplateSyntaxError, file: Path) -> InputError:
    at = Path(error.filename) if error.filename else file
    message = error.message or "syntax error"
    wide = re.search(r"'([^\x00-\x7f])'", message)
    hint = f"a full-width {wide[1]!r} stands here" if wide else ""
    return InputError(
        f"not a template: {message}",
        place=Place(at, error.lineno, _column(at, error.lineno)),
        hint=hint,
    )


def _reason(error: Exception, variables: Mapping[str, Any]) -> str:
    if isinstance(error, UndefinedError):
        message = error.message or "undefined"
        name = re.search(r"has no attribute '(\w+)'", message)
        offered = [a for v in variables.values() for a in getattr(v, "attributes", {})]
        return message + (nearest(name[1], offered) if name else "")
    if isinstance(error, SecurityError):
        return f"not allowed in a template: {error}"
    return f"rendering failed: {type(error).__name__}: {error}"


def _find(file: Path, word: str) -> Place:
    """The first place in a file where a word stands by itself."""
    pattern = re.compile(
        rf"(?<!\w){re.escape(word)}(?!\w)" if word[:1].isalpha() else re.escape(word)
    )
    for number, line in enumerate(read_text(file).split("\n"), 1):
        found = pattern.search(line)
        if found:
            return Place(file, number, found.start() + 1)
    return Place(file, 1, 1)


def _column(file: Path, line: int) -> int:
    """The first template sign of a line, where its trouble most likely is."""
    lines = read_text(file).split("\n") if file.is_file() else []
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    found = re.search(r"\{[{%#]", text)
    return found.start() + 1 if found else len(text) - len(text.lstrip()) + 1


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as a model reads it best: Chinese left as it is, no HTML escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent)
