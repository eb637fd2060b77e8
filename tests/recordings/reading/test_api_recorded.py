"""What was recorded of a session, as occurrences show it."""

from datetime import timedelta
from pathlib import Path

from app.database.types import utc_now
from app.resources.models import Round
from app.resources.rounds import RESOURCES, UPLOADS
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.polls import make_round
from tests.service import Json, Lectern, lectern


def over(service: Lectern) -> Json:
    """A recording of two sessions: one that is over, and one that is ahead."""
    start = utc_now().replace(microsecond=0) - timedelta(hours=2)
    rule = {"frequency": "daily", "count": 2}
    document = {"title": "Optics", "resource": RESOURCE_ID, "duration_minutes": 50, "recurrence": rule}
    return service.made(document | {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "time_zone": "UTC"})


def recorded(service: Lectern, recording: Json) -> list[Json | None]:
    return [one["recorded"] for one in service.get(f"/recordings/{recording['id']}/occurrences")["items"]]


def test_an_occurrence_says_what_was_recorded(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        recording = over(service)
        template = recording["kaltura"]["template_entry_id"]
        assert recorded(service, recording) == [None, None]
        entry = service.sandbox.upload({"template_entry_id": template, "uploading": True})["id"]
        make_round(service, UPLOADS)
        assert recorded(service, recording) == [None, None]  # it is only announced
        service.sandbox.upload({"entry_id": entry, "duration_seconds": 2987})
        make_round(service, UPLOADS)
        assert recorded(service, recording) == [{"entry_id": entry, "duration_seconds": 2987}, None]


def test_nobody_looks_where_it_is_switched_off(tmp_path: Path) -> None:
    with lectern(tmp_path, confirm_recordings=False) as service:
        recording = over(service)
        service.sandbox.upload({"template_entry_id": recording["kaltura"]["template_entry_id"]})
        make_round(service, RESOURCES)
        assert recorded(service, recording) == [None, None]
        with service.app.state.database.read() as session:
            assert session.get(Round, UPLOADS) is None
