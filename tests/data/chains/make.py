"""``python -m tests.data.chains.make``: writes this version's folder, to be run when the version is released.

One file for each operation: `{"revision": of the tables, "chains": {state: {"tables", "kaltura", "ends"}}}`, where
`tables` and `kaltura` are what `tests/chains/stored.py` reads, and `ends` is what this version makes of it. A state
is `queued`, `waiting`, `undoing`, `stuck`, or `running-<step>`: killed after a call of that step, before its result was
written.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlmodel import select

from app.chains.models import Chain, ChainStatus, StepStatus
from app.chains.store import steps_of
from app.database.migrating import MIGRATIONS
from app.resources.models import Drift, Occurrence
from tests.chains.stored import STORED, Bench, Killed, Watch, Way, bench, fill_database, fill_sandbox, tables_of
from tests.service import Json, eventually

VERSION = "0.1.0"
ASYNC = {"Prefer": "respond-async"}
# Far ahead: these chains are run for years to come.
DOCUMENT: Json = {
    "reference_id": "STORED",
    "title": "Stored",
    "tags": ["stored"],
    "resource": "EXTRON-100-ABC",
    "start": "2046-01-15T09:00:00",
    "time_zone": "America/New_York",
    "duration_minutes": 50,
    "recurrence": {"frequency": "weekly", "count": 4},
    "exclude": ["2046-01-22"],
}
REFUSED_LINK = {
    "service": "schedule_scheduleEventResource",
    "action": "add",
    "fault": "error",
    "code": "SCHEDULE_RESOURCE_ID_NOT_FOUND",
}


def post(it: Bench, **changes: Any) -> None:
    answer = it.service.client.post("/recordings", json=DOCUMENT | changes, headers=ASYNC)
    assert answer.status_code == 202, answer.text


def scheduled(it: Bench) -> None:
    post(it)
    it.run_to_the_end()


def recording(it: Bench) -> str:
    (found,) = it.service.get("/recordings")["items"]
    return f"/recordings/{found['id']}"


def session(it: Bench, number: int) -> str:
    path = f"{recording(it)}/occurrences"
    return f"{path}/{it.service.get(path)['items'][number]['id']}"


def send(method: str, path: Callable[[Bench], str], **more: Any) -> Callable[[Bench], None]:
    def sent(it: Bench) -> None:
        answer = it.service.client.request(method, path(it), headers=ASYNC, **more)
        assert answer.status_code == 202, answer.text

    return sent


def missing(it: Bench) -> None:
    """Somebody has cancelled a session in Kaltura."""
    scheduled(it)
    with it.database.write() as open_session:
        one = open_session.execute(select(Occurrence).order_by("start")).scalars().first()
        assert one is not None
        it.service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=one.event_id)
        open_session.add(
            Drift(
                resource_id=one.resource_id or 0,
                key=one.id,
                booking_id=one.booking_id,
                occurrence_id=one.id,
                kind="missing",
                confirmed=True,
            )
        )


def left_over(it: Bench) -> None:
    """A recording that is over, of which Kaltura still has a session."""
    scheduled(it)
    with it.database.read() as open_session:
        one = open_session.execute(select(Occurrence).order_by("start")).scalars().first()
    assert one is not None
    reference = next(e["referenceId"] for e in it.service.sandbox.state()["events"] if e["recurrenceType"] == 1)
    send("DELETE", recording)(it)
    it.run_to_the_end()
    extra = it.service.kaltura.add_event(referenceId=reference, startDate=2400000000, endDate=2400003600)
    it.service.kaltura.link(extra["id"], one.resource_id or 0)
    with it.database.write() as open_session:
        open_session.add(
            Drift(
                resource_id=one.resource_id or 0,
                key=f"extra {extra['id']}",
                booking_id=one.booking_id,
                kind="extra",
                event_id=extra["id"],
                confirmed=True,
            )
        )


def unsure(it: Bench) -> None:
    """The answer to `media.add` was lost; there is a second entry, which nobody has seen yet."""
    it.service.fault("drop_after", "media", "add", times=1)
    post(it)
    it.run()
    it.service.heal()
    with it.database.write() as open_session:
        open_session.connection().exec_driver_sql("UPDATE chain SET next_attempt_at = 0 WHERE operation = 'schedule'")
    it.run()
    for _ in range(5):
        with it.database.write() as open_session:
            open_session.connection().exec_driver_sql(
                "UPDATE chain SET next_attempt_at = 0 WHERE operation = 'schedule' AND finished_at IS NULL"
            )
        it.run()
    (entry,) = it.service.sandbox.state()["entries"]
    second = {"objectType": "KalturaMediaEntry", "name": "Stored", "mediaType": 1, "referenceId": entry["referenceId"]}
    it.service.kaltura("media", "add", entry=second)


def due(it: Bench) -> None:
    with it.database.write() as open_session:
        open_session.connection().exec_driver_sql("UPDATE chain SET next_attempt_at = 0 WHERE operation = 'sweep'")


def campus(it: Bench) -> None:
    """A recording that follows a calendar."""
    assert it.service.client.put(CALENDAR, json={"days": ["2046-01-01"]}).status_code == 200
    post(it, calendars=["campus"])
    it.run_to_the_end()


def snow_day(it: Bench) -> None:
    days = {"days": ["2046-01-01", "2046-01-29"]}
    assert it.service.client.put(CALENDAR, json=days, headers=ASYNC).status_code == 202
    eventually(lambda: ("calendar", "queued") in it.open())


CALENDAR = "/calendars/campus"
CHANGES = {"title": "Stored elsewhere", "resource": "PEARL-300-GHI", "start": "2046-01-15T11:00:00"}
LEAVES = {"reference_id": "STORED", "patch": {"resource": "PEARL-300-GHI"}}
ENTERS = {"document": DOCUMENT | {"reference_id": "STORED-2"}}
WAYS: dict[str, Way] = {
    "schedule": Way(post, refuse=[REFUSED_LINK]),
    "schedule_together": Way(
        send("POST", lambda _: "/recordings/batch", json={"changes": [LEAVES, ENTERS]}), scheduled, [REFUSED_LINK]
    ),
    "update": Way(send("PATCH", recording, json=CHANGES), scheduled, [REFUSED_LINK]),
    "calendar": Way(snow_day, campus),
    "name_occurrence": Way(send("PATCH", lambda it: session(it, 0), json={"title": "Guest"}), scheduled),
    "move_occurrence": Way(
        send("PATCH", lambda it: session(it, 0), json={"start": "2046-01-15T12:00:00"}), scheduled, [REFUSED_LINK]
    ),
    "cancel_occurrence": Way(send("DELETE", lambda it: session(it, 0)), scheduled),
    "restore_occurrence": Way(send("POST", lambda it: session(it, 1) + "/restore"), scheduled, [REFUSED_LINK]),
    "mend": Way(send("POST", lambda it: recording(it) + "/resume"), missing, [REFUSED_LINK]),
    "cancel": Way(send("DELETE", recording), scheduled),
    "clear": Way(send("POST", lambda it: recording(it) + "/resume"), left_over),
    "sweep": Way(due, unsure),
}


def caught(way: Way, at: int, phase: str = "after", **act: Any) -> tuple[str, Json, int]:
    """What is there when the chain was stopped at its call number `at`: the state, and how many calls there were."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as it:
        way.before(it)
        way.begin(it)
        watch = Watch(lambda: _act(it, **act), at, phase)
        it.service.sandbox.watch = watch
        killed = False
        try:
            it.run(act.get("patience", 1e9)) if at >= 0 else None
        except Killed:
            killed = True
        it.service.sandbox.watch = None
        it.service.heal()
        if killed:
            it.service.app.state.kaltura.close()
        state, stored = _state(it), it.stored()
        return state, stored, watch.seen


def _act(it: Bench, faults: list[Json] | None = None, **_more: Any) -> None:
    if faults is None:
        raise Killed
    it.service.sandbox.set_faults({"faults": faults})


def _state(it: Bench) -> str:
    with it.database.read() as open_session:
        chains = open_session.execute(select(Chain)).scalars().all()
        chain = max(chains, key=lambda one: (one.finished_at is None, one.id))
        rows = steps_of(open_session, [chain.id])[chain.id]
    running = [row.name for row in rows if row.status == StepStatus.RUNNING]
    return f"running-{running[0]}" if chain.status == ChainStatus.RUNNING and running else str(chain.status)


def states(way: Way) -> dict[str, Json]:
    found: dict[str, Json] = {}

    def keep(state: str, stored: Json) -> None:
        if state not in ("succeeded", "failed"):
            found.setdefault(state, stored)

    keep(*caught(way, -1)[:2])
    _, _, calls = caught(way, 0)
    down = [{"fault": "http_500"}]
    for at in range(1, calls + 1):
        keep(*caught(way, at)[:2])
    middle = (calls + 1) // 2
    keep(*caught(way, middle, "before", faults=down)[:2])
    keep(*caught(way, middle, "before", faults=down, patience=0.0)[:2])
    if way.refuse:
        undo = {"action": "delete", "fault": "http_500"}
        keep(*caught(way, 1, "before", faults=[*way.refuse, undo])[:2])
    return found


def ends(stored: Json, folder: Path) -> Json:
    """What this version makes of it."""
    url = f"sqlite:///{folder / 'lectern.db'}"
    tables_of(url, head())
    fill_database(url, stored)
    with bench(folder) as it:
        fill_sandbox(it.service.sandbox, stored)
        it.run_to_the_end()
        return it.outcome()


def head() -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return str(ScriptDirectory.from_config(config).get_current_head())


def main(*only: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = STORED / VERSION
    folder.mkdir(exist_ok=True)
    for operation in only or WAYS:
        found = states(WAYS[operation])
        for state, stored in found.items():
            with tempfile.TemporaryDirectory() as place:
                stored["ends"] = ends(stored, Path(place))
            print(operation, state, stored["ends"]["recordings"], stored["ends"]["chains"][-1:])
        lines = ",\n".join(f"{json.dumps(state)}: {json.dumps(one)}" for state, one in found.items())
        text = f'{{"revision": {json.dumps(head())}, "chains": {{\n{lines}\n}}}}\n'
        (folder / f"{operation}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
