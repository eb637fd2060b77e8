"""*Today* brings itself up to date, by one conditional request each 15 seconds, and says how old it is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.console.browser.scene import schedule
from tests.console.test_browser import KEY, sign_in
from tests.processes import Program, start_alone
from tests.security.test_browser import MILLISECONDS

DAY = "/console?day=2027-01-13"
EVERY = 15_000  # milliseconds


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with start_alone(tmp_path_factory.mktemp("day"), KEY) as running:
        schedule(running, title="The first", time_zone="UTC")
        yield running


@pytest.fixture
def page(browser: Browser, service: Program) -> Iterator[Page]:
    """Signed in, on the day; its clock stands still until somebody moves it."""
    context = browser.new_context()
    shown = context.new_page()
    shown.set_default_timeout(MILLISECONDS)
    sign_in(shown, service)
    shown.clock.install()
    shown.goto(service.url + DAY)
    expect(shown.get_by_role("status")).to_contain_text("Up to date at")
    yield shown
    context.close()


def later(page: Page) -> Response:
    """The answer to the request of the next 15 seconds; there is one."""
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(lambda answer: answer.url.endswith(DAY)) as found:
        page.clock.run_for(EVERY)
    assert asked.pop(0).endswith(DAY)
    assert asked == []
    return found.value


def test_each_request_is_conditional_and_answered_by_304_when_nothing_changed(page: Page) -> None:
    answer = later(page)
    for _ in range(20):  # its rooms are read for the first time meanwhile
        if answer.status == 304 and not page.get_by_text("not read yet").count():
            break
        answer = later(page)
    assert answer.status == 304
    before = answer.request.headers["if-none-match"]
    expect(page.get_by_role("link", name="The first")).to_be_visible()
    again = later(page)
    assert (again.status, again.request.headers["if-none-match"]) == (304, before)


def test_what_is_new_appears_and_whoever_reads_stays_where_they_are(page: Page, service: Program) -> None:
    bar = page.get_by_role("link", name="The first").first
    bar.focus()
    schedule(service, title="The second", resource="PEARL-300-GHI", time_zone="UTC")
    assert later(page).status == 200
    expect(page.get_by_role("link", name="The second")).to_be_visible()
    expect(bar).to_be_focused()
    expect(page.get_by_role("status")).to_have_attribute("aria-live", "off")


def test_it_keeps_what_it_shows_while_the_service_is_away_and_says_how_old_that_is(
    page: Page, service: Program
) -> None:
    fresh = page.get_by_role("status")
    service.kill()
    try:
        page.clock.run_for(EVERY)
        expect(fresh).to_contain_text("The service does not answer. This is what was there at")
        expect(fresh).to_contain_text("less than a minute ago")
        expect(fresh).to_have_attribute("aria-live", "polite")
        expect(page.get_by_role("link", name="The first")).to_be_visible()
        page.clock.fast_forward(3 * 60_000)
        expect(fresh).to_contain_text("3 min ago")
    finally:
        service.restart()
    page.clock.run_for(EVERY)
    expect(fresh).to_contain_text("Up to date at")


def test_a_finger_that_scrolls_does_not_stop_it(page: Page) -> None:
    """A touch that becomes a scroll ends as `pointercancel`, not as `pointerup`."""
    page.evaluate("dispatchEvent(new PointerEvent('pointerdown')); dispatchEvent(new PointerEvent('pointercancel'))")
    page.clock.run_for(1_000)
    with page.expect_response(lambda answer: answer.url.endswith(DAY)):
        page.clock.run_for(EVERY)


def test_whoever_is_not_signed_in_any_more_is_told(page: Page) -> None:
    page.context.clear_cookies()
    page.clock.run_for(EVERY)
    expect(page.get_by_role("status")).to_contain_text("You are not signed in any more")
    expect(page.get_by_role("link", name="The first")).to_be_visible()
