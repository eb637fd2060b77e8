"""What pages show, to whom, and that what others call things breaks none of them."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from sqlalchemy import update

from app.database.types import utc_now
from app.recordings.document.document import EXAMPLE
from app.resources.models import Encoder
from tests.console.conftest import Person, somebody
from tests.service import Lectern, eventually, found

DAY = "2027-01-13"
HOSTILE = (
    *(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title><h1>x",
        "{{ 7*7 }}",
        "{% raw %}",
        "&lt;b&gt;",
    ),
    *(
        "' onmouseover='x",
        "javascript:alert(1)",
        "\u202eevil\u202c right to left",
        "مرحبا بالعالم",
        "שלום עולם",
        "👩‍🏫🎥🏫",
    ),
    *(
        "a" * 256,
        "é" * 128,
        "漢" * 85,
        "%s%n%00",
        "../../etc/passwd",
        "--><!--",
        "]]>",
        "<svg/onload=x>",
        "a\u200bb",
        "\u0301\u0301x",
    ),
)


class Tags(HTMLParser):
    """The tags of a page, without what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(f"{tag} {sorted(name for name, _ in attrs)}")


@pytest.fixture(scope="module")
def made(service: Lectern) -> dict[str, str]:
    """The registrar's recording of the quick start."""
    found: dict[str, str] = service.made(EXAMPLE)
    return found


def test_the_day_shows_rooms_sessions_and_what_has_to_be_seen_to(
    service: Lectern, registrar: Person, made: dict[str, str]
) -> None:
    text = registrar.get(f"/console?day={DAY}").text
    assert "9:00 MATH-123 Linear Algebra" in text
    assert "America/New_York" in text
    short = re.findall(r"href=s/(\w+)", text)[0]
    assert registrar.get(f"/console/s/{short}").headers["Location"] == f"/console/recordings/{made['id']}"
    assert "all is well" in registrar.get("/console").text


@pytest.mark.parametrize(("ago", "word"), [(0, "in touch"), (14, "in touch"), (60 * 24 * 400, "heard")])
def test_an_encoder_that_says_how_it_is_with_a_key_for_all_rooms(
    service: Lectern, registrar: Person, ago: int, word: str
) -> None:
    """Who polls with it is not known."""
    found(service.client.put("/resources/EXTRON-100-ABC/state", json={"state": "recording"}))
    with service.app.state.database.write() as session:
        session.execute(update(Encoder).values(said_at=utc_now() - timedelta(minutes=ago)))
    day, room = registrar.get("/console").text, registrar.get("/console/rooms/562931").text
    assert re.search(rf"EXTRON-100-ABC</a><i class=\w+>{word}", day)
    assert word in room
    assert "never polled" not in room
    assert "none yet with a key for this room alone" in room


def test_a_page_that_is_as_it_was_is_a_304(registrar: Person, made: dict[str, str]) -> None:
    def again() -> bool:  # rooms may be read for the first time meanwhile
        first = registrar.get(f"/console?day={DAY}")
        answer = registrar.get(f"/console?day={DAY}", If_None_Match=first.headers["ETag"])
        return (answer.status_code, answer.content) == (304, b"")

    assert eventually(again)
    assert registrar.get(f"/console?day={DAY}", If_None_Match='"other"').status_code == 200


def test_one_recording_shows_its_document_its_sessions_and_its_chains(registrar: Person, made: dict[str, str]) -> None:
    text = registrar.get(f"/console/recordings/{made['id']}").text
    assert text.count(">ahead<") + text.count("</span> ahead") == 36
    assert text.count("left out") == 4
    assert "make the template entry" in text
    assert "SIS-2026F-MATH123-01" in text


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("", True),
        ("title=ALGEBRA", True),
        ("reference_id=SIS-2026F-MATH123-01&status=scheduled", True),
        ("room=extron-100-abc&tag=Mathematics", True),
        ("status=failed", False),
        ("title=chemistry", False),
        ("title=%00", True),
        ("status=nonsense&made_up=1", True),
    ],
)
def test_recordings_are_found(registrar: Person, made: dict[str, str], query: str, there: bool) -> None:
    answer = registrar.get(f"/console/recordings?{query}")
    assert answer.status_code == 200
    assert (made["id"] in answer.text) == there


@pytest.mark.parametrize("room", ["562931", "EXTRON-100-ABC", "extron-100-abc"])
def test_a_room_shows_its_week(registrar: Person, made: dict[str, str], room: str) -> None:
    text = registrar.get(f"/console/rooms/{room}?day={DAY}").text
    assert text.count("href=s/") == 2  # Wednesday and Friday: it begins on the 13th
    assert "/resources/562931/upcoming.ics" in text


@pytest.mark.parametrize(
    "path", ["/console/rooms/1", "/console/rooms/99999999999999999999", "/console/rooms/NO/SUCH", "/console/nope"]
)
def test_what_is_not_there_is_a_404_page(registrar: Person, path: str) -> None:
    answer = registrar.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


MATRIX = {
    "recordings:read": {"/console", "/console/recordings", "one"},
    "recordings:write": {"/console", "/console/new", "cancel"},
    "schedule:read": {"/console", "/console/rooms/562931"},
    "admin": {"/console", "/console/recordings", "one", "/console/new", "/console/rooms/562931", "cancel"},
}


@pytest.mark.parametrize("scope", MATRIX)
def test_a_scope_sees_what_it_is_for(service: Lectern, made: dict[str, str], scope: str) -> None:
    person = somebody(service, "registrar", scope)
    one = f"/console/recordings/{made['id']}"
    for name in ("/console", "/console/recordings", "one", "/console/new", "/console/rooms/562931", "cancel"):
        path = {"one": one, "cancel": f"{one}/cancel"}.get(name, name)
        assert person.get(path).status_code == (200 if name in MATRIX[scope] else 403), path
    shown = person.get("/console").text
    assert ("/console/new" in shown) == (scope in ("recordings:write", "admin"))
    assert ('href="/console/recordings"' in shown) == (scope in ("recordings:read", "admin"))
    page = person.get(one).text
    assert (f"{one}/cancel" in page) == (scope == "admin")


def test_a_reader_may_do_nothing(service: Lectern, made: dict[str, str]) -> None:
    person = somebody(service, "registrar", "recordings:read", "schedule:read")
    word = person.form("/console")["form"]
    one = f"/console/recordings/{made['id']}"
    for path in (f"{one}/cancel", f"{one}/resume", f"{one}/sessions/occ_x/cancel", "/console/new"):
        assert person.post(path, {"form": word, "version": "x"}).status_code == 403
    assert service.get(f"/recordings/{made['id']}")["status"] == "scheduled"


@pytest.mark.parametrize(("act", "status"), [("preview", 200), ("schedule", 422)])
def test_what_is_wrong_in_the_form_stands_on_its_page_and_only_scheduling_it_fails(
    registrar: Person, act: str, status: int
) -> None:
    """A preview is asked for while somebody types; a browser would tell of each as an error."""
    typed = {"title": "Algebra", "room": "EXTRON-100-ABC", "date": "2027-03-02", "time": "09:00", "minutes": "none"}
    answer = registrar.post("/console/new", {"form": registrar.form("/console/new")["form"], "act": act, **typed})
    assert answer.status_code == status
    assert "duration_minutes" in answer.text


def test_a_warning_says_of_which_field_it_is(service: Lectern, registrar: Person) -> None:
    document = {"title": "Lecture 🎥", "description": "🎥", "start": "2027-03-03T09:00:00", "duration_minutes": 50}
    made = service.made(document | {"resource": {"system_name": "CAMERA-1"}})
    page = registrar.get(f"/console/recordings/{made['id']}").text
    assert "<code>/title</code> 1 character" in page
    assert "<code>/description</code> 1 character" in page


def test_another_client_s_is_not_there(service: Lectern, made: dict[str, str]) -> None:
    other = somebody(service, "library", "recordings:read", "recordings:write")
    one = f"/console/recordings/{made['id']}"
    for path in (one, f"{one}/cancel", f"{one}/resume", f"/console/s/{made['id'][4:20]}"):
        assert other.get(path).status_code == 404
    day = other.get(f"/console?day={DAY}").text
    assert "Linear Algebra" not in day
    assert "EXTRON" not in day
    assert made["id"] not in other.get("/console/recordings").text
    assert other.post(f"{one}/cancel", {"form": other.form("/console/new")["form"], "version": "x"}).status_code == 404


def test_with_a_room_s_schedule_another_client_s_session_is_somebody_else_s(
    service: Lectern, made: dict[str, str]
) -> None:
    other = somebody(service, "library", "recordings:read", "schedule:read")
    text = other.get(f"/console?day={DAY}").text
    assert "9:00 somebody else’s" in text
    assert "Linear Algebra" not in text
    assert "href=s/" not in text


def test_what_others_call_things_breaks_no_page(service: Lectern, registrar: Person) -> None:
    shapes = set()
    for number, title in enumerate(HOSTILE):
        named = service.made(
            {
                "title": title,
                "description": title,
                "location": title,
                "reference_id": f"hostile-{number}",
                "resource": {"system_name": f"H{number}", "name": title[:200], "description": title},
                "start": "2027-03-01T09:00:00",
                "duration_minutes": 50,
            }
        )
        one = registrar.get(f"/console/recordings/{named['id']}")
        cancel = registrar.get(f"/console/recordings/{named['id']}/cancel")
        room = registrar.get(f"/console/rooms/{named['resource']['id']}?day=2027-03-01")
        assert (one.status_code, cancel.status_code, room.status_code) == (200, 200, 200)
        shapes.add(frozenset((*Tags(one.text).seen, *Tags(cancel.text).seen, *Tags(room.text).seen)))
    assert len(shapes) == 1  # no title has made a tag or an attribute
    day, found = registrar.get("/console?day=2027-03-01").text, registrar.get("/console/recordings").text
    assert "<script>alert" not in day + found
    assert not {tag for tag in Tags(day + found).seen if tag.startswith(("img", "svg", "b []"))}
