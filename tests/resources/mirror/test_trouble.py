"""A refresh that fails or looks broken keeps the old state and says so; a change that looks like it is looked up."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.database.database import Database
from app.kaltura.answers import Listed
from app.kaltura.errors import Refused
from app.kaltura.types import Event
from app.resources.mirror.refresh import HORIZON
from app.resources.whole_list import everything
from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.transport import SandboxTransport
from tests.resources.mirrored import START, Json, Room, room_of

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


class Garbled(SandboxTransport):
    """The sandbox behind something that spoils what is listed of a resource, as a search engine can."""

    def __init__(self, room: Room, spoil: Callable[[Json], object], everywhere: bool = False) -> None:
        super().__init__(room.sandbox)
        self._spoil = spoil
        self._everywhere = everywhere  # also when they are asked for by ids

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if "scheduleEvent/action/list" not in request.url.path or not (
            self._everywhere or b"resourceIdsLike" in request.content
        ):
            return answer
        page = json.loads(answer.content)
        self._spoil(page)
        return httpx.Response(200, json=page)


def garble(room: Room, spoil: Callable[[Json], object], *, everywhere: bool = False) -> None:
    room.client._http._transport = Garbled(room, spoil, everywhere)


def shorter(page: Json) -> None:
    page["objects"].pop()


def fewer(page: Json) -> None:
    """As when the index has lost most of what the database has: the total says nothing of it."""
    page["objects"] = page["objects"][: len(page["objects"]) // 3]
    page["totalCount"] = len(page["objects"])


def nothing(page: Json) -> None:
    page["objects"], page["totalCount"] = [], 0


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "html"},
        {"fault": "truncated"},
        {"fault": "drop_before"},
        {"fault": "drop_after"},
        {"fault": "http_500"},
        {"fault": "error", "code": "INTERNAL_SERVERL_ERROR"},
        {"fault": "error", "code": "SOMETHING_ELSE"},
    ],
    ids=lambda fault: fault.get("code", fault["fault"]),
)
def test_a_failed_refresh_keeps_the_old_state_and_says_so(room: Room, fault: dict[str, Any]) -> None:
    room.book(3)
    before = room.refresh()
    as_of, version = room.row().as_of, room.row().version
    room.now += timedelta(minutes=1)
    room.book(summary="not seen yet")
    room.fault(**fault)
    with capture_logs() as logs:
        assert room.refresh() == before
    row = room.row()
    assert (row.as_of, row.version) == (as_of, version)
    assert row.failure
    assert [(log["event"], log["reason"]) for log in logs] == [("mirror_not_refreshed", row.failure)]
    room.heal()
    assert len(room.refresh()) == 4
    assert (room.row().as_of, room.row().failure) == (room.now, None)


@pytest.mark.parametrize("spoil", [shorter, fewer, nothing])
@pytest.mark.parametrize("count", [20, 3])
def test_a_list_that_leaves_things_out_takes_nothing_away(
    room: Room, spoil: Callable[[Json], object], count: int
) -> None:
    room.book(count)
    room.own(count)
    before = room.refresh()
    assert len(before) == 2 * count
    as_of = room.row().as_of
    room.now += timedelta(minutes=1)
    garble(room, spoil)
    for _ in range(3):
        assert room.refresh() == before
    assert (room.row().as_of, room.drift()) == (as_of, [])
    assert room.row().failure


def test_what_was_never_seen_stays_unknown_when_it_cannot_be_read(room: Room) -> None:
    room.book(3)
    room.fault("html")
    room.refresh()
    assert (room.row().as_of, room.row().version) == (None, 0)


# More than Kaltura lists


class Full:
    """A resource with one event an hour, on a Kaltura that lists `most` of them. Counts what it is asked."""

    def __init__(self, count: int, most: int) -> None:
        self.events = [
            Event(
                id=number + 1,
                recurrence_type=0,
                status=2,
                start=START + timedelta(hours=number),
                end=START + timedelta(hours=number + 1),
            )
            for number in range(count)
        ]
        self.most = most
        self.asked = 0

    def list_events_on_resource(self, _resource: int, start: datetime, end: datetime) -> Listed[Event]:
        self.asked += 1
        found = [event for event in self.events if event.start <= end and event.end >= start]
        if len(found) > self.most:
            raise Refused("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED")
        return Listed(found)


def test_more_than_kaltura_lists_is_read_in_halves() -> None:
    kaltura = Full(count=2500, most=1000)
    found = everything(kaltura.list_events_on_resource, RESOURCE_ID, START, HORIZON)
    assert sorted(event.id for event in found) == list(range(1, 2501))
    assert kaltura.asked < 40


def test_halves_end_where_they_cannot_help() -> None:
    with pytest.raises(Refused):
        everything(Full(count=100, most=2).list_events_on_resource, RESOURCE_ID, START, HORIZON)


def test_halves_leave_out_nothing_where_they_meet() -> None:
    """However short a session is, and wherever it lies."""
    kaltura = Full(count=600, most=20)
    kaltura.events = [event.model_copy(update={"end": event.start + timedelta(minutes=5)}) for event in kaltura.events]
    found = everything(kaltura.list_events_on_resource, RESOURCE_ID, START, START + timedelta(hours=600))
    assert sorted(event.id for event in found) == list(range(1, 601))
