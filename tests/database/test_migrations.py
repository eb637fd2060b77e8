"""Migrations make what the models say, from nothing and from what is there, as often as one likes."""

from collections.abc import Iterator
from datetime import date, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, Connection, Date, DateTime, MetaData, String, delete, inspect, text
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.migrating import MIGRATIONS, migrate
from tests.conftest import Databases
from tests.forks import NURSERY
from tests.sampling import sampled
from tests.service import lectern

pytestmark = pytest.mark.both_databases


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """Without tables."""
    with databases.one(with_tables=False) as url:
        made = Database(url)
        yield made
        made.close()


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))


def test_an_empty_database_becomes_what_the_models_say(database: Database) -> None:
    migrate(database)
    assert differences(database) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    def tables() -> dict[str, Any]:
        found = inspect(database.engine)
        return {name: [found.get_columns(name), found.get_indexes(name)] for name in found.get_table_names()}

    migrate(database)
    once = repr(tables())
    migrate(database)
    assert repr(tables()) == once


def _migrate(url: str, start: Barrier) -> None:
    database = Database(url)
    start.wait()
    migrate(database)


def test_several_processes_may_start_at_once(databases: Databases) -> None:
    with databases.one(with_tables=False) as url:
        start = NURSERY.Barrier(3)
        processes = [NURSERY.Process(target=_migrate, args=(url, start)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 3
        made = Database(url)
        assert differences(made) == []
        made.close()


def test_there_is_one_line_of_migrations() -> None:
    assert len(scripts().get_heads()) == 1
    assert len(scripts().get_bases()) == 1


def test_services_one_after_another_find_what_is_there(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        recording = service.made()
    with lectern(tmp_path, database_url=database_url) as service:
        assert service.get(f"/recordings/{recording['id']}") == recording
        assert (
            len(
                service.get(
                    "/resources/562931/upcoming", **{"from": "2027-01-01T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
                )["occurrences"]
            )
            == 36
        )


def fill(connection: Connection) -> dict[str, int]:
    """A row in each table, all with the same key, so that each is every other's; how many rows there are then."""
    tables = MetaData()
    tables.reflect(connection, only=lambda name, _: name != "alembic_version")
    for table in tables.sorted_tables:
        # A trigger may have made it.
        connection.execute(delete(table))
        connection.execute(table.insert(), {column.name: value(column) for column in table.columns})
    return counts(connection, [table.name for table in tables.sorted_tables])


def value(column: Column[Any]) -> object:
    if isinstance(column.type, DateTime):
        return datetime(2027, 1, 13, 9)  # noqa: DTZ001 - as SQLite keeps it
    if isinstance(column.type, Date):
        return date(2027, 1, 13)
    if isinstance(column.type, JSON):
        return {}
    return "1" if isinstance(column.type, String) else isinstance(column.type, Boolean) or 1


def counts(connection: Connection, tables: list[str]) -> dict[str, int]:
    return {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in tables}  # noqa: S608


@pytest.mark.parametrize("revision", sampled([script.revision for script in scripts().walk_revisions()], 4))
def test_row_22_every_version_with_rows_in_it_leads_to_the_models(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        before = fill(connection)
    migrate(database)
    assert differences(database) == []
    with database.engine.connect() as connection:
        assert counts(connection, list(before)) == before
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_sessions_that_were_restored_before_there_was_a_column_for_it_are_known(database: Database) -> None:
    """From the chains that restored them; one that was cancelled again afterwards, or never restored, is none."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    chains = [
        ("restore_occurrence", "succeeded", "occ_restored"),
        ("restore_occurrence", "failed", "occ_refused"),
        ("restore_occurrence", "succeeded", "occ_cancelled_again"),
        ("move_occurrence", "succeeded", "occ_moved"),
    ]
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        fill(connection)
        tables = MetaData()
        tables.reflect(connection, only=["chain", "occurrence"])
        chain, occurrence = tables.tables["chain"], tables.tables["occurrence"]
        one = {column.name: value(column) for column in chain.columns}
        each = {column.name: value(column) for column in occurrence.columns}
        for number, (operation, status, uid) in enumerate(chains):
            change = {"change": {"occurrence": {"id": uid}}}
            row = {**one, "id": f"chn_{number}", "operation": operation, "status": status, "input": change}
            connection.execute(chain.insert(), row)
            held = "cancelled" if uid == "occ_cancelled_again" else "scheduled"
            connection.execute(occurrence.insert(), {**each, "id": uid, "status": held})
    migrate(database)
    with database.engine.connect() as connection:
        restored = connection.execute(text("SELECT id FROM occurrence WHERE restored")).scalars().all()
        assert restored == ["occ_restored"]


def test_chains_and_events_of_older_versions_get_the_numbers_that_they_had(database: Database) -> None:
    """Chains in the order of their ids, which was the order until then; events the highest that was ever given."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        tables = MetaData()
        tables.reflect(connection)

        def add(table: str, **values: object) -> None:
            rest = {column.name: value(column) for column in tables.tables[table].columns}
            connection.execute(tables.tables[table].insert(), rest | values)

        for name in ("old", "new", "none"):
            add("recording", id=name, active_reference=name)
        for chain_id, subject in (("c", "old"), ("a", "old"), ("b", "new"), ("d", "old"), ("e", "sweep:old")):
            add("chain", id=chain_id, subject=subject)
        for chain_id, last in (("a", 4), ("c", 7)):  # the one of `c` was undone
            calls = [{"key": "state", "state": "made", "result": {"last_number": last}}]
            add("chain_step", chain_id=chain_id, position=1, name="state", calls=calls)
        add("chain_step", chain_id="d", position=1, name="state", calls=[{"key": "state", "state": "sent"}])
        add("schedule_event", recording_id="old", number=4)
        add("schedule_event", recording_id="new", number=2)
    migrate(database)
    with database.engine.begin() as connection:
        chains = connection.execute(text("SELECT id, number FROM chain ORDER BY id")).all()
        assert chains == [("a", 1), ("b", 1), ("c", 2), ("d", 3), ("e", 1)]
        recordings = connection.execute(text("SELECT id, last_number FROM recording ORDER BY id")).all()
        assert recordings == [("new", 2), ("none", 0), ("old", 7)]


def test_tags_of_older_versions_are_found_in_any_case(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    tags = ["Algebra", "ÜBUNG", "plain"]
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0027")
        fill(connection)
        recording_id = connection.execute(text("SELECT id FROM recording")).scalar_one()
        for tag in tags:
            row = {"recording_id": recording_id, "tag": tag}
            connection.execute(text("INSERT INTO recording_tag (recording_id, tag) VALUES (:recording_id, :tag)"), row)
    migrate(database)
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT tag FROM recording_tag")).scalars().all()
    assert {tag.casefold() for tag in tags} < set(kept)
    assert not {"Algebra", "ÜBUNG"} & set(kept)


def test_the_database_raises_a_recording_s_version_whoever_changes_it(database: Database) -> None:
    migrate(database)
    with database.engine.begin() as connection:
        fill(connection)
        for _ in range(3):
            connection.execute(text("UPDATE recording SET status = status"))
        assert connection.execute(text("SELECT version FROM recording")).scalar_one() == 4


def test_every_table_has_a_primary_key(database: Database) -> None:
    migrate(database)
    found = inspect(database.engine)
    assert all(found.get_pk_constraint(table)["constrained_columns"] for table in found.get_table_names())
