"""What a change comes to: which sessions stay as they are, which go, and which events are to be made. Pure.

    rows now ──┐
               ├── aim_at_document · aim_at_one · aim_at_nothing ──▶ Target
    wanted ────┘

A session is known by its slot, the local date that the rule gives it: its id stays where the date stays.

    begun                              untouched, whatever the document says
    its new time has passed already    untouched: better one recording too many than one too few
    cancelled, moved by hand           stays so (its own time, its own cancellation), in the new room too
    excluded by the document           excluded, also if it was moved; but not if it was restored by hand
    no date of the document            dropped
    same time, same room               stays in its event
    all else                           leaves its event, and gets a new one
"""

from collections.abc import Collection, Iterator, Sequence
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
_UTC = ZoneInfo("UTC")


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
    """`rows` are the sessions ahead as they will be, without those that nothing touches; `dropped` are no more.

    The sessions of `left` leave their events in Kaltura.
    """

    rows: tuple[Row, ...]
    dropped: frozenset[str]
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
    excluded: Collection[date] = (),
    afresh: Collection[str] = (),
) -> Target:
    """What a document's occurrences (`wanted`, all of them) make of a recording's rows.

    `excluded` are the dates on which the document before had an occurrence, and excluded it. The sessions of `afresh`
    are made anew whatever stands in Kaltura for them.
    """
    begun = {row.slot for row in rows if row.start <= now}
    ahead = {row.slot: row for row in rows if row.start > now}
    pattern: list[tuple[Occurrence, Row, bool]] = []  # what the rule yields, its row, whether it stays in its event
    untouched = set[str]()
    for occurrence in wanted:
        slot = slot_of(occurrence)
        before = ahead.pop(slot, None)
        if before is None and (slot in begun or occurrence.start <= now):
            continue
        row = _as_wanted(before, slot, occurrence, restored=slot in excluded)
        if before is not None and not row.moved and row.status != EXCLUDED and occurrence.start <= now:
            untouched.add(before.id)
            continue
        stays = same_room and row == before and row.status == SCHEDULED and row.id not in afresh
        pattern.append((occurrence, row, stays))
    kept = untouched | {row.id for _, row, stays in pattern if stays}
    left = {row.id for row in rows if row.start > now and row.status == SCHEDULED and row.id not in kept}
    made = [event for run in _runs(pattern) for event in _planned(run, rule, tz)]
    made += [_made_alone(row, tz) for _, row, stays in pattern if _is_alone(row) and not stays]
    return Target(
        rows=tuple(row for _, row, _ in pattern),
        dropped=frozenset(row.id for row in ahead.values()),
        left=frozenset(left),
        made=tuple(made),
    )


def aim_at_nothing(rows: Sequence[Row], now: datetime) -> Target:
    """What a cancellation of the whole recording makes of its rows."""
    ahead = [row for row in rows if row.start > now and row.status != EXCLUDED]
    left = frozenset(row.id for row in ahead if row.status == SCHEDULED)
    return Target(tuple(replace(row, status=CANCELLED) for row in ahead), frozenset(), left, ())


def aim_at_one(row: Row, now_wanted: Row, tz: ZoneInfo) -> Target:
    """What a change of one session makes of it: moved, cancelled or restored."""
    left = frozenset({row.id}) if row.status == SCHEDULED else frozenset()
    made = (_made_alone(now_wanted, tz),) if now_wanted.status == SCHEDULED else ()
    return Target((now_wanted,), frozenset(), left, made)


def slot_of(occurrence: Occurrence) -> date:
    """The local date that the rule gives it, also where the clocks skip its time."""
    return (occurrence.wanted or occurrence.local).date()


def _as_wanted(before: Row | None, slot: date, occurrence: Occurrence, *, restored: bool) -> Row:
    """The row of a slot as it will be. `restored`: if it is scheduled, then against the document, by hand."""
    if before is None:
        status = EXCLUDED if occurrence.excluded_by else SCHEDULED
        return Row(new_id("occ"), slot, occurrence.start, occurrence.end, status)
    if before.status == CANCELLED:
        status = CANCELLED
    elif occurrence.excluded_by and not (restored and before.status == SCHEDULED):
        status = EXCLUDED
    else:
        status = SCHEDULED
    if before.moved and status == before.status:
        return before
    return replace(before, start=occurrence.start, end=occurrence.end, status=status, moved=False)


def _runs(pattern: Sequence[tuple[Occurrence, Row, bool]]) -> Iterator[list[tuple[Occurrence, Row]]]:
    """Neighbours that are to be made, from a wanted one to a wanted one."""
    run: list[tuple[Occurrence, Row]] = []
    for occurrence, row, stays in [*pattern, (None, None, True)]:
        if occurrence is not None and row is not None and (row.moved or not stays):
            run.append((occurrence, row))
            continue
        if trimmed := _trimmed(run):
            yield trimmed
        run = []


def _trimmed(run: Sequence[tuple[Occurrence, Row]]) -> list[tuple[Occurrence, Row]]:
    """Without what is not made, at both ends."""
    made = [index for index, (_, row) in enumerate(run) if _is_made(row)]
    return list(run[made[0] : made[-1] + 1]) if made else []


def _is_made(row: Row) -> bool:
    return row.status == SCHEDULED and not row.moved


def _is_alone(row: Row) -> bool:
    return row.status == SCHEDULED and row.moved


def _planned(run: Sequence[tuple[Occurrence, Row]], rule: Rule | None, tz: ZoneInfo) -> Iterator[Made]:
    rows = {occurrence.start: row for occurrence, row in run}
    for event in plan([occurrence for occurrence, _ in run], rule, tz):
        mine = [(occurrence, rows[occurrence.start]) for occurrence in event.occurrences]
        wanted = _trimmed(mine)
        if wanted and len(wanted) < len(mine):  # the plan cut the run at a session that is not made
            yield from _planned(wanted, rule, tz)
        elif wanted:
            sessions = tuple((None if row.moved else row.id, _is_made(row)) for _, row in mine)
            yield Made(_alone(event.start, event.end, tz) if event.kind == "single" else event, sessions)


def _made_alone(row: Row, tz: ZoneInfo) -> Made:
    return Made(_alone(row.start, row.end, tz), ((row.id, True),))


def _alone(start: datetime, end: datetime, tz: ZoneInfo) -> PlannedEvent:
    """A series of one: a single event would be refused beside one that it replaces (SCHEDULE_TIME_IN_USE).

    At a time that the zone's clocks repeat it is written in UTC, where each instant has one name.
    """
    _, anomaly = place(_on_the_clock(start, tz), tz)
    where = _UTC if anomaly else tz
    return series_of_one(Occurrence(start.astimezone(UTC), end.astimezone(UTC), _on_the_clock(start, where)), where)


def _on_the_clock(instant: datetime, tz: ZoneInfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)
