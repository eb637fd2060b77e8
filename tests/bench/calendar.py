"""``python -m tests.bench.calendar [sqlite] [postgresql] [--undisturbed] [--killed]``: a snow day for a campus.

500 recordings name a calendar, and 200 of them meet on the day that is added. Each of the 200 must be changed by one
chain, in at most three trips to Kaltura, and nobody else be touched; the day removed again, all must be as before. Some
sessions are cancelled by hand, and must stay so. `--killed`: with ``kill -9`` on the way, twice. Ends with an
AssertionError where that is not so.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tests.bench.__main__ import postgresql
from tests.calendars.campus import NAME, day, section
from tests.crash.stage import Stage, stage
from tests.crash.watching import SIGN_IN
from tests.service import Json

ROOMS, TOUCHED, BY_HAND = 500, 200, 5
AT_ONCE = 20
TRIPS_AT_MOST = 3
SNOW, ALL = day(3), [day(week) for week in range(8)]
KILLS, KILLED_AFTER = 2, 40  # calls that change something
OF_OTHERS = {"scheduleResource.list", "media.list"}  # the mirror's, and what a process asks when it starts


class Campus:
    """`changed`: those that the day touches; `by_hand`: those whose session of that day somebody has cancelled."""

    def __init__(self, it: Stage) -> None:
        self.it = it
        self.say()
        begun = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = list(pool.map(self._make, range(ROOMS)))
        print(f"  {ROOMS} recordings made in {time.perf_counter() - begun:.1f} s", flush=True)
        self.changed, self.by_hand = made[: TOUCHED - BY_HAND], made[TOUCHED - BY_HAND : TOUCHED]
        self.others = made[TOUCHED:]
        for recording in self.by_hand:
            path = f"/recordings/{recording}/occurrences"
            (one,) = (each["id"] for each in it.get(path)["items"] if each["local_start"].startswith(SNOW))
            assert it.client.delete(f"{path}/{one}", headers={"Prefer": "wait=30"}).is_success
        self.before = self.standing()
        self.etags = self._etags()

    def _make(self, number: int) -> str:
        answer = self.it.post(section(f"ROOM-{number}", "MO" if number < TOUCHED else "TU"), prefer="wait=30")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _etags(self) -> dict[str, str]:
        return {one: self.it.client.get(f"/recordings/{one}").headers["ETag"] for one in self.others}

    def say(self, *days: Any) -> None:
        answer = self.it.client.put(
            f"/calendars/{NAME}", json={"days": list(days)}, headers={"Prefer": "respond-async"}
        )
        assert answer.status_code in (200, 202), answer.text

    def all_follow(self) -> None:
        while (shown := self.it.get(f"/calendars/{NAME}"))["done"] != ROOMS:
            assert not shown["failed"], shown
            time.sleep(0.1)

    def standing(self) -> dict[str, list[int]]:
        """When Kaltura would record each of them."""
        found: dict[str, list[int]] = {one: [] for one in [*self.changed, *self.by_hand, *self.others]}
        for event in self.it.sandbox.state()["events"]:
            _, recording, *_ = [*str(event.get("referenceId", "")).split("-"), "", ""]
            if event["status"] == 2 and event["recurrenceType"] != 1 and recording in found:
                found[recording].append(event["startDate"])
        return {recording: sorted(starts) for recording, starts in found.items()}

    def chains(self) -> Counter[int]:
        """How many calendars' chains there were of each that is to be changed."""
        history = (self.it.get(f"/recordings/{one}/history")["items"] for one in self.changed)
        return Counter([chain["operation"] for chain in items].count("calendar") for items in history)

    def check(self, *, closed: bool, chains: int) -> None:
        for recording, starts in self.standing().items():
            lost = len(self.before[recording]) - len(starts)
            assert lost == (closed and recording in self.changed), (recording, lost)
        if not closed:
            assert self.standing() == self.before
        assert self._etags() == self.etags, "nobody else is touched"
        assert self.chains() == {chains: len(self.changed)}


def trips(seen: Sequence[Json]) -> list[list[Json]]:
    """The requests to Kaltura of chains."""
    asked = [one for one in seen if one["service"] not in SIGN_IN]
    found = [list(trip) for _, trip in groupby(asked, key=itemgetter("trip"))]
    return [trip for trip in found if not {call_of(one) for one in trip} <= OF_OTHERS]


def call_of(request: Json) -> str:
    return f"{request['service'].removeprefix('schedule_')}.{request['action']}"


def per_recording(campus: Campus, found: Sequence[Sequence[Json]]) -> Counter[int]:
    """How many recordings took how many trips. A trip is its recording's by the ids that it asks for."""
    state, owners = campus.it.sandbox.state(), dict[str, str]()
    for row in [*state["events"], *state["entries"]]:
        parts = str(row.get("referenceId", "")).split("-")
        if parts[0] == "lectern":
            owners[str(row["id"])] = parts[1]
    count = Counter[str]()
    for trip in found:
        named = set(json.dumps([one["params"] for one in trip]).replace('"', " ").replace(",", " ").split())
        (owner,) = {owners[one] for one in named if one in owners}
        count[owner] += 1
    assert set(count) <= set(campus.changed)
    return Counter(count.values())


def kill_at(it: Stage, action: str, number: int) -> None:
    """Kills the service when so many more calls of that name have come."""
    seen = len(it.sandbox.requests())
    while [one["action"] for one in it.sandbox.requests()[seen:]].count(action) < number:
        time.sleep(0.005)
    it.service.kill()


def undisturbed(campus: Campus) -> None:
    for what, days, chains in (("added", [SNOW], 1), ("removed", [], 2)):
        seen, begun = len(campus.it.sandbox.requests()), time.perf_counter()
        campus.say(*days)
        answered = time.perf_counter() - begun
        campus.all_follow()
        seconds = time.perf_counter() - begun
        asked = trips(campus.it.sandbox.requests()[seen:])
        by_trips = per_recording(campus, asked)
        campus.check(closed=bool(days), chains=chains)
        print(
            f"  {what:<8} answered in {answered * 1000:.0f} ms, all follow in {seconds:.1f} s: "
            f"{sum(map(len, asked))} calls in {len(asked)} trips;"
        )
        print(f"           recordings by their trips: {dict(sorted(by_trips.items()))}", flush=True)
        assert max(by_trips) <= TRIPS_AT_MOST


def killed(campus: Campus) -> None:
    for what, days, action, chains in (("added", [SNOW], "cancel", 1), ("removed", [], "add", 2)):
        begun = time.perf_counter()
        campus.say(*days)
        for _ in range(KILLS):
            kill_at(campus.it, action, KILLED_AFTER)
            campus.it.service.restart()
        campus.all_follow()
        seconds = time.perf_counter() - begun
        campus.check(closed=bool(days), chains=chains)
        print(f"  {what:<8} killed {KILLS} times on the way: the same after {seconds:.1f} s", flush=True)


def measure(folder: Path, url: str, part: Callable[[Campus], None]) -> None:
    settings = {"workers": 8, "lease_seconds": 5, "kaltura_calls_per_second": 10_000}
    with stage(folder, database_url=url, **settings) as it:
        part(Campus(it))


def main(names: Sequence[str]) -> None:
    parts = {"--undisturbed": undisturbed, "--killed": killed}
    chosen = [parts[name] for name in names if name in parts] or list(parts.values())
    for name in [name for name in names if name not in parts] or ["sqlite", "postgresql"]:
        for part in chosen:
            with tempfile.TemporaryDirectory(prefix="lectern-calendar-") as folder:
                place = Path(folder)
                url = postgresql(place)[0] if name == "postgresql" else f"sqlite:///{place / 'lectern.db'}"
                print(
                    f"{name}: a day that {TOUCHED - BY_HAND} of {ROOMS} recordings meet on, {part.__name__}", flush=True
                )
                measure(place, url, part)


if __name__ == "__main__":
    main(sys.argv[1:])
