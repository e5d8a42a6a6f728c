"""plan: what a run would ask and what it may cost."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from builder.cli import application, options, plan_table, stderr, view

GRAPHS = ("text", "mermaid")


@click.command(cls=application.Verb, help=application.VERBS["plan"])
@options.names_argument
@click.option(
    "--show",
    type=options.Number(0),
    default=0,
    show_default=True,
    metavar="K",
    help="Print so many rendered requests of each scenario.",
)
@click.option(
    "--graph",
    is_flag=False,
    flag_value=GRAPHS[0],
    metavar="[mermaid]",
    help="Print what is made from what, as text or as Mermaid.",
)
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
@options.trial_options
@options.project_options
def plan(
    names: Sequence[str],
    show: int,
    graph: str | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prints the plan as a table, or as JSON."""
    from builder.verbs import plan as verb  # its help is shown without it

    if graph not in (None, *GRAPHS):  # `plan --graph NAME`: the name of a scenario
        names, graph = (str(graph), *names), GRAPHS[0]
    result = verb.make(project, names, rows=rows, model=model)
    stderr.report(f"loaded schemas/{', schemas/'.join(result.modules)}", quiet=quiet or as_json)
    if as_json:
        document = {
            "scenarios": list(result.records()),
            "unplanned": result.unplanned,
            "drift": result.drift(),
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if graph:
        print(result.graph(mermaid=graph == "mermaid"))
        return
    print(plan_table.of_plan(result, result.drift(), stderr.terminal_columns(80)))
    for planned in result.requests(show):
        print("\n" + view.request(planned))
