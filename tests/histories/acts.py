"""What people do in a history, one act at a time: each says what it does, does it, and tells the model if it was done.

An act of a client's is sent, and its chain goes to its end, whatever happens on the way. Then the chain says whether it
was done or refused: a refusal is believed, but must have a reason.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from httpx2 import Response

from app.database.types import utc_now
from tests.histories.campus import CALENDARS, ROOMS, Campus
from tests.histories.model import ZONE, Json, Wish, meet, pairs

GRACE = {"schedule_conflict", "refused_by_kaltura", "batch_refused"}  # what an act may be refused for
Settle = Callable[[], None]


@dataclass
class Act:
    """`settle` lets chains go to their end, with whatever is to happen on the way."""

    campus: Campus
    chance: random.Random
    settle: Settle

    # Clients

    def document(self) -> None:
        """A new document, or another one for a reference that is there."""
        campus, chance = self.campus, self.chance
        reference = f"SIS-{chance.randrange(5)}"
        runs = reference not in campus.wishes and chance.random() < 0.4 and len(campus.rooms_in_use()) < len(ROOMS)
        document = (campus.running_document if runs else campus.document)(chance, reference)
        self._note(f"PUT {document}")
        answer = campus.send("PUT", f"/recordings/by-reference/{reference}", document)
        if answer.status_code == 204:
            wish = campus.wishes[reference]
            wish.change({}, campus.campus_of(wish.document))
            return
        if self._refused(answer):
            return
        new = reference not in campus.wishes
        campus.recordings[reference] = answer.json()["id"]
        self.settle()
        done = self._done(reference)
        if new and not done:
            campus.over.add(campus.recordings.pop(reference))
        elif new:
            made = Wish.that_runs if runs else Wish.that_lies_ahead
            campus.wishes[reference] = made(document, campus.campus_of(document))
        elif done:
            campus.wishes[reference].change({"include": [], **document}, campus.campus_of(document))
        if reference in campus.wishes:
            campus.learn(reference)

    def patch(self) -> None:
        reference = self._any()
        if reference is None:
            return
        patch = self._patch(self.campus.wishes[reference])
        self._note(f"PATCH {reference} {patch}")
        answer = self.campus.send("PATCH", f"/recordings/{self.campus.recordings[reference]}", patch)
        if self._refused(answer):
            return
        self.settle()
        if self._done(reference):
            self._change(reference, patch)

    def _change(self, reference: str, patch: Json) -> None:
        """It was done; and with it what its calendars say now."""
        wish = self.campus.wishes[reference]
        wish.change(patch, self.campus.campus_of({**wish.document, **patch}))
        self.campus.learn(reference)

    def _patch(self, wish: Wish) -> Json:
        chance, document = self.chance, wish.document
        begins = document["start"]
        days = [day.isoformat() for day in wish.dates()]
        several = len(days) > 2
        choices: list[Json] = [
            {"title": f"Renamed {chance.randrange(100)}"},
            {"start": f"{begins[:11]}{chance.randrange(9, 14):02d}:00:00"},
            {"categories": chance.choice(([], ["Mathematics"]))},
            {"resource": chance.choice(ROOMS)},
            self._other_recurrence(document),
            {"calendars": chance.choice(([], ["campus"], ["campus", "faculty"]))},
            {"include": self.campus.inclusion(chance, wish)},
            {"include": []},
            {"on_conflict": chance.choice(("reject", "skip"))},
            {"exclude": [chance.choice(days[1:])] if several else []},
            {"exclude": [], "duration_minutes": chance.choice((50, 90))},
        ]
        return chance.choice(choices)

    def _other_recurrence(self, document: Json) -> Json:
        """More or fewer weeks, or other dates."""
        if "dates" not in document["recurrence"]:
            rule = {**document["recurrence"], "count": self.chance.randrange(2, 7)}
            return {"recurrence": rule, "exclude": []}
        first = date.fromisoformat(document["start"][:10])
        dates = [str(day) for day in self.campus.dates(self.chance, first)]
        return {"recurrence": {"dates": dates}, "exclude": []}

    def calendar(self) -> None:
        """A calendar changes, or is sent once more: everybody who names it is changed, or is not for a reason."""
        campus, chance = self.campus, self.chance
        name = chance.choice(CALENDARS)
        days = campus.campus_days(chance, name) if chance.random() < 0.8 else campus.calendars[name]
        self._note(f"CALENDAR {name} { {str(day): meets_as for day, meets_as in days.items()} }")
        before = {reference: campus.shown(reference)["chain"]["id"] for reference in campus.wishes}
        campus.say(name, days)
        self.settle()
        for reference, wish in campus.wishes.items():
            is_new = campus.shown(reference)["chain"]["id"] != before[reference]
            if name in wish.document.get("calendars", []) and (not is_new or self._done(reference)):
                wish.change({}, campus.campus_of(wish.document))
                campus.learn(reference)

    def swap(self) -> None:
        """Two recordings change rooms in one batch."""
        if len(self.campus.wishes) < 2:
            return
        one, other = self.chance.sample(sorted(self.campus.wishes), 2)
        rooms = {one: self.campus.wishes[other].room, other: self.campus.wishes[one].room}
        self._note(f"BATCH {rooms}")
        changes = [
            {"id": self.campus.recordings[reference], "patch": {"resource": room}} for reference, room in rooms.items()
        ]
        answer = self.campus.send("POST", "/recordings/batch", {"changes": changes})
        if self._refused(answer):
            return
        before = {reference: self.campus.shown(reference)["chain"]["id"] for reference in rooms}
        self.settle()
        assert before.keys() == rooms.keys()
        for reference, room in rooms.items():
            if self._done(reference):
                self._change(reference, {"resource": room})

    def delete(self) -> None:
        reference = self._any()
        if reference is None:
            return
        self._note(f"DELETE {reference}")
        answer = self.campus.send("DELETE", f"/recordings/{self.campus.recordings[reference]}")
        if self._refused(answer):
            return
        self.settle()
        assert self.campus.shown(reference)["status"] == "cancelled"
        recording_id, wish = self.campus.recordings.pop(reference), self.campus.wishes.pop(reference)
        self.campus.over.add(recording_id)
        if wish.running:  # what was recorded stays, and what is being recorded
            self.campus.remains[recording_id] = wish.only_what_runs()
        del self.campus.ids[reference]

    def move(self) -> None:
        found = self._any_session()
        if found is None:
            return
        reference, day = found
        wish = self.campus.wishes[reference]
        begins = datetime.combine(day + timedelta(days=self.chance.choice((0, 1))), datetime.min.time(), ZONE)
        start = (begins + timedelta(hours=self.chance.randrange(15, 20))).astimezone(UTC)
        before, sent = wish.span(day), {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
        self._note(f"MOVE {reference} {day} {sent}")
        if self._one("PATCH", reference, day, sent) and start != before[0]:
            wish.decide(day, held=True, span=(start, start + (before[1] - before[0])))

    def name(self) -> None:
        """One session gets a title of its own, or goes by the recording's again."""
        found = self._any_session(also_running=True)
        if found is None:
            return
        reference, day = found
        title = self.chance.choice((f"Guest {self.chance.randrange(100)}", None))
        self._note(f"NAME {reference} {day} {title}")
        if self._one("PATCH", reference, day, {"title": title}):
            self.campus.wishes[reference].name(day, title)

    def end(self) -> None:
        """A session that runs is stopped, or ends sooner or later than it was to."""
        running = sorted(name for name, wish in self.campus.wishes.items() if wish.running and wish.running.span)
        if not running:
            return
        reference = self.chance.choice(running)
        one = self.campus.wishes[reference].running
        assert one is not None
        assert one.span is not None
        minutes = self.chance.choice((None, 1, 200, 400, 700))
        self._note(f"END {reference} {minutes}")
        sent = {"duration_minutes": minutes} if minutes else None
        if self._one("PATCH" if sent else "DELETE", reference, one.day, sent):
            begins = one.span[0]
            one.span = (begins, begins + timedelta(minutes=minutes)) if minutes and minutes > 1 else None

    def cancel(self) -> None:
        found = self._any_session()
        if found is None:
            return
        reference, day = found
        self._note(f"CANCEL {reference} {day}")
        if self._one("DELETE", reference, day):
            self.campus.wishes[reference].decide(day, held=False)

    def restore(self) -> None:
        found = self._any_session()
        if found is None:
            return
        reference, day = found
        wish = self.campus.wishes[reference]
        if wish.is_held(day):
            return  # there is nothing to restore, and nothing is decided by it
        self._note(f"RESTORE {reference} {day}")
        if self._one("POST", reference, day, verb="/restore"):
            wish.decide(day, held=True)

    def _one(self, method: str, reference: str, day: date, sent: Json | None = None, verb: str = "") -> bool:
        """Whether it was done."""
        answer = self.campus.send(method, self.campus.occurrence_path(reference, day) + verb, sent)
        if self._refused(answer):
            return False
        self.settle()
        return self._done(reference)

    # Others, in Kaltura

    def stranger(self) -> None:
        """Somebody books a room while it is free."""
        room = self.chance.choice(ROOMS)
        day = self.campus.monday + timedelta(days=self.chance.randrange(26))
        begins = datetime.combine(day, datetime.min.time(), ZONE) + timedelta(hours=self.chance.randrange(9, 19))
        span = begins.astimezone(UTC), begins.astimezone(UTC) + timedelta(minutes=50)
        here = [one for wish in self.campus.wishes.values() if wish.room == room for one in wish.spans()]
        if meet([span], [*here, *self.campus.taken(room)]):
            return
        self._note(f"BOOKED {room} {begins}")
        self.campus.book(room, span)

    def by_hand(self) -> None:
        """Somebody changes in Kaltura what is Lectern's."""
        reference = self._any()
        sessions = self.campus.own_sessions(self.campus.recordings[reference]) if reference else []
        if not sessions:
            return
        one = self.chance.choice(sessions)
        now = utc_now().timestamp()
        kaltura, event = self.campus.house.kaltura, "schedule_scheduleEvent"
        entry, series = one.get("templateEntryId"), int(one.get("parentId") or one["id"])
        acts: Mapping[str, Callable[[], Any]] = {
            "cancels": lambda: kaltura(event, "cancel", scheduleEventId=one["id"]),
            "moves": lambda: kaltura.update(
                int(one["id"]), startDate=one["startDate"] + 36_000, endDate=one["endDate"] + 36_000
            ),
            "deletes the series of": lambda: kaltura(event, "delete", scheduleEventId=series),
            "renames the series of": lambda: kaltura.update(series, summary="Mine"),
            "deletes the entry of": lambda: kaltura("media", "delete", entryId=entry),
        }
        running = [each for each in sessions if each["startDate"] <= now]
        verbs = set(acts)
        if one in running:  # nobody can bring back what has begun
            verbs -= {"cancels", "moves"}
        if series in {int(each.get("parentId") or each["id"]) for each in running}:
            verbs.discard("deletes the series of")
        verb = self.chance.choice(sorted(verbs))
        self._note(f"SOMEBODY {verb} {one['id']} of {reference}")
        acts[verb]()

    def device(self) -> None:
        """A device is replaced under its name."""
        room = self.chance.choice(ROOMS)
        if self.campus.taken(room) or room in self.campus.rooms_in_use():
            return  # what others booked goes with it, and is nobody's to mend
        self._note(f"DEVICE {room}")
        self.campus.replace_device(room)
        self.campus.look()

    # What came of it

    def _note(self, line: str) -> None:
        self.campus.log.append(line)

    def _any(self) -> str | None:
        living = sorted(self.campus.wishes)
        return self.chance.choice(living) if living else None

    def _any_session(self, *, also_running: bool = False) -> tuple[str, date] | None:
        reference = self._any()
        if reference is None:
            return None
        days, running = set(self.campus.ids[reference]), self.campus.wishes[reference].running
        if running and not (also_running and running.span):
            days.discard(running.day)
        return (reference, self.chance.choice(sorted(days))) if days else None

    def _refused(self, answer: Response) -> bool:
        """Whether nothing was begun, for a reason that there may be."""
        assert answer.status_code < 500, answer.text
        if answer.status_code < 300:
            return False
        code = answer.json()["code"]
        self._note(f"  {answer.status_code} {code}")
        assert code in {*GRACE, "not_changeable", "invalid_document", "nothing_ahead"}, answer.text
        return True

    def _done(self, reference: str) -> bool:
        """Whether the latest chain was done. What was refused must have been refused for a reason."""
        chain = self.campus.shown(reference)["chain"]
        if chain["status"] == "succeeded":
            return True
        assert chain["status"] == "failed", chain
        error = next(step["error"] for step in chain["steps"] if step["status"] == "failed")
        self._note(f"  refused: {error['code']}")
        assert error["code"] in GRACE, error
        return False


def conflicts(campus: Campus) -> list[tuple[str, str]]:
    """Recordings that are in one room at one time."""
    return list(pairs(campus.wishes))
