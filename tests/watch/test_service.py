"""What answers of the service mean to an encoder: all but a schedule, and that nothing changed, is unclear."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.watch.service import LONGEST_PAUSE, New, Same, Service, Unsure

SCHEDULE = {"resource": {"id": 7}, "server_time": "2027-01-13T09:00:00Z", "occurrences": []}


def asked(etag: str | None = None, **answer: Any) -> New | Same | Unsure:
    status = answer.pop("status", 200)
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, **answer))
    service = Service("http://lectern.test", "", "HALL-1", lambda: 5.0, transport)
    try:
        return service.poll(etag)
    finally:
        service.close()


def test_a_schedule_is_new_with_its_etag_and_when_it_was_asked_for() -> None:
    found = asked(json=SCHEDULE, headers={"ETag": '"a"'})
    assert isinstance(found, New)
    assert (found.etag, found.asked, found.answered) == ('"a"', 5.0, 5.0)
    assert found.answer.server_time == datetime(2027, 1, 13, 9, tzinfo=UTC)


def test_an_etag_that_cannot_be_sent_is_none() -> None:
    found = asked(json=SCHEDULE, headers=[(b"ETag", b'"\xe4"')])
    assert isinstance(found, New)
    assert found.etag is None


def test_nothing_new_is_the_same_only_if_there_was_something() -> None:
    assert asked('"a"', status=304) == Same()
    assert isinstance(asked(status=304), Unsure)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "999999"}, LONGEST_PAUSE),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Wed, 13 Jan 2027 09:02:00 GMT", "Date": "Wed, 13 Jan 2027 09:00:00 GMT"}, 120.0),
        ({"Retry-After": "Wed, 13 Jan 2027 09:02:00 GMT"}, None),  # the host's clock may be wrong
    ],
)
def test_how_long_to_wait_is_the_service_s_to_say(headers: dict[str, str], pause: float | None) -> None:
    found = asked(status=503, headers=headers)
    assert isinstance(found, Unsure)
    assert found.pause == pause


def test_a_key_goes_to_no_other_host() -> None:
    def moved(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "lectern.test"
        return httpx.Response(307, headers={"Location": "http://elsewhere.test/"})

    service = Service("http://lectern.test/", "lct_key", "HALL-1", lambda: 5.0, httpx.MockTransport(moved))
    assert service.poll(None) == Unsure("it answers 307")
    service.close()
