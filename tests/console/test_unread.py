"""A room that no encoder asks for is not shown as free: whoever looks at the day has it read from Kaltura."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.database.types import utc_now
from app.resources.models import Mirror
from tests.resources.polls import book, make_round
from tests.service import Lectern, eventually, lectern


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path, time_zone="UTC") as running:
        make_round(running)  # the rooms are known, and none was read
        yield running


def due(service: Lectern) -> set[float | None]:
    with service.app.state.database.read() as session:
        return set(session.execute(select(col(Mirror.due_at))).scalars())


def test_the_day_says_which_rooms_were_not_read_and_has_them_read(service: Lectern) -> None:
    book(service, utc_now() - timedelta(minutes=1), summary="Faculty meeting")
    first = service.client.get("/console").text
    assert "never polled · not read yet" in first
    assert "What others have booked in 3 rooms is being read from Kaltura." in first
    assert eventually(lambda: "Faculty meeting" in service.client.get("/console").text)
    assert eventually(lambda: "not read yet" not in service.client.get("/console").text)
    assert eventually(lambda: due(service) == {None}), "that is for rooms that somebody asks for"


def test_what_was_read_long_ago_is_read_again(service: Lectern) -> None:
    assert eventually(lambda: "not read yet" not in service.client.get("/console").text)
    long_ago = utc_now() - timedelta(minutes=11)
    with service.app.state.database.write() as session:
        session.execute(update(Mirror).values(as_of=long_ago))
    book(service, utc_now() - timedelta(minutes=1), summary="Faculty meeting")
    assert eventually(lambda: "Faculty meeting" in service.client.get("/console").text)


def test_a_room_s_own_page_keeps_it_fresh(service: Lectern) -> None:
    book(service, utc_now() - timedelta(minutes=1), summary="Faculty meeting")
    assert "what others have booked is not shown" in service.client.get("/console/rooms/562931").text
    assert eventually(lambda: "Faculty meeting" in service.client.get("/console/rooms/562931").text)
    assert len(due(service)) == 2
