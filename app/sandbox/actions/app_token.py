"""appToken: add, get, update, delete, startSession (exchanges 802 to 816)."""

import hashlib
import hmac
import secrets
from typing import Any

from app.sandbox.calls import Access, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.store.ids import new_id
from app.sandbox.store.state import dumps
from app.sandbox.types import SESSION_TYPE, TYPES
from app.sandbox.wire.reading import Given, refuse_read_only

ACTIVE = 2
A_DAY = 86_400
DEFAULTS = {"status": ACTIVE, "sessionType": 0, "sessionDuration": A_DAY, "hashType": "SHA1"}


def make(values: dict[str, Any], now: int) -> dict[str, Any]:
    body = {**DEFAULTS, "createdAt": now, "updatedAt": now, **values, "objectType": "KalturaAppToken"}
    return {name: body[name] for name in TYPES["KalturaAppToken"].order if name in body}


def add(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given = arguments["appToken"]
    refuse_read_only(given)
    sent = {name: value for name, value in given.values.items() if value is not None}
    own = {"id": new_id(call.entry_prefix), "token": secrets.token_hex(16), "partnerId": call.partner}
    body = make(sent | own, call.now)
    call.store.run("INSERT INTO app_tokens VALUES (?, ?, ?)", (body["id"], call.partner, dumps(body)))
    return body


def _load(call: Call, token: str) -> dict[str, Any]:
    body = call.store.body("SELECT body FROM app_tokens WHERE id = ? AND partner = ?", (token, call.partner))
    if body is None:
        raise KalturaError("APP_TOKEN_ID_NOT_FOUND", ID=token)
    return body


def get(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    return _load(call, arguments["id"])


def update(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given = arguments["appToken"]
    body = _load(call, arguments["id"])
    refuse_read_only(given, "id")
    body = make(body | {name: value for name, value in given.values.items() if value is not None}, call.now) | {
        "updatedAt": call.now
    }
    call.store.run("UPDATE app_tokens SET body = ? WHERE id = ?", (dumps(body), body["id"]))
    return body


def delete(call: Call, arguments: dict[str, Any]) -> None:
    body = _load(call, arguments["id"])
    call.store.run("DELETE FROM app_tokens WHERE id = ?", (body["id"],))


def start_session(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """The hash is over the widget session's ks and the token; the session lasts at most the token's own duration."""
    body = _load(call, arguments["id"])
    ks = call.session.ks if call.session else ""
    expected = hashlib.new(body["hashType"], (ks + body["token"]).encode()).hexdigest()
    if not hmac.compare_digest(expected.encode(), arguments["tokenHash"].encode()):
        raise KalturaError("INVALID_APP_TOKEN_HASH")
    kind = body["sessionType"]
    user = body.get("sessionUserId") or arguments["userId"]
    lasting = min(arguments["expiry"] or body["sessionDuration"], body["sessionDuration"])
    privileges = ",".join(
        part for part in (f"sessionid:{body['id']}", f"apptoken:{body['id']}", body.get("sessionPrivileges")) if part
    )
    expires = call.now + lasting
    return {
        "ks": call.sessions.make(partner=call.partner, type=kind, user=user, expires=expires, privileges=privileges),
        "sessionType": kind,
        "partnerId": str(call.partner),
        "userId": user,
        "expiry": expires,
        "privileges": privileges,
        "objectType": "KalturaSessionInfo",
    }


_ID = Parameter("id", "string")
_TOKEN = Parameter("appToken", "KalturaAppToken")

SERVICE = {
    "add": action(add, _TOKEN),
    "get": action(get, _ID),
    "update": action(update, _ID, _TOKEN),
    "delete": action(delete, _ID),
    "startsession": action(
        start_session,
        _ID,
        Parameter("tokenHash", "string"),
        optional("userId", "string", ""),
        optional("type", SESSION_TYPE),
        optional("expiry", "int", 0),
        access=Access.SESSION,
        own_name="appToken->startSession",
    ),
}
