"""Swagger UI comes from this origin alone, and says so to the browser."""

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.http.docs import STATIC, add_docs

FOREIGN = re.compile(r"""(?:https?:)?//[\w.-]+\.\w+""")


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    add_docs(app)
    return TestClient(app)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_what_everybody_may_ask_for_is_made_once_and_known_by_its_etag(path: str) -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_docs(app)
    made = []
    make = app.openapi
    app.openapi = lambda: made.append(path) or make()  # type: ignore[method-assign, func-returns-value]
    client = TestClient(app)
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    assert client.get(path).content == first.content
    for tag in (first.headers["ETag"], f'W/{first.headers["ETag"]}, "other"'):
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert len(made) == (path == "/openapi.json")


@pytest.fixture(scope="module")
def assets(client: TestClient) -> list[str]:
    """The path of everything that the page loads, read from the page."""
    found = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
    return ["/" + path for path in found]


def test_everything_the_page_loads_is_served_from_here(client: TestClient, assets: list[str]) -> None:
    assert {"/static/docs.js", "/static/swagger-ui/swagger-ui-bundle.js", "/openapi.json"} <= set(assets)
    for path in assets:
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.content, path


def test_page_start_script_and_styles_name_no_foreign_host(client: TestClient) -> None:
    for path in ("/docs", "/static/docs.js", "/static/swagger-ui/index.css"):
        assert not FOREIGN.search(client.get(path).text), path
    styles = client.get("/static/swagger-ui/swagger-ui.css").text
    assert not re.search(r"@import|@font-face", styles)
    assert all(target.startswith("data:") for target in re.findall(r"""url\(["']?([^"')]{0,20})""", styles))


def test_no_script_stands_in_the_page_itself(client: TestClient) -> None:
    page = client.get("/docs").text
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == ["", ""]
    assert not re.search(r"\son\w+=|\sstyle=|<style", page)


@pytest.mark.parametrize("path", ["/docs", "/static/docs.js", "/static/docs.html"])
def test_the_browser_is_told_to_refuse_everything_foreign_or_inline(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_always_asked_for_and_the_files_are_kept_for_an_hour(client: TestClient) -> None:
    assert client.get("/docs").headers["Cache-Control"] == "no-cache"
    first = client.get("/static/swagger-ui/swagger-ui-bundle.js")
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    again = client.get(first.request.url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_head_works_and_nothing_of_it_is_in_the_schema(client: TestClient) -> None:
    assert client.head("/docs").status_code == 200
    assert client.get("/openapi.json").json()["paths"] == {}


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/../docs.py", "/static/%2e%2e/docs.py", "/static"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_what_is_vendored_keeps_its_licence_and_names_its_version() -> None:
    folder = STATIC / "swagger-ui"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert (folder / "NOTICE").is_file()
    assert re.match(r"# swagger-ui-dist 5\.35\.\d+\n", (folder / "README.md").read_text())
