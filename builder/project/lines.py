"""Parts of a scenario that are read by themselves, every error with its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from builder.errors import InputError, Place
from builder.project.documents import Data, Document, KeyPath, Step, describe


class Line(NamedTuple):
    """A part of a document that is read by itself, and where files that it names may lie."""

    document: Document
    path: KeyPath
    root: Path

    def error(self, message: str, *steps: Step, key: bool = False, hint: str = "") -> InputError:
        """The error at what stands so many steps below."""
        return InputError(message, place=self.place(*steps, key=key), hint=hint)

    def place(self, *steps: Step, key: bool = False) -> Place:
        """Where what stands so many steps below is; its key where that is meant."""
        return self.document.place((*self.path, *steps), key=key)

    def pairs(self, spec: Mapping[str, Data], word: str, form: str) -> dict[str, str]:
        """The names behind a word, each with itself, or what a mapping of this form pairs; none
        where the word is not there."""
        value = spec.get(word, [])
        value = [value] if isinstance(value, str) else value
        pairs = value if isinstance(value, dict) else {}
        if isinstance(value, list):
            pairs = {entry: entry for entry in value if isinstance(entry, str)}
        names = {a: b for a, b in pairs.items() if isinstance(a, str) and isinstance(b, str)}
        if not isinstance(value, list | dict) or len(names) < len(value):
            raise self.error(
                f"{word}: expected names, found {describe(spec[word])}",
                word,
                hint=f"{word}: [id, text]  or  {word}: {form}",
            )
        return names
