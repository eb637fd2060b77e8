"""`make pictures`: docs/pictures/*.png, of a campus in the sandbox, taken by the browser of the tests.

python -m tests.console.pictures [folder]     with a folder: every page, wide and narrow, light and dark
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from tests.console import timetable
from tests.console.campus import build
from tests.processes import Program, free_port
from tests.security.test_browser import OFFLINE

DOCS = Path(__file__).parents[2] / "docs/pictures"
WIDTHS = (1440, 768, 360)
SHOWN = ("today", "recording", "room", "new", "calendars", "calendar", "snow-day", "terms", "term")


def addresses(made: str, room: int) -> Mapping[str, str]:
    return {
        "today": "/console",
        "wall": "/console?wall",
        "recordings": "/console/recordings",
        "recording": f"/console/recordings/{made}",
        "cancel": f"/console/recordings/{made}/cancel",
        "room": f"/console/rooms/{room}",
        "new": "/console/new",
    }


def take(browser: Browser, url: str, paths: Mapping[str, str], folder: Path, width: int, scheme: str) -> None:
    dark = scheme == "dark"
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    for name, path in paths.items():
        page.goto(url + path)
        page.wait_for_load_state("networkidle")
        if name == "new":
            for field, said in (
                ("title", "MATH-123 Linear Algebra"),
                ("room", "MATH-TOWER-702"),
                ("date", "2027-01-13"),
            ):
                page.fill(f"input[name={field}]", said)
            page.fill("input[name=time]", "09:00")
            page.check("input[value=MO]")
            page.check("input[value=WE]")
            page.fill("input[name=count]", "20")
            page.locator("#preview .months").wait_for()
        page.screenshot(
            path=folder / f"{name}-{width}-{scheme}.png", full_page=name not in ("today", "calendar") or width < 1000
        )
    page.close()


def main(folder: str | None = None) -> None:
    port = free_port()
    environment = {"LECTERN_PORT": str(port), "LECTERN_TIME_ZONE": "America/New_York"}
    with (
        TemporaryDirectory() as tmp,
        Program("service", Path(tmp), ["serve"], port, "/healthz", environment) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(OFFLINE))
        if folder:
            empty = {"empty": "/console", "none": "/console/recordings"}
            empty |= {"no-calendar": "/console/calendars", "no-term": "/console/terms"}
            take(browser, service.url, empty, Path(folder), 1440, "light")
        made = build(service.url)
        one = made[len(made) // 2]
        paths = {**addresses(one["id"], one["resource"]["id"]), **timetable.build(service.url)}
        if folder:
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    take(browser, service.url, paths, Path(folder), width, scheme)
        else:
            DOCS.mkdir(exist_ok=True)
            shown = {name: paths[name] for name in SHOWN}
            take(browser, service.url, shown, DOCS, WIDTHS[0], "light")
            take(browser, service.url, {"today": paths["today"]}, DOCS, WIDTHS[0], "dark")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
