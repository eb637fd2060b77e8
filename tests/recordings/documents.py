"""Documents for tests, good and bad, and what reading them comes to."""

import json
from copy import deepcopy
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.http.fields import messages
from app.recordings.document.document import EXAMPLE, RecordingDocument, Schedule

LEFT_OUT = object()
SERVICE_ZONE = "Europe/Zurich"
SINGLE = {"title": "t", "resource": 562931, "start": "2027-01-13T09:00:00", "duration_minutes": 50}


def example(**changes: Any) -> dict[str, Any]:
    """DESIGN's example with fields changed, or LEFT_OUT."""
    document = deepcopy(EXAMPLE) | changes
    return {name: value for name, value in document.items() if value is not LEFT_OUT}


def weekly(**changes: Any) -> dict[str, Any]:
    """Its recurrence with fields changed, or LEFT_OUT."""
    recurrence = EXAMPLE["recurrence"] | changes
    return {name: value for name, value in recurrence.items() if value is not LEFT_OUT}


def read(document: object) -> Schedule:
    return RecordingDocument.model_validate(document).schedule(SERVICE_ZONE)


def refusals(document: object) -> list[dict[str, str]]:
    """What an answer says about a document, none for a good one. It has to be sendable."""
    try:
        read(document)
    except (ValidationError, RequestValidationError) as error:
        found = messages(error.errors())
        json.dumps(found, ensure_ascii=False).encode()
        return found
    return []


def pointers(document: object) -> list[str]:
    return [message["pointer"] for message in refusals(document)]
