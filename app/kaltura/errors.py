"""Everything that can go wrong with Kaltura, in three kinds; no other exception leaves this package.

    KalturaError
    ├── Refused             Kaltura said no and will say it again: tell the client
    ├── Transient           nothing was done (or nothing that matters): try again later
    │   ├── Throttled           Kaltura asks for fewer calls, whatever they are
    │   ├── SessionRefused      the session is not valid any more (INVALID_KS), a new one neither
    │   └── SignInFailed        Kaltura refused the sign-in itself: everything waits for an operator
    └── Unknown             it may have been done: look it up before anything is sent again
        └── LockTimedOut        an entry is there by halves, because others hold what it needs

Kaltura answers errors with HTTP 200 and ``{"code", "message", "objectType": "KalturaAPIException", "args"}``;
`from_code` turns such an answer into one of these, by the one table of codes (app/kaltura/codes.py). A code that is
not in it is unknown, and has its `refusal` with it, which is believed when it comes again and again.
A read changes nothing in Kaltura, so the client raises `Transient` where a write would be `Unknown`, or the refusal.

No text in here ever holds a session, a secret, a URL or a body of an answer.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from app.kaltura.codes import DONE, REFUSED, RETRY, UNKNOWN

RESERVATION_SECONDS = 5.0
"""How long Kaltura keeps a resource for the session (KS) that asked first (exchanges 365 to 376)."""

LONGEST_TEXT = 300

_LIKE_A_SESSION = re.compile(r"[A-Za-z0-9+/_=-]{60,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


class KalturaError(Exception):
    """What every caller of this package may catch."""

    outcome: ClassVar[str]
    """``refused``, ``transient`` or ``unknown``: for metrics."""

    retry_after: float | None = None
    """Seconds before which trying again is pointless, where Kaltura or the gate said so."""

    outage: bool = False
    """Nobody gets an answer now, whatever is asked. With `retry_after`: all calls of this process wait until then."""


class Refused(KalturaError):  # noqa: N818 - a verdict, not a mishap
    """Kaltura says no, for good: `code` (stable), `message` (scrubbed, at most 300 characters), `arguments`."""

    outcome = "refused"

    def __init__(self, code: str, message: str = "", args: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.arguments = dict(args or {})


class Transient(KalturaError):  # noqa: N818 - a verdict, not a mishap
    """Nothing was done; try later. `sent` tells whether the request had reached Kaltura."""

    outcome = "transient"

    def __init__(self, reason: str, retry_after: float | None = None, sent: bool = False, outage: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.sent = sent
        self.outage = outage


class Throttled(Transient):
    """HTTP 429: what is asked for is not at fault, how often is (RFC 6585, section 4)."""


class SessionRefused(Transient):
    """INVALID_KS: expired, logged out or tampered with; checked before the action, so nothing was done (exchanges 24 to
    43).
    """


class SignInFailed(Transient):
    """The sign-in was refused: `code` is Kaltura's, `reason` one sentence for an operator."""

    def __init__(self, code: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason, retry_after, sent=True, outage=True)
        self.code = code


class Unknown(KalturaError):  # noqa: N818 - a verdict, not a mishap
    """The request was sent and its outcome is not known.

    `refusal`: what Kaltura said, where it may mean no, for good.
    """

    outcome = "unknown"

    def __init__(
        self, reason: str, retry_after: float | None = None, outage: bool = False, refusal: Refused | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.outage = outage
        self.refusal = refusal


class LockTimedOut(Unknown):
    """Others hold a category, or a user that is being made; an entry is made all the same, without its categories."""


_SPECIAL: Mapping[str, Callable[[], KalturaError]] = {
    "RESOURCE_IS_RESERVED": lambda: Transient("the resource is reserved", RESERVATION_SECONDS, sent=True),
    "INVALID_KS": lambda: SessionRefused("Kaltura does not accept the session", sent=True),
    "MISSING_KS": lambda: SessionRefused("Kaltura saw no session", sent=True),
    "INTERNAL_SERVERL_ERROR": lambda: Unknown("Kaltura had an internal error"),
    "INTERNAL_SERVER_ERROR": lambda: Unknown("Kaltura had an internal error"),
    "INTERNAL_DATABASE_ERROR": lambda: Unknown("Kaltura's database is away", outage=True),
    "LOCK_TIMED_OUT": lambda: LockTimedOut("Kaltura gave up waiting for a lock (LOCK_TIMED_OUT)"),
}


def from_code(code: str, message: str, args: Mapping[str, str], hide: Iterable[str] = ()) -> KalturaError:
    """The error for a code; `hide` are the session and the secrets of the call, which Kaltura may echo (exchanges 28,
    32).
    """
    if code in _SPECIAL:
        return _SPECIAL[code]()
    hide = tuple(hide)
    refusal = Refused(
        scrubbed(code, hide),
        scrubbed(message, hide),
        {scrubbed(name, hide): scrubbed(value, hide) for name, value in list(args.items())[:20]},
    )
    if code in REFUSED or code in DONE:
        return refusal
    reason = f"Kaltura answered {refusal.code}"
    if code in RETRY:
        return Transient(reason, sent=True)
    return Unknown(reason) if code in UNKNOWN else Unknown(reason, refusal=refusal)


def harmless(error: KalturaError) -> KalturaError:
    """The same error for a call that changes nothing: an unknown outcome is then one that does not matter."""
    if not isinstance(error, Unknown):
        return error
    if error.refusal is not None:
        return error.refusal
    return Transient(error.reason, error.retry_after, sent=True, outage=error.outage)


def scrubbed(text: str, hide: Iterable[str]) -> str:
    """`text` without the strings in `hide`, without anything as long as a session, on one line, cut to 300."""
    for secret in hide:
        if secret:
            text = text.replace(secret, "[hidden]")
    text = _CONTROL.sub(" ", _LIKE_A_SESSION.sub("[hidden]", text)).strip()
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
