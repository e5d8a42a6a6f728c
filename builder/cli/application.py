"""The application: its verbs in the order of work, its help without noise, its usage errors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from builder.errors import nearest
from builder.extras import DISTRIBUTION
from builder.text import visible

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


class Verb(click.Command):
    """One verb; its help says which arguments it cannot do without."""

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        arguments = [one for one in self.params if isinstance(one, click.Argument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(
                    [(one.make_metavar(ctx), (one.help or "") + "  [required]" * one.required)
                     for one in arguments]
                )  # fmt: skip


class Verbs(click.Group):
    """All verbs, each with the whole first sentence of what it does; a verb is loaded when asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"builder.cli.{VERBS[cmd_name]}")
        verb: Verb = getattr(module, cmd_name)
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = [(name, self.get_command(ctx, name)) for name in VERBS]
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, (verb.help or "").partition(". ")[0].strip(".") if verb else "")
                 for name, verb in known]
            )  # fmt: skip


@click.group(cls=Verbs, subcommand_metavar="VERB …")
@click.version_option(
    package_name=DISTRIBUTION, message="%(package)s %(version)s", help="Print the version."
)
def app() -> None:
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


def usage(error: click.UsageError) -> str:
    """What is wrong with the words of a command line, and the nearest verb or option."""
    where = error.ctx.command_path if error.ctx else "builder"
    if isinstance(error, click.NoSuchCommand):
        said = error.message + nearest(error.command_name, VERBS)
    elif isinstance(error, click.NoSuchOption):
        said = f"no such option: {error.option_name}."
        said += nearest(error.option_name, error.possibilities or [])
    else:
        said = error.format_message().rstrip(".") + "."
    said = visible(said[0].lower() + said[1:])
    return f"{where}: {said}\n  `{where} --help` lists what there is"
