"""A Kaltura that others use too: what they have in it, and every row of it as it is, to be compared afterwards."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.sandbox.kaltura import Kaltura
from tests.soak.documents import Json, reference, room

IN_ROOMS = 10  # rooms that they use; Lectern's first documents are in the same
SERIES = 5  # every so many-th is one, of so many sessions
EVENING = 1799877600  # 2027-01-13T22:00:00Z; nobody else wants that hour
DAY, LENGTH = 86_400, 3000  # seconds
TABLES = (
    *("entries", "entry_index", "categories", "category_entries", "resources"),
    *("events", "event_index", "event_resources", "index_resources"),
)


@dataclass(frozen=True)
class Others:
    """`state` as the sandbox shows it, `rows` as they are in its database."""

    state: dict[str, list[Json]]
    rows: frozenset[str]

    def without(self, state: dict[str, list[Json]]) -> dict[str, list[Json]]:
        """What of a later state is new, or is not as it was."""
        before = {kind: {json.dumps(one) for one in found} for kind, found in self.state.items()}
        return {kind: [one for one in found if json.dumps(one) not in before[kind]] for kind, found in state.items()}

    def changed(self, database: Path) -> list[str]:
        """Their rows that are not there any more as they were, byte for byte."""
        return sorted(self.rows - rows(database))

    def bookings(self, name: str) -> list[tuple[int, int]]:
        """When they record in a room."""
        (number,) = {one["id"] for one in self.state["resources"] if one.get("systemName") == name} or {0}
        linked = {link["eventId"] for link in self.state["event_resources"] if link["resourceId"] == number}
        return [
            (one["startDate"], one["endDate"])
            for one in self.state["events"]
            if one["recurrenceType"] != 1 and linked & {one["id"], one.get("parentId")}
        ]


def move_in(kaltura: httpx.Client, database: Path, count: int) -> Others:
    """So many events in the rooms of Lectern's first documents, with their entries; some have Lectern's references."""
    somebody = Kaltura(kaltura).sign_in("somebody")
    rooms = [
        somebody(
            *("schedule_scheduleResource", "add"),
            scheduleResource={"objectType": "KalturaCameraScheduleResource", "name": name, "systemName": name},
        )["id"]
        for name in map(room, range(IN_ROOMS))
    ]
    for number in range(count):
        day, where = divmod(number, IN_ROOMS)
        start = EVENING + day * DAY
        entry = {"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "Faculty", "referenceId": reference(number)}
        made: Json = {"startDate": start, "endDate": start + LENGTH, "referenceId": reference(number)}
        made["templateEntryId"] = somebody("media", "add", entry=entry)["id"]
        if number % SERIES == 0:
            rule = {"frequency": "days", "count": SERIES, "interval": 30, "timeZone": "UTC"}
            made |= {"recurrenceType": 1, "recurrence": rule, "duration": LENGTH}
        somebody.link(somebody.add_event(**made)["id"], rooms[where])
    return Others(kaltura.get("/_sandbox/state").json(), rows(database))


def never_found(database: Path) -> frozenset[str]:
    """Ids of entries that Kaltura's search engine has not heard of: no call finds one whose id nobody was told."""
    unknown = """
        SELECT id FROM entries WHERE number NOT IN (SELECT number FROM entry_index)
        AND number NOT IN (SELECT id FROM pending WHERE kind = 'entry')
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return frozenset(entry for (entry,) in connection.execute(unknown))


def rows(database: Path) -> frozenset[str]:
    """Every row of a sandbox's database that is about what it holds."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return frozenset(
            f"{table} {json.dumps(row)}"
            for table in TABLES
            for row in connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - the names are ours
        )
