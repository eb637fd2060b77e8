"""What somebody changed in Kaltura is shown as drift, and `resume` mends it (row 23)."""

from typing import Any

from sqlalchemy import update

from app.resources.models import Mirror
from app.resources.rounds import ENTRIES, RESOURCES
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.documents import example
from tests.resources.mirrored import DAY
from tests.resources.polls import make_round, poll
from tests.sandbox.kaltura import HOUR, MONDAY, event, weekly
from tests.service import Json, Lectern, eventually, found


def drift(service: Lectern, recording_id: str, *, wanted: bool) -> list[Json]:
    """What is confirmed, as soon as refreshes that follow each other say so."""

    def look() -> list[Json] | None:
        with service.app.state.database.write() as session:
            session.execute(update(Mirror).values(due_at=0.0, claimed_at=0.0))
        shown: list[Json] = service.get(f"/recordings/{recording_id}")["drift"]
        return shown if bool(shown) is wanted else None

    return eventually(look, 30) if wanted else eventually(lambda: [] if look() == [] else None, 30)


def children(service: Lectern) -> list[Json]:
    events = service.left()["events"]
    return [event for event in events if event["recurrenceType"] == 2 and event["status"] == 2]


def mended(service: Lectern, recording: Json) -> Any:
    return found(service.client.post(f"/recordings/{recording['id']}/resume"), 200)


def test_a_session_that_was_cancelled_in_kaltura_is_made_again(service: Lectern) -> None:
    recording = service.made(example())
    lost = children(service)[3]
    service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=lost["id"])
    (one,) = drift(service, recording["id"], wanted=True)
    assert (one["kind"], one["event_id"]) == ("missing", None)
    assert mended(service, recording)["chain"]["operation"] == "mend"
    again = children(service)
    assert len(again) == 36
    assert lost["startDate"] in [event["startDate"] for event in again]
    assert len(service.left()["event_resources"]) == 2


def test_what_resume_has_mended_is_not_in_its_answer(service: Lectern) -> None:
    recording = service.made(example())
    lost = children(service)[0]
    service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=lost["id"])
    next_day = {"startDate": MONDAY + DAY, "endDate": MONDAY + DAY + HOUR}
    given = event(referenceId=f"lectern-{recording['id']}-9", **next_day)
    extra = service.kaltura("schedule_scheduleEvent", "add", scheduleEvent=given)
    link = {"objectType": "KalturaScheduleEventResource", "eventId": extra["id"], "resourceId": RESOURCE_ID}
    service.kaltura("schedule_scheduleEventResource", "add", scheduleEventResource=link)
    found_out = eventually(lambda: all_of(service, recording["id"], 2), 30)
    assert sorted(one["kind"] for one in found_out) == ["extra", "missing"]
    assert mended(service, recording)["drift"] == []
    assert eventually(lambda: all_of(service, recording["id"], 0) == [])


def all_of(service: Lectern, recording_id: str, count: int) -> list[Json] | None:
    with service.app.state.database.write() as session:
        session.execute(update(Mirror).values(due_at=0.0, claimed_at=0.0))
    shown: list[Json] = service.get(f"/recordings/{recording_id}")["drift"]
    return shown if len(shown) == count else None


def test_a_recording_whose_resource_or_template_entry_is_gone_says_so(service: Lectern) -> None:
    recording = service.made(example())
    poll(service)
    make_round(service)
    service.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=RESOURCE_ID)
    service.kaltura("media", "delete", entryId=recording["kaltura"]["template_entry_id"])
    for name in (RESOURCES, ENTRIES):
        make_round(service, name)
    shown = service.get(f"/recordings/{recording['id']}")["drift"]
    assert sorted(one["kind"] for one in shown) == ["resource_gone", "template_entry_gone"]
    assert {one["occurrence_id"] or one["event_id"] for one in shown} == {None}
    figures = service.client.get("/metrics").text
    for kind in ("resource_gone", "template_entry_gone"):
        assert f'lectern_drift_sessions{{kind="{kind}"}} 1.0' in figures
    assert "lectern_drift_recordings 1.0" in figures
    assert found(service.client.delete(f"/recordings/{recording['id']}"))["drift"] == []


def test_row_23_a_series_that_was_deleted_in_kaltura_is_made_again(service: Lectern) -> None:
    recording = service.made(example())
    before = sorted(event["startDate"] for event in children(service))
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=recording["kaltura"]["events"][0]["id"])
    assert len(drift(service, recording["id"], wanted=True)) == 36
    uids = [each["id"] for each in service.get(f"/recordings/{recording['id']}/occurrences")["items"]]
    shown = mended(service, recording)
    assert (shown["status"], shown["occurrence_count"]) == ("scheduled", 36)
    assert sorted(event["startDate"] for event in children(service)) == before
    assert len(shown["kaltura"]["events"]) == 1
    assert [each["id"] for each in service.get(f"/recordings/{recording['id']}/occurrences")["items"]] == uids


def three_sessions(service: Lectern) -> Json:
    """A recording with three sessions."""
    return service.made(example(recurrence={"frequency": "weekly", "days": ["MO"], "count": 3}, exclude=[]))


def event_ids(service: Lectern, recording: Json) -> list[int]:
    """Where its sessions are by Lectern's word."""
    return [each["event_id"] for each in service.get(f"/recordings/{recording['id']}/occurrences")["items"]]


def test_a_session_that_was_moved_in_kaltura_is_put_back(service: Lectern) -> None:
    recording = three_sessions(service)
    before = [event["startDate"] for event in children(service)]
    moved = children(service)[1]
    service.kaltura.update(moved["id"], startDate=moved["startDate"] + HOUR, endDate=moved["endDate"] + HOUR)
    assert [one["kind"] for one in drift(service, recording["id"], wanted=True)] == ["moved"]
    mended(service, recording)
    assert sorted(event["startDate"] for event in children(service)) == before
    assert sorted(event_ids(service, recording)) == sorted(event["id"] for event in children(service))


def test_what_is_extra_in_kaltura_is_cancelled_there(service: Lectern) -> None:
    recording = three_sessions(service)
    kept = [event["id"] for event in children(service)]
    series = service.kaltura.add_event(
        **weekly(2), referenceId=f"lectern-{recording['id']}-9", startDate=MONDAY + DAY, endDate=MONDAY + DAY + HOUR
    )
    service.kaltura.link(series["id"], RESOURCE_ID)
    found_out = drift(service, recording["id"], wanted=True)
    assert [(one["kind"], one["occurrence_id"]) for one in found_out] == [("extra", None)] * 2
    assert len(children(service)) == 5
    mended(service, recording)
    assert [event["id"] for event in children(service)] == kept


def test_sessions_that_kaltura_made_anew_are_known_by_their_new_ids(service: Lectern) -> None:
    recording = three_sessions(service)
    series, before = recording["kaltura"]["events"][0]["id"], event_ids(service, recording)
    start = children(service)[0]["startDate"]
    for begins in (start + HOUR, start):  # there and back
        service.kaltura.update(series, startDate=begins, endDate=begins + HOUR)
    length = 60 * recording["duration_minutes"]
    service.kaltura.update(series, startDate=start, endDate=start + length)
    assert {one["kind"] for one in drift(service, recording["id"], wanted=True)} == {"replaced"}
    service.calls()
    mended(service, recording)
    now = event_ids(service, recording)
    assert set(now).isdisjoint(before)
    assert sorted(now) == sorted(event["id"] for event in children(service))
    assert service.writes() == []
