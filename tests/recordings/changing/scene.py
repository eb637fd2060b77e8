"""A recording that has begun some weeks ago, its changes, and what must be true after each of them.

Its sessions are an hour long, one a day, where it is noon now and no clock changes. Number 16 is today's, at three:

    0 … 15 are past │ 16 … 29 lie ahead
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from httpx2 import Response

from app.database.types import utc_now
from app.sandbox.seed.seed import CATEGORY_ID
from tests.service import Json, Lectern, eventually, found, utc

ZONE = ZoneInfo(f"Etc/GMT{utc_now().hour - 12:+d}")  # west of Greenwich is + in these names
PAST, COUNT = 16, 30
TODAY = PAST
HOUR = timedelta(hours=1)
SIGN_IN = ("session", "appToken")  # services that no chain calls
MIRROR = (
    *("scheduleEvent.list", "scheduleEvent.get", "scheduleEventResource.list"),
    *("scheduleResource.list", "media.list"),  # of its rounds
)
CAMERA = {"objectType": "KalturaCameraScheduleResource"}
_NUMBERS = count(1)


class Session(NamedTuple):
    """A session in Kaltura."""

    start: datetime
    end: datetime
    event_id: int
    status: str  # active, cancelled
    rooms: tuple[str, ...]


@dataclass
class Scene:
    service: Lectern
    number: int  # of the scene, which has rooms of its own
    began: datetime  # the first session's start, wall-clock time
    recording: Json = field(default_factory=dict)
    before: list[Session] = field(default_factory=list)  # what was past before the change

    @property
    def room(self) -> str:
        return f"ROOM-{self.number}"

    @property
    def other(self) -> str:
        """A room where nothing is booked."""
        return f"OTHER-{self.number}"

    @property
    def third(self) -> str:
        """Another one."""
        return f"THIRD-{self.number}"

    @property
    def reference(self) -> str:
        return f"SIS-{self.number}"

    @property
    def id(self) -> str:
        return str(self.recording["id"])

    @property
    def path(self) -> str:
        return f"/recordings/{self.id}"

    def day(self, number: int) -> str:
        return f"{self.began + timedelta(days=number):%Y-%m-%d}"

    def start(self, number: int, **later: float) -> datetime:
        """When a session begins by the document as it was, or so much later."""
        return (self.began + timedelta(days=number, **later)).replace(tzinfo=ZONE).astimezone(UTC)

    def local(self, number: int = 0, **later: float) -> str:
        """The same as a document says it."""
        return f"{self.began + timedelta(days=number, **later):%Y-%m-%dT%H:%M:%S}"

    # Requests

    def patch(self, **changes: Any) -> Response:
        return self.service.client.patch(self.path, json=changes)

    def changed(self, **changes: Any) -> Json:
        """The recording after a patch that must be done."""
        return self._done(self.patch(**changes))

    def deleted(self) -> Json:
        return self._done(self.service.client.delete(self.path))

    def _done(self, answer: Response) -> Json:
        self.recording = found(answer)
        return self.recording

    def occurrence(self, number: int) -> Json:
        """A session by the date that it was on at first."""
        return self.uids[number]

    def move(self, number: int, **wanted: Any) -> Response:
        return self.service.client.patch(f"{self.path}/occurrences/{self.uids[number]['id']}", json=wanted)

    def cancel(self, number: int) -> Response:
        return self.service.client.delete(f"{self.path}/occurrences/{self.uids[number]['id']}")

    def restore(self, number: int) -> Response:
        return self.service.client.post(f"{self.path}/occurrences/{self.uids[number]['id']}/restore")

    # What is seen

    def look(self, recording: Json | None = None) -> None:
        """Remembers the recording, its sessions' ids, and what is past in Kaltura."""
        self.recording = recording or self.service.get(self.path)
        self.uids = self.occurrences()
        self.before = self.past()

    def occurrences(self) -> list[Json]:
        items: list[Json] = self.service.get(f"{self.path}/occurrences")["items"]
        return items

    def scheduled(self) -> list[Json]:
        """Those that lie ahead, and the one that runs."""
        return [one for one in self.occurrences() if one["status"] == "scheduled"]

    def status(self, number: int) -> str:
        uid = self.uids[number]["id"]
        return next((str(one["status"]) for one in self.occurrences() if one["id"] == uid), "dropped")

    def starts(self) -> list[datetime]:
        """When those begin that lie ahead."""
        return [utc(one["start"]) for one in self.scheduled()]

    def until_settled(self, seconds: float = 20.0) -> None:
        """Returns when no chain of it runs. One that waits for its next attempt is not waited for."""

        def settled() -> bool:
            chain = self.service.get(self.path)["chain"]
            if chain["status"] == "waiting":
                self.service.client.post(f"{self.path}/resume", headers={"Prefer": "respond-async"})
            return chain["finished_at"] is not None or chain["status"] == "stuck"

        eventually(settled, seconds)

    def steps(self) -> list[str]:
        """The steps of the latest chain that had something to do."""
        return [
            step["name"] for step in self.service.get(f"{self.path}/history")["items"][0]["steps"] if step["attempts"]
        ]

    # Kaltura

    def asked(self) -> list[str]:
        """What Kaltura was asked since the last look, but for what the mirror asks too."""
        return [call for call in self.service.calls() if call not in MIRROR]

    def events(self, state: Json | None = None) -> list[Json]:
        """Everything that bears the recording's mark: singles, series, and their children."""
        return [
            one
            for one in (state or self.service.sandbox.state())["events"]
            if str(one.get("referenceId", "")).startswith(f"lectern-{self.id}-")
        ]

    def sessions(self, state: Json | None = None) -> list[Session]:
        state = state or self.service.sandbox.state()
        names = {one["id"]: one.get("systemName", "") for one in state["resources"]}
        rooms: dict[int, list[str]] = {}
        for link in state["event_resources"]:
            rooms.setdefault(link["eventId"], []).append(names.get(link["resourceId"], ""))
        return sorted(
            Session(
                datetime.fromtimestamp(one["startDate"], UTC),
                datetime.fromtimestamp(one["endDate"], UTC),
                one["id"],
                {1: "cancelled", 2: "active"}[one["status"]],
                tuple(rooms.get(one["id"]) or rooms.get(one.get("parentId", 0), [])),
            )
            for one in self.events(state)
            if one["recurrenceType"] != 1
        )

    def past(self) -> list[Session]:
        return [one for one in self.sessions() if one.start <= utc_now()]

    def active(self, room: str) -> list[Session]:
        """What is recorded in a room from now on."""
        return [one for one in self.sessions() if _is_ahead(one) and room in one.rooms]

    def entry(self) -> Json:
        entry_id = self.recording["kaltura"]["template_entry_id"]
        return next(one for one in self.service.sandbox.state()["entries"] if one["id"] == entry_id)

    # What must be true

    def holds(self) -> None:
        """Kaltura, SQL and the feed agree on what lies ahead, and the past is what it was."""
        state, shown, scheduled = self.service.sandbox.state(), self.service.get(self.path), self.scheduled()
        sessions = self.sessions(state)
        assert [one for one in sessions if one.start <= utc_now()] == self.before
        home = shown["resource"]["system_name"]
        placed = [(one, one["resource"]["system_name"]) for one in scheduled]
        wanted = sorted((utc(one["start"]), utc(one["end"]), one["event_id"], (room,)) for one, room in placed)
        assert [(one.start, one.end, one.event_id, one.rooms) for one in sessions if _is_ahead(one)] == wanted
        own = {one["id"] for one in shown["kaltura"]["events"]}
        mine = self.events(state)
        assert {one["id"] for one in mine if one["recurrenceType"] != 2} == own
        others = {one["id"] for one in state["events"]} - {one["id"] for one in mine}
        assert {link["eventId"] for link in state["event_resources"]} <= own | others
        for room in {home, *(room for _, room in placed)}:
            here = [one for one, where in placed if where == room]
            expected = [(one["id"], one["start"], one["end"], one["event_id"]) for one in here]
            eventually(partial(self._feed_is, room, expected))

    def _feed_is(self, room: str, expected: list[tuple[Any, ...]]) -> bool:
        self.service.app.state.feed.versions.expire()
        span = {
            "from": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{utc_now() + timedelta(days=400):%Y-%m-%dT%H:%M:%SZ}",
        }
        answer = self.service.client.get(f"/resources/{room}/upcoming", params={**span, "limit": "500"})
        if answer.status_code == 503:
            return False  # not looked at yet
        mine = [one for one in found(answer)["occurrences"] if one["recording_id"] == self.id]
        return [(one["uid"], one["start"], one["end"], one["event_id"]) for one in mine] == expected


def _is_ahead(session: Session) -> bool:
    return session.status == "active" and session.end > utc_now()


def document(scene: Scene, holidays: Sequence[int] = (), **changes: Any) -> Json:
    return {
        **({"exclude": [scene.day(number) for number in holidays]} if holidays else {}),
        "reference_id": scene.reference,
        "title": "Linear Algebra",
        "description": "Section 01",
        "tags": ["mathematics"],
        "categories": [CATEGORY_ID],
        "organizer": "Registrar",
        "location": "Room 702",
        "resource": scene.room,
        "start": scene.local(),
        "time_zone": ZONE.key,
        "duration_minutes": 60,
        "recurrence": {"frequency": "daily", "count": COUNT},
        **changes,
    }


def begun(service: Lectern, *, ahead: timedelta = 3 * HOUR, holidays: Sequence[int] = (), **changes: Any) -> Scene:
    """A recording whose session number 16 is to begin so far ahead; the sessions of `holidays` are excluded.

    It begins with a minute: what is said to lie one ahead may be there before it is looked at.
    """
    began = (utc_now() + ahead - timedelta(days=PAST)).astimezone(ZONE).replace(tzinfo=None, second=0, microsecond=0)
    scene = Scene(service, next(_NUMBERS), began)
    for name in (scene.room, scene.other, scene.third):
        service.kaltura(
            "schedule_scheduleResource", "add", scheduleResource={**CAMERA, "name": name, "systemName": name}
        )
    scene.look(service.made_in_time(document(scene, holidays, **changes)))
    service.calls()
    return scene


def to_come(service: Lectern, **changes: Any) -> Scene:
    """A recording that begins tomorrow."""
    return begun(service, ahead=timedelta(days=PAST + 1), **changes)


@contextmanager
def watched(service: Lectern, call: str, phase: str, act: Any) -> Iterator[None]:
    """`act` happens once, before or after the first call of that name."""
    name, action = call.split(".")

    def see(service_name: str, seen: str, when: str) -> None:
        if (service_name.removeprefix("schedule_"), seen, when) == (name, action, phase):
            service.sandbox.watch = None
            act()

    service.sandbox.watch = see
    yield
    service.sandbox.watch = None
