"""What a verb is about: the plan of the scenarios that it names, and the datasets among them."""

from collections.abc import Sequence
from pathlib import Path

from builder.errors import InputError, nearest
from builder.plan import plans
from builder.project import settings, words
from builder.results import levels


def plan_of(
    folder: str | Path,
    scenarios: Sequence[str] = (),
    *,
    rows: int | None = None,
    model: str | None = None,
    tries: int | None = None,
) -> plans.Plan:
    """The plan of these scenarios, of all when none is named, by the files as they are now.

    Raises InputError where `folder` is in no project, and for whatever is wrong in its files.
    """
    changed = overrides(rows=rows, model=model, tries=tries)
    return levels.plan(settings.Project.find(folder), scenarios, changed)[0]


def overrides(
    *, rows: int | None = None, model: str | None = None, tries: int | None = None
) -> plans.Overrides:
    """What the flags of a verb say in place of the files."""
    return plans.Overrides(words.Rows(total=rows) if rows else None, model, tries)


def datasets(
    plan: plans.Plan, names: Sequence[str] = (), *, between: bool = False
) -> list[plans.DatasetPlan]:
    """The datasets with these names, or of these schema classes; all when none is named.

    `between` lets a level in between that nobody exports be named, too, by its scenario.
    """
    pairs = [(dataset, part) for dataset in plan.datasets for part in dataset.scenarios]
    homes = {part.name: dataset for dataset, part in pairs}
    levels = {name: home for name, home in homes.items() if not home.exported}
    known = {dataset.name: dataset for dataset in plan.datasets if dataset.exported}
    classes = {
        part.scenario.schema.name: dataset for dataset, part in pairs if between or dataset.exported
    }
    every = {**classes, **known, **(levels if between else {})}
    for name in names:
        if name in every:
            continue
        if name in levels:
            raise InputError(
                f"{name!r} is a level in between, which is not exported: `dataset: none`",
                hint=f"builder show {name}   prints its rows",
            )
        if name in homes:
            raise InputError(
                f"{name!r} is a scenario; its rows are in the dataset {homes[name].name!r}",
                hint=f"name that: {homes[name].name}",
            )
        raise InputError(
            f"no dataset {name!r}.{nearest(name, every)}", hint=f"datasets: {', '.join(known)}"
        )
    return [every[name] for name in names] or [*known.values()]
