"""What somebody decided by hand for one session, in the plan of a term that changes: it is judged where it will be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service import Json, found
from tests.terms.campus import Registrar, but, campus, counts, section

A = section("A")  # Tuesdays, 09:00 to 09:50, in SCI 101
AFTERNOON = {"start": "13:00", "end": "13:50"}
ELSEWHERE = "EXTRON-SCI-210"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with campus(tmp_path) as registrar:
        registrar.set()
        registrar.applied([A])
        yield registrar


def occurrences(registrar: Registrar) -> list[Json]:
    (recording,) = registrar.recordings()
    found: list[Json] = registrar.service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    return found


def decide(registrar: Registrar, number: int, **wanted: Any) -> str:
    """Changes one session; its local date."""
    (recording,) = registrar.recordings()
    one = occurrences(registrar)[number]
    found(registrar.service.client.patch(f"/recordings/{recording['id']}/occurrences/{one['id']}", json=wanted))
    return str(one["local_start"][:10])


def exam(registrar: Registrar, day: str, at: str, room: str) -> None:
    """Somebody else's booking there, for fifty minutes."""
    document = {"title": "Exam", "resource": room, "time_zone": "America/New_York", "duration_minutes": 50}
    registrar.service.made(document | {"start": f"{day}T{at}:00"})


def the_conflict(plan: Json, registrar: Registrar) -> str:
    assert counts(plan) == {"conflict": 1}
    (item,) = registrar.items(plan)
    return str(item["because"])


def test_a_session_in_another_room_is_looked_for_there(registrar: Registrar) -> None:
    day = decide(registrar, 3, resource=ELSEWHERE)
    exam(registrar, day, "13:00", ELSEWHERE)
    because = the_conflict(registrar.plan([but(A, **AFTERNOON)]), registrar)
    assert because.startswith(f"'Exam' has the room from {day} 13:00 to 13:50")


def test_and_not_in_the_room_that_it_is_not_in(registrar: Registrar) -> None:
    day = decide(registrar, 3, resource=ELSEWHERE)
    exam(registrar, day, "13:00", "EXTRON-SCI-101")
    plan = registrar.plan([but(A, **AFTERNOON)])
    assert (counts(plan), plan["sessions"]["moved"]) == ({"change": 1}, 16)
    assert registrar.apply(plan)["items"] == []
    assert [one["resource"]["system_name"] for one in occurrences(registrar)].count(ELSEWHERE) == 1
    assert {one["local_start"][11:16] for one in occurrences(registrar)} == {"13:00"}


def test_it_does_not_move_to_the_recording_s_new_room(registrar: Registrar) -> None:
    decide(registrar, 3, resource=ELSEWHERE)
    plan = registrar.plan([but(A, room="SCI 210")])
    assert (counts(plan), plan["sessions"]["moved"]) == ({"change": 1}, 15)


def test_a_session_at_an_hour_of_its_own_keeps_it_and_is_in_the_way_of_others_there(registrar: Registrar) -> None:
    day = decide(registrar, 3, start=f"{occurrences(registrar)[3]['local_start'][:10]}T17:00:00")
    plan = registrar.plan([but(A, **AFTERNOON), section("B", start="17:00", end="17:50")])
    assert plan["sessions"]["moved"] == 15
    assert counts(plan) == {"change": 1, "conflict": 1}
    (item,) = registrar.items(plan, kind="conflict")
    assert item["section"] == "B"
    assert item["because"].startswith(f"'Course A' has the room from {day} 17:00 to 17:50")


def test_a_session_that_was_restored_on_a_closed_day_follows_a_new_hour(registrar: Registrar) -> None:
    day = occurrences(registrar)[3]["local_start"][:10]
    days = [{"date": day, "name": "Snow day"}]
    found(registrar.service.client.put("/calendars/campus", json={"days": days}))
    registrar.set(calendars=["campus"])
    registrar.applied([A])
    (recording,) = registrar.recordings()
    closed = occurrences(registrar)[3]["id"]
    found(registrar.service.client.post(f"/recordings/{recording['id']}/occurrences/{closed}/restore"))
    exam(registrar, day, "13:00", "EXTRON-SCI-101")
    because = the_conflict(registrar.plan([but(A, **AFTERNOON)]), registrar)
    assert because.startswith(f"'Exam' has the room from {day} 13:00 to 13:50")


def test_so_does_one_in_a_week_that_the_meeting_leaves_out(registrar: Registrar) -> None:
    weeks = {"weeks": "1-3,5-16"}
    registrar.applied([but(A, **weeks)])
    (recording,) = registrar.recordings()
    one = occurrences(registrar)[3]
    assert one["status"] == "excluded"
    found(registrar.service.client.post(f"/recordings/{recording['id']}/occurrences/{one['id']}/restore"))
    day = one["local_start"][:10]
    exam(registrar, day, "13:00", "EXTRON-SCI-101")
    because = the_conflict(registrar.plan([but(A, **weeks, **AFTERNOON)]), registrar)
    assert because.startswith(f"'Exam' has the room from {day} 13:00 to 13:50")
