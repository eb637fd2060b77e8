"""The form that moves one session."""

from datetime import timedelta

from app.console.people import Form, read_as
from app.console.views.one import Shown
from app.console.words import Asked, isolated, lasting, when
from app.recordings.changing.one_occurrence import OccurrenceChange
from app.recordings.reading.views import OccurrenceView

FIELDS = ("date", "time", "minutes", "room", "title")


def read(form: Form) -> OccurrenceChange:
    """What is to be other than it is. Raises RequestValidationError."""
    asked: dict[str, object] = {}
    if form.one("date") and form.one("time"):
        asked["start"] = f"{form.one('date')}T{form.one('time')}"
    if form.one("minutes"):
        asked["duration_minutes"] = form.number("minutes")
    if form.one("room"):
        asked["resource"] = form.number("room")
    if form.one("title"):
        asked["title"] = form.one("title")
    return read_as(OccurrenceChange, asked)


def what_it_does(seen: Shown, one: OccurrenceView, wanted: OccurrenceChange) -> Asked:
    before = one.local_start
    room = f" to {isolated(str(wanted.resource))}" if wanted.resource is not None else f" in {seen.room_of(one)}"
    start = (wanted.start or before).replace(tzinfo=None)
    minutes = wanted.duration_minutes
    length = lasting(timedelta(minutes=minutes) if minutes else one.end - one.start)
    title = f", called “{isolated(wanted.title)}”" if wanted.title else ""
    what = (
        f"This moves the session of {when(before)}{room}: it begins on {when(start)} and lasts "
        f"{length}{title}. All others stay."
    )
    return Asked("Move this session?", what, "Move the session")
