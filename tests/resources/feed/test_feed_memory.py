"""A poll that finds nothing new costs no query of its own, and is never older than a quarter of a second."""

import base64
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError

from app.database.database import Database
from app.resources.feed.memory import Answer, Memory
from app.resources.feed.page import Window
from app.resources.feed.versions import LOOK_EVERY, Versions
from app.resources.models import Booking, Mirror, Resource
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.documents import SINGLE
from tests.resources.polls import PATH, make_round, poll, statements, tag, upcoming
from tests.service import Lectern, found, lectern, problem

TERM = f"{PATH}?from=2027-01-13T00:00:00Z&to=2027-06-01T00:00:00Z"
KEY = "a-key-that-is-long-enough-for-anybody"
OTHER_KEY = "another-key-that-is-long-enough-too!"


def look_is_fresh(service: Lectern, **headers: str) -> None:
    """For the next quarter of a second no look is due."""
    service.app.state.feed.versions.expire()
    poll(service, **headers)


# What a poll costs


@pytest.mark.parametrize("path", [PATH, TERM, f"{PATH}?limit=5", f"{PATH}.ics"])
def test_a_poll_that_finds_nothing_new_costs_no_query(service: Lectern, path: str) -> None:
    service.made()
    etag = tag(service, path)
    look_is_fresh(service)
    with statements(service) as sent:
        answers = [poll(service, etag, path), poll(service, None, path), poll(service, '"x"', path)]
        assert [answer.status_code for answer in answers] == [304, 200, 200]
    assert sent == []


def test_one_query_serves_all_polls_of_a_quarter_second(service: Lectern) -> None:
    etags = {path: tag(service, path) for path in (PATH, TERM, "/resources/562932/upcoming")}
    time.sleep(LOOK_EVERY)
    with statements(service) as sent:
        for _ in range(3):
            assert {poll(service, etag, path).status_code for path, etag in etags.items()} == {304}
    assert len(sent) == 1


def test_who_changes_something_here_sees_it_at_once(service: Lectern) -> None:
    assert upcoming(service) == []
    service.made(SINGLE)
    assert len(found(poll(service, path=TERM))["occurrences"]) == 1


def test_what_another_process_changes_is_seen_within_a_quarter_second(service: Lectern, database_url: str) -> None:
    service.made(SINGLE)
    etag = tag(service, TERM)
    elsewhere = Database(database_url)
    with elsewhere.write() as session:
        session.execute(update(Booking).values(title="changed"))
    time.sleep(LOOK_EVERY)
    answer = poll(service, etag, TERM)
    assert found(answer)["occurrences"][0]["title"] == "changed"
    elsewhere.close()


def test_polls_keep_the_mirror_awake(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    tag(service)
    monkeypatch.setattr(service.app.state.feed, "_ask", asked.append)
    poll(service)
    assert asked == []  # it was told a moment ago
    monkeypatch.setattr("app.resources.feed.polling.TOLD_EVERY", 0.0)
    poll(service)
    assert asked == [RESOURCE_ID]


def test_a_long_query_is_answered_and_not_kept(service: Lectern) -> None:
    path = f"{PATH}?limit=5&tag=" + "&tag=".join(map(str, range(100, 160)))
    for _ in range(2):
        assert poll(service, path=path).status_code == 200
    assert not [key for key in service.app.state.feed.memory.answers if len(key[1]) > 300]


# Who may see it


@pytest.fixture
def closed(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    keys = f"encoder={KEY},other={OTHER_KEY}"
    with lectern(tmp_path, database_url=database_url, api_keys=keys) as running:
        yield running


def basic(user: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {KEY}x",
        f"Token {KEY}",
        KEY,
        "Basic",
        "Basic %%%",
        basic(KEY, ""),
        basic("encoder", "wrong"),
        "Bearer ключ".encode().decode("latin-1"),
    ],
)
def test_what_is_remembered_is_shown_to_nobody_without_a_key(closed: Lectern, authorization: str | None) -> None:
    first = found(poll(closed, Authorization=f"Bearer {KEY}"))
    assert found(poll(closed, Authorization=f"Bearer {KEY}"))["occurrences"] == first["occurrences"]
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    answer = closed.client.get(PATH, headers=[*headers, (b"if-none-match", b"*")])
    problem(answer, 401, "unauthorized")


@pytest.mark.parametrize("authorization", [f"Bearer {OTHER_KEY}", f"bearer {KEY}", basic("", KEY), basic("any", KEY)])
def test_any_key_sees_what_another_was_shown(closed: Lectern, authorization: str) -> None:
    poll(closed, Authorization=f"Bearer {KEY}")
    look_is_fresh(closed, Authorization=f"Bearer {KEY}")
    with statements(closed) as sent:
        assert poll(closed, Authorization=authorization).status_code == 200
    assert sent == []


# What a name means


def test_nothing_is_looked_at_for_who_may_not_see_it(closed: Lectern) -> None:
    poll(closed, Authorization=f"Bearer {KEY}")
    closed.app.state.feed.versions.expire()
    with statements(closed) as sent:
        problem(poll(closed, Authorization="Bearer wrong"), 401, "unauthorized")
    assert sent == []


def test_a_name_that_became_ambiguous_is_not_answered_from_memory(service: Lectern) -> None:
    path = "/resources/extron-100-abc/upcoming"
    tag(service, path)
    make_round(service)  # the next one, a minute later, would undo what Kaltura knows nothing of
    with service.app.state.database.write() as session:
        session.add(Resource(id=77, system_name="Extron-100-ABC", name="another", kind="location"))
    service.app.state.feed.versions.expire()
    problem(poll(service, "*", path), 409, "ambiguous_resource")
    assert poll(service, "*", "/resources/562931/upcoming").status_code == 304


def test_a_name_that_moved_on_means_what_it_means_now(service: Lectern) -> None:
    path = "/resources/extron-100-abc/upcoming"
    tag(service, path)
    tag(service, "/resources/562932/upcoming")
    make_round(service)
    with service.app.state.database.write() as session:
        session.get_one(Resource, 562931).system_name = "OLD"
        session.get_one(Resource, 562932).system_name = "EXTRON-100-ABC"
    service.app.state.feed.versions.expire()
    assert found(poll(service, path=path))["resource"]["id"] == 562932


# The database away


def test_nothing_is_answered_that_cannot_be_checked(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    tag(service)

    def away(*_given: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    versions = service.app.state.feed.versions
    monkeypatch.setattr(versions, "_read", away)
    versions.expire()
    problem(poll(service, "*"), 503, "database_unavailable")
    monkeypatch.undo()
    assert poll(service, "*").status_code == 304


def test_a_transaction_that_ends_late_is_seen_all_the_same(database: Database) -> None:
    """Its change is older than the look before its end."""
    with database.write() as session:
        session.add(Resource(id=1, name="before", system_name="one", kind="camera"))
    versions = Versions(database)
    now, _, first = versions._read(0.0)
    versions._learn(first)
    with database.write() as session:
        session.execute(text("UPDATE resource SET name = 'after'"))
        session.execute(update(Mirror).values(changed_at=now - 8))
    _, _, second = versions._read(now - 10)
    assert [(one.id, one.name) for one in second] == [(1, "after")]
    versions.close()


# Memory is bounded


def answer(size: int) -> Answer:
    return Answer(
        reference="1",
        resource_id=1,
        names=None,
        version=1,
        until=datetime.max.replace(tzinfo=UTC),
        window=Window(),
        form="ics",
        etag="e",
        link=None,
        content=b"x" * size,
        size=size,
    )


def test_content_goes_first_then_answers_the_longest_unused_ones_each_time() -> None:
    memory = Memory(most_answers=4, most_bytes=100)
    keys = [(b"/a", b""), (b"/b", b""), (b"/c", b""), (b"/d", b""), (b"/e", b"")]
    for key in keys[:3]:
        memory.keep(key, answer(40))
    assert [memory.answers[key].content is None for key in keys[:3]] == [True, False, False]
    memory.used(keys[1], content=True)
    memory.keep(keys[3], answer(40))
    assert [memory.answers[key].content is None for key in keys[:4]] == [True, False, True, False]
    memory.used(keys[0], content=False)
    memory.keep(keys[4], answer(1))
    assert list(memory.answers) == [keys[1], keys[3], keys[0], keys[4]]
    memory.keep(keys[4], answer(1000))
    assert all(kept.content is None for kept in memory.answers.values())


def test_keeping_an_answer_again_counts_it_once() -> None:
    memory = Memory(most_answers=4, most_bytes=100)
    for _ in range(10):
        memory.keep((b"/a", b""), answer(60))
    assert len(memory.answers) == 1
    assert memory.answers[b"/a", b""].content


def test_many_polls_at_once_are_answered_alike(service: Lectern) -> None:
    service.made()
    etags = set[str]()

    def ask() -> None:
        for _ in range(10):
            etags.add(poll(service, path=TERM).headers["ETag"])

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(etags) == 1
