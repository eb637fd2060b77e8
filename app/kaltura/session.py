"""Kaltura's session (KS), one for all worker threads, and the two ways to get it.

    no session ──current()──▶ signing in ──▶ valid ──nearly over, or renew(stale)──▶ signing in
       ▲                          │
       │                          ├──▶ away: every thread that waited gets that failure; the next call tries again
       └─── pause is over ─── refused: so do those that ask before the pause is over; each is longer than the last

At any time at most one thread signs in; all others that need the result wait for it and share it. A session that is
still good outlives a failed sign-in; one that Kaltura has refused is not sent again.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic, time

from app.kaltura.errors import KalturaError, Refused, SessionRefused, SignInFailed, Unknown, harmless
from app.kaltura.gate import Gate, growing_pause
from app.kaltura.observing import Observe, observed, unobserved
from app.kaltura.transport import Http, exchange, within

SESSION_SECONDS = 3600
"""Asked for at each sign-in; an app token's own duration may make it shorter."""

RENEW_BEFORE = 300.0
"""Seconds before its end at which a session is renewed; a tenth of its life where that is less."""

PAUSE = 30.0
"""Seconds before a renewal ahead of time that failed is tried again; until its end the old session is good."""

SIGN_IN_SECONDS = 30.0
"""For a whole sign-in, which is one exchange to five: everybody waits for it."""

LONGEST_KS = 8192
"""Characters; real ones have a few hundred."""

ADMIN = 2
"""The only session type that may schedule (exchange 34)."""

# The token's own type decides, and the service cannot ask for it: SHA256 first, SHA1 is Kaltura's default (exchanges
# 805, 807).
_HASHES = ("sha256", "sha1", "sha512", "md5")

_WRONG_HASH = "INVALID_APP_TOKEN_HASH"

_CAUSES: Mapping[str, str] = {
    "START_SESSION_ERROR": "Kaltura does not accept the admin secret for this partner id.",  # exchanges 8, 9, 13
    "SERVICE_FORBIDDEN_CONTENT_BLOCKED": "Kaltura does not know this partner id, or has blocked it.",  # exchange 10
    "INVALID_WIDGET_ID": "Kaltura does not know this partner id.",  # exchange 811
    "APP_TOKEN_ID_NOT_FOUND": "Kaltura does not know this app token id, which may be deleted.",  # exchanges 809, 816
    "APP_TOKEN_EXPIRED": "The app token has expired: Kaltura does not accept it any more.",
    "APP_TOKEN_NOT_ACTIVE": "The app token is disabled in Kaltura.",
    _WRONG_HASH: "Kaltura does not accept the app token's value for this app token id.",  # exchange 808
}


@dataclass(frozen=True)
class Credentials:
    """Who signs in: with `app_token_id` and `app_token` where both are set, else with `admin_secret`."""

    partner_id: int
    app_token_id: str = ""
    app_token: str = field(default="", repr=False)
    admin_secret: str = field(default="", repr=False)
    user: str = ""

    @property
    def by_app_token(self) -> bool:
        return bool(self.app_token_id and self.app_token)

    def __post_init__(self) -> None:
        if not self.by_app_token and not self.admin_secret:
            raise ValueError("neither an app token nor an admin secret")


@dataclass(frozen=True)
class _Session:
    ks: str = field(repr=False)
    renew_at: float
    ends_at: float


class Sessions:
    """The session that all threads share. `http` is used by one thread at a time and by nobody else.

    `current` and `renew` raise SignInFailed when Kaltura refuses the sign-in, Transient when it is away. Every exchange
    under these sessions, and the sign-in itself, goes through `gate`.
    """

    def __init__(
        self,
        http: Http,
        credentials: Credentials,
        *,
        gate: Gate | None = None,
        observe: Observe = unobserved,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.gate = gate or Gate()
        self._observe = observe
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._hashes: tuple[str, ...] = _HASHES
        self._lock = Lock()
        self.user = credentials.user  # whose the sessions are: an app token may be bound to another one
        self._session: _Session | None = None
        self._flight: Future[_Session] | None = None
        self._problem: SignInFailed | None = None
        self._refusals = 0  # in a row
        self._refused_at = 0.0  # when the first of them was
        self._again_at = 0.0  # when the pause after the last refusal is over

    @property
    def problem(self) -> SignInFailed | None:
        """Why the last sign-in was refused; None when it was not."""
        return self._problem

    @property
    def refused_for(self) -> float:
        """Seconds since the first of the refusals in a row."""
        return self._clock() - self._refused_at

    def current(self) -> str:
        """The session, signed in or renewed ahead of its end where needed."""
        session = self._session
        if session is None:
            return self._other_than("")
        if self._clock() < session.renew_at:
            return session.ks
        try:
            return self._other_than(session.ks)
        except KalturaError:
            now = self._clock()
            if now >= session.ends_at:
                raise
            with self._lock:
                if self._session is session:
                    self._session = replace(session, renew_at=now + PAUSE)
            return session.ks

    def renew(self, stale: str) -> str:
        """A session other than `stale`, which Kaltura refused: nobody sends that one again."""
        with self._lock:
            if self._session is not None and self._session.ks == stale:
                self._session = None
        return self._other_than(stale)

    def _other_than(self, stale: str) -> str:
        """One thread signs in, the others wait for its result."""
        with self._lock:
            if self._session is not None and self._session.ks != stale:
                return self._session.ks
            left = self._again_at - self._clock()
            if self._problem and left > 0:
                raise SignInFailed(self._problem.code, self._problem.reason, left)
            flight, leads = self._flight, self._flight is None
            if flight is None:
                flight = self._flight = Future()
        if leads:
            self._land(flight)
        return flight.result().ks

    def close(self) -> None:
        self._http.close()

    def _land(self, flight: Future[_Session]) -> None:
        session, failure = None, None
        try:
            session = self._sign_in()
        except BaseException as error:
            failure = error
        with self._lock:
            self._flight = None
            self._session = session or self._session
            self._problem = failure if isinstance(failure, SignInFailed) else None
            if self._problem:
                self._refused_at = self._refused_at if self._refusals else self._clock()
                self._refusals += 1
                self._problem.retry_after = growing_pause(self._refusals)
                self._again_at = self._clock() + self._problem.retry_after
            elif session is not None:
                self._refusals = 0
        if session is not None:
            flight.set_result(session)
        else:
            flight.set_exception(failure)

    def _sign_in(self) -> _Session:
        try:
            with within(SIGN_IN_SECONDS):
                return self._with_app_token() if self._credentials.by_app_token else self._with_secret()
        except SessionRefused:
            raise SignInFailed("INVALID_KS", "Kaltura did not accept the widget session it had just made.") from None
        except KalturaError as error:
            # A session too many does no harm, so signing in is as safe to repeat as a read.
            found = harmless(error)
            if isinstance(found, Refused):
                cause = _CAUSES.get(found.code, f"Kaltura refused the sign-in ({found.code}).")
                found = SignInFailed(found.code, cause)
            raise found from None

    def _with_secret(self) -> _Session:
        """`session.start` answers the session as a bare string (exchange 4)."""
        who = self._credentials
        params = {"secret": who.admin_secret, "partnerId": who.partner_id, "userId": who.user}
        return self._accepted(self._ask("session", "start", {**params, "type": ADMIN, "expiry": SESSION_SECONDS}))

    def _with_app_token(self) -> _Session:
        """A widget session, and with its help the token's own (exchanges 804, 805)."""
        who = self._credentials
        widget = self._ask("session", "startWidgetSession", {"widgetId": f"_{who.partner_id}"})
        widget_ks = _ks(_member(widget, "ks"))
        info = self._token_session(widget_ks)
        if _member(info, "sessionType") not in (ADMIN, str(ADMIN)):  # session.get answers strings (exchange 23)
            raise SignInFailed("NOT_ADMIN", "The app token gives no admin session (type 2), which scheduling needs.")
        user = _member(info, "userId")  # exchange 805
        self.user = user if isinstance(user, str) else self._credentials.user
        return self._accepted(_member(info, "ks"), _member(info, "expiry"))

    def _token_session(self, widget_ks: str) -> object:
        who = self._credentials
        params = {"ks": widget_ks, "id": who.app_token_id, "type": ADMIN, "expiry": SESSION_SECONDS}
        if who.user:
            params["userId"] = who.user
        for name in self._hashes:
            digest = hashlib.new(name, (widget_ks + who.app_token).encode(), usedforsecurity=False).hexdigest()
            try:
                info = self._ask("appToken", "startSession", {**params, "tokenHash": digest}, widget_ks, digest)
            except Refused as refusal:
                if refusal.code != _WRONG_HASH:
                    raise
            else:
                self._hashes = (name, *(other for other in self._hashes if other != name))
                return info
        raise Refused(_WRONG_HASH)

    def _ask(self, service: str, action: str, params: Mapping[str, object], *hide: str) -> object:
        who = self._credentials
        secrets = (who.app_token, who.admin_secret, *hide)
        with observed(self._observe, service, action):
            return exchange(self._http, self.gate, service, action, params, hide=secrets, for_itself=False)

    def _accepted(self, ks: object, expiry: object = None) -> _Session:
        """The session with its life: as long as asked for, or up to `expiry` (epoch) where that is believable.

        The two clocks may differ by any amount; a life that is wrong costs a renewal after INVALID_KS and no more.
        """
        life = float(SESSION_SECONDS)
        if isinstance(expiry, int) and 0 < (left := expiry - int(time())) < life:  # whole numbers: any may come
            life = float(left)
        now = self._clock()
        return _Session(_ks(ks), now + life - min(RENEW_BEFORE, life / 10), now + life)


def _member(answer: object, name: str) -> object:
    return answer.get(name) if isinstance(answer, dict) else None


def _ks(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not 0 < len(value) <= LONGEST_KS:
        raise Unknown("the answer holds no session")
    return value
