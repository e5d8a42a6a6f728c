"""A sentence and where its names stand. The model lists the names; the places are computed."""

import re
from typing import Literal

from pydantic import BaseModel, Field, computed_field, model_validator

Label = Literal["person", "organisation", "place"]


class Mention(BaseModel):
    """A name as the model gives it."""

    surface: str = Field(min_length=1, max_length=60, description="exactly as in the text")
    label: Label


class Span(BaseModel):
    """A name with its place: text[start:end]."""

    start: int
    end: int
    surface: str
    label: Label


class TaggedSentence(BaseModel):
    """The row holds text and spans; mentions are asked for and are no column."""

    text: str = Field(min_length=20, max_length=300)
    mentions: list[Mention] = Field(default=[], max_length=6, exclude=True)

    @computed_field
    @property
    def spans(self) -> list[Span]:
        """Each mention at its next place in the text, as a whole word."""
        reached: dict[str, int] = {}
        found = []
        for mention in self.mentions:
            whole_word = re.compile(rf"(?<!\w){re.escape(mention.surface)}(?!\w)")
            match = whole_word.search(self.text, reached.get(mention.surface, 0))
            if match is None:
                raise ValueError(f"the mention {mention.surface!r} does not occur in the text")
            reached[mention.surface] = match.end()
            found.append(
                Span(
                    start=match.start(),
                    end=match.end(),
                    surface=mention.surface,
                    label=mention.label,
                )
            )
        return found

    @model_validator(mode="after")
    def every_mention_occurs(self) -> "TaggedSentence":
        """Refuses a name that the text does not hold, or not so often."""
        assert self.spans is not None
        return self
