"""How steps change and remove what stands in Kaltura: only what is their recording's own, and removing it whole.

No step calls the client's methods that change or remove something but by this module (a test holds it). Before any
of them, what Kaltura has under the id is read, and must bear the recording's `referenceId`; an occurrence bears its
series'. All ids of a step are read together, in its `check`; a run of a chain reads each once, and what it has made
itself never. What is somebody else's by now raises Foreign. What is not there any more is left for the call to find.

Kaltura may be stopped half-way in deleting a series: the series is gone then, and its occurrences stand, active and
on their resource. They show no `referenceId` of a series that is not there; they are the recording's if they are where
it knows that occurrences of that series were. Who deletes a series looks for them, by the ids that are known.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from app.chains.steps import Call, Done, Outcome
from app.kaltura.errors import Refused, Unknown
from app.kaltura.types import CANCELLED, DELETED, Entry, Event, TimedEvent, entry_words
from app.recordings.scheduling.context import Ctx
from app.recordings.scheduling.outcomes import Foreign, Ignored, outcome
from app.resources.references import recording_of

log = structlog.get_logger(__name__)

LINK_TRIES = 3  # in which Kaltura may refuse that a series which is gone loses its links; then they stay
# What Kaltura surely keeps as it is sent: nothing that it may clean, trim, cut or store as question marks.
_PLAIN = re.compile(r"[A-Za-z0-9](?: ?[A-Za-z0-9.,:()/-]){0,99}")


@outcome()
def check(context: Ctx, calls: Sequence[Call]) -> Outcome:
    """The `check` of steps that change or remove something: reads what calls name by `event_id`, `entry_id` or `id`.

    An event's id is a number, an entry's a text. Of a call that names none, the functions here check what it changes.
    """
    context.seen.update(_done_in_this_run(context))
    about = [call.request.get("event_id") or call.request.get("entry_id") or call.request.get("id") for call in calls]
    make_sure(context, [one for one in about if isinstance(one, int)])
    for entry_id in dict.fromkeys(one for one in about if isinstance(one, str)):
        _make_sure_of_entry(context, entry_id)
    return Done()


# Events


def make_sure(context: Ctx, event_ids: Iterable[int]) -> None:
    """Reads these events in one call. Raises Foreign unless each is the recording's own, or not there."""
    unread = sorted(set(event_ids) - context.seen)
    unclear = [event for event in context.tools.kaltura.list_events(unread) if not _bears(context, event)]
    if unclear:
        series_ids = sorted({event.parent_id for event in unclear if event.parent_id})
        series = {event.id: event for event in context.tools.kaltura.list_events(series_ids)}
        known = _known_starts(context)
        foreign = [event.id for event in unclear if not _is_own_occurrence(context, event, series, known)]
        if foreign:
            raise Foreign(foreign)
    context.seen.update(unread)


def update_event(context: Ctx, event_id: int, changes: Mapping[str, object]) -> None:
    """`changes` under Kaltura's names. Raises Foreign; Ignored if Kaltura then shows something else."""
    make_sure(context, [event_id])
    shown = context.tools.kaltura.update_event(event_id, changes)
    recurrence = changes.get("recurrence")
    until = recurrence.get("until") if isinstance(recurrence, Mapping) else None
    if (
        (until is not None and until != (shown.recurrence and shown.recurrence.until))
        or changes.get("templateEntryId", shown.template_entry_id) != shown.template_entry_id
        or _is_ignored(changes.get("summary"), shown.summary)
    ):
        raise Ignored(f"Kaltura says that it has changed event {event_id}, and shows it as it was.")


@contextmanager
def _unless_gone() -> Iterator[None]:
    """What is not there any more need not be removed."""
    try:
        yield
    except Refused as refusal:
        if refusal.code != "INVALID_OBJECT_ID":
            raise


def cancel_event(context: Ctx, event_id: int) -> None:
    """A single event or an occurrence. Harmless to repeat. Raises Foreign."""
    make_sure(context, [event_id])
    with _unless_gone():
        if context.tools.kaltura.cancel_event(event_id).status != CANCELLED:
            raise Ignored(f"Kaltura says that it has cancelled event {event_id}, and shows it as it was.")


def delete_event(context: Ctx, event_id: int) -> None:
    """A single event or a series. Harmless to repeat. Its occurrences may be left standing: `cancel_left`. Raises
    Foreign.
    """
    make_sure(context, [event_id])
    with _unless_gone():
        if context.tools.kaltura.delete_event(event_id).status != DELETED:
            raise Ignored(f"Kaltura says that it has deleted event {event_id}, and shows it as it was.")


def remove_link(context: Ctx, event_id: int, resource_id: int) -> None:
    """Takes an event off a resource. Harmless to repeat. Raises Foreign."""
    make_sure(context, [event_id])
    with _unless_gone():
        context.tools.kaltura.remove_link(event_id, resource_id)


def delete_whole(context: Ctx, event_id: int, occurrence_ids: Sequence[int]) -> None:
    """Deletes an event that this chain has made or found. Its occurrences are, at most, among `occurrence_ids`."""
    delete_event(context, event_id)
    cancel_left(context, [event_id], occurrence_ids)


def cancel_left(
    context: Ctx, series: Collection[int], event_ids: Sequence[int], starts: Collection[int] | None = None
) -> None:
    """Cancels those of the events that still stand, though their series was deleted or ended. With a series that is
    gone its links go, too, which keep its occurrences on their resource.

    `starts` (epoch seconds): when the occurrences of these series were to begin, where only rows in SQL say so.
    """
    left = [
        event
        for event in context.tools.kaltura.list_events(event_ids)
        if event.active and event.parent_id in series and (_bears(context, event) or _is_orphan(event, starts))
    ]
    context.seen.update(event.id for event in left)
    if left:
        _remove_links_of_gone(context, sorted(series))
    for event in left:
        cancel_event(context, event.id)


def _remove_links_of_gone(context: Ctx, series: Sequence[int]) -> None:
    client = context.tools.kaltura
    there = {event.id for event in client.list_events(series)}
    gone = [series_id for series_id in series if series_id not in there]
    for link in client.list_links(*gone) if gone else ():
        try:
            remove_link(context, link.event_id, link.resource_id)
        except (Refused, Unknown) as error:
            refusal = error if isinstance(error, Refused) else error.refusal
            if refusal is None or context.failures < LINK_TRIES:
                raise
            log.info("link_stays", event_id=link.event_id, code=refusal.code)


def children(context: Ctx, series_id: int) -> list[TimedEvent]:
    """The occurrences of a series of the recording's own. Raises Foreign."""
    make_sure(context, [series_id])
    found = context.tools.kaltura.list_children(series_id)
    context.seen.update(child.id for child in found)
    return found


# The template entry


def read_entry(context: Ctx, entry_id: str) -> Entry | None:
    """The template entry as it is now; None when it is gone. Raises Foreign."""
    found = context.tools.kaltura.get_entry(entry_id)
    if found is not None and recording_of(found.reference_id) != _recording(context):
        raise Foreign([entry_id])
    context.seen.add(entry_id)
    return found


def update_entry(context: Ctx, entry_id: str, words: Mapping[str, object]) -> None:
    """`words` are an EntryDraft's. Raises Foreign; Ignored if Kaltura then shows others."""
    _make_sure_of_entry(context, entry_id)
    shown = context.tools.kaltura.update_entry(entry_id, words)
    if _is_ignored(words.get("name"), shown.name):
        raise Ignored(f"Kaltura says that it has changed entry {entry_id}, and shows it as it was.")


def delete_entry(context: Ctx, entry_id: str) -> None:
    """Raises Foreign."""
    _make_sure_of_entry(context, entry_id)
    context.tools.kaltura.delete_entry(entry_id)


def complete_entry(
    context: Ctx, entry: Entry, category_ids: Iterable[int], words: Mapping[str, object] | None = None
) -> None:
    """Gives an entry that this chain has made, or has found by its reference, what it lacks of what was asked for.

    `words` are an EntryDraft's. Kaltura changes some by itself: who knows that they were saved leaves them out.
    """
    context.seen.add(entry.id)
    if words is not None and entry.differs(words):
        update_entry(context, entry.id, entry_words(words))
    for category_id in category_ids:
        if category_id in entry.category_ids:
            continue
        try:
            add_category(context, entry.id, category_id)
        except Refused as refusal:
            if refusal.code != "CATEGORY_ENTRY_ALREADY_EXISTS":
                raise


def add_category(context: Ctx, entry_id: str, category_id: int) -> None:
    """Raises Foreign."""
    _make_sure_of_entry(context, entry_id)
    context.tools.kaltura.add_category(entry_id, category_id)


def remove_category(context: Ctx, entry_id: str, category_id: int) -> None:
    """Raises Foreign."""
    _make_sure_of_entry(context, entry_id)
    context.tools.kaltura.remove_category(entry_id, category_id)


def _make_sure_of_entry(context: Ctx, entry_id: str) -> None:
    if entry_id not in context.seen:
        read_entry(context, entry_id)


# Whose it is


def _recording(context: Ctx) -> str:
    """The chain's recording. A sweep's subject is `sweep:<recording id>`."""
    return context.subject.removeprefix("sweep:")


def _bears(context: Ctx, event: Event) -> bool:
    return recording_of(event.reference_id) == _recording(context)


def _is_own_occurrence(
    context: Ctx, event: Event, series: Mapping[int, Event], known: Mapping[int, Collection[int]]
) -> bool:
    """Of one that shows another reference than the recording's, or none."""
    if event.parent_id is None:
        return False
    parent = series.get(event.parent_id)
    if parent is not None:
        return _bears(context, parent)
    return _is_orphan(event, known.get(event.parent_id, ()))


def _is_orphan(event: Event, starts: Collection[int] | None) -> bool:
    return event.reference_id is None and (starts is None or int(event.start.timestamp()) in starts)


def _known_starts(context: Ctx) -> Mapping[int, Collection[int]]:
    """Of each series that the chain knows as the recording's: when its occurrences begin, in epoch seconds."""
    known = defaultdict[int, set[int]](set)
    for event in context.result("state")["old"] if "state" in context.results else ():
        known[event["event_id"]] |= {one["start"] for one in event["sessions"]}
    for number, made in context.results.get("occurrences", {}).items():
        known[context.results["events"][number]] |= {start for _, start, _ in made}
    return known


def _done_in_this_run(context: Ctx) -> set[int | str]:
    """The ids that this very run has made, or has read back of what it made."""
    made = set[int | str]()
    for step, key in context.done_in_this_run:
        if step in ("template_entry", "events"):
            made.add(context.results[step][key])
        elif step == "occurrences" and ("events", key) in context.done_in_this_run:
            made.update(event_id for event_id, *_ in context.results[step][key])
    return made


def _is_ignored(sent: object, shown: str | None) -> bool:
    """Whether a word is another than was sent. Of words that Kaltura may change by itself nobody can say."""
    return isinstance(sent, str) and _PLAIN.fullmatch(sent) is not None and sent != shown
