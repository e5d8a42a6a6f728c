"""How a broken input is written down: a few files over the base project, and what is said of them.

`▸` marks the place that the message must name; it is taken out before a file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MARK = "▸"
SETTINGS = '[tool.builder]\nmodel = "fake:any"\n'
NOTE = """\
from pydantic import BaseModel


class Note(BaseModel):
    text: str
    score: int
    tags: list[str]
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken input: its files, the place that it marks, and what is said of it."""

    name: str
    files: Mapping[str, str | bytes]
    said: str
    """What the message must hold, in its own words."""
    model: bool = True
    """False where the fault lies in the model, so that no flag may replace it."""
    at: str = ""
    """The place, where no mark can stand."""

    def written(self) -> dict[str, str | bytes]:
        """The files without the mark."""
        return {
            name: content.replace(MARK, "") if isinstance(content, str) else content
            for name, content in self.files.items()
        }

    def place(self) -> str:
        """`file:line:column` of the mark."""
        if self.at:
            return self.at
        for name, content in self.files.items():
            if isinstance(content, str) and MARK in content:
                line = content[: content.index(MARK)].count("\n")
                column = content.split("\n")[line].index(MARK)
                return f"{name}:{line + 1}:{column + 1}"
        raise ValueError(f"{self.name}: no mark")


def scenario(name: str, text: str, said: str, *, model: bool = True, **more: str) -> Broken:
    """A fault in the base project's scenario, whose class is named unless `text` names one."""
    whole = text if "schema" in text.replace(MARK, "") else f"schema: Letter\n{text}"
    return Broken(name, {"scenarios/letters.yaml": whole, **named(more)}, said, model)


def chain(
    name: str,
    text: str,
    said: str,
    *,
    model: bool = True,
    at: str = "",
    settings: str = "",
    **more: str,
) -> Broken:
    """A fault in the base project's scenario beside a scenario `notes` and a table `real`."""
    files = {
        "scenarios/letters.yaml": f"schema: Letter\n{text}",
        "scenarios/notes.yaml": "schema: Note\nvary:\n  kind: [a, b]\n",
        "scenarios/tables/real.csv": "id,text,label\n1,one,a\n2,two,b\n",
        "prompts/notes.j2": "A note of kind {{ kind }}.\n",
        "schemas/notes.py": NOTE,
        **named(more),
    }
    if settings:
        files["pyproject.toml"] = SETTINGS + settings
    return Broken(name, files, said, model, at)


def prompt(name: str, text: str, said: str, **more: str) -> Broken:
    """A fault in the base project's template."""
    return Broken(name, {"prompts/letters.j2": text, **named(more)}, said)


def schema(name: str, text: str, said: str, **more: str) -> Broken:
    """A fault in the base project's schema."""
    return Broken(name, {"schemas/letters.py": text, **named(more)}, said)


def settings(name: str, text: str, said: str, *, model: bool = True) -> Broken:
    """A fault in the base project's settings."""
    return Broken(name, {"pyproject.toml": text}, said, model)


def named(more: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments as paths: `table_a` is scenarios/tables/a.csv."""
    folders = {
        "table": "scenarios/tables/{}.csv",
        "lines": "scenarios/tables/{}.jsonl",
        "prompt": "prompts/{}.j2",
        "scenario": "scenarios/{}.yaml",
        "schema": "schemas/{}.py",
    }
    found = {}
    for word, content in more.items():
        kind, _, stem = word.partition("_")
        found[folders[kind].format(stem)] = content
    return found
