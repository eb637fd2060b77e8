"""What a body says of campus days, whatever it was written in."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

Reason = Literal["cancelled", "not_a_whole_day", "category", "closed", "unreadable"]
Code = Literal["partial_day", "unreadable", "closed", "several_weekdays", "unknown_category", "no_events", "emptied"]


@dataclass(frozen=True, slots=True)
class Named:
    """Local dates, both ends included: nothing is recorded on them, or (`meets_as`) another weekday's sessions are."""

    name: str | None
    first: date
    last: date
    meets_as: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As `Calendar.days` has it."""
        span = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {"name": self.name, **span, "meets_as": self.meets_as}


@dataclass(frozen=True, slots=True)
class Ignored:
    """What a body has and its calendar does not; the dates are null where they cannot be read."""

    name: str | None
    first: date | None
    last: date | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Warned:
    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    title: str | None
    days: tuple[Named, ...]
    ignored: tuple[Ignored, ...] = ()
    warnings: tuple[Warned, ...] = ()
