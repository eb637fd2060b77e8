"""How long what a window shows stays as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.database.database import Database
from app.resources.feed.page import WINDOW, Window, page
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource

NOW = datetime(2027, 1, 13, 14, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def seen(
    database: Database, *begins: timedelta, window: Window | None = None, kind: str = "recording"
) -> tuple[list[timedelta], timedelta]:
    """Of sessions of an hour that begin so long after NOW: those that are shown, and until when that is all."""
    with database.write() as session:
        session.add(Resource(id=1, name="r", kind="camera"))
        session.add(Booking(id="b", source="kaltura", kind=kind, title="t", time_zone="UTC"))
        session.flush()
        for number, after in enumerate(begins):
            start, status = NOW + after, OccurrenceStatus.SCHEDULED
            of: dict[str, Any] = {"id": f"o{number}", "booking_id": "b", "resource_id": 1}
            session.add(Occurrence(**of, start=start, end=start + HOUR, status=status))
    with database.read() as session:
        found = page(session, 1, window or Window(), NOW)
    return [row.start - NOW for row, _ in found.rows], found.until - NOW


@pytest.mark.parametrize(
    ("begins", "shown", "until"),
    [
        (-HOUR, [], None),  # over in this very second
        (SECOND - HOUR, [SECOND - HOUR], SECOND),
        (-HOUR / 2, [-HOUR / 2], HOUR / 2),
        (0 * HOUR, [0 * HOUR], HOUR),
        (HOUR, [HOUR], HOUR),
        (WINDOW - SECOND, [WINDOW - SECOND], WINDOW - SECOND),
        (WINDOW, [], 0 * HOUR),  # the next second shows it
        (WINDOW + HOUR, [], HOUR),
    ],
)
def test_it_stays_until_a_session_begins_ends_or_comes_into_it(
    database: Database, begins: timedelta, shown: list[timedelta], until: timedelta | None
) -> None:
    found, stays = seen(database, begins)
    assert (found, stays if stays < 100 * WINDOW else None) == (shown, until)


def test_whatever_comes_first_ends_it(database: Database) -> None:
    assert seen(database, HOUR, WINDOW + HOUR / 2) == ([HOUR], HOUR / 2)


def test_a_page_ends_with_what_is_on_it_and_shows_that_there_is_more(database: Database) -> None:
    assert seen(database, 2 * HOUR, 4 * HOUR, window=Window(limit=1)) == ([2 * HOUR], 2 * HOUR)


def test_what_no_encoder_records_ends_nothing(database: Database) -> None:
    found, stays = seen(database, HOUR, WINDOW + HOUR, kind="other")
    assert (found, stays > 100 * WINDOW) == ([], True)


def test_a_window_that_begins_now_and_has_an_end_is_none_after_it(database: Database) -> None:
    assert seen(database, 3 * HOUR, window=Window(end=NOW + 2 * HOUR)) == ([], 2 * HOUR)
