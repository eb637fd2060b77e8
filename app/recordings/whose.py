"""Whose recordings a client may see, and what it is told of others' that are in its way."""

from collections.abc import Callable, Sequence
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


def find(session: Session, client: Client, recording_id: str) -> Recording:
    """One of the client's recordings. Another client's is as if it were not there, but for an `admin`."""
    # A made-up id may hold what a database refuses to compare (NUL).
    recording = session.get(Recording, recording_id) if recording_id.isascii() and recording_id.isprintable() else None
    if recording is None or not client.owns(recording.client):
        raise NotFound("There is no such recording.")
    return recording


def by_reference(session: Session, client: str, reference_id: str | None) -> Recording | None:
    """The client's recording that has this reference now. A cancelled or failed one has none."""
    if reference_id is None:
        return None
    return session.execute(_BY_REFERENCE, {"of": client, "reference": reference_id}).scalar_one_or_none()


def discreet(
    session: Session, owns: Callable[[str], bool], conflicts: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The conflicts (app/resources/conflicts.py) as they may be told to whom recordings of the clients that it `owns`
    may be shown. What somebody booked in Kaltura belongs to no client, and is told as it is.
    """
    met = {pair["booked"]["recording_id"] for pair in conflicts} - {None}
    if not met:
        return list(conflicts)
    found = session.execute(select(col(Recording.id), col(Recording.client)).where(col(Recording.id).in_(met)))
    shown = {recording_id for recording_id, client in found if owns(client)} | {None}
    return [pair if pair["booked"]["recording_id"] in shown else _hidden(pair) for pair in conflicts]


def _hidden(pair: dict[str, Any]) -> dict[str, Any]:
    return {**pair, "booked": {**pair["booked"], "title": None, "recording_id": None}}
