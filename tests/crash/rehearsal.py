"""What an undisturbed chain calls and leaves in Kaltura: found by running it once, so that a new step is covered too.

The points at which a service can be killed follow from the calls:

    intent 1 ─▶ call 1 ─▶ result 1 + intent 2 ─▶ call 2 ─▶ … ─▶ call n ─▶ result n ─▶ over
             ▲        ▲                       ▲        ▲              ▲
          before    after                  before    after          after            end

A result is committed together with the next intent, so after a call's checkpoint is before the next call.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, create_engine, insert, update
from sqlalchemy.pool import NullPool
from sqlmodel import col

from app.database.types import utc_now
from app.recordings.document.document import EXAMPLE
from app.resources.mirror.refresh import FIRST_PER_SECOND
from app.resources.models import Mirror, Resource
from app.sandbox.simulator import Sandbox
from tests.crash.watching import PHASES, Meddling, Point, Watch
from tests.sandbox.kaltura import HOUR, embedded
from tests.service import lectern

Json = dict[str, Any]
Document = Callable[[str], Json]  # by the name of its room, which is its title and its reference_id too

REFRESHES = 1  # looks at schedules per second that the service is allowed
LOOKS = int(FIRST_PER_SECOND)  # those at new resources, too
NOTHING: Json = {"entries": [], "events": [], "links": []}
SPRING_GAP = 1805009400  # 2027-03-14T07:30:00Z


def series(name: str) -> Json:
    """DESIGN's example in a room of its own, which the chain makes: 40 sessions of which 4 are cancelled."""
    room = {"system_name": name, "name": name, "description": "Made by its first recording"}
    return {**deepcopy(EXAMPLE), "reference_id": name, "title": name, "resource": room}


def two_events(name: str) -> Json:
    """Three days at 02:30, which does not exist on the last: that one is a single event (at 03:30, RFC 5545)."""
    days = {"start": "2027-03-12T02:30:00", "recurrence": {"frequency": "daily", "count": 3}, "exclude": []}
    return {**series(name), **days}


def _book_the_room(sandbox: Sandbox, room: str) -> None:
    kaltura = embedded(sandbox).sign_in("somebody")
    (resource,) = (one["id"] for one in sandbox.state()["resources"] if one.get("systemName") == room)
    kaltura.link(kaltura.add_event(startDate=SPRING_GAP, endDate=SPRING_GAP + HOUR)["id"], resource)
    kaltura.client.close()


def _take_the_slot(sandbox: Sandbox, room: str) -> None:
    """Kaltura has room for one single event a template entry and time (exchange 208)."""
    kaltura = embedded(sandbox).sign_in("somebody")
    (entry,) = (one["id"] for one in sandbox.state()["entries"] if one["name"] == room)
    kaltura.add_event(startDate=SPRING_GAP, endDate=SPRING_GAP + HOUR, templateEntryId=entry)
    kaltura.client.close()


# On the way of `two_events`: before its room is asked about once more, or between its first event and its second.
BOOKED = Meddling("media.add", _book_the_room, "schedule_conflict")
TAKEN = Meddling("scheduleEvent.add", _take_the_slot, "refused_by_kaltura")


@dataclass(frozen=True)
class Rehearsal:
    """An undisturbed run of a document: its calls, in order, and what it leaves in Kaltura."""

    document: Document
    meddling: Meddling | None
    calls: tuple[str, ...]
    left: Json

    @property
    def ends(self) -> str:
        """The recording's last status."""
        return "failed" if self.meddling else "scheduled"

    def points(self) -> list[Point]:
        """Where a kill makes a difference. Of equal calls in a row the first and the last; where somebody meddles only
        what comes after it."""
        first = self.meddling.after(self.calls) + 1 if self.meddling else 0
        within = [
            Point(number, call, phase)
            for number, call in enumerate(self.calls)
            if number >= first and self.calls[max(0, number - 1) : number + 2] != (call,) * 3
            for phase in PHASES
        ]
        return [*within, Point(len(self.calls), "over", "end")]


@cache
def rehearse(document: Document, meddling: Meddling | None = None) -> Rehearsal:
    """Runs a document in this process, against a sandbox of its own."""
    with tempfile.TemporaryDirectory() as folder, lectern(Path(folder), refreshes_per_second=REFRESHES) as service:
        service.get("/resources")
        look_at_no_room(service.app.state.settings.database_url)
        watch = Watch(service.sandbox)
        watch.follow(None, meddling, "rehearsal")
        shown = service.schedule(document("rehearsal")).json()
        left = standing(service.sandbox.state(), shown.get("recording_id", shown.get("id")))
        return Rehearsal(document, meddling, tuple(watch.calls), left)


def look_at_no_room(database_url: str) -> None:
    """From now on the service looks at no schedule of its own accord: every call that is seen is a chain's.

    As many resources as may be looked at in a second have just been looked at, for ever.
    """
    others = [{"id": 10_000_000 + n, "name": "Another", "kind": "camera", "seen_at": utc_now()} for n in range(LOOKS)]
    rows(database_url, insert(Resource).values(others).returning(col(Resource.id)))
    looked_at = update(Mirror).values(claimed_at=1e12).returning(col(Mirror.resource_id))
    assert len(rows(database_url, looked_at)) > LOOKS


def rows(database_url: str, statement: Executable) -> Sequence[Row[Any]]:
    """What somebody else who looks into the service's database sees, or does."""
    with create_engine(database_url, poolclass=NullPool).begin() as connection:
        return connection.execute(statement).all()


def standing(state: Mapping[str, list[Json]], recording_id: str) -> Json:
    """What stands in Kaltura for a recording, without what differs from run to run: ids, names, times of making.

    `{"entries": [number], "events": [(number, recurrence type, start, end, status)], "links": [(event's number, is it
    to the recording's room)]}`; the number is that of the object's `referenceId`, an occurrence has its series'.
    """
    prefix = f"lectern-{recording_id}-"

    def number(one: Json) -> int:
        return int(one["referenceId"].removeprefix(prefix).partition("-")[0])

    def of_it(one: Json) -> bool:
        return str(one.get("referenceId", "")).startswith(prefix)

    events = {one["id"]: one for one in state["events"] if of_it(one)}
    rooms = {one["id"]: one.get("systemName") for one in state["resources"]}
    return {
        "entries": sorted(number(one) for one in state["entries"] if of_it(one)),
        "events": sorted(
            (number(one), one["recurrenceType"], one["startDate"], one["endDate"], one["status"])
            for one in events.values()
        ),
        "links": sorted(
            (number(event), rooms[link["resourceId"]] == event["summary"])
            for link in state["event_resources"]
            if (event := events.get(link["eventId"])) is not None
        ),
    }
