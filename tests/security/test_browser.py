"""The page as a stranger meets it: in a browser that reaches this service and nothing else."""

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.processes import Program, start_alone

KEY = "browser-key-0123456789abcdef0123456789"
OFFLINE = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
MILLISECONDS = 30_000  # two cores, and the suite beside it


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("no Chromium: Debian's package is `chromium`")
    return str(found)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Alone, with the sandbox inside it, and with a key."""
    with start_alone(tmp_path_factory.mktemp("browser"), KEY) as running:
        yield running


@pytest.fixture
def page(chromium: str, service: Program) -> Iterator[Page]:
    """`/docs`. Nothing may be asked of another host, and the page may not complain."""
    foreign, complaints = list[str](), list[str]()

    def only_ours(route: Route) -> None:
        if route.request.url.startswith(f"{service.url}/"):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(OFFLINE))
        shown = browser.new_page()
        shown.set_default_timeout(MILLISECONDS)
        shown.route("**/*", only_ours)
        shown.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.goto(f"{service.url}/docs")
        yield shown
        browser.close()
    assert foreign == []
    assert [said for said in complaints if "401" not in said] == []


def test_a_stranger_authorizes_executes_the_example_and_sees_201(page: Page) -> None:
    operation = page.locator("#operations-recordings-create_recording")
    execute = operation.get_by_role("button", name="Execute")
    answer = operation.locator(".live-responses-table tbody tr").first
    operation.locator(".opblock-summary-control").click()
    execute.click()
    expect(answer.locator(".response-col_status")).to_contain_text("401", timeout=MILLISECONDS)

    page.locator(".auth-wrapper > .authorize").click()
    bearer = page.locator(".auth-container", has_text="Bearer")
    bearer.locator("input").fill(KEY)
    bearer.get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux .close-modal").click()

    execute.click()
    expect(answer.locator(".response-col_status")).to_contain_text("201", timeout=MILLISECONDS)
    expect(answer.locator(".response-col_description")).to_contain_text('"status": "scheduled"')


def test_each_path_is_filled_in_with_what_is_there(page: Page) -> None:
    """Names as the quick start has them, and the ids that the answers before have shown."""
    page.locator(".auth-wrapper > .authorize").click()
    bearer = page.locator(".auth-container", has_text="Bearer")
    bearer.locator("input").fill(KEY)
    bearer.get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux .close-modal").click()
    for name in (
        "recordings-create_recording",
        "recordings-get_recording",
        "recordings-list_occurrences",
        "recordings-put_recording",
        "recordings-cancel_occurrence",
        "recordings-restore_occurrence",
        "resources-get_resource",
    ):
        operation = page.locator(f"#operations-{name}")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table tbody tr .response-col_status").first
        expect(status).to_contain_text(re.compile("20[0-4]"), timeout=MILLISECONDS)
