"""Bad input: a 422 that points at the field (413 for too much of it), never a 500; Kaltura never hears of it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Databases
from tests.processes import start_service
from tests.recordings.documents import LEFT_OUT, example, weekly
from tests.service import Json, Lectern, lectern, pointers, problem

SECRET = "swordfish"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all: nothing that is refused changes anything."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("invalid"), database_url=url) as running:
        yield running


@pytest.fixture
def service(untouched: Lectern) -> Iterator[Lectern]:
    yield untouched
    assert untouched.calls() == []
    assert untouched.get("/recordings")["items"] == []


def send(service: Lectern, body: bytes, headers: dict[str, str] = JSON) -> Any:
    return service.client.post("/recordings", content=body, headers=headers)


ONCE = {"recurrence": LEFT_OUT, "exclude": LEFT_OUT, "time_zone": "Europe/Zurich"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": LEFT_OUT}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "t" * 257}, "/title"),
        ({"title": "ü" * 129}, "/title"),
        ({"title": f"{SECRET}\x00"}, "/title"),
        ({"title": f"{SECRET}\ud800"}, "/title"),
        ({"title": f"{SECRET}\n"}, "/title"),
        ({"resource": LEFT_OUT}, "/resource"),
        ({"resource": {"system_name": "X", "secret": SECRET}}, "/resource/secret"),
        ({"start": LEFT_OUT}, "/start"),
        ({"start": 1799848800}, "/start"),
        ({"start": "9999-01-13T09:00:00"}, "/start"),
        ({"start": SECRET}, "/start"),
        ({"duration_minutes": LEFT_OUT}, "/duration_minutes"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-13T08:59:59"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-14T10:00:00"}, "/end"),  # 25 hours
        ({"duration_minutes": 25 * 60}, "/duration_minutes"),
        ({"duration_minutes": 50, "end": "2027-01-13T10:00:00"}, "/end"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "America"}, "/time_zone"),
        ({"time_zone": SECRET * 556}, "/time_zone"),  # 5,004 characters
        ({"recurrence": weekly(until="2027-05-14")}, "/recurrence"),  # and count
        ({"recurrence": weekly(count=LEFT_OUT)}, "/recurrence"),
        ({"recurrence": weekly(count=0)}, "/recurrence/count"),
        ({"recurrence": weekly(count=1001)}, "/recurrence/count"),
        ({"recurrence": weekly(interval=0)}, "/recurrence/interval"),
        ({"recurrence": weekly(interval=13)}, "/recurrence/interval"),
        ({"recurrence": weekly(days=["XX"])}, "/recurrence/days/0"),
        ({"recurrence": weekly(week_start=SECRET)}, "/recurrence/week_start"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2027-01-13", days=["TU"])}, "/recurrence"),  # no occurrence
        ({"recurrence": {"frequency": "daily", "until": "2030-01-14"}}, "/recurrence/until"),
        ({"recurrence": f"FREQ={SECRET}"}, "/recurrence"),
        ({"exclude": [SECRET]}, "/exclude/0"),
        ({"exclude": [{"from": "2027-01-01", "to": "2027-12-31"}]}, "/exclude"),
        ({"on_conflict": SECRET}, "/on_conflict"),
        ({"owner": [SECRET]}, "/owner"),
        ({"unheard_of": SECRET}, "/unheard_of"),
        ({"id": "rec_1"}, "/id"),
        ({"status": "scheduled"}, "/status"),
        ({"kaltura": {"template_entry_id": "1_abcd1234"}}, "/kaltura"),
        (ONCE | {"duration_minutes": LEFT_OUT, "end": "2027-01-13T08:00:00"}, "/end"),
    ],
)
def test_a_bad_document_points_at_its_field(service: Lectern, changes: Json, pointer: str) -> None:
    answer = send(service, json.dumps(example(**changes)).encode())
    shown = problem(answer, 422, "invalid_document")
    assert pointers(shown) == [pointer]
    assert all(error["detail"] for error in shown["errors"])
    assert SECRET not in answer.text


def test_everything_that_is_wrong_is_told_at_once(service: Lectern) -> None:
    document = example(title=LEFT_OUT, start=1, recurrence=weekly(days=["XX", "MO", "YY"]), colour="red")
    shown = problem(send(service, json.dumps(document).encode()), 422, "invalid_document")
    assert set(pointers(shown)) == {"/title", "/start", "/recurrence/days/0", "/recurrence/days/2", "/colour"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'title': 'swordfish'}",
        b'{"title": "swordfish",}',
        b"\xff\xfe\xfd",
        b'{"title": "swordfish\xe9"}',
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"duration_minutes": ' + b"9" * 10_000 + b"}",
        b'{"duration_minutes": NaN',
        b"null",
        b"[]",
        b'"swordfish"',
        b"1e999",
        b"NaN",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_document_is_a_422_for_the_whole(service: Lectern, body: bytes) -> None:
    answer = send(service, body)
    assert pointers(problem(answer, 422, "invalid_document")) == [""]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('"duration_minutes": NaN', "/duration_minutes"),
        ('"duration_minutes": -Infinity', "/duration_minutes"),
        ('"duration_minutes": 1e999', "/duration_minutes"),
        (f'"duration_minutes": {10**4000}', "/duration_minutes"),
        (f'"resource": {2**31}', "/resource"),
        (f'"resource": {10**4000}', "/resource"),
        ('"title": ' + "[" * 500 + "]" * 500, "/title"),
        ('"exclude": ' + '[{"from":' * 200 + "1" + "}]" * 200, "/exclude/0/from"),
    ],
    ids=lambda text: text[:30],
)
def test_numbers_and_nesting_beyond_all_measure_point_at_their_field(service: Lectern, text: str, pointer: str) -> None:
    """A name that stands twice in an object counts as it stands last, as Python reads JSON."""
    body = json.dumps(example())[:-1] + f", {text}}}"
    assert set(pointers(problem(send(service, body.encode()), 422, "invalid_document"))) >= {pointer}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", None])
def test_a_body_that_does_not_say_that_it_is_json_is_a_415(service: Lectern, kind: str | None) -> None:
    answer = send(service, json.dumps(example()).encode(), {"Content-Type": kind} if kind else {})
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


# Too much


BIG = json.dumps(example(description="d" * 256 * 1024)).encode()


def test_a_body_over_256_kib_is_a_413(service: Lectern) -> None:
    assert len(BIG) > 256 * 1024
    assert "256 KiB" in problem(send(service, BIG), 413, "payload_too_large")["detail"]


def test_a_body_of_256_kib_is_read(service: Lectern) -> None:
    body = b'{"title": 1' + b" " * (256 * 1024 - 12) + b"}"
    assert len(body) == 256 * 1024
    assert "/title" in pointers(problem(send(service, body), 422, "invalid_document"))


def test_a_chunked_body_is_counted_as_it_comes(service: Lectern) -> None:
    answer = service.client.post("/recordings", content=iter([BIG[:40_000], BIG[40_000:]]), headers=JSON)
    problem(answer, 413, "payload_too_large")


@pytest.mark.parametrize("length", ["10", "0", "-1", "a lot"])
def test_a_content_length_that_lies_changes_nothing(service: Lectern, length: str) -> None:
    problem(send(service, BIG, JSON | {"Content-Length": length}), 413, "payload_too_large")


def test_the_same_over_real_sockets(tmp_path: Path) -> None:
    """What a server makes of bodies that are chunked, too long, and shorter or longer than they said."""
    start = b"POST /recordings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [BIG[:40_000], BIG[40_000:]]) + b"0\r\n\r\n"
    with start_service(tmp_path, "") as running:
        port = int(running.url.rsplit(":", 1)[1])

        def answer(request: bytes, gives_up: bool = False) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(request)
                if gives_up:
                    connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65_536), b""))

        assert answer(start + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG).startswith(b"HTTP/1.1 413 ")
        assert answer(start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks).startswith(b"HTTP/1.1 413 ")
        assert answer(start + b"Content-Length: 2\r\n\r\n" + BIG[:1_000]).startswith(b"HTTP/1.1 422 ")
        assert answer(start + b"Content-Length: 70000\r\n\r\n" + BIG[:1_000], gives_up=True) == b""
        assert answer(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").startswith(
            b"HTTP/1.1 200 "
        )
    assert "Traceback" not in running.tail()
