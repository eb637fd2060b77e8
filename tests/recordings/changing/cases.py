"""Changes of every kind, and how what they come to is compared from run to run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from httpx2 import Response

from app.database.types import utc_now
from tests.recordings.changing.scene import TODAY, Scene, begun, to_come
from tests.service import Json, Lectern, found, utc

CHANNEL = "Canvas>site>channels>1234"
Act = Callable[[Scene], Response]


@dataclass(frozen=True)
class Case:
    """`prepare` is done before, and undisturbed; `calls` are the writing calls that it must come to."""

    act: Act
    calls: tuple[str, ...]
    prepare: tuple[Act, ...] = ()
    begin: Callable[..., Scene] = begun


def _delete_entry(scene: Scene) -> Response:
    """Somebody deletes the template entry; a session is cancelled as well, which needs none."""
    scene.service.kaltura("media", "delete", entryId=scene.recording["kaltura"]["template_entry_id"])
    return scene.cancel(25)


def _take_the_other_room(scene: Scene) -> Response:
    """Somebody books in Kaltura itself, when a session would be there two hours later; a session is cancelled too."""
    kaltura, start = scene.service.kaltura, int(scene.start(20, hours=2).timestamp())
    booked: Json = kaltura.add_event(summary="Faculty", startDate=start, endDate=start + 3600)
    rooms = kaltura("schedule_scheduleResource", "list", filter={"systemNameEqual": scene.other})["objects"]
    kaltura.link(booked["id"], rooms[0]["id"])
    return scene.cancel(25)


WORDS = {"title": "New", "owner": "lecturer2", "categories": [CHANNEL]}
CANCEL, MOVE = (lambda scene: scene.cancel(25)), (lambda scene: scene.move(20, start=scene.local(20, hours=5)))
TITLE: Act = lambda scene: scene.move(20, title="Guest")  # noqa: E731
EXTEND: Act = lambda scene: scene.move(TODAY, duration_minutes=90)  # noqa: E731
RUNNING = partial(begun, ahead=timedelta(minutes=-10))
PUT: Act = lambda scene: scene.move(20, resource=scene.other)  # noqa: E731
CASES = {
    "words": Case(
        lambda scene: scene.patch(**WORDS),
        ("media.update", "scheduleEvent.update", "categoryEntry.add", "categoryEntry.delete"),
    ),
    "retime": Case(
        lambda scene: scene.patch(start=scene.local(hours=2)),
        (
            *("scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEvent.update"),
        ),
        prepare=(CANCEL,),
    ),
    "room": Case(
        lambda scene: scene.patch(resource=scene.other, title="New"),
        (
            *("media.update", "scheduleEvent.update", "scheduleEvent.add", "scheduleEvent.add"),
            *("scheduleEvent.cancel", "scheduleEvent.cancel", "scheduleEventResource.add", "scheduleEventResource.add"),
            *("scheduleEvent.update", "scheduleEvent.delete"),
        ),
        prepare=(MOVE,),
    ),
    "exclusions": Case(
        lambda scene: scene.patch(exclude=[scene.day(number) for number in (18, 27)]),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
    ),
    "words without an entry": Case(
        lambda scene: scene.patch(title="New", start=scene.local(hours=2)),
        (
            *("media.add", "scheduleEvent.update", "scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEvent.update"),
        ),
        prepare=(_delete_entry,),
    ),
    "shorter": Case(lambda scene: scene.patch(recurrence={"count": 24}), ("scheduleEvent.update",)),
    "move": Case(MOVE, ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel")),
    "move again": Case(
        lambda scene: scene.move(20, start=scene.local(50)),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.delete"),
        prepare=(MOVE,),
    ),
    "another room": Case(PUT, ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel")),
    "another room, another time": Case(
        lambda scene: scene.move(20, start=scene.local(50), resource=scene.other),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.delete"),
        prepare=(MOVE,),
    ),
    "a room that is made": Case(
        lambda scene: scene.move(20, resource={"system_name": f"NEW-{scene.number}"}),
        ("scheduleResource.add", "scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel"),
    ),
    "back from another room": Case(
        lambda scene: scene.move(20, resource=scene.room),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.delete"),
        prepare=(PUT,),
    ),
    "a room, but for one session": Case(
        lambda scene: scene.patch(resource=scene.third, start=scene.local(hours=2)),
        (
            *("scheduleEvent.add", "scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEventResource.add", "scheduleEvent.update", "scheduleEvent.delete"),
        ),
        prepare=(PUT,),
    ),
    "a room, but for one session at its own time": Case(
        lambda scene: scene.patch(resource=scene.third, start=scene.local(hours=2)),
        (
            *("scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEvent.update"),
        ),
        prepare=(lambda scene: scene.move(20, resource=scene.other, start=scene.local(20, hours=5)),),
    ),
    "cancel in another room": Case(lambda scene: scene.cancel(20), ("scheduleEvent.delete",), prepare=(PUT,)),
    "restore in another room": Case(
        lambda scene: scene.restore(20),
        ("scheduleEvent.add", "scheduleEventResource.add"),
        prepare=(PUT, lambda scene: scene.cancel(20)),
    ),
    "cancel in two rooms": Case(
        lambda scene: scene.service.client.delete(scene.path),
        ("scheduleEvent.update", "scheduleEvent.delete"),
        prepare=(PUT,),
    ),
    "cancel_occurrence": Case(CANCEL, ("scheduleEvent.cancel",)),
    "restore": Case(
        lambda scene: scene.restore(25), ("scheduleEvent.add", "scheduleEventResource.add"), prepare=(CANCEL,)
    ),
    "cancel": Case(
        lambda scene: scene.service.client.delete(scene.path),
        ("scheduleEvent.update", "scheduleEvent.delete"),
        prepare=(MOVE,),
    ),
    "all but what is in conflict": Case(
        lambda scene: scene.patch(resource=scene.other, start=scene.local(hours=2), on_conflict="skip"),
        (*("scheduleEvent.add", *["scheduleEvent.cancel"] * 3, "scheduleEventResource.add", "scheduleEvent.update"),),
        prepare=(_take_the_other_room,),
    ),
    "title": Case(TITLE, ("scheduleEvent.update",)),
    "title back": Case(lambda scene: scene.move(20, title=None), ("scheduleEvent.update",), prepare=(TITLE,)),
    "title and move": Case(
        lambda scene: scene.move(20, start=scene.local(20, hours=5), title="Guest"),
        ("scheduleEvent.add", "scheduleEvent.update", "scheduleEventResource.add", "scheduleEvent.cancel"),
    ),
    "retime of what has a title": Case(
        lambda scene: scene.patch(start=scene.local(hours=2)),
        (
            *("scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.update"),
            *("scheduleEventResource.add", "scheduleEvent.update"),
        ),
        prepare=(TITLE,),
    ),
    "extend": Case(EXTEND, ("scheduleEvent.update",), begin=RUNNING),
    "stop": Case(
        lambda scene: scene.move(TODAY, duration_minutes=40, title="Short"),
        ("scheduleEvent.update",),
        prepare=(EXTEND,),
        begin=RUNNING,
    ),
    "words of what was extended": Case(
        lambda scene: scene.patch(title="New"),
        ("media.update", "scheduleEvent.update", "scheduleEvent.update"),
        prepare=(EXTEND,),
        begin=RUNNING,
    ),
    "room of what was extended": Case(
        lambda scene: scene.patch(resource=scene.other, title="New"),
        (
            *("media.update", "scheduleEvent.update", "scheduleEvent.add", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEvent.update", "scheduleEvent.update"),
        ),
        prepare=(EXTEND,),
        begin=RUNNING,
    ),
    "cancel before it begins": Case(
        lambda scene: scene.service.client.delete(scene.path),
        ("scheduleEvent.delete", "media.delete"),
        begin=to_come,
    ),
}


def prepared(service: Lectern, case: Case, settle: Callable[[], object] = lambda: None) -> Scene:
    """A recording with a holiday, as it is before the change. `settle` lets chains go on, if they need that."""
    scene = case.begin(service, holidays=[22])
    for act in case.prepare:
        found(act(scene), 202)
        settle()
        scene.until_settled()
    scene.look()
    scene.before = [one for one in scene.before if one.end <= utc_now()]  # what runs may be changed
    return scene


def picture(scene: Scene) -> Json:
    """What can be seen of a recording in Kaltura and in SQL, ids and absolute times left out.

    Whatever was done to it, SQL's scheduled sessions are Kaltura's active ones, and the past is what it was.
    """
    shown, rows, state = scene.service.get(scene.path), scene.occurrences(), scene.service.sandbox.state()
    sessions, events, first = scene.sessions(state), scene.events(state), scene.start(0)
    roles = {scene.room: "room", scene.other: "other", scene.third: "third", f"NEW-{scene.number}": "new"}
    ahead = [one for one in sessions if one not in scene.before]
    assert sessions[: len(scene.before)] == scene.before
    active = sorted((f"{one.start:%Y-%m-%dT%H:%M:%SZ}", one.event_id) for one in ahead if one.status == "active")
    assert active == sorted((one["start"], one["event_id"]) for one in rows if one["status"] == "scheduled")
    numbers = {one["id"]: one["referenceId"].split("-")[2] for one in events}
    entries = [one for one in state["entries"] if str(one.get("referenceId", "")).startswith(f"lectern-{scene.id}-0-")]
    known = {one["id"] for one in scene.uids}
    titles = {one["id"]: one.get("summary") for one in events}
    return {
        "recording": {name: shown[name] for name in ("status", "title", "owner", "categories", "occurrence_count")},
        "events": [(event["kind"], event["occurrences"]) for event in shown["kaltura"]["events"]],
        "series": sorted((numbers[one["id"]], one["summary"]) for one in events if "parentId" not in one),
        "sessions": [
            (
                *(one.start - first, one.end - first, numbers[one.event_id], one.status),
                *([roles[name] for name in one.rooms], titles[one.event_id]),
            )
            for one in ahead
        ],
        "entries": [(one["name"], one["userId"], one["categories"]) for one in entries],
        "rows": [
            (
                *(one["id"] in known, one["status"], utc(one["start"]) - first, utc(one["end"]) - first),
                *(roles[one["resource"]["system_name"]], one["title"], one["reason"]),
            )
            for one in rows
        ],
    }
