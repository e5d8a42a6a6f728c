"""Labelled support messages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class SupportMessage(BaseModel):
    """One message to customer support."""

    subject: str = Field(min_length=3, max_length=80)
    message: str = Field(min_length=20, max_length=400)
    urgency: Literal["low", "medium", "high"]
