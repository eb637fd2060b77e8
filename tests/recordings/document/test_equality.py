"""Which documents are the same, and that the same document again costs no call."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import update

from app.recordings.document import equality
from app.recordings.document.document import EXAMPLE, RecordingDocument
from app.recordings.models import IdempotencyKey, Recording
from tests.recordings.documents import LEFT_OUT, SERVICE_ZONE, SINGLE, example, weekly
from tests.service import Json, Lectern, found, problem

ROOM = EXAMPLE["resource"]
RESOURCE_ID = 562931
DAYS = [f"2027-03-{day}" for day in (26, 22, 24, 23, 25)]
ANOTHER_SPELLING: list[Json] = [
    {},
    {"publishers": LEFT_OUT, "visibility": LEFT_OUT, "on_conflict": LEFT_OUT, "end": None},
    {"recurrence": "FREQ=WEEKLY;WKST=WE;COUNT=40;BYDAY=FR,MO,WE"},
    {"recurrence": "rrule:freq=weekly; wkst=we; count=40; byday=fr, mo, we;"},
    {"recurrence": weekly(days=["FR", "WE", "MO"], interval=1, until=None)},
    {"exclude": [{"from": "2027-03-22", "to": "2027-03-26"}, {"from": "2027-02-15", "to": "2027-02-15"}]},
    {"exclude": ["2027-02-15", *DAYS]},
    {"exclude": ["2027-02-15", {"from": "2027-03-22", "to": "2027-03-24"}, {"from": "2027-03-24", "to": "2027-03-26"}]},
    {"resource": ROOM | {"kind": "camera"}},
    {"resource": "EXTRON-100-ABC"},
    {"resource": "extron-100-abc"},
    {"resource": {"system_name": "Extron-100-Abc"}},
    {"start": "2027-01-13T09:00"},
    {"start": "2027-01-13T14:00:00Z"},
    {"start": "2027-01-13T15:00:00.000+01:00"},
    {"duration_minutes": None, "end": "2027-01-13T09:50:00"},
    {"duration_minutes": "", "end": "2027-01-13T14:50:00Z"},
    {"time_zone": "US/Eastern"},
    {"time_zone": "america/new_york"},
    {"time_zone": "Eastern Standard Time"},
    {"title": "MATH-123 Linear Algebra "},
    {"tags": ["Kaltura", "MATHEMATICS"]},
    {"categories": ["canvas > site > channels > 1234", 86105441]},
]
ANOTHER_WISH: list[Json] = [
    {"title": "MATH-123 linear algebra"},
    {"recurrence": weekly(count=39)},
    {"recurrence": weekly(until="2027-04-14", count=LEFT_OUT)},
    {"recurrence": LEFT_OUT, "exclude": []},
    {"exclude": ["2027-02-15"]},
    {"exclude": ["2027-02-15", *DAYS[1:]]},
    {"resource": "EXTRON-200-DEF"},
    {"time_zone": LEFT_OUT},
    {"time_zone": "America/Toronto"},
    {"start": "2027-01-13T14:00:01Z"},
    {"duration_minutes": LEFT_OUT, "end": "2027-01-13T09:51:00"},
    {"visibility": "private"},
    {"tags": ["kaltura"]},
    {"owner": "Lecturer1"},
]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    read = [RecordingDocument.model_validate(document) for document in (one, other)]
    prints = [equality.fingerprint(document, document.schedule(SERVICE_ZONE)) for document in read]
    return prints[0] == prints[1]


@pytest.mark.parametrize("changes", ANOTHER_SPELLING)
def test_another_spelling_is_the_same_document(changes: dict[str, Any]) -> None:
    assert same(EXAMPLE, dict(reversed(example(**changes).items())))


@pytest.mark.parametrize("changes", ANOTHER_WISH)
def test_another_wish_is_another_document(changes: dict[str, Any]) -> None:
    assert not same(EXAMPLE, example(**changes))


def test_the_order_of_people_is_no_difference() -> None:
    one = example(editors=["a", "b"], publishers=["c", "d"], related_entries=["1_abcd1234", "1_abcd1235"])
    assert same(one, {**one, "editors": ["b", "a"], "publishers": ["d", "c"]})
    assert same(one, {**one, "related_entries": one["related_entries"][::-1]})


def test_what_the_start_implies_may_be_said() -> None:
    weeks = SINGLE | {"recurrence": {"frequency": "weekly", "count": 3}}
    assert same(weeks, weeks | {"recurrence": "FREQ=WEEKLY;BYDAY=WE;COUNT=3"})
    assert same(SINGLE, SINGLE | {"time_zone": SERVICE_ZONE})


def test_a_number_in_quotes_is_the_same_resource_and_in_an_object_is_not() -> None:
    assert same(SINGLE, SINGLE | {"resource": str(SINGLE["resource"])})
    assert not same(SINGLE, SINGLE | {"resource": {"system_name": str(SINGLE["resource"])}})


# What a service does with them


@pytest.fixture
def made(service: Lectern) -> Json:
    recording = service.made(EXAMPLE, idempotency_key="k1")
    service.calls()
    return recording


def untouched(service: Lectern, made: Json) -> bool:
    """No chain was begun; and Kaltura was asked for nothing but the room's list, which the mirror does by itself."""
    chains = service.get(f"/recordings/{made['id']}/history")["items"]
    return len(chains) == 1 and set(service.calls()) <= {"scheduleEvent.list"}


def test_the_same_document_in_other_words_costs_no_chain_and_no_call(service: Lectern, made: Json) -> None:
    for changes in ANOTHER_SPELLING:
        document = example(**changes)
        assert found(service.schedule(document))["id"] == made["id"]
        assert found(service.schedule(document, idempotency_key="k1"))["id"] == made["id"]
        put = service.client.put(f"/recordings/by-reference/{EXAMPLE['reference_id']}", json=document)
        assert put.status_code == 204, put.text
        patched = found(service.client.patch(f"/recordings/{made['id']}", json=document))
        assert patched["chain"]["id"] == made["chain"]["id"]
    assert untouched(service, made)


def test_another_document_is_none_of_it(service: Lectern, made: Json) -> None:
    for changes in ANOTHER_WISH:
        problem(service.schedule(example(**changes)), 409, "reference_in_use")
        changed = example(**changes, reference_id=LEFT_OUT)
        problem(service.schedule(changed, idempotency_key="k1"), 422, "idempotency_key_reused")
    assert untouched(service, made)


def test_what_an_older_version_kept_is_compared_all_the_same(service: Lectern, made: Json) -> None:
    """Its fingerprints were made of the document with lists as they came and times as they were written."""
    said = RecordingDocument.model_validate(EXAMPLE).canonical()
    kept = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with service.app.state.database.write() as session:
        for table in (Recording, IdempotencyKey):
            session.execute(update(table).values(fingerprint=kept))
    assert found(service.schedule(EXAMPLE, idempotency_key="k1"))["id"] == made["id"]
    problem(service.schedule(example(title="x"), idempotency_key="k1"), 422, "idempotency_key_reused")
    for changes in ANOTHER_SPELLING:
        assert found(service.schedule(example(**changes)))["id"] == made["id"]
    problem(service.schedule(example(title="x")), 409, "reference_in_use")
    assert untouched(service, made)
