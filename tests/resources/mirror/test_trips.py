"""The lists of several resources are read in one request, and each is refreshed by itself."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import update

from app.database.database import Database
from app.resources.mirror.refresh import TOGETHER
from app.resources.models import Mirror as Row
from app.resources.models import Resource
from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.transport import SandboxTransport
from tests.resources.mirrored import OTHER_ROOM, Room, room_of

MORE = 12


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


def all_are_due(room: Room) -> None:
    with room.database.write() as session:
        for number in range(MORE):
            session.add(Resource(id=5_000_000 + number, name="Another", kind="camera"))
    due_again(room)


def due_again(room: Room) -> None:
    with room.database.write() as session:
        session.execute(update(Row).values(due_at=0.0, claimed_at=0.0, lease_until=0.0))


def test_ten_resources_are_read_in_one_request(room: Room) -> None:
    room.book(resource_id=RESOURCE_ID)
    room.book(resource_id=OTHER_ROOM)
    all_are_due(room)
    before = len(room.sandbox.requests())
    seen = []
    while claims := room.mirror.claim_some():
        room.mirror.refresh_together(room.client, claims)
        seen.append(len(claims))
    assert seen == [TOGETHER, MORE + 2 - TOGETHER]
    lists = [one for one in room.sandbox.requests(before) if one["action"] == "list"]
    assert (len(lists), len({one["trip"] for one in lists})) == (MORE + 2, 2)
    assert [len(room.shown(number)) for number in (RESOURCE_ID, OTHER_ROOM)] == [1, 1]


def test_one_that_cannot_be_read_hides_no_other(room: Room) -> None:
    room.book(resource_id=OTHER_ROOM)
    all_are_due(room)
    room.fault("error", code="INTERNAL_SERVERL_ERROR", times=1)
    claims = room.mirror.claim_some()
    room.mirror.refresh_together(room.client, claims)
    failed = [claim.resource_id for claim in claims if room.row(claim.resource_id).failure]
    assert failed == [claims[0].resource_id]


def test_one_that_kaltura_dies_of_takes_others_along_once_at_most(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that dies of a PHP error takes the answers of its whole request along (exchange 596)."""
    room.book(resource_id=OTHER_ROOM)
    all_are_due(room)
    answer = SandboxTransport.handle_request

    def dies(transport: SandboxTransport, request: httpx.Request) -> httpx.Response:
        asked = request.read()
        is_about_it = b"resourceIdsLike" in asked and str(RESOURCE_ID).encode() in asked
        return httpx.Response(500) if is_about_it else answer(transport, request)

    monkeypatch.setattr(SandboxTransport, "handle_request", dies)
    failed = list[set[int]]()
    for _ in range(2):
        looked = set[int]()
        while claims := room.mirror.claim_some():
            room.mirror.refresh_together(room.client, claims)
            looked |= {claim.resource_id for claim in claims}
        failed.append({number for number in looked if room.row(number).failure})
        due_again(room)
    assert len(looked) == MORE + 2
    assert RESOURCE_ID in failed[0]
    assert failed[1] == {RESOURCE_ID}
    assert len(room.shown(OTHER_ROOM)) == 1
