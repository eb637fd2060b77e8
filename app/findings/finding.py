"""A finding inside of the service: what it is computed from, whose it is, and what tells it from others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from app.access.keys import LOCAL, Client
from app.access.scopes import Scope
from app.findings.kinds import SEVERITY, WHAT_TO_DO
from app.findings.schemas import Action, FindingView, Kind, Severity, Subject
from app.resources.schemas import ResourceName

NOBODY = ""  # no client is called so: for an `admin`, and for whoever asks an open service

NEAR = timedelta(hours=1)  # a session that begins within it is near enough to look at once

RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class View:
    """What findings are computed from: SQL as it stands, and the time.

    `per_second`: how often Kaltura may be looked at, which says from when on a copy is stale. `confirms`: whether
    uploads are looked for.
    """

    session: Session
    now: datetime
    per_second: float
    confirms: bool


class Finding(FindingView):
    """`key` is the same for as long as it is the same finding, whatever is said of it.

    `client`: whose it is; None: everybody's who may see its resource, or, if it has none, everybody's.
    """

    key: str
    client: str | None = None

    @property
    def order(self) -> tuple[int, datetime, str]:
        """The worst first, and of those the oldest."""
        return RANK[self.severity], self.since, self.key

    def is_for(self, who: Client, is_id: Callable[[str], bool]) -> bool:
        """Whether it is shown to them, or counted. `is_id`: as `Client.may_see` has it."""
        if who.sees_all or (self.client == NOBODY and who is LOCAL):
            return True
        if self.client is not None:
            return self.client == who.name and Scope.RECORDINGS_READ in who.scopes
        room = self.subject.resource
        if room is None:
            return True
        return Scope.SCHEDULE_READ in who.scopes and who.may_see(room.id, room.system_name, is_id)


def finding(
    kind: Kind,
    about: str,
    since: datetime,
    detail: str,
    *,
    client: str | None = None,
    recording_id: str | None = None,
    occurrence_id: str | None = None,
    resource: ResourceName | None = None,
    actions: Sequence[Action] = (),
    severity: Severity | None = None,
    what_to_do: str = "",
) -> Finding:
    """`about` tells it from others of its kind. Severity and what to do are the kind's, unless they are given.

    `detail` becomes a sentence on one line, whatever others have written into it: more lines could look like ours.
    """
    said = " ".join(detail.split()).rstrip(". ") + "."
    return Finding(
        kind=kind,
        severity=severity or SEVERITY[kind],
        since=since,
        subject=Subject(recording_id=recording_id, occurrence_id=occurrence_id, resource=resource),
        detail=said[0].upper() + said[1:],
        what_to_do=what_to_do or WHAT_TO_DO[kind],
        actions=list(actions),
        key=f"{kind}:{about}",
        client=client,
    )


def resume(recording_id: str) -> Action:
    return Action(rel="resume", method="POST", href=f"/recordings/{recording_id}/resume")


def at(moment: datetime, zone: str = "UTC") -> str:
    """As people read it: `2027-01-13 09:00 (America/New_York)`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


def count(number: int, one: str) -> str:
    """`1 session`, `3 sessions`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
