"""The Kaltura account that a database belongs to. What it knows by id is true of that account and of no other.

    no account yet ── the first start ──▶ an account's ── `lectern account move` ──▶ the same one's, at another address
                                               └── a start with another account is refused

Ids are numbers that every Kaltura counts by itself: under another account, `scheduleEvent.delete 1336591` removes
somebody else's series. The address without its path and the partner id tell accounts apart. Each embedded sandbox is an
account of its own, known by an id that it keeps in its own database and loses with it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import BigInteger, Column, Integer, inspect, update
from sqlmodel import Field, Session, SQLModel, col

from app.database.database import Database
from app.settings import Settings

EMBEDDED = "sandbox:"
ONLY = 1
TURN = "account"
DEFAULT_PORTS = {"http": 80, "https": 443}
NAMING = "LECTERN_KALTURA_URL and LECTERN_KALTURA_PARTNER_ID name"
OWN_DATABASE = "Set LECTERN_DATABASE_URL to a database of its own for that account"


@dataclass(frozen=True, slots=True)
class Account:
    """`origin` is `scheme://host[:port]`, in lower case and without a default port; or `sandbox:` and a sandbox's id.

    An embedded sandbox's `partner_id` is 0: it has one partner.
    """

    origin: str
    partner_id: int

    @property
    def embedded(self) -> bool:
        return self.origin.startswith(EMBEDDED)

    def __str__(self) -> str:
        return "the embedded sandbox" if self.embedded else f"{self.origin}, partner {self.partner_id}"


class KeptAccount(SQLModel, table=True):
    """The one row that says whose the database is."""

    __tablename__ = "account"

    id: int = Field(default=ONLY, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    origin: str
    partner_id: int = Field(sa_column=Column(BigInteger, nullable=False))


def account_of(settings: Settings, sandbox_id: str = "") -> Account:
    """The account that the settings name; `sandbox_id` is the embedded sandbox's own."""
    if settings.embedded_sandbox:
        return Account(EMBEDDED + sandbox_id, 0)
    return Account(origin_of(settings.kaltura_url), settings.kaltura_partner_id or 0)


def origin_of(url: str) -> str:
    """`HTTPS://www.Kaltura.com:443/api_v3/` is `https://www.kaltura.com`. `url` is one that the settings take."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def kept_account(database: Database) -> Account | None:
    """The account that the database belongs to. None: to nobody yet; it may have no tables, or an older version's."""
    if not database.exists or not inspect(database.engine).has_table("account"):
        return None
    with database.read() as session:
        return _row(session)


def take(database: Database, account: Account) -> bool:
    """Makes the database belong to `account`, if it belongs to nobody. Returns whether it did.

    Of several processes that start at once one is first. Raises ValueError, in words for whoever starts the service,
    if it belongs to another account. The tables must be there.
    """
    with database.write(TURN) as session:
        kept = _row(session)
        if kept is None:
            session.add(KeptAccount(origin=account.origin, partner_id=account.partner_id))
    if kept not in (None, account):
        raise ValueError(f"{difference(kept, account)} {way_on(kept, account)}")
    return kept is None


def move(database: Database, account: Account) -> None:
    """Gives the database's account another address. Raises what `refuse_move` does."""
    with database.write(TURN) as session:
        refuse_move(_row(session), account)
        values = {"origin": account.origin}
        session.execute(update(KeptAccount).where(col(KeptAccount.id) == ONLY).values(values))


def refuse_move(kept: Account | None, account: Account) -> None:
    """Raises ValueError, in words, unless `account` may be the same as `kept`, at another address."""
    if account.embedded:
        raise ValueError("LECTERN_KALTURA_URL is empty: set it to the new address of the account.")
    if kept is None:
        raise ValueError(
            "This database belongs to no account yet: `lectern serve` gives it the one that it starts with."
        )
    if kept == account:
        raise ValueError(f"This database belongs to {kept} already: there is nothing to move.")
    if kept.embedded or kept.partner_id != account.partner_id:
        raise ValueError(f"{difference(kept, account)} That is another account, whose ids mean something else.")


def difference(kept: Account, account: Account) -> str:
    """One sentence that names the database's account and that of the settings."""
    if kept.embedded and account.embedded:
        return (
            "This database belongs to another embedded sandbox than the one that LECTERN_SANDBOX_DATABASE names: "
            "that file was deleted, reset, or is another one."
        )
    if account.embedded:
        return f"This database belongs to {kept}; without LECTERN_KALTURA_URL, Lectern would use {account}."
    return f"This database belongs to {kept}; {NAMING} {account}."


def way_on(kept: Account, account: Account) -> str:
    """One sentence that says what to do about `difference`."""
    if kept.embedded and account.embedded:
        return (
            "Set LECTERN_SANDBOX_DATABASE to the file that it belongs to, or begin anew: delete this database's file, "
            "or set LECTERN_DATABASE_URL to another."
        )
    if account.embedded:
        return "Set LECTERN_KALTURA_URL and LECTERN_KALTURA_PARTNER_ID again, or leave LECTERN_DATABASE_URL unset."
    if not kept.embedded and kept.partner_id == account.partner_id:
        return f"If it is the same account at another address, run: lectern account move. Else: {OWN_DATABASE}."
    return f"{OWN_DATABASE}, or set both back."


def _row(session: Session) -> Account | None:
    row = session.get(KeptAccount, ONLY)
    return Account(row.origin, row.partner_id) if row else None
