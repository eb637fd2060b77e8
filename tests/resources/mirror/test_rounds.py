"""What is asked about all resources at once: by one process at a time, believed only if it makes sense."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update
from sqlmodel import col

from app.database.database import Database
from app.database.types import database_now
from app.resources.mirror.drift import doubt
from app.resources.models import Booking, Drift, Occurrence, Resource, Round
from app.resources.rounds import ENTRIES, INTEREST, RESOURCES, RoundClaim, Rounds
from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.transport import SandboxTransport
from tests.resources.mirrored import DAY, OTHER_ROOM, OWN, Json, Room, room_of
from tests.sandbox.kaltura import HOUR, MONDAY

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


def rounds(database: Database, owner: str = "one") -> Rounds:
    return Rounds(database, owner, {RESOURCES: (60.0, lambda *_given: lambda _session: None)})


def due_in(database: Database, name: str = RESOURCES) -> float | None:
    with database.read() as session:
        found: float | None = session.execute(
            select(col(Round.due_at) - database_now()).where(col(Round.name) == name)
        ).scalar_one()
    return found


def row(room: Room, name: str = RESOURCES) -> Round:
    with room.database.read() as session:
        return session.get_one(Round, name)


def names(room: Room) -> dict[int, str | None]:
    """Of the resources that are there; None is one that is gone."""
    with room.database.read() as session:
        found = session.execute(select(Resource)).scalars()
        return {one.id: None if one.gone_since else one.system_name for one in found}


def delete(room: Room, resource_id: int = RESOURCE_ID) -> None:
    room.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=resource_id)


def kinds(room: Room) -> list[str]:
    return [each["kind"] for each in room.drift()]


# Who makes them, and when


def test_nothing_is_asked_that_nobody_wants_to_know(database: Database) -> None:
    assert rounds(database).claim() is None


def test_a_round_that_is_wanted_is_made_once_and_again_after_its_time(room: Room) -> None:
    one = rounds(room.database)
    one.ask()
    claim = one.claim()
    assert claim == RoundClaim(RESOURCES, 1)
    assert rounds(room.database, "two").claim() is None
    one.run(room.client, claim)
    assert due_in(room.database) == pytest.approx(60, abs=5)
    one.ask()
    assert due_in(room.database) == pytest.approx(60, abs=5)
    assert one.claim() is None


def test_many_that_claim_a_round_at_once_get_it_once(database: Database) -> None:
    rounds(database).ask()
    ready = threading.Barrier(4)

    def take(owner: int) -> RoundClaim | None:
        one = rounds(database, str(owner))
        ready.wait()
        return one.claim()

    with ThreadPoolExecutor(4) as pool:
        assert len([claim for claim in pool.map(take, range(4)) if claim]) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_rounds_end_when_nobody_has_asked_for_an_hour(room: Room, fails: bool) -> None:
    room.round()
    if fails:
        room.fault("html", service="schedule_scheduleResource")
    with room.database.write() as session:
        session.execute(update(Round).values(asked_at=database_now() - INTEREST - 1, due_at=0.0))
    while (claim := room.rounds.claim()) is not None:
        room.rounds.run(room.client, claim)
    assert (bool(row(room).failure), due_in(room.database, RESOURCES)) == (fails, None)


def test_a_process_that_slept_past_its_lease_changes_no_name(room: Room) -> None:
    room.round()
    asleep = RoundClaim(RESOURCES, row(room).fence)
    with room.database.write() as session:
        session.execute(update(Round).values(fence=col(Round.fence) + 1))
        session.get_one(Resource, RESOURCE_ID).system_name = "NEWER"
    room.rounds.run(room.client, asleep)
    assert names(room)[RESOURCE_ID] == "NEWER"


# Names


def test_what_kaltura_lists_is_what_there_is(room: Room) -> None:
    assert names(room) == {RESOURCE_ID: f"ROOM-{RESOURCE_ID}", OTHER_ROOM: f"ROOM-{OTHER_ROOM}"}
    room.round()
    assert (names(room)[RESOURCE_ID], names(room)[OTHER_ROOM]) == ("EXTRON-100-ABC", "EXTRON-200-DEF")
    versions = room.row().version, room.row(OTHER_ROOM).version
    room.round()
    assert (room.row().version, room.row(OTHER_ROOM).version) == versions  # nothing is shown otherwise
    delete(room)
    room.round()
    assert names(room)[RESOURCE_ID] is None
    assert room.row().version > versions[0]


@pytest.mark.parametrize(
    "fault", [{"fault": "html"}, {"fault": "error", "code": "SOMETHING_ELSE"}, {"fault": "truncated"}]
)
def test_a_list_that_fails_outdates_nothing(room: Room, fault: dict[str, Any]) -> None:
    room.round()
    before, as_of = names(room), row(room).as_of
    delete(room)
    room.sandbox.set_faults({"faults": [{"service": "schedule_scheduleResource", "action": "list", **fault}]})
    room.round()
    assert (names(room), row(room).as_of) == (before, as_of)
    assert row(room).failure
    room.heal()
    room.round()
    assert names(room)[RESOURCE_ID] is None


def test_a_list_of_nothing_is_absurd(room: Room) -> None:
    room.round()
    before = names(room)
    for resource_id in before:
        delete(room, resource_id)
    room.round()
    assert names(room) == before
    assert row(room).failure == f"Kaltura lists no resource, and had {len(before)}"


def test_a_list_that_leaves_a_resource_out_is_asked_again_by_id(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.round()
    before, list_resources = names(room), room.client.list_resources

    def short(**given: Any) -> Any:
        found = list_resources(**given)
        if "ids" not in given:
            found[:] = [one for one in found if one.id != RESOURCE_ID]
        return found

    monkeypatch.setattr(room.client, "list_resources", short)
    room.round()
    assert names(room) == before


@pytest.mark.parametrize("odd", [{"name": 7}, {"id": "unreadable"}, {"objectType": "Something"}], ids=str)
def test_a_resource_that_cannot_be_read_stays_and_outdates_no_other(room: Room, odd: dict[str, Any]) -> None:
    room.round()
    before = names(room)
    room.kaltura(
        "schedule_scheduleResource",
        "update",
        scheduleResourceId=OTHER_ROOM,
        scheduleResource={"objectType": "KalturaCameraScheduleResource", "systemName": "RENAMED"},
    )

    class Odd(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if "scheduleResource/action/list" not in request.url.path:
                return answer
            page = json.loads(answer.content)
            for one in page["objects"]:
                if one["id"] == RESOURCE_ID:
                    one.update(odd)
            return httpx.Response(200, json=page)

    room.client._http._transport = Odd(room.sandbox)
    for _ in range(2):
        room.round()
        assert names(room) == {**before, OTHER_ROOM: "RENAMED"}


def test_a_resource_that_is_back_is_itself_again(room: Room) -> None:
    room.round()
    with room.database.write() as session:
        session.get_one(Resource, RESOURCE_ID).gone_since = room.now
    room.round()
    assert names(room)[RESOURCE_ID] == "EXTRON-100-ABC"


# Recordings whose resource is gone


def test_a_recording_whose_resource_is_gone_has_drift(room: Room) -> None:
    room.own(3)
    room.round()
    room.refresh()
    assert room.drift() == []
    delete(room)
    room.now += timedelta(minutes=1)
    room.round()
    nothing = dict.fromkeys(("occurrence_id", "start", "end", "event_id", "found_start", "found_end"))
    assert room.drift() == [{"kind": "resource_gone", **nothing, "since": room.now}]
    with room.database.read() as session:
        (found,) = session.execute(select(Drift)).scalars()
    assert (found.key, found.resource_id) == (f"resource_gone:{OWN}", RESOURCE_ID)
    since = room.now
    room.now += timedelta(minutes=1)
    room.refresh()  # which has nothing to say of it
    room.round()
    assert [each["since"] for each in room.drift()] == [since]


def test_a_recording_that_has_moved_on_has_no_such_drift_at_once(room: Room) -> None:
    room.own(3)
    room.round()
    delete(room)
    room.round()
    assert kinds(room) == ["resource_gone"]
    with room.database.write() as session:
        session.execute(update(Occurrence).values(resource_id=OTHER_ROOM))
    assert kinds(room) == []
    room.round()
    with room.database.read() as session:
        assert session.execute(select(Drift)).all() == []


def test_what_is_over_or_is_worked_on_or_is_somebody_else_s_has_no_resource_to_lose(room: Room) -> None:
    room.own(3)
    room.book(3)
    room.refresh()
    room.round()
    delete(room)
    room.busy.add(OWN)
    room.round()
    assert kinds(room) == []
    room.busy.clear()
    room.round()
    assert kinds(room) == ["resource_gone"]
    room.busy.add(OWN)
    room.round()
    assert kinds(room) == ["resource_gone"]  # as it was before the chain began
    with room.database.write() as session:
        session.execute(update(Occurrence).values(status="cancelled"))
    room.busy.clear()
    assert kinds(room) == []


# Template entries that are gone


def with_entry(room: Room) -> str:
    """Lectern's own series, which needs an entry; its id."""
    made: Json = room.kaltura("media", "add", entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "Own"})
    room.own(3)
    with room.database.write() as session:
        session.get_one(Booking, OWN).template_entry_id = made["id"]
    entry_id: str = made["id"]
    return entry_id


def calls(room: Room) -> list[str]:
    """What one round asks Kaltura for entries, signed in."""
    room.client.ping()
    before = len(room.sandbox.requests())
    room.round(ENTRIES)
    return [f"{one['service']}.{one['action']}" for one in room.sandbox.requests()[before:]]


def test_a_template_entry_that_was_deleted_by_hand_is_drift(room: Room) -> None:
    entry_id = with_entry(room)
    assert calls(room) == ["media.list"]
    assert room.drift() == []
    room.kaltura("media", "delete", entryId=entry_id)
    assert calls(room) == ["media.list", "media.get"]
    nothing = dict.fromkeys(("occurrence_id", "start", "end", "event_id", "found_start", "found_end"))
    assert room.drift() == [{"kind": "template_entry_gone", **nothing, "since": room.now}]
    with room.database.read() as session:
        (found,) = session.execute(select(Drift)).scalars()
    assert found.key == f"template_entry_gone:{OWN}"
    room.refresh()
    assert calls(room) == []  # it does not come back
    assert kinds(room) == ["template_entry_gone"]


def test_an_entry_that_is_made_again_is_no_drift_at_once(room: Room) -> None:
    room.kaltura("media", "delete", entryId=with_entry(room))
    room.round(ENTRIES)
    assert kinds(room) == ["template_entry_gone"]
    made = room.kaltura("media", "add", entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "Own"})
    with room.database.write() as session:
        session.get_one(Booking, OWN).template_entry_id = made["id"]
    assert kinds(room) == []
    room.round(ENTRIES)
    with room.database.read() as session:
        assert session.execute(select(Drift)).all() == []


def test_an_entry_that_the_search_engine_never_saw_is_there(room: Room) -> None:
    room.sandbox.set_faults({"modes": {"engine_down": True}})
    made = room.kaltura("media", "add", entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "Own"})
    room.heal()
    room.own(3)
    with room.database.write() as session:
        session.get_one(Booking, OWN).template_entry_id = made["id"]
    assert calls(room) == ["media.list", "media.get"]
    assert room.drift() == []


def test_an_entry_of_what_is_over_or_cancelled_is_not_asked_for(room: Room) -> None:
    room.kaltura("media", "delete", entryId=with_entry(room))
    room.now += timedelta(days=300)
    assert calls(room) == []
    room.now -= timedelta(days=300)
    with room.database.write() as session:
        session.execute(update(Occurrence).values(status="cancelled"))
    assert calls(room) == []


def test_an_entry_of_a_recording_that_a_chain_works_on_is_left_alone(room: Room) -> None:
    room.kaltura("media", "delete", entryId=with_entry(room))
    room.busy.add(OWN)
    room.round(ENTRIES)
    assert room.drift() == []


# What a chain has just mended


def moved_by_hand(room: Room) -> None:
    moved = room.kaltura.children(room.own(3))[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    room.refresh()
    room.refresh()
    assert kinds(room) == ["moved"]


def doubted(room: Room) -> None:
    with room.database.write() as session:
        doubt(session, OWN)


def test_what_a_chain_may_have_mended_is_shown_no_more_until_it_was_seen_again(room: Room) -> None:
    moved_by_hand(room)
    since = room.drift()[0]["since"]
    doubted(room)
    assert room.drift() == []
    with room.database.write() as session:
        session.execute(text("UPDATE mirror SET claimed_at = 0"))  # a second has passed
    claim = room.mirror.claim()
    assert claim is not None  # it is due at once
    room.mirror.refresh(room.client, claim)
    assert [(each["kind"], each["since"]) for each in room.drift()] == [("moved", since)]


def test_a_refresh_that_has_read_before_a_chain_ended_says_nothing_of_it(room: Room) -> None:
    moved_by_hand(room)
    claim = room.due()
    doubted(room)
    room.mirror.refresh(room.client, claim)
    assert room.drift() == []


def test_what_is_about_the_whole_recording_is_not_doubted(room: Room) -> None:
    room.own(3)
    room.round()
    delete(room)
    room.round()
    doubted(room)
    assert kinds(room) == ["resource_gone"]


def test_drift_stays_while_a_chain_works(room: Room) -> None:
    moved_by_hand(room)
    room.busy.add(OWN)
    room.refresh()
    assert kinds(room) == ["moved"]
