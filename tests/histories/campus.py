"""A campus that asks Lectern for things, a Kaltura that others use too, and both held against the model.

Chains run in the test's own thread (`recordings/changing/house.py`), so that something can happen at any call of them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from httpx2 import Response
from sqlalchemy import text, update

from app.database.types import utc_now
from app.resources.feed.memory import Memory
from app.resources.feed.versions import Versions
from app.resources.models import Mirror
from tests.histories.model import DAYS, WEEK, ZONE, Days, Json, Span, Wish, meet
from tests.recordings.changing.house import House
from tests.service import utc

CAMERA = {"objectType": "KalturaCameraScheduleResource"}
ROOMS = ("HALL-1", "HALL-2", "HALL-3")
CALENDARS = ("campus", "faculty")
ROUNDS = 60  # of chains being taken up, until all that goes wrong has ended
OURS = "lectern-"


@dataclass
class Campus:
    """`wishes` by reference; `recordings` are the ids of those that live, `over` of those that do not, `remains` what
    is left of those of which a session had begun.
    """

    house: House
    monday: date
    wishes: dict[str, Wish] = field(default_factory=dict)
    recordings: dict[str, str] = field(default_factory=dict)
    ids: dict[str, dict[date, str]] = field(default_factory=dict)  # of sessions, by reference and local date
    over: set[str] = field(default_factory=set)
    remains: dict[str, Wish] = field(default_factory=dict)
    strangers: dict[int, Json] = field(default_factory=dict)  # what others have in Kaltura, as it must stay
    calendars: dict[str, Days] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        feed = self.house.app.state.feed  # what it knows is another campus's
        feed.versions.close()
        feed.versions, feed.memory = Versions(self.house.app.state.database), Memory()
        for name in ROOMS:
            self._add_room(name)
        self._remember_strangers()
        self.house.app.state.calendars.fan_out._at_once = 1_000  # nobody works while it looks
        for name in CALENDARS:
            self.say(name, {})

    # Kaltura, as others use it

    def _add_room(self, name: str) -> None:
        room = {**CAMERA, "name": name, "systemName": name}
        self.house.kaltura("schedule_scheduleResource", "add", scheduleResource=room)

    def room_id(self, name: str) -> int:
        """Kaltura's id of the device that has this name now."""
        found = self.house.kaltura("schedule_scheduleResource", "list", filter={"systemNameEqual": name})["objects"]
        return int(found[0]["id"])

    def replace_device(self, name: str) -> None:
        self.house.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=self.room_id(name))
        self._add_room(name)

    def book(self, name: str, span: Span) -> None:
        """Somebody books a room in MediaSpace."""
        made = self.house.kaltura.add_event(
            summary="Faculty", startDate=int(span[0].timestamp()), endDate=int(span[1].timestamp())
        )
        self.house.kaltura.link(made["id"], self.room_id(name))
        self._remember_strangers()

    def _remember_strangers(self) -> None:
        self.strangers = {one["id"]: one for one in self.events() if not self.is_ours(one)}

    def events(self) -> list[Json]:
        found: list[Json] = self.house.sandbox.state()["events"]
        return found

    @staticmethod
    def is_ours(found: Json) -> bool:
        return str(found.get("referenceId", "")).startswith(OURS)

    def own_sessions(self, recording_id: str) -> list[Json]:
        """What Kaltura would record of a recording from now on: active single events and occurrences, by start."""
        mark, now = f"{OURS}{recording_id}-", utc_now().timestamp()
        return sorted(
            (
                one
                for one in self.events()
                if str(one.get("referenceId", "")).startswith(mark)
                and one["recurrenceType"] != 1
                and one["status"] == 2
                and one["endDate"] > now
            ),
            key=lambda one: (one["startDate"], one["id"]),
        )

    def taken(self, name: str) -> list[Span]:
        """When others have booked a room."""
        links = self.links()
        return [
            (datetime.fromtimestamp(one["startDate"], UTC), datetime.fromtimestamp(one["endDate"], UTC))
            for one in self.strangers.values()
            if links.get(one["id"]) == {name}
        ]

    def links(self) -> dict[int, set[str]]:
        """The names of the rooms that each event is on."""
        state = self.house.sandbox.state()
        names = {one["id"]: str(one.get("systemName")) for one in state["resources"]}
        rooms: dict[int, set[str]] = {}
        for link in state["event_resources"]:
            if link["resourceId"] in names:
                rooms.setdefault(link["eventId"], set()).add(names[link["resourceId"]])
        return rooms

    # Lectern, as its clients use it

    def send(self, method: str, path: str, body: object = None) -> Response:
        return self.house.client.request(method, path, json=body)

    def say(self, name: str, days: Days) -> None:
        """A calendar says this, and everybody who names it is brought up: chains are begun."""
        self.calendars[name] = days
        said = [
            {"date": day.isoformat(), **({"meets_as": meets_as} if meets_as else {})} for day, meets_as in days.items()
        ]
        answer = self.send("PUT", f"/calendars/{name}", {"days": said})
        assert answer.status_code in (200, 202), answer.text
        self.house.app.state.calendars.fan_out.run()

    def campus_of(self, document: Json) -> Days:
        """What a document's calendars say now. Where one closes a date, nothing is made up for on it."""
        found: Days = {}
        for name in document.get("calendars", []):
            for day, meets_as in self.calendars[name].items():
                found[day] = meets_as if day not in found else None
        return found

    def shown(self, reference: str) -> Json:
        found: Json = self.house.get(f"/recordings/{self.recordings[reference]}")
        return found

    def occurrence_path(self, reference: str, day: date) -> str:
        """Where the session of a local date is: it has the id that it had when it was seen first, at its usual time."""
        return f"/recordings/{self.recordings[reference]}/occurrences/{self.ids[reference][day]}"

    def learn(self, reference: str) -> None:
        """Which session is which date's. Those that are new are at their usual time."""
        known = self.ids.setdefault(reference, {})
        items = self.house.get(f"/recordings/{self.recordings[reference]}/occurrences")["items"]
        there = {one["id"]: datetime.fromisoformat(one["local_start"]).date() for one in items}
        self.ids[reference] = {day: one for day, one in known.items() if one in there}
        kept = set(self.ids[reference].values())
        self.ids[reference] |= {day: one for one, day in there.items() if one not in kept}
        self._learn_what_is_left_out(reference, items)

    def _learn_what_is_left_out(self, reference: str, items: list[Json]) -> None:
        """With `on_conflict: skip`: what would be held, and is not, must have something in its way."""
        wish = self.wishes[reference]
        before, wish.left_out = wish.left_out, set()
        if wish.document.get("on_conflict") != "skip":
            return
        days = {one: day for day, one in self.ids[reference].items()}
        out = {days[one["id"]] for one in items if one["status"] == "excluded"} & wish.held()
        there = [*self.taken(wish.room)]
        for name, other in self.wishes.items():
            there += other.spans() if name != reference and other.room == wish.room else []
        for day in out - before:
            own = [wish.span(other) for other in wish.held() - {day}]
            assert meet([wish.span(day)], [*there, *own]), f"nothing is in the way of {reference} on {day}"
        wish.left_out = out

    # Time goes by

    def settle(self, at: int | None = None, happens: Callable[[], None] | None = None) -> None:
        """All chains come to their end; at one moment of them something happens, and after some rounds all is well."""
        self.house.settle(at, happens or (lambda: None), rounds=ROUNDS)

    def calm(self) -> None:
        """Everything is well again, and everybody has looked once more."""
        self.house.heal()
        self.settle()
        self.house.sweep()
        for _ in range(2):
            self.look()

    def look(self) -> None:
        """The mirror looks at every room, and at which rooms there are."""
        state = self.house.app.state
        self.house.get("/resources")
        state.rounds.ask()
        with state.database.write() as session:
            session.connection().execute(text("UPDATE mirror_round SET due_at = 0, lease_until = 0"))
        while due := state.rounds.claim():
            state.rounds.run(state.kaltura, due)
        with state.database.write() as session:
            session.execute(update(Mirror).values(asked_at=None, due_at=0.0, claimed_at=0.0, lease_until=0.0))
        while claim := state.mirror.claim():
            state.mirror.refresh(state.kaltura, claim)
            with state.database.write() as session:
                session.connection().execute(text("UPDATE mirror SET claimed_at = 0"))

    # What must be true in the end

    def mend(self) -> bool:
        """As a person does who looks at what has drifted. Whether there was any."""
        mended = False
        for recording_id in (*self.recordings.values(), *self.over):
            answer = self.send("GET", f"/recordings/{recording_id}")
            if answer.status_code == 404 and recording_id in self.over:
                continue  # a refused document is kept until it is sent again
            if answer.json()["drift"]:
                self.log.append(f"resume {recording_id}")
                self.send("POST", f"/recordings/{recording_id}/resume")
                self.settle()
                self._learn_of_mending(recording_id)
                mended = True
        return mended

    def _learn_of_mending(self, recording_id: str) -> None:
        """What is mended follows its calendars as they are by then."""
        for reference in [name for name, one in self.recordings.items() if one == recording_id]:
            wish = self.wishes[reference]
            if self.shown(reference)["chain"]["status"] == "succeeded":
                wish.change({}, self.campus_of(wish.document))
                self.learn(reference)

    def holds(self) -> None:
        """The feed is the model is what Kaltura holds; nothing is nobody's, and nobody else's was touched."""
        self._remember_nothing_changed()
        links, rooms = self.links(), {name: self.room_id(name) for name in ROOMS}
        owned: set[int] = set()
        expected: dict[str, list[tuple[datetime, datetime, str | None]]] = {name: [] for name in rooms}
        living = {self.recordings[reference]: wish for reference, wish in self.wishes.items()}
        for recording_id, wish in {**living, **self.remains}.items():
            places, mine = wish.places(), self.own_sessions(recording_id)
            spans = [span for span, _ in places]
            assert [_span(one) for one in mine] == spans, f"{recording_id} in Kaltura"
            named = wish.named()
            assert {_span(one): one.get("summary") for one in mine if _span(one) in named} == named, f"titles: {named}"
            shown = self.house.get(f"/recordings/{recording_id}")
            assert shown["status"] == ("scheduled" if recording_id in living else "cancelled"), shown
            assert not shown["drift"], shown["drift"]
            assert self._scheduled(recording_id) == spans, f"{recording_id} in SQL"
            for one, (span, room) in zip(mine, places, strict=True):
                carrier = links.get(one["id"]) or links.get(one.get("parentId", 0)) or set()
                assert carrier == {room}, f"{recording_id} on {carrier}"
                expected[room].append((*span, recording_id))
            owned |= {event["id"] for event in shown["kaltura"]["events"]}
        ours = [one for one in self.events() if self.is_ours(one) and one["recurrenceType"] != 2]
        now = utc_now().timestamp()
        assert {one["id"] for one in ours if one["status"] == 2 and one["endDate"] > now} <= owned
        entries = [one for one in self.house.sandbox.state()["entries"] if self.is_ours(one)]
        assert {one["id"]: (one["name"], one["categories"]) for one in entries} == {
            self.house.get(f"/recordings/{recording_id}")["kaltura"]["template_entry_id"]: (
                wish.document["title"],
                ",".join(wish.document["categories"]),
            )
            for recording_id, wish in {**living, **self.remains}.items()
        }
        assert len(entries) == len(living) + len(self.remains)
        for name in ROOMS:
            expected[name] += [(*span, None) for span in self.taken(name)]
            assert self._fed(name) == sorted(expected[name], key=str), f"the feed of {name}"

    def _remember_nothing_changed(self) -> None:
        now = {one["id"]: one for one in self.events() if not self.is_ours(one)}
        assert now == self.strangers

    def _scheduled(self, recording_id: str) -> list[Span]:
        items = self.house.get(f"/recordings/{recording_id}/occurrences")["items"]
        return sorted((utc(one["start"]), utc(one["end"])) for one in items if one["status"] == "scheduled")

    def _fed(self, name: str) -> list[tuple[datetime, datetime, str | None]]:
        self.house.app.state.feed.versions.expire()
        until = f"{utc_now() + timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"
        items = self.house.get(f"/resources/{name}/upcoming", to=until, limit="1000")["occurrences"]
        return sorted(((utc(one["start"]), utc(one["end"]), one["recording_id"]) for one in items), key=str)

    # Choices

    def document(self, chance: random.Random, reference: str) -> Json:
        """A few weeks of a lecture, in one of the rooms, some hour, with a holiday."""
        days = sorted(chance.sample(DAYS, chance.choice((1, 1, 2))), key=DAYS.index)
        first = self.monday + timedelta(days=DAYS.index(days[0]), weeks=chance.randrange(3))
        document: Json = {
            "reference_id": reference,
            "title": f"Lecture {chance.randrange(100)}",
            "categories": chance.choice(([], ["Mathematics"], ["Mathematics"])),
            "resource": chance.choice(ROOMS),
            "start": f"{first}T{chance.randrange(9, 14):02d}:00:00",
            "time_zone": ZONE.key,
            "duration_minutes": chance.choice((50, 50, 90)),
            "recurrence": {"frequency": "weekly", "days": days, "count": chance.randrange(2, 7)},
            "exclude": [],
            "calendars": chance.choice(([], [], ["campus"], ["faculty"], ["campus", "faculty"])),
            "on_conflict": chance.choice(("reject", "reject", "skip")),
        }
        if chance.random() < 0.3:
            document["recurrence"] = {"dates": [str(day) for day in self.dates(chance, first)]}
        if chance.random() < 0.3:
            document["include"] = self.inclusion(chance, Wish(document))
        wish = Wish(document)
        if chance.random() < 0.5 and len(wish.dates()) > 2:
            document["exclude"] = [chance.choice(wish.dates()[1:]).isoformat()]
        return document

    def running_document(self, chance: random.Random, reference: str) -> Json:
        """One whose first session has run for some minutes, and will for hours; in a room where nothing else runs."""
        begins = (utc_now() - timedelta(minutes=10)).astimezone(ZONE)
        rule: Json = {"frequency": "weekly", "days": [WEEK[begins.weekday()]], "count": chance.randrange(2, 7)}
        days = self.dates(chance, self.monday)
        return {
            **self.document(chance, reference),
            "resource": chance.choice([room for room in ROOMS if room not in self.rooms_in_use()]),
            "start": f"{begins:%Y-%m-%dT%H:%M:00}",
            "duration_minutes": chance.choice((300, 600)),
            "recurrence": chance.choice((rule, {"dates": [str(day) for day in (begins.date(), *days)]})),
            "include": [],
            "exclude": [],
        }

    def rooms_in_use(self) -> set[str]:
        """Where a session runs."""
        found = [*self.wishes.values(), *self.remains.values()]
        return {wish.running.room for wish in found if wish.running and wish.running.span}

    def dates(self, chance: random.Random, first: date) -> list[date]:
        """Some dates that follow no rule, from the first on."""
        return sorted({first, *(first + timedelta(days=chance.randrange(1, 24)) for _ in range(chance.randrange(4)))})

    def inclusion(self, chance: random.Random, wish: Wish) -> list[Json | str]:
        """One more session, or one of those that there are at a time of its own."""
        days = wish.dates()
        day = chance.choice([*days, days[0] + timedelta(days=chance.randrange(1, 20))])
        at = {"start": f"{chance.randrange(9, 16):02d}:30", "duration_minutes": chance.choice((30, 50))}
        return [chance.choice((str(day), {"date": str(day), **at}))]

    def campus_days(self, chance: random.Random, name: str) -> Days:
        """A few closed days, and of one calendar make-up days."""
        days = [self.monday + timedelta(days=chance.randrange(33)) for _ in range(chance.randrange(4))]
        return {day: chance.choice((None, None, *DAYS)) if name == CALENDARS[0] else None for day in sorted(days)}


def _span(event: Json) -> Span:
    return datetime.fromtimestamp(event["startDate"], UTC), datetime.fromtimestamp(event["endDate"], UTC)
