"""Calls that a real Kaltura did by halves, for good: php or the search engine was stopped in the middle of them."""

from typing import Any

import httpx
import pytest

from app.sandbox.seed.seed import CATEGORY_ID, RESOURCE_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, weekly

EVENT, LINK = "schedule_scheduleEvent", "schedule_scheduleEventResource"
BROKEN = "INTERNAL_SERVERL_ERROR"
WEEK = 7 * 86_400


def half(sandbox: Sandbox, mode: str, value: object) -> None:
    sandbox.set_faults({"modes": {mode: value}})


def held(sandbox: Sandbox, parent: int | None = None) -> list[int]:
    """Ids of the events in the database: those without a parent, or a series' children."""
    return [one["id"] for one in sandbox.state()["events"] if one.get("parentId") == parent]


def on_room(kaltura: Kaltura) -> list[int]:
    """What an encoder would record: the ids of the room's active sessions."""
    found = kaltura.events(
        {"pageSize": 500}, resourceIdsLike=RESOURCE_ID, statusEqual=2, recurrenceTypeIn="0,2", orderBy="+startDate"
    )
    return [one["id"] for one in found["objects"]]


def unlink(kaltura: Kaltura, event: int) -> Any:
    return kaltura(LINK, "delete", scheduleEventId=event, scheduleResourceId=RESOURCE_ID)


def add_entry(kaltura: Kaltura, **values: Any) -> Any:
    sent = {"mediaType": 1, "name": "t", "referenceId": "r", "categoriesIds": str(CATEGORY_ID), **values}
    return kaltura("media", "add", entry=sent)


def entries(kaltura: Kaltura) -> list[str]:
    return [one["id"] for one in kaltura("baseEntry", "listByReferenceId", refId="r")["objects"]]


# --- scheduleEvent.add


def test_a_series_is_added_with_some_of_its_children_and_no_answer(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_add", {"children": 19})
    with pytest.raises(httpx.RemoteProtocolError):
        kaltura.add_event(**weekly(20, referenceId="lost"))
    (series,) = held(sandbox)
    assert held(sandbox, series) == list(range(series + 1, series + 20))
    assert [one["id"] for one in kaltura.events(referenceIdEqual="lost")["objects"]] == [series]
    assert kaltura.events(parentIdEqual=series)["totalCount"] == 19


def test_children_that_are_not_indexed_are_never_found_again(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_add", {"indexed": 5})
    series = kaltura.add_event(**weekly(20))["id"]
    half(sandbox, "half_add", None)

    def seen() -> list[int]:
        kaltura("session", "end")  # gives the reservation up with its session
        kaltura.sign_in()
        every = ",".join(str(series + number) for number in range(21))
        sessions = {"recurrence": weekly(20)["recurrence"], "recurrenceType": 1, "duration": HOUR}
        answers = [
            kaltura.events({"pageSize": 500}, idIn=every),
            kaltura.events(parentIdEqual=series),
            kaltura.events(recurrenceTypeIn="0,2"),
            kaltura.conflicts(RESOURCE_ID, **sessions),
        ]
        return [answer["totalCount"] for answer in answers]

    assert seen() == [21, 5, 5, 0]
    kaltura.link(series, RESOURCE_ID)
    assert seen() == [21, 5, 5, 5]
    kaltura.update(series, summary="New")
    assert seen() == [21, 5, 5, 5]
    assert on_room(kaltura) == list(range(series + 1, series + 6))
    last = kaltura(EVENT, "get", scheduleEventId=series + 20)
    assert (last["summary"], last["status"]) == ("New", 2)


def test_both_halves_with_another_answer_and_so_often(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_add", {"children": 6, "indexed": 2, "answer": "http_502", "times": 1})
    sent = {"objectType": "KalturaRecordScheduleEvent", "summary": "x", "startDate": MONDAY, "endDate": MONDAY + HOUR}
    assert kaltura.add_event()["status"] == 2  # a single event is none of its business
    assert kaltura.post(EVENT, "add", scheduleEvent=sent | weekly(8)).status_code == 502
    series = held(sandbox)[-1]
    assert (len(held(sandbox, series)), kaltura.events(parentIdEqual=series)["totalCount"]) == (6, 2)
    other = kaltura.add_event(**weekly(8))["id"]
    assert (len(held(sandbox, other)), kaltura.events(parentIdEqual=other)["totalCount"]) == (8, 8)


def test_a_half_added_series_that_is_deleted_and_added_again_is_whole(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_add", {"indexed": 1, "times": 1})
    kaltura(EVENT, "delete", scheduleEventId=kaltura.add_event(**weekly(4))["id"])
    assert held(sandbox) == []
    assert kaltura.events(parentIdEqual=kaltura.add_event(**weekly(4))["id"])["totalCount"] == 4


def test_what_comes_after_a_killed_step_is_not_done(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_add", {"children": 1})
    event = {"objectType": "KalturaRecordScheduleEvent", "summary": "x", "startDate": MONDAY, "endDate": MONDAY + HOUR}
    add = {"service": EVENT, "action": "add"}
    single, series = event | {"recurrenceType": 0}, event | weekly(3)
    steps = {str(n): add | {"scheduleEvent": one} for n, one in enumerate((single, series, single), 1)}
    with pytest.raises(httpx.RemoteProtocolError):
        kaltura.client.post("/api_v3/service/multirequest", json={"format": 1, "ks": kaltura.ks, **steps})
    assert len(held(sandbox)) == 2


# --- media.add


@pytest.mark.parametrize("indexed", [True, False])
def test_an_entry_is_added_by_halves_and_can_be_completed(kaltura: Kaltura, sandbox: Sandbox, indexed: bool) -> None:
    half(sandbox, "half_entry", {"indexed": indexed, "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        add_entry(kaltura, entitledUsersEdit="ta1")
    (made,) = sandbox.state()["entries"]
    assert (made["status"], made["categoriesIds"], made["entitledUsersEdit"]) == (4, "", "ta1")
    assert kaltura("media", "get", entryId=made["id"]) == made
    kaltura("media", "update", entryId=made["id"], mediaEntry={"objectType": "KalturaMediaEntry", "name": "New"})
    assert entries(kaltura) == ([made["id"]] if indexed else [])
    link = {"objectType": "KalturaCategoryEntry", "categoryId": CATEGORY_ID, "entryId": made["id"]}
    assert kaltura("categoryEntry", "add", categoryEntry=link)["categoryId"] == CATEGORY_ID
    assert kaltura("media", "get", entryId=made["id"])["categoriesIds"] == str(CATEGORY_ID)
    assert add_entry(kaltura)["status"] == 7


def test_half_an_entry_can_be_answered_as_success(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_entry", {"answer": "success"})
    made = add_entry(kaltura)
    assert (made["status"], made["categories"], entries(kaltura)) == (4, "", [made["id"]])


# --- scheduleEventResource.add


def test_a_link_that_is_partly_indexed_is_healed_by_making_it_anew_alone(kaltura: Kaltura, sandbox: Sandbox) -> None:
    series = kaltura.add_event(**weekly(18))
    sessions = [child["id"] for child in kaltura.children(series)]
    half(sandbox, "half_link", {"indexed": 7, "times": 1})
    made = kaltura.link(series["id"], RESOURCE_ID)
    assert (made["eventId"], on_room(kaltura)) == (series["id"], sessions[:7])
    assert kaltura.link(series["id"], RESOURCE_ID)["code"] == "SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"
    linked = {"scheduleEventId": series["id"], "scheduleResourceId": RESOURCE_ID}
    kaltura(LINK, "update", **linked, scheduleEventResource={"objectType": "KalturaScheduleEventResource"})
    kaltura.update(series["id"], summary="New")
    kaltura.update(sessions[-1], description="New")
    assert on_room(kaltura) == sessions[:7]
    eighth = MONDAY + 7 * WEEK
    assert kaltura.conflicts(RESOURCE_ID, startDate=eighth, endDate=eighth + HOUR)["totalCount"] == 0
    assert kaltura.events(parentIdEqual=series["id"])["totalCount"] == 18
    unlink(kaltura, series["id"])
    assert on_room(kaltura) == []
    kaltura.link(series["id"], RESOURCE_ID)
    assert on_room(kaltura) == sessions


def test_a_single_event_is_linked_and_not_on_the_room_s_list(kaltura: Kaltura, sandbox: Sandbox) -> None:
    event = kaltura.add_event()["id"]
    half(sandbox, "half_link", {"indexed": 0, "answer": "none"})
    with pytest.raises(httpx.RemoteProtocolError):
        kaltura.link(event, RESOURCE_ID)
    assert on_room(kaltura) == []
    assert len(sandbox.state()["event_resources"]) == 1
    half(sandbox, "half_link", None)
    unlink(kaltura, event)
    kaltura.link(event, RESOURCE_ID)
    assert on_room(kaltura) == [event]


# --- scheduleEvent.delete


def test_a_series_that_is_half_deleted_leaves_its_children_on_the_room(kaltura: Kaltura, sandbox: Sandbox) -> None:
    series = kaltura.add_event(**weekly(3, templateEntryId="0_t"))
    kaltura.link(series["id"], RESOURCE_ID)
    ghosts = on_room(kaltura)
    half(sandbox, "half_delete", True)
    with pytest.raises(httpx.RemoteProtocolError):
        kaltura(EVENT, "delete", scheduleEventId=series["id"])
    for action in ("delete", "get", "cancel"):
        assert kaltura(EVENT, action, scheduleEventId=series["id"])["code"] == "INVALID_OBJECT_ID"
    assert kaltura.update(series["id"], summary="x")["code"] == "INVALID_OBJECT_ID"
    assert kaltura.link(series["id"], RESOURCE_ID + 1)["code"] == "SCHEDULE_EVENT_ID_NOT_FOUND"
    for wanted in ({"idIn": str(series["id"])}, {"recurrenceTypeEqual": 1}):
        assert kaltura.events(**wanted)["totalCount"] == 0
    assert (held(sandbox), sandbox.holds()["events"]) == ([], 0)
    assert (on_room(kaltura), held(sandbox, series["id"])) == (ghosts, ghosts)
    listed = kaltura.events(idIn=",".join(map(str, ghosts)))["objects"]
    assert [(one["status"], one["summary"]) for one in listed] == [(2, "Lecture")] * 3
    assert kaltura.conflicts(RESOURCE_ID)["totalCount"] == 1
    for ghost in ghosts:
        assert kaltura(EVENT, "cancel", scheduleEventId=ghost)["status"] == 1
    assert on_room(kaltura) == []


def test_half_a_deletion_may_be_answered_and_single_events_go_as_a_whole(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "half_delete", {"times": 1, "answer": "success"})
    single, series, other = kaltura.add_event(), kaltura.add_event(**weekly(2)), kaltura.add_event(**weekly(2))
    for one in (single, series, other):
        assert kaltura(EVENT, "delete", scheduleEventId=one["id"])["status"] == 3
    assert [len(held(sandbox, one["id"])) for one in (series, other)] == [2, 0]


# --- the search engine away, and what was saved meanwhile


def test_what_is_added_without_the_engine_is_never_found(kaltura: Kaltura, sandbox: Sandbox) -> None:
    half(sandbox, "engine_down", True)
    assert kaltura.add_event(**weekly(3, referenceId="lost"))["code"] == BROKEN
    assert kaltura.events()["code"] == kaltura.conflicts(RESOURCE_ID)["code"] == BROKEN
    assert add_entry(kaltura)["status"] == 7
    half(sandbox, "engine_down", False)
    (series,) = held(sandbox)
    kaltura.update(series, summary="Touched")
    kaltura.link(series, RESOURCE_ID)
    kaltura.update(series + 1, summary="Touched")
    found = [kaltura.events(**wanted) for wanted in ({"referenceIdEqual": "lost"}, {"parentIdEqual": series}, {})]
    assert [answer["totalCount"] for answer in found] == [0, 0, 0]
    assert kaltura.events(idIn=f"{series},{series + 3}")["totalCount"] == 2
    assert (on_room(kaltura), entries(kaltura)) == ([], [])


def test_a_link_without_the_engine_is_never_on_the_room_s_list(kaltura: Kaltura, sandbox: Sandbox) -> None:
    series = kaltura.add_event(**weekly(3))["id"]
    half(sandbox, "engine_down", "committed, never indexed")
    assert kaltura.link(series, RESOURCE_ID)["eventId"] == series
    half(sandbox, "engine_down", False)
    kaltura.update(series, summary="Touched")
    kaltura.update(series + 1, summary="Touched")
    assert on_room(kaltura) == []
    unlink(kaltura, series)
    kaltura.link(series, RESOURCE_ID)
    assert on_room(kaltura) == [series + 1, series + 2, series + 3]


def test_a_cancellation_without_the_engine_stays_on_the_list_of_the_active(kaltura: Kaltura, sandbox: Sandbox) -> None:
    series = kaltura.add_event(**weekly(3))["id"]
    kaltura.link(series, RESOURCE_ID)
    half(sandbox, "engine_down", True)
    assert kaltura(EVENT, "cancel", scheduleEventId=series + 2)["code"] == BROKEN
    half(sandbox, "engine_down", False)
    kaltura.update(series, summary="Touched")
    stale = kaltura.events(resourceIdsLike=RESOURCE_ID, statusEqual=2, recurrenceTypeIn="0,2")["objects"]
    assert [(one["id"] - series, one["status"]) for one in stale] == [(1, 2), (2, 1), (3, 2)]


def test_a_series_deleted_without_the_engine_is_counted_for_good(kaltura: Kaltura, sandbox: Sandbox) -> None:
    gone, kept = kaltura.add_event(**weekly(3))["id"], kaltura.add_event(**weekly(6))["id"]
    for series in (gone, kept):
        kaltura.link(series, RESOURCE_ID)
    half(sandbox, "engine_down", True)
    assert kaltura(EVENT, "delete", scheduleEventId=gone)["code"] == BROKEN
    half(sandbox, "engine_down", False)
    wanted: dict[str, Any] = {"resourceIdsLike": RESOURCE_ID, "recurrenceTypeIn": "0,2", "orderBy": "+startDate"}
    for _ in range(2):
        page = kaltura.events(**wanted)
        assert (page["totalCount"], len(page["objects"])) == (9, 6)
        kaltura.update(kept, summary="Touched")
    pages = [kaltura.events({"pageSize": 4, "pageIndex": number}, **wanted) for number in (1, 2, 3)]
    assert [(page["totalCount"], len(page["objects"])) for page in pages] == [(9, 2), (9, 3), (9, 1)]
    ids = ",".join(str(number) for number in range(gone, gone + 4))
    assert kaltura.events(idIn=ids)["totalCount"] == 0
    assert kaltura.conflicts(RESOURCE_ID)["totalCount"] == 1
