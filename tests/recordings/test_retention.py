"""What nobody needs any more is deleted; what a chain, or a repeated request, still needs is not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlmodel import Session, SQLModel, col

from app.chains.models import Chain, ChainStatus
from app.chains.store import Store
from app.database.types import utc_now
from app.recordings.models import IdempotencyKey, Recording, Upkeep
from app.recordings.retention import PORTION, Retention, forget_keys, forget_old
from app.resources.models import Upload
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, found, lectern, problem

KEEP = 400
NOBODY_S = {"title": "t", "resource": "NO-SUCH", "start": "2027-01-13T09:00:00", "duration_minutes": 50}
TABLES = (
    "recording",
    "booking",
    "occurrence",
    "recording_tag",
    "schedule_event",
    "chain",
    "chain_step",
    "drift",
    "upload",
)


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url) as running:
        yield running


def rows(service: Lectern) -> dict[str, int]:
    """How many there are; without those that the mirror has, which may look again at what is nobody's by then."""
    tables = SQLModel.metadata.tables
    own = select(tables["booking"].c.id).where(tables["booking"].c.source == "lectern")
    counted = {name: select(func.count()).select_from(tables[name]) for name in TABLES}
    counted["booking"] = counted["booking"].where(tables["booking"].c.id.in_(own))
    counted["occurrence"] = counted["occurrence"].where(tables["occurrence"].c.booking_id.in_(own))
    with service.app.state.database.read() as session:
        return {name: session.execute(statement).scalar_one() for name, statement in counted.items()}


def aged(service: Lectern, *ids: str, **values: Any) -> None:
    """As if these recordings had been untouched, and over, for more than a year."""
    past = utc_now() - timedelta(days=KEEP + 1)
    with service.app.state.database.write() as session:
        values = {"updated_at": past, "last_end": past, **values}
        session.execute(update(Recording).where(col(Recording.id).in_(ids)).values(**values))


def forgotten(service: Lectern) -> int:
    with service.app.state.database.write() as session:
        return forget_old(session, utc_now() - timedelta(days=KEEP))


def refused(service: Lectern, **more: Any) -> str:
    return str(problem(service.schedule(NOBODY_S | more), 422, "resource_not_found")["recording_id"])


def test_a_refused_document_is_kept_once_for_its_reference(service: Lectern) -> None:
    before = rows(service)
    first, second = refused(service, reference_id="r"), refused(service, reference_id="r", title="changed")
    other = refused(service, reference_id="other")
    shown = [one["id"] for one in service.get("/recordings", status="failed")["items"]]
    assert shown == [other, second]
    problem(service.client.get(f"/recordings/{first}"), 404, "not_found")
    after = rows(service)
    assert (after["recording"], after["chain"]) == (before["recording"] + 2, before["chain"] + 2)
    assert found(service.client.get("/recordings/by-reference/r"))["id"] == second


def test_without_a_reference_each_try_is_its_own(service: Lectern) -> None:
    both = {refused(service), refused(service)}
    assert {one["id"] for one in service.get("/recordings", status="failed")["items"]} == both


def test_what_an_idempotency_key_answers_is_kept_and_not_listed(service: Lectern) -> None:
    key = {"Idempotency-Key": "k"}
    wanted = NOBODY_S | {"reference_id": "r"}
    first = problem(service.client.post("/recordings", json=wanted, headers=key), 422, "resource_not_found")
    second = refused(service, reference_id="r")
    assert [one["id"] for one in service.get("/recordings")["items"]] == [second]
    again = problem(service.client.post("/recordings", json=wanted, headers=key), 422, "resource_not_found")
    assert again["recording_id"] == first["recording_id"]


def test_a_failed_recording_that_is_deleted_is_not_listed_any_more(service: Lectern) -> None:
    failed = refused(service, reference_id="r")
    for path in (f"/recordings/{failed}", "/recordings/by-reference/r"):  # harmless to repeat
        assert found(service.client.delete(path))["status"] == "failed"
    assert service.get("/recordings")["items"] == []
    assert found(service.client.get(f"/recordings/{failed}"))["status"] == "failed"


def three(service: Lectern) -> list[Json]:
    """One that is scheduled, one that is cancelled, one that failed."""
    scheduled = service.made(SINGLE | {"reference_id": "s", "tags": ["one"]})
    cancelled = service.made(SINGLE | {"reference_id": "c", "start": "2027-01-14T09:00:00"})
    found(service.client.delete(f"/recordings/{cancelled['id']}"))
    return [scheduled, cancelled, {"id": refused(service, reference_id="f")}]


@pytest.mark.both_databases
def test_what_has_been_over_for_long_is_deleted_with_all_of_it(service: Lectern) -> None:
    ids = [one["id"] for one in three(service)]
    (session,) = service.get(f"/recordings/{ids[0]}/occurrences")["items"]
    room = session["resource"]["id"]
    found(service.client.put(f"/resources/{room}/state", json={"state": "error", "occurrence": session["id"]}))
    with service.app.state.database.write() as sql:
        sql.add(Upload(occurrence_id=session["id"], resource_id=room, entry_id="1_a", seen_at=utc_now()))
    assert forgotten(service) == 0
    aged(service, *ids)
    assert service.app.state.watch.look()
    assert forgotten(service) == len(ids)
    assert service.app.state.watch.look()
    assert set(rows(service).values()) == {0}
    kinds = [one["data"]["kind"] for one in service.get("/notices")["items"] if one["type"] == "finding.raised"]
    assert kinds == ["encoder_error"], "what was told stays"
    assert service.get("/recordings")["items"] == []


def test_what_is_deleted_between_a_request_s_look_and_its_lock_is_not_there(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.made(SINGLE)
    aged(service, made["id"])
    locked = Store.lock_chains

    def late(store: Store, session: Session, subject: str) -> None:
        assert forget_old(session, utc_now() - timedelta(days=KEEP)) == 1
        locked(store, session, subject)

    monkeypatch.setattr(Store, "lock_chains", late)
    problem(service.client.patch(f"/recordings/{made['id']}", json={"title": "New"}), 404, "not_found")


def test_what_is_not_over_or_was_lately_stays(service: Lectern) -> None:
    scheduled, cancelled, failed = three(service)
    now = utc_now()
    aged(service, scheduled["id"], last_end=now)
    aged(service, cancelled["id"], failed["id"], updated_at=now)
    assert forgotten(service) == 0


@pytest.mark.parametrize("subject", ["{}", "sweep:{}"])
@pytest.mark.parametrize("party", [False, True])
def test_what_a_chain_still_needs_stays(service: Lectern, subject: str, party: bool) -> None:
    recording = service.made(SINGLE)
    aged(service, recording["id"])
    mine = subject.format(recording["id"])
    with service.app.state.database.write() as session:
        if party:
            session.execute(update(Chain).values(party="p"))
        still = Chain(id="chn_open", subject="another" if party else mine, number=9, operation="sweep", input={})
        still.status, still.next_attempt_at, still.party = ChainStatus.STUCK, None, "p" if party else None
        session.add(still)
    assert forgotten(service) == 0
    with service.app.state.database.write() as session:
        session.execute(update(Chain).where(col(Chain.id) == "chn_open").values(finished_at=utc_now()))
    assert forgotten(service) == 1


def test_idempotency_keys_are_kept_for_thirty_days(service: Lectern) -> None:
    recording = service.made(SINGLE, idempotency_key="k")
    aged(service, recording["id"])
    database = service.app.state.database

    def keys(days: int) -> int:
        with database.write() as session:
            return forget_keys(session, utc_now() - timedelta(days=days))

    assert forgotten(service) == 0
    assert keys(1) == 0
    with database.write() as session:
        session.execute(update(IdempotencyKey).values(created_at=utc_now() - timedelta(days=31)))
    assert keys(30) == 1
    assert forgotten(service) == 1


@pytest.mark.both_databases
def test_another_client_s_key_of_the_same_name_stays(service: Lectern) -> None:
    recording = service.made(SINGLE, idempotency_key="k")
    now, old = utc_now(), utc_now() - timedelta(days=31)
    with service.app.state.database.write() as session:
        session.execute(update(IdempotencyKey).values(created_at=old))
        for client, key, used in (("library", "k", now), ("library", "l", old), ("museum", "l", now)):
            more = {"fingerprint": "", "recording_id": recording["id"], "created_at": used}
            session.add(IdempotencyKey(client=client, key=key, **more))
        session.flush()
        assert forget_keys(session, now - timedelta(days=30)) == 2
        left = session.execute(select(col(IdempotencyKey.client), col(IdempotencyKey.key))).all()
        assert sorted(map(tuple, left)) == [("library", "k"), ("museum", "l")]


def test_one_process_of_several_sees_to_it_in_small_portions(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.recordings.retention.PAUSE", 0.0)
    recording = service.made(SINGLE)
    database = service.app.state.database
    with database.write() as session:
        row = session.get_one(Recording, recording["id"])
        for number in range(PORTION + 1):
            copied = row.model_dump() | {"id": f"rec_{number:026}", "reference_id": None, "active_reference": None}
            session.add(Recording(**copied))
    aged(service, *(f"rec_{number:026}" for number in range(PORTION + 1)))
    first, second = Retention(database, KEEP), Retention(database, KEEP)
    assert first.run() == PORTION + 1
    aged(service, recording["id"])
    assert (first.run(), second.run()) == (0, 0), "not before an hour has gone by"
    with database.write() as session:
        session.execute(update(Upkeep).values(due_at=0.0))
    assert (second.run(), first.run()) == (1, 0)
    with database.write() as session:
        session.execute(delete(Upkeep))
