"""What was decided by hand for one session stays: each cell of the table in app/recordings/changing/difference.py."""

from typing import Any

import pytest

from app.recordings.changing.decide import aim
from app.recordings.changing.difference import CANCELLED, EXCLUDED, SCHEDULED, Row
from app.recurrence.server import STEADY
from tests.recordings.changing.occurrences import NOW, WEEKLY, ZONE, aimed, applied, as_rows, at, schedule

DAY, UID = "2027-01-27", "occ_2027-01-27"
USUAL, LATER = {"start": "2027-01-11T09:00:00"}, {"start": "2027-01-11T10:30:00"}
OWN_TIME = (at("2027-01-28T15:00:00"), at("2027-01-28T16:00:00"))
SAYS: dict[str, dict[str, Any]] = {
    "has it": {},
    "excludes it": {"exclude": [DAY]},
    "has it no more": {"recurrence": {**WEEKLY, "days": ["MO", "FR"]}},
}
# By hand, in this order.
DECISIONS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "restored": ("cancel", "restore"),
    "moved": ("move",),
    "cancelled": ("cancel",),
    "both": ("move", "cancel"),
}


def mine(rows: list[Row]) -> Row | None:
    return next((row for row in rows if row.id == UID), None)


def by_hand(rows: list[Row], act: str) -> list[Row]:
    row = mine(rows)
    assert row is not None
    start, end = OWN_TIME if act == "move" else (row.start, row.end)
    asked = {
        "id": UID,
        "start": int(start.timestamp()),
        "end": int(end.timestamp()),
        "status": CANCELLED if act == "cancel" else SCHEDULED,
        "moved": row.moved or act == "move",
    }
    return applied(rows, aim({"occurrence": asked, "zone": ZONE.key}, rows, NOW, STEADY, same_resource=True))


def said(rows: list[Row], *, same_resource: bool = True, **changes: Any) -> list[Row]:
    """The rows after a document, each scheduled one in an event that stays or in one that is made."""
    target = aimed(rows, schedule(**changes), same_resource=same_resource)
    made = [session for event in target.made for session, stays in event.occurrences if stays]
    before, final = {row.id: row for row in rows}, applied(rows, target)
    for row in final:
        was = before.get(row.id)
        stays = was is not None and was.status == SCHEDULED and row.id not in target.left
        assert made.count(row.id) == (row.status == SCHEDULED and not stays)
        assert same_resource or row.start <= NOW or not (stays and row.status == SCHEDULED)
    return final


def expected(decided: str, says: str, start: str, before: str) -> tuple[str, str] | None:
    """Status and local start by the table; `before` is when it was, `start` when the rule has it now."""
    rules = "01-27 " + (before if says == "has it no more" else start)
    if decided == "nothing":
        return {"has it": (SCHEDULED, rules), "excludes it": (EXCLUDED, rules), "has it no more": None}[says]
    time = "01-28 15:00" if decided in ("moved", "both") else rules
    return (CANCELLED if decided in ("cancelled", "both") else SCHEDULED, time)


def shown(row: Row | None) -> tuple[str, str] | None:
    return None if row is None else (row.status, f"{row.start.astimezone(ZONE):%m-%d %H:%M}")


@pytest.mark.parametrize("same_resource", [True, False], ids=["the same room", "another room"])
@pytest.mark.parametrize("time", [USUAL, LATER], ids=["the same time", "another time"])
@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("decided", DECISIONS)
def test_a_decision_before_the_document_stays(
    decided: str, says: str, time: dict[str, Any], same_resource: bool
) -> None:
    rows = as_rows(schedule())
    for act in DECISIONS[decided]:
        rows = by_hand(rows, act)
    start = time["start"][11:16]
    rows = said(rows, same_resource=same_resource, **time, **SAYS[says])
    assert shown(mine(rows)) == expected(decided, says, start, "09:00")
    if decided == "nothing":
        return
    rows = said(rows, same_resource=same_resource, **time)  # and its date comes back
    assert shown(mine(rows)) == expected(decided, "has it", start, "09:00")


@pytest.mark.parametrize("same_resource", [True, False], ids=["the same room", "another room"])
@pytest.mark.parametrize("time", [USUAL, LATER], ids=["the same time", "another time"])
@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("decided", DECISIONS)
def test_a_decision_about_an_excluded_session_stays(
    decided: str, says: str, time: dict[str, Any], same_resource: bool
) -> None:
    """First the holiday, then the decision, then another document."""
    rows = as_rows(schedule(**SAYS["excludes it"]))
    for act in DECISIONS[decided]:
        rows = by_hand(rows, act)
    start = time["start"][11:16]
    rows = said(rows, same_resource=same_resource, **time, **SAYS[says])
    assert shown(mine(rows)) == expected(decided, says, start, "09:00")
    if decided != "nothing":
        rows = said(rows, same_resource=same_resource, **time, **SAYS["excludes it"])
        assert shown(mine(rows)) == expected(decided, "excludes it", start, "09:00")


def test_a_session_that_is_cancelled_after_it_was_restored_is_not_restored_any_more() -> None:
    rows = as_rows(schedule(**SAYS["excludes it"]))
    for act in ("restore", "cancel"):
        rows = by_hand(rows, act)
    assert shown(mine(said(rows))) == (CANCELLED, "01-27 09:00")


def test_a_session_that_is_restored_is_where_the_rule_has_it_again_when_its_date_comes_back() -> None:
    rows = by_hand(by_hand(as_rows(schedule()), "cancel"), "restore")
    rows = said(said(rows, **SAYS["has it no more"]), start=LATER["start"])
    assert shown(mine(rows)) == (SCHEDULED, "01-27 10:30")


def test_a_decision_without_a_date_is_kept_once_and_in_its_room() -> None:
    """It comes along to another room, and stays in its event while the room stays."""
    rows = said(by_hand(as_rows(schedule()), "move"), **SAYS["has it no more"])
    again = aimed(rows, schedule(**SAYS["has it no more"]))
    assert (again.left, again.dropped, again.made) == (frozenset[str](), frozenset[str](), ())
    other = aimed(rows, schedule(**SAYS["has it no more"]), same_resource=False)
    assert UID in other.left
    assert [event.occurrences for event in other.made if len(event.occurrences) == 1] == [((UID, True),)]
