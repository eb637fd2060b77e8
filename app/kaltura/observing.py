"""Tells metrics of each call to Kaltura, and knows which actions the sign-in may not use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from app.kaltura.errors import KalturaError, Refused

Observe = Callable[[str, str, KalturaError | None, float], None]
"""Called after every call: service, action, what came of it (None: it is done), seconds."""

FORBIDDEN = frozenset({"SERVICE_FORBIDDEN", "FEATURE_FORBIDDEN", "SERVICE_DOES_NOT_EXISTS"})
"""Codes for an action that the session may not use (exchange 29), or that this Kaltura does not have (exchange 45)."""

SCHEDULE = "schedule_"
"""What the names of the schedule feature's services begin with."""

REMEMBERED = 3600.0
"""Seconds; a refusal that nobody has met again since says little about now."""


def unobserved(_service: str, _action: str, _error: KalturaError | None, _seconds: float) -> None:
    """For clients whose calls nobody counts."""


def outcome_of(error: KalturaError | None) -> str:
    """``done``, ``refused``, ``transient`` or ``unknown``."""
    return error.outcome if error else "done"


@contextmanager
def observed(observe: Observe, service: str, action: str) -> Iterator[None]:
    """Tells `observe` how the block ended. What is no KalturaError was a mistake of ours, and no call."""
    began = monotonic()
    try:
        yield
    except KalturaError as error:
        observe(service, action, error, monotonic() - began)
        raise
    observe(service, action, None, monotonic() - began)


class Permissions:
    """Which actions Kaltura has lately said that this sign-in may not use. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._refused: dict[str, tuple[str, float]] = {}  # by action: Kaltura's code, when
        self._asked_at = float("-inf")

    def observe(self, service: str, action: str, error: KalturaError | None, _seconds: float) -> None:
        self._asked_at = self._clock()
        if isinstance(error, Refused) and error.code in FORBIDDEN:
            self._refused[f"{service}.{action}"] = error.code, self._asked_at
        elif error is None:
            self._refused.pop(f"{service}.{action}", None)

    @property
    def idle(self) -> float:
        """Seconds since anything was asked."""
        return self._clock() - self._asked_at

    def missing(self) -> dict[str, str]:
        """Kaltura's code by action, `schedule_scheduleEvent.list`; empty when nothing is missing."""
        now = self._clock()
        return {name: code for name, (code, at) in sorted(self._refused.items()) if now - at < REMEMBERED}


def lacking(action: str) -> str:
    """Why Kaltura forbids `action`, without a full stop."""
    if action.startswith(SCHEDULE):
        return "the schedule feature is not enabled for this account, or not for this sign-in"
    return "this sign-in lacks the permission for it"


def to_ask_for(action: str) -> str:
    """What somebody whom Kaltura forbids `action` asks for, as one sentence."""
    if action.startswith(SCHEDULE):
        return (
            "Ask your Kaltura account manager to enable the schedule feature (the scheduling plugin) for this account, "
            "and to let this sign-in use it."
        )
    return f"Ask your Kaltura account manager to let this sign-in use {action}."
