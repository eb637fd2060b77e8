"""The console as a person meets it: in a browser that reaches this service and nothing else."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.recordings.document.document import EXAMPLE
from tests.processes import Program, start_alone
from tests.sampling import sampled
from tests.security.test_browser import MILLISECONDS, OFFLINE, chromium

__all__ = ["chromium"]

KEY = "console-browser-key-0123456789abcdef"
expect.set_options(timeout=MILLISECONDS)
AXE = Path(__file__).parents[1] / "data/axe/axe.min.js"
AXE_HASH = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
WRONG = "axe.run().then((found) => found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))" \
    ".map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' ')))"  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with start_alone(tmp_path_factory.mktemp("console"), KEY) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(OFFLINE))
        yield started
        started.close()


@contextmanager
def opened(browser: Browser, *, scripts: bool = True, width: int = 1440, dark: bool = False) -> Iterator[Page]:
    """A page that may not complain."""
    complaints = list[str]()
    context = browser.new_context(
        java_script_enabled=scripts,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def sign_in(page: Page, service: Program) -> None:
    page.goto(service.url)
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{service.url}/console")


def test_a_person_schedules_looks_cancels_restores_and_signs_out(browser: Browser, service: Program) -> None:
    with opened(browser) as page:
        sign_in(page, service)
        expect(page.get_by_role("status")).to_contain_text("Up to date")
        page.get_by_role("button", name="Schedule it in the sandbox").click()
        expect(page.get_by_role("status")).to_contain_text("It is scheduled.")
        expect(page.get_by_role("heading", level=1)).to_have_text("MATH-123 Linear Algebra")

        page.get_by_role("link", name="Cancel the session").first.click()
        expect(page.locator("main")).to_contain_text(
            "This cancels the session on Wed 13 Jan 2027, 09:00 in EXTRON-100-ABC"
        )
        page.get_by_role("button", name="Cancel the session").click()
        expect(page.get_by_role("status")).to_contain_text("The session is cancelled.")
        page.get_by_role("link", name="Restore the session").first.click()
        page.get_by_role("button", name="Restore").click()
        expect(page.get_by_role("status")).to_contain_text("The session takes place again.")

        page.get_by_role("link", name="EXTRON-100-ABC").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("EXTRON-100-ABC")

        page.get_by_role("link", name="New", exact=True).click()
        for label, said in (("Title", "Guest lecture"), ("Room", "EXTRON-200-DEF"), ("First date", "2027-02-03")):
            page.get_by_label(label).first.fill(said)
        page.get_by_label("Time", exact=True).fill("18:15")
        page.get_by_label("Times").fill("3")
        expect(page.locator("#preview .on")).to_have_count(3)
        expect(page.locator("#as-curl")).to_contain_text('"title": "Guest lecture"')
        page.get_by_role("button", name="Schedule it").click()
        expect(page.get_by_role("status")).to_contain_text("It is scheduled.")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_without_javascript_one_reads_and_cancels(browser: Browser, service: Program) -> None:
    document = EXAMPLE | {"reference_id": "no-js", "resource": "PEARL-300-GHI"}
    headers = {"Authorization": f"Bearer {KEY}"}
    made = httpx.post(f"{service.url}/recordings", json=document, headers=headers, timeout=60).json()
    with opened(browser, scripts=False) as page:
        sign_in(page, service)
        page.goto(f"{service.url}/console?day=2027-01-13")
        page.get_by_role("link", name="9:00 MATH-123 Linear Algebra").last.click()
        expect(page).to_have_url(f"{service.url}/console/recordings/{made['id']}")
        page.get_by_role("link", name="Cancel", exact=True).first.click()
        expect(page.locator("main")).to_contain_text(
            "This cancels 36 coming sessions in PEARL-300-GHI; what was recorded stays."
        )
        page.get_by_role("button", name="Cancel the recording").click()
        expect(page.get_by_role("status")).to_contain_text("The recording is cancelled.")


def test_axe_is_the_one_that_was_taken() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_HASH


@pytest.mark.always
@pytest.mark.parametrize("dark", sampled([False, True], 2), ids=["light", "dark"])
def test_everybody_can_use_every_page_and_none_scrolls_sideways(browser: Browser, service: Program, dark: bool) -> None:
    """Serious and critical findings of axe; at 360 pixels only the axis is wider than the screen."""
    document = EXAMPLE | {"reference_id": f"axe-{dark}", "title": "A" * 256, "on_conflict": "allow"}
    headers = {"Authorization": f"Bearer {KEY}"}
    made = httpx.post(f"{service.url}/recordings", json=document, headers=headers, timeout=60).json()
    one, room = f"/console/recordings/{made['id']}", f"/console/rooms/{made['resource']['id']}"
    paths = ["/console", "/console?day=2027-01-13", "/console?wall", "/console/recordings", one, f"{one}/cancel"]
    session = httpx.get(f"{service.url}/recordings/{made['id']}/occurrences", headers=headers, timeout=60).json()
    paths += [f"{one}/sessions/{session['items'][0]['id']}/move", f"{room}?day=2027-01-13", "/console/new"]
    wrong = {}
    with opened(browser, width=360, dark=dark) as page:
        page.goto(f"{service.url}/console/sign-in")
        script = AXE.read_text(encoding="utf-8")
        page.evaluate(script)
        wrong["sign-in"] = page.evaluate(WRONG)
        sign_in(page, service)
        for path in paths:
            page.goto(service.url + path)
            page.evaluate(script)
            wrong[path] = page.evaluate(WRONG)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong[path].append("it scrolls sideways")
    assert {path: found for path, found in wrong.items() if found} == {}
