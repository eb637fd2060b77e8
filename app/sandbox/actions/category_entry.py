"""categoryEntry: add, list, delete (exchanges 830 to 838)."""

from typing import Any

from app.sandbox.actions.category import assign, load
from app.sandbox.calls import FILTER_PAGER, Access, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.schedule.events import listed
from app.sandbox.wire.paging import page_of
from app.sandbox.wire.reading import Given, number, require


def add(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given = arguments["categoryEntry"]
    require(given, "categoryId", "entryId")
    category, entry = given.get("categoryId"), given.get("entryId")
    if not call.store.one("SELECT 1 FROM entries WHERE id = ? AND partner = ?", (entry, call.partner)):
        raise KalturaError("INVALID_ENTRY_ID", ID=entry)
    load(call, category)
    if _linked(call, category, entry):
        raise KalturaError("CATEGORY_ENTRY_ALREADY_EXISTS")
    return assign(call, entry, [category], creator=call.user)


def _linked(call: Call, category: int, entry: str) -> bool:
    return bool(
        call.store.one(
            "SELECT 1 FROM category_entries WHERE category = ? AND entry = ? AND partner = ?",
            (category, entry, call.partner),
        )
    )


def list_(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given | None = arguments["filter"]
    found = [
        body
        for body in call.store.bodies(
            "SELECT body FROM category_entries WHERE partner = ? ORDER BY rowid", (call.partner,)
        )
        if given is None or _matches(body, given)
    ]
    return listed(page_of(found, arguments["pager"]), len(found), "CategoryEntry")


def _matches(body: dict[str, Any], given: Given) -> bool:
    category, entry = given.get("categoryIdEqual"), given.get("entryIdEqual")
    categories, entries = given.get("categoryIdIn"), given.get("entryIdIn")
    return (
        (category is None or body["categoryId"] == category)
        and (not entry or body["entryId"] == entry)
        and (not categories or body["categoryId"] in [number(part) for part in categories.split(",")])
        and (not entries or body["entryId"] in entries.split(","))
    )


def delete(call: Call, arguments: dict[str, Any]) -> None:
    category, entry = arguments["categoryId"], arguments["entryId"]
    if not _linked(call, category, entry):
        raise KalturaError("ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY")
    call.store.run("DELETE FROM category_entries WHERE category = ? AND entry = ?", (category, entry))


SERVICE = {
    "add": action(add, Parameter("categoryEntry", "KalturaCategoryEntry"), access=Access.USER),
    "list": action(
        list_,
        optional("filter", "KalturaCategoryEntryFilter"),
        optional("pager", FILTER_PAGER),
        access=Access.USER,
    ),
    "delete": action(delete, Parameter("entryId", "string"), Parameter("categoryId", "int"), access=Access.USER),
}
