"""Every page by keyboard alone: what can be done is reached by Tab, in the order in which it stands, and is seen."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser.scene import Json, schedule, sessions
from tests.console.test_browser import KEY, opened, sign_in
from tests.processes import Program, start_alone
from tests.sampling import sampled

MOST = 400  # presses on one page

# All that is there to be reached, in the order in which it stands.
_THERE = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.type !== "hidden" && !one.disabled && one.checkVisibility({ visibilityProperty: true }))
    .map((one) => [...document.querySelectorAll("*")].indexOf(one) + one.outerHTML.slice(0, 150))"""

# Where the focus is, and what is wrong with how it is shown: nothing but itself may be in the middle of its place.
_HERE = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const style = getComputedStyle(one);
    const place = one.getBoundingClientRect();
    const [x, y] = [Math.max(place.left, 0) + Math.min(place.right, innerWidth), Math.max(place.top, 0) +
        Math.min(place.bottom, innerHeight)].map((sum) => sum / 2);
    const there = document.elementFromPoint(x, y);
    const wrong = [];
    if (style.outlineStyle === "none" || !parseFloat(style.outlineWidth)) wrong.push("nothing marks it");
    if (!there || !(one.contains(there) || there.contains(one))) wrong.push("it is not seen");
    const what = [...document.querySelectorAll("*")].indexOf(one) + one.outerHTML.slice(0, 150);
    return { what, wrong: wrong.join(", ") };
}"""

_CALLED = """() => {
    const one = document.activeElement;
    return one === document.body ? "" : (one.labels?.[0] ?? one).textContent;
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with start_alone(tmp_path_factory.mktemp("keys"), KEY) as running:
        yield running


@pytest.fixture(scope="module")
def made(service: Program) -> Json:
    return schedule(service)


def walk(page: Page) -> tuple[list[str], list[str]]:
    """What Tab comes to, once around the page; and what is wrong with it."""
    reached, wrong = list[str](), list[str]()
    for _ in range(MOST):
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        if here is None:  # at the end of the page, where a browser has controls of its own
            continue
        if len(reached) > 1 and here["what"] == reached[0]:
            first = next(number for number, what in enumerate(reached) if 'class="skip"' in what)
            return reached[first:] + reached[:first], wrong  # a page may begin in a field
        if not reached or here["what"] != reached[-1]:  # a date has a stop for its day, its month and its year
            reached.append(here["what"])
        if here["wrong"]:
            wrong.append(f"{here['wrong']}: {here['what']}")
    raise AssertionError(f"no end after {MOST} presses: {reached[-3:]}")


@pytest.mark.parametrize("width", sampled([1440, 360], 2))
def test_tab_comes_to_all_there_is_in_order_and_shows_where_it_is(
    browser: Browser, service: Program, made: Json, width: int
) -> None:
    one, room = f"/console/recordings/{made['id']}", f"/console/rooms/{made['resource']['id']}"
    session = f"{one}/sessions/{sessions(service, made)[0]['id']}"
    pages = ["/console", "/console?day=2027-01-13", "/console/recordings", one, f"{one}/cancel", f"{session}/move"]
    pages += [f"{session}/cancel", f"{room}?day=2027-01-13", "/console/new"]
    with opened(browser, width=width) as page:
        page.goto(f"{service.url}/console/sign-in")
        found = {"sign-in": (walk(page), page.evaluate(_THERE))}
        sign_in(page, service)
        for path in pages:
            page.goto(service.url + path)
            found[path] = walk(page), page.evaluate(_THERE)
    assert {path: wrong for path, ((_, wrong), _) in found.items() if wrong} == {}
    for path, ((reached, _), there) in found.items():
        assert reached == there, path


def tab_to(page: Page, *, name: str) -> None:
    """On, until the focus is on what is called so."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if name in page.evaluate(_CALLED):
            return
    raise AssertionError(f"Tab does not come to {name}")


def press(page: Page, *, name: str, then: str) -> None:
    """What is called so; after it, the page is headed otherwise."""
    tab_to(page, name=name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(then)


def test_a_day_s_work_is_done_without_a_mouse(browser: Browser, service: Program, made: Json) -> None:
    with opened(browser) as page:
        page.goto(service.url)
        expect(page.get_by_label("API key")).to_be_focused()
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Today")

        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()

        tab_to(page, name="Room")
        page.keyboard.type("pearl")
        page.keyboard.press("Enter")
        expect(page.locator(".grid .side a")).to_have_text(["PEARL-300-GHI"])

        page.goto(f"{service.url}/console/recordings/{made['id']}")
        title = made["title"]
        press(page, name="Cancel the session of", then="Cancel this session?")
        press(page, name="Cancel the session", then=title)
        expect(page.get_by_role("status")).to_contain_text("The session is cancelled.")
        press(page, name="Restore the session of", then="Restore this session?")
        press(page, name="Restore", then=title)
        expect(page.get_by_role("status")).to_contain_text("The session takes place again.")
        press(page, name="As it was sent", then=title)
        expect(page.locator("#document")).to_be_visible()
        press(page, name="Sign out", then="Sign in")
