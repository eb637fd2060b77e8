"""Words and people: they change in place, no session is touched, and what others did to the entry stays."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.resources.models import Occurrence, OccurrenceStatus
from app.sandbox.seed.seed import CATEGORY_ID
from tests.recordings.changing.scene import COUNT, Scene, begun, document, watched
from tests.service import Json, Lectern, found, problem

CHANNEL = "Canvas>site>channels>1234"


def categories(scene: Scene) -> set[str]:
    return set(scene.service.kaltura("media", "get", entryId=scene.entry()["id"])["categories"].split(",")) - {""}


def channel_id(service: Lectern) -> int:
    listed = service.kaltura("category", "list", filter={"fullNameEqual": CHANNEL})["objects"]
    return int(listed[0]["id"])


def series(scene: Scene) -> list[Json]:
    return [one for one in scene.events() if one["recurrenceType"] == 1]


def test_a_new_title_keeps_every_id_and_shows_on_past_sessions_too(scene: Scene) -> None:
    assert scene.cancel(20).status_code == 200
    scene.look()
    before = scene.sessions()
    scene.changed(title="Linear Algebra I")
    assert scene.sessions() == before
    assert {one["summary"] for one in scene.events()} == {"Linear Algebra I"}
    assert scene.entry()["name"] == "Linear Algebra I"
    assert scene.service.writes() == ["scheduleEvent.cancel", "media.update", "scheduleEvent.update"]
    scene.holds()


def test_every_event_of_a_recording_gets_its_new_words(scene: Scene) -> None:
    scene.changed(start=scene.local(hours=2))
    assert scene.move(20, start=scene.local(20, hours=5)).status_code == 200
    scene.look()
    scene.changed(title="New", location="Room 1")
    assert len(series(scene)) == 3
    assert {(one["summary"], one["location"]) for one in series(scene)} == {("New", "Room 1")}
    scene.holds()


WORDS: dict[
    str, tuple[Any, dict[str, tuple[str, Any]]]
] = {  # field: the new value; where it stands in Kaltura, and how
    "title": ("Algebra", {"entry": ("name", "Algebra"), "event": ("summary", "Algebra")}),
    "description": ("Two\nlines", {"entry": ("description", "Two\nlines"), "event": ("description", "Two\nlines")}),
    "tags": (["one", "two"], {"entry": ("tags", "one, two"), "event": ("tags", "one,two")}),
    "owner": ("lecturer2", {"entry": ("userId", "lecturer2")}),
    "editors": (["ta1", "ta2"], {"entry": ("entitledUsersEdit", "ta1,ta2")}),
    "publishers": (["ta3"], {"entry": ("entitledUsersPublish", "ta3")}),
    "organizer": ("Dean", {"event": ("organizer", "Dean")}),
    "contact": ("av@campus.example", {"event": ("contact", "av@campus.example")}),
    "location": ("Room 1", {"event": ("location", "Room 1")}),
    "visibility": ("private", {"event": ("classificationType", 2)}),
    "related_entries": (["1_abcd1234"], {"event": ("entryIds", "1_abcd1234")}),
    "reference_id": ("SIS-other", {"event": ("comment", "SIS-other")}),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_changed_where_it_stands(scene: Scene, name: str) -> None:
    value, expected = WORDS[name]
    shown = scene.changed(**{name: value})
    assert shown[name] == value
    found_there = {"entry": scene.entry(), "event": series(scene)[0]}
    assert {kind: (key, found_there[kind][key]) for kind, (key, _) in expected.items()} == expected
    writes = {"entry": "media.update", "event": "scheduleEvent.update"}
    assert scene.service.writes() == [writes[kind] for kind in expected]
    scene.holds()


CLEARED: dict[str, dict[str, tuple[str, Any]]] = {  # field: where it stood in Kaltura, and what is there afterwards
    "description": {"entry": ("description", ""), "event": ("description", "")},
    "tags": {"entry": ("tags", ""), "event": ("tags", "")},
    "owner": {"entry": ("userId", "lectern")},  # the service's own user, as of what never had another
    "editors": {"entry": ("entitledUsersEdit", "")},
    "publishers": {"entry": ("entitledUsersPublish", "")},
    "organizer": {"event": ("organizer", "")},
    "contact": {"event": ("contact", "")},
    "location": {"event": ("location", "")},
    "related_entries": {"event": ("entryIds", "")},
    "visibility": {"event": ("classificationType", 1)},
    "reference_id": {"event": ("comment", "")},
}
FILLED: dict[str, Any] = {name: value for name, (value, _) in WORDS.items() if name != "reference_id"}


@pytest.mark.parametrize("name", CLEARED)
def test_null_clears_a_field(service: Lectern, name: str) -> None:
    scene = begun(service, **FILLED)
    shown = scene.changed(**{name: None})
    there = {"entry": scene.entry(), "event": series(scene)[0]}
    cleared = CLEARED[name]
    assert {kind: (key, there[kind].get(key, "")) for kind, (key, _) in cleared.items()} == cleared
    assert shown[name] in (None, [], "public")
    scene.holds()


def test_an_owner_who_is_left_out_of_a_put_owns_it_no_more(service: Lectern) -> None:
    scene = begun(service, owner="lecturer1")
    found(service.client.put(f"/recordings/by-reference/{scene.reference}", json=document(scene)))
    assert scene.entry()["userId"] == "lectern"


def test_an_owner_who_was_taken_away_by_a_refused_change_owns_it_still(service: Lectern) -> None:
    scene = begun(service, owner="lecturer1")
    service.fault("error", "schedule_scheduleEvent", "add", code="INVALID_PARAMETER_CHAR", times=1)
    problem(scene.patch(owner=None, start=scene.local(hours=2)), 422, "refused_by_kaltura")
    assert scene.service.writes().count("media.update") == 2
    assert scene.entry()["userId"] == "lecturer1"


def test_the_feed_shows_the_new_words(scene: Scene) -> None:
    scene.changed(title="New", description=None, tags=["fresh"])
    scene.holds()
    shown = scene.service.get(f"/resources/{scene.room}/upcoming")["occurrences"]
    assert {(one["title"], one["description"], tuple(one["tags"])) for one in shown} == {("New", None, ("fresh",))}
    listed = scene.service.get("/recordings", tag="fresh", limit=100)["items"]
    assert [one["id"] for one in listed] == [scene.id]


def test_words_and_times_change_together(scene: Scene) -> None:
    scene.changed(title="New", start=scene.local(hours=2), resource=scene.other)
    assert {one["summary"] for one in scene.events()} == {"New"}
    scene.holds()


# Categories


def test_categories_are_added_and_removed_and_others_stay(scene: Scene) -> None:
    somebody_s = scene.service.kaltura("category", "add", category={"name": f"Theirs {scene.number}"})
    given = {"categoryId": somebody_s["id"], "entryId": scene.entry()["id"]}
    scene.service.kaltura("categoryEntry", "add", categoryEntry=given)
    scene.service.calls()
    scene.changed(categories=[CHANNEL])
    assert categories(scene) == {CHANNEL, somebody_s["fullName"]}
    assert scene.service.writes() == ["categoryEntry.add", "categoryEntry.delete"]
    scene.changed(categories=None)
    assert categories(scene) == {somebody_s["fullName"]}
    scene.holds()


def test_the_same_category_by_id_and_by_name_is_one(scene: Scene) -> None:
    scene.changed(categories=["Mathematics"])
    assert (categories(scene), scene.service.writes()) == ({"Mathematics"}, [])


def test_a_category_that_is_there_already_or_gone_already_is_as_wanted(scene: Scene) -> None:
    entry_id = scene.entry()["id"]
    channel = channel_id(scene.service)
    scene.service.kaltura("categoryEntry", "add", categoryEntry={"categoryId": channel, "entryId": entry_id})
    scene.service.kaltura("categoryEntry", "delete", categoryId=CATEGORY_ID, entryId=entry_id)
    scene.changed(categories=[channel])
    assert categories(scene) == {CHANNEL}


@pytest.mark.parametrize("unknown", ["No>such", 4711])
def test_an_unknown_category_is_refused_and_named_as_in_a_new_document(scene: Scene, unknown: int | str) -> None:
    wrong: Json = {"categories": [CHANNEL, unknown], "title": "New"}
    shown = problem(scene.patch(**wrong), 422, "category_not_found")
    assert [error["pointer"] for error in shown["errors"]] == ["/categories/1"]
    preview = scene.service.client.post("/recordings/preview", json=document(scene, **wrong))
    new = problem(preview, 422, "category_not_found")
    said = ("detail", "errors", "kaltura_code")
    assert [shown.get(part) for part in said] == [new.get(part) for part in said]
    assert (categories(scene), scene.entry()["name"]) == ({"Mathematics"}, "Linear Algebra")
    assert scene.service.get(scene.path)["title"] == "Linear Algebra"
    scene.holds()


def test_a_refused_change_takes_back_only_the_categories_that_it_gave(scene: Scene) -> None:
    entry_id = scene.entry()["id"]
    theirs = {"categoryId": channel_id(scene.service), "entryId": entry_id}
    scene.service.kaltura("categoryEntry", "add", categoryEntry=theirs)
    another = scene.service.kaltura("category", "add", category={"name": f"Another {scene.number}"})["id"]
    scene.service.fault("error", "schedule_scheduleEvent", "add", code="INVALID_PARAMETER_CHAR", times=1)
    problem(scene.patch(categories=[CHANNEL, another], start=scene.local(hours=2)), 422, "refused_by_kaltura")
    assert categories(scene) == {"Mathematics", CHANNEL}


@pytest.mark.parametrize("fault", ["drop_after", "http_500", "error"])
def test_a_refused_change_takes_back_what_it_did_without_an_answer(scene: Scene, fault: str) -> None:
    """Sent again, it is told that it is done already: by itself, and not by somebody else."""
    lost = {"fault": fault, "service": "categoryEntry", "times": 1, "code": "LOCK_TIMED_OUT"}
    refused = {"fault": "error", "service": "schedule_scheduleEvent", "action": "add", "code": "SCHEDULE_TIME_IN_USE"}
    faults = [{**lost, "action": "add"}, {**lost, "action": "delete"}, {**refused, "times": 1}]
    scene.service.sandbox.set_faults({"faults": faults})
    patch = {"categories": [CHANNEL], "start": scene.local(hours=2)}
    answer = scene.service.client.patch(scene.path, json=patch, headers={"Prefer": "wait=30"})
    problem(answer, 422, "refused_by_kaltura")
    assert categories(scene) == {"Mathematics"}


@pytest.mark.parametrize("call", ["media.update", "categoryEntry.add", "categoryEntry.delete"])
def test_a_lock_that_times_out_is_waited_for(scene: Scene, call: str) -> None:
    service, action = call.split(".")
    scene.service.fault("error", service, action, code="LOCK_TIMED_OUT", times=2)
    patch = {"title": "New", "editors": ["new.ta"], "categories": [CHANNEL]}
    found(scene.service.client.patch(scene.path, json=patch, headers={"Prefer": "wait=30"}))
    assert (categories(scene), scene.entry()["name"], scene.entry()["entitledUsersEdit"]) == (
        *({CHANNEL}, "New"),
        "new.ta",
    )
    assert scene.service.calls().count(call) == 3


# Things that are gone


def test_words_of_what_was_deleted_by_hand_change_all_the_same(scene: Scene) -> None:
    """What is left of it gets them, and the recording, which can be mended."""
    event = scene.recording["kaltura"]["events"][0]["id"]
    scene.service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=event)
    assert scene.changed(title="New")["title"] == "New"
    scene.service.kaltura("media", "delete", entryId=scene.recording["kaltura"]["template_entry_id"])
    assert scene.changed(title="Newer", categories=[CHANNEL])["title"] == "Newer"


def test_a_cancelled_session_that_an_update_brought_back_is_cancelled_again(scene: Scene) -> None:
    """Somebody moves a cancelled session in Kaltura itself; the update of its series makes it anew, and active."""
    assert scene.cancel(20).status_code == 200
    event_id = scene.occurrences()[20]["event_id"]
    times = {
        "startDate": int(scene.start(20, hours=3).timestamp()),
        "endDate": int(scene.start(20, hours=4).timestamp()),
    }
    scene.service.kaltura.update(event_id, **times)
    scene.look()
    scene.changed(title="New")
    assert scene.status(20) == "cancelled"
    assert scene.recording["occurrence_count"] == COUNT - 1
    scene.holds()


def test_a_change_while_the_chain_waits_for_kaltura_is_done_when_it_is_back(scene: Scene) -> None:
    with watched(scene.service, "media.update", "before", lambda: scene.service.fault("http_500", times=2)):
        answer = scene.service.client.patch(scene.path, json={"title": "New"}, headers={"Prefer": "respond-async"})
        found(answer, 202)
        scene.until_settled()
    assert scene.service.get(scene.path)["title"] == "New"
    scene.holds()


def test_a_cancelled_session_that_stays_so_is_not_cancelled_again(scene: Scene) -> None:
    assert scene.cancel(20).status_code == 200
    scene.service.writes()
    scene.changed(title="New")
    assert scene.service.writes() == ["media.update", "scheduleEvent.update"]
    scene.holds()


def test_what_is_over_is_never_cancelled_whatever_was_decided_about_it(scene: Scene) -> None:
    with scene.service.app.state.database.write() as session:
        past = col(Occurrence.id) == scene.uids[5]["id"]
        session.execute(update(Occurrence).where(past).values(status=OccurrenceStatus.CANCELLED))
    scene.changed(title="New")
    assert scene.past() == scene.before
    assert {one.status for one in scene.before} == {"active"}
