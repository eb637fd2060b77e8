"""A room whose mirror is refreshed when a test says so, beside a Kaltura that somebody else uses too."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from app.database.database import Database
from app.kaltura.client import KalturaClient
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import http_client
from app.resources.feed import page
from app.resources.mirror import listing, template_entries, uploads
from app.resources.mirror.drift import drift_of
from app.resources.mirror.refresh import Mirror, MirrorClaim
from app.resources.models import Booking, Occurrence, Resource, Round
from app.resources.models import Mirror as Row
from app.resources.rounds import ENTRIES, RESOURCES, UPLOADS, RoundClaim, Rounds
from app.resources.schemas import ResourceName
from app.sandbox.seed.seed import ADMIN_SECRET, PARTNER_ID, RESOURCE_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, embedded

Json = dict[str, Any]

START = datetime.fromtimestamp(MONDAY, UTC)
DAY = 24 * HOUR
NAME = ResourceName(id=RESOURCE_ID, system_name="EXTRON-100-ABC", name="EXTRON-100-ABC")
OTHER_ROOM = RESOURCE_ID + 1
OWN = "rec_01kantf3wq5m2c7j8e9g0h1k3p"


@dataclass
class Room:
    """`now` is a day before the lectures of `tests.sandbox.kaltura`. `busy` are recordings that a chain works on."""

    database: Database
    sandbox: Sandbox
    kaltura: Kaltura
    client: KalturaClient
    now: datetime = START - timedelta(days=1)
    busy: set[str] = field(default_factory=set)
    mirror: Mirror = field(init=False)
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        work = {
            RESOURCES: (listing.EVERY, listing.read),
            ENTRIES: (template_entries.EVERY, template_entries.read),
            UPLOADS: (uploads.EVERY, uploads.read),
        }
        self.rounds = Rounds(self.database, "one", work, busy=self._busy, clock=lambda: self.now)
        self.mirror = Mirror(
            self.database,
            "one",
            per_second=100,
            default_zone="Europe/Zurich",
            busy=self._busy,
            clock=lambda: self.now,
        )
        with self.database.write() as session:
            for number in (RESOURCE_ID, OTHER_ROOM):
                session.add(Resource(id=number, system_name=f"ROOM-{number}", name=f"Room {number}", kind="camera"))

    def _busy(self, _session: Session, recordings: Collection[str]) -> set[str]:
        return self.busy.intersection(recordings)

    # Lectern

    def due(self, resource_id: int = RESOURCE_ID) -> MirrorClaim:
        """A claim of the resource, as if it had waited for long."""
        with self.database.write() as session:
            session.execute(
                update(Row)
                .where(col(Row.resource_id) == resource_id)
                .values(due_at=0.0, claimed_at=0.0, lease_until=0.0)
            )
        claim = self.mirror.claim()
        assert claim is not None
        assert claim.resource_id == resource_id
        return claim

    def refresh(self, resource_id: int = RESOURCE_ID) -> list[Json]:
        """One refresh, and what is shown then."""
        self.mirror.refresh(self.client, self.due(resource_id))
        return self.shown(resource_id)

    def round(self, name: str = RESOURCES) -> None:
        """One round of it, as if it had waited for long."""
        self.rounds.ask()
        with self.database.write() as session:
            fence = session.execute(
                update(Round)
                .where(col(Round.name) == name)
                .values(fence=col(Round.fence) + 1)
                .returning(col(Round.fence))
            ).scalar_one()
        self.rounds.run(self.client, RoundClaim(name, fence))

    def shown(self, resource_id: int = RESOURCE_ID, limit: int = 20_000) -> list[Json]:
        window = page.Window(self.now, self.now + timedelta(days=3650), limit)
        with self.database.read() as session:
            found = page.page(session, resource_id, window, self.now)
        occurrences: list[Json] = json.loads(page.content(NAME, "/", window, found, self.now).occurrences)
        return occurrences

    def uids(self, resource_id: int = RESOURCE_ID) -> dict[str, str]:
        """By start: 2027-01-13T14:00:00Z."""
        return {each["start"]: each["uid"] for each in self.shown(resource_id)}

    def row(self, resource_id: int = RESOURCE_ID) -> Row:
        with self.database.read() as session:
            return session.get_one(Row, resource_id)

    def drift(self) -> list[Json]:
        with self.database.read() as session:
            return drift_of(session, [OWN]).get(OWN, [])

    def own(self, weeks: int = 3, *, resource_id: int = RESOURCE_ID) -> Json:
        """A weekly series that Lectern made and recorded as scheduled: its parent in Kaltura."""
        series = self.book(weeks, resource_id=resource_id, referenceId=f"lectern-{OWN}-1", summary="Own")
        with self.database.write() as session:
            session.add(Booking(id=OWN, source="lectern", title="Own", time_zone="Europe/Zurich"))
            session.flush()
            for number, child in enumerate(self.kaltura.children(series)):
                start = datetime.fromtimestamp(child["startDate"], UTC)
                session.add(
                    Occurrence(
                        id=f"occ_{number}",
                        booking_id=OWN,
                        resource_id=resource_id,
                        start=start,
                        end=start + timedelta(hours=1),
                        status="scheduled",
                        event_id=child["id"],
                        series_id=series["id"],
                        slot=start.date(),
                    )
                )
        return series

    # Somebody else

    def book(self, weeks: int = 0, *, resource_id: int | None = RESOURCE_ID, **values: Any) -> Json:
        """An event, or a series of so many weeks at 15:00 in Zurich, on a resource: the single event or the parent."""
        rule = {"frequency": "weeks", "count": weeks, "timeZone": "Europe/Zurich"}
        series = {"recurrenceType": 1, "recurrence": rule} if weeks else {}
        made: Json = self.kaltura.add_event(**{**series, **values})
        if resource_id:
            self.kaltura.link(made["id"], resource_id)
        return made

    def cancel(self, event: Json) -> None:
        self.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=event["id"])

    def unlink(self, event: Json, resource_id: int = RESOURCE_ID) -> None:
        self.kaltura(
            "schedule_scheduleEventResource",
            "delete",
            scheduleEventId=event["id"],
            scheduleResourceId=resource_id,
        )

    def retime(self, series: Json, start: int, **recurrence: Any) -> None:
        """The whole series begins at another time; Kaltura makes its occurrences anew."""
        changes = {"startDate": start, "endDate": start + HOUR}
        if recurrence:
            changes["recurrence"] = series["recurrence"] | recurrence
        self.kaltura.update(series["id"], **changes)

    def fault(self, fault: str, action: str = "list", **more: Any) -> None:
        one = {"service": "schedule_scheduleEvent", "action": action, "fault": fault, **more}
        self.sandbox.set_faults({"faults": [one]})

    def heal(self) -> None:
        self.sandbox.set_faults({})


@contextmanager
def room_of(database: Database) -> Iterator[Room]:
    sandbox = Sandbox(clock=lambda: MONDAY - DAY)
    http = http_client("http://kaltura.test", transport=SandboxTransport(sandbox))
    sessions = Sessions(http, Credentials(PARTNER_ID, admin_secret=ADMIN_SECRET, user="lectern"))
    kaltura = embedded(sandbox).sign_in()
    yield Room(database, sandbox, kaltura, KalturaClient(http, sessions))
    http.close()
    kaltura.client.close()
    sandbox.close()


def at(day: int = 0, hour: int = 0) -> str:
    """So many days and hours after the first lecture, as it is shown."""
    return (START + timedelta(days=day, hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


def slot(day: int) -> date:
    return (START + timedelta(days=day)).date()
