"""A term whose timetable was refused or is blocked, until the next good one."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.database.types import utc_now
from app.terms.models import Plan
from tests.findings.world import Told, later, look
from tests.service import Json, Lectern, problem
from tests.terms.campus import Registrar, section


@pytest.fixture
def registrar(service: Lectern) -> Registrar:
    registrar = Registrar(service)
    registrar.set(rooms={"SCI 101": "EXTRON-100-ABC"})
    return registrar


def send(registrar: Registrar, body: str, media_type: str = "application/json") -> None:
    answer = registrar.service.client.post(
        f"{registrar.path}/plans", content=body.encode(), headers={"Content-Type": media_type}
    )
    assert answer.status_code in (413, 415, 422), answer.text


def refusals(registrar: Registrar) -> list[Json]:
    return [one for one in look(registrar.service) if one["kind"] == "term_refused"]


@pytest.mark.both_databases
def test_a_blocked_plan_until_a_good_one_is_made(registrar: Registrar, told: Told) -> None:
    plan = registrar.plan([section("A")], expected_sections=2)
    (one,) = refusals(registrar)
    assert one["severity"] == "soon"
    assert "blocked by expected (1 sections, the limit is exactly 2)" in one["detail"]
    assert f"lectern term apply 2027S {plan['id']} --allow expected" in one["what_to_do"]
    registrar.plan([section("A")])
    assert refusals(registrar) == []
    assert told == [("raised", "term_refused"), ("cleared", "term_refused")]


@pytest.mark.parametrize(
    ("body", "media_type", "said"),
    [
        ("section,title\n", "text/plain", "Send it with one of these as Content-Type"),
        ("no header\n", "text/csv", "header"),
        ('{"complete": true}', "application/json", "sections"),
    ],
)
def test_what_could_not_be_read_until_a_good_one_is_made(
    registrar: Registrar, told: Told, body: str, media_type: str, said: str
) -> None:
    registrar.plan([section("A")])
    for _ in range(2):
        send(registrar, body, media_type)
        (one,) = refusals(registrar)
    assert said in one["detail"]
    registrar.plan([section("A")])
    assert refusals(registrar) == []
    assert told == [("raised", "term_refused"), ("cleared", "term_refused")]


def test_a_blocked_plan_until_it_is_applied_all_the_same(registrar: Registrar) -> None:
    plan = registrar.plan([section("A")], expected_sections=2)
    assert refusals(registrar)
    registrar.apply(plan, "expected")
    assert refusals(registrar) == []


def test_a_plan_that_was_never_made(registrar: Registrar) -> None:
    registrar.service.app.state.terms.planner.begin("local", registrar.term)
    assert refusals(registrar) == []
    with registrar.service.app.state.database.write() as session:
        session.execute(update(Plan).values(created_at=utc_now() - timedelta(minutes=20)))
    (one,) = refusals(registrar)
    assert "Lectern was stopped" in one["detail"]


def test_a_term_that_is_over_is_nobody_s_business(registrar: Registrar) -> None:
    send(registrar, "{}")
    assert refusals(registrar)
    later(registrar.service, timedelta(days=400))
    assert refusals(registrar) == []


def test_what_was_refused_shows_no_plan_and_drives_none_out(registrar: Registrar) -> None:
    plan = registrar.plan([section("A")])
    for _ in range(35):
        send(registrar, "{}")
    assert registrar.service.get(registrar.path)["plan_id"] == plan["id"]
    assert registrar.shown(plan["id"])["status"] == "ready"


def test_a_term_that_is_not_there_is_none(registrar: Registrar) -> None:
    problem(registrar.service.client.post("/terms/nobody/plans", json={"sections": []}), 404, "not_found")
    assert refusals(registrar) == []
