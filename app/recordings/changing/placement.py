"""On which resource a recording's occurrences are: on the recording's, or on one that they were put on by hand."""

from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.database.types import utc_now
from app.recordings.document.draft import asked_resource
from app.recordings.document.fields import NewResource
from app.recordings.models import Recording
from app.resources.lookup import known_resources
from app.resources.models import Occurrence, Resource


def is_gone(session: Session, resource_id: int | None) -> bool:
    """Whether the resource was deleted in Kaltura: then what lies ahead needs the one that the document means now."""
    resource = session.get(Resource, resource_id) if resource_id else None
    return resource is not None and resource.gone_since is not None


def resource_of(recording: Recording, occurrence: Occurrence) -> int | None:
    """Kaltura's id; None while the recording is on none yet."""
    return occurrence.resource_id if occurrence.placed else recording.resource_id


def another_resource(
    session: Session, recording: Recording, occurrence: Occurrence, asked: int | str | NewResource | None
) -> dict[str, Any] | None:
    """The resource that is asked for, as a chain's input names it; None if that is none, or the one that it is on."""
    if asked is None:
        return None
    wanted = asked_resource(asked)
    known = known_resources(session, wanted.get("id") or wanted["system_name"])
    return None if [one.id for one in known] == [resource_of(recording, occurrence)] else wanted


def placed(session: Session, recording: Recording) -> list[Occurrence]:
    """The recording's occurrences ahead that have a resource of their own, by id."""
    ahead = (col(Occurrence.booking_id) == recording.id, col(Occurrence.start) > utc_now(), col(Occurrence.placed))
    return list(session.execute(select(Occurrence).where(*ahead).order_by(col(Occurrence.id))).scalars())


def own_resources(session: Session, recording: Recording) -> list[int]:
    """Kaltura's ids of the resources of their own that occurrences ahead have."""
    return sorted({one.resource_id for one in placed(session, recording) if one.resource_id})
