"""People are told of findings that can't wait, through apprise, if that is asked for and there."""

import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
from sqlalchemy import select
from sqlmodel import col
from typer.testing import CliRunner

from app.cli.main import main
from app.database.database import Database
from app.notices.telling import tell
from app.webhooks.models import Webhook
from app.webhooks.people import MISSING, PEOPLE, UNKNOWN, People, set_up
from tests.service import eventually, logs_as_they_are
from tests.webhooks.conftest import Post

ADDRESS = "mailto://av:secret@campus.example"
SILENT = {
    "kind": "encoder_silent",
    "severity": "now",
    "detail": "EXTRON-100-ABC has not polled for 12 minutes.",
    "what_to_do": "See that it is switched on.",
}


class Apprise:
    """Stands in for the package, which the tests do without. Each of `down` times it tells nobody."""

    said: ClassVar[list[tuple[str, str]]] = []
    down: ClassVar[int] = 0

    def add(self, servers: str) -> bool:
        return servers.startswith("mailto://")

    def notify(self, body: str, title: str, *, body_format: str) -> bool:
        assert body_format == "text", "titles are no markup"
        if Apprise.down:
            Apprise.down -= 1
            return False
        self.said.append((title, body))
        return True


@pytest.fixture
def apprise(monkeypatch: pytest.MonkeyPatch) -> type[Apprise]:
    module = ModuleType("apprise")
    setattr(module, "Apprise", Apprise)  # noqa: B010
    monkeypatch.setitem(sys.modules, "apprise", module)
    Apprise.said, Apprise.down = [], 0
    return Apprise


def told(database: Database, on: bool) -> None:
    with database.write() as session:
        set_up(session, on)


def raised(database: Database, **changes: str) -> None:
    with database.write() as session:
        tell(session, "finding.raised", None, "encoder_silent:562931", SILENT | changes)


@pytest.mark.both_databases
def test_people_are_told_once_of_what_cannot_wait(post: Post, apprise: type[Apprise]) -> None:
    raised(post.database, detail="before anybody asked")
    told(post.database, True)
    told(post.database, True)  # another process, or another start
    apprise.down = 2
    for owner in ("one", "two"):
        post.deliver(people=People(ADDRESS), owner=owner)
    raised(post.database, severity="soon", detail="it can wait")
    raised(post.database)
    with post.database.write() as session:
        tell(session, "finding.cleared", None, "encoder_silent:562931", SILENT)
    raised(post.database, what_to_do="")
    eventually(lambda: len(apprise.said) == 2)
    assert apprise.said == [
        ("Lectern: encoder_silent", f"{SILENT['detail']}\n\n{SILENT['what_to_do']}"),
        ("Lectern: encoder_silent", SILENT["detail"]),
    ]
    eventually(lambda: post.undelivered() == [])


def test_when_it_is_not_asked_for_any_more_nobody_is_told(post: Post) -> None:
    told(post.database, True)
    told(post.database, False)
    with post.database.read() as session:
        assert session.execute(select(Webhook).where(col(Webhook.id) == PEOPLE)).first() is None


def test_an_address_that_apprise_does_not_know_is_refused_without_a_word_of_it(apprise: type[Apprise]) -> None:
    with pytest.raises(ValueError, match="LECTERN_NOTIFY") as said:
        People("nonsense://secret")
    assert str(said.value) == UNKNOWN


def test_without_the_extra_the_service_does_not_start_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_NOTIFY", ADDRESS)
    with logs_as_they_are():
        done = CliRunner().invoke(main, ["serve", "--port", "0"])
    assert done.exit_code == 2
    assert MISSING in done.stderr
    assert "secret" not in done.output
