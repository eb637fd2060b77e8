"""A document that was refused: it is said where a person looks, and can be mended, or taken away."""

import pytest

from tests.console.conftest import Person
from tests.recordings.documents import SINGLE
from tests.service import Lectern

TAKEN = SINGLE | {"title": "Taken", "time_zone": "America/New_York"}
FIELDS = {
    "title": "Second",
    "room": "562931",
    "date": "2027-01-13",
    "time": "09:30",
    "minutes": "50",
    "repeats": "once",
}


@pytest.fixture(scope="module", autouse=True)
def taken(service: Lectern) -> None:
    service.made(TAKEN)


def refused(registrar: Person, **more: str) -> str:
    form = registrar.form("/console/new") | FIELDS | {"time_zone": "America/New_York", "act": "schedule", **more}
    answer = registrar.post("/console/new", form)
    assert answer.status_code == 409
    return answer.text


def test_what_is_refused_is_said_above_the_form_by_the_clocks_of_its_zone(registrar: Person) -> None:
    text = refused(registrar)
    assert "<title>Not scheduled" in text
    assert text.index('id="refused"') < text.index('id="new"')
    assert "Wed 13 Jan 2027, 09:30</time> to <time" in text


def test_what_failed_can_be_mended_or_deleted(service: Lectern, registrar: Person) -> None:
    refused(registrar, title="Third")
    today = registrar.get("/console").text
    (failed,) = {one["id"] for one in service.get("/recordings", status="failed")["items"] if one["title"] == "Third"}
    page = registrar.get(f"/console/recordings/{failed}").text
    assert "09:30</time>: Taken" in page, "the conflict"
    assert "not scheduled" in page
    assert "not begun" in page
    assert failed in today
    mended = registrar.post("/console/new", registrar.form(f"/console/recordings/{failed}"))
    assert (mended.status_code, "&#34;title&#34;: &#34;Third&#34;" in mended.text) == (200, True)
    assert "Nothing of it was scheduled" in registrar.get(f"/console/recordings/{failed}/cancel").text
    assert registrar.do(f"/console/recordings/{failed}/cancel").status_code == 303
    assert failed not in registrar.get("/console").text
    assert "Mend the document" not in registrar.get(f"/console/recordings/{failed}").text
