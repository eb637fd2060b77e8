"""What a change comes to: which sessions stay as they are, which go, and which events are to be made. Pure.

    rows now ──┐
               ├── aim_at_document · aim_at_one · aim_at_nothing ──▶ Target
    wanted ────┘

A session is known by its slot, the local date that the rule gives it: its id stays where the date stays. What somebody
decided by hand for one session stays, and it does not matter whether the document said something else before or says
it afterwards: only another decision about that session, or the end of the recording, takes it back.

    by hand      the document has its date        excludes its date                  has its date no more
    ──────────   ──────────────────────────────   ────────────────────────────────   ─────────────────────────────
    nothing      scheduled at the rule's time     excluded                           dropped, and its id with it
    restored     scheduled at the rule's time     scheduled at the rule's time       scheduled at the time it has
    moved        scheduled at its own time        scheduled at its own time          scheduled at its own time
    cancelled    cancelled, at the rule's time    cancelled, at the rule's time      cancelled, at the time it has
    both         cancelled, at its own time       cancelled, at its own time         cancelled, at its own time

"Both" is moved and cancelled. A retime changes the rule's time, a change of room takes along whatever is ahead. So
each cell holds in the new room, too, and after any number of documents: a date that is excluded and then is not, or
that goes and comes back, finds its session as it was decided. A moved session that was put into a room of its own stays
in that room, wherever the recording goes. Two things come before all of this:

    begun                              untouched, whatever the document says
    its new time has passed already    untouched: better one recording too many than one too few

What is scheduled at the same time in the same room stays in its event; all else leaves it, and gets a new one.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.database.types import new_id
from app.recurrence.occurrences import Occurrence
from app.recurrence.plan import PlannedEvent, plan, series_of_one
from app.recurrence.rules import Rule
from app.resources.models import OccurrenceStatus

SCHEDULED, EXCLUDED, CANCELLED = (
    OccurrenceStatus.SCHEDULED,
    OccurrenceStatus.EXCLUDED,
    OccurrenceStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A session. `event` is the number of the schedule event that carries it, `event_id` its own id in Kaltura.

    `moved` and `restored` are decisions by hand, as CANCELLED is. `room` is the resource that a moved one was put on by
    hand; without one it is on the recording's.
    """

    id: str
    slot: date | None
    start: datetime
    end: datetime
    status: str
    moved: bool = False
    restored: bool = False
    event: int | None = None
    event_id: int | None = None
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """An event to make, and of each session that it generates: whose it is (None: nobody's), and whether it stays.

    `room`: its session's own, if that has one.
    """

    planned: PlannedEvent
    sessions: tuple[tuple[str | None, bool], ...]
    room: int | None = None


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
    server: ZoneInfo,
    now: datetime,
    *,
    same_room: bool,
    afresh: Collection[str] = (),
) -> Target:
    """What a document's occurrences (`wanted`, all of them) make of a recording's rows.

    `server` is the zone of Kaltura's server.
    The sessions of `afresh` are made anew whatever stands in Kaltura for them.
    """

    def stays(row: Row) -> bool:
        in_its_room = same_room or row.room is not None
        return in_its_room and row.status == SCHEDULED and row.id not in afresh

    begun = {row.slot for row in rows if row.start <= now}
    ahead = {row.slot: row for row in rows if row.start > now}
    pattern: list[tuple[Occurrence, Row, bool]] = []  # what the rule yields, its row, whether it stays in its event
    untouched = set[str]()
    for occurrence in wanted:
        slot = slot_of(occurrence)
        before = ahead.pop(slot, None)
        if before is None and (slot in begun or occurrence.start <= now):
            continue
        row = _as_wanted(before, slot, occurrence)
        if before is not None and not row.moved and row.status != EXCLUDED and occurrence.start <= now:
            untouched.add(before.id)
            continue
        pattern.append((occurrence, row, row == before and stays(row)))
    dateless = [row for row in ahead.values() if _is_decided(row)]
    kept = untouched | {row.id for _, row, is_kept in pattern if is_kept} | {row.id for row in dateless if stays(row)}
    left = {row.id for row in rows if row.start > now and row.status == SCHEDULED and row.id not in kept}
    made = [event for run in _runs(pattern) for event in _planned(run, rule, tz, server)]
    alone = [row for _, row, _ in pattern if row.moved] + dateless
    made += [_made_alone(row, tz, server) for row in alone if row.status == SCHEDULED and row.id not in kept]
    return Target(
        rows=(*(row for _, row, _ in pattern), *dateless),
        dropped=frozenset(row.id for row in ahead.values()) - {row.id for row in dateless},
        left=frozenset(left),
        made=tuple(made),
    )


def aim_at_nothing(rows: Sequence[Row], now: datetime) -> Target:
    """What a cancellation of the whole recording makes of its rows."""
    ahead = [row for row in rows if row.start > now and row.status != EXCLUDED]
    left = frozenset(row.id for row in ahead if row.status == SCHEDULED)
    return Target(tuple(replace(row, status=CANCELLED) for row in ahead), frozenset(), left, ())


def aim_at_one(row: Row, now_wanted: Row, tz: ZoneInfo, server: ZoneInfo) -> Target:
    """What a change of one session makes of it: moved, cancelled or restored; nothing, if it is so already."""
    if row.status == now_wanted.status == SCHEDULED and _place(row) == _place(now_wanted):
        return Target((), frozenset(), frozenset(), ())
    left = frozenset({row.id}) if row.status == SCHEDULED else frozenset()
    made = (_made_alone(now_wanted, tz, server),) if now_wanted.status == SCHEDULED else ()
    return Target((now_wanted,), frozenset(), left, made)


def _place(row: Row) -> tuple[datetime, datetime, int | None]:
    return row.start, row.end, row.room


def slot_of(occurrence: Occurrence) -> date:
    """The local date that the rule gives it, also where the clocks skip its time."""
    return (occurrence.wanted or occurrence.local).date()


def _is_decided(row: Row) -> bool:
    return row.moved or row.restored or row.status == CANCELLED


def _as_wanted(before: Row | None, slot: date, occurrence: Occurrence) -> Row:
    """The row of a slot as it will be."""
    status = EXCLUDED if occurrence.excluded_by else SCHEDULED
    if before is None:
        return Row(new_id("occ"), slot, occurrence.start, occurrence.end, status)
    if before.moved:
        return before
    if before.status == CANCELLED:
        status = CANCELLED
    elif before.restored:
        status = SCHEDULED
    return replace(before, start=occurrence.start, end=occurrence.end, status=status)


def _runs(pattern: Sequence[tuple[Occurrence, Row, bool]]) -> Iterator[list[tuple[Occurrence, Row]]]:
    """Neighbours that are to be made, from a wanted one to a wanted one. One that is added parts no others."""
    run: list[tuple[Occurrence, Row]] = []
    for occurrence, row, stays in [*pattern, (None, None, True)]:
        if occurrence is not None and row is not None and (row.moved or not stays):
            run.append((occurrence, row))
            continue
        if occurrence is not None and occurrence.added:
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


def _planned(
    run: Sequence[tuple[Occurrence, Row]], rule: Rule | None, tz: ZoneInfo, server: ZoneInfo
) -> Iterator[Made]:
    """A series of one for each single event: one would be refused beside another that it replaces
    (SCHEDULE_TIME_IN_USE)."""
    rows = {occurrence.start: row for occurrence, row in run}
    for event in plan([occurrence for occurrence, _ in run], rule, tz, server):
        mine = [(occurrence, rows[occurrence.start]) for occurrence in event.occurrences]
        wanted = _trimmed(mine)
        if wanted and len(wanted) < len(mine):  # the plan cut the run at a session that is not made
            yield from _planned(wanted, rule, tz, server)
        elif wanted:
            sessions = tuple((None if row.moved else row.id, _is_made(row)) for _, row in mine)
            is_single = event.kind == "single"
            yield Made(series_of_one(event.occurrences[0], tz, server) if is_single else event, sessions)


def _made_alone(row: Row, tz: ZoneInfo, server: ZoneInfo) -> Made:
    local = row.start.astimezone(tz).replace(tzinfo=None, fold=0)
    return Made(series_of_one(Occurrence(row.start, row.end, local), tz, server), ((row.id, True),), row.room)
