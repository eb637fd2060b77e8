"""session: start, startWidgetSession, get, end (exchanges 4 to 44, 804, 811)."""

from typing import Any

from app.sandbox.calls import Access, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.sessions import ADMIN, USER
from app.sandbox.types import SESSION_TYPE

A_DAY = 86_400


def start(call: Call, arguments: dict[str, Any]) -> str:
    """The admin secret opens every session, the user secret only USER ones; the default type is USER."""
    partner = arguments["partnerId"]
    row = call.store.one("SELECT admin_secret, secret FROM partners WHERE id = ?", (partner,))
    if row is None and partner:
        raise KalturaError("SERVICE_FORBIDDEN_CONTENT_BLOCKED")
    allowed = () if row is None else row[:1] if arguments["type"] == ADMIN else row
    if arguments["secret"] not in allowed:
        raise KalturaError("START_SESSION_ERROR", PID=partner)
    return call.sessions.make(
        partner=partner,
        type=arguments["type"],
        user=arguments["userId"],
        expires=call.now + arguments["expiry"],
        privileges=arguments["privileges"],
    )


def start_widget_session(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    widget: str = arguments["widgetId"]
    partner = int(widget[1:]) if widget.startswith("_") and widget[1:].isdigit() else 0
    if not call.store.one("SELECT 1 FROM partners WHERE id = ?", (partner,)):
        raise KalturaError("INVALID_WIDGET_ID", WIDGET_ID=widget)
    ks = call.sessions.make(partner=partner, type=USER, user="", expires=call.now + arguments["expiry"], widget=True)
    return {"partnerId": partner, "ks": ks, "userId": 0, "objectType": "KalturaStartWidgetSessionResponse"}


def get(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Numbers come as strings here (exchange 23)."""
    session = call.sessions.read(arguments["session"]) if arguments["session"] else call.session
    assert session  # noqa: S101 - the action's access says so
    return {
        "sessionType": str(session.type),
        "partnerId": str(session.partner),
        "userId": session.user,
        "expiry": str(session.expires),
        "privileges": session.privileges,
        "objectType": "KalturaSessionInfo",
    }


def end(call: Call, _arguments: dict[str, Any]) -> None:
    if call.session:
        call.sessions.end(call.session)


SERVICE = {
    "start": action(
        start,
        Parameter("secret", "string"),
        optional("userId", "string", ""),
        optional("type", SESSION_TYPE, USER),
        optional("partnerId", "int", 0),
        optional("expiry", "int", A_DAY),
        optional("privileges", "string", ""),
        access=Access.ANYONE,
    ),
    "startwidgetsession": action(
        start_widget_session,
        Parameter("widgetId", "string"),
        optional("expiry", "int", A_DAY),
        access=Access.ANYONE,
    ),
    "get": action(get, optional("session", "string", ""), access=Access.SESSION),
    "end": action(end, access=Access.ANYONE),
}
