"""Settings: the project found, each setting read and placed, `.env` beneath the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project.settings import NAME, Budget, DatasetSettings, Project, Provider


def project(folder: Path, text: str) -> Project:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return Project.find(folder)


def test_the_project_is_the_nearest_folder_upwards_with_settings(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\n", "utf-8")
    found = project(tmp_path, "[tool.builder]\nconcurrency = 3\n")
    assert Project.find(inner) == found
    assert (found.root, found.settings.concurrency) == (tmp_path, 3)
    assert found.store == tmp_path / "outputs" / "store.sqlite"
    folders = (found.scenarios, found.prompts, found.schemas)
    assert folders == tuple(tmp_path / name for name in ("scenarios", "prompts", "schemas"))


@pytest.mark.parametrize(
    ("text", "usd", "tokens"), [("5usd", 5.0, None), ("0.5 usd", 0.5, None), ("200tok", None, 200)]
)
def test_a_budget_is_money_or_tokens(text: str, usd: float | None, tokens: int | None) -> None:
    assert Budget.parse(text) == Budget(usd, tokens)


@pytest.mark.parametrize("text", ["5", "5eur", "-1usd", "usd", "5usd more", ".5usd"])
def test_another_amount_is_no_budget(text: str) -> None:
    with pytest.raises(InputError, match="expected an amount"):
        Budget.parse(text)


@pytest.mark.parametrize(
    ("name", "right"),
    [("a-b_c", True), ("中文", True), ("x" * 64, True), ("x" * 65, False), ("-a", False), ("", False),
     ("a.b", False), ("a b", False)],
)  # fmt: skip
def test_a_name_may_become_a_path(name: str, right: bool) -> None:
    assert bool(NAME.match(name)) is right


def test_settings_that_nobody_wrote_are_the_defaults(tmp_path: Path) -> None:
    found = project(tmp_path, "[tool.builder.datasets.letter]\ntitle = 'Letters'\n")
    assert found.dataset_settings("letter").title == "Letters"
    assert found.dataset_settings("other") == DatasetSettings()
    assert found.provider_settings("mine") == Provider.model_validate({})
    assert found.settings.concurrency == 64
    assert found.dataset_settings("other").splits == {"train": 1.0}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("model",), "3:1"),
        (("params",), "4:1"),
        (("params", "temperature"), "4:11"),
        (("providers", "lab"), "6:1"),
        (("providers", "lab", "base_url"), "7:3"),
        (("providers", "lab", "gone"), "6:1"),
        (("datasets", "letter", "expect", "drift", "ks"), "10:21"),
        (("datasets",), "9:1"),
        (("gone",), "2:1"),
    ],
)
def test_a_setting_stands_at_its_line_and_column(
    path: tuple[str, ...], place: str, tmp_path: Path
) -> None:
    found = project(
        tmp_path,
        "\n[tool.builder]\nmodel = 'fake:any'\nparams = {temperature = 1.0}\n\n"
        "[tool.builder.providers.lab]\n  base_url = 'http://localhost:1/v1'\n\n"
        "[tool.builder.datasets.letter]\nexpect = {drift = { ks = 0.1 }}\n",
    ).place(path)
    assert f"{found.line}:{found.column}" == place


def test_variables_of_the_project_stand_beneath_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKEN", "outside")
    (tmp_path / ".env").write_text(
        "# a comment\nPLAIN=a b \nexport QUOTED=\"c 'd'\"\nSINGLE='e'\nODD='f\"\nEMPTY=\nTAKEN=inside\n"
        'ONE="\n',
        "utf-8",
    )
    environ = project(tmp_path, "[tool.builder]\n").environ()
    names = ("PLAIN", "QUOTED", "SINGLE", "ODD", "EMPTY", "TAKEN", "ONE")
    assert [environ[name] for name in names] == ["a b", "c 'd'", "e", "'f\"", "", "outside", '"']


def test_a_project_without_variables_has_those_of_the_environment(tmp_path: Path) -> None:
    assert "PATH" in project(tmp_path, "[tool.builder]\n").environ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.builder.datasets.'a b']\n", "'a b' is no name"),
        ("[tool.builder.datasets.a.splits]\ntrain = 0.5\n", "the splits add up to 0.5"),
        ("[tool.builder.datasets.a.splits]\ntrain = 0.5\n'te st' = 0.5\n", "no name for a split"),
        ("[tool.builder.providers.a]\nmy_token = 'x'\n", "a key does not belong into a file"),
        ("[tool.builder.providers.a]\ntimeout = 'x'\n", "expected a number, found 'x'"),
        ("[tool.builder.datasets.a]\nshape = {ass = 'messages'}\n", "Did you mean 'as'?"),
        ("[tool.builder]\na = 1\nb = 2\n", "unknown setting 'a'"),
    ],
)
def test_a_wrong_setting_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        project(tmp_path, text)
    assert message in str(refused.value)


def test_a_provider_may_have_options_of_its_own(tmp_path: Path) -> None:
    text = "[tool.builder.providers.a]\ntokenizer = 'x'\n"
    assert project(tmp_path, text).provider_settings("a").model_extra == {"tokenizer": "x"}


def test_shares_of_splits_may_miss_one_by_rounding(tmp_path: Path) -> None:
    text = "[tool.builder.datasets.a]\nsplits = {a = 0.1, b = 0.2, c = 0.7}\n"
    assert list(project(tmp_path, text).dataset_settings("a").splits) == ["a", "b", "c"]


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"# \xc4\xe3\n")
    with pytest.raises(InputError, match="not UTF-8"):
        Project.find(tmp_path)


def test_a_folder_that_is_not_there_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        Project.find(tmp_path / "gone")
