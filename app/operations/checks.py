"""`lectern check`: whether Lectern can work as it is set up, each finding with what to do about it.

It goes through what a chain needs, in the chain's own order, and on after a refusal; after a failed sign-in, or when
Kaltura gives no answer, the rest of it would only repeat that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.database import counters
from app.database.account import Account, difference, kept_account, way_on
from app.database.database import Database
from app.database.trouble import wrong
from app.database.types import utc_now
from app.findings.looking import in_sql
from app.findings.schemas import Severity
from app.kaltura.client import EVENTS, KalturaClient
from app.kaltura.errors import KalturaError, Refused, SignInFailed
from app.kaltura.observing import FORBIDDEN, lacking, to_ask_for
from app.kaltura.trips import Trips
from app.kaltura.types import EntryDraft, EventDraft
from app.resources.mirror.freshness import Freshness, freshness
from app.resources.mirror.refresh import EVERY

MOST = 100  # findings that are told one by one

T = TypeVar("T")
Id = TypeVar("Id", int, str)

REFERENCE = "lectern-check-write"
"""Of all that `--write` ever adds, and of nothing else: so the next check finds what one that was killed has left."""

SKEW = timedelta(seconds=5)
"""Between two clocks that are both set right, with room for an answer's way."""

SIGN_IN = "Check LECTERN_KALTURA_PARTNER_ID, and LECTERN_KALTURA_APP_TOKEN_ID and …_APP_TOKEN, or …_ADMIN_SECRET."
NEW_SIGN_IN = (
    "Make a new app token in Kaltura (session type ADMIN, hash type SHA256), "
    "and set LECTERN_KALTURA_APP_TOKEN_ID and LECTERN_KALTURA_APP_TOKEN."
)
REACH = "Check LECTERN_KALTURA_URL, and that this machine may reach it."
TOKEN_CODES = ("APP_TOKEN_EXPIRED", "APP_TOKEN_NOT_ACTIVE", "APP_TOKEN_ID_NOT_FOUND", "NOT_ADMIN")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `what_to_do` is empty where nothing is."""

    ok: bool
    checked: str
    what_to_do: str = ""


def check(
    database: Database,
    migrations: Path,
    kaltura: KalturaClient,
    account: Account,
    *,
    per_second: float,
    confirms: bool,
    write: bool = False,
) -> Iterator[Finding]:
    """`account` is the one that `kaltura` speaks to; it is not asked for anything if the database is another one's.

    `per_second`: the budget of refreshes. `confirms`: whether uploads are looked for. `write`: also adds an entry and
    an event of its own to Kaltura, and removes both. Else it changes nothing.
    """
    yield _asked(account)
    yield from _database(database, migrations, per_second, confirms)
    whose = _account(database, account)
    yield from whose
    if all(finding.ok for finding in whose):
        yield from _kaltura(kaltura, write)


def _asked(account: Account) -> Finding:
    if not account.embedded:
        return Finding(True, f"the Kaltura that is asked is {account}")
    todo = "For an account, set LECTERN_KALTURA_URL, LECTERN_KALTURA_PARTNER_ID and a sign-in, here or in .env."
    return Finding(True, "the Kaltura that is asked is the embedded sandbox: this is no real account", todo)


# The database


def _database(database: Database, migrations: Path, per_second: float, confirms: bool) -> Iterator[Finding]:
    scripts = ScriptDirectory(str(migrations))
    known = [script.revision for script in scripts.walk_revisions()]
    try:
        with database.read() as session:
            at = MigrationContext.configure(session.connection()).get_current_revision()
        if at is None:
            yield Finding(True, "the database answers; it is empty, and `lectern serve` will make its tables")
        elif at == scripts.get_current_head():
            yield Finding(True, "the database answers, and its tables are this version's")
            yield from _writing_to(database)
            with database.read() as session:
                yield from _findings(session, per_second, confirms)
                yield _freshness(freshness(session, utc_now(), per_second))
        elif at in known:
            yield Finding(False, "the database's tables are an older version's", "Run: lectern migrate")
        else:
            yield Finding(False, "the database's tables are a newer version's", "Run that version of Lectern.")
    except SQLAlchemyError as error:
        yield Finding(False, *wrong(error))


def _freshness(found: Freshness) -> Finding:
    if not found.wanted:
        return Finding(True, "no resource was asked for in the last hour, so none is looked at")
    checked = f"{found.wanted} resource(s) were asked for in the last hour; each is looked at every {found.every:.0f} s"
    if found.every <= EVERY:
        return Finding(True, checked)
    todo = "If Kaltura may be asked more often, raise LECTERN_REFRESHES_PER_SECOND."
    return Finding(True, f"{checked}, as the budget of refreshes allows", todo)


def _account(database: Database, account: Account) -> list[Finding]:
    """Nothing where the database does not answer, which was told."""
    try:
        kept = kept_account(database)
    except SQLAlchemyError:
        return []
    if kept is None:
        return [Finding(True, f"the database belongs to no Kaltura account yet; `lectern serve` gives it {account}")]
    if kept == account:
        return [Finding(True, f"the database belongs to {account}, as it is set up")]
    return [Finding(False, difference(kept, account), way_on(kept, account))]


def _findings(session: Session, per_second: float, confirms: bool) -> Iterator[Finding]:
    """What the service would list at `/findings`, but for what its processes alone know of Kaltura."""
    found = in_sql(session, utc_now(), per_second, confirms=confirms)
    for one in found[:MOST]:
        about = f" ({one.subject.recording_id})" if one.subject.recording_id else ""
        todo = " ".join([one.what_to_do, *(f"{action.method} {action.href}" for action in one.actions)])
        yield Finding(one.severity == Severity.NOTICE, f"{one.kind}: {one.detail}{about}", todo)
    if len(found) > MOST:
        yield Finding(False, f"there are {len(found) - MOST} more findings", "GET /findings lists them.")
    if not found:
        yield Finding(True, "nothing is stuck, and there is nothing else that a person should look at")


def _writing_to(database: Database) -> Iterator[Finding]:
    """Whether something can be written, and is on disk when it is acknowledged."""
    try:
        counters.write(database)
    except SQLAlchemyError as error:
        yield Finding(False, *wrong(error))
        return
    yield Finding(True, "the database can be written")
    if database.is_sqlite:
        return
    with database.transaction() as connection:
        waits = connection.execute(text("SHOW synchronous_commit")).scalar_one() != "off"
    if waits:
        yield Finding(True, "what is written is on disk before it is acknowledged (synchronous_commit)")
    else:
        todo = "Lectern sets synchronous_commit on each of its sessions: let no pooler in between take it back."
        yield Finding(False, "after a crash, acknowledged documents may be gone: synchronous_commit is off", todo)


# Kaltura


def _kaltura(kaltura: KalturaClient, write: bool) -> Iterator[Finding]:
    try:
        kaltura.ping()
        yield Finding(True, "Kaltura answers, and accepts the sign-in")
        yield _clock(kaltura)
        yield from _reading(kaltura)
        if write:
            yield from _writing(kaltura)
        else:
            yield Finding(
                True, "adding was not tried: `lectern check --write` adds an entry and an event, and removes them"
            )
    except SignInFailed as error:
        todo = NEW_SIGN_IN if error.code in TOKEN_CODES else SIGN_IN
        yield Finding(False, f"Kaltura refuses the sign-in: {error.reason}", todo)
    except KalturaError as error:
        yield Finding(False, f"Kaltura does not answer: {error}", REACH)


def _clock(kaltura: KalturaClient) -> Finding:
    before = utc_now()
    theirs = kaltura.time()
    after = utc_now()
    # Theirs is cut to the second, and was read at some time in between.
    apart = max(before - theirs - timedelta(seconds=1), theirs - after, timedelta())
    if apart <= SKEW:
        return Finding(True, "this machine's clock and Kaltura's agree")
    way = "ahead of" if before > theirs else "behind"
    checked = f"this machine's clock is {apart.total_seconds():.0f} s {way} Kaltura's"
    return Finding(False, checked, "Set this machine's clock by NTP: what is upcoming and what is past depends on it.")


def _reading(kaltura: KalturaClient) -> Iterator[Finding]:
    questions: Sequence[tuple[str, str, Callable[[], object]]] = (
        ("schedule_scheduleResource.list", "may list resources", kaltura.list_resources),
        ("schedule_scheduleEvent.list", "may list schedule events", partial(kaltura.list_events, [1])),
        ("schedule_scheduleEventResource.list", "may list their links to resources", partial(kaltura.list_links, 1)),
        ("baseEntry.listByReferenceId", "may look for entries", partial(kaltura.find_entries, REFERENCE)),
        ("category.list", "may look for categories", partial(kaltura.find_category, REFERENCE)),
    )
    (finding, found), *others = Trips(kaltura)([partial(_tried, *question) for question in questions])
    count = f"; there are {len(found)}" if isinstance(found, list) else ""
    yield replace(finding, checked=f"{finding.checked}{count}")
    yield from (one for one, _ in others)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Id]):
    """What `--write` adds one of. `find`: the ids of those that carry REFERENCE, exactly; `gone`: there is none."""

    name: str
    service: str
    gone: str
    look: str
    find: Callable[[], Sequence[Id]]
    add: Callable[[], Id]
    delete: Callable[[Id], object]

    def remove(self, ids: Sequence[Id]) -> None:
        """Harmless to repeat; another check may have been faster."""
        for each in ids:
            try:
                self.delete(each)
            except Refused as refusal:
                if refusal.code != self.gone:
                    raise


def _writing(kaltura: KalturaClient) -> Iterator[Finding]:
    """Adds what a chain adds and removes it at once, and before that what a check that was killed has left.

    The event is harmless as long as it is there: a minute, a year ahead, and linked to nothing.
    """
    start = utc_now().replace(microsecond=0) + timedelta(days=365)
    entry = EntryDraft(name="Lectern check", reference_id=REFERENCE)
    event = EventDraft(summary="Lectern check", start=start, end=start + timedelta(minutes=1), reference_id=REFERENCE)
    yield from _added_and_removed(
        _Kind(
            *("entries", "media", "ENTRY_ID_NOT_FOUND", "baseEntry.listByReferenceId"),
            find=lambda: [each.id for each in kaltura.find_entries(REFERENCE)],
            add=lambda: kaltura.add_entry(entry).id,
            delete=kaltura.delete_entry,
        )
    )
    yield from _added_and_removed(
        _Kind(
            *("schedule events", EVENTS, "INVALID_OBJECT_ID", f"{EVENTS}.list"),
            find=lambda: [each.id for each in kaltura.find_events(REFERENCE)],
            add=lambda: kaltura.add_event(event).id,
            delete=kaltura.delete_event,
        )
    )


def _added_and_removed(kind: _Kind[Id]) -> Iterator[Finding]:
    may_look, left = _tried(kind.look, f"may look for {kind.name}", kind.find)
    if left is None:
        yield may_look
        return
    if left:
        removed = _removed(kind, left, f"removed {kind.name} that an earlier check had left: {_listed(left)}")
        yield removed
        if not removed.ok:
            return  # one more would only stay beside them
    yield from _one_added(kind)


def _one_added(kind: _Kind[Id]) -> list[Finding]:
    """A list, so that nobody is told anything before the one is gone again: who listens may never ask on."""
    try:
        may_add, made = _tried(f"{kind.service}.add", f"may add {kind.name}", kind.add)
        return [may_add] if made is None else [may_add, _removed(kind, [made], f"may delete {kind.name}")]
    except KalturaError as error:
        return [Finding(False, f"it is not known whether {kind.name} may be added and deleted: {error}", _undone(kind))]
    except BaseException:
        # Told to stop: whatever call that has interrupted, nothing stays.
        with suppress(KalturaError):
            kind.remove(kind.find())
        raise


def _removed(kind: _Kind[Id], ids: Sequence[Id], checked: str) -> Finding:
    finding, _ = _tried(f"{kind.service}.delete", checked, partial(kind.remove, ids))
    return finding if finding.ok else replace(finding, checked=f"{finding.checked}; what stays there: {_listed(ids)}")


def _undone(kind: _Kind[Id]) -> str:
    """An answer was lost: removes what it may have made, as far as that is found, and says what else to do."""
    with suppress(KalturaError):
        kind.remove(kind.find())
    return f"Run it again later: it looks for {kind.name} with the reference id {REFERENCE}, and removes them."


def _listed(ids: Sequence[Id]) -> str:
    return ", ".join(map(str, ids))


def _tried(action: str, what: str, ask: Callable[[], T]) -> tuple[Finding, T | None]:
    """Whether Kaltura lets Lectern do it, and its answer."""
    try:
        return Finding(True, what), ask()
    except Refused as refusal:
        if refusal.code in FORBIDDEN:
            checked = f"Kaltura forbids {action} ({refusal.code}): {lacking(action)}"
            return Finding(False, checked, to_ask_for(action)), None
        return Finding(False, f"Kaltura refuses {action} ({refusal.code})", "Ask whoever looks after Kaltura."), None
