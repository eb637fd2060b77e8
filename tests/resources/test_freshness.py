"""How old what encoders see is, of the resources that somebody asks for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.resources.freshness import Freshness, freshness
from app.resources.models import Mirror, Resource

NOW = datetime.now(UTC).replace(microsecond=0)
ASKED = NOW.timestamp()


def mirrors(database: Database, *rows: dict[str, Any]) -> Freshness:
    with database.write() as session:
        for number, values in enumerate(rows, 1):
            session.add(Resource(id=number, name="r", kind="camera"))
            session.flush()
            mirror = session.get_one(Mirror, number)
            for name, value in {"asked_at": ASKED, "as_of": NOW, **values}.items():
                setattr(mirror, name, value)
    with database.read() as session:
        return freshness(session, NOW)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([], Freshness(0, 0, 0.0, "")),
        ([{}, {"as_of": ago(9)}], Freshness(2, 0, 540.0, "")),
        ([{}, {"as_of": ago(11), "failure": "away"}], Freshness(2, 1, 660.0, "away")),
        ([{"as_of": ago(9), "failure": "away"}], Freshness(1, 0, 540.0, "")),
        (
            [{"as_of": ago(600), "asked_at": ASKED - 3700}, {"as_of": ago(600), "asked_at": None}],
            Freshness(0, 0, 0.0, ""),
        ),
        ([{"as_of": None}], Freshness(1, 0, 0.0, "")),
        ([{"as_of": None, "failure": "SERVICE_FORBIDDEN"}], Freshness(1, 1, 0.0, "SERVICE_FORBIDDEN")),
        (
            [{"as_of": ago(20), "failure": why} for why in ("b", "a", "b", None, None, None)],
            Freshness(6, 6, 1200.0, "b"),
        ),
    ],
    ids=["none", "fresh", "stale", "failing for a moment", "nobody asks", "first look", "never read", "commonest"],
)
def test_freshness(database: Database, rows: list[dict[str, Any]], shown: Freshness) -> None:
    assert mirrors(database, *rows) == shown
