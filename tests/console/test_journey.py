"""Calendars and terms in a browser: what a registrar does with them, with and without JavaScript."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console import timetable
from tests.console.test_browser import AXE, KEY, WRONG, browser, opened, service, sign_in
from tests.processes import Program
from tests.sampling import sampled
from tests.security.test_browser import chromium

__all__ = ["browser", "chromium", "service"]

ROOMS = ("Aldrich Hall 101", "Chemistry 3")
TERM = f"/console/terms/{timetable.TERM}"
CALENDAR = f"/console/calendars/{timetable.CALENDAR}"


@pytest.fixture(scope="module")
def client(service: Program) -> Iterator[httpx.Client]:
    """The registrar's, who has rooms, campus days and a term without a plan."""
    key = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=service.url, headers=key, timeout=60, trust_env=False) as made:
        timetable.make_rooms(made, ROOMS)
        timetable.say_days(made)
        made.put(f"/terms/{timetable.TERM}", json=timetable.settings(ROOMS)).raise_for_status()
        yield made


@pytest.mark.always
def test_a_plan_is_reviewed_and_applied_and_a_snow_day_added(
    browser: Browser, service: Program, client: httpx.Client
) -> None:
    sections = list(timetable.sections(6, ROOMS))
    with opened(browser) as page:
        sign_in(page, service)
        page.get_by_role("link", name="Terms", exact=True).click()
        page.get_by_role("link", name="Spring 2027").click()
        expect(page.locator("main")).to_contain_text("lectern term plan 2027S export.csv")
        planned = timetable.plan(client, sections, expected_sections=7)
        recorded = planned["counts"]["create"]
        page.reload()
        expect(page.locator("main")).to_contain_text("Not as many sections as were announced")
        page.get_by_role("link", name="to create").click()
        expect(page.locator("#items tbody tr")).to_have_count(recorded)
        page.get_by_role("link", name="Review and apply").click()
        expect(page.locator("main")).to_contain_text(f"This creates {recorded} recordings.")
        page.get_by_label("I have looked: it is right").check()
        page.get_by_role("button", name="Apply it").click()
        expect(page.locator("#plan")).to_contain_text(f"{recorded} of {recorded} items")  # without another click
        expect(page.locator("#fresh")).to_have_count(0)

        page.get_by_role("link", name="Calendars", exact=True).click()
        page.get_by_role("link", name="Campus 2027", exact=True).click()
        page.get_by_label("First date").fill("2027-02-11")
        page.get_by_label("Name").fill("Snow day")
        page.get_by_role("button", name="What will happen?").click()
        expect(page.locator("main")).to_contain_text("on Thursday 11 February 2027.")
        page.get_by_role("button", name="Record nothing then").click()
        expect(page.get_by_role("status").first).to_contain_text("in the calendar")
        expect(page.locator("td.closed", has_text="11 Snow day")).to_have_count(1)
        page.get_by_role("link", name="Take out Snow day").click()
        page.get_by_role("button", name="Take it out").click()
        expect(page.locator("td.closed", has_text="11 Snow day")).to_have_count(0)

        page.get_by_role("link", name="Today, ").click()  # a snow day's first click
        expect(page.get_by_role("heading", level=1)).to_contain_text("Record nothing on")


def test_without_javascript_all_of_it_reads_and_works(browser: Browser, service: Program, client: httpx.Client) -> None:
    planned = timetable.plan(client, list(timetable.sections(4, ROOMS)))
    with opened(browser, scripts=False) as page:
        sign_in(page, service)
        for path in ("/console/calendars", CALENDAR, "/console/terms", TERM, f"{TERM}/plans/{planned['id']}?kind=all"):
            page.goto(service.url + path)
            expect(page.get_by_role("heading", level=1)).to_have_count(1)
        page.get_by_role("link", name="Apply …").click()
        page.get_by_role("button", name="Apply it").click()
        expect(page.get_by_role("status").first).to_contain_text("It is being applied.")
        page.goto(f"{service.url}{CALENDAR}/add?first=2027-02-12&name=Snow+day")
        page.get_by_role("button").last.click()
        expect(page.get_by_role("status").first).to_contain_text("alendar")
        expect(page.locator("td.closed", has_text="12 Snow day")).to_have_count(1)


@pytest.mark.parametrize("dark", sampled([False, True], 2), ids=["light", "dark"])
def test_everybody_can_use_them_and_none_scrolls_sideways(
    browser: Browser, service: Program, client: httpx.Client, dark: bool
) -> None:
    """Serious and critical findings of axe; also with very long words."""
    sections = list(timetable.sections(4, ROOMS))
    sections[0] |= {"title": "T" * 256}
    sections[1]["meetings"][0] |= {"room": "Atlantis" * 20}
    planned = timetable.plan(client, [*sections, {"section": "S" * 100, "meetings": [{"start": "x"}]}])
    client.put("/calendars/long", json={"title": "L" * 256, "days": [{"name": "N" * 256, "date": "2027-02-11"}]})
    plan = f"{TERM}/plans/{planned['id']}"
    paths = ["/console/calendars", CALENDAR, "/console/calendars/long", f"{CALENDAR}/add?first=2027-03-01"]
    paths += [f"{CALENDAR}/days/1/remove", "/console/terms", TERM, f"{plan}?kind=all"]
    paths += [f"{plan}/apply", f"{TERM}?section={sections[2]['section']}", f"{TERM}/opt-out?who=sections&id=20001"]
    with opened(browser, width=360, dark=dark) as page:
        sign_in(page, service)
        wrong = {path: found for path in paths if (found := _wrong(page, service.url + path))}
    assert wrong == {}


def _wrong(page: Page, address: str) -> list[str]:
    page.goto(address)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(WRONG)
    sideways = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*found, *(["it scrolls sideways"] if sideways else [])]
