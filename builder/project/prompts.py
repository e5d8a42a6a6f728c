"""Jinja templates in a sandbox: case variables in, messages out.

`{% system %}…{% endsystem %}`, `{% user %}…` and `{% assistant %}…` make the messages; a
template without them is one user message. What a template may not do (attributes that begin
with an underscore, names that nothing defines, loops without end, text of any length) is
refused with its file and line.
"""

import re
import secrets
import traceback
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from jinja2 import BaseLoader, Template, TemplateNotFound, TemplateSyntaxError, meta, nodes
from jinja2 import Environment as AnyEnvironment
from jinja2.ext import Extension
from jinja2.parser import Parser

from builder import limits
from builder.errors import InputError, Place, nearest
from builder.project import sandbox, template_errors
from builder.records import Message, Role
from builder.table.reader import read_text

LIMIT = 5.0  # Seconds that one rendering may take.

_ROLES = ("system", "user", "assistant")
# What fences the message blocks in rendered text: new for each process, so that nothing a
# variable holds can forge a turn.
_MARK = secrets.token_hex(16)
_REMNANTS = tuple(_MARK[i : i + 8] for i in range(0, 32, 8))


class _Turns(Extension):
    tags = set(_ROLES)  # noqa: RUF012  (Jinja's own interface)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        token = next(parser.stream)
        body = parser.parse_statements((f"name:end{token.value}",), drop_needle=True)
        fences = [
            nodes.Output([nodes.TemplateData(_MARK + word)], lineno=token.lineno)
            for word in (f"{token.value}:", "end:")
        ]
        return [fences[0], *body, fences[1]]


class _Folder(BaseLoader):
    """Templates by name under one folder, each parsed once; links out of it are refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trees: dict[str, nodes.Template] = {}

    def tree(self, environment: AnyEnvironment, name: str) -> nodes.Template:
        """The template, parsed.

        Raises TemplateNotFound, TemplateSyntaxError, or InputError for a typo.
        """
        if name not in self._trees:
            file = self.folder / name
            if not file.resolve().is_relative_to(self.folder.resolve()) or not file.is_file():
                raise TemplateNotFound(name)
            source = read_text(file)
            template_errors.no_full_width(file, source)
            self._trees[name] = environment.parse(source, name, str(file))
        return self._trees[name]

    def load(
        self,
        environment: AnyEnvironment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  (Jinja's own interface)
    ) -> Template:
        code = environment.compile(self.tree(environment, name), name, str(self.folder / name))
        return Template.from_code(environment, code, globals or {})


class Prompt(NamedTuple):
    """A template, compiled and checked against the names it may use."""

    file: Path
    template: Template
    names: frozenset[str]  # every name that it or what it includes looks up
    files: tuple[Path, ...]  # itself and all that it extends, includes or imports
    globals: Mapping[str, Any]  # Jinja's own names (range, dict, …)
    trees: Mapping[Path, nodes.Template]  # the files' syntax trees

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """The messages for these variables. InputError names file and line."""
        try:
            # What Template.render does, less its copying of the variables.
            context = self.template.new_context({**self.globals, **variables}, shared=True)
            text = sandbox.Environment.concat(self.template.root_render_func(context))
            text.encode()
        except limits.TooLongError:
            raise self._error(f"rendering took over {LIMIT:g} s") from None
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  (a template raises what its filters raise)
            raise self._error(template_errors.reason(error)) from None
        return self._messages(text)

    def attributes(self, name: str, *, each: bool = False) -> Iterator[tuple[str, Place]]:
        """The attributes of a name, or of `each` that a loop over it takes, that it looks up, each
        with its place; none where it gives the name to something else somewhere."""
        for file, tree in self.trees.items():
            scopes: list[tuple[nodes.Node, str]] = [(tree, name)]
            if each:
                loops = [loop for loop in tree.find_all(nodes.For) if _is_name(loop.iter, name)]
                scopes = [(p, p.target.name) for p in loops if isinstance(p.target, nodes.Name)]
            elif any(node.ctx != "load" for node in tree.find_all(nodes.Name) if node.name == name):
                return
            methods = [call.node for call in tree.find_all(nodes.Call)]
            for scope, word in scopes:
                for node in scope.find_all((nodes.Getattr, nodes.Getitem)):
                    if node not in methods and (attribute := _attribute(node, word)):
                        yield attribute, template_errors.find(file, attribute, node.lineno)

    def _error(self, message: str) -> InputError:
        """The error at the line of the template that raised the one that is being handled."""
        lines = [(str(self.file), 1)]
        try:
            # Jinja's own: within an except block, frames of compiled code become the template's.
            self.template.environment.handle_exception()
        except BaseException as rewritten:  # noqa: BLE001  (the same error, its traceback rewritten)
            frames = traceback.extract_tb(rewritten.__traceback__)
            lines += [(f.filename, f.lineno or 1) for f in frames if f.filename.endswith(".j2")]
        file, line = Path(lines[-1][0]), lines[-1][1]
        if word := re.search(r"has no attribute '(\w+)'", message):
            return InputError(message, place=template_errors.find(file, word[1], line))
        return InputError(message, place=template_errors.sign(file, line))

    def _messages(self, text: str) -> tuple[Message, ...]:
        before, *parts = text.split(_MARK)
        if not parts:
            turn = Message("user", text.strip())
            self._check_turn(turn)
            return (turn,)
        if len(parts) % 2:
            raise InputError(
                "a message block is left before its end",
                place=self._block(parts[-1].partition(":")[0]),
                hint="break and continue stand outside of it",
            )
        turns: list[Message] = []
        stray = before.strip()
        for opening, closing in zip(parts[::2], parts[1::2], strict=True):
            role, _, content = opening.partition(":")
            kind, _, after = closing.partition(":")
            if kind != "end":
                raise InputError(
                    f"a {kind} block stands inside a {role} block", place=self._block(kind)
                )
            turns.append(Message(cast(Role, role), content.strip()))
            stray = stray or after.strip()
        if stray:
            raise InputError(
                f"text outside of the message blocks: {stray[:60]!r}",
                # A text that a variable holds stands in none of the files.
                place=self._places(re.escape(stray.split("\n")[0][:20]))[0],
                hint="put it into {% system %}, {% user %} or {% assistant %}, or use none of them",
            )
        for turn in turns:
            self._check_turn(turn)
        if turns[-1].role != "user":
            raise InputError(
                f"the last message is the {turns[-1].role}'s; a model answers the user",
                place=self._block(turns[-1].role, last=True),
            )
        return tuple(turns)

    def _check_turn(self, turn: Message) -> None:
        if not turn.content:
            raise InputError(f"the {turn.role} message is empty", place=self._block(turn.role))
        low = turn.content.lower()
        if _REMNANTS[0] in low or _REMNANTS[1] in low or _REMNANTS[2] in low or _REMNANTS[3] in low:
            raise InputError(
                "a filter works on whole message blocks",
                place=self._block(turn.role),
                hint="use the filter inside of the block",
            )

    def _block(self, role: str, *, last: bool = False) -> Place:
        return self._places(rf"\{{%[-+]?\s*{role}\b")[-1 if last else 0]

    def _places(self, pattern: str) -> list[Place]:
        """Where a pattern matches in the files; the beginning of the first where it does nowhere."""
        return [
            Place(file, number, match.start() + 1)
            for file in (self.file, *self.files)
            for number, line in enumerate(read_text(file).split("\n"), 1)
            for match in re.finditer(pattern, line)
        ] or [Place(self.file, 1, 1)]


class Prompts:
    """The templates of one project, each compiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loader = _Folder(folder)
        self.environment = sandbox.Environment(
            loader=self.loader,
            extensions=[_Turns, "jinja2.ext.do", "jinja2.ext.loopcontrols"],
            undefined=sandbox.Missing,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def none(self) -> Prompt:
        """The prompt of a scenario that asks nobody: of no file, and without a word."""
        template = self.environment.from_string("none")
        return Prompt(self.folder, template, frozenset(), (), {}, {})

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
        looked_up = frozenset(self._check(trees, available))
        try:
            template = self.environment.get_template(f"{name}.j2")
        except TemplateSyntaxError as error:
            raise template_errors.syntax(error, file) from None
        by_file = {self.folder / name: trees[name] for name in sorted(trees)}
        return Prompt(file, template, looked_up, tuple(by_file), dict(template.globals), by_file)

    def _trees(self, name: str) -> dict[str, nodes.Template]:
        trees: dict[str, nodes.Template] = {}
        queue = [(name, Place(self.folder / name))]
        while queue:
            current, place = queue.pop()
            if current in trees:
                continue
            try:
                tree = self.loader.tree(self.environment, current)
            except TemplateNotFound:
                known = [p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.j2")]
                raise InputError(
                    f"template {current!r} not found.{nearest(current, known)}",
                    place=place,
                ) from None
            except TemplateSyntaxError as error:
                raise template_errors.syntax(error, self.folder / current) from None
            trees[current] = tree
            for node in tree.find_all(
                (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
            ):
                optional = isinstance(node, nodes.Include) and node.ignore_missing
                for included in meta.find_referenced_templates(nodes.Template([node])):
                    if included is not None and not optional:
                        place = template_errors.find(self.folder / current, included, node.lineno)
                        queue.append((included, place))
        return trees

    def _check(self, trees: Mapping[str, nodes.Template], available: Collection[str]) -> set[str]:
        tested: set[str] = set()
        stored: set[str] = set()
        looked_up: dict[str, tuple[Path, int]] = {}
        for name, tree in trees.items():
            file = self.folder / name
            self._check_known(file, tree)
            _check_messages_apart(file, tree, trees)
            tested |= {
                test.node.name
                for test in tree.find_all(nodes.Test)
                if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name)
            }
            looked = list(tree.find_all(nodes.Name))
            stored |= {node.name for node in looked if node.ctx != "load"}
            stored |= {macro.name for macro in tree.find_all(nodes.Macro)}
            stored |= {module.target for module in tree.find_all(nodes.Import)}
            for word in _undeclared(tree, file):
                line = min((n.lineno for n in looked if n.name == word), default=1)
                looked_up.setdefault(word, (file, line))
        known = {*available, *self.environment.globals, *tested}
        for word, (file, line) in sorted(looked_up.items()):
            if word not in known and (word not in stored or len(trees) == 1):
                raise InputError(
                    f"{word!r} is no name of the scenario.{nearest(word, available)}",
                    place=template_errors.find(file, word, line),
                    hint=f"names: {', '.join(sorted(available)) or 'none'}",
                )
        return set(looked_up)

    def _check_known(self, file: Path, tree: nodes.Template) -> None:
        filters, tests = self.environment.filters, self.environment.tests
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            called, known = (
                ("filter", filters) if isinstance(node, nodes.Filter) else ("test", tests)
            )
            if node.name not in known:
                raise InputError(
                    f"there is no {called} {node.name!r}.{nearest(node.name, known)}",
                    place=template_errors.find(file, node.name, node.lineno),
                )


def _check_messages_apart(
    file: Path, tree: nodes.Template, trees: Mapping[str, nodes.Template]
) -> None:
    """Passes where message blocks stand where their text goes straight into the prompt."""
    for node in tree.find_all((nodes.FilterBlock, nodes.AssignBlock, nodes.Macro, nodes.CallBlock)):
        included = (include.template for include in node.find_all(nodes.Include))
        names = [name.value for name in included if isinstance(name, nodes.Const)]
        inside = [node, *(trees[name] for name in names if name in trees)]
        if any(_MARK in data.data for n in inside for data in n.find_all(nodes.TemplateData)):
            raise InputError(
                "a message block stands inside of a filter, set, macro or call block",
                place=template_errors.sign(file, node.lineno),
                hint="put the message around it",
            )


def _is_name(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _attribute(node: nodes.Expr, name: str) -> str:
    """The attribute of a name that name.word or name["word"] looks up; empty for anything else."""
    match node:
        case nodes.Getattr(node=looked, attr=word) if _is_name(looked, name):
            return str(word)
        case nodes.Getitem(node=looked, arg=nodes.Const(value=str() as word)) if _is_name(
            looked, name
        ):
            return word
    return ""


def _undeclared(tree: nodes.Template, file: Path) -> list[str]:
    try:
        return sorted(meta.find_undeclared_variables(tree))
    except TemplateSyntaxError as error:  # what only its compiler sees: a block of two places, say
        error.filename = None
        raise template_errors.syntax(error, file) from None
