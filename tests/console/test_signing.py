"""Who may see pages, and whose forms count."""

from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import select

from app.access import sessions
from app.access.keys import Keys
from app.access.sessions import ConsoleSession
from app.database.types import utc_now
from app.recordings.document.document import EXAMPLE
from tests.console.conftest import GIVEN, Person, somebody
from tests.keys import key, revoke
from tests.service import Lectern, lectern

PAGES = (
    "/console",
    "/console?wall",
    "/console/recordings",
    "/console/recordings/rec_x",
    "/console/new",
    "/console/s/x",
)


def test_a_browser_is_led_to_the_console_and_a_program_is_told_where_things_are(service: Lectern) -> None:
    led = service.client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (led.status_code, led.headers["Location"], led.headers["Vary"]) == (303, "/console", "Accept")
    assert service.client.get("/", headers={"Accept": "Text/HTML, */*;q=0.8"}).status_code == 303
    assert service.client.get("/", headers={"Accept": "application/json, text/html;q=0.5"}).status_code == 200
    told = service.client.get("/", headers={"Accept": "*/*"})
    assert told.json() == {"service": "Lectern", "console": "/console", "docs": "/docs", "openapi": "/openapi.json"}


def test_a_console_that_is_off_is_not_there(tmp_path: Path) -> None:
    with lectern(tmp_path, console="off", docs="off") as service:
        for path in (*PAGES, "/console/sign-in", "/static/console/console.css"):
            assert service.client.get(path).status_code == 404
        assert service.client.get("/", headers={"Accept": "text/html"}).json() == {"service": "Lectern"}


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(service: Lectern, path: str) -> None:
    led = Person(service).get(path, Authorization=f"Bearer {GIVEN}")  # which means nothing to a page
    assert led.status_code == 303
    assert led.headers["Location"].startswith("/console/sign-in")
    person = Person(service)
    to = service.client.get(led.headers["Location"]).text.partition('name="to" value="')[2].partition('"')[0]
    assert person.sign_in(GIVEN, to).headers["Location"] == path


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/console\\evil", "/console/\nx", "/docs", ""]
)
def test_the_sign_in_leads_nowhere_else(service: Lectern, to: str) -> None:
    assert Person(service).sign_in(GIVEN, to).headers["Location"] == "/console"


def test_a_session_s_cookie_is_kept_from_scripts_and_other_sites(service: Lectern) -> None:
    plain = Person(service).sign_in(GIVEN).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=43200"} <= set(plain.split("; "))
    assert "Secure" not in plain
    there = {"Origin": "https://testserver"}
    secure = service.client.post("/console/sign-in", data={"key": GIVEN}, headers=there).headers["Set-Cookie"]
    service.client.cookies.clear()
    assert "Secure" in secure


def test_only_a_hash_of_a_session_is_kept(service: Lectern, registrar: Person) -> None:
    token = registrar.cookie.partition("=")[2]
    with service.app.state.database.read() as session:
        kept = [row.model_dump_json() for row in session.execute(select(ConsoleSession)).scalars()]
    assert kept
    assert not any(token in row or GIVEN in row for row in kept)


def test_a_wrong_key_is_told_and_not_repeated(service: Lectern) -> None:
    answer = Person(service).post("/console/sign-in", {"key": "lct_0123_wrong-key"})
    assert answer.status_code == 401
    assert "lct_0123_wrong-key" not in answer.text
    assert "Set-Cookie" not in answer.headers


def test_whoever_guesses_keys_guesses_few(tmp_path: Path) -> None:
    with mock.patch("app.access.door.STRANGERS_PER_MINUTE", 5), lectern(tmp_path, api_keys=f"a={GIVEN}") as service:
        answers = [Person(service).post("/console/sign-in", {"key": "wrong"}) for _ in range(7)]
        assert [one.status_code for one in answers] == [401] * 5 + [429] * 2
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert answers[-1].headers["Content-Type"].startswith("text/html")


def test_pages_count_as_requests_with_the_key_do(tmp_path: Path) -> None:
    with lectern(tmp_path, api_keys=f"a={GIVEN}", requests_per_minute=3) as service:
        person = Person(service)
        person.sign_in(GIVEN)
        assert [person.get("/console/new").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_session_ends_with_its_key(service: Lectern) -> None:
    made = key(service, "helper", "recordings:read")
    person = Person(service)
    person.sign_in(made)
    assert person.get("/console").status_code == 200
    revoke(service, made)
    assert person.get("/console").status_code == 303


def test_another_key_in_the_place_of_one_that_was_given_is_not_that_one(service: Lectern, registrar: Person) -> None:
    keys: Keys = service.app.state.keys
    assert keys.still("given-1", "0" * 64) is None
    assert keys.still("given-2", "0" * 64) is None


def test_a_session_ends_after_twelve_hours_and_at_the_sign_out(service: Lectern, registrar: Person) -> None:
    with mock.patch.object(sessions, "utc_now", return_value=utc_now() + timedelta(hours=12, seconds=1)):
        assert registrar.get("/console").status_code == 303
    fields = {"form": registrar.form("/console")["form"]}
    assert registrar.post("/console/sign-out", {"form": "0" * 64}).status_code == 403
    assert registrar.get("/console").status_code == 200
    gone = registrar.post("/console/sign-out", fields)
    assert (gone.status_code, gone.headers["Location"]) == (303, "/console/sign-in")
    assert registrar.get("/console").status_code == 303
    assert registrar.post("/console/sign-out", fields).status_code == 303  # and so is its form


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_site_s_form_changes_nothing(service: Lectern, registrar: Person, headers: dict[str, str]) -> None:
    made = service.made(EXAMPLE | {"reference_id": None, "start": "2027-01-13T05:00:00", "on_conflict": "allow"})
    address = f"/console/recordings/{made['id']}/cancel"
    fields = registrar.form(address)
    assert registrar.post(address, fields, **headers).status_code == 403
    assert service.get(f"/recordings/{made['id']}")["status"] == "scheduled"
    assert Person(service).post("/console/sign-in", {"key": GIVEN}, **headers).status_code == 403


def test_a_form_without_its_word_or_with_another_session_s_changes_nothing(service: Lectern, registrar: Person) -> None:
    made = service.made(EXAMPLE | {"reference_id": None, "start": "2027-01-13T06:00:00", "on_conflict": "allow"})
    address = f"/console/recordings/{made['id']}/cancel"
    fields = registrar.form(address)
    other = somebody(service, "registrar", "recordings:read", "recordings:write")
    for word in ("", "x", other.form(address)["form"]):
        assert registrar.post(address, fields | {"form": word}).status_code == 403
    assert registrar.post(address, {"version": fields["version"]}).status_code == 403
    assert Person(service).post(address, fields).status_code == 303  # to the sign-in
    as_json = service.client.post(address, json=fields, headers={"Cookie": registrar.cookie})
    assert as_json.status_code == 415
    assert service.get(f"/recordings/{made['id']}")["status"] == "scheduled"


def test_an_open_service_needs_no_key_and_says_so(open_service: Lectern) -> None:
    person = Person(open_service)
    for path in ("/console", "/console/recordings", "/console/new"):
        assert "open: no key is needed" in person.get(path).text
    assert person.get("/console/sign-in").headers["Location"] == "/console"
    assert person.post("/console/new", {"title": "x"}).status_code == 403


def test_pages_refuse_what_is_not_theirs(service: Lectern, registrar: Person) -> None:
    answer = registrar.get("/console")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert " onclick" not in answer.text
