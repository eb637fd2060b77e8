"""One session for all threads: signed in once, renewed once, and no secret in sight."""

import hashlib
import json
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import time

import httpx
import pytest

from app.kaltura.errors import SignInFailed, Transient
from app.kaltura.gate import LONGEST, Gate
from app.kaltura.session import PAUSE, RENEW_BEFORE, SESSION_SECONDS, Credentials, Sessions
from app.kaltura.transport import http_client

SECRET = "canary-secret"
BY_SECRET = Credentials(101, admin_secret=SECRET, user="lectern")
BY_TOKEN = Credentials(101, app_token_id="0_token", app_token=SECRET)

Params = dict[str, object]


class Kaltura:
    """Answers sign-ins; `hash_type` is the app token's own, `refusals` are answered first."""

    def __init__(self, hash_type: str = "sha256", **info: object) -> None:
        self.hash_type = hash_type
        self.info = info
        self.calls: list[tuple[str, Params]] = []
        self.refusals: list[httpx.Response | Exception] = []
        self.before: Callable[[], object] = lambda: None

    def sessions(self, credentials: Credentials = BY_SECRET, clock: Callable[[], float] = lambda: 0.0) -> Sessions:
        http = http_client("https://kaltura.example", transport=httpx.MockTransport(self._answer))
        return Sessions(http, credentials, gate=Gate(clock=clock), clock=clock)

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.calls]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        action, params = request.url.path.rsplit("/", 1)[1], json.loads(request.content)
        self.calls.append((action, params))
        self.before()
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            return refusal
        if action == "start":
            return httpx.Response(200, json=f"ks-{len(self.calls)}")
        if action == "startWidgetSession":
            return httpx.Response(200, json={"ks": "widget-ks", "objectType": "KalturaStartWidgetSessionResponse"})
        if params["tokenHash"] != hashlib.new(self.hash_type, f"widget-ks{SECRET}".encode()).hexdigest():
            return error("INVALID_APP_TOKEN_HASH")
        info = {"ks": f"ks-{len(self.calls)}", "sessionType": 2, "expiry": int(time()) + SESSION_SECONDS}
        return httpx.Response(200, json={**info, **self.info, "objectType": "KalturaSessionInfo"})


def error(code: str, message: str = SECRET) -> httpx.Response:
    answer = {"objectType": "KalturaAPIException", "code": code, "message": message, "args": {"KSID": message}}
    return httpx.Response(200, json=answer)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_with_the_admin_secret() -> None:
    kaltura = Kaltura()
    assert kaltura.sessions().current() == "ks-1"
    assert kaltura.calls == [
        (
            "start",
            {
                "secret": SECRET,
                "partnerId": 101,
                "userId": "lectern",
                "type": 2,
                "expiry": SESSION_SECONDS,
                "format": 1,
            },
        )
    ]


def test_with_an_app_token() -> None:
    kaltura = Kaltura()
    assert kaltura.sessions(BY_TOKEN).current() == "ks-2"
    assert kaltura.calls[0] == ("startWidgetSession", {"widgetId": "_101", "format": 1})
    assert kaltura.calls[1][1] == {
        "ks": "widget-ks",
        "id": "0_token",
        "tokenHash": hashlib.sha256(f"widget-ks{SECRET}".encode()).hexdigest(),
        "type": 2,
        "expiry": SESSION_SECONDS,
        "format": 1,
    }


def test_whose_a_session_is_an_app_token_may_decide() -> None:
    by_secret = Kaltura().sessions()
    assert by_secret.user == "lectern"
    bound = Kaltura(userId="recorder").sessions(BY_TOKEN)
    bound.current()
    assert bound.user == "recorder"


@pytest.mark.parametrize(("hash_type", "tries"), [("sha256", 1), ("sha1", 2), ("sha512", 3), ("md5", 4)])
def test_the_tokens_own_hash_is_found_and_remembered(hash_type: str, tries: int) -> None:
    kaltura = Kaltura(hash_type)
    sessions = kaltura.sessions(BY_TOKEN)
    first = sessions.current()
    assert kaltura.actions == ["startWidgetSession"] + ["startSession"] * tries
    kaltura.calls.clear()
    sessions.renew(first)
    assert kaltura.actions == ["startWidgetSession", "startSession"]


def test_an_app_token_goes_before_the_secret_and_one_of_them_must_be_there() -> None:
    kaltura = Kaltura()
    kaltura.sessions(Credentials(101, app_token_id="0_token", app_token=SECRET, admin_secret="x")).current()
    assert kaltura.actions == ["startWidgetSession", "startSession"]
    with pytest.raises(ValueError, match="neither"):
        Credentials(101, app_token_id="0_token")


def test_it_is_kept_until_shortly_before_its_end() -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(clock=clock)
    assert sessions.current() == "ks-1"
    clock.now = SESSION_SECONDS - RENEW_BEFORE - 1
    assert sessions.current() == "ks-1"
    clock.now += 1
    assert sessions.current() == "ks-2"


def test_a_short_session_is_renewed_in_its_last_tenth() -> None:
    kaltura, clock = Kaltura(expiry=int(time()) + 100), Clock()
    sessions = kaltura.sessions(BY_TOKEN, clock)
    sessions.current()
    clock.now = 80
    assert sessions.current() == "ks-2"
    clock.now = 91
    assert sessions.current() == "ks-4"


@pytest.mark.parametrize(
    "expiry",
    [
        lambda: 10**400,
        lambda: -(10**400),
        lambda: int(time()) - 3600,
        lambda: int(time()) + 7200,
        lambda: "soon",
        lambda: None,
        lambda: True,
    ],
    ids=["huge", "hugely past", "past", "late", "text", "none", "true"],
)
def test_a_clock_that_is_off_does_not_make_every_call_sign_in(expiry: Callable[[], object]) -> None:
    kaltura, clock = Kaltura(expiry=expiry()), Clock()
    sessions = kaltura.sessions(BY_TOKEN, clock)
    assert {sessions.current() for _ in range(3)} == {"ks-2"}


def test_while_a_session_is_good_a_failed_renewal_harms_nobody() -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(clock=clock)
    sessions.current()
    clock.now = SESSION_SECONDS - 100
    kaltura.refusals = [error("START_SESSION_ERROR")] * 3
    assert sessions.current() == sessions.current() == "ks-1"
    assert len(kaltura.calls) == 2
    clock.now += PAUSE
    assert sessions.current() == "ks-1"
    assert len(kaltura.calls) == 3
    clock.now = SESSION_SECONDS
    with pytest.raises(SignInFailed):
        sessions.current()
    clock.now += LONGEST
    assert sessions.current() == "ks-5"


def test_a_stale_session_is_renewed_once_by_whoever_reports_it_first() -> None:
    kaltura = Kaltura()
    sessions = kaltura.sessions()
    first = sessions.current()
    assert sessions.renew(first) == "ks-2"
    assert sessions.renew(first) == "ks-2"
    assert sessions.current() == "ks-2"
    assert len(kaltura.calls) == 2


def together(number: int, ask: Callable[[], str]) -> list[str | Transient]:
    """What each of as many threads gets that ask at the same moment."""
    start = threading.Barrier(number)

    def one(_: int) -> str | Transient:
        start.wait(5)
        try:
            return ask()
        except Transient as failure:
            return failure

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def slowly() -> None:
    """Long enough for every thread that has started to come and wait."""
    threading.Event().wait(0.2)


def test_twenty_threads_cause_one_sign_in_and_one_renewal() -> None:
    kaltura = Kaltura()
    sessions = kaltura.sessions()
    kaltura.before = slowly
    assert together(20, sessions.current) == ["ks-1"] * 20
    assert together(20, lambda: sessions.renew("ks-1")) == ["ks-2"] * 20
    assert len(kaltura.calls) == 2


def test_twenty_threads_share_one_failure_and_nobody_tries_again_before_its_pause_is_over() -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(clock=clock)
    kaltura.before = slowly
    kaltura.refusals = [error("START_SESSION_ERROR")]
    assert {type(failure) for failure in together(20, sessions.current)} == {SignInFailed}
    assert {type(failure) for failure in together(20, sessions.current)} == {SignInFailed}
    assert len(kaltura.calls) == 1
    clock.now += 1.3
    assert sessions.current() == "ks-2"


def test_refused_sign_ins_come_less_and_less_often_but_about_once_a_minute() -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(clock=clock)
    kaltura.refusals = [error("START_SESSION_ERROR")] * 9
    for n in range(9):
        refused = refusal(sessions)
        pause = refused.retry_after or 0
        assert 0.75 <= pause / min(2**n, LONGEST) <= 1.25
        clock.now += 0.9 * pause
        told = refusal(sessions)
        assert (told.code, told.reason, told.outage) == (refused.code, refused.reason, True)
        assert told.retry_after == pytest.approx(0.1 * pause)
        assert len(kaltura.calls) == n + 1
        clock.now += 0.11 * pause


def refusal(sessions: Sessions) -> SignInFailed:
    with pytest.raises(SignInFailed) as caught:
        sessions.current()
    return caught.value


def test_a_session_that_kaltura_has_refused_is_not_sent_again_when_there_is_no_other() -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(clock=clock)
    stale = sessions.current()
    kaltura.refusals = [error("START_SESSION_ERROR")]
    for _ in range(2):
        with pytest.raises(SignInFailed):
            sessions.renew(stale)
        refusal(sessions)
    assert len(kaltura.calls) == 2
    clock.now += LONGEST
    assert sessions.current() == "ks-3"
    assert sessions.problem is None


@pytest.mark.parametrize(
    ("credentials", "code", "cause"),
    [
        (BY_SECRET, "START_SESSION_ERROR", "admin secret"),
        (BY_SECRET, "SERVICE_FORBIDDEN_CONTENT_BLOCKED", "partner id"),
        (BY_SECRET, "SOMETHING_NEW", "refused the sign-in"),
        (BY_SECRET, "INVALID_KS", "session"),
        (BY_TOKEN, "INVALID_WIDGET_ID", "partner id"),
        (BY_TOKEN, "APP_TOKEN_ID_NOT_FOUND", "app token id"),
        (BY_TOKEN, "APP_TOKEN_EXPIRED", "app token has expired"),
        (BY_TOKEN, "APP_TOKEN_NOT_ACTIVE", "app token is disabled"),
    ],
)
def test_a_refused_sign_in_says_why_and_is_a_reason_to_wait(credentials: Credentials, code: str, cause: str) -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(credentials, clock)
    kaltura.refusals = [error(code)]
    with pytest.raises(SignInFailed, match=cause) as caught:
        sessions.current()
    assert caught.value.code == code
    assert sessions.problem is caught.value
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    clock.now += LONGEST
    sessions.current()
    assert sessions.problem is None


def test_a_wrong_token_is_refused_after_every_hash_was_tried() -> None:
    kaltura = Kaltura()
    with pytest.raises(SignInFailed, match="app token's value") as caught:
        kaltura.sessions(Credentials(101, app_token_id="0_token", app_token="other")).current()
    assert caught.value.code == "INVALID_APP_TOKEN_HASH"
    assert kaltura.actions == ["startWidgetSession"] + ["startSession"] * 4


def test_a_token_that_makes_user_sessions_is_refused() -> None:
    with pytest.raises(SignInFailed, match="admin session") as caught:
        Kaltura(sessionType=0).sessions(BY_TOKEN).current()
    assert caught.value.code == "NOT_ADMIN"


BROKEN: list[httpx.Response | Exception] = [
    httpx.ConnectError("x"),
    httpx.ReadTimeout("x"),
    httpx.Response(500),
    httpx.Response(429, headers={"Retry-After": "3"}),
    httpx.Response(200, html="<html>"),
    httpx.Response(200, json=None),
    httpx.Response(200, json=""),
    httpx.Response(200, json=7),
    httpx.Response(200, json="k" * 100_000),
    httpx.Response(200, json="ks\u00e9"),
    httpx.Response(200, json={"ks": ""}),
    httpx.Response(200, json=[]),
    error("INTERNAL_DATABASE_ERROR"),
]


@pytest.mark.parametrize("credentials", [BY_SECRET, BY_TOKEN], ids=["secret", "token"])
@pytest.mark.parametrize("answer", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_answer_to_a_sign_in_is_transient(
    credentials: Credentials, answer: httpx.Response | Exception
) -> None:
    kaltura, clock = Kaltura(), Clock()
    sessions = kaltura.sessions(credentials, clock)
    kaltura.refusals = [answer]
    with pytest.raises(Transient) as caught:
        sessions.current()
    assert not isinstance(caught.value, SignInFailed)
    assert sessions.problem is None
    clock.now += 5  # over the Retry-After of one of them
    assert sessions.current().startswith("ks-")


def test_no_secret_is_in_a_repr() -> None:
    sessions = Kaltura().sessions()
    ks = sessions.current()
    shown = repr(BY_SECRET) + repr(BY_TOKEN) + repr(sessions) + repr(vars(sessions))
    assert SECRET not in shown
    assert ks not in shown
