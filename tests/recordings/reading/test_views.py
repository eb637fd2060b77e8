"""What the recordings' endpoints show."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from app.recordings.document.document import EXAMPLE, RecordingDocument
from app.recordings.reading.views import HistoryPage, OccurrenceView, RecordedView, RecordingView, RoomView

AT = datetime(2026, 11, 22, 14, 3, 7, tzinfo=UTC)
STEP: dict[str, Any] = {
    "name": "template_entry",
    "status": "waiting",
    "attempts": 2,
    "kaltura_id": "1_erl8rgx8",
    "started_at": AT.replace(microsecond=120_000),
    "finished_at": None,
    "next_attempt_at": AT,
    "error": {"code": "kaltura_unavailable", "detail": "Kaltura does not answer.", "kaltura_code": "X"},
}
CHAIN: dict[str, Any] = {
    "id": "chn_1",
    "operation": "schedule",
    "status": "waiting",
    "created_at": AT,
    "finished_at": None,
    "steps": [STEP],
}
STANDING: dict[str, Any] = {
    "id": "rec_1",
    "status": "scheduling",
    "resource": {"id": None, "system_name": "EXTRON-100-ABC", "name": None},
    "time_zone": "America/New_York",
    "occurrence_count": 36,
    "first_start": datetime(2027, 1, 13, 14, tzinfo=UTC),
    "last_end": datetime(2027, 4, 14, 13, 50, tzinfo=UTC),
    "kaltura": {"template_entry_id": None, "events": [{"id": 1336591, "kind": "series", "occurrences": 40}]},
    "chain": CHAIN,
    "problem": None,
    "drift": [],
    "warnings": [],
    "created_at": AT,
    "updated_at": AT,
}


def shown(**changes: Any) -> dict[str, Any]:
    """A recording of DESIGN's example as an answer has it."""
    document = RecordingDocument.model_validate(EXAMPLE).model_dump(mode="json")
    return RecordingView.model_validate({**document, **STANDING, **changes}).model_dump(mode="json", by_alias=True)


def test_a_recording_shows_its_document_and_what_became_of_it() -> None:
    view = shown()
    assert {name: view[name] for name in EXAMPLE if name not in ("resource", "recurrence")} == {
        name: value for name, value in EXAMPLE.items() if name not in ("resource", "recurrence")
    }
    assert EXAMPLE["recurrence"].items() <= view["recurrence"].items()
    assert view["resource"] == STANDING["resource"]
    assert list(view)[:2] == ["id", "status"]


def test_instants_are_shown_in_utc() -> None:
    view = shown()
    assert (view["first_start"], view["last_end"]) == ("2027-01-13T14:00:00Z", "2027-04-14T13:50:00Z")
    assert (view["created_at"], view["chain"]["created_at"]) == ("2026-11-22T14:03:07Z", "2026-11-22T14:03:07Z")
    assert view["chain"]["steps"][0]["started_at"] == "2026-11-22T14:03:07.120Z"


def test_a_failure_keeps_what_else_it_says() -> None:
    problem = {
        "type": "urn:lectern:problem:schedule_conflict",
        "title": "The resource is booked already",
        "status": 409,
        "detail": "Choose another time.",
        "code": "schedule_conflict",
        "conflicts": [{"start": "2027-01-13T14:00:00Z"}],
    }
    view = shown(status="failed", problem=problem)
    assert view["problem"] == problem
    assert view["chain"]["steps"][0]["error"] == STEP["error"]


@pytest.mark.parametrize("recurrence", [None, "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40"])
def test_a_recurrence_is_shown_as_it_was_sent(recurrence: str | None) -> None:
    assert shown(recurrence=recurrence)["recurrence"] == recurrence


def test_an_occurrence_has_its_time_twice() -> None:
    start = datetime(2027, 1, 13, 14, tzinfo=UTC)
    view = OccurrenceView(
        id="occ_1",
        title="MATH-123",
        start=start,
        end=start.replace(minute=50),
        local_start=start.astimezone(ZoneInfo("America/New_York")),
        time_zone="America/New_York",
        status="scheduled",
        reason=None,
        event_id=1336592,
        resource=RoomView(id=562931, system_name="EXTRON-100-ABC", name="Hall 1"),
        recorded=RecordedView(entry_id="1_q7w2e9rt", duration_seconds=2987),
    )
    assert view.model_dump(mode="json") == {
        "recorded": {"entry_id": "1_q7w2e9rt", "duration_seconds": 2987},
        "id": "occ_1",
        "title": "MATH-123",
        "start": "2027-01-13T14:00:00Z",
        "end": "2027-01-13T14:50:00Z",
        "local_start": "2027-01-13T09:00:00-05:00",
        "time_zone": "America/New_York",
        "status": "scheduled",
        "reason": None,
        "event_id": 1336592,
        "resource": {"id": 562931, "system_name": "EXTRON-100-ABC", "name": "Hall 1"},
    }


def test_a_history_is_a_page_of_chains() -> None:
    history = HistoryPage.model_validate({"items": [CHAIN], "next_cursor": None}).model_dump(mode="json")
    assert [chain["operation"] for chain in history["items"]] == ["schedule"]


@pytest.mark.parametrize("view", [RecordingView, OccurrenceView, HistoryPage])
def test_every_field_is_described_and_always_there(view: type[BaseModel]) -> None:
    schema = view.model_json_schema(mode="serialization")
    sent = {"Recurrence", "DateRange", "Extra"}  # parts of the document, described there
    models = [schema, *(model for name, model in schema.get("$defs", {}).items() if name not in sent)]
    for model in models:
        properties = model.get("properties", {})
        assert set(model.get("required", [])) == set(properties)
        assert all(field["description"] for field in properties.values())
