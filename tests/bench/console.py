"""What *today* of a large campus costs: `python -m tests.bench.console`.

300 rooms and 2,000 sessions are written into SQL. The application is called in its own process, without sockets.
"""

import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from app.database.database import Database
from app.database.types import utc_now
from app.http.logs import configure_logs
from app.main import create_app
from tests.client import client_of
from tests.console.overfull.crowd import ROOMS, SESSIONS, fill
from tests.service import settings, with_tables

DAY = utc_now().date() + timedelta(days=30)
TIMES = 15
MILLISECONDS_AT_MOST = 300
KILOBYTES_AT_MOST = 200


def main() -> None:
    configure_logs("WARNING")
    with TemporaryDirectory() as folder:
        values = settings(with_tables(Path(folder)), time_zone="America/New_York")
        database = Database(values.database_url)
        fill(database, DAY, "local")
        database.close()
        app = create_app(values)
        app.state.keys.look()
        with client_of(app, started=False) as client:
            for name, query in (("whole", ""), ("in trouble", "&only=trouble")):
                times = list[float]()
                for _ in range(TIMES):
                    begun = time.perf_counter()
                    answer = client.get(f"/console?day={DAY}{query}")
                    times.append((time.perf_counter() - begun) * 1000)
                    assert answer.status_code == 200, answer.text
                first, *others = times
                told = f"{statistics.median(others):.0f} ms (at best {min(others):.0f}, at first {first:.0f})"
                sys.stdout.write(
                    f"today, {ROOMS} rooms, {SESSIONS:,} sessions, {name}: {told}, {len(answer.content) / 1000:.0f} KB "
                    f"(asked for: {MILLISECONDS_AT_MOST} ms, under {KILOBYTES_AT_MOST} KB)\n"
                )


if __name__ == "__main__":
    main()
