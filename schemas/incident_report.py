"""A report of one incident."""

from pydantic import BaseModel, Field, ValidationInfo, field_validator


class IncidentReport(BaseModel):
    """What was seen, how grave it is, what to do first."""

    report: str = Field(min_length=30, max_length=400)
    severity: int = Field(ge=1, le=5)
    people_hurt: int = Field(ge=0, le=10)
    first_action: str = Field(min_length=5, max_length=120)

    @field_validator("people_hurt")
    @classmethod
    def not_more_than_were_near(cls, hurt: int, info: ValidationInfo) -> int:
        """Refuses more people hurt than the case puts near the place."""
        near = (info.context or {}).get("people_near", hurt)
        if hurt > near:
            raise ValueError(f"{hurt} people hurt, and {near} were near")
        return hurt
