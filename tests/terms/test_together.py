"""Changes that go together, as rooms that are swapped do: when they begin, and that all of them are done or none."""

from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore

import pytest

from app.terms.applying.applier import Applier
from tests.crash.watching import SIGN_IN
from tests.service import READING, Json, found, utc
from tests.terms.campus import Registrar, but, campus, section

BEFORE = {
    "A": section("A", "SCI 101", "09:00", "09:50"),
    "B": section("B", "SCI 210", "09:00", "10:50"),
    "C": section("C", "SCI 101", "10:00", "10:50"),
}
SWAPPED = {
    "A": but(BEFORE["A"], room="SCI 210"),
    "B": but(BEFORE["B"], room="SCI 101"),
    "C": {**BEFORE["C"], "status": "cancelled"},
}
"""A and B swap rooms, and B is twice as long: it needs the place of C as well."""


@pytest.fixture
def registrar(tmp_path: Path, database_url: str) -> Iterator[Registrar]:
    with campus(tmp_path, database_url=database_url) as registrar:
        registrar.set()
        yield registrar


def planned(registrar: Registrar, order: str) -> Json:
    """The plan of the swap, of rows in this order."""
    registrar.applied([BEFORE[key] for key in order])
    plan = registrar.plan([SWAPPED[key] for key in order])
    groups = {item["section"]: item["group"] for item in registrar.items(plan)}
    assert groups == {"A": "g1", "B": "g1", "C": None}
    return plan


def touch(registrar: Registrar, key: str) -> None:
    """By hand, so that the plan's item of it is stale."""
    (one,) = [one for one in registrar.recordings() if one["section"] == key]
    found(registrar.service.client.patch(f"/recordings/{one['id']}", json={"description": "By hand"}))


def rooms(registrar: Registrar) -> dict[str, str]:
    scheduled = [one for one in registrar.recordings() if one["status"] == "scheduled"]
    return {one["section"]: one["resource"]["system_name"] for one in scheduled}


def delay(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call that changes something takes until the applier has looked twice for what may begin."""
    looked, sandbox, begin_some = Semaphore(0), registrar.service.sandbox, Applier._begin_some

    def look(applier: Applier, apply_id: str) -> bool:
        looked.release()
        return begin_some(applier, apply_id)

    def see(service: str, action: str, phase: str) -> None:
        if service not in SIGN_IN and action not in READING and phase == "before":
            sandbox.watch = None
            while looked.acquire(blocking=False):
                pass
            assert looked.acquire(timeout=10)
            assert looked.acquire(timeout=10)

    monkeypatch.setattr(Applier, "_begin_some", look)
    sandbox.watch = see


@pytest.mark.parametrize("order", ["ABC", "BAC"])
def test_they_wait_for_the_room_that_any_of_them_needs(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    plan = planned(registrar, order)
    delay(registrar, monkeypatch)
    done = registrar.apply(plan)
    assert (done["counts"]["done"], done["items"]) == (3, [])
    assert rooms(registrar) == {"A": "EXTRON-SCI-210", "B": "EXTRON-SCI-101"}


@pytest.mark.parametrize("order", ["ABC", "BAC"])
def test_they_are_all_refused_if_the_room_that_one_of_them_needs_is_not_left(registrar: Registrar, order: str) -> None:
    plan = planned(registrar, order)
    touch(registrar, "C")
    done = registrar.apply(plan)
    assert {one["section"]: one["outcome"] for one in done["items"]} == {"A": "conflict", "B": "conflict", "C": "stale"}
    said = "'Course C' (section C) was to make room for this, or for what changes together with it, and"
    assert {one["problem"]["detail"] for one in done["items"] if one["section"] != "C"} == {
        f"{said} that was not done."
    }
    assert rooms(registrar) == {"A": "EXTRON-SCI-101", "B": "EXTRON-SCI-210", "C": "EXTRON-SCI-101"}


# Why they were not done, in words of a timetable


def swap(registrar: Registrar) -> Json:
    """The plan of the same, without C."""
    registrar.applied([BEFORE["A"], BEFORE["B"]])
    return registrar.plan([SWAPPED["A"], SWAPPED["B"]])


def why(registrar: Registrar, plan: Json) -> dict[str, str]:
    done = registrar.apply(plan)
    assert {one["outcome"] for one in done["items"]} == {"conflict"}
    return {one["section"]: one["problem"]["detail"] for one in done["items"]}


def test_what_lectern_knows_to_be_in_the_way_is_named_with_its_room_and_day(registrar: Registrar) -> None:
    plan = swap(registrar)
    guest = {"title": "Guest", "resource": "EXTRON-SCI-101", "time_zone": "America/New_York", "duration_minutes": 30}
    for day in ("2027-02-02", "2027-01-26"):
        registrar.service.made({**guest, "start": f"{day}T10:00:00"})
    said = "'Guest' has SCI 101 from 2027-01-26 10:00 to 10:30 (America/New_York). There is 1 more like this."
    assert why(registrar, plan) == {
        "A": f"It changes together with 'Course B' (section B), and that cannot be changed. {said}",
        "B": said,
    }


def test_what_their_chains_find_in_the_way_is_named_too(registrar: Registrar) -> None:
    plan, service = swap(registrar), registrar.service
    begins = int(utc("2027-01-26T15:00:00Z").timestamp())  # ten o'clock
    event = service.kaltura.add_event(summary="Guest", startDate=begins, endDate=begins + 1800)
    service.kaltura.link(event["id"], service.get("/resources/EXTRON-SCI-101")["id"])
    assert why(registrar, plan) == {
        "A": "'Course B' (section B), with which it was to change, was not done.",
        "B": "'Guest' has SCI 101 from 2027-01-26 10:00 to 10:30 (America/New_York).",
    }
