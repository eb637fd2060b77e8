"""Single schedule events: what the recordings leave open, and the rules that Lectern leans on."""

from typing import Any

import pytest

from app.sandbox.seed.seed import RESOURCE_ID, Partner, Seed
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import HOUR, MONDAY, Clock, Kaltura, embedded, event, weekly

DAY = 86_400


def code(answer: Any) -> str:
    return str(answer["code"])


@pytest.mark.parametrize(
    ("missing", "refusal"),
    [
        (("recurrenceType", "summary", "startDate", "endDate"), "recurrenceType"),
        (("summary", "startDate", "endDate"), "summary"),
        (("startDate", "endDate"), "START_TIME_AND_LINKED_TO_NOT_SET"),
        (("endDate",), "endDate"),
    ],
)
def test_an_add_is_checked_in_kalturas_order(kaltura: Kaltura, missing: tuple[str, ...], refusal: str) -> None:
    answer = kaltura.add_event(**dict.fromkeys(missing))
    assert refusal in (answer["code"], answer["args"] and answer["args"]["PROP_NAME"].split("::")[1])


@pytest.mark.parametrize(("length", "refusal"), [(0, None), (DAY, None), (DAY + 1, "86400"), (63_072_001, "63072000")])
def test_an_event_lasts_a_day_at_most(kaltura: Kaltura, length: int, refusal: str | None) -> None:
    answer = kaltura.add_event(endDate=MONDAY + length)
    assert answer.get("args", {}).get("MAX") == refusal
    assert answer.get("duration") == (length or None if refusal is None else None)


def test_small_numbers_and_dates_as_text_count_from_now(kaltura: Kaltura, clock: Clock) -> None:
    made = kaltura.add_event(startDate="2026-12-01T08:00:00Z", endDate=3600)
    assert (made["startDate"], made["endDate"]) == (clock.now + 2026, clock.now + 3600)


def test_in_the_servers_autumn_hour_the_second_instant_becomes_the_first(kaltura: Kaltura) -> None:
    made = kaltura.add_event(startDate=1825569000, endDate=1825569900)
    assert (made["startDate"], made["endDate"]) == (1825565400, 1825566300)


def test_what_is_stored_is_less_than_what_is_answered(kaltura: Kaltura) -> None:
    made = kaltura.add_event(summary="A 📹", referenceId="r" * 300)
    kept = kaltura("schedule_scheduleEvent", "get", scheduleEventId=made["id"])
    assert (made["summary"], made["referenceId"]) == ("A 📹", "r" * 300)
    assert (kept["summary"], kept["referenceId"]) == ("A ????", "r" * 256)


class TestTheSlotOfATemplate:
    """SCHEDULE_TIME_IN_USE: by template entry, whatever the room."""

    def busy(self, kaltura: Kaltura, offset: int, **values: Any) -> bool:
        start = MONDAY + offset
        answer = kaltura.add_event(startDate=start, endDate=start + HOUR, templateEntryId="0_t", **values)
        return bool(answer.get("code") == "SCHEDULE_TIME_IN_USE")

    def test_overlaps_are_refused_and_back_to_back_is_not(self, kaltura: Kaltura) -> None:
        assert [self.busy(kaltura, offset) for offset in (0, 0, 1800, -1800, HOUR, -HOUR)] == [
            *(False, True, True, True, False, False)
        ]

    def test_a_cancelled_event_keeps_it_and_a_deleted_one_frees_it(self, kaltura: Kaltura) -> None:
        made = kaltura.add_event(templateEntryId="0_t")
        kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=made["id"])
        assert self.busy(kaltura, 0)
        kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])
        assert not self.busy(kaltura, 0)

    def test_a_series_is_never_checked_and_blocks_by_its_first_date_alone(self, kaltura: Kaltura) -> None:
        assert not self.busy(kaltura, 0)
        assert not self.busy(kaltura, 0, **weekly(3))
        assert not self.busy(kaltura, 0, **weekly(3))
        assert self.busy(kaltura, 0)
        assert not self.busy(kaltura, 7 * DAY)

    def test_a_move_is_checked_against_all_but_itself(self, kaltura: Kaltura) -> None:
        first = kaltura.add_event(templateEntryId="0_t")
        assert not self.busy(kaltura, 2 * HOUR)
        assert kaltura.update(first["id"], summary="New")["summary"] == "New"
        moved = kaltura.update(first["id"], startDate=MONDAY + HOUR, endDate=MONDAY + 3 * HOUR)
        assert code(moved) == "SCHEDULE_TIME_IN_USE"


def test_a_cancelled_event_loses_its_room_and_cannot_be_revived(kaltura: Kaltura) -> None:
    made = kaltura.add_event()
    kaltura.link(made["id"], RESOURCE_ID)
    for _ in range(2):
        assert kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=made["id"])["status"] == 1
    assert kaltura("schedule_scheduleEventResource", "list")["totalCount"] == 0
    assert kaltura.update(made["id"], status=2)["code"] == "PROPERTY_VALIDATION_NOT_UPDATABLE"
    assert kaltura.update(made["id"], summary="Still")["status"] == 1


def test_deleted_is_gone_everywhere(kaltura: Kaltura, sandbox: Sandbox) -> None:
    made = kaltura.add_event(referenceId="gone")
    assert kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])["status"] == 3
    for action in ("get", "cancel", "delete"):
        assert code(kaltura("schedule_scheduleEvent", action, scheduleEventId=made["id"])) == "INVALID_OBJECT_ID"
    assert [
        kaltura.events(**filters)["totalCount"]
        for filters in ({"referenceIdEqual": "gone"}, {"idEqual": made["id"]}, {"statusEqual": 3})
    ] == [0, 0, 0]
    assert sandbox.state()["events"] == []


def test_one_partner_never_sees_anothers(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, seed=Seed(partners=(Partner(1, "one", "u"), Partner(2, "two", "u"))))
    first, second = embedded(sandbox), embedded(sandbox)
    first.ks = first("session", "start", secret="one", partnerId=1, type=2)
    second.ks = second("session", "start", secret="two", partnerId=2, type=2)
    made = first.add_event()
    assert code(second("schedule_scheduleEvent", "get", scheduleEventId=made["id"])) == "INVALID_OBJECT_ID"
    assert code(second.update(made["id"], summary="hack")) == "INVALID_OBJECT_ID"
    assert code(second.link(made["id"], 0)) == "SCHEDULE_EVENT_ID_NOT_FOUND"
    assert second.events()["totalCount"] == 0
    sandbox.close()


class TestLists:
    def made(self, kaltura: Kaltura, *references: str) -> dict[int, str]:
        return {kaltura.add_event(referenceId=reference)["id"]: reference for reference in references}

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("lectern-rec_1-0", ["lectern-rec_1-0"]),
            ("LECTERN-rec_1-0", ["lectern-rec_1-0"]),
            ("lectern-rec_1-1", ["lectern-rec_1-1"]),
            ("lectern-rec_1", []),
            ("lectern rec 1 0", ["lectern-rec_1-0"]),
            ("lectern", ["lectern-rec_1-0", "lectern-rec_1-1"]),
            ("rec", []),
            ("-lead", ["-lead"]),
            ("lead", ["-lead"]),
            (" ", []),
            ("-", []),
        ],
    )
    def test_a_reference_is_found_by_words(self, kaltura: Kaltura, query: str, found: list[str]) -> None:
        self.made(kaltura, "lectern-rec_1-0", "lectern-rec_1-1", "-lead", "other")
        objects = kaltura.events(referenceIdEqual=query)["objects"]
        assert [one["referenceId"] for one in objects] == found

    @pytest.mark.parametrize("filters", [{"referenceIdEqual": ""}, {"resourceIdEqual": None}, {"fooEqual": 1}, {}])
    def test_an_empty_filter_finds_everything(self, kaltura: Kaltura, filters: dict[str, Any]) -> None:
        self.made(kaltura, "a", "b")
        assert kaltura.events(**filters)["totalCount"] == 2

    def test_the_end_of_time_is_asked_for_inclusively(self, kaltura: Kaltura) -> None:
        kaltura.add_event()
        assert [
            kaltura.events(endDateGreaterThanOrEqual=moment)["totalCount"]
            for moment in (MONDAY + 1800, MONDAY + HOUR, MONDAY + HOUR + 1)
        ] == [1, 1, 0]

    @pytest.mark.parametrize(
        ("kind", "found"),
        [
            ("KalturaScheduleEventFilter", ["Record", "LiveStream", "Blackout"]),
            ("KalturaRecordScheduleEventFilter", ["Record"]),
            ("KalturaLiveStreamScheduleEventFilter", ["LiveStream"]),
            ("KalturaNoSuchFilter", ["Record", "LiveStream", "Blackout"]),
        ],
    )
    def test_the_kind_of_filter_chooses_the_kind_of_event(self, kaltura: Kaltura, kind: str, found: list[str]) -> None:
        for name in ("Record", "LiveStream", "Blackout"):
            kaltura.add_event(objectType=f"Kaltura{name}ScheduleEvent")
        objects = kaltura.events(objectType=kind)["objects"]
        assert [one["objectType"] for one in objects] == [f"Kaltura{name}ScheduleEvent" for name in found]

    def test_pages_have_limits(self, kaltura: Kaltura) -> None:
        kaltura.add_event(**weekly(40))
        assert len(kaltura.events()["objects"]) == 30
        assert len(kaltura.events({"pageSize": 9999})["objects"]) == 41
        assert len(kaltura.events({"pageSize": 30, "pageIndex": 2})["objects"]) == 11
        assert code(kaltura.events({"pageSize": 500, "pageIndex": 21})) == "QUERY_EXCEEDED_MAX_MATCHES_ALLOWED"


class TestRooms:
    def test_a_filter_for_one_room_is_exact_and_those_alike_are_not_prefixes(self, kaltura: Kaltura) -> None:
        made = kaltura.add_event()["id"]
        kaltura.link(made, RESOURCE_ID)
        rooms = [RESOURCE_ID, RESOURCE_ID + 1, int(str(RESOURCE_ID)[:3])]
        assert [kaltura.events(resourceIdEqual=room)["totalCount"] for room in rooms] == [1, 0, 0]
        assert [kaltura.events(resourceIdsLike=str(room))["totalCount"] for room in rooms] == [1, 0, 0]
        kaltura.link(made, RESOURCE_ID + 1)
        assert [kaltura.events(resourceIdEqual=room)["totalCount"] for room in rooms] == [0, 0, 0]
        assert [kaltura.events(resourceIdsLike=str(room))["totalCount"] for room in rooms] == [1, 1, 0]

    def test_a_room_that_has_a_parent_is_only_found_by_likeness(self, kaltura: Kaltura) -> None:
        sent = {"objectType": "KalturaCameraScheduleResource", "name": "c", "parentId": RESOURCE_ID}
        camera = kaltura("schedule_scheduleResource", "add", scheduleResource=sent)["id"]
        kaltura.link(kaltura.add_event()["id"], camera)
        assert kaltura.events(resourceIdEqual=camera)["totalCount"] == 0
        assert kaltura.events(resourceIdsMultiLikeOr=f"7,{camera}")["totalCount"] == 1

    def test_deleting_a_room_leaves_its_events_listed(self, kaltura: Kaltura) -> None:
        kaltura.link(kaltura.add_event()["id"], RESOURCE_ID)
        kaltura("schedule_scheduleResource", "delete", scheduleResourceId=RESOURCE_ID)
        assert kaltura.events(resourceIdsLike=RESOURCE_ID)["totalCount"] == 1


def test_blackouts_show_on_the_events_they_cover(kaltura: Kaltura) -> None:
    blackout = kaltura.add_event(objectType="KalturaBlackoutScheduleEvent")
    assert "blackoutConflicts" not in blackout
    assert [one["id"] for one in kaltura.add_event()["blackoutConflicts"]] == [blackout["id"]]
    apart = kaltura(
        "schedule_scheduleEvent", "add", scheduleEvent=event(startDate=MONDAY + HOUR, endDate=MONDAY + 7200)
    )
    assert apart["blackoutConflicts"] == []
