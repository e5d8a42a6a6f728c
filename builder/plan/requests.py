"""From files to a plan with models in it: which endpoint answers, with which params in full."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from builder.engines import protocol, registry
from builder.errors import InputError, Place
from builder.plan import plans, upstream
from builder.plan.planned import Asked
from builder.plan.planned import asked as asked_model
from builder.plan.upstream import SourceRows
from builder.project import scenarios, settings, typos, words
from builder.project.sources import Source
from builder.records import Message, Request
from builder.sampling import samplers


def plan(
    project: settings.Project,
    wanted: Sequence[str] = (),
    overrides: plans.Overrides | None = None,
    hand: plans.Hand | None = None,
) -> plans.Plan:
    """The plan of the wanted scenarios, of those that share their datasets and of what they are
    made from, whose rows `hand` gives: left out, no row of another scenario is there yet.

    Everything is loaded, checked and rendered; no call is made and no key is needed. Raises
    InputError for whatever is wrong in a file, a setting or a flag.
    """
    changed = overrides or plans.Overrides()
    wanted = [scenarios.name_of(project, name) for name in wanted]
    loaded = scenarios.load_all(project, samplers, wanted)
    for provider in project.settings.providers:
        try:
            registry.check_options(provider, project.provider_settings(provider))
        except InputError as error:
            raise _placed(project, provider, error, None) from None
    ask = {scenario.name: _asked_models(project, scenario, changed) for scenario in loaded}
    return plans.make(project, loaded, ask, hand or _nothing(project), wanted, changed)


def _nothing(project: settings.Project) -> plans.Hand:
    """Hands the rows of tables, and none of scenarios."""

    def hand(source: Source, datasets: Mapping[str, plans.DatasetPlan]) -> SourceRows:
        if source.kind == "table":
            root = project.root.resolve()
            return upstream.of_table(source, lambda file: file.relative_to(root).as_posix())
        return SourceRows(source, settled=False)

    return hand


def endpoint(
    project: settings.Project,
    provider: str,
    *,
    require_key: bool = False,
    concurrency: int | None = None,
    written: str = "",
) -> protocol.Endpoint:
    """Where a provider of this project is; `written` is the model's name where it has another.

    InputError for a provider that is not known.
    """
    return replace(
        registry.endpoint(
            provider,
            project.provider_settings(provider),
            project.environ(),
            require_key=require_key,
            concurrency=concurrency or project.settings.concurrency,
        ),
        folder=project.root,
        written=written,
    )


def host(where: protocol.Endpoint) -> str:
    """Host and port of an endpoint as completions record it; its protocol where it has no address."""
    return urlsplit(where.base_url).netloc if where.base_url else where.protocol


def _asked_models(
    project: settings.Project, scenario: scenarios.Scenario, changed: plans.Overrides
) -> tuple[Asked, ...]:
    if scenario.words.asks_nobody:
        return (asked_model(words.NOBODY, {}, scenario),)
    # Places are looked for where something is wrong: that reads pyproject.toml anew.
    models: list[tuple[str, Callable[[], Place | None]]]
    if changed.model:
        models = [(changed.model, lambda: None)]
    elif scenario.words.model:
        models = [
            (model, partial(scenario.document.place, ("model", number)))
            for number, model in enumerate(scenario.words.model)
        ]
    elif project.settings.model:
        models = [(project.settings.model, partial(project.place, ("model",)))]
    else:
        raise InputError(
            "no model: neither the scenario nor the project names one",
            place=scenario.place,
            hint='write `model: provider:model` here, or model = "…" under [tool.builder]',
        )
    return tuple(_asked_model(project, scenario, model, place) for model, place in models)


def _asked_model(
    project: settings.Project,
    scenario: scenarios.Scenario,
    model: str,
    place: Callable[[], Place | None],
) -> Asked:
    provider, colon, name = model.partition(":")
    if not colon or not provider or not name:
        known = f"provider:model; providers: {', '.join(registry.PRESETS)}"
        raise InputError(
            f"model {model!r}: expected provider:model",
            place=place(),
            hint=f"write {typos.model(model) or known}",
        )
    try:
        where = endpoint(project, provider)
        engine = registry.engine_class(where.protocol)
    except InputError as error:
        raise _placed(project, provider, error, place()) from None
    # The scenario's over the provider's over the project's, what the provider needs beneath.
    written_params = {
        **engine.defaults(where, name),
        **project.settings.params,
        **project.provider_settings(provider).params,
        **scenario.words.params,
    }
    params = {word: value for word, value in written_params.items() if value is not None}
    canonical = engine.canonical_name(name)
    written = "" if canonical == name else name
    asked = asked_model(f"{provider}:{canonical}", params, scenario, written=written)
    probe = Request(model, (Message("user", "…"),), params, asked.schema)
    for problem in engine.problems(where, probe):
        message = problem if repr(model) in problem else f"{model}: {problem}"
        raise InputError(message, place=_spot(project, scenario, provider, problem) or place())
    return asked


def _placed(
    project: settings.Project, provider: str, error: InputError, place: Place | None
) -> InputError:
    """The error at the setting that it begins with, else at `place`."""
    setting = re.match(r"\[tool\.builder\.providers\.[\w-]+\] (\w+)", error.message)
    if setting and not error.place:
        place = project.place(("providers", provider, setting[1]))
    return InputError(error.message, place=error.place or place, hint=error.hint)


def _spot(
    project: settings.Project, scenario: scenarios.Scenario, provider: str, problem: str
) -> Place | None:
    """Where the param or setting stands that an engine's complaint begins with."""
    if (setting := re.match(r"(\w+)\.(\w+):", problem)) is None:
        return None
    kind, word = setting.groups()
    if kind != "params":
        return project.place(("providers", provider, kind, word))
    if word in scenario.words.params:
        return scenario.document.place(("params", word), key=True)
    if word in project.provider_settings(provider).params:
        return project.place(("providers", provider, "params", word))
    return project.place(("params", word)) if word in project.settings.params else None
