"""What is read from Kaltura, held to recorded answers of a real one; what is sent, held to what it took."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.kaltura.types import (
    CANCELLED,
    OCCURRENCE,
    SERIES,
    SINGLE,
    Category,
    Entry,
    EntryDraft,
    Event,
    EventDraft,
    Link,
    Recurrence,
    Resource,
    entry_words,
    epoch,
    event_words,
)

RECORDINGS = Path(__file__).parents[1] / "data" / "exchanges.json"
START = datetime(2027, 1, 13, 14, tzinfo=UTC)

MODELS: dict[str, type[BaseModel]] = {
    "KalturaMediaEntry": Entry,
    "KalturaRecordScheduleEvent": Event,
    "KalturaLiveStreamScheduleEvent": Event,
    "KalturaMeetingScheduleEvent": Event,
    "KalturaBlackoutScheduleEvent": Event,
    "KalturaCameraScheduleResource": Resource,
    "KalturaLocationScheduleResource": Resource,
    "KalturaScheduleEventResource": Link,
    "KalturaCategory": Category,
}


def objects(answer: object) -> Iterator[dict[str, Any]]:
    if isinstance(answer, dict):
        if answer.get("objectType") in MODELS:
            yield answer
        for value in answer.values():
            yield from objects(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from objects(value)


def recorded(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """Every whole object of a kind; those cut down by a response profile are left out."""
    exchanges = json.loads(RECORDINGS.read_text())["exchanges"]
    return [
        found
        for exchange in exchanges
        if "responseProfile" not in json.dumps(exchange["request"])
        for found in objects(exchange["response"])
        if MODELS[found["objectType"]] is kind
    ]


@pytest.mark.parametrize(
    ("kind", "at_least"), [(Entry, 45), (Event, 1000), (Resource, 30), (Link, 20), (Category, 8)], ids=lambda v: str(v)
)
def test_every_recorded_object_is_read(kind: type[BaseModel], at_least: int) -> None:
    found = recorded(kind)
    assert len(found) >= at_least
    for each in found:
        model = kind.model_validate(each)
        assert model.model_dump(by_alias=True)["objectType"] == each["objectType"]


def test_an_event_is_what_was_recorded() -> None:
    parent, child = (next(e for e in recorded(Event) if e["id"] == wanted) for wanted in (42, 43))
    assert Event.model_validate(child) == Event(
        id=43,
        parent_id=42,
        recurrence_type=OCCURRENCE,
        status=2,
        start=datetime(2027, 2, 1, 9, tzinfo=UTC),
        end=datetime(2027, 2, 1, 10, 30, tzinfo=UTC),
        summary="Serie A",
        description="desc A",
        reference_id="series-A",
        template_entry_id="0_m4v0ekwu",
        tags=("t1",),
        location="HG",
        organizer="Prof A",
        owner="admin",
        recurrence=Recurrence(time_zone="Europe/Zurich"),
        object_type="KalturaRecordScheduleEvent",
    )
    assert Event.model_validate(parent).recurrence_type == SERIES
    assert Event.model_validate(parent).parent_id is None


EVENT = {
    "id": 7,
    "status": 2,
    "recurrenceType": 0,
    "startDate": 1_799_848_800,
    "endDate": 1_799_851_800,
    "objectType": "KalturaRecordScheduleEvent",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "7"},
        {"id": 0},
        {"id": -1},
        {"id": 2**31},
        {"id": True},
        {"id": 7.0},
        {"id": None},
        {"parentId": "a"},
        {"parentId": False},
        {"status": "2"},
        {"startDate": "2027-01-13T14:00:00Z"},
        {"startDate": -1},
        {"startDate": 10**15},
        {"startDate": True},
        {"startDate": 1.5},
        {"endDate": None},
        {"summary": 7},
        {"summary": ["x"]},
        {"tags": 7},
        {"objectType": "KalturaMediaEntry"},
        {"objectType": "KalturaScheduleEventListResponse"},
    ],
    ids=str,
)
def test_a_wrong_type_is_never_believed(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Event.model_validate({**EVENT, **wrong})


def test_a_missing_or_empty_property_is_none() -> None:
    empty = {"parentId": 0, "summary": "", "templateEntryId": "", "referenceId": "", "tags": ""}
    for event in (Event.model_validate(EVENT), Event.model_validate({**EVENT, **empty, "somethingNew": [1]})):
        assert (event.parent_id, event.summary, event.template_entry_id, event.reference_id) == (None,) * 4
        assert event.tags == ()


def test_text_that_no_database_stores_is_cleaned() -> None:
    event = Event.model_validate({**EVENT, "summary": "a\x00b\ud800c\x1b[0m\nd 📹", "tags": " x\x00, ,y "})
    assert event.summary == "abc[0m\nd 📹"
    assert event.tags == ("x", "y")


@pytest.mark.parametrize(
    ("object_type", "kind"),
    [
        ("KalturaCameraScheduleResource", "camera"),
        ("KalturaLocationScheduleResource", "location"),
        ("KalturaLiveEntryScheduleResource", "live_entry"),
        ("KalturaSomethingScheduleResource", "other"),
    ],
)
def test_a_resource_has_a_kind(object_type: str, kind: str) -> None:
    assert Resource.model_validate({"id": 1, "name": "x", "objectType": object_type}).kind == kind


def test_an_event_knows_whether_it_is_active_and_live() -> None:
    live = Event.model_validate({**EVENT, "objectType": "KalturaLiveStreamScheduleEvent"})
    assert (live.active, live.live) == (True, True)
    cancelled = Event.model_validate({**EVENT, "status": CANCELLED})
    assert (cancelled.active, cancelled.live) == (False, False)


# drafts


def test_an_entry_goes_out_with_what_it_has() -> None:
    draft = EntryDraft(
        name="MATH-123",
        reference_id="lectern-rec_1-0",
        description="Section 01",
        tags=["mathematics", "kaltura"],
        category_ids=[6, 8],
        owner="lecturer1",
        editors=["ta1", "ta2"],
        publishers=["ta1"],
    )
    assert draft.wire() == {
        "objectType": "KalturaMediaEntry",
        "mediaType": 1,
        "name": "MATH-123",
        "referenceId": "lectern-rec_1-0",
        "description": "Section 01",
        "tags": "mathematics,kaltura",
        "categoriesIds": "6,8",
        "userId": "lecturer1",
        "entitledUsersEdit": "ta1,ta2",
        "entitledUsersPublish": "ta1",
    }
    bare = EntryDraft(name="x", reference_id="r").wire()
    assert bare == {"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "x", "referenceId": "r"}


def test_changed_words_clear_what_is_empty() -> None:
    words = {"name": "x", "description": "", "tags": [], "owner": None, "editors": ["ta1", "ta2"], "publishers": []}
    assert entry_words(words) == {
        "objectType": "KalturaMediaEntry",
        "name": "x",
        "description": "",
        "tags": "",
        "entitledUsersEdit": "ta1,ta2",
        "entitledUsersPublish": "",
    }
    assert event_words({"summary": "x", "tags": ["a"], "entry_ids": [], "classification": 2}) == {
        "objectType": "KalturaRecordScheduleEvent",
        "summary": "x",
        "description": "",
        "tags": "a",
        "entryIds": "",
        "organizer": "",
        "contact": "",
        "location": "",
        "classificationType": 2,
        "comment": "",
    }


def test_a_single_event_goes_out_with_what_it_has() -> None:
    draft = EventDraft(
        summary="MATH-123",
        start=START,
        end=START + timedelta(minutes=50),
        reference_id="lectern-rec_1-1",
        template_entry_id="1_abc",
        description="d",
        tags=["a", "b"],
        entry_ids=["1_x", "1_y"],
        organizer="Registrar",
        contact="av@campus.example",
        location="Room 702",
        classification=2,
        comment="SIS-1",
    )
    assert draft.wire() == {
        "objectType": "KalturaRecordScheduleEvent",
        "recurrenceType": SINGLE,
        "startDate": 1_799_848_800,
        "endDate": 1_799_848_800 + 3000,
        "duration": 3000,
        "summary": "MATH-123",
        "referenceId": "lectern-rec_1-1",
        "templateEntryId": "1_abc",
        "description": "d",
        "tags": "a,b",
        "entryIds": "1_x,1_y",
        "organizer": "Registrar",
        "contact": "av@campus.example",
        "location": "Room 702",
        "classificationType": 2,
        "comment": "SIS-1",
    }


def test_a_series_goes_out_with_its_recurrence_and_its_duration() -> None:
    recurrence = {"frequency": "weeks", "interval": 1, "byDay": "MO,WE", "until": epoch(START), "timeZone": "UTC"}
    end = START + timedelta(hours=1)
    wire = EventDraft(summary="s", start=START, end=end, reference_id="r", recurrence=recurrence).wire()
    assert wire["recurrenceType"] == SERIES
    assert wire["recurrence"] == {"objectType": "KalturaScheduleEventRecurrence", **recurrence}
    assert wire["duration"] == 3600


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2027, 1, 13, 14),  # noqa: DTZ001 - a naive one
        datetime(1979, 12, 29, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_time_that_kaltura_would_misread_is_not_sent(moment: datetime) -> None:
    with pytest.raises(ValueError, match="time"):
        epoch(moment)
