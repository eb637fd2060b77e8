"""Findings about the service, its way to Kaltura, and the receivers of its notices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.findings.finding import NOBODY, Finding, View, finding
from app.findings.schemas import Kind
from app.kaltura.gate import Gate
from app.kaltura.session import Sessions
from app.resources.encoders.signs import listening_since
from app.resources.mirror.freshness import Doubtful, doubtful
from app.resources.schemas import ResourceName
from app.webhooks import receivers
from app.webhooks.address import read

AWAY = 60.0  # seconds without an answer, also where too little is asked for all calls to be held back
FAILING = 600.0  # seconds that a receiver may need to be well again
SETTLED = timedelta(minutes=5)  # after a start
MANY = 5  # copies that are stale for one reason: one finding tells it


def mirror_stale(view: View) -> Iterator[Finding]:
    """Of each resource; of many at once in one, since that is not about any of them.

    After the service itself was away, every copy is old: that alone counts when there was time to read them.
    """
    heard_since = listening_since(view.session, view.now)
    settled = heard_since is not None and heard_since <= view.now - SETTLED
    found = [one for one in doubtful(view.session, view.now, view.per_second) if settled or one.why]
    if len(found) > MANY:
        since = min(one.as_of or view.now for one in found)
        why = next((one.why for one in found if one.why), "")
        detail = (
            f"What encoders see of {len(found)} resources may be old or incomplete{why and f', of some because: {why}'}"
        )
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
        f"What encoders see of {one.name} may be old or incomplete{one.why and f': {one.why}'}",
        resource=room,
    )


def webhook_failing(view: View) -> Iterator[Finding]:
    """Its client's; that of people, and of everybody's notices, is nobody's."""
    for row in receivers.in_trouble(view.session, FAILING):
        since = datetime.fromtimestamp(row.failing_since or 0.0, UTC).replace(microsecond=0)
        who = f"The webhook {row.id} ({read(row.url).host})" if row.url else "LECTERN_NOTIFY, which tells people,"
        yield finding(
            Kind.WEBHOOK_FAILING, row.id, since, f"{who} takes no notices: {row.error}", client=row.client or NOBODY
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
