"""Signing in, and what a session may do."""

import hashlib
from typing import Any

import pytest

from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, PARTNER_ID, USER_SECRET, WIDGET_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Clock, Kaltura, embedded


def app_session(caller: Kaltura, **more: Any) -> Any:
    caller.ks = caller("session", "startWidgetSession", widgetId=WIDGET_ID)["ks"]
    token_hash = hashlib.sha256(f"{caller.ks}{APP_TOKEN}".encode()).hexdigest()
    return caller("appToken", "startSession", id=APP_TOKEN_ID, tokenHash=token_hash, **more)


def test_the_seeds_app_token_opens_an_admin_session(sandbox: Sandbox, clock: Clock) -> None:
    caller = embedded(sandbox)
    session = app_session(caller, userId="lectern", expiry=600)
    assert (session["sessionType"], session["userId"], session["expiry"]) == (2, "lectern", clock.now + 600)
    caller.ks = session["ks"]
    assert caller.add_event()["ownerId"] == "lectern"


def test_a_session_of_an_app_token_lasts_no_longer_than_the_token_allows(sandbox: Sandbox, clock: Clock) -> None:
    assert app_session(embedded(sandbox), expiry=10**7)["expiry"] == clock.now + 86_400


@pytest.mark.parametrize(
    ("secret", "kind", "opens"),
    [
        (ADMIN_SECRET, 2, True),
        (ADMIN_SECRET, 0, True),
        (USER_SECRET, 0, True),
        (USER_SECRET, 2, False),
        ("", 2, False),
        ("wrong", 0, False),
    ],
)
def test_a_secret_opens_its_kinds_of_session(sandbox: Sandbox, secret: str, kind: int, opens: bool) -> None:
    answer = embedded(sandbox)("session", "start", secret=secret, type=kind, partnerId=PARTNER_ID)
    assert isinstance(answer, str) is opens


def test_sessions_end_by_time_by_will_and_by_force(sandbox: Sandbox, clock: Clock) -> None:
    caller = embedded(sandbox).sign_in()

    def kept(used: Kaltura) -> str | None:
        answer = used("schedule_scheduleEvent", "list")
        return None if answer.get("code") is None else str(answer["args"]["KSID"])

    assert kept(caller) is None
    assert caller("session", "end") is None
    assert kept(caller) == "LOGOUT"
    assert kept(caller.sign_in()) is None
    sandbox.expire_sessions()
    assert kept(caller) == "EXPIRED"
    assert kept(caller.sign_in()) is None
    clock.now += 86_400
    assert kept(caller) == "EXPIRED"
    caller.ks = "not-a-ks"
    assert kept(caller) == "not-a-ks"


def test_a_bad_session_fails_even_a_ping(sandbox: Sandbox) -> None:
    caller = embedded(sandbox)
    caller.ks = "é"
    assert caller("system", "ping")["code"] == "INVALID_KS"


def test_parameters_are_read_after_the_signature_and_before_the_age(sandbox: Sandbox, kaltura: Kaltura) -> None:
    sandbox.expire_sessions()
    assert kaltura("schedule_scheduleEvent", "get")["code"] == "MISSING_MANDATORY_PARAMETER"
    kaltura.ks = "garbage"
    assert kaltura("schedule_scheduleEvent", "get")["code"] == "INVALID_KS"


@pytest.mark.parametrize(
    ("kind", "service", "action", "allowed"),
    [
        ("nobody", "schedule_scheduleEvent", "list", False),
        ("nobody", "system", "ping", True),
        ("widget", "schedule_scheduleEvent", "list", False),
        ("widget", "category", "list", False),
        ("user", "schedule_scheduleEvent", "list", False),
        ("user", "schedule_scheduleResource", "list", False),
        ("user", "category", "list", True),
        ("admin", "schedule_scheduleEvent", "list", True),
    ],
)
def test_who_may_do_what(sandbox: Sandbox, kind: str, service: str, action: str, allowed: bool) -> None:
    caller = embedded(sandbox)
    if kind in ("user", "admin"):
        caller.sign_in(kind=0 if kind == "user" else 2)
    elif kind == "widget":
        caller.ks = caller("session", "startWidgetSession", widgetId=WIDGET_ID)["ks"]
    response = caller.post(service, action)
    assert (response.headers.get("X-Kaltura") == "error-SERVICE_FORBIDDEN") is not allowed
