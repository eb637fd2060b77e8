"""A plan is made: the body read, compared, and what comes of it kept. Nothing else is changed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any

import structlog
from sqlalchemy import select, update
from sqlmodel import Session, SQLModel, col

from app.database.counters import count
from app.database.database import Database
from app.database.many_rows import insert_rows, portions
from app.database.types import new_id, utc_now
from app.http.errors import InvalidDocument, KalturaUnavailable, PayloadTooLarge, Problem, RefusedByKaltura
from app.kaltura.client import KalturaClient
from app.recordings.document.campus import look_up
from app.recordings.document.categories import is_category
from app.resources.lookup import kaltura_answers
from app.resources.rounds import RESOURCES, was_read
from app.terms.comparing.compare import Comparison
from app.terms.comparing.guards import Before, tripped
from app.terms.comparing.items import APPLIED, Item, Kind
from app.terms.comparing.known import days_of, slot_of, times_of
from app.terms.comparing.summary import summed_up
from app.terms.keeping import find_term
from app.terms.meetings.errors import CannotReadError
from app.terms.meetings.frame import frame
from app.terms.meetings.profiles import KALTURA
from app.terms.meetings.rows import Reading
from app.terms.meetings.settings import TermSettings
from app.terms.models import Apply, ApplyStatus, Plan, PlanStatus
from app.terms.planning.world import SqlWorld, known, resource_names
from app.terms.reading.read import Form, categories, read, reject_unknown_categories
from app.terms.retention import delete_plans

log = structlog.get_logger(__name__)

FRESH = timedelta(hours=24)  # how long a plan may be applied
KEPT = 30  # plans of a term, with their items
CHUNK = 64 * 1024  # bytes
ROWS = 1000  # of one statement

_ITEM = SQLModel.metadata.tables["term_item"]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a body is to be read. `charset`, `profile` and `complete` are for CSV."""

    form: Form
    charset: str | None = None
    profile: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Planner:
    """One a process. `default_zone` is that of terms without one."""

    database: Database
    kaltura: KalturaClient
    default_zone: str

    def begin(self, client: str, term: str, now: datetime | None = None) -> str:
        """A new plan's row, while it is being made. Raises NotFound."""
        with self.database.write() as session:
            find_term(session, client, term)
            now = now or utc_now()
            plan = Plan(
                id=new_id("pln"),
                number=count(session, "term_plan"),
                client=client,
                term=term,
                shown={},
                head={},
                created_at=now,
                expires_at=now + FRESH,
            )
            session.add(plan)
            _forget(session, client, term)
            return plan.id

    def make(self, plan_id: str, body: IO[bytes], asked: Asked, now: datetime | None = None) -> Problem | None:
        """Reads and compares. What makes it impossible is kept in the plan, and returned."""
        try:
            self._make(plan_id, body, asked, now or utc_now())
        except CannotReadError as error:
            problem: Problem = InvalidDocument(error.detail, errors=error.errors, reason=error.code)
            if error.code == "too_many_meetings":
                problem = PayloadTooLarge(error.detail)
            self._fail(plan_id, problem)
            return problem
        except Exception:
            self._fail(plan_id, None)
            raise
        return None

    def refuse(self, client: str, term: str, why: Problem) -> None:
        """A declaration that was not even taken in. It is kept as a plan of which nothing came, for findings."""
        self._fail(self.begin(client, term), why)

    def _fail(self, plan_id: str, problem: Problem | None) -> None:
        values = {"status": PlanStatus.FAILED, "problem": problem and problem.document()}
        with self.database.write() as session:
            session.execute(update(Plan).where(col(Plan.id) == plan_id).values(values))

    def _make(self, plan_id: str, body: IO[bytes], asked: Asked, now: datetime) -> None:
        with self.database.read() as session:
            plan = session.get_one(Plan, plan_id)
            term = find_term(session, plan.client, plan.term)
            settings = TermSettings.model_validate(term.settings)
            names = resource_names(session) if was_read(session, RESOURCES) else None
            kept = known(session, plan.client, plan.term, now)
        by_resource = asked.profile == KALTURA or not settings.rooms
        if by_resource and names is None:
            names = self._resources()
        within = frame(settings, self.default_zone, now, names if by_resource else None)
        reading = read(
            iter(lambda: body.read(CHUNK), b""),
            asked.form,
            within,
            charset=asked.charset,
            profile=asked.profile,
            complete=asked.complete,
        )
        self._check_categories(reading, {one.hash for one in kept})
        with self.database.read() as session:
            campus = look_up(session, sorted({name for meeting in reading.meetings for name in meeting.calendars}))
            world = SqlWorld(session, plan.client, now)
            items = Comparison(reading, kept, world, within, campus, plan.term, now).items()
        before = Before(term.sections, term.generated_at)
        guards = tripped(reading, items, kept, before, settings.guards, now)
        shown = summed_up(reading, items, kept, guards)
        status = PlanStatus.READY if any(item.kind in APPLIED for item in items) else PlanStatus.NOTHING_TO_DO
        self._keep(plan_id, reading, items, shown, PlanStatus.BLOCKED if guards else status)

    def _resources(self) -> dict[int, str] | None:
        """Kaltura's resources, where the declaration itself names them; None if it does not answer."""
        try:
            with kaltura_answers():
                return {one.id: one.system_name for one in self.kaltura.list_resources() if one.system_name}
        except (KalturaUnavailable, RefusedByKaltura):
            return None

    def _check_categories(self, reading: Reading, unchanged: set[str | None]) -> None:
        """Asks Kaltura for those of new or changed meetings; if it does not answer, applying will find out."""
        news = [one for one in reading.meetings if not one.skip and unchanged.isdisjoint((one.hash, one.was))]
        asked = {category for meeting in news for category in meeting.words.categories} & categories(reading)
        try:
            with kaltura_answers():
                unknown = {category for category in asked if not is_category(self.kaltura, category)}
        except (KalturaUnavailable, RefusedByKaltura):
            return
        reject_unknown_categories(reading, unknown)

    def _keep(
        self, plan_id: str, reading: Reading, items: Sequence[Item], shown: dict[str, Any], status: PlanStatus
    ) -> None:
        generated = reading.head.generated_at
        head = {
            "complete": reading.head.complete,
            "sections": len(reading.sections),
            "generated_at": generated and generated.isoformat(),
        }
        frozen = hashlib.sha256()
        for some in portions(items, ROWS):  # in parts: nobody else's writing is to wait for all of them
            rows = [_row(plan_id, item) for item in some]
            for row in rows:
                frozen.update(json.dumps([row["shown"], row["work"]], sort_keys=True).encode())
            with self.database.write() as session:
                insert_rows(session.connection(), _ITEM, rows)
        values = {"status": status, "shown": shown, "head": head, "sha256": frozen.hexdigest()}
        with self.database.write() as session:
            session.execute(update(Plan).where(col(Plan.id) == plan_id).values(values))
        log.info("planned", plan_id=plan_id, status=str(status), items=len(items))


def _row(plan_id: str, item: Item) -> dict[str, Any]:
    return {
        "plan_id": plan_id,
        "n": item.n,
        "kind": str(item.kind),
        "section": item.section,
        "reason": item.reason,
        "shown": item.shown(),
        "work": _work(item),
        "rank": item.rank,
        "party": item.group,
        "outcome": None,
        "recording_id": item.recording_id,
        "chain_id": None,
        "problem": None,
    }


def _work(item: Item) -> dict[str, Any] | None:
    """What applying the item needs; `meeting` is what the term keeps of it from then on."""
    rewritten = item.kind == Kind.UNCHANGED and item.declared is not None
    if item.kind not in APPLIED and not rewritten:
        return None
    kept: dict[str, Any] | None = None
    if item.meeting is not None and item.declared is not None:
        meeting = item.meeting
        kept = {
            "sections": list(meeting.sections),
            "meeting": meeting.meeting,
            "hash": item.hash,
            "slot": slot_of(meeting),
            "times": times_of(meeting),
            "days": days_of(meeting),
            "document": item.declared,
        }
    return {
        "known": item.known and item.known.id,
        "etag": item.etag,
        "document": item.document,
        "after": [other.n for other in item.after],
        "keeps": kept,
    }


def _forget(session: Session, client: str, term: str) -> None:
    """Deletes plans before the last KEPT, but for those that may be applied, or are. Those of which nothing came drive
    no others out."""
    mine = (col(Plan.client) == client, col(Plan.term) == term)
    busy = select(col(Apply.plan_id)).where(col(Apply.status) != ApplyStatus.DONE)
    failed = col(Plan.status) == PlanStatus.FAILED
    over = (col(Plan.expires_at) < utc_now(), col(Plan.id).not_in(busy))
    for some in (failed, ~failed):
        numbers = select(col(Plan.number)).where(*mine, some).order_by(col(Plan.number).desc()).correlate(None)
        last = numbers.offset(KEPT - 1).limit(1).scalar_subquery()
        old = select(col(Plan.id)).where(*mine, some, *over, col(Plan.number) < last).limit(KEPT)
        delete_plans(session, session.execute(old).scalars().all())
