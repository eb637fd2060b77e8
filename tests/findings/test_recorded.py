"""`not_recorded`: a session that is over, of which its encoder has uploaded nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.recordings.models import Recording
from app.resources.rounds import UPLOADS
from app.sandbox.seed.seed import RESOURCE_ID
from tests.findings.world import Told, later, listed, look, soon, watched
from tests.resources.polls import make_round
from tests.service import Json, Lectern

DAY = 24 * 60
SESSIONS = {"resource": "EXTRON-100-ABC", "duration_minutes": 50, "time_zone": "UTC"}


def made(service: Lectern, *, before: bool = True) -> Json:
    """A recording whose sessions of yesterday and today are over, and whether it was made `before` them."""
    rule = {"frequency": "daily", "count": 3}
    start = soon(-DAY - 130).isoformat()
    one = service.made(SESSIONS | {"title": "Optics & <b>light</b>", "start": start, "recurrence": rule})
    if before:
        with service.app.state.database.write() as session:
            session.execute(update(Recording).values(created_at=soon(-2 * DAY)))
    return one


def upload(service: Lectern, recording: Json, minutes: float) -> None:
    """Its encoder uploads something, so many minutes from now, and somebody looks."""
    template = recording["kaltura"]["template_entry_id"]
    service.sandbox.upload({"template_entry_id": template, "created_at": soon(minutes).isoformat()})
    make_round(service, UPLOADS)


@pytest.mark.both_databases
def test_a_session_of_which_nothing_was_uploaded_until_it_is(service: Lectern, told: Told) -> None:
    recording = made(service)
    upload(service, recording, -DAY - 70)
    (one,) = look(service)
    (_, today, _) = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert (one["kind"], one["severity"], one["actions"]) == ("not_recorded", "soon", [])
    assert one["subject"]["recording_id"] == recording["id"]
    assert one["subject"]["occurrence_id"] == today["id"]
    assert one["subject"]["resource"]["id"] == RESOURCE_ID
    when = f"{soon(-130):%Y-%m-%d}"
    assert one["detail"].startswith(f"“Optics & <b>light</b>” of {when}")
    assert one["detail"].endswith("was not recorded, or not uploaded from EXTRON-100-ABC yet.")
    assert look(service) == [one]
    upload(service, recording, -30)
    assert look(service) == []
    assert told == [("raised", "not_recorded"), ("cleared", "not_recorded")]


def test_nobody_knows_where_uploads_were_never_seen(service: Lectern) -> None:
    made(service)
    make_round(service, UPLOADS)
    assert look(service) == []


def test_what_was_asked_for_when_it_was_over_could_not_be_recorded(service: Lectern) -> None:
    recording = made(service, before=False)
    upload(service, recording, -DAY - 70)
    assert look(service) == []


def test_it_is_told_for_three_days(service: Lectern) -> None:
    upload(service, made(service), -DAY - 70)
    assert [one["kind"] for one in look(service)] == ["not_recorded"]
    later(service, timedelta(days=3))
    assert "not_recorded" not in [one["kind"] for one in look(service)]


def test_nobody_is_told_where_nobody_looks(tmp_path: Path) -> None:
    with watched(tmp_path) as (service, _):
        upload(service, made(service), -DAY - 70)
        assert [one["kind"] for one in look(service)] == ["not_recorded"]
    with watched(tmp_path, confirm_recordings=False) as (service, _):
        assert listed(service) == []
