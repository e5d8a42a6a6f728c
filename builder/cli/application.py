"""The application: its verbs in the order of work, its help without noise, its usage errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from builder.extras import DISTRIBUTION

F = TypeVar("F", bound=Callable[..., Any])

VERBS: Mapping[str, str] = {
    "init": "asking",
    "plan": "asking",
    "run": "asking",
    "show": "reading",
    "draw": "reading",
    "check": "gating",
    "topup": "topping",
    "export": "releasing",
    "publish": "publishing",
    "diff": "publishing",
}
"""The verbs in the order of work, each with the module of this package that holds it."""
EARLY = ("--project", "--quiet", "--debug")
"""Options of every verb that may stand before it."""


class Verb(TyperCommand):
    """One verb; its arguments are shown as their metavar says."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        named = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        return ["[OPTIONS]", *(str(getattr(one, "metavar", one.name)) for one in named)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        lines: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                argument = param.param_type_name == "argument"
                name = str(getattr(param, "metavar", "")) if argument else _option(record[0])
                lines[param.param_type_name].append((name, record[1]))
        for kind, records in lines.items():
            if records:
                with formatter.section(f"{kind.title()}s"):
                    formatter.write_dl(records)


def _option(name: str) -> str:
    """`--rounds N` for what typer calls `--rounds <int range>`."""
    return name.strip(" /").replace("<int range>", "N").replace("<str>", "TEXT")


class Verbs(TyperGroup):
    """All verbs, each with the whole first sentence of what it does."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=list(VERBS).index)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        known = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, (verb.help or "").partition(". ")[0].strip(".") if verb else "")
                 for name, verb in known]
            )  # fmt: skip


class App(typer.Typer):
    """Makes a Verb of each function."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        return super().command(name, cls=Verb, **settings)


app = App(
    cls=Verbs,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    subcommand_metavar="VERB …",
    help="Scenarios crossed with prompt templates become a Hugging Face dataset.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Scenarios crossed with prompt templates become a Hugging Face dataset."""


def ordered(words: list[str]) -> list[str]:
    """The words of a command line, options that stand before the verb put behind it.

    >>> ordered(["--debug", "--project", "D", "plan", "notes"])
    ['plan', '--debug', '--project', 'D', 'notes']
    """
    early: list[str] = []
    rest = list(words)
    while rest and rest[0].partition("=")[0] in EARLY:
        taken = 2 if rest[0] == "--project" else 1
        early, rest = early + rest[:taken], rest[taken:]
    if not rest or rest[0].startswith("-"):
        return rest or ["--help"]
    return [rest[0], *early, *rest[1:]]


def usage(error: Any) -> str:
    """What is wrong with the words of a command line, and the nearest option."""
    where = error.ctx.command_path if error.ctx else "builder"
    near = list(getattr(error, "possibilities", None) or [])
    said = error.message.rstrip(".") if near else error.format_message().rstrip(".")
    said += f". Did you mean {near[0]!r}?" if near else "" if said.endswith("?") else "."
    return f"{where}: {said[0].lower()}{said[1:]}\n  `{where} --help` lists what there is"
