"""Every page, with nothing and with too much on it: nobody is kept out, and what others call things breaks nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser.scene import Json, api, sessions, sideways, wrong
from tests.console.overfull.hostile import TITLES, document
from tests.console.test_browser import KEY, opened, sign_in
from tests.processes import Program, start_alone
from tests.sampling import sampled
from tests.security.test_browser import MILLISECONDS

DAY = "2027-03-01"
LIGHT_AND_DARK = pytest.mark.parametrize("dark", sampled([False, True], 2), ids=["light", "dark"])
NOTHING = (
    *("/console", "/console?wall", "/console/recordings", "/console/recordings?title=x", "/console/new"),
    *("/console/calendars", "/console/terms"),
)
WORST = ("W" * 256, "\u202enever ended", "<style>*{display:none}</style>", "👩‍🏫🎥🏳️‍🌈👨‍👩‍👧‍👦")

# What the document has that no page of ours has, and scripts that are none of ours.
_STRANGE = """() => [...document.querySelectorAll("img, svg, iframe, style, math, template, object, embed, [style], " +
    "script:not([src^='/static/console/'])")].map((one) => one.outerHTML.slice(0, 120))"""

# Controls that a finger would miss. Of a checkbox it is the label that is touched.
_LOW = """() => [...document.querySelectorAll("button, .button, select, summary, label.check, nav a, .row > a, " +
    ".do a, .finding a, [rel=prev], [rel=next], input:not([type=hidden], [type=checkbox])")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 36)
    .map((one) => `${one.getBoundingClientRect().height} ${one.outerHTML.slice(0, 120)}`)"""


def started(tmp_path_factory: pytest.TempPathFactory, name: str) -> Program:
    return start_alone(tmp_path_factory.mktemp(name), KEY)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with started(tmp_path_factory, "empty") as running:
        yield running


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with started(tmp_path_factory, "full") as running:
        yield running


@pytest.fixture(scope="module")
def made(full: Program) -> dict[str, Json]:
    """A room and a recording of each hostile title; in one room five that overlap, and an encoder in trouble."""
    with api(full) as client:
        found = {}
        for number, title in enumerate(TITLES):
            answer = client.post("/recordings", json=document(number, DAY))
            assert answer.status_code == 201, answer.text
            found[title] = answer.json()
        room = found[WORST[0]]["resource"]["id"]
        many = document(TITLES.index(WORST[0]), DAY) | {"resource": room, "on_conflict": "allow"}
        for number in range(5):
            recurrence = {"frequency": "daily", "count": 100}
            more = {"reference_id": f"many-{number}", "title": f"Many {number}", "recurrence": recurrence}
            found["many"] = client.post("/recordings", json=many | more).raise_for_status().json()
        refused = client.post("/recordings", json=many | {"reference_id": "refused", "on_conflict": "reject"})
        assert refused.json()["code"] == "schedule_conflict", refused.text
        said = {"state": "error", "detail": "W" * 200}
        client.put(f"/resources/{room}/state", json=said).raise_for_status()
        return found


@pytest.fixture(scope="module")
def too_much(full: Program, made: dict[str, Json]) -> tuple[str, ...]:
    with api(full) as client:
        failed = client.get("/recordings", params={"status": "failed"}).json()["items"][0]["id"]
    worst, many = (f"/console/recordings/{made[title]['id']}" for title in (WORST[0], "many"))
    session = sessions(full, made[WORST[0]])[0]["id"]
    room = f"/console/rooms/{made[WORST[0]]['resource']['id']}?day={DAY}"
    return (
        *("/console", f"/console?day={DAY}", f"/console?day={DAY}&wall", f"/console?day={DAY}&room=%3C", room),
        *("/console/recordings", "/console/recordings?title=%3Cscript", f"/console/recordings/{failed}"),
        *(worst, many, f"{many}?page=2", f"{worst}/cancel", f"{worst}/sessions/{session}/cancel"),
        f"{worst}/sessions/{session}/move",
    )


@LIGHT_AND_DARK
def test_axe_finds_nothing_on_an_empty_page(browser: Browser, empty: Program, dark: bool) -> None:
    found = {}
    with opened(browser, dark=dark) as page:
        page.goto(f"{empty.url}/console/sign-in")
        found["sign-in"] = wrong(page)
        sign_in(page, empty)
        expect(page.get_by_role("button", name="Schedule it in the sandbox")).to_be_visible()
        for path in NOTHING:
            page.goto(empty.url + path)
            found[path] = wrong(page)
    assert {path: what for path, what in found.items() if what} == {}


@LIGHT_AND_DARK
def test_axe_finds_nothing_on_an_overfull_page(
    browser: Browser, full: Program, too_much: tuple[str, ...], dark: bool
) -> None:
    found = {}
    with opened(browser, dark=dark) as page:
        sign_in(page, full)
        for path in too_much:
            page.goto(full.url + path)
            found[path] = wrong(page)
        type_into_the_form(page, full)
        found["new"] = wrong(page)
    assert {path: what for path, what in found.items() if what} == {}


@LIGHT_AND_DARK
def test_axe_finds_nothing_on_a_page_that_tells_of_a_problem(browser: Browser, full: Program, dark: bool) -> None:
    context = browser.new_context(color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{full.url}/console")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key is not known here")
    found = wrong(page)
    sign_in(page, full)
    page.goto(f"{full.url}/console/recordings/rec_x")
    assert found + wrong(page) == []
    context.close()


def test_at_360_pixels_nothing_scrolls_sideways_but_the_axis(
    browser: Browser, empty: Program, full: Program, too_much: tuple[str, ...]
) -> None:
    found = {}
    for service, paths in ((empty, NOTHING), (full, too_much)):
        with opened(browser, width=360) as page:
            sign_in(page, service)
            for path in paths:
                page.goto(service.url + path)
                found[path] = sideways(page)
            type_into_the_form(page, service)
            found["new"] = sideways(page)
    assert {path: what for path, what in found.items() if what} == {}


def test_for_a_finger_every_control_is_high_enough(
    browser: Browser, empty: Program, full: Program, too_much: tuple[str, ...]
) -> None:
    """Links within a sentence, and what lies on the axis, are as high as their line."""
    found = {}
    for service, paths in ((empty, NOTHING), (full, too_much)):
        context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 800})
        page = context.new_page()
        sign_in(page, service)
        for path in paths:
            page.goto(service.url + path)
            found[path] = page.evaluate(_LOW)
        context.close()
    assert {path: what for path, what in found.items() if what} == {}


def test_what_others_call_things_makes_no_element_and_runs_no_script(
    browser: Browser, full: Program, made: dict[str, Json], too_much: tuple[str, ...]
) -> None:
    """The policy's refusals are complaints, which a page may not have."""
    said, found = list[str](), {}
    with opened(browser) as page:
        page.on("dialog", lambda dialog: said.append(dialog.message))
        sign_in(page, full)
        for path in (*too_much, *(f"/console/recordings/{made[title]['id']}" for title in TITLES)):
            page.goto(full.url + path)
            found[path] = page.evaluate(_STRANGE)
        expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[-1])
        for title in WORST:
            page.goto(f"{full.url}/console/recordings/{made[title]['id']}/cancel")
            expect(page.locator("main")).to_contain_text(f"coming session in {isolated(title[:200])}; what was")
    assert said == []
    assert {path: what for path, what in found.items() if what} == {}


def isolated(title: str) -> str:
    return title if title.isascii() else f"\u2068{title}\u2069"


def type_into_the_form(page: Page, service: Program) -> None:
    page.goto(f"{service.url}/console/new")
    for label in ("Title", "Room", "Your reference", "Owner", "Tags", "Description"):
        page.get_by_label(label).first.fill("W" * 90)
    page.get_by_label("First date").fill("2027-04-01")
    page.get_by_label("Time", exact=True).fill("09:00")
    page.get_by_label("Repeats").select_option("daily")
    page.get_by_label("Times").fill("300")
    page.get_by_role("checkbox", name="Make the room").check()
    expect(page.locator("#preview .month").first).to_be_visible()
