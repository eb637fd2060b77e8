"""Findings about the service and its way to Kaltura."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.findings.finding import Finding, View, finding
from app.findings.schemas import Kind
from app.kaltura.gate import Gate
from app.kaltura.session import Sessions
from app.resources.mirror.freshness import Doubtful, doubtful
from app.resources.schemas import ResourceName

AWAY = 60.0  # seconds without an answer, also where too little is asked for all calls to be held back
MANY = 5  # copies that are stale for one reason: one finding tells it


def mirror_stale(view: View) -> Iterator[Finding]:
    """Of each resource; of many at once in one, since that is not about any of them."""
    found = doubtful(view.session, view.now, view.per_second)
    if len(found) > MANY:
        since = min(one.as_of or view.now for one in found)
        why = next((one.why for one in found if one.why), "")
        detail = f"What encoders see of {len(found)} resources is not sure{why and f', of some because: {why}'}"
        yield finding(Kind.MIRROR_STALE, "many", since, detail)
        return
    yield from (_stale(view, one) for one in found)


def _stale(view: View, one: Doubtful) -> Finding:
    room = ResourceName(id=one.id, system_name=one.system_name, name=one.name)
    since = one.as_of or view.now
    return finding(
        Kind.MIRROR_STALE,
        str(one.id),
        since,
        f"What encoders see of {one.name} is not sure{one.why and f': {one.why}'}",
        resource=room,
    )


def kaltura_away(gate: Gate, now: datetime) -> Iterator[Finding]:
    """As this process knows it. Refused sign-ins are another kind."""
    state = gate.state()
    if state.failing is None or (state.name == "closed" and state.failing < AWAY):
        return
    yield finding(Kind.KALTURA_AWAY, "", _ago(now, state.failing), f"Kaltura gives no answer: {state.reason}")


def sign_in_refused(sessions: Sessions, now: datetime) -> Iterator[Finding]:
    """As this process knows it."""
    problem, since = sessions.problem, _ago(now, sessions.refused_for)
    if problem is not None:
        yield finding(Kind.SIGN_IN_REFUSED, "", since, f"Kaltura refuses the sign-in: {problem.reason}")


def _ago(now: datetime, seconds: float) -> datetime:
    return (now - timedelta(seconds=seconds)).replace(microsecond=0)
