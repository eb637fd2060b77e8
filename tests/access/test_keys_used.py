"""Which keys are in use can be seen, and costs no request anything; a key for a room that is not there is warned of."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import event, text
from typer.testing import CliRunner

from app.access import keys
from app.access.keys import Keys
from app.cli.main import main
from app.database.database import Database
from app.resources.rounds import RESOURCES, was_read
from tests.keys import bearer, key, revoke
from tests.service import Lectern, eventually, found, lectern, logs_as_they_are


def used(service: Lectern) -> dict[str, datetime | None]:
    """When each client's key was last used, as it is written."""
    with service.app.state.database.read() as session:
        return {each.name: each.used_at for each in keys.every(session)}


@contextmanager
def written(database: Database) -> Iterator[list[str]]:
    """Grows with each statement that says when keys were used."""
    statements = list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "used_at=" in statement.replace(" ", ""):
            statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)


def test_all_keys_that_were_used_are_written_in_one_statement(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        known: Keys = service.app.state.keys
        registrar, hall, ended, _ = (
            key(service, name, "schedule:read") for name in ("registrar", "hall", "old", "new")
        )
        known._write_at = float("inf")
        revoke(service, ended)
        with written(service.app.state.database) as statements:
            for _ in range(3):
                for each in (registrar, hall):
                    found(service.client.get("/resources/EXTRON-100-ABC/upcoming", headers=bearer(each)))
                service.client.get("/resources", headers=bearer(ended))
            assert statements == [], "no request writes"
            known.write_used()
            known.write_used()
            assert len(statements) == 1
        assert {name for name, moment in used(service).items() if moment} == {"registrar", "hall"}


def test_it_is_written_while_serving_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.01)
    with lectern(tmp_path) as service:
        known: Keys = service.app.state.keys
        mine = key(service, "registrar", "recordings:read")
        assert known.owner(mine)
        assert eventually(lambda: used(service)["registrar"])
        assert known._write_at > 0
        late = key(service, "late", "recordings:read")
        assert known.owner(late)
    with lectern(tmp_path) as service:
        assert used(service)["late"], "what was not due is not lost"


def test_what_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        known: Keys = service.app.state.keys
        mine = key(service, "registrar", "recordings:read")
        known._write_at = float("inf")
        database = service.app.state.database
        assert known.owner(mine)
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE api_key RENAME TO elsewhere"))
        known.write_used()
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO api_key"))
        assert used(service) == {"registrar": None}
        known.write_used()
        assert used(service)["registrar"]


def test_the_list_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lectern(tmp_path) as service:
        mine = key(service, "registrar", "recordings:read")
        found(service.client.get("/recordings", headers=bearer(mine)))
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path / 'lectern.db'}")
    with logs_as_they_are():
        listed = CliRunner().invoke(main, ["keys", "list"], catch_exceptions=False).output
    head, row = (re.split(r"\s{2,}", line) for line in listed.splitlines())
    assert head[-2] == "last used"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[-1])
    assert len(row) == 5, "it was never revoked, and has no resources"


# Resources


@pytest.mark.parametrize(
    ("look", "resource", "warns"),
    [
        (True, "extron-100-abc", ""),
        (True, "562931", ""),
        (True, "NOPE-404", "Warning: there is no resource NOPE-404. "),
        (True, "404", "Warning: there is no resource 404. "),
        (False, "NOPE-404", "Warning: whether there is a resource NOPE-404 is not known: "),
    ],
)
def test_a_key_for_a_resource_that_is_not_there_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: bool, resource: str, warns: str
) -> None:
    with lectern(tmp_path) as service:
        if look:
            service.get("/resources")
            asked: Callable[[], None] = service.app.state.refreshers.ask
            asked()
            assert eventually(lambda: _listed(service.app.state.database))
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path / 'lectern.db'}")
    words = ["keys", "create", "--name", "hall", "--scope", "schedule:read", "--resource", resource]
    with logs_as_they_are():
        done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0
    first, *rest = done.stderr.splitlines()
    assert first.startswith(warns or "Made key")
    assert len(rest) == bool(warns)
    assert done.stdout.startswith("lct_")


def _listed(database: Database) -> bool:
    with database.read() as session:
        return was_read(session, RESOURCES)
