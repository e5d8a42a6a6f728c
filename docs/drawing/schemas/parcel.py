"""What a courier writes down."""

from pydantic import BaseModel, Field


class Parcel(BaseModel):
    """A note of one sentence."""

    note: str = Field(min_length=10, max_length=200)
