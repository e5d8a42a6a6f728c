"""A conversation as chat messages. Asked for in pairs, so that the turns must alternate."""

from typing import Literal

from pydantic import BaseModel, Field, computed_field, field_validator


class Exchange(BaseModel):
    """What the pupil says and what the tutor answers."""

    pupil: str = Field(min_length=2, max_length=300)
    tutor: str = Field(min_length=2, max_length=400)


class Message(BaseModel):
    """A turn as chat formats hold it."""

    role: Literal["user", "assistant"]
    content: str


class TutorDialogue(BaseModel):
    """The row holds messages; exchanges are asked for and are no column."""

    exchanges: list[Exchange] = Field(min_length=2, max_length=4, exclude=True)

    @field_validator("exchanges")
    @classmethod
    def nobody_repeats_a_line(cls, exchanges: list[Exchange]) -> list[Exchange]:
        """Refuses a conversation that goes round in a circle."""
        lines = [line.casefold() for one in exchanges for line in (one.pupil, one.tutor)]
        if len(set(lines)) < len(lines):
            raise ValueError("somebody says the same twice")
        return exchanges

    @computed_field
    def messages(self) -> list[Message]:
        """The turns in order, the pupil as user and the tutor as assistant."""
        return [
            turn
            for one in self.exchanges
            for turn in (
                Message(role="user", content=one.pupil),
                Message(role="assistant", content=one.tutor),
            )
        ]
