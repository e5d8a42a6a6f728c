"""The project that `builder init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project import starter
from builder.project.settings import Project


def test_a_starter_project_is_whole_and_its_files_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    written = starter.write(folder)
    assert Project.find(folder).settings.model == "local:smollm2"
    assert written[-1] == folder / "pyproject.toml"
    assert all(path.is_file() for path in written)
    assert {path.relative_to(folder).parts[0] for path in written[:-1]} == set(starter.PARTS)
    assert (folder / ".gitignore").read_text("utf-8") == starter.IGNORED
    assert (folder / "outputs" / ".gitkeep").is_file()


def test_settings_and_ignored_files_that_stand_there_stay(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\n", "utf-8")
    (tmp_path / ".gitignore").write_text("mine\n", "utf-8")
    starter.write(tmp_path)
    text = (tmp_path / "pyproject.toml").read_text("utf-8")
    assert text == f"[project]\nname = 'mine'\n\n{starter.SETTINGS}"
    assert (tmp_path / ".gitignore").read_text("utf-8") == "mine\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pyproject.toml", "[tool.builder]\n", "holds a project already"),
        ("pyproject.toml", "[tool\n", "not TOML"),
        ("scenarios/support_messages.yaml", "", "holds a project already"),
    ],
)
def test_nothing_is_written_over_a_project(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        starter.write(tmp_path)
    assert not (tmp_path / "prompts").exists()
