"""The situations of tests/data/terms/scenarios as they stand: what stands before, what is sent, what the plan says."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.service import Json, found, problem
from tests.terms.campus import Registrar, add_rooms, campus, counts
from tests.terms.samples import DATA

DAYS: dict[str, list[Json]] = {
    "campus": [
        {"name": "Martin Luther King", "date": "2027-01-18"},
        {"name": "Presidents", "date": "2027-02-15"},
        {"date": "2027-02-16", "meets_as": "MO"},
        {"name": "Break", "from": "2027-03-15", "to": "2027-03-19"},
        {"name": "Good Friday", "date": "2027-03-26"},
    ],
    "ostern": [{"name": "Good Friday", "date": "2027-03-26"}, {"name": "Easter Monday", "date": "2027-03-29"}],
}


def scenario(name: str) -> Json:
    (file,) = (DATA / "scenarios").glob(f"{name}_*.json")
    content: Json = json.loads(file.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with campus(tmp_path) as registrar:
        yield registrar


def set_up(registrar: Registrar, said: Json) -> datetime:
    """The term of a scenario, with its rooms and calendars, and what was applied before. Returns its now."""
    rooms = {room for room in said["term"]["rooms"].values() if room}
    add_rooms(registrar.service, sorted(rooms - {"EXTRON-SCI-101", "EXTRON-SCI-210"}))
    for name in said["term"]["calendars"]:
        answer = registrar.service.client.put(f"/calendars/{name}", json={"days": DAYS[name]})
        assert answer.status_code in (200, 201, 202), answer.text
    answer = registrar.service.client.put(registrar.path, json=said["term"])
    assert answer.status_code == 201, answer.text
    if isinstance(said["before"], list) and said["before"]:
        registrar.applied(said["before"])
    return datetime.fromisoformat(said["now"])


def same(plan: Mapping[str, Any], expected: Json) -> None:
    assert plan["status"] == expected["status"]
    for kind, number in expected["counts"].items():
        assert plan["counts"][kind] == number, counts(plan)
    for name, number in expected.get("sessions", {}).items():
        assert plan["sessions"][name] == number, plan["sessions"]
    if "guards" in expected:
        kept = [{name: one[name] for name in ("guard", "found", "limit", "tripped")} for one in plan["guards"]]
        assert kept == expected["guards"]


def starts(registrar: Registrar, recording_id: str) -> list[str]:
    sessions = registrar.service.get(f"/recordings/{recording_id}/occurrences")["items"]
    return [f"{one['start'][:16]}Z" for one in sessions if one["status"] == "scheduled"]


def test_a_first_import_and_the_same_bytes_again(registrar: Registrar) -> None:
    said, again = scenario("01"), scenario("02")
    now = set_up(registrar, said)
    sections = said["input"]["sections"]
    plan = registrar.plan_at(now, sections)
    same(plan, said["expect"])
    shown = [(one["kind"], one["section"], one["sessions"]["count"]) for one in registrar.items(plan)]
    assert shown == [(one["kind"], one["section"], one["sessions"]) for one in said["expect"]["items"]]
    assert registrar.ended(registrar.begin_at(now, plan))["counts"]["done"] == 4
    registrar.service.calls()
    same(registrar.plan_at(now, sections), again["expect"])
    assert registrar.service.writes() == []


def test_half_an_export_cancels_nothing(registrar: Registrar) -> None:
    said = scenario("03")
    now = set_up(registrar, said)
    expected, half = said["expect"], said["input"]["sections"]
    plan = registrar.plan_at(now, half)
    same(plan, expected["first_night"])
    refused = registrar.service.client.post(f"{registrar.path}/plans/{plan['id']}/apply")
    assert problem(refused, 409, "plan_blocked")["guards"] == plan["guards"]
    same(registrar.plan_at(now + timedelta(hours=24), said["before"]), expected["second_night_full_file"])
    registrar.ended(registrar.begin_at(now, plan, "input_drop"))
    later = registrar.plan_at(now + timedelta(hours=24), half)
    (third,) = (value for name, value in expected.items() if name.startswith("if_the_first"))
    same(later, third)


def test_two_rooms_are_swapped(registrar: Registrar) -> None:
    said = scenario("04")
    now = set_up(registrar, said)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    shown = [{name: one[name] for name in ("kind", "section", "group", "changes")} for one in registrar.items(plan)]
    assert shown == said["expect"]["items"]
    assert registrar.ended(registrar.begin_at(now, plan))["counts"]["done"] == 2
    assert {one["section"]: one["resource"]["system_name"] for one in registrar.recordings()} == {
        "20001": "EXTRON-SCI-210",
        "20002": "EXTRON-SCI-101",
    }


def test_one_of_two_that_share_a_recording_leaves(registrar: Registrar) -> None:
    said = scenario("05")
    now = set_up(registrar, said)
    (before,) = registrar.recordings()
    assert (before["owner"], before["editors"], before["occurrence_count"]) == ("jdoe1", ["spatel3"], 29)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    (item,) = registrar.items(plan, kind="change")
    (expected,) = said["expect"]["items"]
    assert (item["section"], item["recording_id"]) == (expected["section"], before["id"])
    assert item["changes"] == expected["changes"]
    registrar.ended(registrar.begin_at(now, plan))
    (after,) = registrar.recordings()
    assert (after["id"], after["owner"], after["section"]) == (before["id"], "spatel3", "20006")


def test_holidays_and_make_up_days_are_the_calendar_s(registrar: Registrar) -> None:
    said = scenario("07")
    now = set_up(registrar, said)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    assert registrar.ended(registrar.begin_at(now, plan))["counts"]["done"] == 3
    for item, expected in zip(registrar.items(plan), said["expect"]["items"], strict=True):
        assert item["section"] == expected["section"]
        assert item["sessions"]["excluded"] == expected["excluded"]
        assert item["sessions"]["extra"] == expected["extra"]
        assert starts(registrar, item["recording_id"]) == expected["starts"]


def test_weeks_are_held_as_people_write_them(registrar: Registrar) -> None:
    said = scenario("08")
    now = set_up(registrar, said)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    assert registrar.ended(registrar.begin_at(now, plan))["counts"]["done"] == 3
    items = {one["section"]: one for one in registrar.items(plan)}
    for expected in said["expect"]["items"]:
        item = items[expected["section"]]
        assert (item["kind"], item["reason"]) == (expected["kind"], expected.get("reason"))
        if "dates" in expected:
            sessions = registrar.service.get(f"/recordings/{item['recording_id']}/occurrences")["items"]
            held = [one for one in sessions if one["status"] == "scheduled"]
            assert [one["local_start"][:10] for one in held] == expected["dates"]


def test_a_lecturer_who_opted_out_takes_over_and_opts_in_again(registrar: Registrar) -> None:
    said = scenario("09")
    now = set_up(registrar, said)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    (item,) = registrar.items(plan, kind="cancel")
    (expected,) = said["expect"]["items"]
    assert {name: item[name] for name in expected} == expected
    registrar.ended(registrar.begin_at(now, plan))
    path = f"{registrar.path}/opt-outs/instructors/rkeller"
    assert registrar.service.client.delete(path).status_code == 204
    again = said["expect"]["then_rkeller_opts_in_again_the_same_day"]
    same(registrar.plan_at(now, said["input"]["sections"]), {"status": "ready", **again})


def test_a_row_that_cannot_be_read_protects_its_section_and_not_others(registrar: Registrar) -> None:
    said = scenario("11")
    now = set_up(registrar, said)
    plan = registrar.plan_at(now, said["input"]["sections"])
    same(plan, said["expect"])
    rejected, missing = said["expect"]["items"]
    items = registrar.items(plan)
    (item,) = [one for one in items if one["kind"] == "rejected"]
    assert [item[name] for name in ("section", "reason", "pointer")] == [
        rejected[name] for name in ("section", "reason", "pointer")
    ]
    (item,) = [one for one in items if one["kind"] == "missing"]
    assert (item["section"], item["because"]) == (missing["section"], missing["because"])
    registrar.ended(registrar.begin_at(now, plan))
    later = registrar.plan_at(now + timedelta(hours=24), said["input"]["sections"])
    same(later, said["expect"]["applied_and_the_same_input_24_hours_later"])


def test_it_is_shown_why_a_section_is_recorded_or_not(registrar: Registrar) -> None:
    said = scenario("11")
    set_up(registrar, said)
    registrar.apply(registrar.plan(said["input"]["sections"]))
    shown = found(registrar.service.client.get(f"{registrar.path}/sections/20003"))
    assert [one["missing_since"] is not None for one in shown["recordings"]] == [True]
    assert [one["kind"] for one in shown["items"]] == ["missing"]
    problem(registrar.service.client.get(f"{registrar.path}/sections/nobody"), 404, "not_found")
