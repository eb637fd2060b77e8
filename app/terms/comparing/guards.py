"""Guards: what blocks a plan until somebody has looked at it. The whole plan is shown all the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.terms.comparing.differing import ROOM, TIMES
from app.terms.comparing.items import Item, Kind
from app.terms.comparing.known import Known
from app.terms.meetings.rows import Reading
from app.terms.meetings.settings import Guards


@dataclass(frozen=True, slots=True)
class Guard:
    guard: str
    found: str
    limit: str
    what_to_do: str

    def shown(self) -> dict[str, object]:
        return {
            "guard": self.guard,
            "tripped": True,
            "found": self.found,
            "limit": self.limit,
            "what_to_do": self.what_to_do + allowing(self.guard),
        }


def allowing(guard: str) -> str:
    """What a program is told to do about a guard, at the end of what people are told."""
    return f' If it is right, apply with allow: ["{guard}"].'


@dataclass(frozen=True, slots=True)
class Before:
    """What the last applied plan leaves: how many sections a complete one had, and when it was made."""

    sections: int | None
    generated_at: datetime | None


def tripped(
    reading: Reading, items: Sequence[Item], known: Sequence[Known], before: Before, limits: Guards, now: datetime
) -> list[Guard]:
    return list(_tripped(reading, items, known, before, limits, now))


def _tripped(
    reading: Reading, items: Sequence[Item], known: Sequence[Known], before: Before, limits: Guards, now: datetime
) -> Iterator[Guard]:
    there, head = len(reading.sections), reading.head
    had = before.sections or 0
    if head.complete and had >= limits.from_known and there * 100 < had * limits.input_percent:
        yield Guard(
            "input_drop",
            _of(there, had, "sections"),
            f"at least {limits.input_percent} %",
            "See whether the export is whole.",
        )
    if head.expected_sections is not None and head.expected_sections != there:
        yield Guard(
            "expected",
            f"{there} sections",
            f"exactly {head.expected_sections}",
            "See whether the export is whole, or expected_sections is wrong.",
        )
    if len(known) >= limits.from_known:
        yield from _shares(items, len(known), limits)
    rejected = [item for item in items if item.kind == Kind.REJECTED]
    if _beyond(len(rejected), reading.rows, limits.reject_floor, limits.reject_percent):
        yield Guard(
            "reject_share",
            _of(len(rejected), reading.rows, "rows"),
            _limit(limits.reject_floor, limits.reject_percent),
            "Mend the rows that cannot be read: each item says how.",
        )
    unknown = sum(item.reason == "unknown_room" for item in rejected)
    meetings = len(reading.meetings) + len(reading.rejected)
    if _beyond(unknown, meetings, limits.unknown_rooms_floor, limits.unknown_rooms_percent):
        yield Guard(
            "unknown_rooms",
            _of(unknown, meetings, "meetings"),
            _limit(limits.unknown_rooms_floor, limits.unknown_rooms_percent),
            "Add the rooms to the term, null where nothing records.",
        )
    soon = sum(item.effect.soon for item in items)
    if soon and limits.soon == "block":
        yield Guard(
            "soon",
            f"{soon} sessions",
            f"none within {limits.soon_hours} hours",
            "See whether what begins soon is to be moved or cancelled.",
        )
    yield from _old(head.generated_at, before.generated_at, limits, now)


def _shares(items: Sequence[Item], known: int, limits: Guards) -> Iterator[Guard]:
    cancels = sum(item.kind == Kind.CANCEL and not _said(item) for item in items)
    if _beyond(cancels, known, limits.cancel_floor, limits.cancel_percent):
        yield Guard(
            "cancel_share",
            _of(cancels, known, "recordings"),
            _limit(limits.cancel_floor, limits.cancel_percent),
            "See whether what is to be cancelled is really gone.",
        )
    moved = sum(
        item.kind in (Kind.CHANGE, Kind.REKEY) and any(one["field"] in (TIMES, ROOM) for one in item.changes)
        for item in items
    )
    if _beyond(moved, known, limits.change_floor, limits.change_percent):
        yield Guard(
            "change_share",
            _of(moved, known, "recordings"),
            _limit(limits.change_floor, limits.change_percent),
            "See whether so many times and rooms have really changed.",
        )


def _said(item: Item) -> bool:
    """Whether somebody has said of that very section that it is not to be recorded."""
    return item.reason == "cancelled" or (item.reason == "opted_out" and item.because == item.section)


def _old(generated: datetime | None, before: datetime | None, limits: Guards, now: datetime) -> Iterator[Guard]:
    if generated is None:
        return
    what = "See whether this is the latest export."
    found = f"made at {_utc(generated)}"
    if before is not None and generated < before:
        yield Guard("old_export", found, f"not before the last applied one, {_utc(before)}", what)
    elif now - generated > timedelta(hours=limits.old_export_hours):
        yield Guard("old_export", found, f"at most {limits.old_export_hours} hours ago", what)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _beyond(found: int, of: int, floor: int, percent: int) -> bool:
    return found > floor and found * 100 > of * percent


def _of(found: int, of: int, what: str) -> str:
    return f"{found} of {of} {what} ({round(100 * found / of) if of else 0} %)"


def _limit(floor: int, percent: int) -> str:
    return f"the greater of {floor} and {percent} %"
