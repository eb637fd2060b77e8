"""One recording as a page shows it, and what each action would do, in a sentence, before it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from app.access.keys import Client
from app.console.words import Asked, count, isolated, step, when
from app.database.database import Database
from app.database.types import utc_now
from app.http.errors import NotFound
from app.recordings import whose
from app.recordings.changing import requests
from app.recordings.models import Recording, RecordingStatus
from app.recordings.reading import queries
from app.recordings.reading.views import ChainView, OccurrenceView, RecordingView

EACH = 60  # sessions on a page
OVER = (RecordingStatus.CANCELLED, RecordingStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Shown:
    """`version` is its ETag: a form that was made for another one changes nothing."""

    recording: RecordingView
    document: Mapping[str, object]
    occurrences: Sequence[OccurrenceView]
    history: Sequence[ChainView]
    version: str
    differing: frozenset[str]
    listed: bool
    now: datetime

    @property
    def coming(self) -> list[OccurrenceView]:
        return [one for one in self.occurrences if one.status == "scheduled" and one.start > self.now]

    @property
    def running(self) -> OccurrenceView | None:
        return next((one for one in self.occurrences if one.status == "scheduled" and one.start <= self.now), None)

    @property
    def room(self) -> str:
        """For a sentence."""
        resource = self.recording.resource
        return isolated(resource.name or resource.system_name or str(resource.id or "a room that is not known yet"))

    def room_of(self, one: OccurrenceView) -> str:
        """Which may be its own."""
        return isolated(one.resource.name) if one.resource.name else self.room

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.occurrences) // EACH))

    @property
    def first_page(self) -> int:
        """Where the sessions begin that are not over."""
        over = sum(one.end <= self.now for one in self.occurrences)
        return min(over // EACH + 1, self.pages)

    def page(self, number: int) -> Sequence[OccurrenceView]:
        return self.occurrences[(number - 1) * EACH : number * EACH]

    def state(self, one: OccurrenceView) -> str:
        """One of `words.STATES`."""
        if self.recording.status == RecordingStatus.FAILED and one.status == "cancelled":
            return "not_scheduled"
        if one.status != "scheduled":
            return one.status
        if one.id in self.differing or self.recording.status == RecordingStatus.STUCK:
            return "trouble"
        if one.event_id is None:
            return "planned"
        return "recording" if one.start <= self.now else "ahead"

    @property
    def under_way(self) -> list[ChainView]:
        """What is not done yet, and may wait for a person."""
        return [one for one in self.history if one.finished_at is None]

    @property
    def ended(self) -> list[ChainView]:
        return [one for one in self.history if one.finished_at is not None]

    @property
    def may_resume(self) -> bool:
        chain = self.recording.chain
        waits = chain is not None and chain.status in ("waiting", "stuck")
        return self.recording.status == RecordingStatus.STUCK or waits or bool(self.recording.drift)

    @property
    def may_cancel(self) -> bool:
        return self.recording.status not in (*OVER, RecordingStatus.CANCELLING) and bool(self.coming or self.running)

    @property
    def may_delete(self) -> bool:
        """Nothing came of it, and it stands among what has to be seen to until somebody takes it away."""
        return self.recording.status == RecordingStatus.FAILED and self.listed

    @property
    def may_change(self) -> bool:
        return self.recording.status == RecordingStatus.SCHEDULED

    @property
    def moves_on(self) -> bool:
        """Whether it changes by itself, so that a look a little later shows something else."""
        return self.recording.status in (RecordingStatus.SCHEDULING, RecordingStatus.CANCELLING) or (
            self.recording.chain is not None and self.recording.chain.finished_at is None
        )


def shown(database: Database, client: Client, recording_id: str, server_zone: ZoneInfo) -> Shown:
    """Raises NotFound."""
    with database.read() as session:
        recording = whose.find(session, client, recording_id)
        view = queries.view(session, recording, server_zone)
        return Shown(
            view,
            recording.document,
            queries.occurrences(session, recording),
            queries.history(session, recording),
            requests.etag(recording),
            frozenset(one.occurrence_id for one in view.drift if one.occurrence_id),
            recording.listed,
            utc_now(),
        )


def by_short(session: Session, client: Client, short: str) -> Recording | None:
    """The client's recording whose id begins so. Two that do are as likely as a guess of one of a billion."""
    if not short.isalnum() or not short.isascii():
        return None
    rest = 26 - len(short)
    span = col(Recording.id).between(f"rec_{short}{'0' * rest}", f"rec_{short}{'z' * rest}")
    found = session.execute(select(Recording).where(span).limit(2)).scalars().all()
    return next((one for one in found if client.owns(one.client)), None)


def find_short(database: Database, client: Client, short: str) -> str:
    """Raises NotFound."""
    with database.read() as session:
        found = by_short(session, client, short)
    if found is None:
        raise NotFound("There is no such recording.")
    return found.id


# What would happen


def what_cancel_does(seen: Shown) -> Asked:
    if seen.may_delete:
        what = "Nothing of it was scheduled. It is not shown among what has to be seen to any more."
        return Asked("Delete this recording?", what, "Delete the recording")
    coming = len(seen.coming)
    also = " The session that runs now is ended." if seen.running else ""
    what = f"This cancels {count(coming, 'coming session')} in {seen.room}; what was recorded stays.{also}"
    return Asked("Cancel this recording?", what, "Cancel the recording", dangerous=True)


def what_resume_does(seen: Shown) -> Asked:
    chain = seen.recording.chain
    if chain is not None and chain.status in ("waiting", "stuck"):
        first = next((one for one in chain.steps if one.status != "succeeded"), None)
        at = f", from its open step “{step(first.name)}”" if first else ""
        return Asked("Resume?", f"This takes the chain up again at once{at}. Nothing is made twice.", "Resume")
    differences = count(len(seen.recording.drift), "difference")
    what = f"This mends {differences} in Kaltura: what is missing is made again, what is extra is cancelled."
    return Asked("Mend what differs?", what, "Mend")


def what_cancelling_one_does(seen: Shown, one: OccurrenceView) -> Asked:
    begins, room = when(one.local_start), seen.room_of(one)
    if one.start <= seen.now:
        what = f"This ends the session that has been running in {room} since {begins}; what was recorded stays."
        return Asked("End this session?", what, "End the session", dangerous=True)
    what = f"This cancels the session on {begins} in {room}. All others stay. It can be restored."
    return Asked("Cancel this session?", what, "Cancel the session", dangerous=True)


def what_restoring_does(seen: Shown, one: OccurrenceView) -> Asked:
    what = f"This schedules the session on {when(one.local_start)} in {seen.room_of(one)} again."
    return Asked("Restore this session?", what, "Restore")


def occurrence_of(seen: Shown, occurrence_id: str) -> OccurrenceView:
    """Raises NotFound."""
    found = next((one for one in seen.occurrences if one.id == occurrence_id), None)
    if found is None:
        raise NotFound("The recording has no such session.")
    return found


SAID = {
    "cancelled": "The recording is cancelled. What was recorded stays.",
    "cancelling": "It is being cancelled; that goes on in the background.",
    "resumed": "It was taken up again.",
    "resuming": "It was taken up again, and goes on in the background.",
    "session-cancelled": "The session is cancelled.",
    "session-restored": "The session takes place again.",
    "session-moved": "The session is moved.",
    "going": "That goes on in the background.",
    "scheduled": "It is scheduled.",
    "scheduling": "It is accepted, and goes on in the background.",
}
"""What a page says first, after a form has done what it says. An address names one of these, and no text."""
