"""Whose recordings a client may see, and what it is told of others' that are in its way."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.access.keys import Client
from app.http.errors import NotFound
from app.recordings.models import Recording

# Built once: building a statement costs more than running it.
_BY_REFERENCE = select(Recording).where(
    col(Recording.client) == bindparam("of"), col(Recording.active_reference) == bindparam("reference")
)
_FREED = (
    select(Recording)
    .where(
        col(Recording.client) == bindparam("of"),
        col(Recording.reference_id) == bindparam("reference"),
        col(Recording.active_reference).is_(None),
    )
    .order_by(col(Recording.id).desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A recording by the `reference_id` that the client itself gave it, also where the client is an `admin`."""

    id: str


def find(session: Session, client: Client, named: str | Reference) -> Recording:
    """One of the client's recordings, by its id or its reference; of an `admin`, anybody's. Raises NotFound.

    A reference means the recording that has it now; if there is none, the latest that had it until it was over.
    """
    if isinstance(named, Reference):
        asked = {"of": client.name, "reference": named.id}
        found = by_reference(session, client.name, named.id) or session.execute(_FREED, asked).scalar_one_or_none()
    else:
        # A made-up id may hold what a database refuses to compare (NUL).
        found = session.get(Recording, named) if named.isascii() and named.isprintable() else None
    if found is None or not client.owns(found.client):
        raise NotFound("There is no such recording.")
    return found


def by_reference(session: Session, client: str, reference_id: str | None) -> Recording | None:
    """The client's recording that has this reference now, if any; a cancelled or failed one has none."""
    if reference_id is None:
        return None
    return session.execute(_BY_REFERENCE, {"of": client, "reference": reference_id}).scalar_one_or_none()


def discreet(
    session: Session, owns: Callable[[str], bool], conflicts: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Conflicts, as `find_conflicts` gives them, without what identifies recordings of clients that it does not own.

    What somebody booked in Kaltura belongs to no client, and is told as it is.
    """
    shown = owned(session, owns, {pair["booked"]["recording_id"] for pair in conflicts})
    return [pair if pair["booked"]["recording_id"] in shown else _hidden(pair) for pair in conflicts]


def owned(session: Session, owns: Callable[[str], bool], met: Collection[str | None]) -> set[str | None]:
    """Those of these recordings (ids) that it owns, and None: what somebody booked in Kaltura."""
    recordings = set(met) - {None}
    if not recordings:
        return {None}
    found = session.execute(select(col(Recording.id), col(Recording.client)).where(col(Recording.id).in_(recordings)))
    return {recording_id for recording_id, client in found if owns(client)} | {None}


def _hidden(pair: dict[str, Any]) -> dict[str, Any]:
    return {**pair, "booked": {**pair["booked"], "title": None, "recording_id": None}}
