"""A credit officer's note on one application."""

from math import inf
from typing import Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, model_validator

LOWEST_SCORE = 600


class CreditNote(BaseModel):
    """The note and what it recommends."""

    note: str = Field(min_length=30, max_length=400)
    main_risk: str = Field(min_length=3, max_length=80)
    recommendation: Literal["approve", "ask for more papers", "decline"]

    @model_validator(mode="after")
    def no_approval_under_the_lowest_score(self, info: ValidationInfo) -> Self:
        """Refuses an approval that the score of the case forbids."""
        score = (info.context or {}).get("credit_score", inf)
        if self.recommendation == "approve" and score < LOWEST_SCORE:
            raise ValueError(f"approved at a score of {score:g}, under {LOWEST_SCORE}")
        return self
