"""Calendars over HTTP: said, shown, named by documents, taken away."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.calendars.campus import NAME, day, held, reasons, say, section, send, sessions
from tests.calendars.test_ics import FILE
from tests.keys import bearer, key
from tests.service import Json, Lectern, found, pointers, problem

ALL = {"from": "2027-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z", "limit": 1000}


def test_a_calendar_says_what_it_was_told(service: Lectern) -> None:
    said = say(
        service,
        {"name": "Spring break", "from": day(3), "to": day(3, 4)},
        day(1),
        {"name": "Monday schedule", "date": day(1, 1), "meets_as": "MO"},
        title="Campus",
    )
    assert said["days"] == [
        {"name": None, "from": day(1), "to": day(1), "meets_as": None},
        {"name": "Monday schedule", "from": day(1, 1), "to": day(1, 1), "meets_as": "MO"},
        {"name": "Spring break", "from": day(3), "to": day(3, 4), "meets_as": None},
    ]
    assert (said["ignored"], said["warnings"]) == ([], [])
    assert (said["recordings"], said["done"], said["failed"]) == (0, 0, 0)
    assert (said["first"], said["last"], said["title"]) == (day(1), day(3, 4), "Campus")
    told = {"ignored", "warnings"}
    assert service.get(f"/calendars/{NAME}") == {name: one for name, one in said.items() if name not in told}
    (listed,) = service.get("/calendars")["items"]
    assert listed == {name: one for name, one in said.items() if name not in told | {"days"}}


def test_a_version_is_new_when_other_days_are_said_and_only_then(service: Lectern) -> None:
    first = say(service, day(1), title="One")
    assert say(service, day(1), title="One") == first
    assert say(service, day(1), title="Another")["version"] == first["version"]
    assert say(service, day(2))["version"] > first["version"]


def test_a_file_is_a_calendar_too(service: Lectern) -> None:
    said = found(send(service, FILE, categories="Holiday,Break"))
    assert "Spring break - no classes" in {one["name"] for one in said["days"]}
    assert {one["reason"] for one in said["ignored"]} == {"cancelled", "category", "not_a_whole_day"}


def test_a_document_is_excluded_by_its_calendars_as_by_itself(service: Lectern) -> None:
    say(service, {"name": "Spring break", "from": day(3), "to": day(3, 4)})
    document = section("ROOM-1", exclude=[day(1)])
    shown = found(service.client.post("/recordings/preview", json=document))
    assert {one["start"][:10]: one["reason"] for one in shown["occurrences"] if one["status"] == "excluded"} == {
        day(1): f"excluded by {day(1)}",
        day(3): "campus: Spring break",
    }
    recording = service.made(document)
    assert recording["calendars"] == [NAME]
    assert recording["occurrence_count"] == 6
    assert held(service, recording) == [day(week) for week in (0, 2, 4, 5, 6, 7)]
    assert sessions(service, recording)[day(3)] == "excluded"
    assert reasons(service, recording)[day(3)] == "campus: Spring break"
    assert service.get(f"/calendars/{NAME}")["done"] == 1


@pytest.mark.parametrize("path", ["/recordings", "/recordings/preview"])
def test_an_unknown_calendar_is_pointed_at(service: Lectern, path: str) -> None:
    say(service)
    refused = problem(
        service.client.post(path, json=section("ROOM-1", calendars=[NAME, "other"])), 422, "invalid_document"
    )
    assert pointers(refused) == ["/calendars/1"]


def test_calendars_that_leave_nothing_are_pointed_at(service: Lectern) -> None:
    say(service, {"from": day(0), "to": day(9)})
    refused = problem(service.schedule(section("ROOM-1")), 422, "invalid_document")
    assert pointers(refused) == ["/calendars"]


def test_a_calendar_that_is_named_stays(service: Lectern) -> None:
    say(service)
    recording = service.made(section("ROOM-1"))
    problem(service.client.delete(f"/calendars/{NAME}"), 409, "calendar_in_use")
    found(service.client.delete(f"/recordings/{recording['id']}"))
    assert service.client.delete(f"/calendars/{NAME}").status_code == 204
    problem(service.client.get(f"/calendars/{NAME}"), 404, "not_found")
    problem(service.client.delete(f"/calendars/{NAME}"), 404, "not_found")


def test_a_calendar_that_a_term_names_stays_until_the_term_is_over(service: Lectern) -> None:
    def term(name: str, first: str, last: str, *calendars: str) -> None:
        body = {"name": name, "time_zone": "UTC", "first_date": first, "last_date": last, "calendars": calendars}
        assert service.client.put(f"/terms/{name}", json=body).status_code in (200, 201)

    say(service)
    term("over", "2025-01-11", "2025-04-30", NAME)
    term("spring", day(0), day(8), NAME)
    term("summer", day(9), day(12))
    refused = problem(service.client.delete(f"/calendars/{NAME}"), 409, "calendar_in_use")
    assert refused["detail"] == "The settings of the term spring name this calendar."
    term("spring", day(0), day(8))
    assert service.client.delete(f"/calendars/{NAME}").status_code == 204


@pytest.mark.both_databases
def test_a_calendar_is_not_taken_away_while_a_term_begins_to_name_it(service: Lectern) -> None:
    body = {"name": "Spring", "time_zone": "UTC", "first_date": day(0), "last_date": day(8), "calendars": [NAME]}
    for number in range(20):
        say(service)
        path = f"/terms/spring-{number}"
        with ThreadPoolExecutor() as both:
            put = both.submit(service.client.put, path, json=body)
            deleted = both.submit(service.client.delete, f"/calendars/{NAME}")
        outcomes = put.result().status_code, deleted.result().status_code
        assert outcomes in ((201, 409), (422, 204))
        if outcomes[0] == 201:
            found(service.client.put(path, json=body | {"calendars": []}))


def test_what_is_said_is_checked(service: Lectern) -> None:
    for body, pointer in (
        ({"days": [{"name": "x"}]}, "/days/0/date"),
        ({"days": [{"from": day(1)}]}, "/days/0/to"),
        ({"days": [{"date": day(1), "to": day(2)}]}, "/days/0/date"),
        ({"days": [{"from": day(2), "to": day(1)}]}, "/days/0/to"),
        ({"days": [{"from": day(1), "to": day(2), "meets_as": "MO"}]}, "/days/0/meets_as"),
        ({"days": [{"date": day(1), "meets_as": "Monday"}]}, "/days/0/meets_as"),
        ({"days": [{"from": "2027-01-01", "to": "2030-01-01"}]}, "/days"),
        ({"days": "2027-01-01"}, "/days"),
        ({}, "/days"),
        ({"days": [], "holidays": []}, "/holidays"),
    ):
        refused = problem(service.client.put(f"/calendars/{NAME}", json=body), 422, "invalid_document")
        assert pointers(refused) == [pointer], refused
    problem(service.client.put("/calendars/Campus", json={"days": []}), 422, "invalid_document")
    problem(service.client.put(f"/calendars/{NAME}?categories=x", json={"days": []}), 422, "invalid_document")
    problem(service.client.put(f"/calendars/{NAME}", content=b"{"), 415, "unsupported_media_type")
    json = {"Content-Type": "application/json"}
    problem(service.client.put(f"/calendars/{NAME}", content=b"{", headers=json), 422, "invalid_document")
    assert service.get("/calendars")["items"] == []


def test_calendars_are_the_campus_s_and_what_they_touch_is_told_to_its_owner(service: Lectern) -> None:
    """The registrar sees that sessions of others would go, where and when, and not which they are."""
    say(service, day(1))
    recording = service.made(section("ROOM-1"))
    registrar = bearer(key(service, "registrar", "calendars:write", "recordings:read"))
    body = {"days": [{"name": "Snow", "date": day(2)}]}
    shown = found(service.client.post(f"/calendars/{NAME}/preview", json=body, headers=registrar))
    assert (shown["recordings"], shown["touched"], shown["dropped"], shown["restored"]) == (1, 1, 1, 1)
    (item,) = shown["items"]
    assert (item["recording_id"], item["title"], item["resource"]["name"]) == (None, None, "ROOM-1")
    assert [(one["start"][:10], one["reason"]) for one in item["dropped"]] == [(day(2), "campus: Snow")]
    assert [one["start"][:10] for one in item["restored"]] == [day(1)]
    admin = bearer(key(service, "admin", "admin"))
    told = found(service.client.post(f"/calendars/{NAME}/preview", json=body, headers=admin))
    assert told["items"][0]["recording_id"] == recording["id"]
    assert sessions_as(service, recording, admin)[day(2)] == "scheduled"


def sessions_as(service: Lectern, recording: dict[str, str], headers: dict[str, str]) -> dict[str, str]:
    shown = found(service.client.get(f"/recordings/{recording['id']}/occurrences", headers=headers))
    return {one["local_start"][:10]: one["status"] for one in shown["items"]}


def test_a_preview_s_sentence_names_calendars_and_what_is_in_the_way(service: Lectern) -> None:
    say(service, {"name": "Spring break", "from": day(1), "to": day(3)})
    service.made(section("ROOM-1", reference_id="other", calendars=[]))
    sent = section("ROOM-2", include=[day(2, 2)])
    shown = found(service.client.post("/recordings/preview", json=sent))
    first = f"8 weekly sessions, 3 left out by {NAME} (Spring break)"
    assert shown["summary"].startswith(f"{first}, 1 added on ")
    del sent["include"]
    sent |= {"resource": "ROOM-1", "on_conflict": "skip", "start": f"{day(0)}T09:30:00"}
    assert found(service.client.post("/recordings/preview", json=sent))["summary"].startswith(
        f"{first}, 5 left out for what is in the way"
    )


@pytest.mark.parametrize(
    ("zone", "first", "at", "day", "begins"),
    [
        ("America/New_York", "2027-03-01", "02:30", "2027-03-14", "2027-03-14T07:30:00Z"),
        ("America/New_York", "2027-10-25", "01:30", "2027-11-07", "2027-11-07T05:30:00Z"),
        ("Australia/Sydney", "2027-09-20", "02:30", "2027-10-03", "2027-10-02T16:30:00Z"),
        ("Australia/Sydney", "2027-03-22", "02:30", "2027-04-04", "2027-04-03T15:30:00Z"),
    ],
)
@pytest.mark.parametrize("known", ["before", "after"])
def test_a_make_up_day_on_which_the_clocks_change_is_recorded_when_it_is_held(
    service: Lectern, known: str, zone: str, first: str, at: str, day: str, begins: str
) -> None:
    say(service, *([{"date": day, "meets_as": "MO"}] if known == "before" else []))
    rule = "FREQ=WEEKLY;BYDAY=MO;COUNT=6"
    recording = service.made(section("ROOM-1", start=f"{first}T{at}:00", time_zone=zone, recurrence=rule))
    say(service, {"date": day, "meets_as": "MO"})
    shown = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    starts = sorted(one["start"] for one in shown if one["status"] == "scheduled")
    assert (len(starts), begins in starts) == (7, True)
    assert starts == sorted(one["start"] for one in service.get("/resources/ROOM-1/upcoming", **ALL)["occurrences"])
    say(service)
    assert service.get(f"/recordings/{recording['id']}")["occurrence_count"] == 6


@pytest.mark.parametrize(
    ("more", "held_on_it"),
    [
        pytest.param({}, False, id="a session's date"),
        pytest.param({"recurrence": "FREQ=WEEKLY;BYDAY=MO,TU;COUNT=12"}, True, id="a date of both weekdays"),
        pytest.param({"exclude": [day(2, 1)]}, False, id="an excluded day"),
        pytest.param({"exclude": [day(2, 1)], "recurrence": "FREQ=WEEKLY;BYDAY=MO,TU;COUNT=12"}, False, id="both, out"),
        pytest.param({"include": [day(2, 1)]}, True, id="an include"),
        pytest.param({"include": [{"date": day(2, 1), "start": "14:00"}]}, True, id="an include at its own time"),
    ],
)
def test_what_a_document_says_of_a_make_up_day(service: Lectern, more: Json, held_on_it: bool) -> None:
    """A Tuesday that meets as a Monday: what is excluded stays so, and what is included is held."""
    say(service)
    recording = service.made(section("ROOM-1", "TU", start=f"{day(0, 1)}T09:00:00", **more))
    before = held(service, recording)
    say(service, {"date": day(2, 1), "meets_as": "MO"})
    now = held(service, recording)
    assert (day(2, 1) in now) == held_on_it
    assert now == [one for one in before if one != day(2, 1) or held_on_it]
    say(service)
    assert held(service, recording) == before


def test_a_date_that_meets_as_two_weekdays_is_warned_of_and_holds_both(service: Lectern) -> None:
    """In one calendar or in two, whatever their order: a class of one of them is held, the date's own is not."""
    monday = {"date": day(2, 1), "meets_as": "MO"}
    wednesday = {"date": day(2, 1), "meets_as": "WE"}
    say(service)
    say(service, name="faculty")
    both = [NAME, "faculty"]
    found_on = {
        weekday: service.made(section(f"ROOM-{weekday}", weekday, start=f"{day(0, number)}T09:00:00", calendars=both))
        for number, weekday in enumerate(("MO", "TU", "WE"))
    }

    def held_then() -> set[str]:
        return {weekday for weekday, recording in found_on.items() if day(2, 1) in held(service, recording)}

    assert held_then() == {"TU"}
    (warning,) = say(service, monday, wednesday)["warnings"]
    assert warning["code"] == "several_weekdays"
    assert warning["detail"] == f"{day(2, 1)} meets as MO and as WE: the sessions of each are held then."
    assert held_then() == {"MO", "WE"}
    for mine, others in ((monday, wednesday), (wednesday, monday)):
        assert say(service, mine)["warnings"] == []
        say(service, others, name="faculty")
        assert held_then() == {"MO", "WE"}


def unused(shown: Json) -> list[str]:
    return [one["detail"] for one in shown["warnings"] if one["code"] == "exclusion_unused"]


def test_an_exclusion_that_keeps_a_make_up_day_s_session_away_is_used(service: Lectern) -> None:
    say(service, {"date": day(2, 1), "meets_as": "MO"})
    document = section("ROOM-1", exclude=[day(2, 1)])
    shown = found(service.client.post("/recordings/preview", json=document))
    assert unused(shown) == []
    (on_it,) = [one for one in shown["occurrences"] if one["start"][:10] == day(2, 1)]
    assert (on_it["status"], on_it["reason"]) == ("excluded", f"excluded by {day(2, 1)}")
    recording = service.made(document)
    assert unused(recording) == []
    assert held(service, recording) == [day(week) for week in range(8)]
    assert sessions(service, recording)[day(2, 1)] == "excluded"
    found(service.client.patch(f"/recordings/{recording['id']}", json={"exclude": []}))
    assert held(service, recording) == sorted([day(2, 1), *(day(week) for week in range(8))])
    found(service.client.patch(f"/recordings/{recording['id']}", json={"exclude": [day(2, 1)]}))
    assert held(service, recording) == [day(week) for week in range(8)]
    say(service)
    assert unused(service.get(f"/recordings/{recording['id']}")) == [f"No session falls on {day(2, 1)}."]
    assert held(service, recording) == [day(week) for week in range(8)]


def test_a_calendar_that_is_emptied_says_so(service: Lectern) -> None:
    assert say(service)["warnings"] == []
    assert say(service, "2020-01-01", day(1), day(2))["warnings"] == []
    shown = found(service.client.post(f"/calendars/{NAME}/preview", json={"days": []}))
    said = say(service, "2020-01-01")
    assert [one["code"] for one in shown["warnings"] + said["warnings"]] == ["emptied", "emptied"]
    assert said["warnings"][0]["detail"].startswith("The calendar had 2 entries ahead, and has none any more")
    assert say(service)["warnings"] == []
