"""Functions side by side, and what they ask in one trip: each has its own answer, error and outcome."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused, SessionRefused, Transient, Unknown
from app.kaltura.gate import Gate
from app.kaltura.trips import FRESH, MOST_PARTS, Trips
from tests.kaltura.campus import Campus
from tests.kaltura.upstream import EVENT, RECORDINGS, START, Clock, Upstream, answer, event, page, recorded, refusal


def parts(*answers: object) -> Callable[[], httpx.Response]:
    return answer(list(answers))


def error(code: str) -> dict[str, Any]:
    return {"objectType": "KalturaAPIException", "code": code, "message": "", "args": []}


def listed(*objects: object) -> dict[str, Any]:
    return {"objectType": "KalturaScheduleEventListResponse", "totalCount": len(objects), "objects": list(objects)}


def link(number: int) -> dict[str, Any]:
    return {"objectType": "KalturaScheduleEventResource", "eventId": number, "resourceId": 9}


def tried(act: Callable[[], object]) -> object:
    """What came of it, also an error."""
    try:
        return act()
    except KalturaError as found:
        return found


def together(client: KalturaClient, *acts: Callable[[], object], **more: Any) -> list[Any]:
    return Trips(client)([partial(tried, act) for act in acts], **more)


def sent(upstream: Upstream) -> list[list[str]]:
    """What was in each trip."""
    return [
        [f"{call[key]['service']}.{call[key]['action']}" for key in call if key.isdecimal()] or [name]
        for name, call in upstream.calls
    ]


ADD = "schedule_scheduleEvent.add"
CANCEL = "schedule_scheduleEvent.cancel"
GET = "schedule_scheduleEvent.get"
LINK = "schedule_scheduleEventResource.add"
LIST = "schedule_scheduleEvent.list"
LOST: dict[str, Callable[[], httpx.Response]] = {
    "a PHP error": lambda: httpx.Response(500, content=b""),  # exchange 596: what stands before it is done
    "half of it": lambda: httpx.Response(200, content=b'[{"id": 1}, {'),
    "one answer": answer({"id": 1}),
    "more than was asked": parts(event(1), event(2), event(3), event(4)),
    "a refusal of all": refusal("SERVICE_FORBIDDEN"),
}


def test_each_part_has_its_own_answer_and_its_own_error(upstream: Upstream) -> None:
    client = upstream.will(parts(event(1, status=1), error("INVALID_OBJECT_ID"), error("INTERNAL_SERVERL_ERROR")))
    one, two, three = together(client, *(partial(client.cancel_event, number) for number in (1, 2, 3)))
    assert one.id == 1
    assert (type(two), two.code) == (Refused, "INVALID_OBJECT_ID")
    assert type(three) is Unknown
    assert sent(upstream) == [[CANCEL] * 3]
    assert [what for *_, what in upstream.observed] == ["done", "refused", "unknown"]


def test_a_part_is_written_as_recorded_and_its_answer_checked_as_alone(upstream: Upstream) -> None:
    client = upstream.will(parts({"id": "no number"}, event(2)))
    one, two = together(client, partial(client.get_event, 1), partial(client.get_event, 2))
    assert (type(one), two.id) == (Transient, 2)
    body = upstream.calls[0][1]
    example = RECORDINGS[593]["request"]["params"]
    assert body["1"] == {**example["1"], "scheduleEventId": 1}
    assert set(body) == {"1", "2", "ks", "format"}


@pytest.mark.parametrize("lost", LOST)
def test_of_a_lost_answer_every_part_is_unknown(upstream: Upstream, lost: str) -> None:
    client = upstream.will(LOST[lost], LOST[lost])
    made = together(client, *[partial(client.add_event, EVENT)] * 3)
    assert [type(one) for one in made] == [Unknown] * 3
    assert len({id(one) for one in made}) == 3
    read = together(client, *(partial(client.get_event, number) for number in (1, 2, 3)))
    assert all(isinstance(one, Transient | Refused) for one in read)


@pytest.mark.parametrize("number", [604, 605])
def test_a_part_that_the_answer_leaves_out_is_unknown(upstream: Upstream, number: int) -> None:
    client = upstream.will(recorded(number))
    first, second = together(client, client.ping, partial(client.cancel_event, 1))
    assert (first, type(second)) == (None, Unknown)


def test_nothing_is_sent_of_parts_when_kaltura_is_not_reached(upstream: Upstream) -> None:
    def away() -> httpx.Response:
        raise httpx.ConnectError("no")

    client = upstream.will(away)
    for found in together(client, *[partial(client.add_event, EVENT)] * 2):
        assert (type(found), found.outage, found.sent) == (Transient, True, False)


def test_an_outage_that_every_part_meets_is_one(upstream: Upstream) -> None:
    client = upstream.will(recorded(667))
    found = together(client, client.ping, partial(client.cancel_event, 1))
    assert [(type(one), one.outage) for one in found] == [(Transient, True), (Unknown, True)]


def test_the_session_is_renewed_once_for_all_parts(upstream: Upstream) -> None:
    """Exchange 609. What was done is not sent again."""
    client = upstream.will(parts(error("INVALID_KS"), event(2), error("INVALID_KS")), parts(event(1), event(3)))
    found = together(client, *(partial(client.get_event, number) for number in (1, 2, 3)))
    assert [one.id for one in found] == [1, 2, 3]
    assert upstream.sign_ins == 2
    assert [call["ks"] for _, call in upstream.calls] == ["ks-1", "ks-2"]
    assert [call["1"]["scheduleEventId"] for _, call in upstream.calls] == [1, 1]


def test_a_session_that_stays_refused_is_transient(upstream: Upstream) -> None:
    client = upstream.will(recorded(609), recorded(609))
    assert [type(one) for one in together(client, client.ping, client.ping)] == [SessionRefused] * 2


def test_what_makes_something_goes_with_its_own_kind_alone(upstream: Upstream) -> None:
    client = upstream.will(parts(event(5), event(6, status=1)), parts(event(1), event(2)), recorded(298))
    together(
        client,
        partial(client.add_event, EVENT),
        partial(client.get_event, 5),
        partial(client.add_link, 1989, 9),
        partial(client.cancel_event, 6),
        partial(client.add_event, EVENT),
    )
    assert sent(upstream) == [[GET, CANCEL], [ADD, ADD], [LINK]]


def test_changes_are_made_in_the_order_in_which_they_are_named(upstream: Upstream) -> None:
    client = upstream.will(recorded(298), answer(event(6, status=1)))
    together(client, partial(client.add_link, 1989, 9), partial(client.cancel_event, 6))
    assert sent(upstream) == [[LINK], [CANCEL]]


def test_one_goes_on_while_others_are_done(upstream: Upstream) -> None:
    client = upstream.will(parts(event(1), event(2)), answer(event(1, status=1)))

    def look_and_cancel() -> int:
        found = client.get_event(1)
        assert found is not None
        return client.cancel_event(found.id).status

    assert together(client, look_and_cancel, partial(client.get_event, 2))[0] == 1
    assert sent(upstream) == [[GET, GET], [CANCEL]]


def test_one_alone_is_sent_as_ever(upstream: Upstream) -> None:
    client = upstream.will(answer(event(7)))
    assert together(client, partial(client.get_event, 7))[0].id == 7
    assert sent(upstream) == [[GET]]


@pytest.mark.parametrize("title", ["{1:result:id}", "see {1:result}", "{1:result:objects:0:id} and more"])
def test_a_text_that_kaltura_takes_for_a_reference_travels_alone(upstream: Upstream, title: str) -> None:
    """Exchanges 594, 600, 691: what somebody calls a lecture is never exchanged for a part of an answer."""
    client = upstream.will(parts(event(1), event(3)), answer(event(2)))
    made = together(client, *(partial(client.add_event, replace(EVENT, summary=one)) for one in ("a", title, "b")))
    assert [one.id for one in made] == [1, 2, 3]
    assert sent(upstream) == [[ADD, ADD], [ADD]]
    assert upstream.sent["scheduleEvent"]["summary"] == title


def test_no_trip_has_more_parts_than_fifty(upstream: Upstream) -> None:
    numbers = range(1, MOST_PARTS + 4)
    client = upstream.will(
        parts(*(event(number) for number in numbers[:MOST_PARTS])),
        parts(*(event(number) for number in numbers[MOST_PARTS:])),
    )
    found = together(client, *(partial(client.get_event, number) for number in numbers))
    assert [one.id for one in found] == list(numbers)
    assert [len(trip) for trip in sent(upstream)] == [MOST_PARTS, 3]


# Ahead


def test_what_is_asked_ahead_is_answered_once_without_a_trip(upstream: Upstream) -> None:
    client = upstream.will(parts(event(1), listed(event(8))), page(event(9)))
    trips = Trips(client)
    trips([partial(client.get_event, 1)], prefetch=[partial(client.list_children, 3)])
    assert sent(upstream) == [[GET, LIST]]
    trips([partial(client.list_children, 3)])
    assert len(upstream.calls) == 1
    trips([partial(client.list_children, 3)])
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("forgotten", ["used", "old", "changed"])
def test_an_answer_is_kept_for_one_who_asks_soon_and_until_something_changes(
    upstream: Upstream, forgotten: str
) -> None:
    changes = 2 if forgotten == "changed" else 1
    client = upstream.will(parts(event(1), event(8)), *[answer(event(8, status=1))] * changes)
    clock = Clock()
    trips = Trips(client, clock)
    trips([partial(client.get_event, 1)], prefetch=[partial(client.get_event, 8)])
    if forgotten == "used":
        trips([partial(client.get_event, 8)])
    elif forgotten == "old":
        clock.sleep(FRESH)
    else:
        trips([partial(client.cancel_event, 8)])
    (found,) = trips([partial(client.get_event, 8)])
    assert found is not None
    assert found.status == 1


def test_a_question_ahead_that_is_refused_is_asked_again_when_it_matters(upstream: Upstream) -> None:
    client = upstream.will(parts(event(1), error("INTERNAL_SERVERL_ERROR")), answer(event(8)))
    trips = Trips(client)
    assert trips([partial(client.get_event, 1)], prefetch=[partial(client.get_event, 8)])
    assert trips([partial(client.get_event, 8)])


def test_a_question_behind_a_change_goes_with_it_and_is_its_last_part(upstream: Upstream) -> None:
    """Exchange 590: in one multirequest, a list shows what the parts before it have made."""
    client = upstream.will(parts(listed(), listed()), parts(link(1), link(2), listed(event(3))))
    trips = Trips(client)

    def put(number: int) -> object:
        client.get_conflicts([9], EVENT, number, kind="both")
        return client.add_link(number, 9)

    shown = partial(client.list_events_on_resource, 9, START, START)
    briefly = partial(client.list_briefly_on_resource, 9, START, START)  # the same question
    trips([partial(put, 1), partial(put, 2)], prefetch_after=[briefly])
    assert sent(upstream) == [["schedule_scheduleEvent.getConflicts"] * 2, [LINK, LINK, LIST]]
    assert [one.id for one in trips([shown])[0]] == [3]
    assert len(upstream.calls) == 2


def test_without_a_change_nobody_asks_what_comes_of_it(upstream: Upstream) -> None:
    client = upstream.will(answer(event(1)))
    Trips(client)([partial(client.get_event, 1)], prefetch_after=[partial(client.get_event, 2)])
    assert sent(upstream) == [[GET]]


def test_a_mistake_in_one_ends_all(upstream: Upstream) -> None:
    client = upstream.will(parts(event(1), event(2)))
    ended = list[int]()

    def wrong() -> None:
        client.get_event(1)
        raise ZeroDivisionError

    def other() -> None:
        try:
            client.get_event(2)
            client.get_event(3)
        finally:
            ended.append(2)

    with pytest.raises(ZeroDivisionError):
        Trips(client)([wrong, other])
    assert ended == [2]


# In front of a whole Kaltura


def test_the_gate_counts_parts(campus: Campus, clock: Clock) -> None:
    gate = Gate(10.0, patience=2.0, clock=clock, sleep=clock.sleep)
    assert gate.most_parts == 20
    with gate.turn("one", parts=10):
        began = clock.now
    with gate.turn("another"):
        assert clock.now - began > 0.7  # the burst that a silence allows is used up, and the parts' time is over


def test_what_a_php_error_leaves_undone_and_done_is_unknown_alike(campus: Campus) -> None:
    """Exchange 596: the parts before it are committed, and nobody says so."""
    client = campus.clients[0]
    campus.sandbox.set_faults({"faults": [{"fault": "http_500", "service": "system", "action": "ping"}]})
    made = client.add_event(EVENT)
    first, second = together(client, partial(client.cancel_event, made.id), client.ping)
    assert (type(first), type(second)) == (Unknown, Transient)
    campus.sandbox.set_faults({})
    found = client.get_event(made.id)
    assert found is not None
    assert found.status == 1
