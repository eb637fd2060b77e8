"""What README, the pages of docs/ and CHANGELOG say is what the code does, and what they name is there."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from app.cli.main import main
from app.recordings.document.document import EXAMPLE
from app.sandbox.seed.seed import (
    ADMIN_SECRET,
    APP_TOKEN,
    APP_TOKEN_ID,
    CATEGORY_ID,
    DEFAULT_SEED,
    PARTNER_ID,
    RESOURCE_ID,
)
from app.settings import table

ROOT = Path(__file__).parents[1]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
}
README = PAGES["README.md"]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
every_page = pytest.mark.parametrize("page", PAGES)


def test_readme_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= 200


def test_the_settings_table_is_the_settings() -> None:
    (shown,) = re.findall(r"<!-- settings:[^>]*-->\n(.*?)\n<!-- /settings -->", PAGES["docs/settings.md"], re.DOTALL)
    assert shown == table(), "paste what app.settings.table() answers"


def test_the_document_to_paste_is_the_example() -> None:
    (document,) = re.findall(
        r"curl -i \S+/recordings -H 'Content-Type: application/json' -d '(.*?)'\n", README, re.DOTALL
    )
    assert json.loads(document) == EXAMPLE


def test_the_sandbox_s_own_names_and_secrets_are_told() -> None:
    resources = [resource["systemName"] for resource in DEFAULT_SEED.resources]
    categories = [category["fullName"] for category in DEFAULT_SEED.categories]
    for told in (*resources, *categories, PARTNER_ID, ADMIN_SECRET, APP_TOKEN_ID, APP_TOKEN, CATEGORY_ID, RESOURCE_ID):
        assert str(told) in PAGES["docs/sandbox.md"]


# What pages name


@every_page
def test_every_command_of_make_and_lectern_that_it_names_is_there(page: str) -> None:
    text = PAGES[page]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    commands = getattr(get_command(main), "commands")  # noqa: B009 - a group, which the types do not say
    for name, under in re.findall(r"(?:`|^ *|bin/)lectern ([a-z]+)(?: ([a-z]+))?\b", text, re.MULTILINE):
        assert name in commands, name
        if under and hasattr(commands[name], "commands"):
            assert under in commands[name].commands, under


@every_page
def test_the_files_it_names_are_there(page: str) -> None:
    for named in re.findall(r"`((?:tests|openapi|migrations|deploy|docs)/[\w./-]+)`", PAGES[page]):
        assert (ROOT / named).exists(), named


def test_the_code_that_pages_name_is_there() -> None:
    named = {(page, path) for page, text in PAGES.items() for path in re.findall(r"`(app/[\w./-]+)`", text)}
    assert ("docs/code.md", "app/chains/steps.py") in named
    assert sorted((page, path) for page, path in named if not (ROOT / path).exists()) == []


@every_page
def test_what_was_recorded_is_called_an_exchange(page: str) -> None:
    """docs/kaltura.md says what that is; a bare number is explained nowhere."""
    assert not re.search(r"(?<!\w)#\d{2,}", prose(PAGES[page]))


# Links


def prose(text: str) -> str:
    """Without what stands in code, where brackets are no links and `#` is no heading."""
    return re.sub(r"`[^`\n]*`", "`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    without_blocks = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} (.+)$", without_blocks, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(slugs)) == len(slugs), "two headings with one name: a link cannot tell them apart"
    return set(slugs)


def links(page: str) -> Iterator[tuple[str, str]]:
    """The page (or file) and the anchor of each link that stays in the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[page])):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            to = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            yield to.relative_to(ROOT).as_posix(), anchor


@every_page
def test_every_link_leads_somewhere(page: str) -> None:
    for to, anchor in links(page):
        assert (ROOT / to).exists(), to
        assert not anchor or anchor in anchors(PAGES[to]), f"{to}#{anchor}"


def test_every_page_is_found_from_readme() -> None:
    found, left = set[str](), ["README.md"]
    while left:
        page = left.pop()
        if page in PAGES and page not in found:
            found.add(page)
            left += [to if (ROOT / to).is_file() else f"{to}/README.md" for to, _ in links(page)]
    assert found == PAGES.keys()


# Decisions, and what is new


def test_decisions_are_numbered_and_each_says_why_and_what_it_costs() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = re.findall(r"^\* \[(\d{4})\]\(\1-[\w-]+\.md\) (.+)$", PAGES["docs/decisions/README.md"], re.MULTILINE)
    titles = dict(listed)
    assert len(listed) == len(titles) == len(DECISIONS)
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        number = int(path.name[:4])
        assert text.startswith(f"# {number}. {titles[path.name[:4]]}\n")
        assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE) == ["Decided", "Why", "What it costs"], path.name


def test_the_version_is_one_everywhere() -> None:
    told = CliRunner().invoke(main, ["--version"])
    assert (told.exit_code, told.output) == (0, f"lectern {VERSION}\n")
    document = json.loads((ROOT / "openapi/openapi.json").read_text(encoding="utf-8"))
    assert document["info"]["version"] == VERSION
    versions = re.findall(r"^## \[(.+?)\]", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert VERSION in versions
