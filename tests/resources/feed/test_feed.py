"""What encoders see: everything on the resource, always answered, and never an empty answer that is not true."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.database.types import database_now, utc_now
from app.main import create_app
from app.resources.feed import polling
from app.resources.models import Mirror, Resource
from app.resources.schemas import UpcomingView
from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.client import client_of
from tests.recordings.documents import LEFT_OUT, SINGLE, example
from tests.resources.polls import PATH, book, make_round, pass_time, poll, refresh, tag, upcoming
from tests.sandbox.kaltura import embedded, weekly
from tests.service import Json, Lectern, epoch, eventually, found, lectern, pointers, problem, settings, utc

SOON = timedelta(hours=1)
TERM: dict[str, Any] = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z", "limit": 500}


@contextmanager
def started(folder: Path, url: str, sandbox: Sandbox, ahead: timedelta = timedelta(0)) -> Iterator[Lectern]:
    """A service over that database and that Kaltura, with a clock that is ahead."""
    app = create_app(settings(folder, database_url=url), transport=SandboxTransport(sandbox))
    pass_time(app, ahead)
    with client_of(app) as client:
        yield Lectern(app, client, sandbox, embedded(sandbox))


# Everybody's bookings


def test_what_somebody_books_moves_and_cancels_is_followed(service: Lectern) -> None:
    service.made(SINGLE | {"start": (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")})
    own = {each["uid"] for each in upcoming(service)}
    start = utc_now().replace(microsecond=0) + SOON
    series = book(service, start, **weekly(2), summary="Seminar")
    refresh(service)
    assert [each["title"] for each in upcoming(service)] == ["Seminar", "t", "Seminar"]
    theirs = {each["uid"] for each in upcoming(service)} - own

    first = service.kaltura.children(series)[0]
    moved = int((start + SOON).timestamp())
    service.kaltura.update(first["id"], startDate=moved, endDate=moved + 3600)
    refresh(service)
    shown = upcoming(service)
    assert epoch(shown[0]["start"]) == moved
    assert {each["uid"] for each in shown} == own | theirs

    service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=series["id"])
    refresh(service)
    assert {each["uid"] for each in upcoming(service)} == own


def test_a_recording_is_there_after_its_chain_and_kaltura_was_looked_at(service: Lectern) -> None:
    book(service, utc_now() + SOON, summary="Theirs")
    service.made(SINGLE)
    assert [each["title"] for each in upcoming(service, to="2027-06-01T00:00:00Z")] == ["Theirs", "t"]


# What is not known


def test_a_resource_that_was_never_seen_is_a_503_until_it_is(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "FIRST_WAIT", 0.5)
    service.get("/resources/EXTRON-100-ABC")
    service.fault("html", "schedule_scheduleEvent", "list")
    answer = service.client.get(PATH)
    problem(answer, 503, "schedule_unknown")
    assert int(answer.headers["Retry-After"]) >= 1
    problem(service.client.get(f"{PATH}.ics"), 503, "schedule_unknown")
    service.heal()
    assert eventually(lambda: service.client.get(PATH).status_code == 200)


@pytest.mark.parametrize("path", ["/resources/NOWHERE/upcoming", "/resources/1/upcoming.ics"])
def test_an_unknown_resource_is_a_404(service: Lectern, path: str) -> None:
    problem(service.client.get(path), 404, "not_found")


def test_row_24_kaltura_down_for_an_hour_and_lectern_restarted_meanwhile(tmp_path: Path, database_url: str) -> None:
    sandbox = Sandbox()
    with started(tmp_path, database_url, sandbox) as service:
        service.kaltura.sign_in()
        for hours in (2, 30):
            book(service, utc_now() + timedelta(hours=hours), summary="Theirs")
        service.made(SINGLE | {"start": (utc_now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")})
        before = service.get(PATH)
    sandbox.set_faults({"faults": [{"fault": "drop_before"}]})
    for minutes, stale in ((9, False), (11, True), (60, True)):
        with started(tmp_path, database_url, sandbox, timedelta(minutes=minutes)) as service:
            shown = service.get(PATH)
            assert shown["occurrences"] == before["occurrences"]
            assert (shown["stale"], shown["as_of"], shown["schedule_version"]) == (
                stale,
                before["as_of"],
                before["schedule_version"],
            )
    sandbox.set_faults({})
    with started(tmp_path, database_url, sandbox, timedelta(minutes=60)) as service:
        refresh(service)
        shown = service.get(PATH)
        assert shown["stale"] is False
        assert shown["as_of"] > before["as_of"]
    sandbox.close()


def test_being_stale_is_told_to_who_polls_with_an_etag(service: Lectern) -> None:
    fresh = tag(service)
    service.fault("drop_before")
    pass_time(service.app, timedelta(minutes=11))
    answer = poll(service, fresh)
    assert found(answer)["stale"] is True
    assert poll(service, answer.headers["ETag"]).status_code == 304
    service.heal()
    pass_time(service.app, timedelta(0))
    assert poll(service, answer.headers["ETag"]).headers["ETag"] == fresh


def test_neither_stale_nor_another_etag_comes_of_more_rooms_than_the_budget_refreshes(
    tmp_path: Path, database_url: str
) -> None:
    """400 at half a refresh a second: each is looked at every 13 minutes."""
    with lectern(tmp_path, database_url=database_url, refreshes_per_second=0.5) as service:
        fresh = tag(service)
        make_round(service)  # the next one, a minute later, would find these resources gone
        with service.app.state.database.write() as session:
            session.add_all(Resource(id=number, name="r", kind="camera") for number in range(1, 398))
            session.flush()
            held = {"asked_at": database_now(), "lease_until": database_now() + 3600}  # nobody looks at them now
            session.execute(update(Mirror).values(**held, fence=col(Mirror.fence) + 1))
        service.app.state.feed.versions._swept = float("-inf")
        for minutes, stale in ((9, False), (15, False), (26, False), (28, True)):
            pass_time(service.app, timedelta(minutes=minutes))
            answer = poll(service)
            assert (found(answer)["stale"], answer.headers["ETag"] == fresh) == (stale, not stale)
        detail = service.get("/readyz")["parts"]["mirror"]["detail"]
        assert "400 resources asked for, each looked at every 800 s" in detail


# The ETag covers what is shown


def test_the_etag_follows_what_is_shown_as_time_goes_by(service: Lectern) -> None:
    now = utc_now().replace(microsecond=0)
    book(service, now + timedelta(hours=2), minutes=50)
    book(service, now + timedelta(days=14, hours=1), minutes=50)
    refresh(service)

    def after(**span: float) -> tuple[str, list[str]]:
        pass_time(service.app, timedelta(**span))
        answer = poll(service)
        return answer.headers["ETag"], [each["status"] for each in found(answer)["occurrences"]]

    told = [
        after(minutes=minutes)
        for minutes in (0, 59, 61, 119, 121, 169, 171, 400)  # seen; begins to be seen; runs; is over
    ]
    assert [statuses for _, statuses in told] == [
        ["upcoming"],
        ["upcoming"],
        ["upcoming", "upcoming"],
        ["upcoming", "upcoming"],
        ["recording_now", "upcoming"],
        ["recording_now", "upcoming"],
        ["upcoming"],
        ["upcoming"],
    ]
    fresh = [etag.replace("-stale", "") for etag, _ in told]
    assert fresh[0::2] == fresh[1::2]
    assert len(set(fresh)) == 4


def test_what_does_not_enter_the_window_changes_nothing(service: Lectern) -> None:
    before = poll(service)
    book(service, utc_now() + timedelta(days=20))
    refresh(service)
    after = poll(service, before.headers["ETag"])
    assert after.status_code == 304
    again = poll(service)
    assert again.json()["occurrences"] == before.json()["occurrences"]
    assert again.json()["schedule_version"] == before.json()["schedule_version"]
    assert again.headers["ETag"] == before.headers["ETag"]


def test_a_window_that_ends_is_refused_from_then_on(service: Lectern) -> None:
    path = f"{PATH}?to=" + (utc_now() + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert poll(service, path=path).status_code == 200
    assert poll(service, path=path).status_code == 200
    pass_time(service.app, timedelta(minutes=6))
    assert pointers(problem(poll(service, path=path), 422, "invalid_document")) == ["/query/to"]


@pytest.mark.parametrize("query", ["", "?limit=3", "?from=2027-01-13T00:00:00Z&to=2027-06-01T00:00:00%2B02:00"])
def test_the_first_answer_and_the_remembered_one_are_the_same(service: Lectern, query: str) -> None:
    service.made()
    first, second = (poll(service, path=PATH + query) for _ in range(2))
    for answer in (first, second):
        view = UpcomingView.model_validate_json(answer.content)
        assert view.model_dump(mode="json", by_alias=True) == answer.json()
        assert answer.headers["X-Request-ID"]
        assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert set(first.headers) == set(second.headers)
    assert first.headers["ETag"] == second.headers["ETag"]
    shown = [answer.json() for answer in (first, second)]
    for each in shown:
        for moving in ("server_time", "as_of", "from", "to"):
            assert utc(each.pop(moving))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("path", [PATH, f"{PATH}.ics"])
def test_head_says_what_get_would(service: Lectern, path: str) -> None:
    service.made()
    for _ in range(2):
        get, head = poll(service, path=path), service.client.head(path)
        assert head.status_code == 200
        for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control"):
            assert head.headers[name] == get.headers[name]
        unchanged = service.client.head(path, headers={"If-None-Match": get.headers["ETag"]})
        assert unchanged.status_code == 304


def test_if_none_match_may_come_in_several_lines(service: Lectern) -> None:
    etag = tag(service)
    headers = [("If-None-Match", '"x"'), ("If-None-Match", etag)]
    assert service.client.get(PATH, headers=headers).status_code == 304
    assert service.client.get(PATH, headers=headers[::-1]).status_code == 304


# Pages


def pages(service: Lectern, query: dict[str, Any]) -> list[list[Json]]:
    answer, read = service.client.get(PATH, params=query), []
    while True:
        read.append(found(answer)["occurrences"])
        link = answer.headers.get("Link")
        if link is None:
            return read
        assert link.endswith('; rel="next"')
        answer = service.client.get(link[1 : link.index(">")])


def test_the_next_page_is_linked_until_there_is_none(service: Lectern) -> None:
    service.made()
    for each in range(3):  # at one time
        book(service, utc("2027-01-13T14:00:00Z"), summary=f"Theirs {each}")
    refresh(service)
    (whole,) = pages(service, TERM)
    assert len(whole) == 39
    for limit in (1, 7, 13, 38):
        read = pages(service, TERM | {"limit": limit})
        assert [len(page) for page in read[:-1]] == [limit] * (len(read) - 1)
        assert [each for page in read for each in page] == whole


def test_the_pages_of_a_window_that_ends_within_a_second_are_of_that_window(service: Lectern) -> None:
    service.made()
    book(service, utc("2027-01-13T14:00:00Z"), summary="Theirs")
    refresh(service)
    window = {"from": "2027-01-13T13:59:59.5Z", "to": "2027-01-13T14:00:00.5Z"}
    (whole,) = pages(service, window)
    assert len(whole) == 2
    assert pages(service, window | {"limit": 1}) == [whole[:1], whole[1:]]


def test_a_link_names_no_host(service: Lectern) -> None:
    service.made()
    for _ in range(2):
        answer = service.client.get(PATH, params=TERM | {"limit": 1}, headers={"Host": "evil.example"})
        assert answer.headers["Link"].startswith(f"<{PATH}?from=")


@pytest.mark.parametrize("cursor", ["x", "!", "MTc5OTg0ODgwMCBv=", "é", "AAAA", "a" * 201, "MTc5OTg0ODgwMAo"])
def test_a_cursor_that_was_never_given_out_is_refused(service: Lectern, cursor: str) -> None:
    shown = problem(service.client.get(PATH, params={"cursor": cursor}), 422, "invalid_document")
    assert pointers(shown) == ["/query/cursor"]


# Documents as they are


def test_a_recording_without_description_or_tags_is_shown_so(service: Lectern) -> None:
    service.made(example(description=LEFT_OUT, tags=LEFT_OUT))
    first = upcoming(service, **TERM)[0]
    assert (first["description"], first["tags"], first["kind"]) == (None, [], "recording")


def test_the_resource_is_named_as_it_is_called_now(service: Lectern) -> None:
    etag = tag(service)
    service.kaltura(
        "schedule_scheduleResource",
        "update",
        scheduleResourceId=RESOURCE_ID,
        scheduleResource={"objectType": "KalturaCameraScheduleResource", "name": "Renamed"},
    )
    service.get("/resources")

    def renamed() -> bool:
        answer = poll(service, etag)
        return answer.status_code == 200 and answer.json()["resource"]["name"] == "Renamed"

    eventually(renamed)


def test_a_next_page_that_was_not_there_before_is_told_to_who_polls_with_an_etag(service: Lectern) -> None:
    path = f"{PATH}?limit=1"
    book(service, utc_now() + SOON, summary="First")
    refresh(service)
    alone = tag(service, path)
    book(service, utc_now() + 3 * SOON, summary="Second")
    refresh(service)
    answer = poll(service, alone, path)
    assert [each["title"] for each in found(answer)["occurrences"]] == ["First"]
    assert "next" in answer.links
    assert answer.headers["ETag"] != alone


def test_what_begins_in_this_very_second_is_shown_as_begun(service: Lectern) -> None:
    begins = utc_now().replace(microsecond=0) + SOON
    book(service, begins)
    refresh(service)
    told = []
    for moment in (begins - SOON / 2, begins, begins + SOON, begins + 2 * SOON):
        service.app.state.feed.clock = lambda moment=moment: moment
        told.append([each["status"] for each in upcoming(service)])
    assert told == [["upcoming"], ["recording_now"], [], []]
