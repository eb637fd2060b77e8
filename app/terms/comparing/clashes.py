"""Conflicts, judged on the final state of everything; and what goes together, because one needs what another leaves.

What exists wins: what would overlap with it is not done, and keeps what it has, which may be in the way of others then.
Of two new ones that overlap neither is made. Pure, but for what the world says is booked.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from app.resources.conflicts import Timeline
from app.terms.comparing.items import APPLIED, Item, Kind, Places
from app.terms.comparing.known import ResourceKey, World
from app.terms.meetings.sessions import Span

ROOM_TAKEN = "room_taken"
TOO_MANY = "too_many_together"
MOST_TOGETHER = 500  # changes that are done together, or not at all


@dataclass(frozen=True, slots=True)
class _Taken:
    """A session in a room: of an item, or of somebody else. The title is "" where there is none to be told."""

    span: Span
    title: str
    of: Item | None


class _Rooms:
    """Every resource in the end, if those of `moving` that are active are done and the others stay as they are."""

    def __init__(self, moving: Sequence[Item], others: Mapping[ResourceKey, list[_Taken]]) -> None:
        self._active = {id(item): item for item in moving}
        self._others = defaultdict[ResourceKey, list[_Taken]](list, others)
        self._coming = _by_resource(moving, "final")

    def active(self) -> list[Item]:
        return list(self._active.values())

    def of(self, resource: ResourceKey) -> Timeline[_Taken]:
        """Worked out anew for each question: all at once would be every session of a campus."""
        coming = [(item, spans) for item, spans in self._coming.get(resource, ()) if id(item) in self._active]
        taken = (_Taken(span, item.title, item) for item, spans in coming for span in spans)
        return Timeline((*one.span, one) for one in (*self._others[resource], *taken))

    def put_back(self, items: Iterable[Item]) -> set[ResourceKey]:
        """These stay as they are. Returns where there is something more in the way now."""
        fuller = set[ResourceKey]()
        for item in items:
            del self._active[id(item)]
            for resource, spans in item.effect.old.items():
                if resource is not None:
                    self._others[resource] += (_Taken(span, item.title, None) for span in spans)
                    fuller.add(resource)
        return fuller


def settle(items: Sequence[Item], world: World, zone: ZoneInfo) -> None:
    """Makes conflicts of what would overlap, and orders and groups what is left. `zone`: by whose clocks it is told."""
    moving = [item for item in items if item.kind in APPLIED and (item.effect.new or item.effect.left)]
    rooms = _Rooms(moving, _others(moving, world))
    looked_at = rooms.active()
    while refused := list(_refused(looked_at, rooms, zone)) or list(_too_many(rooms.active())):
        for item, reason, because in refused:
            item.kind, item.reason, item.because = Kind.CONFLICT, reason, because
        fuller = rooms.put_back([item for item, _, _ in refused])
        looked_at = [item for item in rooms.active() if not fuller.isdisjoint(item.effect.new)]


def _by_resource(
    items: Iterable[Item], which: Literal["new", "final"]
) -> dict[ResourceKey, list[tuple[Item, Sequence[Span]]]]:
    """The items that will have sessions on each resource, and those sessions."""
    found = defaultdict[ResourceKey, list[tuple[Item, Sequence[Span]]]](list)
    for item in items:
        there: Places = getattr(item.effect, which)
        for resource, spans in there.items():
            if resource is not None:
                found[resource].append((item, spans))
    return found


def _others(moving: Sequence[Item], world: World) -> dict[ResourceKey, list[_Taken]]:
    """What is booked in each room that something new goes into, by whoever is not about to change."""
    but = {item.recording_id for item in moving if item.recording_id}
    found = {}
    for resource, there in _by_resource(moving, "new").items():
        spans = [span for _, new in there for span in new]
        within = min(start for start, _ in spans), max(end for _, end in spans)
        booked = world.booked(resource, within, but)
        found[resource] = [_Taken((one.start, one.end), one.title or "", None) for one in booked]
    return found


def _met(item: Item, new: Iterable[Span], room: Timeline[_Taken]) -> _Taken | None:
    """What is in the way of an item's new sessions in a room in the end."""
    return next((one for span in new for one in room.meeting(*span) if _wins(one, item)), None)


def _wins(taken: _Taken, item: Item) -> bool:
    """What a change comes to is there before what is new."""
    other = taken.of
    if other is item:
        return False
    return other is None or other.kind != Kind.CREATE or item.kind == Kind.CREATE


def _refused(items: Iterable[Item], rooms: _Rooms, zone: ZoneInfo) -> Iterator[tuple[Item, str, str]]:
    told = set[int]()
    for resource, there in _by_resource(items, "new").items():
        room = rooms.of(resource)
        for item, new in there:
            if id(item) not in told and (taken := _met(item, new, room)):
                told.add(id(item))
                yield item, ROOM_TAKEN, _because(item, taken, zone)


def _too_many(active: Sequence[Item]) -> Iterator[tuple[Item, str, str]]:
    """Of groups that are too large all stay as they are; the others, and the order of all, are known after that."""
    for group in _together(active):
        if len(group) > MOST_TOGETHER:
            because = (
                f"{len(group)} changes would have to be made as one, and {MOST_TOGETHER} can be: send part of them."
            )
            yield from ((item, TOO_MANY, because) for item in group)


def _because(item: Item, taken: _Taken, zone: ZoneInfo) -> str:
    other = taken.of
    new = " Both are new, so neither is made." if other is not None and other.kind == item.kind == Kind.CREATE else ""
    return has_the_room(taken.title, taken.span, zone) + new


def has_the_room(title: str | None, span: Span, zone: ZoneInfo, room: str = "the room") -> str:
    """What is in the way, as a sentence. No `title`: there is none, or none that may be told."""
    start, end = (moment.astimezone(zone) for moment in span)
    who = f"'{title}'" if title else "Another booking"
    return f"{who} has {room} from {start:%Y-%m-%d %H:%M} to {end:%H:%M} ({zone.key})."


def _together(active: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """Who goes where another one leaves: changes go with it, all or none; the rest comes after it. The groups."""
    for item in active:
        item.group, item.early, item.after = None, False, []
    leaving = defaultdict[ResourceKey | None, list[tuple[datetime, datetime, Item]]](list)
    for item in active:
        for resource, spans in item.effect.left.items():
            leaving[resource] += ((*span, item) for span in spans)
    vacated = {resource: Timeline(there) for resource, there in leaving.items()}
    groups = _Groups()
    for item in active:
        for other in _vacating(item, vacated):
            if other.kind == Kind.CANCEL:
                other.early = True
            if other.kind == Kind.CANCEL or item.kind == Kind.CREATE:
                item.after.append(other)
            else:
                groups.join(item, other)
    found = groups.of(active)
    for number, group in enumerate(found, 1):
        for item in group:
            item.group = f"g{number}"
    return found


class _Groups:
    """Items that go together: whoever is joined with one of them is joined with all."""

    def __init__(self) -> None:
        self._leads: dict[int, Item] = {}

    def join(self, one: Item, other: Item) -> None:
        self._leads[id(self._lead(other))] = self._lead(one)

    def of(self, items: Iterable[Item]) -> list[list[Item]]:
        found = defaultdict[int, list[Item]](list)
        for item in items:
            found[id(self._lead(item))].append(item)
        return [group for group in found.values() if len(group) > 1]

    def _lead(self, item: Item) -> Item:
        while (lead := self._leads.get(id(item), item)) is not item:
            item = lead
        return item


def _vacating(item: Item, vacated: Mapping[ResourceKey | None, Timeline[Item]]) -> Collection[Item]:
    """Who leaves a place that the item is to have, each once."""
    new = ((vacated[resource], spans) for resource, spans in item.effect.new.items() if resource in vacated)
    met = (other for there, spans in new for span in spans for other in there.meeting(*span))
    return dict.fromkeys(other for other in met if other is not item)
