"""`lectern account`, and commands over a database that does not answer or is a newer version's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app.cli.main import main
from app.database.account import Account, take
from app.database.database import Database
from tests.conftest import Databases
from tests.database.accounts import ACCOUNTS, REAL, environment
from tests.service import logs_as_they_are

pytestmark = pytest.mark.both_databases

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Command]:
    """`lectern …` over the test's own database, under the account that is named first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", database_url)

    def invoke(name: str, *words: str, answer: str | None = None) -> Result:
        for variable, value in environment(ACCOUNTS[name], ":8100").items():
            monkeypatch.setenv(variable, value)
        return CliRunner().invoke(main, list(words), input=answer, catch_exceptions=False)

    with logs_as_they_are():
        yield invoke


@pytest.fixture
def belongs(database_url: str) -> Callable[[str], None]:
    def set_(name: str) -> None:
        database = Database(database_url)
        url, partner = ACCOUNTS[name].get("kaltura_url", "sandbox:0123"), ACCOUNTS[name].get("kaltura_partner_id", 0)
        take(database, Account(url, partner))
        database.close()

    return set_


def test_show_names_the_database_s_account_and_the_settings(command: Command, belongs: Callable[[str], None]) -> None:
    shown = command("real", "account", "show")
    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        "This database belongs to no account yet: it takes the one that `lectern serve` is first started with.",
        "The settings name http://127.0.0.1:8100, partner 101.",
    ]
    belongs("elsewhere")
    assert command("embedded", "account", "show").output.splitlines() == [
        "This database belongs to http://localhost:8100, partner 101.",
        "The settings name the embedded sandbox.",
    ]


@pytest.mark.parametrize(("words", "answer"), [(["--yes"], None), ([], "y\n")])
def test_an_account_moves_to_another_address(
    command: Command, belongs: Callable[[str], None], words: list[str], answer: str | None
) -> None:
    belongs("real")
    moved = command("elsewhere", "account", "move", *words, answer=answer)
    assert moved.exit_code == 0
    assert moved.output.splitlines()[-1] == "This database belongs to http://localhost:8100, partner 101 now."
    assert "belongs to http://localhost:8100" in command("real", "account", "show").output


@pytest.mark.parametrize("answer", ["n\n", "\n", None])
def test_it_moves_only_when_somebody_says_so(
    command: Command, belongs: Callable[[str], None], answer: str | None
) -> None:
    belongs("real")
    asked = command("elsewhere", "account", "move", answer=answer)
    assert asked.exit_code == 1
    assert "This database belongs to http://127.0.0.1:8100, partner 101." in asked.output
    assert "Is http://localhost:8100, partner 101 that same account?" in asked.output
    assert "belongs to http://127.0.0.1:8100" in command("real", "account", "show").output


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (None, "real", "belongs to no account yet"),
        ("real", "real", "already: there is nothing to move"),
        ("real", "other_partner", "That is another account"),
        ("embedded", "real", "That is another account"),
        ("real", "embedded", "LECTERN_KALTURA_URL is empty"),
        ("embedded", "embedded", "LECTERN_KALTURA_URL is empty"),
    ],
)
def test_what_is_no_move_is_refused_in_words(
    command: Command, belongs: Callable[[str], None], database_url: str, first: str | None, then: str, says: str
) -> None:
    if first:
        belongs(first)
    before = command("real", "account", "show").output
    refused = command(then, "account", "move", "--yes")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert command("real", "account", "show").output == before


@pytest.mark.parametrize(
    "words", [["account", "show"], ["account", "move", "--yes"], ["serve"], ["migrate"], ["keys", "list"]]
)
def test_a_database_that_does_not_answer_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(REAL, ":8100").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LECTERN_DATABASE_URL", "postgresql+psycopg://lectern:swordfish@127.0.0.1:1/lectern")
    with logs_as_they_are():
        done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code in (1, 2)
    assert done.stderr.startswith("The database does not do what it is asked (connection ")
    assert "127.0.0.1" in done.stderr
    assert "Check LECTERN_DATABASE_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "swordfish" not in done.output


def test_a_database_of_a_newer_version_is_said_in_a_sentence(
    databases: Databases, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.one(with_tables=False) as url:
        monkeypatch.setenv("LECTERN_DATABASE_URL", url)
        assert command("embedded", "migrate").exit_code == 0
        database = Database(url)
        with database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
        database.close()
        for words in (["serve"], ["migrate"], ["keys", "list"]):
            done = command("embedded", *words)
            assert done.exit_code in (1, 2)
            assert done.stderr == "The database's tables are a newer version's. Run that version of Lectern.\n"


def test_to_look_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LECTERN_DATABASE_URL", *environment({}, "")):
        monkeypatch.delenv(name, raising=False)
    with logs_as_they_are():
        assert CliRunner().invoke(main, ["account", "show"], catch_exceptions=False).exit_code == 0
    assert list(tmp_path.iterdir()) == []
