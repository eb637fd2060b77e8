"""What a calendar says reaches the recordings that name it: the thread that brings up whoever is behind.

Each recording keeps which version of its calendars it follows. One that is behind is changed by a chain of its own, if
a session that lies ahead is touched; else only its version is written. A recording on which a chain is at work is left
for later, and one that was tried for this version, and could not be changed, until the calendar changes or is sent once
more. So nothing is lost by a `kill -9`, and nothing is done twice, whoever looks, and however many.

One process of several looks at a time. Chains are begun a few at once, so that no other recording waits behind them.
"""

import time
from collections.abc import Callable

import structlog
from fastapi.exceptions import RequestValidationError
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel, col

from app.calendars.telling import tell_applied
from app.chains.models import Chain
from app.chains.store import AT_WORK, Store, latest_chains
from app.database.background import Background
from app.database.database import Database
from app.database.deadlocks import again_if_crossed
from app.http.errors import ChainRunning, NotChangeable
from app.recordings.changing import requests
from app.recordings.changing.occurrences.hiding import show_wanted
from app.recordings.document.campus import look_up, note_tried
from app.recordings.document.document import RecordingDocument
from app.recordings.models import Calendar, Recording, RecordingCalendar, RecordingStatus
from app.recordings.scheduling.accept import lock_and_reload
from app.recordings.upkeep import claim

log = structlog.get_logger(__name__)

POLL = 1.0  # seconds between two looks for a recording that is behind
PAUSE = 0.05  # seconds until it is looked whether one of its chains has ended
TURN = 5.0  # seconds for which one process goes on
LEASE = 15.0  # seconds after which another takes over from one that died
WAITERS = 8  # times as many chains as run at once may wait for Kaltura
PORTION = 50  # recordings that are looked up at once

_UPKEEP = SQLModel.metadata.tables["upkeep"]
_NAME = "calendars"
_BEHIND = (
    select(col(RecordingCalendar.recording_id))
    .distinct()
    .join(Calendar, col(Calendar.name) == col(RecordingCalendar.calendar))
    .join(Recording, col(Recording.id) == col(RecordingCalendar.recording_id))
    .where(
        col(RecordingCalendar.version) < col(Calendar.version),
        col(RecordingCalendar.tried).is_(None) | (col(RecordingCalendar.tried) < col(Calendar.version)),
        col(Recording.status) == RecordingStatus.SCHEDULED,
        col(RecordingCalendar.recording_id) > bindparam("after"),
    )
    .order_by(col(RecordingCalendar.recording_id))
    .limit(bindparam("most"))
)
_UNDER_WAY = select(col(Chain.id), AT_WORK).where(
    col(Chain.id).in_(bindparam("of", expanding=True)),
    col(Chain.waiting_for).is_(None),
    col(Chain.next_attempt_at).is_not(None),
)
_RELEASE = update(_UPKEEP).where(_UPKEEP.c.name == _NAME).values(due_at=0.0)


class FanOut:
    """The thread of a process that brings recordings up to their calendars, `at_once` chains at a time.

    `nudge` tells the workers that there is a chain.
    """

    def __init__(self, database: Database, store: Store, at_once: int, nudge: Callable[[], None]) -> None:
        self._database = database
        self._store = store
        self._at_once = at_once
        self._nudge = nudge
        # The chains of this process that were not over when it last looked, and in no line: whether they were at work.
        self._begun = dict[str, bool]()
        self._claim = claim(database, _NAME, LEASE)
        self.thread = Background("calendars", self._work, POLL)

    def run(self) -> int:
        """Brings up who is behind, if nobody else does. How many chains were begun for that."""
        if not self._behind("", 1):
            return 0
        with self._database.write() as session:
            if session.connection().execute(self._claim).first() is None:
                return 0
        try:
            return self._bring_up()
        finally:
            with self._database.write() as session:
                session.connection().execute(_RELEASE)

    def _bring_up(self) -> int:
        until, after, count = time.monotonic() + TURN, "", 0
        while found := self._behind(after, PORTION):
            for recording_id in found:
                while self._is_full():
                    if self.thread.sleep(PAUSE) or time.monotonic() > until:
                        return count
                if self.thread.stopping or time.monotonic() > until:
                    return count
                count += self._catch_up(recording_id)
            after = found[-1]
        return count

    def _behind(self, after: str, most: int) -> list[str]:
        with self._database.read() as session:
            return list(session.execute(_BEHIND, {"after": after, "most": most}).scalars())

    def _is_full(self) -> bool:
        """A chain in line for its room keeps nobody from work, however many there are. One that waits for Kaltura does
        not either, unless there are many of them: when Kaltura is back, all would go before a single document.
        """
        if len(self._begun) >= self._at_once:
            with self._database.read() as session:
                rows = session.execute(_UNDER_WAY, {"of": list(self._begun)})
                self._begun = {chain_id: bool(at_work) for chain_id, at_work in rows}
        return sum(self._begun.values()) >= self._at_once or len(self._begun) >= WAITERS * self._at_once

    def _catch_up(self, recording_id: str) -> bool:
        """Whether a chain was begun."""
        try:
            chain_id = again_if_crossed(lambda: self._begin(recording_id))
        except SQLAlchemyError:
            raise
        except Exception:  # a mistake of ours about this one: all others follow
            log.exception("cannot_follow", recording_id=recording_id)
            with self._database.write() as session:
                self._give_up(session, session.get_one(Recording, recording_id))
            return False
        if chain_id is None:
            return False
        log.info("follows", recording_id=recording_id, chain_id=chain_id)
        self._begun[chain_id] = True
        self._nudge()
        return True

    def _begin(self, recording_id: str) -> str | None:
        with self._database.write() as session:
            found = session.get(Recording, recording_id)
            if found is None:
                return None
            recording = lock_and_reload(session, self._store, found)
            try:
                requests.ensure_changeable(session, recording)
                accepted = requests.catch_up(session, self._store, recording)
            except ChainRunning:
                self._show_wanted(session, recording)
                return None  # later
            except NotChangeable:
                return None  # later
            except RequestValidationError as error:  # kept by an older version, which took what this one does not
                log.error("cannot_follow", recording_id=recording_id, errors=len(error.errors()))
                self._give_up(session, recording)
                return None
            return accepted.chain_id if accepted else None

    def _show_wanted(self, session: Session, recording: Recording) -> None:
        """Its chain may follow an older version, and wait for Kaltura: what that one has hidden from encoders, and is
        to be held by now, is shown."""
        if latest_chains(session, [recording.id])[recording.id].operation == "calendar":
            document = RecordingDocument.model_validate(recording.document)
            campus = look_up(session, document.calendars).within(document, recording.time_zone)
            show_wanted(session, recording.id, campus.on(document.schedule(recording.time_zone)))

    def _give_up(self, session: Session, recording: Recording) -> None:
        note_tried(session, recording.id, look_up(session, recording.document.get("calendars", [])), None)

    def _work(self) -> float:
        self.run()
        tell_applied(self._database, lambda: self.thread.stopping)
        return POLL
