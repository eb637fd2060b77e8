"""Terms over HTTP: whose they are, what bodies may be, stopping and resuming."""

import json
import socket
import time
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

import httpx
import pytest

from app.terms import answering
from app.terms.planning import making
from app.terms.planning.making import Asked
from tests.keys import bearer, key
from tests.processes import start_sandbox, start_service
from tests.service import eventually, found, lectern, pointers, problem
from tests.terms.campus import TERM, Registrar, campus, section


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with campus(tmp_path) as registrar:
        registrar.set()
        yield registrar


def test_a_term_is_its_client_s_alone(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        mine, theirs = (bearer(key(service, name, "recordings:read", "recordings:write")) for name in ("a", "b"))
        assert service.client.put("/terms/t", json=TERM, headers=mine).status_code == 201
        assert service.client.put("/terms/t", json=TERM, headers=mine).status_code == 200
        made = service.client.post("/terms/t/plans", json={"sections": []}, headers=mine)
        plan = found(made, 201)["id"]
        for path in ("/terms/t", f"/terms/t/plans/{plan}", f"/terms/t/plans/{plan}/items", "/terms/t/sections/A"):
            problem(service.client.get(path, headers=theirs), 404, "not_found")
        problem(service.client.post(f"/terms/t/plans/{plan}/apply", headers=theirs), 404, "not_found")
        assert service.client.put("/terms/t", json=TERM, headers=theirs).status_code == 201
        problem(service.client.get(f"/terms/t/plans/{plan}", headers=theirs), 404, "not_found")


def test_settings_are_checked_where_they_are_wrong(registrar: Registrar) -> None:
    put = registrar.service.client.put
    unknown = {**TERM, "calendars": ["nobody", "no-one"]}
    assert pointers(problem(put("/terms/x", json=unknown), 422, "invalid_document")) == [
        "/calendars/0",
        "/calendars/1",
    ]
    assert pointers(problem(put("/terms/x", json={**TERM, "last_date": "2026-01-01"}), 422, "invalid_document")) == [
        "/last_date"
    ]
    many = {**TERM, "calendars": [f"c{number}" for number in range(11)]}  # a document takes ten
    assert pointers(problem(put("/terms/x", json=many), 422, "invalid_document")) == ["/calendars"]
    problem(put("/terms/a b", json=TERM), 422, "invalid_document")


def test_what_cannot_be_read_makes_no_plan(registrar: Registrar) -> None:
    post, path = registrar.service.client.post, f"{registrar.path}/plans"
    refused = post(path, content=b"{", headers={"Content-Type": "application/json"})
    assert "detail" in problem(refused, 422, "invalid_document")
    problem(post(path, content=b"a;b\n", headers={"Content-Type": "text/csv"}), 422, "invalid_document")
    problem(post(path, content=b"x", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    problem(post("/terms/nobody/plans", json={"sections": []}), 404, "not_found")
    assert registrar.service.get(registrar.path)["plan_id"] is None


def test_a_body_beyond_the_limit_is_refused(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"sections": [section("A")], "source": "x" * 200}).encode()
    monkeypatch.setattr(answering, "MAX_BODY", len(body) - 1)
    refused = registrar.service.client.post(
        f"{registrar.path}/plans", content=body, headers={"Content-Type": "application/json"}
    )
    problem(refused, 413, "payload_too_large")
    assert registrar.service.get(registrar.path)["plan_id"] is None


def test_more_than_other_bodies_may_have_is_read(registrar: Registrar) -> None:
    sections = [section(f"S{number}", description="x" * 2000) for number in range(300)]
    lines = "\n".join([json.dumps({"complete": True}), *map(json.dumps, sections)])
    assert len(lines) > 2 * 256 * 1024
    answer = registrar.service.client.post(
        f"{registrar.path}/plans", content=lines.encode(), headers={"Content-Type": "application/x-ndjson"}
    )
    plan = found(answer, 201)
    assert plan["declared"]["sections"] == 300


def test_items_are_paged_and_streamed(registrar: Registrar) -> None:
    plan = registrar.plan([section("A"), section("B", "SCI 210"), section("C", "ENG 404")])
    path = f"{registrar.path}/plans/{plan['id']}/items"
    first = registrar.service.get(path, limit=2)
    rest = registrar.service.get(path, limit=2, cursor=first["next_cursor"])
    assert [one["section"] for one in [*first["items"], *rest["items"]]] == ["A", "B", "C"]
    assert rest["next_cursor"] is None
    streamed = registrar.service.client.get(path, headers={"Accept": "Application/JSONL"})
    assert [json.loads(line)["section"] for line in streamed.text.splitlines()] == ["A", "B", "C"]
    table = registrar.service.client.get(path, headers={"Accept": "text/csv"}, params={"kind": "skipped"})
    assert table.text.splitlines()[1].startswith("3,skipped,C,,Course C,ENG 404,")
    page = registrar.service.client.get(path, headers={"Accept": "text/csv;q=0.5, application/json"})
    assert page.json() == registrar.service.get(path)
    assert [one["section"] for one in registrar.items(plan, reason="room_not_recorded")] == ["C"]


def test_who_does_not_wait_finds_the_plan_later(registrar: Registrar) -> None:
    answer = registrar.service.client.post(
        f"{registrar.path}/plans", json={"sections": [section("A")]}, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code in (201, 202), answer.text
    path = answer.headers["Location"]
    eventually(lambda: registrar.service.get(path)["status"] == "ready")


def test_an_apply_that_is_stopped_begins_nothing_more_until_it_is_resumed(registrar: Registrar) -> None:
    registrar.service.fault("http_500", "media", "add")
    plan = registrar.plan(
        [section(f"S{number}", start=f"{8 + number:02}:00", end=f"{8 + number:02}:50") for number in range(3)]
    )
    path = f"{registrar.path}/applies/{registrar.begin(plan)}"
    stopped = found(registrar.service.client.post(f"{path}/stop"))
    assert stopped["status"] == "stopped"
    registrar.service.heal()
    assert found(registrar.service.client.post(f"{path}/resume"))["status"] == "running"
    assert registrar.ended(stopped["id"])["counts"]["done"] == 3


def test_a_term_that_is_applied_is_told(registrar: Registrar) -> None:
    registrar.applied([section("A")])
    told = [one for one in registrar.service.get("/notices")["items"] if one["type"] == "term.applied"]
    assert [one["data"]["term"] for one in told] == ["2027S"]
    assert told[0]["data"]["counts"]["done"] == 1


def test_a_body_that_ends_in_the_middle_makes_no_plan(tmp_path: Path) -> None:
    body = json.dumps({"complete": True, "sections": [section("A")]}).encode()
    head = "POST /terms/t/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}"
    with (
        start_sandbox(tmp_path) as sandbox,
        start_service(tmp_path, sandbox.url) as service,
        httpx.Client(base_url=service.url, trust_env=False) as client,
    ):
        assert client.put("/terms/t", json=TERM).status_code == 201
        port = int(service.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode() + body[:-10])
        time.sleep(0.5)
        assert client.get("/terms/t").json()["plan_id"] is None
        assert client.get("/healthz").is_success


def test_a_key_with_slashes_is_found_and_opted_out(registrar: Registrar) -> None:
    """As those of Syllabus Plus: `COMP101/LEC/01`."""
    registrar.plan([section("COMP101/LEC/01")])
    encoded = "COMP101%2FLEC%2F01"
    assert registrar.service.get(f"{registrar.path}/sections/{encoded}")["section"] == "COMP101/LEC/01"
    assert registrar.service.client.put(f"{registrar.path}/opt-outs/sections/{encoded}").status_code == 204
    (item,) = registrar.items(registrar.plan([section("COMP101/LEC/01")]))
    assert (item["kind"], item["reason"]) == ("skipped", "opted_out")
    assert registrar.service.client.delete(f"{registrar.path}/opt-outs/sections/{encoded}").status_code == 204


def test_recordings_are_found_by_their_term_section_and_meeting(registrar: Registrar) -> None:
    meetings = [{"days": [day], "start": "09:00", "end": "09:50", "room": "SCI 101"} for day in ("MO", "WE")]
    both = [{**meeting, "meeting": str(number)} for number, meeting in enumerate(meetings, 1)]
    registrar.applied([{**section("A"), "meetings": both}, section("B")])

    def found_by(**asked: str) -> list[tuple[str, str | None]]:
        items = registrar.service.get("/recordings", **asked)["items"]
        return sorted((one["section"], one["meeting"]) for one in items)

    assert len(found_by(term="2027S")) == 3
    assert found_by(term="2027S", section="A") == [("A", "1"), ("A", "2")]
    assert found_by(section="A", meeting="2") == [("A", "2")]
    assert found_by(section="C") == []


def test_of_two_new_ones_that_overlap_each_says_that_neither_is_made(registrar: Registrar) -> None:
    items = registrar.items(registrar.plan([section("A"), section("B", start="09:30", end="10:20")]))
    assert [(one["kind"], "neither is made" in one["because"]) for one in items] == [("conflict", True)] * 2


def test_what_is_missing_is_counted_in_sections(registrar: Registrar) -> None:
    registrar.applied([section("A"), section("B", "SCI 210")])
    assert (
        registrar.plan([section("A")])["summary"] == "nothing to create or change; 1 section is missing from the input"
    )


def test_a_plan_that_fails_while_it_is_written_shows_no_part_of_itself(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "ROWS", 1)
    planner = registrar.service.app.state.terms.planner
    plan_id, write, times = planner.begin("local", "2027S"), planner.database.write, count(1)
    monkeypatch.setattr(planner.database, "write", lambda *given: write(*given) if next(times) != 2 else 1 / 0)
    body = json.dumps({"complete": True, "sections": [section("A"), section("B", "SCI 210")]}).encode()
    with pytest.raises(ZeroDivisionError):
        planner.make(plan_id, BytesIO(body), Asked("json"))
    assert registrar.shown(plan_id)["status"] == "failed"
    assert registrar.items({"id": plan_id}) == []
