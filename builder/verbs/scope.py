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


def datasets(plan: plans.Plan, names: Sequence[str] = ()) -> list[plans.DatasetPlan]:
    """The datasets with these names, or of these schema classes; all when none is named."""
    known = {dataset.name: dataset for dataset in plan.datasets}
    pairs = [(dataset, scenario) for dataset in plan.datasets for scenario in dataset.scenarios]
    classes = {scenario.scenario.schema.name: dataset for dataset, scenario in pairs}
    homes = {scenario.name: dataset.name for dataset, scenario in pairs}
    chosen = []
    for name in names:
        if name in homes and not known[homes[name]].exported:
            chosen.append(known[homes[name]])  # a level in between, by the name of its scenario
            continue
        if name not in known and name not in classes:
            if name in homes:
                raise InputError(
                    f"{name!r} is a scenario; its rows are in the dataset {homes[name]!r}",
                    hint=f"name that: {homes[name]}",
                )
            raise InputError(
                f"no dataset {name!r}.{nearest(name, [*known, *classes])}",
                hint=f"datasets: {', '.join(known)}",
            )
        chosen.append(known[name] if name in known else classes[name])
    return chosen or [dataset for dataset in known.values() if dataset.exported]
