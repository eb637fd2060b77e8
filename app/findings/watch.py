"""Notices when a finding is raised or cleared: once, by one process of several.

    every EVERY seconds, in each process:   write signs of life, see whether Kaltura answers
    in the one that holds the watch:        look ──▶ compare with `open_finding` ──▶ tell, in the same transaction

What has grown worse is told once more. What grows milder is not, nor when it then grows as bad as it was.

The watch is held by whoever's time stands in its row of `upkeep`: its holder moves that on before it is over, so the
watch stays with one process, which has one memory of Kaltura. It is moved on once more by what is written: a holder
that was asleep for so long that another has taken over finds another time there, and writes nothing.
"""

from collections.abc import Callable, Sequence

import structlog
from pydantic import ValidationError
from sqlalchemy import Float, bindparam, or_, select, update
from sqlmodel import Session, SQLModel

from app.database.background import Background
from app.database.counters import count
from app.database.database import Database
from app.database.types import database_now, insert, utc_now
from app.findings.finding import RANK, Finding
from app.findings.looking import Findings
from app.findings.models import OpenFinding
from app.notices.models import NoticeKind
from app.notices.telling import tell

log = structlog.get_logger(__name__)

NAME = "findings"  # of the watch, and of the counter
EVERY = 15.0  # seconds between two looks
HELD = 45.0  # seconds after which another process takes over

Tell = Callable[[Session, Finding], object]
"""Told of a finding in the transaction that makes it known: what it writes is there if, and only if, that is."""

_UPKEEP = SQLModel.metadata.tables["upkeep"]
_MINE = _UPKEEP.c.due_at == bindparam("held", type_=Float(53))
_MOVE_ON = (
    update(_UPKEEP)
    .where(_UPKEEP.c.name == NAME, or_(_MINE, _UPKEEP.c.due_at <= database_now()))
    .values(due_at=database_now() + HELD)
    .returning(_UPKEEP.c.due_at)
)
_STILL = select(_UPKEEP.c.due_at).where(_UPKEEP.c.name == NAME, _MINE).with_for_update()


def _as_it_was(row: OpenFinding) -> Finding | None:
    """None: of a kind that another version knows. Its end is not told."""
    try:
        return Finding.model_validate(row.finding)
    except ValidationError:
        log.warning("finding_of_another_version", key=row.key)
        return None


def _is_worse(now: Finding, told: OpenFinding) -> bool:
    """Whether it is worse than when somebody was last told of it."""
    return RANK[now.severity] < RANK.get(told.finding["severity"], 0)


class Watch:
    """The thread of a process that watches, while it serves."""

    def __init__(
        self,
        database: Database,
        findings: Findings,
        *,
        raised: Tell,
        cleared: Tell,
        before: Sequence[Callable[[], object]] = (),
    ) -> None:
        """`before` is done before each look, in every process."""
        self._database = database
        self._findings = findings
        self._raised = raised
        self._cleared = cleared
        self._before = before
        self._held = 0.0  # until when this process holds the watch, by the database's clock; 0: it does not
        self.thread = Background("findings", self._work, EVERY)
        self._first = insert(database.kind, _UPKEEP).values(name=NAME, due_at=0.0).on_conflict_do_nothing()

    def look(self) -> bool:
        """Looks, and tells what is new, if this process holds the watch. Whether it does."""
        with self._database.write() as session:
            if self._held == 0.0:
                session.connection().execute(self._first)
            self._held = session.connection().execute(_MOVE_ON, {"held": self._held}).scalar_one_or_none() or 0.0
        if self._held == 0.0:
            return False
        with self._database.read() as session:
            found = {one.key: one for one in self._findings.now(session)}
        with self._database.write() as session:
            if session.connection().execute(_STILL, {"held": self._held}).first() is None:
                return False
            told = self._compare(session, found)
        for happened, one in told:
            log.info(happened, kind=str(one.kind), severity=str(one.severity), key=one.key)
        return True

    def _compare(self, session: Session, found: dict[str, Finding]) -> list[tuple[str, Finding]]:
        before = {row.key: row for row in session.execute(select(OpenFinding)).scalars()}
        for row in [row for key, row in before.items() if key in found and _is_worse(found[key], row)]:
            session.delete(before.pop(row.key))  # as if nobody had been told
        session.flush()
        new = [one for key, one in found.items() if key not in before]
        over = sorted((row for key, row in before.items() if key not in found), key=lambda row: row.number)
        gone = [one for row in over if (one := _as_it_was(row)) is not None]
        for one in new:
            session.add(
                OpenFinding(
                    key=one.key,
                    kind=one.kind,
                    number=count(session, NAME),
                    raised_at=utc_now(),
                    finding=one.model_dump(mode="json"),
                )
            )
        for row in over:
            session.delete(row)
        session.flush()  # telling comes last: whoever has something to tell waits from then on
        for one in new:
            self._raised(session, one)
        for one in gone:
            self._cleared(session, one)
        return [*(("finding_raised", one) for one in new), *(("finding_cleared", one) for one in gone)]

    def _work(self) -> float:
        for each in self._before:
            each()
        self.look()
        return EVERY


# Findings as notices


def raised(session: Session, found: Finding) -> None:
    _tell_of(session, NoticeKind.FINDING_RAISED, found)


def cleared(session: Session, found: Finding) -> None:
    _tell_of(session, NoticeKind.FINDING_CLEARED, found)


def _tell_of(session: Session, kind: NoticeKind, found: Finding) -> None:
    """What is nobody's own is told to those who see all."""
    subject = found.subject.recording_id or found.key
    tell(session, kind, found.client or None, subject, found.model_dump(mode="json", exclude={"key", "client"}))
