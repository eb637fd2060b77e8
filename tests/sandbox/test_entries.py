"""Entries and categories."""

from typing import Any

import pytest

from app.sandbox.seed.seed import CATEGORY_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Kaltura


def add(kaltura: Kaltura, **values: Any) -> Any:
    return kaltura(
        "media", "add", entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "Template", **values}
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a", ""),
        ("a,ab,abc", "ab, abc"),
        ("dup,dup", "dup"),
        ("ABC,abc", "abc"),
        (" lead, trail ", "lead, trail"),
        ("x y,semi;colon", "x y, semi;colon"),
    ],
)
def test_tags_are_cleaned(kaltura: Kaltura, sent: str, kept: str) -> None:
    assert add(kaltura, tags=sent)["tags"] == kept


@pytest.mark.parametrize(
    ("sent", "categories"),
    [
        ({}, ""),
        ({"categoriesIds": str(CATEGORY_ID)}, "Mathematics"),
        ({"categoriesIds": f"{CATEGORY_ID},{CATEGORY_ID}"}, "Mathematics"),
        ({"categories": "canvas>SITE>channels>1234"}, "Canvas>site>channels>1234"),
        ({"categories": "New>one"}, "New>one"),
        ({"categories": "Canvas", "categoriesIds": str(CATEGORY_ID)}, "Canvas"),
    ],
)
def test_categories_by_id_or_name(kaltura: Kaltura, sent: dict[str, str], categories: str) -> None:
    made = add(kaltura, **sent)
    assert made["categories"] == categories
    assert kaltura("media", "get", entryId=made["id"]) == made


def test_an_unknown_category_id_leaves_no_entry_behind(kaltura: Kaltura, sandbox: Sandbox) -> None:
    refused = add(kaltura, categoriesIds=f"{CATEGORY_ID},99", referenceId="orphan")
    assert (refused["code"], refused["args"]) == ("CATEGORY_NOT_FOUND", {"ID": "99"})
    assert sandbox.state()["entries"] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Canvas>site>channels>1234", 1),
        ("canvas>SITE>channels>1234", 1),
        ("Canvas > site > channels > 1234", 0),
        ("Canvas>site>channels>9999", 0),
    ],
)
def test_a_category_is_found_by_its_full_name(kaltura: Kaltura, name: str, found: int) -> None:
    assert kaltura("category", "list", filter={"fullNameEqual": name})["totalCount"] == found


def test_an_entry_is_in_a_category_once(kaltura: Kaltura) -> None:
    entry = add(kaltura)["id"]
    link = {"objectType": "KalturaCategoryEntry", "categoryId": CATEGORY_ID, "entryId": entry}
    assert kaltura("categoryEntry", "add", categoryEntry=link)["categoryFullIds"] == str(CATEGORY_ID)
    assert kaltura("categoryEntry", "add", categoryEntry=link)["code"] == "CATEGORY_ENTRY_ALREADY_EXISTS"
    unlink = {"entryId": entry, "categoryId": CATEGORY_ID}
    assert kaltura("categoryEntry", "delete", **unlink) is None
    assert kaltura("categoryEntry", "delete", **unlink)["code"] == "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY"


def test_people_are_taken_as_they_are_and_cleared_by_an_empty_text(kaltura: Kaltura) -> None:
    made = add(kaltura, userId="never.seen@campus", entitledUsersEdit="ta1,ta2", entitledUsersPublish="ta1")
    assert (made["userId"], made["creatorId"], made["entitledUsersEdit"]) == (
        "never.seen@campus",
        "never.seen@campus",
        "ta1,ta2",
    )
    sent = {"objectType": "KalturaMediaEntry", "entitledUsersEdit": "", "userId": "other"}
    changed = kaltura("media", "update", entryId=made["id"], mediaEntry=sent)
    assert changed == made | {"entitledUsersEdit": "", "userId": "other"}


def test_a_reference_is_exact_but_for_case_and_finds_entries_without_content(kaltura: Kaltura) -> None:
    made = [add(kaltura, referenceId="Ref-1")["id"] for _ in range(2)]

    def listed(reference: str) -> list[str]:
        return [one["id"] for one in kaltura("baseEntry", "listByReferenceId", refId=reference)["objects"]]

    assert [listed(reference) for reference in ("ref-1", "ref", "ref 1", "Ref-10")] == [made, [], [], []]
    assert kaltura("media", "list", filter={"referenceIdEqual": "Ref-1"})["totalCount"] == 0
    assert kaltura("media", "list", filter={"referenceIdEqual": "Ref-1", "statusEqual": "7"})["totalCount"] == 2
    kaltura("media", "delete", entryId=made[0])
    assert listed("ref-1") == made[1:]
    assert kaltura("media", "delete", entryId=made[0])["code"] == "ENTRY_ID_NOT_FOUND"
