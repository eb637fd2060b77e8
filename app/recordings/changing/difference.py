"""What a change comes to: which occurrences stay as they are, which go, and which events are to be made. Pure.

    rows now ──┐
               ├── aim_at_document · aim_at_one · aim_at_nothing ──▶ Target
    wanted ────┘

An occurrence is known by its slot, the local date that the rule gives it: its id stays where the date stays. What
somebody decided by hand for one occurrence stays, and it does not matter whether the document said something else
before or says it afterwards: only another decision about that occurrence, or the end of the recording, takes it back.

    by hand      the document has its date        excludes its date                  has its date no more
    ──────────   ──────────────────────────────   ────────────────────────────────   ─────────────────────────────
    nothing      scheduled at the rule's time     excluded                           dropped, and its id with it
    restored     scheduled at the rule's time     scheduled at the rule's time       scheduled at the time it has
    moved        scheduled at its own time        scheduled at its own time          scheduled at its own time
    put          scheduled at the rule's time     scheduled at the rule's time       scheduled at the time it has
    cancelled    cancelled, at the rule's time    cancelled, at the rule's time      cancelled, at the time it has
    both         cancelled, at its own time       cancelled, at its own time         cancelled, at its own time

"Put" is on a resource of its own, and "both" is moved and cancelled. A retime changes the rule's time, a change of
resource takes along whatever is ahead. So each cell holds on the new resource, too, and after any number of documents:
a date that is excluded and then is not, or that goes and comes back, finds its occurrence as it was decided. An
occurrence that was put on a resource of its own stays on that resource, wherever the recording goes. What was left out
because something was in its way is tried again by each document. Two things come before all of this:

    begun                              untouched, whatever the document says
    its new time has passed already    untouched: better one recording too many than one too few

What is scheduled at the same time on the same resource stays in its event; all else leaves it, and gets a new one.
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
    """An occurrence. `event` is the number of the schedule event that carries it, `event_id` its own id in Kaltura.

    Times are UTC. `moved` and `restored` are decisions by hand, as CANCELLED is. `own_resource` is Kaltura's id of the
    resource that it was put on by hand; without one it is on the recording's. `left_out`: it is EXCLUDED only because
    something was in its way. `title` is its own. `planned_end`: when it was to end, if that was moved while it ran.
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
    own_resource: int | None = None
    left_out: bool = False
    title: str | None = None
    planned_end: datetime | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether it has an event of its own: by its time or its resource it is in no series."""
        return self.moved or self.own_resource is not None


@dataclass(frozen=True, slots=True)
class Made:
    """An event to make, and of each occurrence that it generates: whose it is (None: nobody's), and whether it stays.

    `own_resource`: that of its only occurrence, if that has one.
    """

    planned: PlannedEvent
    occurrences: tuple[tuple[str | None, bool], ...]
    own_resource: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """`rows` are the occurrences ahead as they will be, without those that nothing touches; `dropped` are no more.

    The occurrences of `left` leave their events in Kaltura.
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
    same_resource: bool,
    afresh: Collection[str] = (),
) -> Target:
    """What a document makes of a recording's rows. `wanted` are all of the document's occurrences, `rule` and `tz` its
    rule and zone; `server` is the zone of Kaltura's server.

    The occurrences of `afresh` (ids) are made anew, whatever stands in Kaltura for them.
    """

    def stays(row: Row) -> bool:
        keeps_its_resource = same_resource or row.own_resource is not None
        return keeps_its_resource and row.status == SCHEDULED and row.id not in afresh

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
    kept = untouched | {row.id for _, row, is_kept in pattern if is_kept}
    kept |= {row.id for row in ahead.values() if _is_decided(row) and stays(row)}
    dateless = [_tried_again(row) for row in ahead.values() if _is_decided(row)]
    left = {row.id for row in rows if row.start > now and row.status == SCHEDULED and row.id not in kept}
    made = [event for run in _runs(pattern) for event in _planned(run, rule, tz, server)]
    alone = [row for _, row, _ in pattern if row.stands_alone] + dateless
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
    """What a change of one occurrence makes of it: moved, cancelled or restored; nothing, if it is so already."""
    if row.status == now_wanted.status == SCHEDULED and _place(row) == _place(now_wanted):
        return Target((), frozenset(), frozenset(), ())
    left = frozenset({row.id}) if row.status == SCHEDULED else frozenset()
    made = (_made_alone(now_wanted, tz, server),) if now_wanted.status == SCHEDULED else ()
    return Target((now_wanted,), frozenset(), left, made)


def _place(row: Row) -> tuple[datetime, datetime, int | None]:
    return row.start, row.end, row.own_resource


def slot_of(occurrence: Occurrence) -> date:
    """The local date that the rule gives it, also where the clocks skip its time."""
    return (occurrence.wanted or occurrence.local).date()


def _is_decided(row: Row) -> bool:
    return row.stands_alone or row.restored or row.status == CANCELLED


def _as_wanted(before: Row | None, slot: date, occurrence: Occurrence) -> Row:
    """The row of a slot as it will be."""
    status = EXCLUDED if occurrence.excluded_by else SCHEDULED
    if before is None:
        return Row(new_id("occ"), slot, occurrence.start, occurrence.end, status)
    if before.moved:
        return _tried_again(before)
    if before.status == CANCELLED:
        status = CANCELLED
    elif before.restored or before.own_resource is not None:
        status = SCHEDULED
    return replace(before, start=occurrence.start, end=occurrence.end, status=status, left_out=False)


def _tried_again(row: Row) -> Row:
    return replace(row, status=SCHEDULED, left_out=False) if row.left_out else row


def _runs(pattern: Sequence[tuple[Occurrence, Row, bool]]) -> Iterator[list[tuple[Occurrence, Row]]]:
    """Neighbours that are to be made, from a wanted one to a wanted one. One that is added parts no others."""
    run: list[tuple[Occurrence, Row]] = []
    for occurrence, row, stays in [*pattern, (None, None, True)]:
        if occurrence is not None and row is not None and (row.stands_alone or not stays):
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
    return row.status == SCHEDULED and not row.stands_alone


def _planned(
    run: Sequence[tuple[Occurrence, Row]], rule: Rule | None, tz: ZoneInfo, server: ZoneInfo
) -> Iterator[Made]:
    """A series of one for each single event: one would be refused beside another that it replaces
    (SCHEDULE_TIME_IN_USE)."""
    rows = {occurrence.start: row for occurrence, row in run}
    for event in plan([occurrence for occurrence, _ in run], rule, tz, server):
        mine = [(occurrence, rows[occurrence.start]) for occurrence in event.occurrences]
        wanted = _trimmed(mine)
        if wanted and len(wanted) < len(mine):  # the plan cut the run at an occurrence that is not made
            yield from _planned(wanted, rule, tz, server)
        elif wanted:
            occurrences = tuple((None if row.stands_alone else row.id, _is_made(row)) for _, row in mine)
            is_single = event.kind == "single"
            yield Made(series_of_one(event.occurrences[0], tz, server) if is_single else event, occurrences)


def _made_alone(row: Row, tz: ZoneInfo, server: ZoneInfo) -> Made:
    local = row.start.astimezone(tz).replace(tzinfo=None, fold=0)
    return Made(series_of_one(Occurrence(row.start, row.end, local), tz, server), ((row.id, True),), row.own_resource)
