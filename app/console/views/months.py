"""Days on the months that they are in, week by week from Monday on."""

from calendar import Calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of a month. `kind` is its class in the style sheet, `told` what is said of it; both empty for nothing."""

    day: int
    kind: str
    told: str


def weeks(first: date, on: Mapping[date, tuple[str, str]]) -> list[list[Cell | None]]:
    """Of the month that begins on `first`, with what is on its days; None for days of the months beside it."""
    found = Calendar().monthdayscalendar(first.year, first.month)  # 0 for days of the months beside it
    return [[Cell(day, *on.get(first.replace(day=day), ("", ""))) if day else None for day in week] for week in found]
