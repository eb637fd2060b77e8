"""How long a plan takes of which a few meetings differ: `python -m tests.bench.terms`.

What the term keeps is written into SQL as if it had been applied: making it all in Kaltura is what is not measured.
"""

import json
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import SQLModel, col

from app.database.types import new_id, utc_now
from app.terms.models import PlanItem
from app.terms.planning.making import Asked, Planner
from tests.service import Json, lectern
from tests.terms.campus import ME, TERM, but, section

DIFFERING = 50
SIZES = (5_000, 20_000)
END = datetime(2027, 4, 30, tzinfo=UTC)


def timetable(count: int) -> list[Json]:
    """Ten hours of five days in each room."""
    days, hours = ("MO", "TU", "WE", "TH", "FR"), range(8, 18)
    return [
        section(
            f"{number:05}",
            f"R{number // 50}",
            f"{hours[number % 10]:02}:00",
            f"{hours[number % 10]:02}:50",
            days=[days[number // 10 % 5]],
        )
        for number in range(count)
    ]


def keep(database: Any, plan_id: str) -> None:
    """The plan's new recordings, as they would be once it is applied; without their sessions."""
    now = utc_now()
    recordings, bookings, meetings = list[Json](), list[Json](), list[Json]()
    with database.write() as session:
        for item in session.execute(select(PlanItem).where(col(PlanItem.plan_id) == plan_id)).scalars():
            recording_id, work = new_id("rec"), item.work
            of = {"id": recording_id, "client": ME, "term": "2027S", "section": item.section, "status": "scheduled"}
            times = {"first_start": END, "last_end": END, "created_at": now, "updated_at": now}
            kept = {"document": work["document"], "fingerprint": "", "time_zone": "America/New_York"}
            recordings.append({**of, **times, **kept, "version": 1, "last_number": 0})
            said = {"title": item.shown["title"], "tags": [], "time_zone": "America/New_York"}
            bookings.append({"id": recording_id, "source": "lectern", "kind": "recording", **said})
            keys = {"id": new_id("mtg"), "client": ME, "term": "2027S", "recording_id": recording_id}
            meetings.append({**keys, **work["keeps"], "adopted": False, "last_seen_at": now})
        for table, rows in (("recording", recordings), ("booking", bookings), ("term_meeting", meetings)):
            session.connection().execute(insert(SQLModel.metadata.tables[table]), rows)


def plan(planner: Planner, sections: Sequence[Json]) -> tuple[str, float]:
    lines = [json.dumps({"complete": True}), *map(json.dumps, sections)]
    body = BytesIO("\n".join(lines).encode())
    plan_id = planner.begin(ME, "2027S")
    begun = time.perf_counter()
    assert planner.make(plan_id, body, Asked("ndjson")) is None
    return plan_id, time.perf_counter() - begun


def main() -> None:
    for size in SIZES:
        with TemporaryDirectory() as folder, lectern(Path(folder)) as service:
            rooms = {f"R{number}": f"CAM-{number}" for number in range(size // 50)}
            assert service.client.put("/terms/2027S", json={**TERM, "rooms": rooms}).is_success
            sections = timetable(size)
            planner = service.app.state.terms.planner
            first, seconds = plan(planner, sections)
            keep(service.app.state.database, first)
            changed = [but(one, end=one["meetings"][0]["start"][:2] + ":45") for one in sections[:DIFFERING]]
            second, again = plan(planner, [*changed, *sections[DIFFERING:]])
            counts = service.get(f"/terms/2027S/plans/{second}")["counts"]
            assert (counts["change"], counts["unchanged"]) == (DIFFERING, size - DIFFERING), counts
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        sys.stdout.write(
            f"terms: {size} meetings, {DIFFERING} of them changed: {again:.1f} s (all of them new: {seconds:.1f} s); "
            f"the process has taken {memory} MB at most\n"
        )


if __name__ == "__main__":
    main()
