"""Documents to preview, and what is asked of a preview."""

from httpx2 import Response

from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, found

NEW_YORK = "America/New_York"
LECTURE = SINGLE | {"time_zone": NEW_YORK}
NIGHTS = LECTURE | {"start": "2027-03-12T02:30:00", "recurrence": {"frequency": "daily", "count": 4}}
DAYS = {"start": "2027-03-12T09:00:00", "duration_minutes": 1440, "recurrence": {"frequency": "daily", "count": 4}}
TELESCOPE = "🔭"  # four bytes of UTF-8


def asked(service: Lectern, document: object) -> Response:
    return service.client.post("/recordings/preview", json=document)


def previewed(service: Lectern, document: object) -> Json:
    preview: Json = found(asked(service, document))
    return preview


def scheduled(preview: Json) -> list[tuple[str, str]]:
    return [(one["start"], one["end"]) for one in preview["occurrences"] if one["status"] == "scheduled"]


def warned(preview: Json) -> list[tuple[str, str, str]]:
    return [(one["code"], one["pointer"], one["detail"]) for one in preview["warnings"]]
