"""A term from its first import on: what is new, changed, gone, and what somebody decided by hand between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.cli.term.printing import is_to_apply
from app.recordings.models import Recording
from app.terms.comparing import clashes
from tests.service import epoch, eventually, found, problem
from tests.terms.campus import Registrar, add_rooms, but, campus, counts, section

A, B = section("A"), section("B", "SCI 210")
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with campus(tmp_path) as registrar:
        registrar.set()
        yield registrar


def test_a_first_import_makes_a_recording_of_each_meeting(registrar: Registrar) -> None:
    plan = registrar.plan([A, B])
    assert (plan["status"], counts(plan)) == ("ready", {"create": 2})
    assert plan["sessions"] == {"added": 32, "moved": 0, "cancelled": 0, "soon": 0}
    done = registrar.apply(plan)
    assert done["counts"] == {"pending": 0, "waiting": 0, "done": 2, "stale": 0, "conflict": 0, "failed": 0}
    made = registrar.recordings()
    assert sorted((one["section"], one["term"], one["status"]) for one in made) == [
        ("A", "2027S", "scheduled"),
        ("B", "2027S", "scheduled"),
    ]
    assert [one["occurrence_count"] for one in made] == [16, 16]
    assert registrar.items(plan)[0]["outcome"] == "done"


def test_the_same_again_is_nothing_to_do_and_asks_kaltura_nothing(registrar: Registrar) -> None:
    registrar.applied([A, B])
    registrar.service.calls()
    plan = registrar.plan([A, B])
    assert (plan["status"], counts(plan)) == ("nothing_to_do", {"unchanged": 2})
    registrar.apply(plan)
    assert registrar.service.writes() == []


def test_a_change_is_shown_and_made(registrar: Registrar) -> None:
    registrar.applied([A, B])
    plan = registrar.plan([but(A, start="10:00", end="10:50"), B])
    assert counts(plan) == {"change": 1, "unchanged": 1}
    assert plan["sessions"]["moved"] == 16
    (item,) = registrar.items(plan, kind="change")
    assert [change["field"] for change in item["changes"]] == ["times"]
    registrar.apply(plan)
    (made,) = [one for one in registrar.recordings() if one["section"] == "A"]
    assert made["start"] == "2027-01-12T10:00:00"
    assert registrar.plan([but(A, start="10:00", end="10:50"), B])["status"] == "nothing_to_do"


def test_a_weekly_meeting_that_an_older_version_kept_as_its_date_changes_when_a_make_up_day_does_it(
    registrar: Registrar,
) -> None:
    def say(*days: dict[str, str]) -> None:
        found(registrar.service.client.put("/calendars/campus", json={"days": days}))

    say()
    registrar.set(calendars=["campus"])
    registrar.applied([but(A, days=[], date="2027-02-16"), but(B, days=[], date="2027-02-17")])
    now = [but(A, weeks="6"), but(B, days=["WE"], weeks="6")]
    assert counts(registrar.plan(now)) == {"unchanged": 2}
    say({"date": "2027-02-18", "meets_as": "TU"})
    plan = registrar.plan(now)
    assert counts(plan) == {"change": 1, "unchanged": 1}
    registrar.apply(plan)
    assert [one["occurrence_count"] for one in registrar.recordings() if one["section"] == "A"] == [2]
    assert counts(registrar.plan(now)) == {"unchanged": 2}


def test_a_weekly_meeting_that_has_one_date_follows_its_calendar_by_itself(registrar: Registrar) -> None:
    def say(*days: dict[str, str]) -> dict[str, Any]:
        headers = {"Prefer": "wait=20"}
        answer: dict[str, Any] = found(
            registrar.service.client.put("/calendars/campus", json={"days": days}, headers=headers)
        )
        return answer

    say()
    registrar.set(calendars=["campus"])
    registrar.applied([but(A, weeks="6")])
    assert say({"date": "2027-02-18", "meets_as": "TU"})["done"] == 1
    assert [one["occurrence_count"] for one in registrar.recordings()] == [2]
    assert counts(registrar.plan([but(A, weeks="6")])) == {"unchanged": 1}


def test_a_room_that_is_only_called_otherwise_is_no_change_of_rooms(registrar: Registrar) -> None:
    registrar.applied([A])
    registrar.set(rooms={"SCIENCE 101": "EXTRON-SCI-101"})
    (item,) = registrar.items(registrar.plan([but(A, room="SCIENCE 101")]), kind="change")
    assert item["changes"] == [{"field": "location", "from": "SCI 101", "to": "SCIENCE 101"}]
    assert item["sessions"] is None


def test_other_clocks_are_named_where_they_are_all_that_differs(registrar: Registrar) -> None:
    registrar.applied([A])
    registrar.set(time_zone="America/Detroit")
    (item,) = registrar.items(registrar.plan([A]), kind="change")
    (change,) = item["changes"]
    assert (change["from"][-16:], change["to"][-15:]) == ("America/New_York", "America/Detroit")


def test_what_is_cancelled_is_cancelled_and_frees_its_place(registrar: Registrar) -> None:
    registrar.applied([A])
    plan = registrar.plan([{**A, "status": "cancelled"}, section("C")])
    assert counts(plan) == {"cancel": 1, "create": 1}
    assert plan["sessions"]["cancelled"] == 16
    registrar.apply(plan)
    assert sorted((one["section"], one["status"]) for one in registrar.recordings()) == [
        ("A", "cancelled"),
        ("C", "scheduled"),
    ]


def test_what_is_missing_is_cancelled_after_a_night_and_not_before(registrar: Registrar) -> None:
    registrar.applied([A, B])
    plan = registrar.plan_at(NOW, [A])
    assert (plan["status"], counts(plan)) == ("nothing_to_do", {"unchanged": 1, "missing": 1})
    registrar.ended(registrar.begin_at(NOW, plan))
    assert counts(registrar.plan_at(NOW + timedelta(hours=19), [A])) == {"unchanged": 1, "missing": 1}
    later = registrar.plan_at(NOW + timedelta(hours=24), [A])
    assert (later["status"], counts(later)) == ("ready", {"unchanged": 1, "cancel": 1})
    assert counts(registrar.plan_at(NOW + timedelta(hours=24), [A, B])) == {"unchanged": 2}
    assert counts(registrar.plan_at(NOW + timedelta(hours=24), [A], complete=False)) == {"unchanged": 1}


def test_a_section_that_comes_back_is_not_missing_any_more(registrar: Registrar) -> None:
    registrar.applied([A, B])
    gone = registrar.plan_at(NOW, [A])
    assert (gone["absences"], is_to_apply(gone)) == ({"begin": 1, "end": 0}, True)
    registrar.ended(registrar.begin_at(NOW, gone))
    assert registrar.service.get("/terms/2027S/sections/B")["recordings"][0]["missing_since"]
    later = NOW + timedelta(hours=10)
    still = registrar.plan_at(later, [A])
    assert (still["absences"], is_to_apply(still)) == ({"begin": 0, "end": 0}, False)
    back = registrar.plan_at(later, [A, B])
    assert (back["status"], back["absences"], is_to_apply(back)) == ("nothing_to_do", {"begin": 0, "end": 1}, True)
    assert "1 back that was missing" in back["summary"]
    registrar.ended(registrar.begin_at(later, back))
    assert registrar.service.get("/terms/2027S/sections/B")["recordings"][0]["missing_since"] is None
    again = later + timedelta(hours=20)
    assert counts(registrar.plan_at(again, [A])) == {"unchanged": 1, "missing": 1}


def test_a_row_that_cannot_be_read_protects_its_section(registrar: Registrar) -> None:
    registrar.applied([A, B])
    plan = registrar.plan([A, but(B, days=["MX"])])
    assert counts(plan) == {"unchanged": 1, "rejected": 1}
    (item,) = registrar.items(plan, kind="rejected")
    assert (item["reason"], item["pointer"]) == ("days_unreadable", "/sections/1/meetings/0/days/0")
    assert item["recording_id"]


def test_who_took_a_room_keeps_it(registrar: Registrar) -> None:
    registrar.applied([A])
    plan = registrar.plan([A, section("C", start="09:30", end="10:20")])
    assert counts(plan) == {"unchanged": 1, "conflict": 1}
    (item,) = registrar.items(plan, kind="conflict")
    assert item["reason"] == "room_taken"
    assert "Course A" in item["because"]


def test_what_an_apply_has_met_in_kaltura_is_a_conflict_of_the_next_plan(registrar: Registrar) -> None:
    """Also where nobody polls the room, so that it is of no interest to the mirror."""
    service = registrar.service
    (room,) = [one for one in service.get("/resources")["items"] if one["system_name"] == "EXTRON-SCI-101"]
    times = {"startDate": epoch("2027-01-12T14:00:00Z"), "endDate": epoch("2027-01-12T15:00:00Z")}
    service.kaltura.link(service.kaltura.add_event(summary="Faculty meeting", **times)["id"], room["id"])
    plan = registrar.plan([A])
    assert counts(plan) == {"create": 1}
    (item,) = registrar.apply(plan)["items"]
    assert item["outcome"] == "conflict"
    assert eventually(lambda: counts(registrar.plan([A])) == {"conflict": 1})


def test_rooms_are_swapped_together(registrar: Registrar) -> None:
    registrar.applied([A, B])
    plan = registrar.plan([but(A, room="SCI 210"), but(B, room="SCI 101")])
    assert counts(plan) == {"change": 2}
    assert [item["group"] for item in registrar.items(plan)] == ["g1", "g1"]
    assert registrar.apply(plan)["counts"]["done"] == 2
    rooms = {one["section"]: one["resource"]["system_name"] for one in registrar.recordings()}
    assert rooms == {"A": "EXTRON-SCI-210", "B": "EXTRON-SCI-101"}


def test_what_somebody_changed_after_the_plan_is_stale(registrar: Registrar) -> None:
    registrar.applied([A, B])
    plan = registrar.plan([but(A, start="10:00", end="10:50"), but(B, start="10:00", end="10:50")])
    (made,) = [one for one in registrar.recordings() if one["section"] == "A"]
    found(registrar.service.client.patch(f"/recordings/{made['id']}", json={"title": "Mine"}))
    done = registrar.apply(plan)
    assert (done["counts"]["stale"], done["counts"]["done"]) == (1, 1)
    assert [(item["section"], item["problem"]["code"]) for item in done["items"]] == [("A", "stale")]


def test_what_somebody_decided_by_hand_stays(registrar: Registrar) -> None:
    registrar.applied([A, B])
    mine, gone = sorted(registrar.recordings(), key=lambda one: str(one["section"]))
    found(registrar.service.client.patch(f"/recordings/{mine['id']}", json={"title": "Mine"}))
    found(registrar.service.client.delete(f"/recordings/{gone['id']}"))
    plan = registrar.plan([but(A, start="10:00", end="10:50"), B])
    assert counts(plan) == {"change": 1, "held": 1}
    registrar.apply(plan)
    shown = {one["section"]: (one["title"], one["start"], one["status"]) for one in registrar.recordings()}
    assert shown["A"] == ("Mine", "2027-01-12T10:00:00", "scheduled")
    assert shown["B"][2] == "cancelled"
    again = registrar.plan([{**but(A, start="10:00", end="10:50"), "title": "Theirs"}, B])
    assert counts(again) == {"unchanged": 1, "held": 1}
    assert again["warnings"] == {"kept_by_hand": 1}


def test_a_section_that_gets_another_number_keeps_its_recording(registrar: Registrar) -> None:
    registrar.applied([A, B])
    before = {one["section"]: one["id"] for one in registrar.recordings()}
    plan = registrar.plan([{**A, "section": "A2"}, B])
    assert counts(plan) == {"rekey": 1, "unchanged": 1}
    registrar.apply(plan)
    assert {one["section"]: one["id"] for one in registrar.recordings()} == {"A2": before["A"], "B": before["B"]}


def test_what_the_client_had_made_before_is_adopted_without_a_call(registrar: Registrar) -> None:
    slot = {"start": "2027-01-12T09:00:00", "duration_minutes": 50, "time_zone": "America/New_York"}
    rule = {"frequency": "weekly", "days": ["TU"], "until": "2027-04-30"}
    mine = registrar.service.made(
        {"title": "Course A", "resource": "EXTRON-SCI-101", "owner": "jdoe1", **slot, "recurrence": rule}
    )
    registrar.service.calls()
    plan = registrar.plan([A])
    assert counts(plan) == {"adopt": 1}
    registrar.apply(plan)
    assert registrar.service.writes() == []
    assert [one["id"] for one in registrar.recordings()] == [mine["id"]]
    registrar.apply(registrar.plan([A]))
    assert registrar.plan([A])["status"] == "nothing_to_do"


def test_a_single_recording_of_the_client_is_adopted_by_the_week_that_it_is_in(registrar: Registrar) -> None:
    slot = {"start": "2027-02-16T09:00:00", "duration_minutes": 50, "time_zone": "America/New_York"}
    registrar.service.made({"title": "Course A", "resource": "EXTRON-SCI-101", "owner": "jdoe1", **slot})
    assert counts(registrar.plan([but(A, weeks="6")])) == {"adopt": 1}


def test_what_is_adopted_is_the_same_however_it_is_spelt(registrar: Registrar) -> None:
    """What a document leaves out is what its default says, and the service's zone is the term's."""
    registrar.set(time_zone="UTC", defaults={"visibility": "public", "tags": ["Physics"]})
    registrar.service.made(
        {
            "title": "Course A",
            "resource": {"system_name": "extron-sci-101"},
            "location": "SCI 101",
            "owner": "jdoe1",
            "editors": [],
            "publishers": [],
            "tags": ["physics"],
            "exclude": [],
            "start": "2027-01-12T09:00:00",
            "end": "2027-01-12T09:50:00",
            "recurrence": "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;UNTIL=20270430;WKST=MO",
        }
    )
    plan = registrar.plan([A])
    assert counts(plan) == {"adopt": 1}
    registrar.apply(plan)
    assert registrar.plan([A])["status"] == "nothing_to_do"


def test_what_an_older_version_took_and_this_one_does_not_stops_no_plan(registrar: Registrar) -> None:
    """Neither as a recording of the client's own nor as one of the term's."""
    registrar.applied([A])
    slot = {"start": "2027-01-12T13:00:00", "duration_minutes": 50, "time_zone": "America/New_York"}
    mine = registrar.service.made({"title": "Course B", "resource": "EXTRON-SCI-210", **slot})
    for recording in (*registrar.recordings(), mine):
        with registrar.service.app.state.database.write() as session:
            kept = session.get_one(Recording, recording["id"])
            kept.document = {**kept.document, "visibility": "hidden"}
    assert counts(registrar.plan([but(A, start="10:00", end="10:50"), B])) == {"change": 1, "create": 1}


def test_what_is_adopted_in_another_zone_is_another_slot(registrar: Registrar) -> None:
    rule = {"frequency": "weekly", "days": ["TU"], "until": "2027-04-30"}
    slot = {"start": "2027-01-12T09:00:00", "duration_minutes": 50, "recurrence": rule}
    registrar.service.made({"title": "Course A", "resource": "EXTRON-SCI-101", "owner": "jdoe1", **slot})  # in UTC
    assert counts(registrar.plan([A])) == {"create": 1}


def test_a_field_that_was_left_out_changes_from_its_default(registrar: Registrar) -> None:
    slot = {"start": "2027-01-12T09:00:00", "duration_minutes": 50, "time_zone": "America/New_York"}
    rule = {"frequency": "weekly", "days": ["TU"], "until": "2027-04-30"}
    document = {"title": "Course A", "resource": "EXTRON-SCI-101", "location": "SCI 101", "owner": "jdoe1", **slot}
    registrar.service.made({**document, "recurrence": rule})
    registrar.set(defaults={"visibility": "private", "tags": ["physics"]})
    registrar.apply(registrar.plan([A]))
    (item,) = registrar.items(registrar.plan([A]))
    assert sorted(item["changes"], key=lambda change: str(change["field"])) == [
        {"field": "tags", "from": [], "to": ["physics"]},
        {"field": "visibility", "from": "public", "to": "private"},
    ]


def test_a_plan_is_applied_once_and_a_later_one_takes_its_place(registrar: Registrar) -> None:
    first, second = registrar.plan([A]), registrar.plan([A, B])
    apply_id = registrar.begin(second)
    registrar.ended(apply_id)
    again = registrar.service.client.post(f"/terms/2027S/plans/{second['id']}/apply", json={})
    assert found(again, 200)["id"] == apply_id
    problem(registrar.service.client.post(f"/terms/2027S/plans/{first['id']}/apply"), 409, "plan_superseded")
    assert registrar.shown(first["id"])["superseded"]


def test_two_plans_that_were_made_of_the_same_state_make_nothing_twice(registrar: Registrar) -> None:
    first, second = registrar.plan([A]), registrar.plan([A])
    registrar.apply(first)
    done = registrar.apply(second)
    assert done["counts"]["stale"] == 1
    assert len(registrar.recordings()) == 1


def test_a_guard_blocks_and_shows_the_whole_plan(registrar: Registrar) -> None:
    rooms = {f"R{n}": f"CAM-R{n}" for n in range(20)}
    add_rooms(registrar.service, list(rooms.values()))
    registrar.set(rooms=rooms)
    whole = [section(f"S{n}", f"R{n}") for n in range(20)]
    registrar.applied(whole)
    plan = registrar.plan(whole[:9])
    assert (plan["status"], counts(plan)) == ("blocked", {"unchanged": 9, "missing": 11})
    assert [(one["guard"], one["found"], one["limit"]) for one in plan["guards"]] == [
        ("input_drop", "9 of 20 sections (45 %)", "at least 80 %")
    ]
    refused = problem(registrar.service.client.post(f"/terms/2027S/plans/{plan['id']}/apply"), 409, "plan_blocked")
    assert [one["guard"] for one in refused["guards"]] == ["input_drop"]
    assert registrar.plan(whole)["status"] == "nothing_to_do"
    assert registrar.apply(plan, "input_drop")["status"] == "done"


@pytest.mark.under_load
def test_a_circle_of_more_rooms_than_a_batch_may_have_moves_as_one(registrar: Registrar) -> None:
    rooms = {f"R{number}": f"CAM-R{number}" for number in range(101)}
    add_rooms(registrar.service, list(rooms.values()))
    registrar.set(rooms=rooms)
    before = [section(name, name, days=[], meeting={"date": "2027-01-12"}) for name in rooms]
    registrar.applied(before)
    after = [but(one, room=room) for one, room in zip(before, [*list(rooms)[1:], "R0"], strict=True)]
    plan = registrar.plan(after)
    assert {item["group"] for item in registrar.items(plan)} == {"g1"}
    assert registrar.apply(plan, "change_share")["counts"]["done"] == len(rooms)
    where = {one["section"]: one["resource"]["system_name"] for one in registrar.recordings()}
    assert where == {one["section"]: rooms[one["meetings"][0]["room"]] for one in after}


def test_more_than_can_be_changed_as_one_is_refused_by_the_plan(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clashes, "MOST_TOGETHER", 1)
    c = section("C", start="11:00", end="11:50")
    registrar.applied([A, B, c])
    swapped = [but(A, room="SCI 210"), but(B, room="SCI 101"), but(c, start="12:00", end="12:50")]
    plan = registrar.plan(swapped)
    assert counts(plan) == {"conflict": 2, "change": 1}
    assert {item["reason"] for item in registrar.items(plan, kind="conflict")} == {"too_many_together"}
    assert registrar.apply(plan)["counts"]["done"] == 1
    monkeypatch.undo()
    assert counts(registrar.plan(swapped)) == {"change": 2, "unchanged": 1}


def test_a_resource_that_kaltura_does_not_have_is_named_where_the_term_is_mended(registrar: Registrar) -> None:
    registrar.set(rooms={"SCI 101": "EXTRON-TYPO"})
    (failed,) = registrar.apply(registrar.plan([A]))["items"]
    said = failed["problem"]
    assert said["code"] == "resource_not_found"
    assert said["detail"].startswith("Kaltura has no resource 'EXTRON-TYPO'. Mend it where the term's rooms")
