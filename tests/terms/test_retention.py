"""What a term keeps goes with its recordings, its plans after as many days, and in the end the term itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from app.database.types import utc_now
from app.recordings.models import Recording, Upkeep
from app.recordings.retention import Retention
from app.terms.models import Apply, ApplyStatus, Plan, Term
from tests.service import Json, eventually, found, problem
from tests.terms.campus import TERM, Registrar, campus, section

pytestmark = pytest.mark.both_databases

KEEP = 400
PAST = timedelta(days=KEEP + 1)
TABLES = ("term", "term_meeting", "term_plan", "term_item", "term_apply", "recording", "calendar_link")


@pytest.fixture
def registrar(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registrar]:
    """A term of which a plan was applied, and another one made since."""
    monkeypatch.setattr("app.recordings.retention.PAUSE", 0.0)
    with campus(tmp_path, database_url=database_url) as registrar:
        registrar.set()
        registrar.applied([section("A"), section("B", "SCI 210")])
        registrar.plan([section("A")])
        yield registrar


def rows(registrar: Registrar) -> dict[str, int]:
    tables = {name: SQLModel.metadata.tables[name] for name in TABLES}
    with registrar.service.app.state.database.read() as session:
        return {
            name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in tables.items()
        }


def aged(registrar: Registrar, table: type[SQLModel], **values: Any) -> None:
    with registrar.service.app.state.database.write() as session:
        session.execute(update(table).values(**values))


def over(registrar: Registrar) -> None:
    """As if all of its recordings had been over for more than a year."""
    aged(registrar, Recording, last_end=utc_now() - PAST)


def an_hour_later(registrar: Registrar, **left: int) -> None:
    """Until so many rows are left: the process's own thread may be the one that sees to it."""
    aged(registrar, Upkeep, due_at=0.0)
    retention: Retention = registrar.service.app.state.retention
    retention.run()
    eventually(lambda: rows(registrar).items() >= left.items())


def shown(registrar: Registrar) -> Json:
    term: Json = registrar.service.get(registrar.path)
    return term


def test_of_a_term_that_has_been_over_for_long_nothing_stays(registrar: Registrar) -> None:
    recording = registrar.recordings()[0]["id"]
    found(registrar.service.client.post(f"/recordings/{recording}/calendar-link"), 201)
    over(registrar)
    aged(registrar, Plan, created_at=utc_now() - PAST)
    settings = {**TERM, "first_date": "2024-01-11", "last_date": "2024-04-30"}
    aged(registrar, Term, settings=settings, updated_at=utc_now() - PAST)
    an_hour_later(registrar, **dict.fromkeys(TABLES, 0))
    problem(registrar.service.client.get(registrar.path), 404, "not_found")


def test_meetings_go_with_their_recordings_and_plans_when_they_are_as_old(registrar: Registrar) -> None:
    before = rows(registrar)
    over(registrar)
    kept = {name: before[name] for name in ("term", "term_plan", "term_item", "term_apply")}
    an_hour_later(registrar, recording=0, term_meeting=0, **kept)
    assert shown(registrar)["recordings"] == 0
    aged(registrar, Plan, created_at=utc_now() - PAST)
    an_hour_later(registrar, term_plan=0, term_item=0, term_apply=0, term=1)
    assert shown(registrar)["plan_id"] is None


def test_a_plan_that_is_being_applied_stays_and_so_does_a_term_that_is_not_over(registrar: Registrar) -> None:
    aged(registrar, Plan, created_at=utc_now() - PAST)
    aged(registrar, Term, updated_at=utc_now() - PAST)
    aged(registrar, Apply, status=ApplyStatus.RUNNING, lease_until=1e12)
    an_hour_later(registrar, term_plan=1, term_apply=1, term=1, term_meeting=2, recording=2)


def test_a_recording_that_was_refused_is_not_counted(registrar: Registrar) -> None:
    assert shown(registrar)["recordings"] == 2
    aged(registrar, Recording, status="failed")
    assert shown(registrar)["recordings"] == 0


def test_a_plan_stays_as_long_as_it_may_be_applied_however_many_come_after_it(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.terms.planning.making.KEPT", 2)

    def statuses() -> list[int]:
        get = registrar.service.client.get
        return [get(f"{registrar.path}/plans/{each}").status_code for each in plans]

    plans = [registrar.plan([section(key)])["id"] for key in "BCDEF"]
    assert statuses() == [200] * 5
    aged(registrar, Plan, expires_at=utc_now() - timedelta(seconds=1))
    plans += [registrar.plan([section("G")])["id"] for _ in range(4)]  # each takes some away
    assert statuses() == [404] * 5 + [200] * 4  # the last may still be applied
