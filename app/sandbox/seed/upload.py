"""An encoder that uploads: what `POST /_sandbox/upload` takes, and what stands in Kaltura afterwards.

{"template_entry_id": "1_abc"}   an entry that names its template, as `media.add` with `templateEntryId` makes it
{"event_id": 1336592}            the same with the event's template; the event's `entryIds` names the entry, too
 "duration_seconds"?: 3000, "name"?, "created_at"?: RFC 3339 or epoch seconds,
 "uploading"?: true              its media is not there yet; {"entry_id": "1_def"} ends that
"""

from datetime import datetime
from typing import Any

from app.sandbox.actions import media, schedule_event
from app.sandbox.calls import Call
from app.sandbox.errors import KalturaError
from app.sandbox.schedule.events import load, show
from app.sandbox.seed.seed import ADMIN_USER, PARTNER_ID
from app.sandbox.store.index import index_entry
from app.sandbox.store.state import dumps
from app.sandbox.types import TYPES
from app.sandbox.validation import check_number, check_switch, refuse_unknown
from app.sandbox.wire.reading import read_object

KNOWN = ("template_entry_id", "event_id", "entry_id", "duration_seconds", "name", "created_at", "uploading")
OF = {"template_entry_id": str, "event_id": int, "entry_id": str}


def upload(call: Call, document: Any) -> dict[str, Any]:
    """The entry, as the API shows it. Raises ValueError."""
    if not isinstance(document, dict):
        raise ValueError("an upload must be a JSON object")
    refuse_unknown(document, KNOWN, "")
    if sum(name in document for name in OF) != 1:
        raise ValueError(f"an upload needs one of {', '.join(OF)}")
    for name, kind in {**OF, "name": str}.items():
        if name in document and type(document[name]) is not kind:
            raise ValueError(f"{name} must be a {'text' if kind is str else 'number'}")
    check_number("duration_seconds", document.get("duration_seconds"))
    check_switch("uploading", document.get("uploading", False))
    call.session = call.sessions.acting_as(PARTNER_ID, ADMIN_USER)
    try:
        entry = document["entry_id"] if "entry_id" in document else _begin(call, document)
        return _filled(call, entry, document)
    except KalturaError as error:
        raise ValueError(f"{error.code}: {error}") from None


def _begin(call: Call, document: dict[str, Any]) -> str:
    event = show(call, load(call, document["event_id"])) if "event_id" in document else {}
    template = event.get("templateEntryId") if event else document["template_entry_id"]
    sent = {"mediaType": 1, "name": document.get("name") or event.get("summary") or "Upload"}
    if template:
        sent["templateEntryId"] = template
    given = read_object(sent, TYPES["KalturaMediaEntry"], "entry", call.now)
    entry: str = media.add(call, {"entry": given})["id"]
    if event:
        ids = ",".join(filter(None, (event.get("entryIds"), entry)))
        changes = read_object({"entryIds": ids}, TYPES[event["objectType"]], "event", call.now)
        schedule_event.update(call, {"scheduleEventId": event["id"], "scheduleEvent": changes})
    return entry


def _filled(call: Call, entry: str, document: dict[str, Any]) -> dict[str, Any]:
    """With its media, unless it is still uploading."""
    body = media.load(call, entry)
    if "created_at" in document:
        body["createdAt"] = _moment(document["created_at"])
    if not document.get("uploading"):
        seconds = document.get("duration_seconds", 3000)
        body |= {"status": media.READY, "duration": int(seconds), "msDuration": int(seconds * 1000)}
    call.store.run("UPDATE entries SET body = ? WHERE id = ?", (dumps(body), entry))
    index_entry(call, call.store.one("SELECT number FROM entries WHERE id = ?", (entry,))[0])
    return media.show(call, body)


def _moment(written: object) -> int:
    try:
        if isinstance(written, str):
            moment = datetime.fromisoformat(written)
            if moment.tzinfo is None:
                raise ValueError(written)
            return int(moment.timestamp())
        check_number("created_at", written, whole=True, at_most=2**32)
        return int(str(written))
    except (ValueError, OverflowError):
        raise ValueError("created_at must be a time with an offset, or seconds since 1970") from None
