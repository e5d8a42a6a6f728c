"""The application: its verbs in the order of work, its help without noise, its usage errors."""

import importlib
from collections.abc import Mapping

import click

from builder import errors, extras, text

# The verbs in the order of work, each with its help; the module of a verb bears its name.
VERBS: Mapping[str, str] = {
    "init": "Write a project to begin with: scenarios, prompts, schemas, settings.",
    "plan": "Show what a run would ask and what it may cost. No call is made.",
    "run": "Ask for every row that is missing, then export the datasets.",
    "show": "Show rows or rejects as readable records.",
    "why": "Show the walk of one row: what it is made from, each try, what hangs on it. No call is made.",
    "draw": "Draw a scenario's numbers without any model, and measure them against their tables.",
    "check": "Measure rows: varied, true to a reference, private? Exit 1 when a gate fails.",
    "topup": "Write and run a scenario for what a reference has and a dataset lacks.",
    "export": "Write the datasets from what the store holds. No call is made.",
    "publish": "Put an exported dataset onto the Hub, in one commit. Private unless told.",
    "diff": "Show what lies between two releases: rows, shares by axis, gates.",
}
EARLY = ("--project", "--quiet", "--debug")  # options of every verb that may stand before it


EXAMPLES: Mapping[str, str] = {
    "init": "builder init my-corpus",
    "plan": "builder plan support_messages --show 3",
    "run": "builder run support_messages --budget 5usd",
    "show": "builder show support_message -n 5",
    "why": "builder why 30623d1f16680bbc",
    "draw": "builder draw meters --plot meters.svg",
    "check": "builder check support_message --reference real.csv",
    "topup": "builder topup support_messages --reference real.csv",
    "export": "builder export support_message --format jsonl",
    "publish": "builder publish support_message --dry-run",
    "diff": "builder diff outputs/support_message owner/name",
}


class Verb(click.Command):
    """A verb, whose help tells which arguments cannot be left out, and ends with an example."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            formatter.write_text(EXAMPLES[str(self.name)])

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = [
            (parameter.make_metavar(ctx), (parameter.help or "") + "  [required]" * parameter.required)
            for parameter in self.params
            if isinstance(parameter, click.Argument)
        ]  # fmt: skip
        if lines:
            with formatter.section("Arguments"):
                formatter.write_dl(lines)


class Verbs(click.Group):
    """All verbs, each with the whole first sentence of what it does; a verb is loaded when asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb: Verb = getattr(importlib.import_module(f"builder.cli.{cmd_name}"), cmd_name)
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, about.partition(". ")[0].strip(".")) for name, about in VERBS.items()]
            )


# A click setting, which the verbs inherit: -h beside --help.
CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group(cls=Verbs, subcommand_metavar="VERB …", context_settings=CONTEXT)
@click.version_option(
    None,
    "-V",
    "--version",
    package_name=extras.DISTRIBUTION,
    message="%(package)s %(version)s",
    help="Print the version.",
)
def app() -> None:
    """Scenarios crossed with prompt templates become a Hugging Face dataset."""


def ordered(words: list[str]) -> list[str]:
    """The words of a command line, options that stand before the verb put behind it.

    >>> ordered(["--debug", "--project", "D", "plan", "notes"])
    ['plan', '--debug', '--project', 'D', 'notes']
    >>> ordered(["help", "plan"]), ordered(["help"])
    (['plan', '--help'], ['--help'])
    """
    early: list[str] = []
    words = list(words)
    while words and words[0].partition("=")[0] in EARLY:
        taken = 2 if words[0] == "--project" else 1
        early, words = early + words[:taken], words[taken:]
    if words[:1] == ["help"]:
        return [*words[1:2], "--help"]
    if not words or words[0].startswith("-"):
        return words or ["--help"]
    return [words[0], *early, *words[1:]]


def usage(error: click.UsageError) -> str:
    """What is wrong with the words of a command line, and the nearest verb or option."""
    where = error.ctx.command_path if error.ctx else "builder"
    if isinstance(error, click.NoSuchCommand):
        message = error.message + errors.nearest(error.command_name, VERBS)
    elif isinstance(error, click.NoSuchOption):
        message = f"no such option: {error.option_name}."
        message += errors.nearest(error.option_name, error.possibilities or [])
    else:
        message = error.format_message().rstrip(".") + "."
    message = text.visible(message[0].lower() + message[1:])
    return f"{where}: {message}\n  `{where} --help` lists what there is"
