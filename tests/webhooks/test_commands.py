"""`lectern webhooks`: made, listed, tried, ended and helped; what is wrong is said in a sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from app.cli.main import main
from app.database.database import Database
from app.main import migrate
from app.notices.telling import tell
from app.webhooks.models import Undelivered, Webhook
from app.webhooks.store import Store, Tried
from tests.service import logs_as_they_are
from tests.webhooks.receiver import Receiver, receiving

CAMPUS = "https://campus.example/lectern?token=secret"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path / 'lectern.db'}")
    made = Database(f"sqlite:///{tmp_path / 'lectern.db'}")
    migrate(made)
    with logs_as_they_are():
        yield made
    made.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["webhooks", *words], catch_exceptions=False)


def refused(*words: str) -> str:
    done = run(*words)
    assert done.exit_code in (1, 2), done.output
    assert done.stdout == ""
    assert "secret" not in done.stderr
    return done.stderr


def made(url: str = CAMPUS, *more: str) -> tuple[str, str]:
    """The id and the secret of a new one."""
    done = run("create", "--client", "registrar", "--url", url, "--notices", "recording.*", *more)
    assert done.exit_code == 0, done.output
    return done.stderr.split()[2].rstrip("."), done.stdout.strip()


def test_the_secret_is_printed_once_and_alone() -> None:
    webhook, secret = made()
    assert secret.startswith("whsec_")
    assert webhook.startswith("whk_")
    listed = run("list").stdout
    assert webhook in listed
    assert "https://campus.example:443/lectern?…" in listed
    assert "secret" not in listed + run("list", "--undelivered").stdout
    assert secret not in listed + run("revoke", webhook).output


def test_an_empty_list_says_what_to_do() -> None:
    assert "lectern webhooks create" in run("list").stdout
    assert "every receiver" in run("list", "--undelivered").stdout


def test_it_is_tried_and_the_official_library_verifies_it() -> None:
    with receiving(Receiver()) as receiver:
        webhook, receiver.secret = made(receiver.url)
        assert run("test", webhook).stdout == "It was taken.\n"
        assert receiver.told() == ["webhook.test"]
        receiver.behaviour = "fail"
        assert refused("test", webhook) == "It was not taken. It answered 500.\n"
        run("revoke", webhook)
        assert "revoked" in refused("test", webhook)


def test_what_was_given_up_on_is_listed_and_tried_again(database: Database) -> None:
    webhook, _ = made()
    store = Store(database, "me", 60.0)
    with database.write() as session:
        tell(session, "recording.stuck", "registrar", "rec_a", {})
    claim = store.claim()
    assert claim is not None
    delivery = store.go_on(claim, None)
    assert delivery is not None
    store.go_on(claim, Tried(delivery, "It answered 500."))
    with database.write() as session:
        session.execute(update(Undelivered).values(next_attempt_at=None))
    (_, shown) = run("list", "--undelivered").stdout.splitlines()
    assert shown.startswith(f"{webhook}  {delivery.notice['id']}  recording.stuck  ")
    assert shown.endswith("  1      It answered 500.  no")
    assert run("retry", webhook).stdout.startswith("1 notice(s) will be tried again")
    assert not run("list", "--undelivered").stdout.endswith("  no\n")


def test_a_revoked_one_has_no_secret_any_more(database: Database) -> None:
    webhook, _ = made()
    assert run("revoke", webhook).stdout == f"Revoked webhook {webhook}.\n"
    assert run("revoke", webhook).exit_code == 0, "harmless to repeat"
    with database.read() as session:
        kept = session.get_one(Webhook, webhook)
        assert (kept.secret, kept.revoked_at is None) == ("", False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("create", "--url", CAMPUS, "--notices", "*"), "Say whose notices they are"),
        (("create", "--url", CAMPUS, "--notices", "*", "--client", "a", "--all-clients"), "Say whose notices they are"),
        (("create", "--url", "http://campus.example/secret", "--notices", "*", "--client", "a"), "must be https"),
        (("create", "--url", "https://u:secret@campus.example/", "--notices", "*", "--client", "a"), "no password"),
        (("create", "--url", CAMPUS, "--notices", "recordings.*", "--client", "a"), "recording.scheduled"),
        (("create", "--url", CAMPUS, "--notices", " ", "--client", "a"), "Name the notices"),
        (("create", "--url", CAMPUS, "--notices", "*", "--client", " a"), "no space around"),
        (("create", "--url", CAMPUS, "--notices", "*", "--client", "a" * 101), "at most 100"),
        (("test", "whk_0"), "There is no webhook with this id"),
        (("revoke", "people"), "There is no webhook with this id"),
        (("retry", "whk_\x00"), "There is no webhook with this id"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words: tuple[str, ...], why: str) -> None:
    assert why in refused(*words)


def test_there_are_not_more_than_a_service_can_work_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.receivers.MOST", 1)
    webhook, _ = made()
    assert "revoke one" in refused("create", "--client", "a", "--url", CAMPUS, "--notices", "*")
    run("revoke", webhook)
    made()


def test_everybody_s_notices_are_for_whoever_looks_after_the_service() -> None:
    done = run(
        "create", "--all-clients", "--url", CAMPUS, "--notices", "finding.raised", "--notices", "recording.stuck"
    )
    assert done.exit_code == 0
    assert "(all)" in run("list").stdout
    assert "finding.raised, recording.stuck" in run("list").stdout
