"""Random terms over several nights: after each apply everything is as the plan said, and nobody else is touched."""

from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from app.resources.models import Occurrence, OccurrenceStatus
from tests.service import Json, found
from tests.terms.campus import Registrar, campus, section

KEYS = ("A", "B", "C", "D")
HOURS = ("09", "10", "11")

SECTION = st.fixed_dictionaries(
    {
        "room": st.sampled_from(["SCI 101", "SCI 210", "ENG 404"]),
        "hour": st.sampled_from(HOURS),
        "status": st.sampled_from(["active", "active", "active", "cancelled"]),
        "days": st.sampled_from([["TU"], ["TU"], ["TU", "TH"], ["XX"]]),
        "title": st.sampled_from(["One", "Two"]),
    }
)
NIGHT = st.dictionaries(st.sampled_from(KEYS), SECTION, min_size=1)
BY_HAND = st.sampled_from(["nothing", "nothing", "cancel one session", "rename"])


def declared(night: dict[str, Json]) -> list[Json]:
    return [
        section(key, one["room"], f"{one['hour']}:00", f"{one['hour']}:50", days=one["days"], status=one["status"])
        | {"title": f"{one['title']} {key}"}
        for key, one in sorted(night.items())
    ]


def by_hand(registrar: Registrar, what: str) -> None:
    alive = [one for one in registrar.recordings() if one["status"] == "scheduled"]
    if not alive or what == "nothing":
        return
    path = f"/recordings/{alive[0]['id']}"
    if what == "rename":
        found(registrar.service.client.patch(path, json={"title": "By hand"}))
        return
    sessions = registrar.service.get(f"{path}/occurrences")["items"]
    scheduled = [one["id"] for one in sessions if one["status"] == "scheduled"]
    if scheduled:
        found(registrar.service.client.delete(f"{path}/occurrences/{scheduled[0]}"))


def nothing_overlaps(registrar: Registrar) -> None:
    with registrar.service.app.state.database.read() as session:
        scheduled = col(Occurrence.status) == OccurrenceStatus.SCHEDULED
        rows = list(session.execute(select(Occurrence).where(scheduled)).scalars())
    for one, other in combinations(rows, 2):
        apart = one.resource_id != other.resource_id or one.end <= other.start or other.end <= one.start
        assert apart, (one, other)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(NIGHT, BY_HAND), min_size=2, max_size=3))
def test_after_each_night_the_state_is_what_the_plan_said(nights: list[tuple[dict[str, Json], str]]) -> None:
    with TemporaryDirectory() as folder, campus(Path(folder)) as registrar:
        registrar.set(missing_grace_hours=0, record_types=[])
        outside = {"title": "x", "resource": 562931, "start": "2027-01-13T09:00:00", "duration_minutes": 50}
        other = registrar.service.made(outside)
        for night, decision in nights:
            sections = declared(night)
            plan = registrar.plan(sections, expected_sections=len(sections))
            done = registrar.apply(plan)
            assert done["counts"]["failed"] == done["counts"]["stale"] == done["counts"]["conflict"] == 0, done
            nothing_overlaps(registrar)
            items = registrar.items(plan)
            there = {one["id"]: one for one in registrar.recordings()}
            for item in items:
                if item["kind"] in ("create", "change", "rekey", "adopt", "unchanged"):
                    assert there[item["recording_id"]]["status"] == "scheduled", item
                if item["kind"] == "cancel":
                    assert there[item["recording_id"]]["status"] == "cancelled", item
            registrar.service.writes()
            again = registrar.plan(sections)
            counted = {kind for kind in ("create", "change", "rekey", "adopt") if again["counts"][kind]}
            assert not counted, registrar.items(again)
            assert registrar.service.writes() == []
            by_hand(registrar, decision)
        shown = registrar.service.get(f"/recordings/{other['id']}")
        assert (shown["status"], shown["updated_at"]) == ("scheduled", other["updated_at"])
