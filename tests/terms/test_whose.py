"""What a plan tells of other clients' recordings; and what people said of a term, whoever sends its settings."""

from pathlib import Path

from tests.keys import bearer, key
from tests.service import Json, eventually, found, lectern
from tests.terms.campus import TERM, section

SECRET = {
    "title": "Secret seminar",
    "resource": {"system_name": "EXTRON-SCI-101", "name": "SCI 101"},
    "start": "2027-01-12T09:30:00",
    "time_zone": "America/New_York",
    "duration_minutes": 50,
}


def test_a_conflict_with_another_client_s_recording_does_not_say_what_it_is(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        theirs, mine = (bearer(key(service, name, "recordings:read", "recordings:write")) for name in ("a", "b"))
        found(service.client.post("/recordings", json=SECRET, headers=theirs), 201)
        found(service.client.put("/terms/t", json=TERM, headers=mine), 201)
        plan = found(service.client.post("/terms/t/plans", json={"sections": [section("A")]}, headers=mine), 201)
        answer = service.client.get(f"/terms/t/plans/{plan['id']}/items", headers=mine)
        (item,) = found(answer)["items"]
        assert (item["kind"], item["reason"]) == ("conflict", "room_taken")
        assert item["because"] == "Another booking has the room from 2027-01-12 09:30 to 10:20 (America/New_York)."
        assert "Secret" not in answer.text


def test_nor_does_an_apply_that_meets_it(tmp_path: Path) -> None:
    """It was made after the plan."""
    with lectern(tmp_path) as service:
        theirs, mine = (bearer(key(service, name, "recordings:read", "recordings:write")) for name in ("a", "b"))
        found(service.client.put("/terms/t", json=TERM, headers=mine), 201)
        plan = found(service.client.post("/terms/t/plans", json={"sections": [section("A")]}, headers=mine), 201)
        found(service.client.post("/recordings", json=SECRET, headers=theirs), 201)
        apply = found(service.client.post(f"/terms/t/plans/{plan['id']}/apply", json={}, headers=mine), 202)

        def ended() -> Json | None:
            shown: Json = found(service.client.get(f"/terms/t/applies/{apply['id']}", headers=mine))
            return shown if shown["status"] == "done" else None

        (item,) = eventually(ended)["items"]
        assert (item["outcome"], item["problem"]["code"]) == ("conflict", "schedule_conflict")
        said = "Another booking has SCI 101 from 2027-01-12 09:30 to 10:20 (America/New_York)."
        assert item["problem"]["detail"] == said


def test_who_has_opted_out_stays_so_when_settings_are_sent_that_do_not_say_it(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        found(service.client.put("/terms/t", json=TERM), 201)
        assert service.client.put("/terms/t/opt-outs/instructors/jdoe1").status_code == 204
        shown = found(service.client.put("/terms/t", json={**TERM, "max_hours": 8}))
        assert shown["settings"]["opt_outs"] == {"instructors": ["jdoe1"], "sections": []}
        said = found(service.client.put("/terms/t", json={**TERM, "opt_outs": {"sections": ["A"]}}))
        assert said["settings"]["opt_outs"] == {"instructors": ["jdoe1"], "sections": ["A"]}
        none = found(service.client.put("/terms/t", json={**TERM, "opt_outs": {"instructors": [], "sections": []}}))
        assert none["settings"]["opt_outs"] == {"instructors": [], "sections": []}
