"""Rows gathered into recordings: what is one, what is shared, what is not recorded.

    rows ── add ──▶ meetings ── cross-listing ──▶ opt-outs, what is over ──▶ hash ──▶ Reading

Rows of one section and meeting that differ in instructors alone are one meeting, and so are rows that differ in their
date alone. Each row is taken in as it comes, and only meetings are kept.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from datetime import date
from typing import TypeVar

from app.recordings.document.advice import beyond
from app.terms.meetings.document import hashed
from app.terms.meetings.errors import CannotReadError, RejectedError
from app.terms.meetings.frame import Frame, is_over
from app.terms.meetings.rows import Head, Meeting, Note, Place, Reading, Rejected, Row
from app.terms.meetings.times import Times, on_dates

T = TypeVar("T")

MAX_MEETINGS = 20_000

_DUPLICATE = Note("duplicate_row", "One of its rows stands there more than once: it counts once.")
_SAME_SLOT = Note(
    "same_slot",
    "Other sections have the same room, days, times and dates: one recording for all, though no group says so.",
)
_PARALLEL = Note("parallel_meetings", "The section has several meetings at the same time: a recording of each.")
_GROUP = Note("group_differs", "Not all sections of its group meet here then: each room has its own recording.")
_NO_INSTRUCTOR = Note("no_instructor", "It has no instructor: the term's default owner owns it.")
_NO_OWNER = Note("no_instructor", "It has no instructor, and the term has no default owner: nobody owns it.")


class Gathering:
    """Takes in what is read, and knows in the end what is to be recorded. One of it for each declaration."""

    def __init__(self, within: Frame) -> None:
        self._within = within
        self._meetings: dict[Hashable, Meeting] = {}
        self._dates: dict[Hashable, set[date]] = {}
        self._rejected: list[Rejected] = []
        self._sections: set[str] = set()
        self._rows = 0

    def add(self, row: Row) -> None:
        """A row that was read. Raises CannotReadError beyond the limit."""
        self._declared(row.section)
        dates = _dates(row)
        key = (
            *(row.section, row.meeting, row.words, row.group, row.skip, row.room, row.resource, row.calendars),
            (row.times.start, row.times.minutes) if row.times and dates else row.times,
        )
        if (meeting := self._meetings.get(key)) is None:
            self._limited(len(self._meetings))
            self._meetings[key] = self._meeting(row)
            if dates:
                self._dates[key] = dates
            return
        known = self._dates.get(key, set())
        new = bool(dates - known) or any(user not in meeting.instructors for user in row.instructors)
        known |= dates
        together = [*row.instructors, *meeting.instructors] if row.primary else [*meeting.instructors, *row.instructors]
        meeting.instructors = unique(together)
        notes = row.notes if new else (*row.notes, _DUPLICATE)
        meeting.notes += [note for note in notes if note not in meeting.notes]
        meeting.places.append(row.place)

    def reject(self, place: Place, section: str | None, error: RejectedError) -> None:
        self._declared(section)
        self._limited(len(self._rejected))
        place = Place(place.line, place.pointer + error.pointer)
        self._rejected.append(Rejected(place, section, error.reason, error.detail))

    def finish(self, head: Head) -> Reading:
        for key, dates in self._dates.items():
            meeting = self._meetings[key]
            if meeting.times and len(dates) > 1:
                meeting.times = on_dates(meeting.times.start, meeting.times.minutes, sorted(dates))
        meetings = self._shared(list(self._meetings.values()))
        for meeting in meetings:
            self._settle(meeting)
        return Reading(
            head=head,
            meetings=meetings,
            rejected=self._rejected,
            sections=frozenset(self._sections),
            rows=self._rows,
        )

    def _declared(self, section: str | None) -> None:
        self._rows += 1
        if section is not None:
            self._sections.add(section)

    def _limited(self, count: int) -> None:
        if count >= MAX_MEETINGS:
            detail = f"A declaration has at most {MAX_MEETINGS:,} meetings. Send it in several terms."
            raise CannotReadError("too_many_meetings", detail)

    def _meeting(self, row: Row) -> Meeting:
        term = self._within.settings
        return Meeting(
            section=row.section,
            sections=() if row.section is None else (row.section,),
            meeting=row.meeting,
            places=[row.place],
            words=row.words,
            instructors=unique(row.instructors),
            group=row.group,
            times=row.times,
            room=row.room,
            resource=row.resource,
            calendars=tuple(term.calendars) if row.calendars is None else row.calendars,
            skip=row.skip,
            notes=list(row.notes),
        )

    # --- cross-listing ---------------------------------------------------------------------------------------

    def _shared(self, meetings: list[Meeting]) -> list[Meeting]:
        """The meetings without those that another one records: it has their places and sections."""
        mode = self._within.settings.cross_listing
        gone = set[int]()
        for slot in _by(_slot, (meeting for meeting in meetings if meeting.skip is None)):
            keyed = [meeting for meeting in slot if meeting.section is not None]
            if mode == "same_slot":
                sets = [keyed]
            elif mode == "group":
                sets = [part for part in _by(lambda one: one.group, keyed) if part[0].group]
            else:
                sets = []
            for lead, *others in filter(None, sets):
                said = lead.group and all(other.group == lead.group for other in others)
                for other in others:
                    self._share(lead, other, None if said else _SAME_SLOT)
                    gone.add(id(other))
        left = [meeting for meeting in meetings if id(meeting) not in gone]
        _note_groups([meeting for meeting in left if meeting.skip is None])
        _note_parallels([meeting for meeting in left if meeting.skip is None])
        return left

    def _share(self, lead: Meeting, other: Meeting, note: Note | None) -> None:
        if note and note not in lead.notes:
            lead.notes.append(note)
        lead.sections = tuple(unique([*lead.sections, *other.sections]))
        lead.instructors = unique([*lead.instructors, *other.instructors])
        lead.words = replace(
            lead.words,
            tags=tuple(unique([*lead.words.tags, *other.words.tags])),
            categories=tuple(unique([*lead.words.categories, *other.words.categories])),
            editors=tuple(unique([*lead.words.editors, *other.words.editors])),
            publishers=tuple(unique([*lead.words.publishers, *other.words.publishers])),
        )
        lead.places += other.places

    # --- the end ---------------------------------------------------------------------------------------------

    def _settle(self, meeting: Meeting) -> None:
        """Opt-outs of people, and what is over; then the notes that only what is recorded has, and the hash."""
        term = self._within.settings
        opted = [user for user in meeting.instructors if user.casefold() in term.opt_outs.people]
        enough = bool(opted) if term.opt_out_policy == "any" else bool(opted) and len(opted) == len(meeting.instructors)
        if meeting.skip is None and enough:
            meeting.skip, meeting.because = "opted_out", ", ".join(opted)
        if meeting.skip is None and meeting.times and _over(meeting.times, self._within):
            meeting.skip = "past"
        if meeting.skip is not None:
            meeting.notes = []
            return
        if not meeting.instructors and meeting.words.owner is None:
            meeting.notes.append(_NO_INSTRUCTOR if term.defaults.owner else _NO_OWNER)
        texts = (("/title", meeting.title), ("/description", meeting.words.description))
        meeting.notes += [Note(str(found.code), found.detail) for found in beyond(texts)]
        meeting.hash = hashed(meeting, self._within)
        if meeting.times and meeting.times.alone:
            meeting.was = hashed(replace(meeting, times=meeting.times.plain), self._within)


def unique(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))


def _dates(row: Row) -> set[date]:
    """The dates of a row whose likes are folded into one; empty for a rule of several, and for rows without a key."""
    if row.times is None or row.times.plain.rule or row.section is None:
        return set()
    return set(row.times.days())


def _slot(meeting: Meeting) -> Hashable:
    resource = meeting.resource
    return (resource.casefold() if isinstance(resource, str) else resource), _times(meeting), meeting.calendars


def _times(meeting: Meeting) -> Hashable:
    return meeting.times and meeting.times.plain


def _by(key: Callable[[Meeting], Hashable], meetings: Iterable[Meeting]) -> list[list[Meeting]]:
    found = defaultdict[Hashable, list[Meeting]](list)
    for meeting in meetings:
        found[key(meeting)].append(meeting)
    return list(found.values())


def _note_groups(meetings: list[Meeting]) -> None:
    for group in _by(lambda one: one.group, (meeting for meeting in meetings if meeting.group)):
        sections = {section for meeting in group for section in meeting.sections}
        for meeting in group:
            if set(meeting.sections) < sections:
                meeting.notes.append(_GROUP)


def _note_parallels(meetings: list[Meeting]) -> None:
    for same in _by(lambda one: (one.section, _times(one)), (one for one in meetings if one.section is not None)):
        if len(same) > 1:
            for meeting in same:
                meeting.notes.append(_PARALLEL)


def _over(times: Times, within: Frame) -> bool:
    return is_over(times.last, times.start.hour * 60 + times.start.minute + times.minutes, within)
