"""The triggers: whatever changes what is shown of a resource raises its version, whoever writes it and however."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import delete, insert, text, update
from sqlmodel import Session, col, select

from app.database.database import Database
from app.database.migrating import MIGRATIONS, migrate
from app.resources.models import Booking, Mirror, Occurrence, Resource
from tests.conftest import Databases

pytestmark = pytest.mark.both_databases

START = datetime(2027, 1, 13, 14, tzinfo=UTC)
Change = Callable[[Session], object]


@pytest.fixture
def booked(database: Database) -> Database:
    """Two resources; on the first, a recording with a planned, a scheduled and a cancelled occurrence."""
    with database.write() as session:
        for number in (1, 2):
            session.add(Resource(id=number, name=f"Room {number}", kind="camera"))
        session.add(Booking(id="b", source="lectern", title="t", time_zone="UTC"))
        session.flush()
        for status in ("planned", "scheduled", "cancelled"):
            session.add(occurrence(status, resource_id=1))
    return database


def occurrence(status: str, uid: str | None = None, resource_id: int | None = 1) -> Occurrence:
    return Occurrence(
        id=uid or status,
        booking_id="b",
        resource_id=resource_id,
        start=START,
        end=START + timedelta(hours=1),
        status=status,
    )


def mirrors(database: Database) -> dict[int, Mirror]:
    with database.read() as session:
        return {row.resource_id: row for row in session.execute(select(Mirror)).scalars()}


def raised(database: Database, change: Change) -> tuple[set[int], set[int]]:
    """The resources whose version a change raises, and those that it makes due."""
    with database.write() as session:
        session.execute(update(Mirror).values(due_at=None, changed_at=0.0))
    before = mirrors(database)
    with database.write() as session:
        change(session)
    after = mirrors(database)
    changed = {number for number, row in after.items() if number in before and row.version > before[number].version}
    assert {number for number, row in after.items() if row.changed_at > 0 and number in before} == changed
    return changed, {number for number, row in after.items() if row.due_at is not None}


def by_orm(uid: str, **values: object) -> Change:
    def change(session: Session) -> None:
        row = session.get_one(Occurrence, uid)
        for name, value in values.items():
            setattr(row, name, value)

    return change


def in_bulk(uid: str, **values: object) -> Change:
    return lambda session: session.execute(update(Occurrence).where(col(Occurrence.id) == uid).values(**values))


def sql(statement: str) -> Change:
    return lambda session: session.execute(text(statement))


LATER = START + timedelta(hours=3)


@pytest.mark.parametrize(
    ("change", "resources"),
    [
        (by_orm("scheduled", end=LATER), {1}),
        (in_bulk("scheduled", end=LATER), {1}),
        (sql("UPDATE occurrence SET event_id = 7"), {1}),
        (by_orm("planned", status="scheduled"), {1}),
        (by_orm("scheduled", status="cancelled"), {1}),
        (in_bulk("scheduled", resource_id=2), {1, 2}),
        (in_bulk("scheduled", resource_id=None), {1}),
        (sql("DELETE FROM occurrence"), {1}),
        (lambda session: session.delete(session.get_one(Occurrence, "scheduled")), {1}),
        (lambda session: session.execute(delete(Occurrence)), {1}),
        (lambda session: session.add(occurrence("scheduled", "new", 2)), {2}),
        (lambda session: session.execute(insert(Occurrence), [occurrence("scheduled", "n", 2).model_dump()]), {2}),
        (lambda session: setattr(session.get_one(Booking, "b"), "title", "renamed"), {1}),
        (lambda session: session.execute(update(Booking).values(tags=["x"])), {1}),
    ],
)
def test_what_is_shown_raises_the_version_and_makes_it_due(
    booked: Database, change: Change, resources: set[int]
) -> None:
    assert raised(booked, change) == (resources, resources)


@pytest.mark.parametrize(
    "change",
    [
        in_bulk("planned", end=LATER),
        by_orm("planned", status="cancelled"),
        in_bulk("cancelled", resource_id=2),
        lambda session: session.delete(session.get_one(Occurrence, "planned")),
        lambda session: session.add(occurrence("planned", "new")),
        lambda session: session.execute(update(Resource).values(seen_at=LATER)),
        sql("UPDATE occurrence SET event_id = 7 WHERE id = 'nobody'"),
        lambda session: session.add(Booking(id="c", source="lectern", title="c", time_zone="UTC")),
    ],
)
def test_what_nobody_sees_raises_nothing(booked: Database, change: Change) -> None:
    assert raised(booked, change) == (set(), set())


def test_a_resource_s_name_is_shown_and_needs_no_look_at_kaltura(booked: Database) -> None:
    def rename(session: Session) -> None:
        session.merge(Resource(id=1, name="Aula", kind="camera"))
        session.merge(Resource(id=2, name="Room 2", kind="camera", system_name="ROOM-2"))

    assert raised(booked, rename) == ({1, 2}, set())


def test_a_resource_has_a_mirror_from_its_first_row_on(booked: Database) -> None:
    with booked.write() as session:
        session.merge(Resource(id=3, name="New", kind="camera"))
        session.merge(Resource(id=1, name="Room 1", kind="camera"))
    found = mirrors(booked)
    assert set(found) == {1, 2, 3}
    assert (found[3].version, found[3].as_of, found[3].due_at) == (0, None, None)


def test_a_change_that_is_not_committed_has_not_happened(booked: Database) -> None:
    before = {number: row.version for number, row in mirrors(booked).items()}
    with suppress(ZeroDivisionError), booked.write() as session:
        session.execute(delete(Occurrence))
        raise ZeroDivisionError
    assert {number: row.version for number, row in mirrors(booked).items()} == before


def test_a_thousand_occurrences_in_one_transaction_are_quick(booked: Database) -> None:
    def add(session: Session) -> None:
        session.execute(
            insert(Occurrence), [occurrence("scheduled", f"o{number}").model_dump() for number in range(1000)]
        )
        session.execute(update(Occurrence).values(event_id=1))

    begun = datetime.now(UTC)
    assert raised(booked, add) == ({1}, {1})
    assert datetime.now(UTC) - begun < timedelta(seconds=5)


def test_resources_from_before_there_were_mirrors_have_one(databases: Databases) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with databases.one(with_tables=False) as url:
        database = Database(url)
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
            connection.execute(
                text(
                    "INSERT INTO resource (id, name, kind, seen_at) VALUES (7, 'Room', 'camera', '2026-11-22 00:00:00')"
                )
            )
        migrate(database)
        assert [(row.resource_id, row.as_of, row.due_at) for row in mirrors(database).values()] == [(7, None, None)]
        database.close()
