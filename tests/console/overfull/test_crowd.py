"""*Today* with 300 rooms and 2,000 sessions: light, cheap, and whoever is in trouble is found."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event

from app.database.types import utc_now
from tests.console.conftest import somebody
from tests.console.overfull.crowd import FIRST, ROOMS, SESSIONS, SILENT, STUCK, fill, name_of, seed
from tests.service import Lectern, lectern

LIGHT = 200_000  # bytes
DAY = utc_now().date() + timedelta(days=30)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    """All of it on one day, and the client's of an open service."""
    with lectern(tmp_path_factory.mktemp("crowded"), seed=seed()) as service:
        fill(service.app.state.database, DAY, "local")
        yield service


def rooms(text: str) -> list[int]:
    """The ids of the rows, in order."""
    return [int(found) for found in re.findall(r"<div class=side><a href=rooms/(\d+)", text)]


def test_the_largest_day_is_light_and_costs_few_statements(crowded: Lectern) -> None:
    statements = list[str]()

    def noted(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if threading.current_thread().name.startswith("AnyIO"):  # a request's; others look at rooms meanwhile
            statements.append(statement)

    engine = crowded.app.state.database.engine
    event.listen(engine, "before_cursor_execute", noted)
    answer = crowded.client.get(f"/console?day={DAY}")
    event.remove(engine, "before_cursor_execute", noted)
    assert answer.text.count("href=s/") == SESSIONS
    assert "2,000 sessions in 300 rooms" in answer.text
    assert len(answer.content) < LIGHT, len(answer.content)
    assert len([one for one in statements if one.startswith("SELECT")]) < 30


def test_one_click_leads_to_the_rooms_that_are_in_trouble(crowded: Lectern) -> None:
    text = crowded.client.get(f"/console?day={DAY}").text
    assert "2 in trouble" in text
    (address,) = re.findall(r'href="(/console\?[^"]*only=trouble)"', text)
    shown = crowded.client.get(address.replace("&amp;", "&")).text
    assert rooms(shown) == sorted((FIRST + SILENT, FIRST + STUCK), key=lambda of: name_of(of - FIRST))
    assert "silent since" in shown
    assert "2 in trouble" in shown
    assert "All 300 rooms" in shown


def test_a_room_is_found_by_a_part_of_its_name(crowded: Lectern) -> None:
    found = rooms(crowded.client.get(f"/console?day={DAY}&room=FORUM+1").text)
    assert found == [FIRST + number for number in range(ROOMS) if name_of(number).startswith("Physics Forum 1")]
    none = crowded.client.get(f"/console?day={DAY}&room=forum&only=trouble").text
    assert "No room in trouble is called “forum”." in none
    assert rooms(none) == []


def test_on_a_wall_those_in_trouble_come_first(crowded: Lectern) -> None:
    assert set(rooms(crowded.client.get(f"/console?wall&day={DAY}").text)[:2]) == {FIRST + SILENT, FIRST + STUCK}


def test_an_encoder_is_no_trouble_on_a_day_on_which_nobody_needs_it(crowded: Lectern) -> None:
    text = crowded.client.get(f"/console?day={DAY + timedelta(days=7)}").text
    assert "silent since" in text
    assert "0 in trouble" in text


def test_rooms_that_come_later_can_be_looked_for_all_the_same(service: Lectern) -> None:
    """The field is no part of what is brought up to date: whoever types into it would lose it."""
    person = somebody(service, "nobody-s-rooms", "recordings:read")
    text = person.get("/console").text
    assert rooms(text) == []
    assert text.index('role="search"') < text.index('data-live="which"') < text.index('data-live="day"')
