"""Kaltura's actions as methods, each with the shape of its answer checked before it is believed.

Every method may raise what `errors` draws. Those that read never raise Unknown. All speak through `_ask`, which
adds the session, renews it once when Kaltura refuses it, and tells `observe`.

Kaltura ignores an empty filter value and answers with everything (exchange 539), so no method sends one: ValueError.
Its filters match loosely (case, punctuation) and its index may lag: what comes back is compared once more here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter

from app.kaltura.answers import LenientPage, Listed, Named, Page, by_start, same
from app.kaltura.calls import PAGE_SIZE, Calls, filtered, given
from app.kaltura.crowds import names_of
from app.kaltura.types import (
    ACTIVE,
    ANY_ENTRY,
    MADE_ENTRY,
    OCCURRENCE,
    RESOURCE_TYPES,
    SINGLE,
    Assignment,
    BriefEvent,
    Category,
    Entry,
    EntryDraft,
    Event,
    EventDraft,
    Link,
    Moment,
    Resource,
    TimedEvent,
    epoch,
)

E = TypeVar("E", Event, BriefEvent)

EVENTS = "schedule_scheduleEvent"
RESOURCES = "schedule_scheduleResource"
LINKS = "schedule_scheduleEventResource"

_TRUE: TypeAdapter[Literal[True]] = TypeAdapter(Literal[True])
_CLOCK: TypeAdapter[datetime] = TypeAdapter(Annotated[Moment, Field(gt=datetime(2020, 1, 1, tzinfo=UTC))])
_NOTHING: TypeAdapter[None] = TypeAdapter(None)
_ASSIGNMENT = TypeAdapter(Assignment)
_RESOURCE, _RESOURCE_PAGE = TypeAdapter(Resource), TypeAdapter(Page[Resource])
_ENTRY, _ENTRY_PAGE = TypeAdapter(Entry), TypeAdapter(Page[Entry])
_EVENT, _EVENT_PAGE = TypeAdapter(Event), TypeAdapter(Page[Event])
_BRIEF_EVENT, _TIMED_EVENT_PAGE = TypeAdapter(BriefEvent), TypeAdapter(Page[TimedEvent])
_NAMED_PAGE = TypeAdapter(Page[Named])
_LINK, _LINK_PAGE = TypeAdapter(Link), TypeAdapter(Page[Link])
_CATEGORY = TypeAdapter(Category)
_CATEGORY_PAGE = TypeAdapter(Page[Category])
# Of what anybody may have made, where one that cannot be read is to hide no other.
_RESOURCES_OR_ODD: TypeAdapter[Page[Resource]] = TypeAdapter(LenientPage[Resource])
_EVENTS_OR_ODD: TypeAdapter[Page[Event]] = TypeAdapter(LenientPage[Event])
_BRIEF_EVENTS_OR_ODD: TypeAdapter[Page[BriefEvent]] = TypeAdapter(LenientPage[BriefEvent])
_ENTRIES_OR_ODD: TypeAdapter[Page[Entry]] = TypeAdapter(LenientPage[Entry])
_LINKS_OR_ODD: TypeAdapter[Page[Link]] = TypeAdapter(LenientPage[Link])


class KalturaClient(Calls):
    """One for each worker thread, not to be shared."""

    def ping(self) -> None:
        """Asks whether Kaltura answers and accepts the session; it answers true (exchange 1)."""
        self._ask("system", "ping", {}, _TRUE)

    def time(self) -> datetime:
        """Kaltura's clock, to the second (exchange 3)."""
        return self._ask("system", "getTime", {}, _CLOCK)

    # resources

    def get_resource(self, resource_id: int) -> Resource | None:
        """By its id. None when Kaltura does not know it (exchanges 116, 117)."""
        return self._get(RESOURCES, {"scheduleResourceId": resource_id}, _RESOURCE, "INVALID_OBJECT_ID")

    def list_resources(
        self, *, system_name: str | None = None, ids: Sequence[int] | None = None, lenient: bool = False
    ) -> Listed[Resource]:
        """All resources, by id; or those with a system name (any case; each kind may have one), or with these ids.

        `ids` without any is an empty list, without a call (exchanges 119, 120, 124).
        """
        if ids is not None and not ids:
            return Listed()
        wanted: dict[str, object] = {"orderBy": "+createdAt"}
        if system_name is not None:
            wanted["systemNameEqual"] = system_name
        if ids is not None:
            wanted["idIn"] = ",".join(map(str, ids))
        shape = _RESOURCES_OR_ODD if lenient else _RESOURCE_PAGE
        found = self._list(RESOURCES, filtered("KalturaScheduleResourceFilter", wanted), shape)
        found[:] = [
            resource
            for resource in found
            if (system_name is None or same(resource.system_name, system_name)) and (ids is None or resource.id in ids)
        ]
        found.sort(key=lambda resource: resource.id)
        return found

    def add_resource(self, kind: str, name: str, system_name: str | None, description: str | None) -> Resource:
        """Makes a resource of a kind in RESOURCE_TYPES (exchanges 102, 104).

        Refused: SYSTEM_NAME_ALREADY_EXISTS (exchange 105).
        """
        resource: dict[str, object] = {"objectType": RESOURCE_TYPES[kind], "name": name}
        if system_name:
            resource["systemName"] = system_name
        if description:
            resource["description"] = description
        return self._ask(RESOURCES, "add", {"scheduleResource": resource}, _RESOURCE, writes=True)

    def delete_resource(self, resource_id: int) -> None:
        """Its system name is free again (exchange 130), links to it stay (exchange 671). Refused: INVALID_OBJECT_ID."""
        self._ask(RESOURCES, "delete", {"scheduleResourceId": resource_id}, _RESOURCE, writes=True)

    # categories and entries

    def find_category(self, full_name: str) -> Category | None:
        """By its path, in upper or lower case, without spaces around ``>`` (exchanges 822 to 825)."""
        wanted = filtered("KalturaCategoryFilter", {"fullNameEqual": full_name})
        found = self._list("category", wanted, _CATEGORY_PAGE)
        return next((category for category in found if same(category.full_name, full_name)), None)

    def get_category(self, category_id: int) -> Category | None:
        """By its id. None when Kaltura does not know it (exchanges 827, 828)."""
        return self._get("category", {"id": category_id}, _CATEGORY, "CATEGORY_NOT_FOUND")

    def add_entry(self, draft: EntryDraft) -> Entry:
        """Makes a media entry. Refused: CATEGORY_NOT_FOUND, and then no entry is left behind (exchanges 863 to 866)."""
        entry = draft.wire()
        with self._crowds.among(names_of(entry)):
            return self._ask("media", "add", {"entry": entry}, _ENTRY, writes=True)

    def get_entry(self, entry_id: str) -> Entry | None:
        """By its id. None when Kaltura does not know it, or not any more (exchanges 81, 82, 98)."""
        return self._get("media", {"entryId": entry_id}, _ENTRY, "ENTRY_ID_NOT_FOUND")

    def find_entries(self, reference_id: str) -> list[Entry]:
        """Entries with exactly this reference id; Kaltura itself does not look at the case (exchanges 87, 88)."""
        wanted = {"refId": given("refId", reference_id)}
        found = self._pages("baseEntry", "listByReferenceId", wanted, _ENTRY_PAGE)
        return [entry for entry in found if entry.reference_id == reference_id]

    def list_entries(self, ids: Sequence[str]) -> list[Entry]:
        """Entries with these ids, in any status, as far as the search engine knows them: `get_entry` knows all."""
        wanted = filtered("KalturaMediaEntryFilter", {"idIn": ",".join(ids), "statusIn": ANY_ENTRY})
        return [entry for entry in self._list("media", wanted, _ENTRY_PAGE) if entry.id in ids]

    def list_entries_since(self, moment: datetime) -> list[Entry]:
        """Those that were made since then, as far as the search engine knows, by their time. Lenient.

        There is no filter for `templateEntryId`: which template an entry names is told by the entry alone.
        Refused: QUERY_EXCEEDED_MAX_MATCHES_ALLOWED when there are more than MAX_MATCHES.
        """
        wanted = {"createdAtGreaterThanOrEqual": epoch(moment), "statusIn": MADE_ENTRY, "orderBy": "+createdAt"}
        return list(self._list("media", filtered("KalturaMediaEntryFilter", wanted), _ENTRIES_OR_ODD))

    def update_entry(self, entry_id: str, words: Mapping[str, object]) -> Entry:
        """Changes words and people, as `entry_words` writes them (exchanges 844 to 847). Refused: ENTRY_ID_NOT_FOUND
        (exchange 845).
        """
        with self._crowds.among(names_of(words)):
            return self._ask("media", "update", {"entryId": entry_id, "mediaEntry": words}, _ENTRY, writes=True)

    def add_category(self, entry_id: str, category_id: int) -> None:
        """Puts an entry into a category (exchange 830). Refused: CATEGORY_ENTRY_ALREADY_EXISTS (exchange 831),
        CATEGORY_NOT_FOUND (exchange 832), INVALID_ENTRY_ID (exchange 833).
        """
        entry = {"objectType": "KalturaCategoryEntry", "categoryId": category_id, "entryId": entry_id}
        with self._crowds.among(names_of({"categoriesIds": str(category_id)})):
            self._ask("categoryEntry", "add", {"categoryEntry": entry}, _ASSIGNMENT, writes=True)

    def remove_category(self, entry_id: str, category_id: int) -> None:
        """Takes an entry out of a category. Refused: ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY (exchange 838)."""
        self._ask("categoryEntry", "delete", {"entryId": entry_id, "categoryId": category_id}, _NOTHING, writes=True)

    def delete_entry(self, entry_id: str) -> None:
        """By its id. Refused: ENTRY_ID_NOT_FOUND when it is not there (exchanges 97, 99)."""
        self._ask("media", "delete", {"entryId": entry_id}, _NOTHING, writes=True)

    # events

    def add_event(self, draft: EventDraft) -> Event:
        """Makes an event, or a series, of which it returns the parent without its occurrences (exchanges 133, 218)."""
        return self._ask(EVENTS, "add", {"scheduleEvent": draft.wire()}, _EVENT, writes=True)

    def get_event(self, event_id: int) -> Event | None:
        """By its id, also a cancelled one. None when Kaltura does not know it, or not any more (exchanges 134, 221)."""
        return self._get(EVENTS, {"scheduleEventId": event_id}, _EVENT, "INVALID_OBJECT_ID")

    def find_events(self, reference_id: str) -> list[Event]:
        """Active single events and series with exactly this reference id; Kaltura's own match is a fuzzy one.

        By id. Occurrences are not found, nor what the index has not seen yet (exchange 700).
        """
        wanted = {"referenceIdEqual": reference_id, "orderBy": "+startDate"}
        found = self._list(EVENTS, filtered("KalturaScheduleEventFilter", wanted), _EVENT_PAGE)
        return sorted(
            (
                event
                for event in found
                if event.reference_id == reference_id and event.active and event.recurrence_type != OCCURRENCE
            ),
            key=lambda event: event.id,
        )

    def list_events(self, ids: Sequence[int], *, lenient: bool = False) -> Listed[Event]:
        """Events with these ids, by id, cancelled ones too. They are read from the database, so also what the index has
        never seen (exchange 698).

        One call asks for PAGE_SIZE ids; without ids there is no call.
        """
        found = Listed[Event]()
        for first in range(0, len(ids), PAGE_SIZE):
            some = set(ids[first : first + PAGE_SIZE])
            wanted = filtered("KalturaScheduleEventFilter", {"idIn": ",".join(map(str, sorted(some)))})
            listed = self._list(EVENTS, wanted, _EVENTS_OR_ODD if lenient else _EVENT_PAGE)
            found += [event for event in listed if event.id in some]
            found.odd = [*found.odd, *listed.odd]
        found.sort(key=lambda event: event.id)
        return found

    def newest_event_id(self) -> int:
        """The highest id of any kind of event, as far as the index knows (exchange 577); 0 if it knows none."""
        wanted = filtered("KalturaScheduleEventFilter", {"orderBy": "-createdAt"})
        pager = {"objectType": "KalturaFilterPager", "pageSize": 3}  # some may be in the index alone
        page = self._ask(EVENTS, "list", {"filter": wanted, "pager": pager}, _NAMED_PAGE)
        return max((named.id for named in page.objects), default=0)

    def list_children(self, parent_id: int) -> list[TimedEvent]:
        """All occurrences of a series by start, cancelled ones too (exchanges 224, 283); fewer while the index lags
        (exchange 699).
        """
        wanted = {"parentIdEqual": parent_id, "orderBy": "+startDate"}
        found = self._list(EVENTS, filtered("KalturaScheduleEventFilter", wanted), _TIMED_EVENT_PAGE)
        return sorted((event for event in found if event.parent_id == parent_id), key=by_start)

    def newest_occurrences_at(self, start: datetime) -> list[TimedEvent]:
        """Active occurrences of any series that begin exactly then, as far as the index knows: those that were made
        last, which is enough to see what was made a moment ago.
        """
        at = epoch(start)
        wanted = {
            "startDateGreaterThanOrEqual": at,
            "startDateLessThanOrEqual": at,
            "statusEqual": ACTIVE,
            "recurrenceTypeIn": str(OCCURRENCE),
            "orderBy": "-createdAt",
        }
        pager = {"objectType": "KalturaFilterPager", "pageSize": 30}
        params = {"filter": filtered("KalturaScheduleEventFilter", wanted), "pager": pager}
        found = self._ask(EVENTS, "list", params, _TIMED_EVENT_PAGE).objects
        return [event for event in found if event.active and event.start == start and event.parent_id is not None]

    def list_events_on_resource(self, resource_id: int, start: datetime, end: datetime) -> Listed[Event]:
        """Active single events and occurrences of every kind on the resource that touch [start, end], by start.

        Lenient: one that cannot be read hides no other.

        Each id is there once, as it was read last: what is changed meanwhile may stand on two pages.
        `resourceIdsLike` also finds what is on several resources or on one with a parent (exchanges 310, 311, 322).
        Refused: QUERY_EXCEEDED_MAX_MATCHES_ALLOWED when there are more than MAX_MATCHES, which takes one call to see.
        """
        listed = self._on_resource(resource_id, start, end, _EVENTS_OR_ODD)
        listed.sort(key=by_start)
        return listed

    def list_briefly_on_resource(self, resource_id: int, start: datetime, end: datetime) -> Listed[BriefEvent]:
        """The same in no order, and by the same call: which they are."""
        return self._on_resource(resource_id, start, end, _BRIEF_EVENTS_OR_ODD)

    def _on_resource(self, resource_id: int, start: datetime, end: datetime, shape: TypeAdapter[Page[E]]) -> Listed[E]:
        wanted = {
            "resourceIdsLike": str(resource_id) if resource_id > 0 else "",
            "statusEqual": ACTIVE,
            "recurrenceTypeIn": f"{SINGLE},{OCCURRENCE}",
            "startDateLessThanOrEqual": epoch(end),
            "endDateGreaterThanOrEqual": epoch(start),
            "orderBy": "+startDate",
        }
        found = self._list(EVENTS, filtered("KalturaScheduleEventFilter", wanted), shape)
        latest = {event.id: event for event in found}.values()
        # A stale index answers with cancelled ones too (exchange 655).
        listed = Listed(event for event in latest if event.active and event.recurrence_type in (SINGLE, OCCURRENCE))
        listed.missing, listed.odd = found.missing + len(found) - len(latest), found.odd
        return listed

    def update_event(self, event_id: int, changes: Mapping[str, object]) -> Event:
        """Changes an event or a whole series, whose occurrences are generated anew (exchanges 380 to 412, 436 to 440).

        Occurrences whose times still match keep id and status; all others are made anew, cancelled ones as active.
        Refused: INVALID_OBJECT_ID when it is not there.
        """
        params = {"scheduleEventId": event_id, "scheduleEvent": changes}
        return self._ask(EVENTS, "update", params, _EVENT, writes=True)

    def cancel_event(self, event_id: int) -> BriefEvent:
        """Cancels a single event, an occurrence, or a series, whose occurrences are then deleted (exchanges 454, 476,
        486).

        Twice is fine (exchange 461). Refused: INVALID_OBJECT_ID when it is not there (exchange 508).
        """
        return self._ask(EVENTS, "cancel", {"scheduleEventId": event_id}, _BRIEF_EVENT, writes=True)

    def delete_event(self, event_id: int) -> BriefEvent:
        """Deletes a single event or a whole series; its status is DELETED then (exchanges 472, 495).

        Refused: INVALID_OBJECT_ID when it is not there (exchange 466), RECURRENCE_CANT_BE_DELETE for an occurrence
        (exchange 485).
        """
        return self._ask(EVENTS, "delete", {"scheduleEventId": event_id}, _BRIEF_EVENT, writes=True)

    def get_conflicts(
        self,
        resource_ids: Sequence[int],
        draft: EventDraft,
        ignore_event_id: int | None = None,
        *,
        kind: Literal["blackout", "both"],
    ) -> list[Event]:
        """Active single events and occurrences that overlap the draft's, by start, each once (exchanges 338 to 350).

        An empty list of `both` has reserved the resources for this session for five seconds (exchange
        365). Transient when another session has reserved them (exchange 366). Ignoring a series ignores its occurrences
        (exchange 347). A blackout belongs to no resource (exchanges 361, 362, 688).
        """
        params: dict[str, object] = {
            "resourceIds": given("resourceIds", ",".join(map(str, resource_ids))),
            "scheduleEvent": draft.wire(),
            "scheduleEventConflictType": {"blackout": 2, "both": 3}[kind],
        }
        if ignore_event_id is not None:
            params["scheduleEventIdToIgnore"] = ignore_event_id
        found = self._ask(EVENTS, "getConflicts", params, _EVENT_PAGE).objects
        return sorted(dict.fromkeys(found), key=by_start)

    # links

    def add_link(self, event_id: int, resource_id: int) -> Link:
        """Puts an event, or a series with all its occurrences, on a resource; checks no conflict (exchanges 298, 325).

        Refused: SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS, SCHEDULE_EVENT_ID_NOT_FOUND, SCHEDULE_RESOURCE_ID_NOT_FOUND
        (exchanges 300 to 302). Transient when another session has reserved the resource (exchange 369).
        """
        link = {"objectType": "KalturaScheduleEventResource", "eventId": event_id, "resourceId": resource_id}
        return self._ask(LINKS, "add", {"scheduleEventResource": link}, _LINK, writes=True)

    def remove_link(self, event_id: int, resource_id: int) -> None:
        """Takes an event with all its occurrences off a resource (exchange 315). Refused: INVALID_OBJECT_ID (exchanges
        317, 318).
        """
        params = {"scheduleEventId": event_id, "scheduleResourceId": resource_id}
        self._ask(LINKS, "delete", params, _NOTHING, writes=True)

    def list_links(self, *event_ids: int, lenient: bool = False) -> Listed[Link]:
        """The links of these events. An occurrence has none of its own: it is its series' (exchange 309)."""
        one = {"eventIdEqual": event_ids[0]} if len(event_ids) == 1 else {"eventIdIn": ",".join(map(str, event_ids))}
        wanted = {**one, "orderBy": "+createdAt"}
        shape = _LINKS_OR_ODD if lenient else _LINK_PAGE
        found = self._list(LINKS, filtered("KalturaScheduleEventResourceFilter", wanted), shape)
        found[:] = [link for link in found if link.event_id in event_ids]
        return found

    def list_links_on(self, resource_id: int, since: datetime) -> list[Link]:
        """The links on a resource that were made since then, from the database, as all are (exchanges 309, 671).
        Lenient.
        """
        wanted = {"resourceIdEqual": resource_id, "createdAtGreaterThanOrEqual": epoch(since)}
        found = self._list(LINKS, filtered("KalturaScheduleEventResourceFilter", wanted), _LINKS_OR_ODD)
        return [link for link in found if link.resource_id == resource_id]
