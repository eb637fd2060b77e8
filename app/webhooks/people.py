"""People are told of findings that can't wait, through apprise: mail, Teams, Slack, and whatever else it knows.

They are a receiver like any other, in the row `PEOPLE` of the table: told by one process of several, and tried again.
apprise is an extra of the package (`lectern[notify]`), and imported only where `LECTERN_NOTIFY` names addresses.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import delete
from sqlmodel import Session, col

from app.database.counters import last
from app.notices.models import NoticeKind
from app.notices.telling import NOTICES
from app.webhooks.exchange import Undeliverable
from app.webhooks.models import Undelivered, Webhook

PEOPLE = "people"
NOW = "now"  # the severity of what can't wait
TEXT = "text"  # what others have written is no markup: unless told so, apprise puts it into mail as HTML

MISSING = (
    "LECTERN_NOTIFY needs apprise, which Lectern is installed without: install lectern[notify], or leave it unset."
)
UNKNOWN = "LECTERN_NOTIFY has an address that apprise does not know: see https://appriseit.com/services/."


class Apprise(Protocol):
    """What of `apprise.Apprise` is used here."""

    def add(self, servers: str) -> bool: ...
    def notify(self, body: str, title: str, *, body_format: str) -> bool: ...


class People:
    def __init__(self, addresses: str) -> None:
        """`addresses`: apprise's, separated by commas or spaces. Raises ValueError, without a word of them."""
        try:
            import apprise
        except ImportError:
            raise ValueError(MISSING) from None
        self._apprise: Apprise = apprise.Apprise()
        if not self._apprise.add(addresses):
            raise ValueError(UNKNOWN)

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Tells of a notice, if it can't wait. Raises Undeliverable, unless every address has taken it."""
        finding: Mapping[str, Any] = notice["data"]
        if finding.get("severity") != NOW:
            return
        body = "\n\n".join(str(finding[name]) for name in ("detail", "what_to_do") if finding.get(name))
        title = f"Lectern: {finding.get('kind', 'look at this')}"
        if not self._apprise.notify(body, title, body_format=TEXT):
            raise Undeliverable("Not every address has taken it.")


def set_up(session: Session, told: bool) -> None:
    """From now on people are told of what comes true, or not any more."""
    row = session.get(Webhook, PEOPLE)
    if row is None and told:
        kinds = [NoticeKind.FINDING_RAISED.value]
        session.add(Webhook(id=PEOPLE, client=None, url="", notices=kinds, secret="", seen=last(session, NOTICES)))
    elif row is not None and not told:
        session.execute(delete(Undelivered).where(col(Undelivered.webhook_id) == PEOPLE))
        session.delete(row)
