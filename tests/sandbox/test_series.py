"""Series: what an update does to the children (measured on a real server, `semantics.md`)."""

from typing import Any

import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from tests.sandbox.kaltura import HOUR, MONDAY, Clock, Kaltura, weekly

WEEK = 7 * 86_400


@pytest.fixture
def series(kaltura: Kaltura) -> dict[str, Any]:
    made = kaltura.add_event(**weekly(5, referenceId="s", tags="t"))
    assert isinstance(made, dict)
    return made


def ids(children: list[Any]) -> list[int]:
    return [child["id"] for child in children]


def statuses(children: list[Any]) -> list[int]:
    return [child["status"] for child in children]


def cancel(kaltura: Kaltura, child: dict[str, Any]) -> None:
    kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=child["id"])


def test_a_series_is_a_parent_and_children_with_consecutive_ids(kaltura: Kaltura, series: dict[str, Any]) -> None:
    children = kaltura.children(series)
    assert ids(children) == [series["id"] + 1 + number for number in range(5)]
    assert [child["startDate"] for child in children] == [MONDAY + number * WEEK for number in range(5)]
    assert {(child["summary"], child["tags"], child["sequence"], child["recurrenceType"]) for child in children} == {
        ("Lecture", "t", 1, 2)
    }


def test_the_parent_moves_to_the_first_date(kaltura: Kaltura) -> None:
    rule = {"frequency": "weeks", "count": 2, "byDay": "MO", "timeZone": "America/New_York"}
    made = kaltura.add_event(recurrenceType=1, recurrence=rule)
    assert made["startDate"] == kaltura.children(made)[0]["startDate"] == MONDAY + 5 * 86_400


def test_a_thousand_are_the_most(kaltura: Kaltura) -> None:
    rule = {"frequency": "hours", "count": 1001, "timeZone": "UTC"}
    made = kaltura.add_event(recurrenceType=1, endDate=MONDAY + 600, recurrence=rule)
    assert kaltura.events(parentIdEqual=made["id"])["totalCount"] == 1000


def test_forty_children_come_in_pages_in_order_and_each_once(kaltura: Kaltura) -> None:
    """Exchanges 275 to 290: thirty a page by default, a size of 10, beyond the last one nothing; the total is always
    right.
    """
    made = kaltura.add_event(**weekly(40))

    def page(**pager: int) -> list[int]:
        answer = kaltura.events(pager, parentIdEqual=made["id"], orderBy="+startDate")
        assert answer["totalCount"] == 40
        return ids(answer["objects"])

    every = [made["id"] + 1 + number for number in range(40)]
    assert [page(), page(pageIndex=2), page(pageIndex=3)] == [every[:30], every[30:], []]
    assert [page(pageSize=10, pageIndex=index) for index in (-1, 0, 1, 4)] == [every[:10]] * 3 + [every[30:]]
    assert page(pageSize=500) == every


def test_children_are_found_by_what_is_their_own(kaltura: Kaltura, series: dict[str, Any]) -> None:
    assert [
        kaltura.events(**filters)["totalCount"]
        for filters in ({"referenceIdEqual": "s"}, {"tagsLike": "t"}, {"ownerIdEqual": "lectern"}, {"statusEqual": 2})
    ] == [1, 1, 1, 6]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"summary": "New"},
        {"startDate": MONDAY, "endDate": MONDAY + HOUR},
        {"startDate": MONDAY, "endDate": MONDAY + 2 * HOUR},  # the old duration wins
        {"endDate": MONDAY + 2 * HOUR},
    ],
)
def test_what_moves_nothing_keeps_every_id_and_what_is_cancelled(
    kaltura: Kaltura, series: dict[str, Any], change: dict[str, Any]
) -> None:
    before = kaltura.children(series)
    cancel(kaltura, before[1])
    kaltura.update(series["id"], **change)
    after = kaltura.children(series)
    assert ids(after) == ids(before)
    assert statuses(after) == [2, 1, 2, 2, 2]
    assert {child["summary"] for child in after} == {change.get("summary", "Lecture")}


@pytest.mark.parametrize("change", [{"startDate": MONDAY + HOUR}, {"duration": 1800}])
def test_a_shift_makes_new_ids_and_revives_the_cancelled(
    kaltura: Kaltura, series: dict[str, Any], change: dict[str, Any]
) -> None:
    before = kaltura.children(series)
    cancel(kaltura, before[1])
    kaltura.update(series["id"], **change)
    after = kaltura.children(series)
    assert not set(ids(after)) & set(ids(before))
    assert statuses(after) == [2] * 5


def test_ending_a_series_keeps_the_past(kaltura: Kaltura, series: dict[str, Any]) -> None:
    kaltura.link(series["id"], RESOURCE_ID)
    before = kaltura.children(series)
    cancel(kaltura, before[0])
    rule = {"frequency": "weeks", "timeZone": "Europe/Zurich", "until": before[1]["startDate"]}
    kaltura.update(series["id"], recurrence=rule)
    after = kaltura.children(series)
    assert (ids(after), statuses(after)) == (ids(before)[:2], [1, 2])
    assert kaltura.events(resourceIdsLike=RESOURCE_ID)["totalCount"] == 3


def test_until_before_the_first_end_is_refused_on_add_and_taken_on_update(
    kaltura: Kaltura, series: dict[str, Any]
) -> None:
    rule = {"frequency": "weeks", "timeZone": "Europe/Zurich", "until": MONDAY + 60}
    assert kaltura.add_event(recurrenceType=1, recurrence=rule)["code"] == "PROPERTY_VALIDATION_UNTIL_NOT_VALID"
    kaltura.update(series["id"], recurrence=rule)
    assert len(kaltura.children(series)) == 1


@pytest.mark.parametrize(
    ("rule", "refusal"),
    [
        ({"until": MONDAY + WEEK}, "PROPERTY_VALIDATION_CANNOT_BE_NULL"),
        ({"frequency": "weeks"}, "PROPERTY_VALIDATION_ALL_MUST_BE_NULL_BUT_ONE"),
        ({"frequency": "weeks", "until": MONDAY + WEEK, "count": 3}, "PROPERTY_VALIDATION_ALL_MUST_BE_NULL_BUT_ONE"),
    ],
)
def test_a_rule_is_replaced_and_never_merged(
    kaltura: Kaltura, series: dict[str, Any], rule: dict[str, Any], refusal: str
) -> None:
    before = kaltura.children(series)
    assert kaltura.update(series["id"], recurrence=rule)["code"] == refusal
    assert kaltura.children(series) == before


@pytest.mark.parametrize("without_count", [{}, {"count": None}, {"count__null": ""}])
def test_count_gives_way_to_until(kaltura: Kaltura, series: dict[str, Any], without_count: dict[str, Any]) -> None:
    rule = {"frequency": "weeks", "timeZone": "Europe/Zurich", "until": MONDAY + 2 * WEEK, **without_count}
    assert "count" not in kaltura.update(series["id"], recurrence=rule)["recurrence"]
    assert len(kaltura.children(series)) == 3


def test_a_day_taken_out_and_put_in_again_comes_back_active(kaltura: Kaltura, series: dict[str, Any]) -> None:
    before = kaltura.children(series)
    cancel(kaltura, before[4])
    for count in (4, 5):
        kaltura.update(series["id"], recurrence={**weekly(count)["recurrence"]})
    after = kaltura.children(series)
    assert ids(after)[:4] == ids(before)[:4]
    assert (after[4]["id"] == before[4]["id"], after[4]["status"]) == (False, 2)


def test_a_moved_child_is_lost_at_the_next_update(kaltura: Kaltura, series: dict[str, Any]) -> None:
    before = kaltura.children(series)
    moved = kaltura.update(
        before[2]["id"], startDate=before[2]["startDate"] + HOUR, endDate=before[2]["endDate"] + HOUR
    )
    assert (moved["id"], moved["sequence"]) == (before[2]["id"], 12)
    kaltura.update(series["id"], summary="New")
    after = kaltura.children(series)
    assert [child["startDate"] for child in after] == [child["startDate"] for child in before]
    assert moved["id"] not in ids(after)


def test_a_childs_own_text_lives_through_updates_and_the_owner_is_the_parents(
    kaltura: Kaltura, series: dict[str, Any]
) -> None:
    child = kaltura.children(series)[0]
    kaltura.update(child["id"], summary="Mine")
    kaltura.update(series["id"], summary="Ours", ownerId="dean")
    after = kaltura.children(series)
    assert [one["summary"] for one in after] == ["Mine", "Ours", "Ours", "Ours", "Ours"]
    assert {one["ownerId"] for one in after} == {"dean"}


def test_a_childs_own_room_stands_in_for_the_inherited_one(kaltura: Kaltura, series: dict[str, Any]) -> None:
    child = kaltura.children(series)[0]["id"]
    kaltura.link(series["id"], RESOURCE_ID)
    kaltura.link(child, RESOURCE_ID + 1)

    def listed(room: int) -> int:
        total = kaltura.events(resourceIdsLike=room, recurrenceTypeIn="0,2")["totalCount"]
        assert isinstance(total, int)
        return total

    assert (listed(RESOURCE_ID), listed(RESOURCE_ID + 1)) == (4, 1)
    unlink = {"scheduleEventId": child, "scheduleResourceId": RESOURCE_ID + 1}
    kaltura("schedule_scheduleEventResource", "delete", **unlink)
    assert (listed(RESOURCE_ID), listed(RESOURCE_ID + 1)) == (5, 0)
    kaltura(
        "schedule_scheduleEventResource",
        "delete",
        **unlink
        | {
            "scheduleEventId": series["id"],
            "scheduleResourceId": RESOURCE_ID,
        },
    )
    assert listed(RESOURCE_ID) == 0


def test_links_of_children_that_vanish_stay_as_orphans(kaltura: Kaltura, series: dict[str, Any]) -> None:
    child = kaltura.children(series)[0]["id"]
    kaltura.link(child, RESOURCE_ID)
    kaltura.update(series["id"], startDate=MONDAY + HOUR)
    assert kaltura("schedule_scheduleEventResource", "list")["objects"][0]["eventId"] == child
    assert kaltura.events(resourceIdsLike=RESOURCE_ID)["totalCount"] == 0


def test_a_cancelled_series_has_no_children_until_it_is_updated(kaltura: Kaltura, series: dict[str, Any]) -> None:
    cancel(kaltura, series)
    assert kaltura.children(series) == []
    assert kaltura.update(series["id"], summary="Again")["status"] == 1
    assert statuses(kaltura.children(series)) == [2] * 5


def test_a_child_cannot_be_deleted_and_goes_with_its_parent(kaltura: Kaltura, series: dict[str, Any]) -> None:
    child = kaltura.children(series)[0]["id"]
    refused = kaltura("schedule_scheduleEvent", "delete", scheduleEventId=child)
    assert refused["args"] == {"ID": str(child), "PARENT_ID": str(series["id"])}
    kaltura("schedule_scheduleEvent", "delete", scheduleEventId=series["id"])
    assert kaltura("schedule_scheduleEvent", "get", scheduleEventId=child)["code"] == "INVALID_OBJECT_ID"


def test_single_and_back(kaltura: Kaltura, series: dict[str, Any]) -> None:
    single = kaltura.update(series["id"], recurrenceType=0)
    assert ("recurrence" in single, single["sequence"], kaltura.children(series)) == (False, 1, [])
    assert kaltura.update(series["id"], recurrenceType=1)["code"] == "PROPERTY_VALIDATION_CANNOT_BE_NULL"
    kaltura.update(series["id"], **weekly(2))
    assert len(kaltura.children(series)) == 2


def test_a_rule_that_is_fatal_to_kaltura_is_an_empty_500(kaltura: Kaltura, clock: Clock) -> None:
    rule = {"frequency": "months", "count": 2, "byMonthDay": "1,15", "timeZone": "UTC"}
    sent = {"objectType": "KalturaRecordScheduleEvent", "recurrenceType": 1, "summary": "x", "startDate": MONDAY}
    response = kaltura.post(
        "schedule_scheduleEvent", "add", scheduleEvent={**sent, "endDate": MONDAY + HOUR, "recurrence": rule}
    )
    assert (response.status_code, response.content) == (500, b"")
