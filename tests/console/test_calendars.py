"""The pages of campus days: what they show, and that a snow day is two clicks."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.calendars import keeping
from app.calendars.days import Said
from app.http.errors import PreconditionFailed
from app.recordings.models import RecordingCalendar
from tests.calendars.campus import NAME, day, say, section, sessions
from tests.console.conftest import GIVEN, Person, somebody
from tests.console.overfull.hostile import TITLES
from tests.console.test_pages import Tags
from tests.service import Json, Lectern, lectern

ADDRESS = f"/console/calendars/{NAME}"


@pytest.fixture
def campus(tmp_path: Path) -> Iterator[Lectern]:
    """Two recordings of the registrar and one of the library, all on Mondays, that name a calendar without days."""
    with lectern(tmp_path, api_keys=f"registrar={GIVEN},library={GIVEN[::-1]}") as service:
        service.client.headers["Authorization"] = f"Bearer {GIVEN}"
        say(service)
        for room in ("R1", "R2"):
            service.made(section(room))
        service.client.headers["Authorization"] = f"Bearer {GIVEN[::-1]}"
        service.made(section("R3", title="Not yours"))
        service.client.headers["Authorization"] = f"Bearer {GIVEN}"
        yield service


@pytest.fixture
def registrar(campus: Lectern) -> Person:
    person = Person(campus)
    person.sign_in(GIVEN)
    return person


def mine(service: Lectern) -> list[Json]:
    found: list[Json] = service.get("/recordings", limit=100)["items"]
    return found


def test_a_snow_day_is_two_clicks(campus: Lectern, registrar: Person) -> None:
    (snow_day,) = re.findall(rf'href="({ADDRESS}/add\?first=today[^"]*)"', registrar.get("/console/calendars").text)
    assert "Record nothing on" in registrar.get(snow_day.replace("&amp;", "&")).text
    monday = day(2)
    asked = registrar.get(f"{ADDRESS}/add?first={monday}&name=Snow+day").text
    when = date.fromisoformat(monday)
    assert f"This leaves out 3 sessions of 3 recordings on {when:%A} {when.day} {when:%B} {when.year}." in asked
    assert {sessions(campus, one)[monday] for one in mine(campus)} == {"scheduled"}
    fields = registrar.form(f"{ADDRESS}/add?first={monday}&name=Snow+day")
    done = registrar.post(f"{ADDRESS}/add", fields)
    assert (done.status_code, done.headers["Location"]) == (303, f"{ADDRESS}?said=added")
    assert {sessions(campus, one)[monday] for one in mine(campus)} == {"excluded"}
    assert "The day is in the calendar." in registrar.get(done.headers["Location"]).text


def test_a_form_counts_once_and_for_what_it_was_made_for(campus: Lectern, registrar: Person) -> None:
    asked = f"{ADDRESS}/add?first={day(2)}"
    fields = registrar.form(asked)
    assert registrar.post(f"{ADDRESS}/add", fields).status_code == 303
    again = registrar.post(f"{ADDRESS}/add", fields | {"first": day(3)})
    assert again.status_code == 412
    assert "It has changed meanwhile" in again.text
    assert ADDRESS in again.text
    assert len(campus.get(f"/calendars/{NAME}")["days"]) == 1
    assert registrar.get(asked).headers["Location"] == f"{ADDRESS}?said=already"


def test_what_is_said_between_a_look_and_its_form_is_not_lost(campus: Lectern) -> None:
    before = campus.get(f"/calendars/{NAME}")["version"]
    say(campus, day(3))  # by somebody else
    with campus.app.state.database.write() as session, pytest.raises(PreconditionFailed):
        keeping.say(session, NAME, Said(None, ()), "registrar", before)
    with campus.app.state.database.write() as session, pytest.raises(PreconditionFailed):
        keeping.say(session, NAME, Said(None, ()), "registrar", 0)  # as if it were new
    assert [one["from"] for one in campus.get(f"/calendars/{NAME}")["days"]] == [day(3)]


def test_a_day_that_is_taken_out_brings_its_sessions_back(campus: Lectern, registrar: Person) -> None:
    say(campus, {"name": "Snow day", "date": day(2)}, {"name": "Break", "from": day(4), "to": day(5, 4)})
    page = registrar.get(f"{ADDRESS}?year={day(2)[:4]}").text
    assert "Snow day" in page
    asked = registrar.get(f"{ADDRESS}/days/0/remove").text
    assert "This holds 3 sessions of 3 recordings again on" in asked
    assert "another client’s" in asked
    assert "Not yours" not in asked
    assert registrar.do(f"{ADDRESS}/days/0/remove").headers["Location"] == f"{ADDRESS}?said=removed"
    assert {sessions(campus, one)[day(2)] for one in mine(campus)} == {"scheduled"}
    assert [one["name"] for one in campus.get(f"/calendars/{NAME}")["days"]] == ["Break"]
    assert registrar.get(f"{ADDRESS}/days/7/remove").status_code == 404
    fields = registrar.form(f"{ADDRESS}/days/0/remove")
    for number in ("-1", str(-(2**63) - 1)):
        assert registrar.get(f"{ADDRESS}/days/{number}/remove").status_code == 422
        assert registrar.post(f"{ADDRESS}/days/{number}/remove", fields).status_code == 422


def test_what_a_day_that_is_taken_out_cannot_bring_back_is_said(campus: Lectern, registrar: Person) -> None:
    say(campus, {"name": "Snow day", "date": day(2)})
    exam = {"title": "Exam", "resource": "R1", "start": f"{day(2)}T09:00:00", "time_zone": "UTC"}
    campus.made(exam | {"duration_minutes": 50})
    asked = registrar.get(f"{ADDRESS}/days/0/remove").text
    assert asked.count("not held: in the way: &#39;Exam&#39;") == 1


def test_a_make_up_day_says_what_is_held_instead(campus: Lectern, registrar: Person) -> None:
    tuesday = day(2, 1)
    asked = registrar.get(f"{ADDRESS}/add?first={tuesday}&name=Monday+schedule&meets_as=MO").text
    assert "Monday’s sessions are held on Tuesday" in asked
    assert "this leaves out 0 sessions of 3 recordings, and 3 sessions are held instead." in asked
    registrar.do(f"{ADDRESS}/add?first={tuesday}&name=Monday+schedule&meets_as=MO")
    (said,) = campus.get(f"/calendars/{NAME}")["days"]
    assert (said["meets_as"], said["from"]) == ("MO", tuesday)
    assert "Monday’s sessions are held" in registrar.get(f"{ADDRESS}?year={tuesday[:4]}").text


def test_a_date_that_meets_as_two_weekdays_says_both(campus: Lectern, registrar: Person) -> None:
    tuesday = day(2, 1)
    registrar.do(f"{ADDRESS}/add?first={tuesday}&meets_as=MO")
    assert "meets as MO and as WE" in registrar.get(f"{ADDRESS}/add?first={tuesday}&meets_as=WE").text
    registrar.do(f"{ADDRESS}/add?first={tuesday}&meets_as=WE")
    year = registrar.get(f"{ADDRESS}?year={tuesday[:4]}").text
    assert "Monday’s sessions are held; Wednesday’s sessions are held" in year


@pytest.mark.parametrize(
    "query",
    [
        "first=2027-02-31",
        "first=",
        "first=nonsense&last=2027-01-01",
        "first=2027-03-05&last=2027-03-01",
        "first=2027-03-01&last=2027-03-05&meets_as=MO",
        "first=2027-03-01&meets_as=XX",
        "first=2000-01-01&last=2099-12-31",
        "first=2027-03-01&name=%00",
        "first=0001-01-01&last=9999-12-31",
    ],
)
def test_what_is_wrong_with_a_day_stands_in_its_page(campus: Lectern, registrar: Person, query: str) -> None:
    answer = registrar.get(f"{ADDRESS}/add?{query}")
    assert answer.status_code == 422
    assert "What will happen?" in answer.text
    assert campus.get(f"/calendars/{NAME}")["days"] == []


def test_days_of_any_year_can_be_looked_at(campus: Lectern, registrar: Person) -> None:
    say(campus, "2000-01-01", "2099-12-31", {"name": "New year", "from": "2031-12-30", "to": "2032-01-02"})
    for year, days in ((2000, 1), (2031, 2), (2032, 2), (2099, 1)):
        page = registrar.get(f"{ADDRESS}?year={year}").text
        assert page.count('<td class="closed"') == days
    assert registrar.get(f"{ADDRESS}?year=2100").status_code == 422


def test_a_calendar_is_made_and_taken_away(campus: Lectern, registrar: Person) -> None:
    word = registrar.form("/console/calendars")["form"]
    made = registrar.post("/console/calendars", {"form": word, "name": "Library", "title": "The <b>library</b>"})
    assert made.headers["Location"] == "/console/calendars/library?said=made"
    there = registrar.post("/console/calendars", {"form": word, "name": "library", "title": "Another"})
    assert there.headers["Location"] == "/console/calendars/library?said=there"
    assert campus.get("/calendars/library")["title"] == "The <b>library</b>"
    wrong = registrar.post("/console/calendars", {"form": word, "name": "a b", "title": "Kept"})
    assert wrong.status_code == 422
    assert 'value="Kept"' in wrong.text
    assert f"{ADDRESS}/delete" not in registrar.get(ADDRESS).text
    assert registrar.do(f"{ADDRESS}/delete").status_code == 409  # recordings name it
    assert registrar.do("/console/calendars/library/delete").headers["Location"] == "/console/calendars?said=deleted"
    assert registrar.get("/console/calendars/library").status_code == 404


def test_who_could_not_follow_is_told_and_tried_again(campus: Lectern, registrar: Person) -> None:
    before = campus.get(f"/calendars/{NAME}")["version"]
    with campus.app.state.database.write() as session:  # as if a chain had been refused
        row = session.execute(select(RecordingCalendar)).scalars().first()
        row.version, row.tried = before - 1, before
        session.add(row)
    page = registrar.get(ADDRESS).text
    assert "1 recording could not follow, and is as it was" in page
    assert "could not follow" in registrar.get("/console/calendars").text
    assert "the 1 recording that could not follow" in registrar.get(f"{ADDRESS}/again").text
    assert registrar.do(f"{ADDRESS}/again").headers["Location"] in {
        f"{ADDRESS}?said={how}" for how in ("again", "going")
    }


def test_each_sees_its_own_among_those_who_follow(campus: Lectern, registrar: Person) -> None:
    page = registrar.get(ADDRESS).text
    assert "3 recordings name it." in page  # as the API counts them: a calendar is the campus's
    assert page.count("✓</span> follows it") == 2
    assert "Not yours" not in page
    other = somebody(campus, "library", "recordings:read")
    assert other.get(ADDRESS).text.count("✓</span> follows it") == 1
    everybody = somebody(campus, "av", "admin")
    assert everybody.get(ADDRESS).text.count("✓</span> follows it") == 3


def test_many_followers_come_page_by_page(campus: Lectern, registrar: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.console.views.calendars.EACH", 1)
    assert f"{ADDRESS}?page=2#followers" in registrar.get(ADDRESS).text
    assert f"{ADDRESS}?page=3#followers" not in registrar.get(f"{ADDRESS}?page=2").text
    assert "There are no more." in registrar.get(f"{ADDRESS}?page=3").text


def test_an_installation_without_calendars_says_what_comes_next(tmp_path: Path) -> None:
    with lectern(tmp_path, api_keys=f"registrar={GIVEN}") as service:
        writer, reader = Person(service), somebody(service, "registrar", "recordings:read")
        writer.sign_in(GIVEN)
        page = writer.get("/console/calendars").text
        assert "No calendar yet" in page
        assert "curl -X PUT &#39;http" in page or "curl -X PUT 'http" in page
        assert "Make it" in page
        told = reader.get("/console/calendars").text
        assert "calendars:write" in told
        assert "Make it" not in told


def test_what_others_call_days_breaks_no_page(campus: Lectern, registrar: Person) -> None:
    shapes = set()
    for number, text in enumerate(TITLES):
        name = text.encode()[:256].decode(errors="ignore")
        say(campus, {"name": name, "date": day(20 + number)}, name="hostile", title=name)
        year = day(20 + number)[:4]
        page = registrar.get(f"/console/calendars/hostile?year={year}").text
        asked = registrar.get("/console/calendars/hostile/days/0/remove").text
        assert "<script>alert" not in page + asked
        shapes.add(frozenset((*Tags(page).seen, *Tags(asked).seen)) - {"a ['href', 'rel']", "p ['class']"})
    assert len(shapes) == 1
    assert not {tag for tag in Tags(registrar.get("/console/calendars").text).seen if tag.startswith(("img", "svg"))}


def test_a_page_of_a_calendar_stays_light(campus: Lectern, registrar: Person) -> None:
    first = date(2027, 1, 1)
    days = [{"name": "n" * 200, "date": str(first + timedelta(days=2 * number))} for number in range(900)]
    say(campus, *days, name="full", title="T" * 250)
    assert len(registrar.get("/console/calendars/full?year=2027").content) < 250_000
