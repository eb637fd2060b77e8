"""What README says is what the code does."""

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

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


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_settings(readme: str) -> None:
    (shown,) = re.findall(r"<!-- settings:[^>]*-->\n(.*?)\n<!-- /settings -->", readme, re.DOTALL)
    assert shown == table(), "paste what app.settings.table() answers"


def test_the_document_to_paste_is_the_example(readme: str) -> None:
    (document,) = re.findall(
        r"curl -i \S+/recordings -H 'Content-Type: application/json' -d '(.*?)'\n", readme, re.DOTALL
    )
    assert json.loads(document) == EXAMPLE


def test_the_sandbox_s_own_names_and_secrets_are_told(readme: str) -> None:
    resources = [resource["systemName"] for resource in DEFAULT_SEED.resources]
    categories = [category["fullName"] for category in DEFAULT_SEED.categories]
    for told in (*resources, *categories, PARTNER_ID, ADMIN_SECRET, APP_TOKEN_ID, APP_TOKEN, CATEGORY_ID, RESOURCE_ID):
        assert str(told) in readme


def test_every_command_of_make_and_lectern_that_it_names_is_there(readme: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert (
        set(re.findall(r"\bmake ([a-z-]+)`", readme)) | set(re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE))
        <= targets
    )
    commands = getattr(get_command(main), "commands")  # noqa: B009 - a group, which the types do not say
    for name, under in re.findall(r"[`\n]lectern ([a-z]+)(?: ([a-z]+))?\b", readme):
        assert name in commands, name
        if name == "keys" and under:
            assert under in commands[name].commands, under


def test_the_files_it_names_are_there(readme: str) -> None:
    for named in re.findall(r"`((?:app|tests|openapi|migrations)/[\w./-]+)`", readme):
        assert (ROOT / named).exists(), named
