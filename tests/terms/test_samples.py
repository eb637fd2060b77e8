"""The samples as plans: every line with its kind, reason and sessions, conflicts too."""

from io import BytesIO
from pathlib import Path

import pytest

from app.terms.planning.making import Asked
from tests.terms.campus import ME, add_rooms, campus
from tests.terms.samples import BANNER, CALENDARS, NOW, SYLLABUS_PLUS, Sample


@pytest.mark.parametrize("sample", [BANNER, SYLLABUS_PLUS], ids=lambda sample: str(sample.name))
def test_each_line_becomes_what_its_expected_file_says(tmp_path: Path, sample: Sample) -> None:
    with campus(tmp_path) as registrar:
        service = registrar.service
        there = {name for name in sample.settings["rooms"].values() if name}
        add_rooms(service, sorted(there - {"EXTRON-SCI-101", "EXTRON-SCI-210"}))
        for name, days in CALENDARS.items():
            said = [
                {"date": str(day.first), "meets_as": day.meets_as}
                if day.meets_as
                else {"name": day.name, "from": str(day.first), "to": str(day.last)}
                for day in days
            ]
            assert service.client.put(f"/calendars/{name}", json={"days": said}).is_success
        assert service.client.put(registrar.path, json=sample.settings).status_code == 201
        planner = service.app.state.terms.planner
        plan_id = planner.begin(ME, registrar.term, NOW)
        asked = Asked("csv", profile=sample.profile)
        assert planner.make(plan_id, BytesIO(sample.body), asked, NOW) is None
        items = {line: item for item in registrar.items({"id": plan_id}) for line in item["lines"][:1]}
    wrong = []
    for expected in sample.expected:
        if expected["kind"] in ("same", "ignored"):
            continue
        item = items[int(expected["line"])]
        if expected["kind"] == "create":
            held = item["sessions"] or {}
            found = [item["kind"], str(held.get("count")), str(held.get("first")).replace("T", " ")]
            wanted = ["create", expected["sessions"], expected["first"]]
        else:
            found, wanted = [item["kind"], item["reason"]], [expected["kind"], expected["reason"]]
        if found != wanted:
            wrong.append((expected["line"], found, wanted, item["because"]))
    assert wrong == []
