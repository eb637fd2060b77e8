"""Findings about encoders: those that are silent, say that they are in trouble, or have uploaded nothing."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import and_, select
from sqlmodel import col

from app.findings.finding import NEAR, Finding, View, at, finding
from app.findings.recordings import name_of, named, rooms_of
from app.findings.schemas import Kind
from app.resources.conflicts import LONGEST
from app.resources.encoders.signs import listening_since
from app.resources.mirror import uploads
from app.resources.models import Booking, Encoder, EncoderState, Occurrence, OccurrenceStatus, Resource

SILENT = timedelta(minutes=5)


def encoder_silent(view: View) -> Iterator[Finding]:
    """Silence counts only while somebody was there to be polled."""
    now, heard_since = view.now, listening_since(view.session, view.now)
    if heard_since is None or heard_since > now - SILENT:
        return
    rows = view.session.execute(
        select(Encoder, Resource, Occurrence, Booking)
        .join(Resource, col(Resource.id) == col(Encoder.resource_id))
        .join(Occurrence, col(Occurrence.resource_id) == col(Resource.id))
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .where(
            col(Encoder.polled_at) < now - SILENT,
            col(Resource.gone_since).is_(None),
            col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
            ~col(Occurrence.withdrawn),
            col(Booking.kind) != "other",
            col(Occurrence.start) > now - LONGEST,
            col(Occurrence.start) <= now + NEAR,
            col(Occurrence.end) > now,
        )
        .order_by(col(Resource.id), col(Occurrence.start), col(Occurrence.id))
    )
    told = set[int]()
    for encoder, resource, occurrence, booking in rows:
        if resource.id in told:
            continue
        told.add(resource.id)
        begins = "has been running since" if occurrence.start <= now else "begins at"
        yield finding(
            Kind.ENCODER_SILENT,
            str(resource.id),
            encoder.polled_at,
            f"The encoder of {resource.name} has not polled since {at(encoder.polled_at, booking.time_zone)}, and a "
            f"session {begins} {at(occurrence.start, booking.time_zone)}",
            occurrence_id=occurrence.id,
            resource=name_of(resource),
        )


def encoder_error(view: View) -> Iterator[Finding]:
    """The session that it names is told if it is one of its resource."""
    its_own = and_(
        col(Occurrence.id) == col(Encoder.occurrence_id), col(Occurrence.resource_id) == col(Encoder.resource_id)
    )
    rows = view.session.execute(
        select(Encoder, Resource, col(Occurrence.id))
        .join(Resource, col(Resource.id) == col(Encoder.resource_id))
        .outerjoin(Occurrence, its_own)
        .where(col(Encoder.state) == EncoderState.ERROR, col(Resource.gone_since).is_(None))
    )
    for encoder, resource, occurrence_id in rows:
        yield finding(
            Kind.ENCODER_ERROR,
            str(resource.id),
            encoder.since or view.now,
            f"The encoder of {resource.name} says that it is in trouble: {encoder.detail or 'it does not say why'}",
            occurrence_id=occurrence_id,
            resource=name_of(resource),
        )


def not_recorded(view: View) -> Iterator[Finding]:
    """Nobody could record a session that had begun before it was asked for."""
    if not view.confirms:
        return
    missing = uploads.not_recorded(view.session, view.now)
    whose = named(view.session, {one.booking_id for one in missing})
    rooms = rooms_of(view.session, {one.resource_id for one in missing})
    for one in missing:
        own = whose.get(one.booking_id)
        if own is None or one.start < own.created_at:
            continue
        room = rooms[one.resource_id]
        yield finding(
            Kind.NOT_RECORDED,
            one.id,
            one.end + uploads.MISSED,
            f"“{one.title or own.title}” of {at(one.start, own.time_zone)} was not recorded, or not uploaded from "
            f"{room.name} yet",
            client=own.client,
            recording_id=one.booking_id,
            occurrence_id=one.id,
            resource=room,
        )
