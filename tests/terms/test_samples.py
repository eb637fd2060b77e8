"""The samples as plans that are applied: every line with its kind, reason, warnings and sessions, conflicts too."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from app.sandbox.seed.seed import CAMERA, DEFAULT_SEED, Seed
from app.terms.planning.making import Asked
from tests.service import Json, lectern
from tests.terms.campus import ME, Registrar, counts
from tests.terms.samples import CALENDARS, NOW, RESOURCES, SAMPLES, Sample


def seed(sample: Sample) -> Seed:
    """A Kaltura with the rooms of the sample, those that it names by number as well."""
    ids = {name: number for number, name in RESOURCES.items()}
    rooms = sorted({*ids, *filter(None, sample.settings["rooms"].values())})
    cameras = (
        {"id": ids.get(name, 700_000 + place), "name": name, "systemName": name, "objectType": CAMERA}
        for place, name in enumerate(rooms)
    )
    return replace(DEFAULT_SEED, resources=tuple(cameras))


def set_up(registrar: Registrar, sample: Sample) -> None:
    for name in CALENDARS.versions:
        said = [
            {"date": str(day.first), "meets_as": day.meets_as}
            if day.meets_as
            else {"name": day.name, "from": str(day.first), "to": str(day.last)}
            for day in CALENDARS.days
            if day.calendar == name
        ]
        assert registrar.service.client.put(f"/calendars/{name}", json={"days": said}).is_success
    assert registrar.service.client.put(registrar.path, json=sample.settings).status_code == 201


def planned(registrar: Registrar, sample: Sample) -> Json:
    planner = registrar.service.app.state.terms.planner
    plan_id = planner.begin(ME, registrar.term, NOW)
    assert planner.make(plan_id, BytesIO(sample.body), Asked("csv", profile=sample.profile), NOW) is None
    return registrar.shown(plan_id)


def told(item: Json) -> list[str]:
    """What the columns of an expected file have."""
    if item["kind"] != "create":
        return [item["kind"], item["reason"], "", "", "", ""]
    held = item["sessions"]
    first, last = (held[name].replace("T", " ") for name in ("first", "last"))
    return [item["kind"], "", " ".join(one["code"] for one in item["warnings"]), first, last, str(held["count"])]


def expected(line: dict[str, str]) -> list[str]:
    if line["kind"] != "create":
        return [line["kind"], line["reason"], "", "", "", ""]
    return [line["kind"], "", *(line[name] for name in ("warning", "first", "last", "sessions"))]


@pytest.mark.always
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.name))
def test_each_line_becomes_what_its_expected_file_says(tmp_path: Path, sample: Sample) -> None:
    lines = {int(one["line"]): one for one in sample.expected if one["kind"] not in ("same", "ignored")}
    with lectern(tmp_path, seed=seed(sample)) as service:
        registrar = Registrar(service)
        set_up(registrar, sample)
        plan = planned(registrar, sample)
        items = {item["lines"][0]: item for item in registrar.items(plan)}
        for line, item in items.items():
            lines[line]["warning"] = sample.warnings(item["lines"])
        assert {line: told(item) for line, item in items.items()} == {n: expected(one) for n, one in lines.items()}
        done = registrar.ended(registrar.begin_at(NOW, plan, *(guard["guard"] for guard in plan["guards"])))
        assert (done["counts"]["done"], done["items"]) == (plan["counts"]["create"], [])
        made = {one["id"]: one for one in registrar.recordings()}
        assert len(made) == plan["counts"]["create"]
        for item in registrar.items(plan, kind="create"):
            one, line = made[item["recording_id"]], lines[item["lines"][0]]
            shown = one["status"], one["resource"]["system_name"], str(one["occurrence_count"])
            assert shown == ("scheduled", line["room"], line["sessions"]), line
        service.calls()
        again = planned(registrar, sample)
        before = counts(plan)
        assert counts(again) == {**{kind: n for kind, n in before.items() if kind != "create"}, "unchanged": len(made)}
        assert service.writes() == []
