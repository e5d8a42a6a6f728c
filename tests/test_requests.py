"""What is asked of which model: params from everywhere, each complaint at the setting it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.engines.protocol import Endpoint
from builder.errors import InputError
from builder.plan import requests
from builder.plan.plans import Overrides
from builder.project.settings import Project
from builder.project.words import Rows
from tests import projects

SETTINGS = """\
[tool.builder]
model = "fake:any"
params = {temperature = 0.5, top_p = 0.5, max_tokens = 5}

[tool.builder.providers.fake]
params = {top_p = 0.6, max_tokens = 6}
"""


def project(folder: Path, scenario: str = "", settings: str = SETTINGS) -> Project:
    text = f"schema: Letter\nvary: {{tone: [glad, sad]}}\n{scenario}"
    files = {"pyproject.toml": settings, "scenarios/letters.yaml": text}
    return Project.find(projects.write(folder, files))


def test_the_scenarios_params_stand_over_the_providers_over_the_projects(tmp_path: Path) -> None:
    (part,) = requests.plan(project(tmp_path, "params: {max_tokens: 7}")).scenarios()
    (asked,) = part.asked
    assert asked.model == "fake:any"
    chosen = {name: asked.params[name] for name in ("temperature", "top_p", "max_tokens")}
    assert chosen == {"temperature": 0.5, "top_p": 0.6, "max_tokens": 7}


def test_a_param_of_nothing_is_not_sent(tmp_path: Path) -> None:
    (part,) = requests.plan(project(tmp_path, "params: {top_p: null}")).scenarios()
    assert "top_p" not in part.asked[0].params


def test_a_flag_goes_before_the_scenario_and_the_scenario_before_the_project(
    tmp_path: Path,
) -> None:
    opened = project(tmp_path, "model: [fake:a, fake:b]")
    (part,) = requests.plan(opened).scenarios()
    assert [asked.model for asked in part.asked] == ["fake:a", "fake:b"]
    flags = Overrides(model="fake:c", rows=Rows(each=1), tries=9)
    changed = requests.plan(opened, overrides=flags)
    (part,) = changed.scenarios()
    assert [asked.model for asked in part.asked] == ["fake:c"]
    assert (part.tries, part.limit, changed.trial) == (3, 9, True)


def test_plain_text_is_asked_without_a_schema(tmp_path: Path) -> None:
    (part,) = requests.plan(project(tmp_path, "answer: text")).scenarios()
    assert part.asked[0].schema is None
    (part,) = requests.plan(project(tmp_path)).scenarios()
    assert part.asked[0].schema is not None


@pytest.mark.parametrize(
    ("scenario", "settings", "place"),
    [
        ("params: {temperature: hot}", SETTINGS, "scenarios/letters.yaml:3:10"),
        ("", SETTINGS.replace("top_p = 0.6", "top_p = 'x'"), "pyproject.toml:6:11"),
        ("", SETTINGS.replace("temperature = 0.5", "temperature = 'x'"), "pyproject.toml:3:11"),
        ("model: fake", SETTINGS, "scenarios/letters.yaml:3:8"),
        ("model: [fake:a, fkae:b]", SETTINGS, "scenarios/letters.yaml:3:17"),
        ("", SETTINGS.replace("fake:any", "fake:"), "pyproject.toml:2:1"),
        ("", SETTINGS.replace('model = "fake:any"\n', ""), "scenarios/letters.yaml:1:1"),
    ],
)
def test_a_complaint_stands_at_what_it_is_about(
    scenario: str, settings: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        requests.plan(project(tmp_path, scenario, settings))
    assert str(refused.value.place) == place


def test_an_endpoint_knows_its_project_and_how_many_calls_it_takes(tmp_path: Path) -> None:
    opened = project(
        tmp_path, settings=SETTINGS.replace("params = {temp", "concurrency = 7\nparams = {temp")
    )
    where = requests.endpoint(opened, "fake")
    assert (where.folder, where.concurrency) == (tmp_path, 7)
    assert requests.endpoint(opened, "fake", concurrency=2).concurrency == 2
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        requests.endpoint(opened, "openai", require_key=True)


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://localhost:8000/v1", "localhost:8000"), ("https://a.b/v1", "a.b"), (None, "openai")],
)
def test_a_host_is_an_address_or_a_protocol(url: str | None, host: str) -> None:
    assert requests.host(Endpoint("mine", base_url=url)) == host
