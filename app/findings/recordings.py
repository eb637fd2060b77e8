"""Findings about chains that do not get on, recordings that came to nothing or follow no calendar, and terms whose
timetable was refused."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus
from app.database.many_rows import portions
from app.database.types import database_now
from app.findings.finding import NEAR, NOBODY, Finding, View, at, count, finding, resume
from app.findings.schemas import Action, Kind, Severity
from app.recordings.models import Calendar, Recording, RecordingCalendar, RecordingStatus
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource
from app.resources.schemas import ResourceName
from app.terms.models import LONGEST_MAKING, Apply, Plan, PlanStatus, Term

WAITING = 600.0  # seconds that a chain may take
FAILED_FOR = timedelta(days=7)
SWEEP = "sweep"  # the chain that looks once more: app/recordings/scheduling/sweep.py
AT_ONCE = 5_000  # values of one statement


class Named(NamedTuple):
    client: str
    title: str
    resource: ResourceName | None
    time_zone: str
    created_at: datetime


def named(session: Session, recording_ids: Iterable[str]) -> Mapping[str, Named]:
    """Whose each of the recordings is, what it is called, and where."""
    ids = sorted(set(recording_ids))
    found = {}
    for some in portions(ids, AT_ONCE):
        rows = session.execute(
            select(col(Recording.id), col(Recording.client), col(Recording.created_at), Booking, Resource)
            .join(Booking, col(Booking.id) == col(Recording.id))
            .outerjoin(Resource, col(Resource.id) == col(Recording.resource_id))
            .where(col(Recording.id).in_(some))
        )
        for recording_id, client, created_at, booking, resource in rows:
            room = resource and name_of(resource)
            found[recording_id] = Named(client, booking.title, room, booking.time_zone, created_at)
    return found


def name_of(resource: Resource) -> ResourceName:
    return ResourceName(id=resource.id, system_name=resource.system_name, name=resource.name)


def rooms_of(session: Session, ids: Iterable[int | None]) -> Mapping[int | None, ResourceName]:
    rows = session.execute(select(Resource).where(col(Resource.id).in_({each for each in ids if each}))).scalars()
    return {row.id: name_of(row) for row in rows}


_COLUMNS = (col(Chain.id), col(Chain.subject), col(Chain.operation), col(Chain.error), col(Chain.created_at))


def chain_stuck(view: View) -> Iterator[Finding]:
    stuck = select(*_COLUMNS, col(Chain.updated_at)).where(col(Chain.status) == ChainStatus.STUCK)
    rows = view.session.execute(stuck).all()
    whose = named(view.session, (_recording(row.subject) for row in rows))
    for row in rows:
        recording_id, error = _recording(row.subject), row.error or {}
        own = whose.get(recording_id)
        is_sweep = row.operation == SWEEP
        where = f"{row.operation}, step {error['step']}" if error.get("step") else row.operation
        yield finding(
            Kind.CHAIN_STUCK,
            row.id,
            row.updated_at,
            f"Lectern has given up on {_title(own)} for now ({where}): {_said(error)}",
            client=own.client if own else NOBODY,
            recording_id=recording_id,
            resource=own.resource if own else None,
            actions=[
                Action(rel="resume", method="POST", href=f"/chains/{row.id}/resume")
                if is_sweep
                else resume(recording_id)
            ],
        )


def chain_waiting(view: View) -> Iterator[Finding]:
    """Under trial for ten minutes, or in line for so long: of a chain that was resumed, only what came after."""
    waits = or_(col(Chain.tried) > WAITING, col(Chain.next_attempt_at) < database_now() - WAITING)
    rows = view.session.execute(
        select(*_COLUMNS).where(
            col(Chain.status).not_in((ChainStatus.SUCCEEDED, ChainStatus.FAILED, ChainStatus.STUCK)),
            col(Chain.operation) != SWEEP,
            waits,
        )
    ).all()
    whose = named(view.session, (row.subject for row in rows))
    for row in rows:
        own = whose.get(row.subject)
        yield finding(
            Kind.CHAIN_WAITING,
            row.id,
            row.created_at,
            f"A change of {_title(own)} has waited since {at(row.created_at)} ({row.operation})",
            client=own.client if own else NOBODY,
            recording_id=row.subject,
            resource=own.resource if own else None,
            actions=[resume(row.subject)],
        )


def recording_failed(view: View) -> Iterator[Finding]:
    anew = aliased(Recording)
    sent_anew = select(col(anew.id)).where(
        col(anew.client) == col(Recording.client),
        col(anew.id) > col(Recording.id),
        or_(col(anew.fingerprint) == col(Recording.fingerprint), col(anew.reference_id) == col(Recording.reference_id)),
    )
    rows = view.session.execute(
        select(col(Recording.id), col(Recording.problem), col(Recording.updated_at)).where(
            col(Recording.status) == RecordingStatus.FAILED,
            col(Recording.listed),
            col(Recording.updated_at) > view.now - FAILED_FOR,
            ~sent_anew.exists(),
        )
    ).all()
    whose = named(view.session, (row.id for row in rows))
    for row in rows:
        own, problem = whose[row.id], row.problem or {}
        yield finding(
            Kind.RECORDING_FAILED,
            row.id,
            row.updated_at,
            f"{_title(own)} is not scheduled: {_said(problem)}",
            client=own.client,
            recording_id=row.id,
            resource=own.resource,
            actions=[Action(rel="delete", method="DELETE", href=f"/recordings/{row.id}")],
        )


CALENDAR_LATE = timedelta(minutes=10)  # that a calendar may take to come to everybody

_REFUSED = and_(
    col(RecordingCalendar.tried) == col(Calendar.version),
    or_(col(RecordingCalendar.chain_id).is_(None), col(Chain.finished_at).is_not(None)),
)
_BEHIND = (
    select(
        col(RecordingCalendar.recording_id),
        col(Calendar.name),
        col(Calendar.version),
        col(Calendar.updated_at),
        col(Chain.finished_at),
        col(Chain.error),
        case((_REFUSED, True), else_=False).label("refused"),
    )
    .join(Calendar, col(Calendar.name) == col(RecordingCalendar.calendar))
    .join(Recording, col(Recording.id) == col(RecordingCalendar.recording_id))
    .outerjoin(Chain, col(Chain.id) == col(RecordingCalendar.chain_id))
    .where(
        col(RecordingCalendar.version) < col(Calendar.version),
        col(Recording.status).in_((RecordingStatus.SCHEDULED, RecordingStatus.STUCK)),
        or_(_REFUSED, col(Calendar.updated_at) < bindparam("late")),
    )
    .order_by(col(Calendar.name), col(RecordingCalendar.recording_id))
)


def calendar_behind(view: View) -> Iterator[Finding]:
    """Of each recording that could not be changed, and for each version; of those that nobody has come to for long, one
    for each calendar."""
    rows = view.session.execute(_BEHIND, {"late": view.now - CALENDAR_LATE}).all()
    urgent = _urgent(view, rows)
    whose = named(view.session, (row.recording_id for row in rows if row.refused))
    late, late_and_urgent = defaultdict[str, list[datetime]](list), set[str]()
    for row in rows:
        if row.refused:
            own, why = whose.get(row.recording_id), (row.error or {}).get("detail", "")
            yield finding(
                Kind.CALENDAR_BEHIND,
                f"{row.recording_id}:{row.name}:{row.version}",
                row.finished_at or row.updated_at,
                f"{_title(own)} does not follow the calendar {row.name}{why and f': {why}'}",
                client=own.client if own else None,
                recording_id=row.recording_id,
                resource=own.resource if own else None,
                severity=Severity.NOW if (row.recording_id, row.name) in urgent else None,
                actions=[resume(row.recording_id)],
            )
        else:
            late[row.name].append(row.updated_at)
            if (row.recording_id, row.name) in urgent:
                late_and_urgent.add(row.name)
    for name, since in late.items():
        behind = f"{count(len(since), 'recording')} that {'names' if len(since) == 1 else 'name'} it"
        yield finding(
            Kind.CALENDAR_BEHIND,
            name,
            since[0] + CALENDAR_LATE,
            f"The calendar {name} has not come to {behind} for ten minutes",
            severity=Severity.NOW if name in late_and_urgent else None,
        )


def _urgent(view: View, behind: Sequence[Row[Any]]) -> set[tuple[str, str]]:
    """Which recordings, by their ids, have a session within the hour of whose date a calendar, by its name, says
    something else than they follow. What somebody has decided by hand stays as it is."""
    named_by = defaultdict[str, set[str]](set)
    for row in behind:
        named_by[row.recording_id].add(row.name)
    soon = (
        col(Occurrence.start) > view.now,
        col(Occurrence.start) <= view.now + NEAR,
        col(Occurrence.status).in_((OccurrenceStatus.SCHEDULED, OccurrenceStatus.EXCLUDED)),
        col(Occurrence.slot).is_not(None),
        *(~col(by_hand) for by_hand in (Occurrence.moved, Occurrence.placed, Occurrence.restored)),
    )
    sessions = select(col(Recording.id), col(Recording.campus), col(Occurrence.slot)).join(
        Occurrence, col(Occurrence.booking_id) == col(Recording.id)
    )
    ids, near = sorted(named_by), list[Row[Any]]()
    for some in portions(ids, AT_ONCE):
        near += view.session.execute(sessions.where(col(Recording.id).in_(some), *soon))
    said = {name for one in near for name in named_by[one.id]}
    calendars = select(col(Calendar.name), col(Calendar.days)).where(col(Calendar.name).in_(said))
    days = {row.name: row.days for row in view.session.execute(calendars)} if said else {}

    def differs(one: Row[Any], name: str) -> bool:
        followed = [day for day in one.campus or () if day["calendar"] == name]
        return _said_of(one.slot, days[name]) != _said_of(one.slot, followed)

    return {(one.id, name) for one in near for name in named_by[one.id] if differs(one, name)}


def _said_of(day: date, days: Iterable[Mapping[str, Any]]) -> set[str | None]:
    """Whether it is closed (None), and what weekday's sessions are held."""
    return {one["meets_as"] for one in days if one["from"] <= day.isoformat() <= one["to"]}


_LEFT_OUT = (
    select(
        col(Occurrence.id),
        col(Occurrence.booking_id),
        col(Occurrence.start),
        col(Occurrence.in_the_way),
        col(Occurrence.changed_at),
    )
    .join(Recording, col(Recording.id) == col(Occurrence.booking_id))
    .where(
        col(Occurrence.status) == OccurrenceStatus.EXCLUDED,
        col(Occurrence.in_the_way).is_not(None),
        col(Recording.status).in_((RecordingStatus.SCHEDULED, RecordingStatus.STUCK)),
        func.coalesce(col(Recording.document)["on_conflict"].as_string(), "reject") != "skip",
    )
    .order_by(col(Occurrence.start), col(Occurrence.id))
)


def left_out(view: View) -> Iterator[Finding]:
    """Of each session ahead that a calendar lets be held, and whose room is taken. Who says `skip` wants it so."""
    rows = view.session.execute(_LEFT_OUT.where(col(Occurrence.start) > view.now)).all()
    whose = named(view.session, (row.booking_id for row in rows))
    for row in rows:
        own = whose[row.booking_id]
        when = at(row.start, own.time_zone)
        yield finding(
            Kind.CALENDAR_BEHIND,
            row.id,
            row.changed_at,
            f"{_title(own)} is not recorded on {when}, though its calendar allows it; {row.in_the_way}",
            client=own.client,
            recording_id=row.booking_id,
            occurrence_id=row.id,
            resource=own.resource,
            severity=Severity.NOW if row.start <= view.now + NEAR else None,
            actions=[resume(row.booking_id)],
        )


_GOOD = (
    select(col(Plan.client), col(Plan.term), func.max(col(Plan.number)).label("number"))
    .outerjoin(Apply, col(Apply.plan_id) == col(Plan.id))
    .where(or_(col(Plan.status).in_((PlanStatus.READY, PlanStatus.NOTHING_TO_DO)), col(Apply.id).is_not(None)))
    .group_by(col(Plan.client), col(Plan.term))
    .subquery()
)
_NOT_GOOD = (
    select(Plan, Term)
    .join(Term, and_(col(Term.client) == col(Plan.client), col(Term.name) == col(Plan.term)))
    .outerjoin(_GOOD, and_(_GOOD.c.client == col(Plan.client), _GOOD.c.term == col(Plan.term)))
    .where(col(Plan.number) > func.coalesce(_GOOD.c.number, 0))
    .order_by(col(Plan.number))
)


def term_refused(view: View) -> Iterator[Finding]:
    """Of each term that is not over, and whose latest declarations came to no plan, or to one that is blocked."""
    killed = and_(col(Plan.status) == PlanStatus.MAKING, col(Plan.created_at) < view.now - LONGEST_MAKING)
    refused = or_(col(Plan.status).in_((PlanStatus.FAILED, PlanStatus.BLOCKED)), killed)
    since, latest = dict[tuple[str, str], datetime](), dict[tuple[str, str], Plan]()
    for plan, term in view.session.execute(_NOT_GOOD.where(refused)).all():
        if date.fromisoformat(term.settings["last_date"]) >= view.now.date():
            since.setdefault((plan.client, plan.term), plan.created_at)
            latest[plan.client, plan.term] = plan
    for (client, name), plan in latest.items():
        yield finding(
            Kind.TERM_REFUSED,
            f"{client}/{name}",
            since[client, name],
            f"Nothing of the latest timetable of the term {name} was done: {_why(plan)}",
            client=client,
            what_to_do=_way_on(plan),
        )


def _why(plan: Plan) -> str:
    if plan.status == PlanStatus.BLOCKED:
        guards = (f"{one['guard']} ({one['found']}, the limit is {one['limit']})" for one in plan.shown["guards"])
        return f"its plan is blocked by {', '.join(guards)}"
    return _said(plan.problem or {"detail": "Lectern was stopped, or made a mistake, while it read it"})


def _way_on(plan: Plan) -> str:
    """Empty: what is to be done is what the kind says."""
    if plan.status != PlanStatus.BLOCKED:
        return ""
    allow = " ".join(f"--allow {one['guard']}" for one in plan.shown["guards"])
    return (
        f"Look at it: `lectern term show {plan.term} --plan {plan.id}`. If it is wrong, mend the export and send it "
        f"again. If it is right: `lectern term apply {plan.term} {plan.id} {allow}`."
    )


def _recording(subject: str) -> str:
    return subject.removeprefix(f"{SWEEP}:")


def _title(own: Named | None) -> str:
    return f"“{own.title}”" if own else "a recording that is no more"


def _said(problem: Mapping[str, Any]) -> str:
    return str(problem.get("detail") or problem.get("title") or "nothing more is known")
