"""Conflicts, judged on the final state of everything; and what goes together, because one needs what another leaves.

What exists wins: what would overlap with it is not done, and keeps what it has, which may be in the way of others then.
Of two new ones that overlap neither is made. Pure, but for what the world says is booked.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.resources.conflicts import LONGEST
from app.terms.comparing.items import APPLIED, Item, Kind
from app.terms.comparing.known import ResourceKey, Span, World

ROOM_TAKEN = "room_taken"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A session in a room: of an item, or of somebody else."""

    span: Span
    title: str
    of: Item | None


class _Room:
    """What is on one resource in the end, by start."""

    def __init__(self, taken: Iterable[_Taken]) -> None:
        self._taken = sorted(taken, key=lambda one: one.span[0])
        self._starts = [one.span[0] for one in self._taken]

    def meeting(self, span: Span) -> Iterator[_Taken]:
        first = bisect_left(self._starts, span[0] - LONGEST)
        for one in self._taken[first : bisect_left(self._starts, span[1])]:
            if one.span[1] > span[0]:
                yield one


def settle(items: Sequence[Item], world: World) -> None:
    """Makes conflicts of what would overlap, and orders and groups what is left."""
    moving = [item for item in items if item.kind in APPLIED and (item.effect.new or item.effect.left)]
    others = _others(moving, world)
    active = list(moving)
    while refused := _refused(active, moving, others):
        told = [_because(item, taken) for item, taken in refused]  # as long as all of them are what they were
        for (item, _), because in zip(refused, told, strict=True):
            item.kind, item.reason, item.because = Kind.CONFLICT, ROOM_TAKEN, because
        gone = {id(item) for item, _ in refused}
        active = [item for item in active if id(item) not in gone]
    _together(active)


def _others(moving: Sequence[Item], world: World) -> dict[ResourceKey, list[_Taken]]:
    """What is booked in each room that something new goes into, by whoever is not about to change."""
    spans: dict[ResourceKey, list[Span]] = defaultdict(list)
    for item in moving:
        if item.effect.new and item.effect.resource is not None:
            spans[item.effect.resource] += item.effect.new
    but = {item.recording_id for item in moving if item.recording_id}
    return {
        resource: [
            _Taken((one.start, one.end), one.title or "another booking", None)
            for one in world.booked(resource, (min(start for start, _ in new), max(end for _, end in new)), but)
        ]
        for resource, new in spans.items()
    }


def _refused(
    active: Sequence[Item], moving: Sequence[Item], others: dict[ResourceKey, list[_Taken]]
) -> list[tuple[Item, _Taken]]:
    final: dict[ResourceKey, list[_Taken]] = defaultdict(list)
    going = {id(item) for item in active}
    for item in moving:
        if id(item) in going and item.effect.resource is not None:
            final[item.effect.resource] += [_Taken(span, item.title, item) for span in item.effect.final]
        elif id(item) not in going:
            for resource, span in item.effect.old:
                if resource is not None:
                    final[resource].append(_Taken(span, item.title, None))
    rooms = {resource: _Room([*others.get(resource, ()), *taken]) for resource, taken in final.items()}
    found = []
    for item in active:
        if item.effect.new and item.effect.resource is not None:
            room = rooms[item.effect.resource]
            met = next((one for span in item.effect.new for one in room.meeting(span) if _wins(one, item)), None)
            if met:
                found.append((item, met))
    return found


def _wins(taken: _Taken, item: Item) -> bool:
    """What a change comes to is there before what is new."""
    other = taken.of
    if other is item:
        return False
    return other is None or other.kind != Kind.CREATE or item.kind == Kind.CREATE


def _because(item: Item, taken: _Taken) -> str:
    start, end = taken.span
    other = taken.of
    new = " Both are new, so neither is made." if other is not None and other.kind == item.kind == Kind.CREATE else ""
    return f"'{taken.title}' has the room from {start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC.{new}"


def _together(active: Sequence[Item]) -> None:
    """Who goes where another one leaves: changes go with it, all or none; the rest comes after it."""
    leaving: dict[ResourceKey | None, list[tuple[Span, Item]]] = defaultdict(list)
    for item in active:
        for resource, span in item.effect.left:
            leaving[resource].append((span, item))
    for there in leaving.values():
        there.sort(key=lambda one: one[0])
    groups = _Groups()
    for item in active:
        for other in _vacating(item, leaving[item.effect.resource] if item.effect.resource is not None else ()):
            if other.kind == Kind.CANCEL:
                other.early = True
            if other.kind == Kind.CANCEL or item.kind == Kind.CREATE:
                item.after.append(other)
            else:
                groups.join(item, other)
    for number, group in enumerate(groups.of(active), 1):
        for item in group:
            item.group = f"g{number}"


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


def _vacating(item: Item, leaving: Sequence[tuple[Span, Item]]) -> list[Item]:
    starts = [span[0] for span, _ in leaving]
    found: dict[int, Item] = {}
    for start, end in item.effect.new:
        for span, other in leaving[bisect_left(starts, start - LONGEST) : bisect_left(starts, end)]:
            if other is not item and span[1] > start:
                found[id(other)] = other
    return list(found.values())
