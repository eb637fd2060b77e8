"""How old what encoders see is, of the resources that somebody asks for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.database.database import Database
from app.resources.mirror.freshness import Freshness, freshness
from app.resources.models import Mirror, Resource

NOW = datetime.now(UTC).replace(microsecond=0)
ASKED = NOW.timestamp()


def mirrors(database: Database, *rows: dict[str, Any], per_second: float = 5.0) -> Freshness:
    with database.write() as session:
        for number, values in enumerate(rows, 1):
            session.add(Resource(id=number, name="r", kind="camera"))
            session.flush()
            mirror = session.get_one(Mirror, number)
            for name, value in {"asked_at": ASKED, "as_of": NOW, **values}.items():
                setattr(mirror, name, value)
    with database.read() as session:
        return freshness(session, NOW, per_second)


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


MANY = [{"as_of": ago(number / 30)} for number in range(400)]  # at half a refresh a second: 13 minutes 20 seconds


@pytest.mark.parametrize(
    ("rows", "per_second", "stale"),
    [
        (MANY, 0.5, 0),
        (MANY, 5.0, 99),
        ([*MANY[1:], {"as_of": ago(26)}], 0.5, 0),
        ([*MANY[1:], {"as_of": ago(27)}], 0.5, 1),
        ([*MANY[1:], {"as_of": ago(11), "failure": "away"}], 0.5, 1),
        ([{"as_of": ago(11)}], 0.001, 0),
    ],
    ids=["as the budget allows", "overdue", "a little overdue", "overdue by an interval", "failed", "one, seldom"],
)
def test_the_budget_makes_nothing_stale(
    database: Database, rows: list[dict[str, Any]], per_second: float, stale: int
) -> None:
    found = mirrors(database, *rows, per_second=per_second)
    assert found.stale == stale
    assert found.every == pytest.approx(max(60, len(rows) / per_second))


def test_what_is_wrong_is_told_of_a_few_resources(database: Database) -> None:
    wrong = [{"trouble": f"this {number}"} for number in range(1, 6)]
    found = mirrors(database, *wrong, {}, {"trouble": "nobody asks", "asked_at": None})
    assert (found.troubled, found.troubles) == (5, ((1, "this 1"), (2, "this 2"), (3, "this 3")))
