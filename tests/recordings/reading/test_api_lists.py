"""`GET /recordings`: filters, orders, and pages that lose nothing in either."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlmodel import col, delete, update

from app.database.types import utc_now
from app.recordings.models import Recording
from app.resources.models import Drift
from tests.conftest import Databases
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, found, lectern, pointers, problem

WANTED: list[Json] = [
    {"title": "Linear Algebra", "start": "2027-03-01T09:00:00", "owner": "ada", "tags": ["ÜBUNG", "Straße"]},
    {"title": "Analysis_I", "start": "2027-01-04T09:00:00", "owner": "emmy", "tags": ["übung", "Lecture"]},
    {"title": "Algebra 100%", "start": "2027-02-01T09:00:00"},
    {"title": "Topology", "start": "2027-01-04T11:00:00", "owner": "ada"},
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    folder = tmp_path_factory.mktemp("lists")
    with databases.one() as url, lectern(folder, database_url=url) as service:
        for number, wanted in enumerate(WANTED):
            service.made(SINGLE | wanted | {"reference_id": f"r{number}"})
        found(service.client.delete("/recordings/by-reference/r3"))
        yield service


def listed(service: Lectern, **query: Any) -> str:
    """The numbers of the recordings, in the order of the list: `310`."""
    items = service.get("/recordings", **query)["items"]
    return "".join(one["reference_id"].removeprefix("r") for one in items)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "3210"),
        ({"status": "scheduled"}, "210"),
        ({"status": ["cancelled", "failed"]}, "3"),
        ({"status": ["cancelled", "scheduled"]}, "3210"),
        ({"title": "ALGEBRA"}, "20"),
        ({"title": "%"}, "2"),
        ({"title": "_"}, "1"),
        ({"title": "geometry"}, ""),
        ({"tag": "Übung"}, "10"),
        ({"tag": "STRASSE"}, "0"),
        ({"tag": "lecture"}, "1"),
        ({"tag": "lect"}, ""),
        ({"owner": "ada"}, "30"),
        ({"owner": "ada", "status": "scheduled"}, "0"),
        ({"owner": "ad"}, ""),
        ({"sort": "start"}, "1320"),
        ({"sort": "updated"}, "0123"),
        ({"sort": "start", "title": "algebra"}, "20"),
        ({"drift": "true"}, ""),
        ({"drift": "false"}, "3210"),
        ({"updated_since": "2099-01-01T00:00:00Z"}, ""),
        ({"updated_since": "2020-01-01T00:00:00Z"}, "3210"),
    ],
)
def test_a_list_is_filtered_and_sorted(filled: Lectern, query: Json, expected: str) -> None:
    assert listed(filled, **query) == expected


def test_those_with_drift_are_found(filled: Lectern) -> None:
    (one,) = filled.get("/recordings", reference_id="r1")["items"]
    row = Drift(resource_id=562931, key="d", booking_id=one["id"], kind="missing", confirmed=True)
    with filled.app.state.database.write() as session:
        session.add(row)
    assert (listed(filled, drift="true"), listed(filled, drift="false")) == ("1", "320")
    with filled.app.state.database.write() as session:  # unless the mirror has looked meanwhile
        session.execute(delete(Drift).where(col(Drift.key) == "d"))


def test_what_changed_since_is_found(filled: Lectern) -> None:
    earlier = col(Recording.reference_id).in_(["r0", "r1", "r2"])
    with filled.app.state.database.write() as session:
        session.execute(update(Recording).where(earlier).values(updated_at=utc_now() - timedelta(days=1)))
    last = filled.get("/recordings", sort="updated")["items"][-1]["updated_at"]
    assert "." in last, "as it is shown, with its milliseconds"
    assert listed(filled, updated_since=last) == "3"


@pytest.mark.parametrize("sort", [None, "start", "updated"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_are_the_whole_list_in_every_order(filled: Lectern, sort: str | None, limit: int) -> None:
    query: Json = {"sort": sort} if sort else {}
    whole = filled.get("/recordings", **query)["items"]
    seen, cursor = [], None
    for _ in count():
        page = filled.get("/recordings", **query, limit=limit, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole


def test_what_was_made_at_one_moment_is_on_one_page_alone(filled: Lectern) -> None:
    with filled.app.state.database.write() as session:
        session.execute(
            update(Recording)
            .where(col(Recording.reference_id).in_(["r0", "r1", "r2"]))
            .values(updated_at=utc_now(), first_start=utc_now())
        )
    for sort in ("start", "updated"):
        first = filled.get("/recordings", sort=sort, limit=2)
        second = filled.get("/recordings", sort=sort, limit=2, cursor=first["next_cursor"])
        assert len({one["id"] for page in (first, second) for one in page["items"]}) == 4


@pytest.mark.parametrize("sort", ["start", "updated"])
def test_a_cursor_is_for_lists_in_its_own_order(filled: Lectern, sort: str) -> None:
    cursors = {
        order: filled.get("/recordings", limit=1, **({"sort": order} if order else {}))["next_cursor"]
        for order in ("", "start", "updated")
    }
    for order, cursor in cursors.items():
        answer = filled.client.get("/recordings", params={"sort": sort, "cursor": cursor})
        if order == sort:
            found(answer)
        else:
            assert pointers(problem(answer, 422, "invalid_document")) == ["/query/cursor"]
    for cursor in ("", "!", "c3RhcnQ", "dXBkYXRlZCAxIHJlYw"):
        answer = filled.client.get("/recordings", params={"sort": sort, "cursor": cursor})
        assert pointers(problem(answer, 422, "invalid_document")) == ["/query/cursor"]


def test_a_change_moves_a_recording_to_the_end_of_what_was_updated(filled: Lectern) -> None:
    found(filled.client.patch("/recordings/by-reference/r1", json={"location": "Room 1"}))
    assert listed(filled, sort="updated").endswith("1")


# What is cut says so


def test_a_schedule_that_is_cut_says_so_in_its_body(filled: Lectern) -> None:
    path, window = "/resources/562931/upcoming", {"from": "2027-01-01T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
    cut = filled.get(path, **window, limit=1)
    assert cut["next_cursor"]
    rest = filled.get(path, **window, limit=100, cursor=cut["next_cursor"])
    assert (len(rest["occurrences"]), rest["next_cursor"]) == (2, None)
    calendar = filled.client.get(f"{path}.ics", params={**window, "limit": 1}).text
    assert "X-LECTERN-TRUNCATED:TRUE" in calendar
    assert "X-LECTERN-TRUNCATED" not in filled.client.get(f"{path}.ics", params=window).text
