"""What a change comes to: which sessions stay as they are, which go, and which events are to be made. Pure.

    rows now ──┐
               ├── aim_at_document · aim_at_one ──▶ Target: the rows as they will be, and the events to make
    wanted ────┘

Sessions that have begun are never touched. Ahead of now, a session that keeps its time and its room stays in its
event; all others leave theirs, and what is wanted anew gets new events. A session is known by its slot, the local
date that the rule gives it, so its id stays where the date stays, and a cancelled or moved one stays so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from app.calendar.occurrences import Occurrence, place
from app.calendar.plan import PlannedEvent, plan, series_of_one
from app.calendar.recurrence import Rule
from app.db import new_id
from app.resources.models import OccurrenceStatus

SCHEDULED, EXCLUDED, CANCELLED = (
    OccurrenceStatus.SCHEDULED,
    OccurrenceStatus.EXCLUDED,
    OccurrenceStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A session. `event` is the number of the schedule event that carries it, `event_id` its own id in Kaltura."""

    id: str
    slot: date | None
    start: datetime
    end: datetime
    status: str
    moved: bool = False
    event: int | None = None
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """An event to make, and of each session that it generates: whose it is (None: nobody's), and whether it stays."""

    planned: PlannedEvent
    sessions: tuple[tuple[str | None, bool], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """`rows` are those ahead of now as they will be; the sessions of `left` leave their events in Kaltura."""

    rows: tuple[Row, ...]
    left: frozenset[str]
    made: tuple[Made, ...]


def aim_at_document(
    rows: Sequence[Row],
    wanted: Sequence[Occurrence],
    rule: Rule | None,
    tz: ZoneInfo,
    now: datetime,
    *,
    same_room: bool,
) -> Target:
    """What a document's occurrences (`wanted`, all of them) make of a recording's rows."""
    begun = {row.slot for row in rows if row.start <= now}
    ahead = {row.slot: row for row in rows if row.start > now}
    final: list[Row] = []
    pattern: list[tuple[Occurrence, Row, bool]] = []  # what the rule yields, its row, whether it stays in its event
    for occurrence in wanted:
        slot = (occurrence.wanted or occurrence.local).date()
        if occurrence.start <= now or slot in begun:
            continue
        before = ahead.pop(slot, None)
        row = _as_wanted(before, slot, occurrence)
        stays = same_room and row == before and row.status == SCHEDULED
        final.append(row)
        pattern.append((occurrence, row, stays))
    final += [replace(row, status=CANCELLED) for row in ahead.values()]
    kept = {row.id for _, row, stays in pattern if stays}
    left = frozenset(row.id for row in rows if row.start > now and row.status == SCHEDULED and row.id not in kept)
    made = [event for run in _runs(pattern) for event in _planned(run, rule, tz)]
    made += [_made_alone(row, tz) for _, row, stays in pattern if row.moved and not stays]
    return Target(tuple(final), left, tuple(made))


def aim_at_nothing(rows: Sequence[Row], now: datetime) -> Target:
    """What a cancellation of the whole recording makes of its rows."""
    return aim_at_document(rows, (), None, ZoneInfo("UTC"), now, same_room=True)


def aim_at_one(row: Row, now_wanted: Row, tz: ZoneInfo) -> Target:
    """What a change of one session makes of it: moved, cancelled or restored."""
    left = frozenset({row.id}) if row.status == SCHEDULED else frozenset()
    made = (_made_alone(now_wanted, tz),) if now_wanted.status == SCHEDULED else ()
    return Target((now_wanted,), left, made)


def _as_wanted(before: Row | None, slot: date, occurrence: Occurrence) -> Row:
    """The row of a slot as it will be: what was cancelled or moved by hand stays so, unless the date is excluded."""
    status = EXCLUDED if occurrence.excluded_by else SCHEDULED
    if before is None:
        return Row(new_id("occ"), slot, occurrence.start, occurrence.end, status)
    if status == SCHEDULED and before.status == SCHEDULED and before.moved:
        return before
    if before.status == CANCELLED:
        status = CANCELLED
    return replace(before, start=occurrence.start, end=occurrence.end, status=status, moved=False)


def _runs(pattern: Sequence[tuple[Occurrence, Row, bool]]) -> Iterator[list[tuple[Occurrence, Row]]]:
    """Neighbours that are to be made, from a wanted one to a wanted one."""
    run: list[tuple[Occurrence, Row]] = []
    for occurrence, row, stays in [*pattern, (None, None, True)]:
        if occurrence is not None and row is not None and (row.moved or not stays):
            run.append((occurrence, row))
            continue
        while run and not _is_made(run[-1][1]):
            run.pop()
        while run and not _is_made(run[0][1]):
            run.pop(0)
        if run:
            yield run
        run = []


def _is_made(row: Row) -> bool:
    return row.status == SCHEDULED and not row.moved


def _planned(run: Sequence[tuple[Occurrence, Row]], rule: Rule | None, tz: ZoneInfo) -> Iterator[Made]:
    sessions = {occurrence.start: (None if row.moved else row.id, _is_made(row)) for occurrence, row in run}
    occurrences = [occurrence for occurrence, _ in run]
    for event in plan(occurrences, rule, tz) if rule else [series_of_one(only, tz) for only in occurrences]:
        mine = tuple(sessions[occurrence.start] for occurrence in event.occurrences)
        if any(stays for _, stays in mine):
            yield Made(event, mine)


def _made_alone(row: Row, tz: ZoneInfo) -> Made:
    """A session outside the rule: a series of one, which Kaltura checks against no other event of the template."""
    return Made(series_of_one(_at(row, tz), tz), ((row.id, True),))


def _at(row: Row, tz: ZoneInfo) -> Occurrence:
    local = row.start.astimezone(tz).replace(tzinfo=None, fold=0)
    _, anomaly = place(local, tz)
    return Occurrence(row.start.astimezone(UTC), row.end.astimezone(UTC), local, anomaly)
