"""Findings about recordings: raised by making it happen, told once, gone when it is mended."""

import pytest
from sqlalchemy import update

from app.chains.models import Chain
from app.findings.recordings import WAITING
from app.recordings.models import Recording
from app.resources.rounds import ENTRIES, RESOURCES
from app.sandbox.seed.seed import CAMERA, RESOURCE_ID
from tests.findings.world import Told, kinds, listed, look, soon
from tests.recordings.documents import SINGLE
from tests.resources.polls import book, make_round, refresh
from tests.service import Json, Lectern, eventually, found, problem

NAMED = SINGLE | {"resource": "EXTRON-100-ABC"}


def waiting(service: Lectern, document: Json = SINGLE) -> str:
    """A recording whose chain can do nothing but wait."""
    service.fault("http_429", "media", "add")
    recording: str = found(service.schedule(document, prefer="respond-async"), 202)["id"]
    eventually(lambda: service.get(f"/recordings/{recording}")["chain"]["status"] == "waiting")
    return recording


def set_chains(service: Lectern, **values: object) -> None:
    with service.app.state.database.write() as session:
        session.execute(update(Chain).values(**values))


def only(service: Lectern, kind: str, recording: str) -> Json:
    """The one finding there is."""
    (one,) = look(service)
    assert (one["kind"], one["subject"]["recording_id"]) == (kind, recording)
    assert one["detail"].endswith(".")
    return one


def mend(service: Lectern, told: Told, one: Json) -> None:
    """By the finding's own action; then it is told that it is over, once."""
    (action, *_) = one["actions"]
    answer = service.client.request(action["method"], action["href"], headers={"Prefer": "wait=20"})
    assert answer.is_success, answer.text
    assert eventually(lambda: look(service) == [])
    assert told == [("raised", one["kind"]), ("cleared", one["kind"])]


@pytest.mark.both_databases
def test_a_stuck_chain(service: Lectern, told: Told) -> None:
    recording = waiting(service)
    assert look(service) == []
    set_chains(service, tried=1e9, next_attempt_at=0.0)
    service.until(recording, "stuck")
    one = only(service, "chain_stuck", recording)
    assert (one["severity"], one["subject"]["resource"]["id"]) == ("now", RESOURCE_ID)
    assert "template_entry" in one["detail"]
    look(service)
    service.heal()
    mend(service, told, one)


def test_a_second_look_that_is_stuck_is_resumed_by_its_own_chain(service: Lectern) -> None:
    """The recording itself is well: resuming that would do nothing."""
    made = service.made(SINGLE)
    error = {"step": "look", "detail": "Kaltura is away"}
    set_chains(service, operation="sweep", subject=f"sweep:{made['id']}", status="stuck", error=error)
    one = only(service, "chain_stuck", made["id"])
    assert one["actions"] == [{"rel": "resume", "method": "POST", "href": f"/chains/{made['chain']['id']}/resume"}]


@pytest.mark.both_databases
def test_a_chain_that_waits_for_more_than_ten_minutes(service: Lectern, told: Told) -> None:
    recording = waiting(service)
    set_chains(service, tried=WAITING + 1)
    one = only(service, "chain_waiting", recording)
    assert one["severity"] == "notice"
    service.heal()
    mend(service, told, one)


def test_a_refused_document_until_it_is_deleted(service: Lectern, told: Told) -> None:
    service.made(NAMED)
    recording = problem(service.schedule(SINGLE), 409, "schedule_conflict")["recording_id"]
    mend(service, told, only(service, "recording_failed", recording))


@pytest.mark.parametrize("reference", [None, "SIS-1"])
def test_a_refused_document_until_it_is_sent_anew(service: Lectern, told: Told, reference: str | None) -> None:
    document = SINGLE | {"reference_id": reference}
    in_its_way = service.made(NAMED)["id"]
    problem(service.schedule(document), 409, "schedule_conflict")
    assert kinds(look(service)) == ["recording_failed"]
    found(service.client.delete(f"/recordings/{in_its_way}"))
    service.made(document)
    assert look(service) == []
    assert told == [("raised", "recording_failed"), ("cleared", "recording_failed")]


def test_a_refused_document_is_a_finding_for_seven_days(service: Lectern) -> None:
    service.made(NAMED)
    problem(service.schedule(SINGLE), 409, "schedule_conflict")
    with service.app.state.database.write() as session:
        session.execute(update(Recording).values(updated_at=soon(-60 * 24 * 7 - 1)))
    assert look(service) == []


# What Kaltura has otherwise


def test_a_session_that_somebody_deleted_in_kaltura(service: Lectern, told: Told) -> None:
    start = soon(60).replace(second=0)
    made = service.made(SINGLE | {"start": start.isoformat()})
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["kaltura"]["events"][0]["id"])
    refresh(service)
    refresh(service)
    one = only(service, "drift", made["id"])
    (session,) = service.get(f"/recordings/{made['id']}/occurrences")["items"]
    assert one["subject"]["occurrence_id"] == session["id"]
    when = f"{start:%Y-%m-%d %H:%M} (UTC)"
    said = f"In Kaltura, 1 session of “t” differs from what Lectern scheduled (missing), the first at {when}."
    assert one["detail"] == said
    mend(service, told, one)


def test_a_template_entry_that_somebody_deleted(service: Lectern, told: Told) -> None:
    made = service.made(SINGLE)
    service.kaltura("media", "delete", entryId=made["kaltura"]["template_entry_id"])
    make_round(service, ENTRIES)
    mend(service, told, only(service, "template_entry_gone", made["id"]))


def delete_resource(service: Lectern) -> None:
    service.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=RESOURCE_ID)


def new_resource(service: Lectern) -> int:
    resource = {"objectType": CAMERA, "name": "New device", "systemName": "EXTRON-100-ABC"}
    return int(service.kaltura("schedule_scheduleResource", "add", scheduleResource=resource)["id"])


def test_a_resource_that_somebody_deleted_and_put_another_in_its_place(service: Lectern, told: Told) -> None:
    made = service.made(NAMED)
    delete_resource(service)
    make_round(service, RESOURCES)
    assert only(service, "resource_gone", made["id"])["subject"]["resource"]["id"] == RESOURCE_ID
    new = new_resource(service)
    make_round(service, RESOURCES)
    one = only(service, "resource_replaced", made["id"])
    assert one["detail"].endswith(
        f"In Kaltura, resource {new} (“New device”) has that system name now, and resource {RESOURCE_ID} "
        "(“EXTRON-100-ABC”), which has the sessions, is not there any more."
    )
    assert told == [("raised", "resource_gone"), ("raised", "resource_replaced"), ("cleared", "resource_gone")]
    told[:] = [("raised", "resource_replaced")]
    mend(service, told, one)
    assert service.get(f"/recordings/{made['id']}")["resource"]["id"] == new


def test_a_resource_that_is_gone_until_the_recording_gets_another(service: Lectern, told: Told) -> None:
    made = service.made(NAMED)
    delete_resource(service)
    make_round(service, RESOURCES)
    only(service, "resource_gone", made["id"])
    found(service.client.patch(f"/recordings/{made['id']}", json={"resource": "EXTRON-200-DEF"}))
    assert look(service) == []
    assert told == [("raised", "resource_gone"), ("cleared", "resource_gone")]


def test_a_name_that_went_to_another_device_while_the_first_is_there(service: Lectern, told: Told) -> None:
    made = service.made(NAMED)
    renamed = {"objectType": CAMERA, "systemName": "OLD-DEVICE"}
    service.kaltura("schedule_scheduleResource", "update", scheduleResourceId=RESOURCE_ID, scheduleResource=renamed)
    make_round(service, RESOURCES)
    assert look(service) == []
    new = new_resource(service)
    make_round(service, RESOURCES)
    one = only(service, "resource_replaced", made["id"])
    assert one["detail"] == (
        f"“{NAMED['title']}” was asked for on the resource with the system name EXTRON-100-ABC. In Kaltura, resource "
        f"{new} (“New device”) has that system name now. The sessions are on resource {RESOURCE_ID} "
        "(“EXTRON-100-ABC”), which has the system name OLD-DEVICE."
    )
    assert f'{{"resource": {new}}}' in one["what_to_do"]
    (action,) = one["actions"]
    patch = {"Content-Type": "application/merge-patch+json"}
    found(service.client.request(action["method"], action["href"], json={"resource": new}, headers=patch))
    assert look(service) == []
    assert told == [("raised", "resource_replaced"), ("cleared", "resource_replaced")]


@pytest.mark.both_databases
def test_sessions_in_each_others_way(service: Lectern, told: Told) -> None:
    start = soon(60).replace(second=0)
    made = service.made(SINGLE | {"start": start.isoformat()})
    theirs = book(service, start, summary="Theirs")
    refresh(service)
    one = only(service, "sessions_overlap", made["id"])
    assert (one["severity"], "Theirs" in one["detail"]) == ("soon", False)
    assert [action["rel"] for action in one["actions"]] == ["move", "cancel"]
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=theirs["id"])
    refresh(service)
    assert look(service) == []
    assert told == [("raised", "sessions_overlap"), ("cleared", "sessions_overlap")]


def test_an_overlap_that_both_documents_allow_is_a_notice(service: Lectern) -> None:
    document = SINGLE | {"start": soon(60).replace(second=0).isoformat(), "on_conflict": "allow"}
    made = {service.made(document)["id"], service.made(document)["id"]}
    shown = look(service)
    assert {one["subject"]["recording_id"] for one in shown} == made
    assert {one["severity"] for one in shown} == {"notice"}


def test_sessions_back_to_back_and_on_other_days_are_in_nobodys_way(service: Lectern) -> None:
    start = soon(60).replace(second=0)
    service.made(SINGLE | {"start": start.isoformat(), "duration_minutes": 60})
    book(service, soon(120).replace(second=0))
    refresh(service)
    assert look(service) == []


def test_what_is_found_can_be_asked_for_in_part_and_page_by_page(service: Lectern) -> None:
    document = SINGLE | {"start": soon(60).replace(second=0).isoformat(), "on_conflict": "allow"}
    for _ in range(3):
        service.made(document)
    service.client.put("/resources/EXTRON-200-DEF/state", json={"state": "error"})
    whole = look(service)
    assert kinds(whole) == ["encoder_error", *["sessions_overlap"] * 3]
    assert listed(service, severity="now") == whole[:1]
    assert listed(service, kind="sessions_overlap") == listed(service, resource="EXTRON-100-ABC") == whole[1:]
    assert listed(service, resource=str(RESOURCE_ID + 1), severity=["now", "soon"]) == whole[:1]
    assert listed(service, resource="NOWHERE") == []
    pages, cursor = [], None
    while page := service.get("/findings", limit=1, **({"cursor": cursor} if cursor else {})):
        pages += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == whole
