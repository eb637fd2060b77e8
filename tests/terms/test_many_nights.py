"""Random terms over several nights: after each apply everything is as the plan said, and nobody else is touched."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from app.resources.models import Occurrence, OccurrenceStatus
from tests.service import Json, found
from tests.terms.campus import TERM, Registrar, campus, section

KEYS = ("A", "B", "C", "D")
STARTS = ("09:00", "10:00", "10:30")
BY_HAND = ("nothing", "cancel one session", "cancel the recording", "rename")

Night = dict[str, Json]
"""By section: what it says."""

KEY = st.sampled_from(KEYS)
SAYS = st.fixed_dictionaries(
    {
        "room": st.sampled_from(["SCI 101", "SCI 101", "SCI 210", "SCI 210", "ENG 404", "TBA"]),
        "start": st.sampled_from(STARTS),
        "days": st.sampled_from([["TU"], ["TU"], ["TU", "TH"]]),
        "status": st.sampled_from(["active", "active", "active", "cancelled"]),
        "title": st.sampled_from(["One", "Two"]),
    }
)
EDIT = st.one_of(
    st.tuples(st.just("says"), KEY, SAYS),
    st.tuples(st.sampled_from(["vanishes", "cannot be read"]), KEY, st.none()),
    st.tuples(st.sampled_from(["swaps rooms", "swaps numbers", "is cross-listed"]), KEY, KEY),
)
NIGHTS = st.lists(st.tuples(st.lists(EDIT, min_size=1, max_size=4), st.sampled_from(BY_HAND)), min_size=2, max_size=4)


def edited(night: Night, edits: list[tuple[str, str, Any]]) -> Night:
    night = {key: dict(says) for key, says in night.items()}
    for what, key, more in edits:
        if what == "says":
            night[key] = dict(more)
        elif key not in night:
            continue
        elif what == "vanishes":
            del night[key]
        elif what == "cannot be read":
            night[key]["days"] = ["XX"]
        elif more in night and what == "swaps rooms":
            night[key]["room"], night[more]["room"] = night[more]["room"], night[key]["room"]
        elif more in night and what == "swaps numbers":
            night[key], night[more] = night[more], night[key]
        elif more in night:
            night[more] |= {name: night[key][name] for name in ("room", "start", "days")} | {"group": "G"}
            night[key]["group"] = "G"
    return night


def declared(night: Night) -> list[Json]:
    return [
        section(key, says["room"], says["start"], f"{says['start'][:3]}50", days=says["days"], status=says["status"])
        | {"title": f"{says['title']} {key}", "group": says.get("group")}
        for key, says in sorted(night.items())
    ]


def by_hand(registrar: Registrar, what: str, renamed: set[str]) -> None:
    alive = [one for one in registrar.recordings() if one["status"] == "scheduled"]
    if not alive or what == "nothing":
        return
    path = f"/recordings/{alive[0]['id']}"
    if what == "rename":
        renamed.add(alive[0]["id"])
        found(registrar.service.client.patch(path, json={"title": "By hand"}))
    elif what == "cancel the recording":
        found(registrar.service.client.delete(path))
    else:
        sessions = registrar.service.get(f"{path}/occurrences")["items"]
        scheduled = [one["id"] for one in sessions if one["status"] == "scheduled"]
        found(registrar.service.client.delete(f"{path}/occurrences/{scheduled[0]}"))


def nothing_overlaps(registrar: Registrar) -> None:
    with registrar.service.app.state.database.read() as session:
        scheduled = col(Occurrence.status) == OccurrenceStatus.SCHEDULED
        rows = list(session.execute(select(Occurrence).where(scheduled)).scalars())
    for one, other in combinations(rows, 2):
        apart = one.resource_id != other.resource_id or one.end <= other.start or other.end <= one.start
        assert apart, (one, other)


def all_is_as_said(
    items: list[Json], before: Mapping[str, Json], after: Mapping[str, Json], night: Night, renamed: set[str]
) -> None:
    for item in items:
        was, now = before.get(item["recording_id"]), after.get(item["recording_id"], {})
        if item["kind"] == "cancel":
            assert now["status"] == "cancelled", item
        elif item["kind"] in ("create", "change", "rekey", "adopt", "unchanged"):
            says = night[item["section"]]
            assert now["status"] == "scheduled", item
            assert now["section"] == item["section"], item
            if says["status"] == "active" and says["room"] in ("SCI 101", "SCI 210"):
                shown = now["resource"]["system_name"], now["start"][11:16]
                assert shown == (TERM["rooms"][says["room"]], says["start"]), item
                assert now["id"] in renamed or now["title"] == f"{says['title']} {item['section']}", item
        if item["kind"] in ("unchanged", "held", "missing", "skipped", "rejected", "conflict") and was:
            assert now["chain"]["id"] == was["chain"]["id"], f"something was begun: {item}"
            assert now["status"] == was["status"], item


ALIKE = {"room": "SCI 101", "start": "09:00", "days": ["TU"], "status": "active", "title": "One"}
"""Two sections that say this are one meeting."""


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@example({"A": ALIKE, "B": ALIKE}, [([("cannot be read", "A", None)], "nothing")])
@given(st.dictionaries(KEY, SAYS, min_size=2), NIGHTS)
def test_after_each_night_the_state_is_what_the_plan_said(
    night: Night, nights: list[tuple[list[tuple[str, str, Any]], str]]
) -> None:
    with TemporaryDirectory() as folder, campus(Path(folder)) as registrar:
        registrar.set(missing_grace_hours=0, record_types=[])
        outside = {"title": "x", "resource": 562931, "start": "2027-01-13T09:00:00", "duration_minutes": 50}
        other, renamed = registrar.service.made(outside), set[str]()
        for edits, decision in [([], "nothing"), *nights]:
            night = edited(night, edits)
            sections = declared(night)
            plan = registrar.plan(sections, expected_sections=len(sections))
            before = {one["id"]: one for one in registrar.recordings()}
            registrar.service.calls()
            done = registrar.apply(plan)
            assert done["counts"]["failed"] == done["counts"]["stale"] == done["counts"]["conflict"] == 0, done
            if not any(plan["counts"][kind] for kind in ("create", "change", "rekey", "cancel")):
                assert registrar.service.writes() == []
            nothing_overlaps(registrar)
            after = {one["id"]: one for one in registrar.recordings()}
            all_is_as_said(registrar.items(plan), before, after, night, renamed)
            again = registrar.plan(sections)
            if not again["counts"]["cancel"]:  # what is missing has had its grace: that leaves room for others
                counted = {kind for kind in ("create", "change", "rekey", "adopt") if again["counts"][kind]}
                assert not counted, registrar.items(again)
            by_hand(registrar, decision, renamed)
        shown = registrar.service.get(f"/recordings/{other['id']}")
        assert (shown["status"], shown["updated_at"]) == ("scheduled", other["updated_at"])
