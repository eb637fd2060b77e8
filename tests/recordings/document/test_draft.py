"""What a document comes to before its transaction begins."""

import json
from typing import Any

import pytest

from app.recordings.document import draft
from app.recordings.document.campus import NOTHING
from app.recordings.document.document import EXAMPLE, RecordingDocument
from app.recurrence.server import STEADY
from tests.recordings.documents import SERVICE_ZONE, SINGLE, example

NEW_ROOM = {"system_name": "ROOM-1", "name": "Room 1", "kind": "camera", "description": "By the door"}


@pytest.mark.parametrize("document", [EXAMPLE, SINGLE, example(resource=NEW_ROOM), example(exclude=[], tags=[])])
def test_a_chain_s_input_is_the_same_from_the_database(document: dict[str, Any]) -> None:
    """A chain runs with it as it was drafted, or, taken over by another process, as it was stored."""
    drafted = draft.draft("local", RecordingDocument.model_validate(document), SERVICE_ZONE, STEADY, NOTHING).input
    assert json.loads(json.dumps(drafted)) == drafted
