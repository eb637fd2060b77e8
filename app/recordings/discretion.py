"""What a client is told of what is in its way: another client's recording is there, and nothing more is said of it."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.recordings.models import Recording


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
