"""The project that `builder init` writes: the scenarios, prompts and schemas of this repository."""

import shutil
import tomllib
from pathlib import Path

from builder import io
from builder.errors import InputError, Place

PARTS = ("scenarios", "prompts", "schemas")
SETTINGS = """\
[tool.builder]
model = "local:smollm2"   # provider:model, e.g. openai:gpt-5-mini, anthropic:claude-sonnet-5
"""
IGNORED = "outputs/*\n!outputs/.gitkeep\n.env\n"


def write(folder: Path) -> list[Path]:
    """Writes the project into `folder`, made where it is missing; the paths written.

    A pyproject.toml that stands there gets [tool.builder] added. Raises InputError, nothing
    written, where a file of the project stands there already.
    """
    # The project's files: beside the package in a checkout, inside it in a wheel.
    inside = Path(__file__).parent.parent / "project_files"
    source = inside if inside.is_dir() else inside.parent.parent
    files = {
        path.relative_to(source): path
        for part in PARTS
        for path in sorted((source / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    settings = folder / "pyproject.toml"
    old = settings.read_text("utf-8") if settings.is_file() else ""
    taken = [folder / name for name in files if (folder / name).exists()]
    if taken or "builder" in _tool(settings, old):
        raise InputError(
            f"{folder} holds a project already: {taken[0] if taken else settings}",
            hint="name a folder without one",
        )
    written = []
    with io.writing(folder):
        for name, path in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            written.append(target)
        io.write(settings, f"{old}\n{SETTINGS}" if old else SETTINGS)
        (folder / "outputs").mkdir(exist_ok=True)
        (folder / "outputs" / ".gitkeep").touch()
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text(IGNORED, "utf-8")
    return [*written, settings]


def _tool(path: Path, text: str) -> dict[str, object]:
    try:
        return dict(tomllib.loads(text).get("tool", {}))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", place=Place(path)) from None
