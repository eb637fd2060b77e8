"""What people do to recordings in a browser: move a session, take up a stuck chain, with and without JavaScript."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update
from sqlmodel import col

from app.chains.models import Chain
from app.database.database import Database
from tests.console.browser.scene import Json, api, schedule, sessions
from tests.console.test_browser import KEY, opened, sign_in
from tests.processes import Program, start_sandbox, start_service
from tests.service import eventually

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])


@dataclass
class Place:
    """The service in front of a sandbox whose answers can be spoilt."""

    service: Program
    sandbox: Program
    tmp: Path

    def fault(self, *faults: Json) -> None:
        """Instead of those before."""
        answer = httpx.put(f"{self.sandbox.url}/_sandbox/faults", json={"faults": list(faults)}, trust_env=False)
        answer.raise_for_status()

    def stuck(self, **document: object) -> Json:
        """A recording whose chain has met a Kaltura that was away for longer than Lectern's patience."""
        self.fault({"fault": "drop_before", "service": "media", "action": "add"})
        wanted = {"title": "Stuck", "start": "2027-03-01T09:00:00", "duration_minutes": 50, "time_zone": "UTC"}
        with api(self.service) as client:
            answer = client.post("/recordings", json=wanted | document, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202, answer.text
            made: Json = answer.json()
            address = f"/recordings/{made['id']}"
            eventually(lambda: client.get(address).json()["chain"]["status"] == "waiting")
            database = Database(f"sqlite:///{self.tmp / 'lectern.db'}")
            with database.write() as session:
                session.execute(update(Chain).where(col(Chain.subject) == made["id"]).values(tried=1e9))
            database.close()
            eventually(lambda: client.get(address).json()["status"] == "stuck", 30.0)
        return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    tmp = tmp_path_factory.mktemp("actions")
    environment = {"LECTERN_API_KEYS": f"registrar={KEY}"}
    with start_sandbox(tmp) as sandbox, start_service(tmp, sandbox.url, environment) as service:
        yield Place(service, sandbox, tmp)


@SCRIPTS
def test_a_session_is_moved(browser: Browser, place: Place, scripts: bool) -> None:
    made = schedule(place.service, title=f"To be moved {scripts}", on_conflict="allow")
    first = sessions(place.service, made)[0]
    with opened(browser, scripts=scripts) as page:
        sign_in(page, place.service)
        page.goto(f"{place.service.url}/console/recordings/{made['id']}")
        page.get_by_role("link", name="Move the session").first.click()
        page.get_by_label("Time", exact=True).fill("19:30")
        page.get_by_label("Minutes").fill("75")
        page.get_by_role("button", name="What will happen?").click()
        expect(page.locator("main")).to_contain_text(
            "This moves the session of Wed 13 Jan 2027, 09:00 in EXTRON-100-ABC: it begins on Wed 13 Jan 2027, 19:30 "
            "and lasts 1 h 15 min. All others stay."
        )
        assert sessions(place.service, made)[0]["start"] == first["start"]  # nothing is done yet
        page.get_by_role("button", name="Move the session").click()
        expect(page.get_by_role("status")).to_contain_text("The session is moved.")
        expect(page.locator("tbody tr").first).to_contain_text("1 h 15 min")
    moved = next(one for one in sessions(place.service, made) if one["id"] == first["id"])
    assert moved["local_start"].startswith("2027-01-13T19:30")


@SCRIPTS
def test_a_stuck_chain_is_taken_up_from_the_finding_on_the_day(browser: Browser, place: Place, scripts: bool) -> None:
    resource = "EXTRON-200-DEF" if scripts else "PEARL-300-GHI"
    made = place.stuck(resource=resource)
    with opened(browser, scripts=scripts) as page:
        sign_in(page, place.service)
        finding = page.get_by_role("article").filter(has_text="“Stuck”")
        expect(page.get_by_role("link", name="in trouble")).to_contain_text("1 in trouble")
        finding.get_by_role("link", name="Look").click()
        expect(page.get_by_role("heading", name="Where it stands")).to_be_visible()
        expect(page.locator(".chain").first).to_contain_text("make the template entry")
        place.fault()
        page.get_by_role("link", name="Resume").click()
        expect(page.locator("main")).to_contain_text("This takes the chain up again at once, from its open step")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("status")).to_contain_text("It was taken up again.")
        expect(page.locator("h1 + div")).to_contain_text("scheduled")
    with api(place.service) as client:
        assert client.get(f"/recordings/{made['id']}").json()["status"] == "scheduled"


def test_a_recording_that_is_under_way_is_brought_up_to_date(browser: Browser, place: Place) -> None:
    made = place.stuck(resource="EXTRON-200-DEF", start="2027-03-02T09:00:00")
    with opened(browser) as page:
        sign_in(page, place.service)
        page.clock.install()
        page.goto(f"{place.service.url}/console/recordings/{made['id']}")
        expect(page.locator("h1 + div")).to_contain_text("stuck")
        place.fault()
        with api(place.service) as client:
            client.post(f"/recordings/{made['id']}/resume").raise_for_status()
        page.clock.run_for(5_000)
        expect(page.locator("h1 + div")).to_contain_text("scheduled")
        expect(page.locator("#fresh")).to_have_count(0)  # nothing more is to come


def test_all_that_reads_does_so_without_javascript(browser: Browser, place: Place) -> None:
    made = schedule(place.service, title="To be read", reference_id="no-script", tags=["reading"], on_conflict="allow")
    room = f"/console/rooms/{made['resource']['id']}?day=2027-01-13"
    with opened(browser, scripts=False) as page:
        sign_in(page, place.service)

        def shows(path: str, *words: str) -> None:
            page.goto(place.service.url + path)
            for each in words:
                expect(page.locator("main")).to_contain_text(each)

        shows("/console", "Today, ", "by the clocks of")
        shows("/console?day=2027-01-13", "The day, Wed 13 Jan 2027", "9:00 To be read")
        shows("/console?day=2027-01-13&room=pearl", "PEARL-300-GHI")
        shows(room, "Week of Mon 11 Jan 2027", "9:00 To be read", "The encoder", "upcoming.ics")
        shows("/console/recordings?tag=reading", "To be read", "no-script", "36 sessions")
        shows(f"/console/recordings/{made['id']}", "To be read", "Wed 13 Jan 2027, 09:00", "make the template entry")
        _fill(page, place)
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview")).to_contain_text("3 daily sessions")
        expect(page.locator("#as-curl")).to_contain_text('"title": "No script"')
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)  # it would do nothing


def _fill(page: Page, place: Place) -> None:
    page.goto(f"{place.service.url}/console/new")
    for label, said in (("Title", "No script"), ("Room", "EXTRON-200-DEF"), ("First date", "2027-02-03")):
        page.get_by_label(label).first.fill(said)
    page.get_by_label("Time", exact=True).fill("18:15")
    page.get_by_label("Repeats").select_option("daily")
    page.get_by_label("Times").fill("3")
