"""Where a template prints a value as it is, so that one that is missing becomes the word None.

What stands under a test of the same value, behind `or` or `default(…, true)`, or in a filter that
makes something else of it, prints no None. All is read off the syntax tree; nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jinja2 import nodes

from builder.errors import Place
from builder.project import template_errors

# Filters that leave None the word None, in whatever letters.
LEAVING = frozenset((
    "capitalize", "center", "e", "escape", "indent", "lower", "replace", "safe", "string", "title",
    "trim", "truncate", "upper", "wordwrap",
))  # fmt: skip
Names = frozenset[str]


def places(file: Path, trees: Mapping[Path, nodes.Template]) -> dict[str, Place]:
    """The first place of each value that a template prints, `name` or `name.attribute`."""
    assigned = {
        name.name
        for tree in trees.values()
        for assign in (*tree.find_all(nodes.Assign), *tree.find_all(nodes.AssignBlock))
        for name in assign.find_all(nodes.Name)
        if name.ctx == "store"
    }
    printed = Walk(file, trees, guarded=frozenset(assigned)).inside(trees[file])
    return dict(reversed(list(printed)))


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over the tree of one file of a prompt."""

    file: Path
    trees: Mapping[Path, nodes.Template]
    # Variables of loops around a node, each with what it runs over.
    loops: Mapping[str, str] = field(default_factory=dict)
    # Values that are tested around a node, blocks that a child template has replaced, files that
    # are walked already.
    guarded: Names = frozenset()

    def places(self, node: nodes.Node) -> Iterator[tuple[str, Place]]:
        """Each value that is printed within a node, as `name` or `name.attribute`, and where."""
        match node:
            case nodes.Output():
                for part in node.nodes:
                    for name, lineno in self.printed(part):
                        word = name.rpartition(".")[2]
                        yield name, template_errors.find(self.file, word, lineno)
            case nodes.If():
                tests = [branch.test for branch in (node, *node.elif_)]
                yield from self.inside(node, self.mentioned(tests))
            case nodes.For():
                yield from self.loop(node)
            case nodes.Include() | nodes.Extends():
                if isinstance(node.template, nodes.Const):
                    yield from self.other(str(node.template.value))
            case nodes.Block() if f"block {node.name}" in self.guarded:
                return
            case nodes.Macro() | nodes.CallBlock() | nodes.AssignBlock() | nodes.FilterBlock():
                return  # What is printed there may be made something else of.
            case _:
                yield from self.inside(node)

    def inside(self, node: nodes.Node, guarded: Names = frozenset()) -> Iterator[tuple[str, Place]]:
        """The places within the parts of a node, in which more is guarded."""
        scope = replace(self, guarded=self.guarded | guarded)
        for part in node.iter_child_nodes():
            yield from scope.places(part)

    def loop(self, node: nodes.For) -> Iterator[tuple[str, Place]]:
        """The places within a loop, whose variable stands for each part of what it runs over."""
        targets = [node.target, *node.target.find_all(nodes.Name)]
        loops = {target.name: "" for target in targets if isinstance(target, nodes.Name)}
        source = node.iter.node if isinstance(node.iter, nodes.Filter) else node.iter
        if isinstance(node.target, nodes.Name) and isinstance(source, nodes.Name):
            loops[node.target.name] = source.name
        scope = replace(self, loops={**self.loops, **loops})
        yield from scope.inside(node, scope.mentioned([node.test] if node.test else []))

    def other(self, name: str) -> Iterator[tuple[str, Place]]:
        """The places of a template that this one includes or extends."""
        file = next((file for file in self.trees if file.as_posix().endswith(f"/{name}")), None)
        if file is not None and f"file {name}" not in self.guarded:
            blocks = {f"block {b.name}" for b in self.trees[self.file].find_all(nodes.Block)}
            scope = replace(self, file=file)
            yield from scope.inside(self.trees[file], frozenset((f"file {name}", *blocks)))

    def printed(self, node: nodes.Node) -> Iterator[tuple[str, int]]:
        """The values that an expression prints as they are, with their lines."""
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                name = self.named(node)
                if name and name not in self.guarded:
                    yield name, node.lineno
            case nodes.Concat():
                for part in node.nodes:
                    yield from self.printed(part)
            case nodes.Filter() if node.node is not None and (
                node.name in LEAVING or (node.name in ("default", "d") and not _of_falsy(node))
            ):
                yield from self.printed(node.node)
            case nodes.CondExpr():
                scope = replace(self, guarded=self.guarded | self.mentioned([node.test]))
                for branch in (node.expr1, node.expr2):
                    if branch is not None:
                        yield from scope.printed(branch)
            case _:
                return

    def named(self, node: nodes.Node) -> str:
        """The value that a node looks up, as `name` or `name.attribute`; empty for any other."""
        match node:
            case nodes.Name():
                return "" if node.name in self.loops else node.name
            case nodes.Getattr(node=nodes.Name(name=name), attr=attribute):
                return f"{self.loops.get(name, name)}.{attribute}"
            case nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str(attribute))):
                return f"{self.loops.get(name, name)}.{attribute}"
        return ""

    def mentioned(self, tests: Iterable[nodes.Node]) -> Names:
        """The values that stand in some tests."""
        looked_up = (nodes.Name, nodes.Getattr, nodes.Getitem)
        return frozenset(
            self.named(node)
            for test in tests
            for node in (test, *test.find_all(looked_up))
            if isinstance(node, looked_up)
        )


def _of_falsy(node: nodes.Filter) -> bool:
    """Whether `default` also stands in for None: `default('unknown', true)`."""
    return len(node.args) > 1 or any(pair.key == "boolean" for pair in node.kwargs)
