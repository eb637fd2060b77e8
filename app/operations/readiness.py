"""`/readyz`: how each part of the service is, and why, in a sentence for an operator.

What Kaltura says is known from the calls that chains and mirrors make anyway. When nobody has asked it for a minute, as
after a start, readiness asks one harmless question itself, so that a wrong secret does not wait for the first document.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as WaitedTooLong

from app.chains.lanes import holding_up
from app.chains.store import stuck_chains
from app.chains.worker import Workers
from app.database import counters
from app.database.database import BUSY_TIMEOUT, Database
from app.database.trouble import in_short
from app.database.types import utc_now
from app.findings.looking import Findings
from app.findings.schemas import Severity
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError
from app.kaltura.gate import Gate
from app.kaltura.observing import Permissions, lacking
from app.kaltura.session import Sessions
from app.operations.health import Naming, Part
from app.recordings.scheduling.context import Tools
from app.resources.mirror.freshness import freshness
from app.resources.mirror.threads import Refreshers

ASK_AFTER = 60.0  # seconds without a call
PATIENCE = 1.0  # seconds that an answer of `/readyz` waits for Kaltura's
HELD_UP = 600.0  # seconds that one chain may wait for another before that is told
LEAST_FREE_BYTES = 64 * 2**20  # bytes; SQLite goes on for a while in files that it has, and then accepts nothing
MOST = 20  # stuck recordings that are named; the number says how many there are


class Asking:
    """Asks Kaltura something when nobody has for a while. `permissions` has seen the calls of all."""

    def __init__(self, client: KalturaClient, permissions: Permissions) -> None:
        self._client = client
        self._permissions = permissions
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self) -> None:
        """Returns when there is an answer, or after PATIENCE. What it was is told to whoever observes the calls."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                if self._permissions.idle < ASK_AFTER:
                    return
                self._thread = threading.Thread(target=self._ask, name="readiness", daemon=True)
                self._thread.start()
        self._thread.join(PATIENCE)

    def _ask(self) -> None:
        with suppress(KalturaError):
            self._client.list_events([1])  # one row of a database, whether it is there or not


def database_part(database: Database) -> Part:
    """Down also when nothing can be written, as no document can be accepted then."""
    try:
        with database.read() as session:
            session.connection().execute(text("SELECT version_num FROM alembic_version"))  # SQLite reads no file for 1
    except SQLAlchemyError as error:
        return Part(state="down", detail=f"does not answer ({in_short(error)})")
    try:
        counters.write(database)
    except WaitedTooLong:
        return Part(state="degraded", detail=f"writes wait for longer than {BUSY_TIMEOUT:.0f} s")
    except SQLAlchemyError as error:
        return Part(state="down", detail=f"answers, but nothing can be written: {in_short(error)}")
    if (left := database.free_bytes) is not None and left < LEAST_FREE_BYTES:
        return Part(state="degraded", detail=f"its disk is nearly full: {left // 2**20} MB are left")
    return Part(state="ok", detail="answers")


def kaltura_part(ask: Callable[[], None], gate: Gate, sessions: Sessions, permissions: Permissions) -> Part:
    ask()
    if sessions.problem:
        return Part(state="degraded", detail=f"sign-in: {sessions.problem.reason}")
    state = gate.state()
    if state.failing is not None:
        waits = "" if state.next_probe is None else f"; next try in {state.next_probe:.0f} s; chains wait"
        return Part(state="degraded", detail=f"no answer for {state.failing:.0f} s{waits}: {state.reason}")
    if missing := permissions.missing():
        action, code = next(iter(missing.items()))
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Part(state="degraded", detail=f"Kaltura forbids {action}{more} ({code}): {lacking(action)}")
    return Part(state="ok", detail="answers" if state.answered else "not asked yet")


def workers_part(workers: Workers[Tools]) -> Part:
    if not workers.alive:
        return Part(state="down", detail="not all of them run: restart the process")
    return Part(state="ok", detail=f"{workers.running} at work")


def mirror_part(database: Database, refreshers: Refreshers, per_second: float) -> Part:
    """Degraded while encoders are shown a schedule that is stale, or one that somebody should look at."""
    if not refreshers.alive:
        return Part(state="degraded", detail="not all of its threads run; what encoders see grows old")
    try:
        with database.read() as session:
            found = freshness(session, utc_now(), per_second)
    except SQLAlchemyError as error:
        return Part(state="degraded", detail=f"not known: the database does not answer ({type(error).__name__})")
    wrong = []
    if found.troubled:
        named = "; ".join(f"{number}: {what}" for number, what in found.troubles)
        more = f"; and {found.troubled - len(found.troubles)} more" if found.troubled > len(found.troubles) else ""
        wrong.append(f"{found.troubled} of {found.wanted} resources asked for have something wrong ({named}{more})")
    if found.stale:
        why = f", mostly because: {found.failure}" if found.failure else ""
        wrong.append(f"{found.stale} of {found.wanted} resources asked for could not be read in time{why}")
    if wrong:
        return Part(state="degraded", detail="; ".join(wrong))
    each = f", each looked at every {found.every:.0f} s, the oldest {found.oldest:.0f} s ago" if found.wanted else ""
    return Part(state="ok", detail=f"{found.wanted} resources asked for{each}")


def chains_part(database: Database) -> Part:
    """Degraded while recordings wait for a person: how many, and some of them by their ids."""
    try:
        with database.read() as session:
            count, some = stuck_chains(session, MOST)
            slow = holding_up(session.connection(), HELD_UP)
    except SQLAlchemyError as error:
        return Part(state="degraded", detail=f"not known: the database does not answer ({type(error).__name__})")
    if not count and slow:
        named = ", ".join(slow[:MOST])
        return Naming(state="degraded", detail="others have waited for some for ten minutes", names=named)
    if not count:
        return Part(state="ok", detail="none is stuck")
    named = ", ".join(f"{chain.subject} ({chain.operation}, {chain.id})" for chain in some)
    more = f" and {count - len(some)} more" if count > len(some) else ""
    return Naming(state="degraded", detail=f"{count} stuck, to be resumed", names=f"{named}{more}")


def findings_part(database: Database, findings: Findings) -> Part:
    """How many there are; `ok` all the same: an encoder without power is no fault of the service, whose own faults are
    told by the other parts."""
    try:
        with database.read() as session:
            found = findings.by_kind(session)
    except SQLAlchemyError as error:
        return Part(state="degraded", detail=f"not known: the database does not answer ({type(error).__name__})")
    counts = {severity: sum(n for (_, of), n in found.items() if of == severity) for severity in Severity}
    told = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number)
    return Part(state="ok", detail=f"{told}: GET /findings lists them" if told else "there are none")
