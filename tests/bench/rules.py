"""How long the meanest recurrences take: `python -m tests.bench.rules`.

Each is sent to `POST /recordings/preview`, which works out all of it: what it means, the plan, warnings and conflicts.
Kaltura's sandbox is asked for the resource, too: "once" is a document without a recurrence, to compare with. Counted
is the time for which the process works, whatever else the machine does.
"""

import logging
import random
import sys
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from tests.service import Lectern, lectern

TIMES = 5  # of which the best counts
FIRST = date(2027, 1, 13)


def stamps(days: list[date]) -> str:
    return ",".join(f"{day:%Y%m%d}" for day in days)


def _some(count: int, within: int = 1_090) -> list[date]:
    """Dates that follow no rule."""
    chance = random.Random(count)
    return sorted({FIRST, *(FIRST + timedelta(days=day) for day in chance.sample(range(1, within), count - 1))})


def _every(number: int) -> list[date]:
    return [FIRST + timedelta(days=day) for day in range(0, 1_090, number)][:1_000]


ALL_MONTHS, ALL_DAYS = ",".join(map(str, range(1, 13))), "MO,TU,WE,TH,FR,SA,SU"
ALL_POSITIONS = ",".join(str(number) for number in range(-366, 367) if number)
SECTION = "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL=20300101"

RECURRENCES: Mapping[str, Any] = {
    "once": None,
    "30 February": "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2;COUNT=1",
    "30 February, daily": "FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2;UNTIL=20300101",
    "a position beyond": "FREQ=YEARLY;BYDAY=MO;BYSETPOS=366;COUNT=3",
    "all positions": f"FREQ=YEARLY;BYDAY={ALL_DAYS};BYSETPOS={ALL_POSITIONS};UNTIL=20290901",
    "week 53 and its days": f"FREQ=YEARLY;BYWEEKNO=53;BYDAY={ALL_DAYS};COUNT=30",
    "week 53 in July": "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=7;UNTIL=20300101",
    "the 53rd Monday, the 1st": "FREQ=YEARLY;BYDAY=53MO;BYMONTHDAY=1;COUNT=1",
    "secondly": "FREQ=SECONDLY;COUNT=1000000",
    "minutely": "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
    "an interval of 9999 days": "FREQ=DAILY;INTERVAL=9999;COUNT=2",
    "an interval of 9999 years": "FREQ=YEARLY;INTERVAL=9999;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
    "an interval of many digits": f"FREQ=DAILY;INTERVAL={'9' * 1_000};COUNT=1",
    "a count of nothing": "FREQ=DAILY;COUNT=",
    "a count of many digits": f"FREQ=DAILY;COUNT={'9' * 1_000}",
    "each seventh day that is a Monday": "FREQ=DAILY;INTERVAL=7;BYDAY=MO;COUNT=1000",
    "daily, a thousand": "FREQ=DAILY;COUNT=1000",
    "daily in some months": "FREQ=DAILY;BYMONTH=1,3,5,7,9,11;COUNT=500",
    "monthly on all days": f"FREQ=MONTHLY;BYMONTHDAY={','.join(map(str, range(1, 32)))};COUNT=1000",
    "monthly, all of it": f"FREQ=MONTHLY;BYMONTH={ALL_MONTHS};BYDAY={ALL_DAYS};COUNT=1000",
    "four of them": "\n".join([f"RRULE:FREQ=YEARLY;BYMONTH={ALL_MONTHS};BYDAY={ALL_DAYS};COUNT=900"] * 4),
    "five of them": "\n".join(["RRULE:FREQ=DAILY;COUNT=1"] * 5),
    "a thousand RDATEs": f"RDATE:{stamps(_every(1))}",
    "400 RDATEs of no rule": f"RDATE:{stamps(_some(400))}",
    "thousands of EXDATEs": "\n".join([SECTION, *(f"EXDATE:{stamps(_some(400))}",) * 5]),
    "RDATEs in another zone": f"RDATE;TZID=Asia/Kolkata:{stamps(_some(300)).replace(',', 'T193000,')}T193000",
    "900 dates of no rule": {"dates": [str(day) for day in _some(900)]},
    "500 dates of no rule": {"dates": [str(day) for day in _some(500)]},
    "each second day, as dates": {"dates": [str(day) for day in _every(2)]},
    "a thousand dates": {"dates": [str(day) for day in _every(1)]},
    "too many dates": {"dates": [str(FIRST + timedelta(days=day)) for day in range(10_000)]},
    "a long word": "FREQ=" + "A" * 100_000,
    "many semicolons": "FREQ=DAILY" + ";" * 100_000 + "COUNT=1",
    "many commas": "FREQ=DAILY;BYDAY=" + "MO," * 50_000 + ";COUNT=1",
    "many spaces": "FREQ=DAILY" + " " * 100_000 + ";COUNT=1",
    "many lines": "RRULE:FREQ=DAILY;COUNT=1\n" * 10_000,
    "many folds": "RRULE:FREQ=DAILY;COUNT=1" + "\r\n " * 50_000,
}


def document(recurrence: Any, **more: Any) -> dict[str, Any]:
    said = {
        "title": "Mean",
        "resource": "EXTRON-100-ABC",
        "start": f"{FIRST}T09:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "recurrence": recurrence,
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


DOCUMENTS: Mapping[str, dict[str, Any]] = {
    **{name: document(recurrence) for name, recurrence in RECURRENCES.items()},
    "366 included, each at its own time": document(
        "FREQ=DAILY;COUNT=600",
        include=[
            {"date": str(day), "start": f"{number % 24:02}:{number % 60:02}"} for number, day in enumerate(_some(366))
        ],
    ),
    "366 excluded ranges": document(
        "FREQ=DAILY;COUNT=1000",
        exclude=[{"from": str(day), "to": str(day + timedelta(days=900))} for day in _every(1)[1:367]],
    ),
    "02:30, a thousand": document("FREQ=DAILY;COUNT=1000", start=f"{FIRST}T02:30:00"),
}


def milliseconds(service: Lectern, body: dict[str, Any]) -> tuple[float, int]:
    best, status = float("inf"), 0
    for _ in range(TIMES):
        begun = time.process_time()
        status = service.client.post("/recordings/preview", json=body).status_code
        best = min(best, (time.process_time() - begun) * 1_000)
    return best, status


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with TemporaryDirectory() as folder, lectern(Path(folder)) as service:
        found = {name: milliseconds(service, body) for name, body in DOCUMENTS.items()}
    for name, (spent, status) in sorted(found.items(), key=lambda one: -one[1][0]):
        sys.stdout.write(f"{spent:8.1f} ms  {status}  {name}\n")
    worst = max(spent for spent, _ in found.values())
    sys.stdout.write(f"rules: the worst of {len(found)} takes {worst:.1f} ms\n")


if __name__ == "__main__":
    main()
