"""Keys that `lectern keys` makes: told once, kept as digests, known to every running service soon."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app.access import keys
from app.access.keys import Keys
from app.cli.main import main
from app.database import background
from app.database.database import Database
from app.main import create_app
from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, PARTNER_ID
from tests.keys import bearer, key, revoke
from tests.service import Lectern, eventually, found, lectern, logs_as_they_are, problem, settings

KEY = re.compile(r"lct_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\n")
READ = ("--scope", "recordings:read")

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Command]:
    """`lectern keys …` over the test's own database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", database_url)
    with logs_as_they_are():
        yield lambda *words: CliRunner().invoke(main, ["keys", *words], catch_exceptions=False)


def made(done: Result) -> str:
    assert done.exit_code == 0, done.output
    assert KEY.fullmatch(done.stdout), done.stdout
    return done.stdout.strip()


# The command


def test_a_key_is_printed_once_and_only_its_digest_is_kept(command: Command, database_url: str) -> None:
    first = made(command("create", "--name", "registrar", *READ))
    assert made(command("create", "--name", "registrar", *READ)) != first
    database = Database(database_url)
    with database.engine.connect() as connection:
        kept = repr(connection.execute(text("SELECT * FROM api_key")).all())
    database.close()
    assert first.split("_")[1] in kept
    assert first.split("_", 2)[2] not in kept + command("list").output
    assert keys.digest(first).decode() in kept


def test_they_are_listed_with_what_they_are_for(command: Command) -> None:
    wide = made(command("create", "--name", "registrar", *READ, "--scope", "recordings:write", "--scope", "admin"))
    narrow = made(
        command(
            *("create", "--name", "hall 1", "--scope", "schedule:read"),
            *("--resource", "EXTRON-100-ABC", "--resource", "562931", "--resource", "562931"),
        )
    )
    assert command("revoke", narrow.split("_")[1]).exit_code == 0
    head, *rows = [re.split(r"\s{2,}", line) for line in command("list").output.splitlines()]
    assert head == ["id", "name", "scopes", "resources", "created", "last used", "revoked"]
    shown = {row[0]: row[1:] for row in rows}
    assert shown[wide.split("_")[1]][:2] == ["registrar", "recordings:read, recordings:write, admin"]
    name, scopes, resources, created, used, revoked = shown[narrow.split("_")[1]]
    assert (name, scopes, resources, used) == ("hall 1", "schedule:read", "562931, EXTRON-100-ABC", "never")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
    assert revoked >= created


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["create", "--name", "x", "--scope", "recordings"], "There is no scope 'recordings'. Scopes are: "),
        (["create", "--name", "x", *READ, "--scope", "ADMIN"], "There is no scope 'ADMIN'"),
        (["create", "--name", "", *READ], "The name must have"),
        (["create", "--name", "x" * 101, *READ], "The name must have"),
        (["create", "--name", "a\nb", *READ], "The name must have"),
        (["create", "--name", " a", *READ], "The name must have"),
        (["create", "--name", "x", *READ, "--resource", "HALL-1"], "Resources narrow schedule:read"),
        (["create", "--name", "x", "--scope", "admin", "--resource", "HALL-1"], "Resources narrow schedule:read"),
        (["create", "--name", "x", "--scope", "schedule:read", "--resource", " "], "A resource is named by"),
        (["revoke", "0123456789ab"], "There is no key with this id"),
        (["revoke", "no\x00such"], "There is no key with this id"),
        (["revoke", "ключ"], "There is no key with this id"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(command: Command, words: list[str], told: str) -> None:
    done = command(*words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1
    assert len(command("list").output.splitlines()) == 1


def test_what_is_missing_is_named(command: Command) -> None:
    assert "--scope" in command("create", "--name", "x").output
    assert "--name" in command("create", *READ).output


def test_revoking_again_keeps_the_first_time(command: Command) -> None:
    key_id = made(command("create", "--name", "x", *READ)).split("_")[1]
    assert command("revoke", key_id).output == f"Revoked key {key_id} of x.\n"
    before = command("list").output
    assert command("revoke", key_id).exit_code == 0
    assert command("list").output == before


def test_an_empty_database_gets_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    with logs_as_they_are():
        made(CliRunner().invoke(main, ["keys", "create", "--name", "x", *READ]))


# A running service


def test_running_services_notice_what_the_command_did(command: Command, tmp_path: Path, database_url: str) -> None:
    """Both of two replicas: an open one closes, a new key works, a revoked one does not, nobody starts anew."""
    with lectern(tmp_path, database_url=database_url) as one, lectern(tmp_path, database_url=database_url) as two:

        def status(service: Lectern, **headers: str) -> int:
            return service.client.get("/recordings", headers=headers).status_code

        def refused(service: Lectern, **headers: str) -> bool | None:
            return status(service, **headers) == 401 or None

        assert [status(one), status(two)] == [200, 200]
        first = made(command("create", "--name", "registrar", *READ))
        began = time.monotonic()
        for service in (one, two):
            assert eventually(partial(refused, service), 3 * keys.LOOK_EVERY)
            assert status(service, **bearer(first)) == 200
        second = made(command("create", "--name", "registrar", *READ))
        assert command("revoke", first.split("_")[1]).exit_code == 0
        for service in (one, two):
            assert eventually(partial(refused, service, **bearer(first)), 3 * keys.LOOK_EVERY)
            assert status(service, **bearer(second)) == 200
        assert time.monotonic() - began < 10 * keys.LOOK_EVERY


def test_revoking_the_last_key_opens_nothing(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        only = key(service, "registrar", "recordings:read")
        revoke(service, only)
        for headers in ({}, bearer(only)):
            problem(service.client.get("/recordings", headers=headers), 401, "unauthorized")
    with lectern(tmp_path) as service:
        problem(service.client.get("/recordings"), 401, "unauthorized")


def test_no_request_asks_the_database_for_a_key(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        mine = key(service, "registrar", "recordings:read")
        service.app.state.keys.thread.stop(20.0)
        with service.app.state.database.write() as session:
            session.execute(text("DELETE FROM api_key"))
        for _ in range(3):
            found(service.client.get("/recordings", headers=bearer(mine)))


def test_keys_that_were_known_count_while_the_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(background, "AFTER_FAILURE", 0.01)
    with lectern(tmp_path) as service:
        mine = key(service, "registrar", "recordings:read")
        known: Keys = service.app.state.keys
        look, asked = known.look, 0

        def away() -> None:
            nonlocal asked
            asked += 1
            raise OperationalError(None, None, sqlite3.OperationalError("locked"))

        with capture_logs() as logs:
            monkeypatch.setattr(known, "look", away)
            assert eventually(lambda: asked > 3)
            monkeypatch.setattr(known, "look", look)
        assert [line["event"] for line in logs].count("cannot_work") == 1
        assert known.owner(mine)
        with service.app.state.database.write() as session:
            keys.revoke(session, mine.split("_")[1])
        assert eventually(lambda: known.owner(mine) is None)


# Whose it is


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, str]]:
    with lectern(tmp_path_factory.mktemp("keys")) as service:
        yield service.app.state.keys, key(service, "registrar", "recordings:read")


def test_a_key_is_known_whole_or_not_at_all(known: tuple[Keys, str]) -> None:
    found, mine = known
    owner = found.owner(mine)
    assert owner is not None
    assert (owner.name, owner.scopes, owner.resources, owner.sees_all) == (
        "registrar",
        frozenset({"recordings:read"}),
        None,
        False,
    )
    _, key_id, secret = mine.split("_", 2)
    digest = keys.digest(mine).decode()
    wrong = {
        *("", "lct", "lct_", f"lct_{key_id}", f"lct_{key_id}_", f"lct__{secret}", secret, mine[:-1], mine + "A"),
        *(mine.upper(), f" {mine}", f"lct_{key_id.upper()}_{secret}", f"{mine}\x00", digest, f"lct_{key_id}_{digest}"),
        *("lct_000000000000_" + secret, "\ud800", "ключ" * 1000, f"{mine}é"),
    } - {mine}  # an id may be of digits alone, which have no capitals
    assert [each for each in wrong if found.owner(each) is not None] == []


def test_a_stranger_is_compared_like_everybody(known: tuple[Keys, str], monkeypatch: pytest.MonkeyPatch) -> None:
    found, mine = known
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("app.access.keys.secrets.compare_digest", compare)
    for each in (mine, mine[:-1], "lct_000000000000_x", "x"):
        found.owner(each)
    assert compared == [(64, 64)] * 4


# Starting

HERE: dict[str, Any] = {"kaltura_url": "http://127.0.0.1:8100", "kaltura_partner_id": PARTNER_ID}
REAL = HERE | {"kaltura_admin_secret": "s"}  # by a tunnel


@pytest.mark.parametrize(
    "values",
    [
        REAL,
        REAL | {"kaltura_url": "https://kaltura.example"},
        REAL | {"kaltura_app_token_id": APP_TOKEN_ID, "kaltura_app_token": "another"},
        HERE | {"kaltura_admin_secret": ADMIN_SECRET, "kaltura_partner_id": 102},
        HERE | {"kaltura_admin_secret": ADMIN_SECRET, "host": "0.0.0.0"},  # noqa: S104
    ],
    ids=["tunnel", "elsewhere", "token", "partner", "for others"],
)
def test_it_does_not_start_without_a_key_where_others_could_reach_something_real(
    tmp_path: Path, values: dict[str, Any], command: Command, database_url: str
) -> None:
    with pytest.raises(ValueError, match="LECTERN_API_KEYS is needed, or a key that `lectern keys create` made"):
        create_app(settings(tmp_path, **values))
    assert list(tmp_path.iterdir()) == []
    there = values | {"database_url": database_url}
    with pytest.raises(ValueError, match="is needed"):
        create_app(settings(tmp_path, **there))
    create_app(settings(tmp_path, **there, api_keys="registrar=" + "k" * 32))
    mine = made(command("create", "--name", "x", *READ))
    app = create_app(settings(tmp_path, **there))
    assert not app.state.keys.is_open
    command("revoke", mine.split("_")[1])
    with pytest.raises(ValueError, match="is needed"):
        create_app(settings(tmp_path, **there))
    with pytest.raises(ValueError, match="is needed"):
        app.state.keys.look_first()
    app.state.database.close()


def test_a_database_that_does_not_answer_yet_is_asked_again_at_the_start(tmp_path: Path) -> None:
    away = "postgresql+psycopg://lectern@127.0.0.1:1/lectern"
    app = create_app(settings(tmp_path, **REAL, host="0.0.0.0", database_url=away))  # noqa: S104
    with pytest.raises(OperationalError):
        app.state.keys.look_first()


@pytest.mark.parametrize(
    "sign_in",
    [
        {"kaltura_admin_secret": ADMIN_SECRET},
        {"kaltura_app_token_id": APP_TOKEN_ID, "kaltura_app_token": APP_TOKEN, "kaltura_admin_secret": "not used"},
    ],
    ids=["secret", "token"],
)
def test_with_a_sandbox_on_this_machine_it_starts_without_a_key(
    tmp_path: Path, database_url: str, sign_in: dict[str, Any]
) -> None:
    with lectern(tmp_path, database_url=database_url, **HERE, **sign_in) as service:
        assert service.app.state.keys.is_open
