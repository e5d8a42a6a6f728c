"""A sentence and where its names stand. The model lists the names; the places are computed."""

import re
from typing import Literal, Self

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
    def spans(self) -> list[Span]:
        """The row's column: each mention with its place."""
        return places(self.text, self.mentions)

    @model_validator(mode="after")
    def every_mention_occurs(self) -> Self:
        """Refuses a name that the text does not hold, or not so often."""
        places(self.text, self.mentions)
        return self


def places(text: str, mentions: list[Mention]) -> list[Span]:
    """Each mention at its next place in the text, as a whole word; ValueError where there is none."""
    reached: dict[str, int] = {}
    found = []
    for mention in mentions:
        whole_word = re.compile(rf"(?<!\w){re.escape(mention.surface)}(?!\w)")
        match = whole_word.search(text, reached.get(mention.surface, 0))
        if match is None:
            raise ValueError(f"the mention {mention.surface!r} does not occur in the text")
        reached[mention.surface] = match.end()
        found.append(Span(start=match.start(), end=match.end(), **mention.model_dump()))
    return found
