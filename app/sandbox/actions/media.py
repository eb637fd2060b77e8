"""media and baseEntry: entries without media, templates of recordings (exchanges 69 to 101, 829 to 869)."""

from typing import Any

from app.sandbox.actions.category import assign, assigned, find_or_make, unassign_all
from app.sandbox.calls import FILTER_PAGER, Access, Call, Parameter, action, optional
from app.sandbox.errors import DoneError, KalturaError
from app.sandbox.profiles import PROFILE, profiled
from app.sandbox.schedule.events import listed, stored
from app.sandbox.store.ids import new_id
from app.sandbox.store.index import catch_up, index_entry, never_index
from app.sandbox.store.state import dumps
from app.sandbox.trouble.modes import struck
from app.sandbox.types import TYPES
from app.sandbox.wire.paging import page_of
from app.sandbox.wire.reading import Given, number, refuse_read_only, require

Entry = dict[str, Any]

READY, PENDING, NO_CONTENT = 2, 4, 7
PEOPLE = ("userId", "creatorId", "entitledUsersEdit", "entitledUsersPublish", "entitledUsersView")
# What every entry without media shows and nobody sends, in Kaltura's words (exchange 69).
CONSTANT = {
    "status": NO_CONTENT,
    "moderationStatus": 6,
    "moderationCount": 0,
    "type": 1,
    "rank": 0,
    "totalRank": 0,
    "votes": 0,
    "licenseType": -1,
    "version": 0,
    "replacementStatus": 0,
    "partnerSortValue": 0,
    "operationAttributes": [],
    "capabilities": "",
    "displayInSearch": 1,
    "blockAutoTranscript": False,
    "plays": 0,
    "views": 0,
    "duration": 0,
    "msDuration": 0,
    "sourceType": "6",
}
HANDED_DOWN = ("description", "tags", "entitledUsersEdit")  # and categories
EMPTY = dict.fromkeys(("description", "tags", "entitledUsersEdit", "entitledUsersPublish", "entitledUsersView"), "")


def add(call: Call, arguments: dict[str, Any]) -> Entry:
    given: Given = arguments["entry"]
    require(given, "mediaType")
    refuse_read_only(given)
    categories = _categories(call, given) or []
    sent = stored({name: value for name, value in given.values.items() if value is not None})
    sent, categories = _inherited(call, sent, categories)
    user = sent.get("userId") or call.user
    entry = new_id(call.entry_prefix)
    body: Entry = CONSTANT | EMPTY | {"name": f"{call.partner}_{call.now}"} | sent
    body |= {
        "id": entry,
        "partnerId": call.partner,
        "userId": user,
        "creatorId": sent.get("creatorId") or user,
        "tags": clean_tags(body["tags"]),
        "rootEntryId": entry,
        "createdAt": call.now,
        "updatedAt": call.now,
        "objectType": "KalturaMediaEntry",
    }
    locked = _lock(call, categories, body)
    half = struck(call.modes.half_entry) if locked else None
    if half or not locked:
        body["status"] = PENDING
        categories = []
    _see_people(call, body)
    row = call.store.next_id("entries")
    call.store.run("INSERT INTO entries VALUES (?, ?, ?, ?)", (row, entry, call.partner, dumps(body)))
    assign(call, entry, categories)
    if half and not half.indexed:
        never_index(call, "entry", [row])
    index_entry(call, row)
    if not locked:
        raise DoneError("LOCK_TIMED_OUT")
    if half:
        half.end()
    return show(call, body)


def _inherited(call: Call, sent: Entry, categories: list[int]) -> tuple[Entry, list[int]]:
    """With what the entry named by `templateEntryId` hands down. Seen on a real server, not in the exchanges.

    One that is not there hands down nothing, which nobody has tried.
    """
    values = (sent.get("templateEntryId", ""), call.partner)
    template = call.store.body("SELECT body FROM entries WHERE id = ? AND partner = ?", values)
    if template is None:
        return sent, categories
    handed_down = {name: template[name] for name in HANDED_DOWN if template.get(name)}
    return handed_down | sent, categories or [category for category, _ in assigned(call, template["id"])]


def _people(body: Entry) -> list[str]:
    named = (name.strip() for field in PEOPLE for name in body.get(field, "").split(","))
    return [name for name in dict.fromkeys(named) if name]


def _see_people(call: Call, body: Entry) -> None:
    """Owner and editors that do not exist yet are made without a word (exchanges 867, 868)."""
    for user in _people(body):
        call.store.see_user(call.partner, user)


def _lock(call: Call, categories: list[int], body: Entry) -> bool:
    """Take the locks on an entry's categories and on the users that it makes; False if another call has one of them."""
    if not call.modes.lock_timeout:
        return True
    of_categories = [(call.partner, "category", category) for category in categories]
    people = _people(body)
    known = "SELECT 1 FROM users WHERE partner = ? AND id = ?"
    new = [user for user in people if not call.store.one(known, (call.partner, user))]
    return call.locks.take(
        [*of_categories, *((call.partner, "user", user) for user in people)],
        [*of_categories, *((call.partner, "user", user) for user in new)],
        call.time,
        call.modes.lock_timeout,
    )


def clean_tags(tags: str) -> str:
    """One-character tags are dropped, doubles (also by case) become one in lower case (exchanges 852 to 862)."""
    kept: dict[str, str] = {}
    for tag in (part.strip() for part in tags.split(",")):
        if len(tag) > 1:
            kept[tag.lower()] = tag.lower() if tag.lower() in kept else tag
    return ", ".join(kept.values())


def _categories(call: Call, given: Given) -> list[int] | None:
    """Ids of the categories sent, None if none were: names win over ids, new names are made (exchanges 841, 843)."""
    if given.get("categories"):
        return [find_or_make(call, name.strip()) for name in given.get("categories").split(",") if name.strip()]
    if given.get("categoriesIds"):
        ids = [number(part) for part in given.get("categoriesIds").split(",")]
        for category in ids:
            if not call.store.one("SELECT 1 FROM categories WHERE id = ? AND partner = ?", (category, call.partner)):
                raise KalturaError("CATEGORY_NOT_FOUND", ID=category)
        return ids
    return None if not (given.has("categories") or given.has("categoriesIds")) else []


def show(call: Call, body: Entry) -> Entry:
    entry, partner = body["id"], body["partnerId"]
    base = f"http://127.0.0.1/p/{partner}/sp/{partner}00"
    categories = assigned(call, entry)
    described = " ".join(filter(None, (body["name"], body["tags"].replace('"', ""), body["description"])))
    values = body | {
        "categories": ",".join(name for _, name in categories),
        "categoriesIds": ",".join(str(category) for category, _ in categories),
        "downloadUrl": f"{base}/playManifest/entryId/{entry}/format/download/protocol/http/flavorParamIds/0",
        "thumbnailUrl": f"{base}/thumbnail/entry_id/{entry}/version/0",
        "dataUrl": f"{base}/playManifest/entryId/{entry}/format/url/protocol/http",
        "searchText": (
            f"_PAR_ONLY_ _{partner}_ _MEDIA_TYPE_{body['mediaType']}|  {described} {body.get('adminTags', '')}"
        ),
    }
    return {name: values[name] for name in TYPES["KalturaMediaEntry"].order if name in values}


def load(call: Call, entry: str) -> Entry:
    body = call.store.body("SELECT body FROM entries WHERE id = ? AND partner = ?", (entry, call.partner))
    if body is None:
        raise KalturaError("ENTRY_ID_NOT_FOUND", ENTRY_ID=entry)
    return body


def get(call: Call, arguments: dict[str, Any]) -> Entry:
    return profiled(show(call, load(call, arguments["entryId"])), arguments)


def update(call: Call, arguments: dict[str, Any]) -> Entry:
    body = load(call, arguments["entryId"])
    given: Given = arguments["mediaEntry"]
    refuse_read_only(given, "id")
    categories = _categories(call, given)
    for name, value in stored(given.values).items():
        if value is None:
            body[name] = EMPTY.get(name)
        elif name not in ("id", "categories", "categoriesIds"):
            body[name] = value
    body = {name: value for name, value in body.items() if value is not None}
    body |= {"tags": clean_tags(body["tags"]), "updatedAt": call.now}
    _see_people(call, body)
    call.store.run("UPDATE entries SET body = ? WHERE id = ?", (dumps(body), body["id"]))
    if categories is not None:
        unassign_all(call, body["id"])
        assign(call, body["id"], categories)
    index_entry(call, call.store.one("SELECT number FROM entries WHERE id = ?", (body["id"],))[0])
    return show(call, body)


def delete(call: Call, arguments: dict[str, Any]) -> None:
    body = load(call, arguments["entryId"])
    unassign_all(call, body["id"])
    call.store.run("DELETE FROM entries WHERE id = ?", (body["id"],))


def list_by_reference_id(call: Call, arguments: dict[str, Any]) -> Entry:
    """Exact but for case, entries without content included (exchanges 87 to 94, 732 to 737)."""
    if arguments["refId"] == "":
        raise KalturaError("MISSING_MANDATORY_PARAMETER", PARAM_NAME="")
    found = _search(call, "i.reference = ?", [arguments["refId"].casefold()])
    shown = [show(call, body) for body in page_of(found, arguments["pager"])]
    return profiled(listed(shown, len(found), "BaseEntry"), arguments)


def list_(call: Call, arguments: dict[str, Any]) -> Entry:
    """Without a filter on status only READY entries, so none of ours (exchange 95)."""
    given: Given | None = arguments["filter"]
    wanted = {name: value for name, value in (given.values if given else {}).items() if value not in (None, "")}
    statuses = str(wanted.get("statusEqual") or wanted.get("statusIn") or READY).split(",")
    found = [body for body in _search(call, "1", []) if str(body["status"]) in statuses and _matches(body, wanted)]
    shown = [show(call, body) for body in page_of(found, arguments["pager"])]
    return profiled(listed(shown, len(found), "Media"), arguments)


def _search(call: Call, condition: str, values: list[Any]) -> list[Entry]:
    catch_up(call)
    return call.store.bodies(
        "SELECT e.body FROM entry_index AS i JOIN entries AS e ON e.number = i.number "  # noqa: S608 - all ours
        f"WHERE {condition} AND i.partner = ? ORDER BY i.number",
        [*values, call.partner],
    )


def _matches(body: Entry, wanted: dict[str, Any]) -> bool:
    if body["createdAt"] < wanted.get("createdAtGreaterThanOrEqual", 0):
        return False
    for field, name in (("id", "id"), ("referenceId", "referenceId")):
        value = str(body.get(field, "")).casefold()
        if f"{name}Equal" in wanted and value != wanted[f"{name}Equal"].casefold():
            return False
        if f"{name}In" in wanted and value not in wanted[f"{name}In"].casefold().split(","):
            return False
    return True


_ID = Parameter("entryId", "string")
_GET = action(get, _ID, PROFILE, access=Access.ANYONE)

MEDIA = {
    "add": action(add, Parameter("entry", "KalturaMediaEntry"), access=Access.USER),
    "get": _GET,
    "update": action(update, _ID, Parameter("mediaEntry", "KalturaMediaEntry"), access=Access.USER),
    "delete": action(delete, _ID, access=Access.USER),
    "list": action(
        list_,
        optional("filter", "KalturaMediaEntryFilter"),
        optional("pager", FILTER_PAGER),
        PROFILE,
        access=Access.USER,
    ),
}
BASE_ENTRY = {
    "get": _GET,
    "delete": MEDIA["delete"],
    "listbyreferenceid": action(
        list_by_reference_id,
        Parameter("refId", "string"),
        optional("pager", FILTER_PAGER),
        PROFILE,
        access=Access.USER,
    ),
}
