"""What tests of the browser share: the service's API beside its pages, and what is asked of a page."""

from typing import Any

import httpx
from playwright.sync_api import Page

from app.recordings.document.document import EXAMPLE
from tests.console.test_browser import AXE, KEY, WRONG
from tests.processes import Program

HEADERS = {"Authorization": f"Bearer {KEY}"}
Json = dict[str, Any]

# What can be scrolled sideways in its place, and, if the page can, what is beyond its edge; the axis may.
_SIDEWAYS = """() => {
    const edge = document.documentElement.clientWidth + 1;
    const all = [...document.querySelectorAll("body *")].filter((one) => !one.closest(".axis"));
    const beyond = document.documentElement.scrollWidth > edge
        ? all.filter((one) => one.getBoundingClientRect().right > edge) : [];
    const wide = all.filter((one) => one.scrollWidth > one.clientWidth + 1
        && /auto|scroll/.test(getComputedStyle(one).overflowX));
    return [...beyond, ...wide].map((one) => one.outerHTML.slice(0, 120));
}"""


def api(service: Program) -> httpx.Client:
    return httpx.Client(base_url=service.url, headers=HEADERS, timeout=60, trust_env=False)


def schedule(service: Program, **other: object) -> Json:
    """The quick start's recording, with something else."""
    with api(service) as client:
        answer = client.post("/recordings", json=EXAMPLE | {"reference_id": None} | other)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made


def sessions(service: Program, recording: Json) -> list[Json]:
    with api(service) as client:
        found: list[Json] = client.get(f"/recordings/{recording['id']}/occurrences").raise_for_status().json()["items"]
        return found


def sideways(page: Page) -> list[str]:
    """What scrolls sideways beside the day's axis."""
    found: list[str] = page.evaluate(_SIDEWAYS)
    return found


def wrong(page: Page) -> list[str]:
    """Serious and critical findings of axe."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(WRONG)
    return found
