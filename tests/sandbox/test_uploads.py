"""An encoder that uploads, played: what stands in Kaltura then."""

from typing import Any

import pytest

from app.sandbox.seed.seed import CATEGORY_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import MONDAY, Kaltura

MADE = "-1,0,1,2,7"


def template(kaltura: Kaltura) -> Any:
    words = {"name": "Optics", "tags": "light", "description": "Section 01", "entitledUsersEdit": "ta1"}
    return kaltura(
        "media",
        "add",
        entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "categoriesIds": str(CATEGORY_ID), **words},
    )


def test_an_entry_inherits_its_template_s_words(kaltura: Kaltura, sandbox: Sandbox) -> None:
    of = template(kaltura)
    made = sandbox.upload({"template_entry_id": of["id"], "duration_seconds": 3000.5, "created_at": MONDAY})
    assert (made["templateEntryId"], made["createdAt"], made["duration"]) == (of["id"], MONDAY, 3000)
    for name in ("tags", "description", "entitledUsersEdit", "categoriesIds"):
        assert made[name] == of[name]
    (listed,) = kaltura("media", "list")["objects"]  # those with media
    assert listed == made == kaltura("media", "get", entryId=made["id"])


def test_what_an_entry_says_itself_it_does_not_inherit(kaltura: Kaltura) -> None:
    sent = {
        "objectType": "KalturaMediaEntry",
        "mediaType": 1,
        "tags": "own",
        "templateEntryId": template(kaltura)["id"],
    }
    made = kaltura("media", "add", entry=sent)
    assert (made["tags"], made["description"]) == ("own", "Section 01")


def test_an_event_names_the_entries_of_its_encoder(kaltura: Kaltura, sandbox: Sandbox) -> None:
    event = kaltura.add_event(templateEntryId=template(kaltura)["id"], entryIds="0_related")
    made = sandbox.upload({"event_id": event["id"], "created_at": "2027-01-13T10:00:00-05:00"})
    shown = kaltura("schedule_scheduleEvent", "get", scheduleEventId=event["id"])
    assert shown["entryIds"] == f"0_related,{made['id']}"
    assert (made["name"], made["templateEntryId"]) == (event["summary"], event["templateEntryId"])


def test_media_may_come_later(kaltura: Kaltura, sandbox: Sandbox) -> None:
    made = sandbox.upload({"template_entry_id": template(kaltura)["id"], "uploading": True})
    assert (made["status"], made["duration"]) == (7, 0)
    filled = sandbox.upload({"entry_id": made["id"], "duration_seconds": 60})
    assert (filled["id"], filled["status"], filled["duration"]) == (made["id"], 2, 60)


def test_entries_are_listed_by_when_they_were_made(kaltura: Kaltura, sandbox: Sandbox) -> None:
    of = template(kaltura)["id"]
    made = [sandbox.upload({"template_entry_id": of, "created_at": MONDAY + number})["id"] for number in range(3)]
    found = kaltura("media", "list", filter={"createdAtGreaterThanOrEqual": MONDAY + 1, "statusIn": MADE})
    assert [entry["id"] for entry in found["objects"]] == made[1:]


def test_there_is_no_filter_for_the_template(kaltura: Kaltura, sandbox: Sandbox) -> None:
    sandbox.upload({"template_entry_id": template(kaltura)["id"]})
    assert kaltura("media", "list", filter={"templateEntryIdEqual": "0_another"})["totalCount"] == 1


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"template_entry_id": "a", "event_id": 1},
        {"template_entry_id": 1},
        {"event_id": "1"},
        {"event_id": True},
        {"event_id": 99},
        {"entry_id": "0_unknown"},
        {"template_entry_id": "a", "duration_seconds": -1},
        {"template_entry_id": "a", "created_at": "yesterday"},
        {"template_entry_id": "a", "created_at": "2027-01-13T10:00:00"},
        {"template_entry_id": "a", "created_at": True},
        {"template_entry_id": "a", "uploading": "yes"},
        {"template_entry_id": "a", "colour": "red"},
        {"template_entry_id": "a", "name": "\u0001"},
    ],
)
def test_an_upload_that_makes_no_sense_is_refused(sandbox: Sandbox, document: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sandbox.upload(document)
    assert sandbox.state()["entries"] == []
