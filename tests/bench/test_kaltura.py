"""The floor sends what the service sent, with ids of its own."""

import json
from typing import Any

import httpx
import pytest

from tests.bench.kaltura import Recorded, Room, replay

CALLS = [
    {"service": "schedule_scheduleResource", "action": "list", "params": {"filter": {"systemNameEqual": "ROOM-1"}}},
    {
        "service": "media",
        "action": "add",
        "params": {"entry": {"name": "MATH", "referenceId": "lectern-rec_a-0", "categoriesIds": "7,8"}},
    },
    {
        "service": "schedule_scheduleEvent",
        "action": "add",
        "params": {"scheduleEvent": {"templateEntryId": "0_a", "comment": "BENCH-1", "duration": 20, "x": [1, 2]}},
    },
    {"service": "schedule_scheduleEvent", "action": "list", "params": {"filter": {"parentIdEqual": 20}}},
    {"service": "schedule_scheduleEvent", "action": "cancel", "params": {"scheduleEventId": 22}},
    {
        "service": "schedule_scheduleEventResource",
        "action": "add",
        "params": {"scheduleEventResource": {"eventId": 20, "resourceId": 5}, "ks": "the service's"},
    },
]
ORIGINAL = Recorded(CALLS, ("rec_a", "BENCH-1", "ROOM-1"), "5", "0_a", ["20"], [["21", "22"]])
ANSWERS: list[Any] = [
    {"objects": [{"id": 6}]},
    {"id": "0_b"},
    {"id": 30},
    {"objects": [{"id": 33, "parentId": 30, "startDate": 2}, {"id": 31, "parentId": 30, "startDate": 1}, {"id": 9}]},
    {},
    {},
]


def kaltura(answers: list[Any]) -> tuple[httpx.Client, list[Any]]:
    """A client whose Kaltura gives ``answers``, and what it sent."""
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((request.url.path.removeprefix("/api_v3/service/"), json.loads(request.content)))
        return httpx.Response(200, json=answers[len(sent) - 1])

    return httpx.Client(base_url="http://kaltura.test", transport=httpx.MockTransport(answer)), sent


def test_a_replay_differs_in_its_own_ids_only() -> None:
    http, sent = kaltura(ANSWERS)
    replay(http, "KS", ORIGINAL, Room(6, "ROOM-2"), "BENCH-2")
    own: dict[str, Any] = {"ks": "KS", "format": 1}
    event = {"templateEntryId": "0_b", "comment": "BENCH-2", "duration": 20, "x": [1, 2]}
    assert sent == [
        ("schedule_scheduleResource/action/list", {"filter": {"systemNameEqual": "ROOM-2"}, **own}),
        (
            "media/action/add",
            {"entry": {"name": "MATH", "referenceId": "lectern-rec_BENCH-2-0", "categoriesIds": "7,8"}, **own},
        ),
        ("schedule_scheduleEvent/action/add", {"scheduleEvent": event, **own}),
        ("schedule_scheduleEvent/action/list", {"filter": {"parentIdEqual": 30}, **own}),
        ("schedule_scheduleEvent/action/cancel", {"scheduleEventId": 33, **own}),
        (
            "schedule_scheduleEventResource/action/add",
            {"scheduleEventResource": {"eventId": 30, "resourceId": 6}, **own},
        ),
    ]


def test_a_refused_call_ends_it() -> None:
    http, sent = kaltura([{"objectType": "KalturaAPIException", "code": "INVALID_KS", "message": "no"}])
    with pytest.raises(RuntimeError, match=r"scheduleResource\.list: INVALID_KS"):
        replay(http, "KS", ORIGINAL, Room(6, "ROOM-2"), "BENCH-2")
    assert len(sent) == 1


def test_an_id_of_the_original_is_never_sent() -> None:
    http, _ = kaltura([ANSWERS[0], ANSWERS[1], ANSWERS[2], {"objects": []}])
    with pytest.raises(AssertionError, match="scheduleEventId"):
        replay(http, "KS", ORIGINAL, Room(6, "ROOM-2"), "BENCH-2")
