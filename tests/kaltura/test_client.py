"""One method an action: what it sends, and what it makes of the answers that a real server gave."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused, Transient
from tests.kaltura.upstream import (
    CALLS,
    ENTRY,
    EVENT,
    LISTS,
    PAGER,
    RECORDINGS,
    START,
    Upstream,
    answer,
    event,
    page,
    recorded,
)


@pytest.mark.parametrize("name", CALLS)
def test_each_action_sends_and_takes_what_was_recorded(upstream: Upstream, name: str) -> None:
    method, n, action, params = CALLS[name]
    result = method(upstream.will(recorded(n)))
    assert upstream.calls[-1][0] == action
    assert upstream.sent == params
    response = RECORDINGS[n]["response"]
    if isinstance(response, dict) and "id" in response and result is not None:
        assert getattr(result, "id") == response["id"]  # noqa: B009 - the results have no common type


@pytest.mark.parametrize("name", LISTS)
def test_each_list_sends_and_takes_what_was_recorded(upstream: Upstream, name: str) -> None:
    method, n, action, wanted = LISTS[name]
    assert method(upstream.will(recorded(n)))
    assert upstream.calls[-1][0] == action
    assert upstream.sent == {"filter": wanted, "pager": PAGER}


def test_no_method_is_left_out_here() -> None:
    methods = {name for name in vars(KalturaClient) if not name.startswith("_")} - {"close"}
    assert methods == {name.split()[0] for name in (*CALLS, *LISTS)} | {"find_entries"}


def test_entries_are_compared_with_their_case(upstream: Upstream) -> None:
    found = upstream.will(recorded(88)).find_entries("tmpl-101")
    assert [entry.id for entry in found] == ["0_m4v0ekwu", "0_tjua5fnm"]
    assert upstream.sent == {"refId": "tmpl-101", "pager": PAGER}
    assert upstream.will(recorded(88)).find_entries("TMPL-101") == []


# What is not there


@pytest.mark.parametrize(
    ("ask", "n"),
    [
        (lambda k: k.get_resource(99999), 117),
        (lambda k: k.get_entry("0_doesnotx"), 82),
        (lambda k: k.get_event(2019), 466),
        (lambda k: k.find_category("Canvas>site>channels>9999"), 824),
        (lambda k: k.get_category(99999999), 828),
    ],
    ids=["resource", "entry", "event", "category by name", "category by id"],
)
def test_what_kaltura_does_not_know_is_none(upstream: Upstream, ask: Callable[[KalturaClient], object], n: int) -> None:
    assert ask(upstream.will(recorded(n))) is None


@pytest.mark.parametrize(
    ("ask", "n", "code"),
    [
        (lambda k: k.cancel_event(999999), 508, "INVALID_OBJECT_ID"),
        (lambda k: k.delete_event(2019), 466, "INVALID_OBJECT_ID"),
        (lambda k: k.delete_event(2024), 485, "RECURRENCE_CANT_BE_DELETE"),
        (lambda k: k.delete_entry("0_w01vbix8"), 99, "ENTRY_ID_NOT_FOUND"),
        (lambda k: k.add_link(1989, 9), 300, "SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"),
        (lambda k: k.remove_link(1989, 10), 317, "INVALID_OBJECT_ID"),
        (lambda k: k.add_event(EVENT), 202, "SCHEDULE_TIME_IN_USE"),
        (lambda k: k.add_entry(ENTRY), 863, "CATEGORY_NOT_FOUND"),
        (lambda k: k.add_resource("location", "dup", "HG-F-1", "d"), 105, "SYSTEM_NAME_ALREADY_EXISTS"),
        (lambda k: k.get_event(2), 29, "SERVICE_FORBIDDEN"),
    ],
)
def test_a_refusal_is_the_callers_to_judge(
    upstream: Upstream, ask: Callable[[KalturaClient], object], n: int, code: str
) -> None:
    with pytest.raises(Refused) as caught:
        ask(upstream.will(recorded(n)))
    assert caught.value.code == code
    assert upstream.observed[-1][2] == "refused"


# Fuzzy and stale answers


def test_a_reference_id_is_compared_exactly(upstream: Upstream) -> None:
    kaltura = upstream.will(
        page(
            event(6, referenceId="lectern-rec_1-1", recurrenceType=1),
            event(1, referenceId="LECTERN-REC_1-1"),
            event(2, referenceId="lectern-rec-1-1"),
            event(3),
            event(4, referenceId="lectern-rec_1-1", status=1),
            event(5, referenceId="lectern-rec_1-1", recurrenceType=2, parentId=6),
            event(7, referenceId="lectern-rec_1-1"),
        )
    )
    assert [found.id for found in kaltura.find_events("lectern-rec_1-1")] == [6, 7]


def test_the_newest_event_may_be_one_that_nobody_can_read_and_there_may_be_none(upstream: Upstream) -> None:
    odd = {"id": 12, "objectType": "KalturaNewScheduleEvent", "startDate": "soon"}
    assert upstream.will(page(event(9), odd, event(3))).newest_event_id() == 12
    assert upstream.will(page()).newest_event_id() == 0


def test_children_are_those_of_this_parent_by_start_and_cancelled_ones_too(upstream: Upstream) -> None:
    kaltura = upstream.will(page(event(9, parentId=5), event(8, parentId=5, status=1), event(5), event(7, parentId=4)))
    assert [found.id for found in kaltura.list_children(5)] == [8, 9]


def test_a_room_shows_only_what_is_active_also_when_the_index_is_stale(upstream: Upstream) -> None:
    live = event(4, objectType="KalturaLiveStreamScheduleEvent")
    kaltura = upstream.will(
        page(live, event(3, status=1), event(2, recurrenceType=1), event(1, recurrenceType=2, parentId=2))
    )
    found = kaltura.list_events_on_resource(9, START, START + timedelta(days=1))
    assert [(each.id, each.live) for each in found] == [(1, False), (4, True)]


def test_conflicts_are_listed_once_and_by_start(upstream: Upstream) -> None:
    kaltura = upstream.will(page(event(2), event(1), event(2)))
    assert [found.id for found in kaltura.get_conflicts([9], EVENT, kind="both")] == [1, 2]
    assert "scheduleEventIdToIgnore" not in upstream.sent


def test_a_system_name_is_compared_without_case_and_may_be_two_kinds(upstream: Upstream) -> None:
    kaltura = upstream.will(recorded(118))
    assert [(found.id, found.kind) for found in kaltura.list_resources(system_name="hg-F-1")] == [
        (2, "location"),
        (5, "camera"),
    ]


def test_an_answer_about_another_object_is_not_believed(upstream: Upstream) -> None:
    with pytest.raises(Transient, match="another object"):
        upstream.will(answer(event(3))).get_event(2)


# Pages


def test_all_pages_are_read(upstream: Upstream) -> None:
    pages = [
        page(*(event(n, parentId=9000) for n in range(low, high)), total=1200)
        for low, high in [(1, 501), (501, 1001), (1001, 1201)]
    ]
    found = upstream.will(*pages).list_children(9000)
    assert [child.id for child in found] == list(range(1, 1201))
    assert [call["pager"]["pageIndex"] for _, call in upstream.calls] == [1, 2, 3]


def test_a_gap_that_a_stale_index_leaves_in_a_page_does_not_end_the_list(upstream: Upstream) -> None:
    first = page(*(event(n, parentId=9000) for n in range(1, 499)), total=501)
    found = upstream.will(first, page(event(501, parentId=9000), total=501)).list_children(9000)
    assert len(found) == 499


def test_a_list_that_changes_while_it_is_read_is_read_again_later(upstream: Upstream) -> None:
    first = page(*(event(n, parentId=9000) for n in range(1, 501)), total=501)
    with pytest.raises(Transient, match="changed"):
        upstream.will(first, page(total=500)).list_children(9000)


def test_a_list_that_kaltura_does_not_show_to_its_end_is_given_up_at_once(upstream: Upstream) -> None:
    with pytest.raises(Refused, match="QUERY_EXCEEDED_MAX_MATCHES_ALLOWED"):
        upstream.will(page(total=10_001)).list_children(9000)


@pytest.mark.parametrize(("objects", "missing"), [(range(1, 4), 0), (range(1, 3), 1), ([], 3)])
def test_a_list_of_a_room_says_how_many_more_there_are_by_its_total(
    upstream: Upstream, objects: list[int], missing: int
) -> None:
    found = upstream.will(page(*map(event, objects), total=3)).list_events_on_resource(9, START, START)
    assert ([each.id for each in found], found.missing) == (list(objects), missing)


def test_an_event_of_somebody_s_that_cannot_be_read_hides_no_other(upstream: Upstream) -> None:
    odd = event(1, startDate=-1)
    found = upstream.will(page(odd, event(2))).list_events_on_resource(9, START, START)
    assert ([each.id for each in found], found.missing) == ([2], 0)
    assert [(one.id, one.why) for one in found.odd] == [(1, "startDate is not as expected (value_error)")]


@pytest.mark.parametrize("odd", [None, "x", {}, {"objectType": "KalturaSomething", "id": 4}], ids=str)
def test_nor_does_what_is_no_event_at_all(upstream: Upstream, odd: object) -> None:
    found = upstream.will(page(odd, event(2))).list_events_on_resource(9, START, START)
    assert ([each.id for each in found], len(found.odd)) == ([2], 1)


def test_a_list_of_something_else_altogether_is_none_of_events(upstream: Upstream) -> None:
    with pytest.raises(Transient, match="objects is not as expected"):
        upstream.will(page({"objectType": "KalturaMediaEntry", "id": "1_a"})).list_events_on_resource(9, START, START)


def test_an_event_that_was_changed_while_its_room_was_read_is_there_once_as_it_was_read_last(
    upstream: Upstream,
) -> None:
    before, after = event(1, summary="before"), event(1, summary="after", startDate=1_799_848_800)
    first = page(before, *(event(n) for n in range(2, 501)), total=501)
    found = upstream.will(first, page(after, total=501)).list_events_on_resource(9, START, START)
    assert [each.summary for each in found if each.id == 1] == ["after"]
    assert (len(found), found.missing) == (500, 1)


def test_links_of_many_events_are_one_list(upstream: Upstream) -> None:
    assert len(upstream.will(recorded(309)).list_links(1989, 1990)) == 2
    assert upstream.sent["filter"] == {
        "objectType": "KalturaScheduleEventResourceFilter",
        "eventIdIn": "1989,1990",
        "orderBy": "+createdAt",
    }


# Nothing empty is ever sent: Kaltura would answer with everything

EMPTY: list[Callable[[KalturaClient], object]] = [
    lambda k: k.list_resources(system_name=""),
    lambda k: k.list_resources(system_name=" "),
    lambda k: k.find_category(""),
    lambda k: k.find_entries(""),
    lambda k: k.find_events(""),
    lambda k: k.find_events(" \t"),
    lambda k: k.list_children(0),
    lambda k: k.list_events_on_resource(0, START, START),
    lambda k: k.list_events_on_resource(-1, START, START),
    lambda k: k.list_briefly_on_resource(0, START, START),
    lambda k: k.get_conflicts([], EVENT, kind="both"),
    lambda k: k.list_links(0),
    lambda k: k.list_links(),
    lambda k: k.list_links_on(0, START),
]


@pytest.mark.parametrize("ask", EMPTY)
def test_an_empty_filter_is_never_sent(upstream: Upstream, ask: Callable[[KalturaClient], object]) -> None:
    with pytest.raises(ValueError, match="match everything"):
        ask(upstream.client)
    assert not upstream.calls


def test_no_ids_are_no_resources_without_a_call(upstream: Upstream) -> None:
    assert upstream.client.list_resources(ids=[]) == []
    assert not upstream.calls
