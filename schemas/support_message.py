"""One message to a shop's support."""

import re

from pydantic import BaseModel, Field, field_validator

SUPPORT_SPEAKS = re.compile(
    r"\b(sorry|apolog\w+|assist|unable|inconvenience|refused)\b", re.IGNORECASE
)
"""Small models slip into the part of the support agent; a customer says none of these."""
PLACEHOLDER = re.compile(r"[\[\]<>{}_@]|http")


class SupportMessage(BaseModel):
    """What a customer writes."""

    message: str = Field(min_length=20, max_length=160)

    @field_validator("message")
    @classmethod
    def the_customer_speaks(cls, message: str) -> str:
        """Refuses the voice of the support agent."""
        found = SUPPORT_SPEAKS.search(message)
        if found:
            raise ValueError(f"{found[0].lower()!r} is what support says, not the customer")
        return message

    @field_validator("message")
    @classmethod
    def the_message_is_whole(cls, message: str) -> str:
        """Refuses a text that stops in the middle, or one with a blank to fill in."""
        if PLACEHOLDER.search(message):
            raise ValueError("no blanks, no addresses")
        if not message.rstrip().endswith((".", "!", "?")):
            raise ValueError("shorter, please")
        return message
