"""The options and arguments that several verbs have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import click

F = TypeVar("F", bound=Callable[..., Any])

# As builder.dataset has them, which takes its time to be imported.
Format = Literal["parquet", "jsonl", "csv"]
Shape = Literal["columns", "messages", "prompt-completion", "text-label"]
PATH = click.Path(path_type=Path)


class Number(click.IntRange):
    """A whole number between limits."""

    name = "whole number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N"


class OneOf(click.Choice[str]):
    """One of a few words, which its help lists."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"<{'|'.join(self.choices)}>"


names_argument = click.argument(
    "names", nargs=-1, metavar="[NAME…]", help="Scenarios; all when none is named."
)
format_option = click.option(
    "--format",
    type=OneOf(get_args(Format)),
    help="How data/ is written; the project's when left out.",
)
reference_option = click.option(
    "--reference", type=PATH, metavar="PATH", help="Rows or texts to compare with."
)
semantic_option = click.option(
    "--semantic", is_flag=True, help="Compare texts by sentence vectors (extra `semantic`)."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before an expensive run.")


def trial_options(verb: F) -> F:
    """Adds --rows and --model."""
    rows = click.option(
        "--rows",
        type=Number(1),
        help="A trial of so many rows in all, apart from the dataset itself.",
    )
    model = click.option("--model", metavar="M", help="provider:model, for a trial.")
    return rows(model(verb))


def output_options(verb: F) -> F:
    """Adds --quiet and --debug; what --debug changes happens outside of the verbs."""
    quiet = click.option("--quiet", is_flag=True, help="Say only what went wrong.")
    debug = click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
    return quiet(debug(verb))


def project_options(verb: F) -> F:
    """Adds --project, --quiet and --debug."""
    project = click.option(
        "--project",
        type=PATH,
        default=Path(),
        metavar="DIR",
        help="Folder of the project, or one inside it.",
    )
    return project(output_options(verb))
