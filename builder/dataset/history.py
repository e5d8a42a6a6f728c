"""releases.json: the releases of a published dataset, and what changed from one to the next."""

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, TypeAdapter

from builder.dataset.manifests import FileModel

NAME = "releases.json"


class Change(FileModel):
    """Rows of one scenario that are in one of two releases alone, or differ."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Release(FileModel):
    """One tag of a repository."""

    version: Literal[1] = Field(
        default=1, description="Of this entry's form; entries of the first do not say it."
    )
    tag: str
    date: str = Field(
        description="The day of the last answer, ISO 8601; empty where there is none."
    )
    rows: int
    content: str = Field(
        default="", description="Digest of the rows, their splits and the form of the files."
    )
    since: str | None = Field(
        default=None, description="The release that the changes are counted from."
    )
    changes: dict[str, Change] = Field(description="By scenario; none for the first release.")


RELEASES = TypeAdapter(list[Release])


def parse(content: bytes | str) -> list[Release]:
    """The releases in the content of a file, oldest first. ValueError where somebody else wrote it."""
    return RELEASES.validate_json(content)


def as_json(releases: Sequence[Release]) -> str:
    """The content of the file; read and written again, it is the same."""
    content = [release.model_dump(exclude_unset=True) for release in releases]
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
