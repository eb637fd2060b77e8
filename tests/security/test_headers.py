"""What every answer carries; by what names the service may be called; the page and HEAD."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from structlog.testing import capture_logs

from app.http.headers import EVERY
from app.http.hosts import allowed
from app.main import create_app
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.service import Lectern, found, lectern, problem, settings

TERM = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
ROOT = Path(__file__).parents[2]
FEED = "/resources/EXTRON-100-ABC/upcoming"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("headers")) as running:
        running.made()
        yield running


# Headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/recordings", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/static/nothing.js", 404),
        ("PUT", "/recordings", 405),
        ("POST", "/recordings", 415),
        ("GET", "/recordings?limit=0", 422),
    ],
)
def test_nothing_is_guessed_run_framed_kept_or_told_on(service: Lectern, method: str, path: str, status: int) -> None:
    answer = service.client.request(method, path, content=b"x" if method == "POST" else None)
    assert answer.status_code == status
    kept = {"Cache-Control": "no-cache"} if path == "/openapi.json" else {}  # nothing of anybody's, and asked for anew
    assert {name: answer.headers[name] for name in EVERY} == EVERY | kept


def test_a_mistake_of_ours_carries_them_too(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr("app.recordings.router.listing.page", broken)
    with capture_logs():  # a traceback drawn for a terminal takes seconds
        answer = service.client.get("/recordings")
    problem(answer, 500, "internal")
    assert {name: answer.headers[name] for name in EVERY} == EVERY


@pytest.mark.parametrize("form", ["", ".ics"])
def test_a_feed_keeps_its_etag_and_its_own_rule_for_caches(service: Lectern, form: str) -> None:
    first = service.client.get(FEED + form, params=TERM)
    again = service.client.get(FEED + form, params=TERM, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    for answer in (first, again):
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers.get_list("Cache-Control") == ["private, no-cache"]


def test_the_page_keeps_its_own_policy(service: Lectern) -> None:
    (policy,) = service.client.get("/docs").headers.get_list("Content-Security-Policy")
    assert "script-src 'self'" in policy


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_other_origin_may_read_an_answer(service: Lectern, method: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = service.client.request(method, "/recordings", headers=asked)
    assert [name for name in answer.headers if name.startswith("access-control-")] == []
    assert (answer.status_code == 405) is (method == "OPTIONS")


# HEAD


@pytest.mark.parametrize(
    "path", ["/recordings", "/recordings/{id}", "/recordings/{id}/calendar.ics", FEED, "/healthz", "/nowhere", "/docs"]
)
def test_a_head_is_answered_as_its_get_is_without_the_body(service: Lectern, path: str) -> None:
    path = path.format(id=service.get("/recordings")["items"][0]["id"])
    sent = {"X-Request-ID": "the-same"}
    get, head = service.client.get(path, headers=sent), service.client.head(path, headers=sent)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert dict(head.headers) == dict(get.headers)


def test_a_head_of_what_only_takes_post_is_a_405(service: Lectern) -> None:
    answer = service.client.head("/recordings/preview/nothing/at-all")
    assert answer.status_code == 404
    answer = service.client.head("/recordings/batch/resume")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


# Names


def open_to(folder: Path, **values: Any) -> TestClient:
    """A client of a service that is not started: what is looked at here comes before all that needs it."""
    app = create_app(settings(folder, **values), transport=SandboxTransport(Sandbox()))
    return TestClient(app)


@pytest.mark.parametrize(
    ("names", "host", "may"),
    [
        ("lectern.campus.example", "lectern.campus.example", True),
        ("lectern.campus.example", "LECTERN.Campus.Example:8443", True),
        ("lectern.campus.example", "evil.example", False),
        ("lectern.campus.example", "lectern.campus.example.evil.example", False),
        ("lectern.campus.example", "xlectern.campus.example", False),
        ("lectern.campus.example", "10.0.0.5:8000", False),
        ("lectern.campus.example", "", False),
        ("*.campus.example", "a.campus.example", True),
        ("*.campus.example", "campus.example", False),
        ("*.campus.example", "evilcampus.example", False),
        ("a.example , 10.0.0.5,[2001:db8::5]", "a.example", True),
        ("a.example , 10.0.0.5,[2001:db8::5]", "10.0.0.5:80", True),
        ("a.example , 10.0.0.5,[2001:db8::5]", "[2001:DB8::5]:80", True),
        ("*", "anything.example", True),
    ],
)
def test_a_service_answers_to_the_names_it_is_given(tmp_path: Path, names: str, host: str, may: bool) -> None:
    answer = open_to(tmp_path, allowed_hosts=names).get("/docs", headers={"Host": host})
    if may:
        assert answer.status_code == 200
    else:
        assert "LECTERN_ALLOWED_HOSTS" in problem(answer, 400, "bad_request")["detail"]
        assert host == "" or host not in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.example"]])
def test_a_host_is_named_exactly_once(tmp_path: Path, hosts: list[str]) -> None:
    client = open_to(tmp_path, allowed_hosts="127.0.0.1")
    request = client.build_request("GET", "/docs", headers=[("Host", host) for host in hosts])
    if not hosts:
        request.headers["Host"] = ""
    problem(client.send(request), 400, "bad_request")


@pytest.mark.parametrize(
    ("listens_on", "host", "may"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "rebound.evil.example:8000", False),
        ("localhost", "localhost", True),
        ("127.0.0.2", "127.0.0.2:8000", True),
        ("::1", "[::1]:8000", True),
        ("::1", "evil.example", False),
        ("0.0.0.0", "whatever.example", True),  # noqa: S104
    ],
)
def test_without_any_a_loopback_service_answers_to_loopback_names_alone(
    tmp_path: Path, listens_on: str, host: str, may: bool
) -> None:
    answer = open_to(tmp_path, host=listens_on, allowed_hosts="").get("/docs", headers={"Host": host})
    assert answer.status_code == (200 if may else 400)


@pytest.mark.parametrize(
    ("listens_on", "host", "may"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "lectern.campus.example", True),
        ("127.0.0.1", "rebound.evil.example:8000", False),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104
        ("0.0.0.0", "localhost", True),  # noqa: S104
        ("0.0.0.0", "rebound.evil.example", False),  # noqa: S104
    ],
)
def test_with_the_example_s_names_readme_s_and_compose_s_addresses_are_answered(
    tmp_path: Path, listens_on: str, host: str, may: bool
) -> None:
    """`.env.example`, as it stands; compose's balancer passes the name on without its port."""
    (names,) = re.findall(r"^LECTERN_ALLOWED_HOSTS=(.+)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    client = open_to(tmp_path, host=listens_on, allowed_hosts=names)
    assert client.get("/docs", headers={"Host": host}).status_code == (200 if may else 400)


def test_a_supervisor_may_call_a_process_by_its_address(tmp_path: Path) -> None:
    with lectern(tmp_path, allowed_hosts="lectern.campus.example") as service:
        for path in ("/healthz", "/readyz"):
            found(service.client.get(path, headers={"Host": "10.0.0.5:8000"}))
        problem(service.client.get("/recordings", headers={"Host": "10.0.0.5:8000"}), 400, "bad_request")


@pytest.mark.parametrize(
    "names", ["https://a.example", "a.example:443", "a.example/x", "a..*.example", "a.example,", "a b"]
)
def test_what_is_no_name_is_refused_at_the_start(tmp_path: Path, names: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        allowed(settings(tmp_path, allowed_hosts=names))


# The page


def test_the_page_its_files_and_its_document_are_switched_off_together(tmp_path: Path) -> None:
    with lectern(tmp_path, docs=False) as service:
        for path in ("/docs", "/static/docs.js", "/static/swagger-ui/swagger-ui.css", "/openapi.json"):
            problem(service.client.get(path), 404, "not_found")
        found(service.client.get("/recordings"))
