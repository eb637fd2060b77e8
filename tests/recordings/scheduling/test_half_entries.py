"""Entries that Kaltura has made by halves, or without a word: in the end each recording has one, and it is whole."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import from_code
from app.kaltura.types import Entry, EntryDraft
from app.sandbox.seed.seed import CATEGORY_ID
from tests.recordings.documents import example
from tests.service import IMPATIENT, NOTHING, Json, Lectern, found, lectern, problem

CHANNEL = "Canvas>site>channels>1234"
PEOPLE = {"owner": "lecturer1", "editors": ["ta1"], "publishers": ["ta2"]}
TOGETHER = 8


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path, workers=TOGETHER, pauses=IMPATIENT) as running:
        yield running


def document(number: int = 0, **changes: object) -> Json:
    room = {"system_name": f"ROOM-{number}", "name": f"Room {number}"}
    asked: Json = {"reference_id": f"SIS-{number}", "resource": room, "categories": [CATEGORY_ID, CHANNEL]}
    return example(**asked | PEOPLE | changes)


def whole(entry: Json) -> bool:
    """Whether an entry is what `document()` asks for."""
    return (
        sorted(entry["categories"].split(",")) == sorted(["Mathematics", CHANNEL])
        and (entry["userId"], entry["entitledUsersEdit"], entry["entitledUsersPublish"]) == ("lecturer1", "ta1", "ta2")
        and (entry["name"], entry["tags"]) == ("MATH-123 Linear Algebra", "mathematics, kaltura")
        and entry["description"] == "Section 01, fall term"
    )


def entries_of(service: Lectern, recording: Json) -> list[Json]:
    mark = f"lectern-{recording['id']}-"
    return [one for one in service.left()["entries"] if one.get("referenceId", "").startswith(mark)]


def scheduled(service: Lectern, asked: Json) -> Json:
    accepted = found(service.schedule(asked, prefer="respond-async"), 202)
    return service.until(accepted["id"], "scheduled", 60.0)


HALVES = {
    "no answer": {"half_entry": {"answer": "none", "times": 1}},
    "a bad gateway": {"half_entry": {"answer": "http_502", "times": 1}},
    "success": {"half_entry": {"answer": "success", "times": 1}},
    "success, and never indexed": {"half_entry": {"answer": "success", "indexed": False, "times": 1}},
}


@pytest.mark.parametrize("half", HALVES)
def test_an_entry_that_is_made_by_halves_is_completed(service: Lectern, half: str) -> None:
    service.sandbox.set_faults({"modes": HALVES[half]})
    recording = scheduled(service, document())
    (entry,) = service.left()["entries"]
    assert whole(entry)
    assert recording["kaltura"]["template_entry_id"] == entry["id"]
    assert service.calls().count("media.add") == 1


def test_an_entry_that_was_completed_goes_with_its_recording(service: Lectern) -> None:
    service.sandbox.set_faults({"modes": HALVES["no answer"]})
    recording = scheduled(service, document())
    found(service.client.delete(f"/recordings/{recording['id']}", headers={"Prefer": "wait=30"}))
    assert service.left() == NOTHING


def test_of_an_entry_that_the_index_never_saw_nothing_is_scheduled_and_another_is_made(service: Lectern) -> None:
    """No list of Kaltura's shows it, so it stays (docs/kaltura.md): without sessions, and without a second one."""
    service.sandbox.set_faults({"modes": {"half_entry": {"indexed": False, "times": 1}}})
    recording = scheduled(service, document())
    lost, entry = service.left()["entries"]
    assert (whole(lost), whole(entry)) == (False, True)
    assert recording["kaltura"]["template_entry_id"] == entry["id"]
    assert {one.get("templateEntryId", entry["id"]) for one in service.left()["events"]} == {entry["id"]}


def test_what_is_made_without_a_search_engine_is_used_by_its_id(service: Lectern) -> None:
    """`media.add` answers with it, and no list ever shows it."""

    def away(_service: str, action: str, phase: str) -> None:
        if action == "add" and _service == "media":
            service.sandbox.set_faults({"modes": {"engine_down": True}} if phase == "before" else {})

    service.sandbox.watch = away
    recording = scheduled(service, document())
    (entry,) = service.left()["entries"]
    assert whole(entry)
    assert recording["kaltura"]["template_entry_id"] == entry["id"]


def test_what_is_found_with_other_words_gets_those_that_were_asked_for(service: Lectern) -> None:
    service.fault("drop_after", "media", "add", times=1)
    changed: list[Json] = []

    def change(_service: str, action: str, phase: str) -> None:
        if (action, phase) == ("listByReferenceId", "before") and not changed:
            changed.append(service.left()["entries"][0])
            other = {"objectType": "KalturaMediaEntry", "name": "x", "tags": "", "entitledUsersEdit": "", "userId": "y"}
            service.kaltura("media", "update", entryId=changed[0]["id"], mediaEntry=other)

    service.sandbox.watch = change
    scheduled(service, document())
    (entry,) = service.left()["entries"]
    assert whole(entry)
    assert entry["id"] == changed[0]["id"]


def test_what_is_found_whole_is_left_as_it_is(service: Lectern) -> None:
    service.fault("drop_after", "media", "add", times=1)
    scheduled(service, document())
    assert {"media.update", "categoryEntry.add", "media.delete"} & set(service.calls()) == set()


@pytest.mark.parametrize("answer", ["none", "success"])
@pytest.mark.parametrize("code", ["CANNOT_ASSIGN_ENTRY_TO_CATEGORY", "MAX_CATEGORIES_FOR_ENTRY_REACHED"])
def test_what_cannot_be_completed_is_made_anew(service: Lectern, answer: str, code: str) -> None:
    fault = {"service": "categoryEntry", "action": "add", "fault": "error", "code": code}
    service.sandbox.set_faults({"faults": [fault], "modes": {"half_entry": {"answer": answer, "times": 1}}})
    scheduled(service, document())
    (entry,) = service.left()["entries"]
    assert whole(entry)
    assert entry["status"] == 7


def test_a_stranger_s_entry_is_never_touched(service: Lectern) -> None:
    """Not even one that the search takes for the recording's: it does not look at the case."""
    strangers: list[Json] = []

    def add_stranger(_service: str, action: str, phase: str) -> None:
        if (action, phase) == ("listByReferenceId", "before") and not strangers:
            reference = service.left()["entries"][-1]["referenceId"]
            theirs = {"mediaType": 1, "name": "Theirs", "categoriesIds": str(CATEGORY_ID)}
            strangers.append(service.kaltura("media", "add", entry=theirs | {"referenceId": reference.upper()}))

    service.sandbox.set_faults({"modes": {"half_entry": {"indexed": False, "times": 1}}})
    service.sandbox.watch = add_stranger
    recording = scheduled(service, document())
    service.sandbox.watch = None
    found(service.client.delete(f"/recordings/{recording['id']}", headers={"Prefer": "wait=30"}))
    assert strangers[0] in service.left()["entries"]


# Many at once


@pytest.mark.parametrize(
    "common",
    [{}, {"categories": [CHANNEL]}, {"categories": [], "owner": "new.lecturer"}, {"editors": ["ta1", "new.ta"]}],
    ids=["two categories", "a category", "an owner", "an editor"],
)
def test_eight_at_once_with_something_in_common_have_one_whole_entry_each(service: Lectern, common: Json) -> None:
    service.sandbox.set_faults({"modes": {"lock_timeout": 2}})
    with ThreadPoolExecutor(TOGETHER) as clients:
        recordings = list(clients.map(lambda number: scheduled(service, document(number, **common)), range(TOGETHER)))
    asked = document(**common)
    for recording in recordings:
        (entry,) = entries_of(service, recording)
        assert len([name for name in entry["categories"].split(",") if name]) == len(asked["categories"])
        assert (entry["userId"], entry["entitledUsersEdit"]) == (asked["owner"], ",".join(asked["editors"]))
        assert recording["kaltura"]["template_entry_id"] == entry["id"]
    assert len(service.left()["entries"]) == TOGETHER


# Codes that nobody knows


def test_a_code_that_is_not_known_is_looked_up_and_tried_again(service: Lectern) -> None:
    service.fault("error", "media", "add", code="NEVER_HEARD_OF", times=2)
    scheduled(service, document())
    assert whole(*service.left()["entries"])
    assert [call for call in service.calls() if call in ("media.add", "baseEntry.listByReferenceId")] == [
        *["media.add", "baseEntry.listByReferenceId", "baseEntry.listByReferenceId"] * 2,
        "media.add",
    ]


@pytest.mark.parametrize(
    ("name", "action"),
    [("media", "add"), ("schedule_scheduleEvent", "add"), ("schedule_scheduleEventResource", "add")],
)
def test_a_code_that_is_not_known_and_comes_again_and_again_is_told(service: Lectern, name: str, action: str) -> None:
    service.fault("error", name, action, code="NEVER_HEARD_OF")
    answer = service.schedule(document(), prefer="wait=30")
    shown = problem(answer, 422, "refused_by_kaltura")
    assert (shown["kaltura_code"], "NEVER_HEARD_OF" in shown["detail"]) == ("NEVER_HEARD_OF", True)
    assert service.calls().count(f"{name.removeprefix('schedule_')}.{action}") == 3
    assert service.left() == NOTHING


def test_what_a_refusal_has_left_behind_is_removed(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaltura counts an entry's categories when it saves them: the entry is there already, each time."""
    add_entry, code, made = KalturaClient.add_entry, "MAX_CATEGORIES_FOR_ENTRY_REACHED", list[str]()

    def refused(client: KalturaClient, draft: EntryDraft) -> Entry:
        made.append(add_entry(client, replace(draft, category_ids=())).id)
        raise from_code(code, "", {})

    monkeypatch.setattr(KalturaClient, "add_entry", refused)
    service.fault("error", "categoryEntry", "add", code=code)
    shown = problem(service.schedule(document(), prefer="wait=30"), 422, "refused_by_kaltura")
    assert "Name fewer categories" in shown["detail"]
    assert len(made) == 3
    assert service.left() == NOTHING
