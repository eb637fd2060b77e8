"""category: add, get, list; and how entries are put into categories (exchanges 817 to 843)."""

from collections.abc import Callable
from typing import Any

from app.sandbox.calls import FILTER_PAGER, Access, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.schedule.events import listed
from app.sandbox.store.state import dumps
from app.sandbox.types import TYPES
from app.sandbox.wire.paging import page_of
from app.sandbox.wire.reading import Given, number, refuse_read_only, require

Category = dict[str, Any]

CONSTANT = {
    "entriesCount": 0,
    "appearInList": 1,
    "privacy": 1,
    "inheritanceType": 2,
    "userJoinPolicy": 3,
    "defaultPermissionLevel": 3,
    "directEntriesCount": 0,
    "contributionPolicy": 1,
    "membersCount": 0,
    "pendingMembersCount": 0,
    "privacyContext": "",
    "privacyContexts": "",
    "status": 2,
    "partnerSortValue": 0,
    "directSubCategoriesCount": 0,
    "isAggregationCategory": False,
    "aggregationCategories": "",
}
READ_BACK = {"owner": "", "moderation": False}  # shown by get and list, not by add (exchanges 817, 822)


def insert(call: Call, name: str, parent: Category | None, values: Category, category: int = 0) -> Category:
    """Make a category below `parent`, with an id of its own unless one is given."""
    category = category or call.store.next_id("categories")
    body: Category = CONSTANT | values
    body |= {
        "id": category,
        "depth": parent["depth"] + 1 if parent else 0,
        "partnerId": call.partner,
        "name": name,
        "fullName": f"{parent['fullName']}>{name}" if parent else name,
        "fullIds": f"{parent['fullIds']}>{category}" if parent else str(category),
        "createdAt": call.now,
        "updatedAt": call.now,
        "objectType": "KalturaCategory",
    }
    if parent:
        body["parentId"] = parent["id"]
    call.store.run(
        "INSERT INTO categories (id, partner, full_name, body) VALUES (?, ?, ?, ?)",
        (category, call.partner, body["fullName"].casefold(), dumps(body)),
    )
    return _ordered(body)


def add(call: Call, arguments: dict[str, Any]) -> Category:
    given: Given = arguments["category"]
    require(given, "name")
    refuse_read_only(given)
    parent = load(call, given.get("parentId")) if given.get("parentId") else None
    name = given.get("name")
    full_name = f"{parent['fullName']}>{name}" if parent else name
    if named(call, full_name):
        raise KalturaError("DUPLICATE_CATEGORY", CATEGORY=full_name)
    return insert(call, name, parent, {key: value for key, value in given.values.items() if value is not None})


def _ordered(body: Category) -> Category:
    return {name: body[name] for name in TYPES["KalturaCategory"].order if name in body}


def named(call: Call, full_name: str) -> Category | None:
    return call.store.body(
        "SELECT body FROM categories WHERE full_name = ? AND partner = ?", (full_name.casefold(), call.partner)
    )


def find_or_make(call: Call, full_name: str) -> int:
    """The category's id; it and its parents are made if they aren't there."""
    found = named(call, full_name)
    if found is None:
        above, _, name = full_name.rpartition(">")
        parent = load(call, find_or_make(call, above)) if above else None
        found = insert(call, name, parent, {})
    category: int = found["id"]
    return category


def load(call: Call, category: int) -> Category:
    body = call.store.body("SELECT body FROM categories WHERE id = ? AND partner = ?", (category, call.partner))
    if body is None:
        raise KalturaError("CATEGORY_NOT_FOUND", ID=category)
    return body


def get(call: Call, arguments: dict[str, Any]) -> Category:
    return _ordered(READ_BACK | load(call, arguments["id"]))


def list_(call: Call, arguments: dict[str, Any]) -> Category:
    given: Given | None = arguments["filter"]
    found = [
        _ordered(READ_BACK | body)
        for body in call.store.bodies("SELECT body FROM categories WHERE partner = ? ORDER BY id", (call.partner,))
        if given is None or _matches(body, given)
    ]
    return listed(page_of(found, arguments["pager"]), len(found), "Category")


def _matches(body: Category, given: Given) -> bool:
    """Full names are compared without case, yet to the letter: spaces around ">" miss (exchanges 822 to 825)."""
    name: str = body["fullName"].casefold()
    checks: dict[str, Callable[[Any], bool]] = {
        "idEqual": lambda value: bool(body["id"] == value),
        "idIn": lambda value: body["id"] in [number(part) for part in value.split(",")],
        "parentIdEqual": lambda value: bool(body.get("parentId", 0) == value),
        "fullNameEqual": lambda value: name == value.casefold(),
        "fullNameIn": lambda value: name in value.casefold().split(","),
        "fullNameStartsWith": lambda value: name.startswith(value.casefold()),
    }
    return all(check(given.get(key)) for key, check in checks.items() if given.get(key) not in (None, ""))


# --- entries in categories


def assigned(call: Call, entry: str) -> list[tuple[int, str]]:
    """(id, full name) of an entry's categories."""
    rows: list[tuple[int, str]] = call.store.rows(
        "SELECT c.id, json_extract(c.body, '$.fullName') FROM category_entries AS link "
        "JOIN categories AS c ON c.id = link.category WHERE link.entry = ? ORDER BY c.id",
        (entry,),
    )
    return rows


def assign(call: Call, entry: str, categories: list[int], creator: str | None = None) -> Category:
    """Put an entry into categories; the last one's link is answered. `creator` is known to categoryEntry.add only."""
    body: Category = {}
    for category in dict.fromkeys(categories):
        body = {
            "categoryId": category,
            "entryId": entry,
            "createdAt": call.now,
            "categoryFullIds": load(call, category)["fullIds"],
            "status": 2,
        }
        if creator is not None:
            body["creatorUserId"] = creator
        body["objectType"] = "KalturaCategoryEntry"
        call.store.run("INSERT INTO category_entries VALUES (?, ?, ?, ?)", (category, entry, call.partner, dumps(body)))
    return body


def unassign_all(call: Call, entry: str) -> None:
    call.store.run("DELETE FROM category_entries WHERE entry = ?", (entry,))


SERVICE = {
    "add": action(add, Parameter("category", "KalturaCategory")),
    "get": action(get, Parameter("id", "int"), access=Access.USER),
    "list": action(
        list_,
        optional("filter", "KalturaCategoryFilter"),
        optional("pager", FILTER_PAGER),
        access=Access.USER,
    ),
}
