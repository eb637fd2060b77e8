"""The comparison itself: each declared meeting, and each that the term keeps, becomes an item.

declared ┐            ┌─ the same hash ─▶ unchanged, before anything is expanded
         ├─ matched ──┤
kept ────┘            └─ what differs, what is new, what is gone ─▶ sessions ─▶ conflicts, groups, order
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from app.http.fields import broken_at, messages
from app.recordings.document.campus import Campus
from app.recordings.models import RecordingStatus
from app.terms.comparing.clashes import settle
from app.terms.comparing.differing import ROOM, TIMES, adopted, difference, slot
from app.terms.comparing.items import Effect, Item, Kind, Places, changed, of_known, of_meeting, places
from app.terms.comparing.known import Documents, Known, Own, ResourceKey, Standing, World, normal
from app.terms.comparing.matching import match, rekeyed
from app.terms.meetings.document import document
from app.terms.meetings.frame import Frame
from app.terms.meetings.rows import Meeting, Note, Reading
from app.terms.meetings.sessions import Sessions, sessions, skip_of
from app.terms.meetings.times import Times

OVER = (RecordingStatus.CANCELLED, RecordingStatus.CANCELLING)
NOT_THERE = ("no_room", "no_time")  # a value that the export may have again tomorrow: as if it were missing
MAX_REFERENCE = 255  # bytes


@dataclass(slots=True)
class Comparison:
    """One of it for each declaration. `now` is the instant of the plan, `term` the term's name."""

    reading: Reading
    known: Sequence[Known]
    world: World
    within: Frame
    campus: Campus
    term: str
    now: datetime
    _documents: Mapping[str, Documents] = field(default_factory=dict)
    _standing: dict[str, Sequence[Standing]] = field(default_factory=dict)
    _own: Sequence[Own] = ()
    _references: set[str] = field(default_factory=set)
    _counts: Counter[str | None] = field(default_factory=Counter)
    _silent: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by meeting: sections of which not all is said
    _taken: set[str] = field(default_factory=set)
    _slots: dict[str, tuple[Any, Mapping[str, Any]]] = field(default_factory=dict)  # of recordings of the client's own
    _sessions: dict[tuple[Times | None, tuple[str, ...]], Sessions] = field(default_factory=dict)

    def items(self) -> list[Item]:
        """In the order of the declaration, then what cannot be read, then what nobody declared. Each has its `n`."""
        reading, meetings = self.reading, self.reading.meetings
        unreadable = {one.section for one in reading.rejected if one.section is not None}
        self._silent = {one.id: silent for one in self.known if (silent := self._not_said(one, unreadable))}
        matched = match(meetings, self.known, self._silent)
        left = [one for one in matched.left if one.id not in self._silent]
        gone = [one for one in left if one.sections and reading.sections.isdisjoint(one.sections)]
        kept = {section for one in self.known for section in one.sections}
        new = [place for place, one in enumerate(meetings) if place not in matched.pairs and one.skip is None]
        unknown = [place for place in new if meetings[place].sections and kept.isdisjoint(meetings[place].sections)]
        rekeys = rekeyed(meetings, unknown, gone) if reading.head.complete else {}
        self._ask(matched.pairs | rekeys, [meetings[place] for place in new if place not in rekeys], left)
        items = []
        for place, meeting in enumerate(meetings):
            if place in rekeys:
                items.append(self._changed(meeting, rekeys[place], Kind.REKEY))
            elif place in matched.pairs:
                items.append(self._kept(meeting, matched.pairs[place]))
            elif meeting.skip is not None:
                items.append(self._skipped(meeting, meeting.skip))
            else:
                items.append(self._new(meeting))
        items += self._rejected([one for one in matched.left if not unreadable.isdisjoint(one.sections)])
        taken = {one.id for one in rekeys.values()}
        skips = {section: one for one in meetings if one.skip for section in one.sections}
        items += filter(None, (self._left(one, skips) for one in left if one.id not in taken))
        settle(items, self.world, self.within.zone)
        for n, item in enumerate(items, 1):
            item.n = n
        return items

    def _not_said(self, known: Known, unreadable: Set[str]) -> frozenset[str]:
        """The sections of a meeting of which the declaration does not say all that there is."""
        said, complete = self.reading.sections, self.reading.head.complete
        return frozenset(one for one in known.sections if one in unreadable or not (complete or one in said))

    def _ask(self, pairs: Mapping[int, Known], new: Sequence[Meeting], left: Sequence[Known]) -> None:
        """Everything that has to be known of what differs, in few questions."""
        meetings = self.reading.meetings
        differing = [one for place, one in pairs.items() if not self._is_as_kept(meetings[place], one)]
        self._documents = self.world.documents(differing)
        ending = [one for one in left if one.missing_since or not self.reading.sections.isdisjoint(one.sections)]
        self._standing = dict(self.world.standing([one.recording_id for one in (*differing, *ending)]))
        self._counts = Counter(meeting.section for meeting in meetings)
        held = [meetings[place] for place, one in pairs.items() if one.status in OVER]
        if new or held:
            asked = [*new, *held]
            references = {reference for one in asked for reference in self._adoptable(one)}
            self._own = self.world.own(references, {one.title for one in asked})
            self._references = set(self.world.references(f"{self.term}/"))

    # --- what is declared -----------------------------------------------------------------------------------

    def _kept(self, meeting: Meeting, known: Known) -> Item:
        if self._silent.get(known.id, frozenset()).difference(meeting.sections):
            return self._as_it_is(meeting, known)
        if meeting.skip is not None:
            return self._ended(meeting, known, meeting.skip)
        if known.status in OVER:
            return self._adopted(meeting, known=known) or of_meeting(Kind.HELD, meeting, known)
        if self._is_as_kept(meeting, known):
            return of_meeting(Kind.UNCHANGED, meeting, known)
        return self._changed(meeting, known, Kind.CHANGE)

    def _as_it_is(self, meeting: Meeting, known: Known) -> Item:
        """One that is shared with sections of which nothing is said: it stays theirs, too."""
        if meeting.skip is not None:
            item = self._skipped(meeting, meeting.skip)
            item.known, item.recording_id = known, known.recording_id
            return item
        item = of_meeting(Kind.HELD if known.status in OVER else Kind.UNCHANGED, meeting, known)
        item.section, item.sections, item.title = known.sections[0], known.sections, known.title
        return item

    def _ended(self, meeting: Meeting, known: Known, reason: str) -> Item:
        """A meeting that is kept, and is not to be recorded any more."""
        if known.status in OVER:
            return of_meeting(Kind.HELD, meeting, known)
        if reason in ("past", "no_sessions_left") and (known.is_over or not self._ahead(known)):
            return of_meeting(Kind.UNCHANGED, meeting, known)
        if reason in NOT_THERE:
            item = self._absent(known, reason)
            item.places, item.meeting = list(meeting.places), meeting
            return item
        item = of_meeting(Kind.CANCEL, meeting, known)
        item.reason, item.because = reason, meeting.because
        if reason == "opted_out" and not meeting.because:
            item.because = str(meeting.section)
        item.notes = []
        return self._cancelling(item, known)

    def _changed(self, meeting: Meeting, known: Known, kind: Kind) -> Item:
        item = of_meeting(kind, meeting, known)
        try:
            wanted = self._document(meeting)
        except ValidationError as error:
            return _refused(item, error)
        there = self._documents[known.recording_id]
        found = difference(there.now, there.declared, wanted)
        item.declared = wanted
        if meeting.sections != known.sections:
            item.changes.append(dict(changed("sections", list(known.sections), list(meeting.sections))))
        if meeting.meeting != known.meeting:
            item.changes.append(dict(changed("meeting", known.meeting, meeting.meeting)))
        item.changes += found.changes
        if found.kept:
            said = f"Somebody has changed {', '.join(found.kept)} of this recording by hand: that stays."
            item.notes.append(Note("kept_by_hand", said))
        if found.changes:
            item.document = found.document
        elif not item.changes:
            item.kind = Kind.UNCHANGED
        if not found.touches(TIMES, ROOM):
            return item
        held: Sessions | None = None
        if found.touches(TIMES):
            item.sessions = held = self._held(meeting)
            if not held.ahead(self.now):
                return self._ended(meeting, known, skip_of(held, self.within) or "past")
        standing = self._standing.get(known.recording_id, ())
        item.effect = self._effect(held, found.document["resource"], standing)
        return item

    def _is_as_kept(self, meeting: Meeting, known: Known) -> bool:
        """By its hash. What an older version has kept as a date stays so until a make-up day makes a difference."""
        if meeting.was != known.hash:
            return bool(meeting.hash) and meeting.hash == known.hash
        return self._held(meeting).held == self._held(_plain(meeting)).held

    def _held(self, meeting: Meeting) -> Sessions:
        """A timetable has few patterns: meetings with the same times and calendars share their sessions."""
        pattern = (meeting.times, meeting.calendars)
        if pattern not in self._sessions:
            self._sessions[pattern] = sessions(meeting, self.within, self.campus)
        return self._sessions[pattern]

    def _document(self, meeting: Meeting) -> dict[str, Any]:
        """Raises pydantic's ValidationError."""
        unknown = [place for place, name in enumerate(meeting.calendars) if name not in self.campus.versions]
        if unknown:
            name = meeting.calendars[unknown[0]]
            rule = f"names '{name}', and there is no such calendar: one that names none follows the term's own"
            raise broken_at(("calendars", unknown[0]), rule)
        return normal(document(meeting, self.within))

    def _effect(self, held: Sessions | None, resource: Any, standing: Sequence[Standing]) -> Effect:
        """What changes of the sessions that have not begun; what somebody decided by hand stays as it was decided.

        `held` are those that the meeting comes to; None: at the times of those that there are.
        """
        here = self._resource(resource)
        old = {one.slot: one for one in standing if one.scheduled and not one.decided}
        decided = {one.slot for one in standing if one.decided}
        times = {slot: one.span for slot, one in old.items()}
        if held is not None:
            times = {slot: held.left_out.get(slot, one.span) for slot, one in old.items() if one.stays}
            times.update((one.local.date(), one.span) for one in held.ahead(self.now))
        times = {slot: span for slot, span in times.items() if slot not in decided}
        own = {slot: one.own_resource for slot, one in old.items() if one.own_resource is not None}
        new = {slot: (own.get(slot, here), span) for slot, span in times.items()}
        there = {slot: (one.resource, one.span) for slot, one in old.items()}
        moved = [slot for slot in new if slot in there and new[slot] != there[slot]]
        added = [slot for slot in new if slot not in there]
        cancelled = [slot for slot in there if slot not in new]
        going = [old[slot] for slot in (*moved, *cancelled)]
        untouched = [(one.resource, one.span) for one in standing if one.scheduled and one.decided]
        return Effect(
            new=places(new[slot] for slot in (*moved, *added)),
            final=places((*new.values(), *untouched)),
            old=places((one.resource, one.span) for one in standing if one.scheduled),
            left=places((one.resource, one.span) for one in going),
            added=len(added),
            moved=len(moved),
            cancelled=len(cancelled),
            soon=sum(one.start <= self._soon for one in going),
        )

    @property
    def _soon(self) -> datetime:
        return self.now + timedelta(hours=self.within.settings.guards.soon_hours)

    def _skipped(self, meeting: Meeting, reason: str) -> Item:
        item = of_meeting(Kind.SKIPPED, meeting)
        item.reason, item.because = reason, meeting.because
        return item

    def _new(self, meeting: Meeting) -> Item:
        item = of_meeting(Kind.CREATE, meeting)
        try:
            item.declared = self._document(meeting)
        except ValidationError as error:
            return _refused(item, error)
        if own := self._adopted(meeting, item.declared):
            return own
        found = self._held(meeting)
        if reason := skip_of(found, self.within):
            return self._skipped(meeting, reason)
        item.sessions = found
        item.notes += found.notes
        item.document = {**item.declared, **self._reference(meeting)}
        ahead = [one.span for one in found.ahead(self.now)]
        there: Places = {self._resource(meeting.resource): ahead}
        item.effect = Effect(there, there, added=len(ahead))
        return item

    # --- what the client made itself ------------------------------------------------------------------------

    def _adopted(
        self, meeting: Meeting, wanted: dict[str, Any] | None = None, known: Known | None = None
    ) -> Item | None:
        """The client's own recording under its reference, or in its very slot with its title: it becomes the term's."""
        references = self._adoptable(meeting)
        alike = [one for one in self._own if one.reference_id in references or one.document["title"] == meeting.title]
        if not alike:
            return None
        wanted = wanted or normal(document(meeting, self.within))
        slots = [slot(wanted), *([slot(normal(document(_plain(meeting), self.within)))] if meeting.was else [])]
        for own in alike:
            is_free = own.recording_id not in self._taken
            if is_free and (own.reference_id in references or self._slot(own) in slots):
                self._taken.add(own.recording_id)
                item = of_meeting(Kind.ADOPT, meeting, known)
                item.recording_id, item.etag = own.recording_id, own.etag
                item.declared, same = adopted(own.document, wanted)
                item.hash = meeting.hash if same else ""
                return item
        return None

    def _slot(self, own: Own) -> tuple[Any, Mapping[str, Any]]:
        """Worked out once, however many meetings have its title."""
        if own.recording_id not in self._slots:
            self._slots[own.recording_id] = slot(own.document)
        return self._slots[own.recording_id]

    def _adoptable(self, meeting: Meeting) -> list[str]:
        if meeting.section is None:
            return []
        found = [f"{self.term}/{meeting.section}", meeting.section] if self._counts[meeting.section] <= 1 else []
        if meeting.meeting is not None:
            parts = (meeting.section, meeting.meeting)
            found += [f"{self.term}/{'/'.join(parts)}", "/".join(parts), "-".join(parts)]
        return found

    def _reference(self, meeting: Meeting) -> dict[str, str]:
        """A reference of its own for a new recording; none if it would be too long."""
        if meeting.section is None:
            return {}
        base = "/".join(filter(None, (self.term, meeting.section, meeting.meeting)))
        found, number = base, 1
        while found in self._references:
            number += 1
            found = f"{base}/{number}"
        if len(found.encode()) > MAX_REFERENCE:
            return {}
        self._references.add(found)
        return {"reference_id": found}

    # --- what is not declared, or cannot be read ------------------------------------------------------------

    def _rejected(self, protected: Iterable[Known]) -> list[Item]:
        """If its key can be read, the section is present, and its recordings stay."""
        of = {section: one for one in protected for section in one.sections}
        items = []
        for one in self.reading.rejected:
            known = of.get(one.section or "")
            sections = () if one.section is None else (one.section,)
            item = Item(Kind.REJECTED, one.section, sections, places=[one.place], reason=one.reason, because=one.detail)
            if known:
                item.known, item.title, item.recording_id = known, known.title, known.recording_id
            items.append(item)
        return items

    def _left(self, known: Known, skips: Mapping[str, Meeting]) -> Item | None:
        """A meeting that is kept, and that nothing declared is."""
        if known.status in OVER:
            return None
        if not known.sections:
            return None  # it has no key: nobody can say that it is gone
        if self.reading.sections.isdisjoint(known.sections):
            return self._absent(known, "missing") if self.reading.head.complete else None
        if known.is_over:
            return None
        item = of_known(Kind.CANCEL, known)
        skipped = next((skips[section] for section in known.sections if section in skips), None)
        if skipped and skipped.skip in NOT_THERE:
            return self._absent(known, str(skipped.skip))
        item.reason = (skipped and skipped.skip) or "meeting_gone"
        item.because = (skipped and skipped.because) or ""
        return self._cancelling(item, known)

    def _absent(self, known: Known, reason: str) -> Item:
        """Missing until its grace is over; then cancelled. In a declaration that is not complete nothing is missing."""
        item = of_known(Kind.MISSING, known)
        item.reason = reason
        if not self.reading.head.complete:
            item.kind = Kind.SKIPPED
            return item
        grace = timedelta(hours=self.within.settings.missing_grace_hours)
        since = known.missing_since
        if since is None:
            item.because = "absent for the first time"
            return item
        item.because = f"absent since {since:%Y-%m-%d %H:%M} UTC"
        if self.now < since + grace:
            return item
        if known.is_over or not self._ahead(known):
            return item
        item.kind = Kind.CANCEL
        return self._cancelling(item, known)

    def _cancelling(self, item: Item, known: Known) -> Item:
        going = self._ahead(known)
        there = places((one.resource, one.span) for one in going)
        item.effect = Effect(old=there, left=there, cancelled=len(going))
        item.effect.soon = sum(one.start <= self._soon for one in going)
        return item

    def _ahead(self, known: Known) -> list[Standing]:
        if known.recording_id not in self._standing:
            self._standing |= self.world.standing([known.recording_id])
        return [one for one in self._standing.get(known.recording_id, ()) if one.scheduled]

    def _resource(self, asked: Any) -> ResourceKey:
        name: int | str = asked["system_name"] if isinstance(asked, Mapping) else asked
        return self.world.resources([name])[name]


def _plain(meeting: Meeting) -> Meeting:
    return replace(meeting, times=meeting.times and meeting.times.plain)


def _refused(item: Item, error: ValidationError) -> Item:
    """A document that nobody would take, told as a row that cannot be read."""
    first = messages(error.errors(include_url=False)[:1])[0]
    item.kind, item.reason = Kind.REJECTED, "invalid_document"
    item.because = f"{first['pointer']} {first['detail']}."
    return item
