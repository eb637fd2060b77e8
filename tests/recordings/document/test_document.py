"""What a recording's document may say, and what it comes to in time. DESIGN's example is the first of them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.recordings.document.document import EXAMPLE, RecordingDocument
from app.recordings.document.fields import NewResource
from app.recurrence.rules import Day, Rule
from tests.recordings.documents import LEFT_OUT, SERVICE_ZONE, SINGLE, example, read


def test_the_example_is_forty_sessions_four_of_them_excluded() -> None:
    schedule = read(EXAMPLE)
    kept = [occurrence for occurrence in schedule.occurrences if not occurrence.excluded_by]
    assert (len(schedule.occurrences), len(kept)) == (40, 36)
    assert kept[0].start == datetime(2027, 1, 13, 14, tzinfo=UTC)
    after = [occurrence.start.hour for occurrence in kept if occurrence.start > datetime(2027, 3, 14, 12, tzinfo=UTC)]
    assert set(after) == {13}
    assert schedule.rule == Rule("weekly", days=(Day("MO"), Day("WE"), Day("FR")), count=40, week_start="WE")
    assert schedule.duration == timedelta(minutes=50)


def test_the_example_is_the_schema_s_own() -> None:
    assert RecordingDocument.model_json_schema()["examples"] == [EXAMPLE]


def test_every_field_has_a_description_and_an_example() -> None:
    schema = RecordingDocument.model_json_schema()
    models = [schema, *(model for model in schema["$defs"].values() if "properties" in model)]
    assert len(models) == 6  # the document, its resource, its recurrence, its dates, a range of dates, one more date
    for model in models:
        for field in model["properties"].values():
            assert field["description"]
            assert field["examples"]


@pytest.mark.parametrize(
    ("changes", "local_start", "zone", "minutes"),
    [
        ({}, "2027-01-13T09:00", SERVICE_ZONE, 50),
        ({"time_zone": "Asia/Kolkata"}, "2027-01-13T09:00", "Asia/Kolkata", 50),
        ({"time_zone": None, "recurrence": None, "reference_id": None}, "2027-01-13T09:00", SERVICE_ZONE, 50),
        ({"start": "2027-01-13T14:00:00Z"}, "2027-01-13T15:00", SERVICE_ZONE, 50),
        (
            {"start": "2027-01-13T14:00:00Z", "time_zone": "America/New_York"},
            "2027-01-13T09:00",
            "America/New_York",
            50,
        ),
        ({"duration_minutes": None, "end": "2027-01-13T10:30"}, "2027-01-13T09:00", SERVICE_ZONE, 90),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-13T10:00:00Z"}, "2027-01-13T09:00", SERVICE_ZONE, 120),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-14T09:00"}, "2027-01-13T09:00", SERVICE_ZONE, 1440),
        ({"duration_minutes": 1440}, "2027-01-13T09:00", SERVICE_ZONE, 1440),
    ],
)
def test_a_single_recording_in_its_zone(changes: dict[str, Any], local_start: str, zone: str, minutes: int) -> None:
    schedule = read({name: value for name, value in (SINGLE | changes).items() if value is not LEFT_OUT})
    assert schedule.start == datetime.fromisoformat(local_start)
    assert (schedule.zone.key, schedule.duration) == (zone, timedelta(minutes=minutes))
    assert schedule.rule is None
    assert len(schedule.occurrences) == 1


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2027-03-14T00:00", "2027-03-15T00:00", 23),  # spring: that day has 23 hours
        ("2027-11-07T00:00", "2027-11-07T23:00", 24),  # autumn: it has 25
        ("2027-11-07T01:30", "2027-11-07T01:30:00-05:00", 1),  # from the first 01:30 to the second
    ],
)
def test_a_duration_is_elapsed_time(start: str, end: str, hours: int) -> None:
    document = {**SINGLE, "time_zone": "America/New_York", "start": start, "end": end, "duration_minutes": None}
    assert read(document).duration == timedelta(hours=hours)


def test_a_time_in_a_gap_begins_after_it() -> None:
    schedule = read(SINGLE | {"start": "2027-03-14T02:30", "time_zone": "America/New_York"})
    assert schedule.occurrences[0].start == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recurrence", "count"),
    [
        ({"frequency": "daily", "count": 5}, 5),
        ({"frequency": "daily", "interval": 2, "until": "2027-01-23"}, 6),
        ({"frequency": "daily", "days": ["MO", "TU", "WE", "TH", "FR"], "until": "2027-01-19"}, 5),
        ({"frequency": "weekly", "count": 1000, "days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]}, 1000),
        ({"frequency": "monthly", "month_days": [1, -1], "count": 4}, 4),
        ({"frequency": "monthly", "days": ["2TU", "-1FR"], "count": 4}, 4),
        ({"frequency": "monthly", "days": ["MO", "TU"], "positions": [-1], "until": "2027-12-31"}, 12),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40", 40),
        ("rrule:freq=daily;until=20270115", 3),
        ("FREQ=DAILY;UNTIL=20270115T080000Z", 3),  # 09:00 in Zurich
        ("FREQ=DAILY;UNTIL=20270115T075959Z", 2),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", 3),
    ],
)
def test_a_recurrence_is_an_object_or_an_rrule(recurrence: object, count: int) -> None:
    assert len(read(SINGLE | {"recurrence": recurrence}).occurrences) == count


def test_as_many_dates_may_be_excluded_as_there_may_be_occurrences() -> None:
    days = [str(date(2027, 1, 14) + timedelta(days=number)) for number in range(1000)]
    document = RecordingDocument.model_validate(
        SINGLE | {"recurrence": {"frequency": "daily", "count": 1000}, "exclude": days}
    )
    assert len(document.schedule(SERVICE_ZONE).wanted) == 1


def test_words_are_cleaned() -> None:
    document = RecordingDocument.model_validate(
        example(
            title="  Öffentliche Vorlesung 🎓 ",
            description="a\r\nb",
            organizer=" ",
            categories=["Canvas > site>channels >1234"],
            resource={"system_name": " HG F 1 ", "name": ""},
        )
    )
    assert document.title == "Öffentliche Vorlesung 🎓"
    assert document.description == "a\nb"
    assert document.organizer is None
    assert document.categories == ["Canvas>site>channels>1234"]
    assert document.resource == NewResource(system_name="HG F 1")


@pytest.mark.parametrize("resource", [562931, "EXTRON-100-ABC", "562931"])
def test_a_resource_may_be_an_id_or_a_system_name(resource: int | str) -> None:
    assert RecordingDocument.model_validate(example(resource=resource)).resource == resource


def test_what_is_kept_of_a_document_reads_as_the_same_document() -> None:
    document = RecordingDocument.model_validate(EXAMPLE)
    kept = document.model_dump(mode="json")
    json.dumps(kept)
    assert RecordingDocument.model_validate(kept) == document
    assert kept["exclude"] == EXAMPLE["exclude"]
