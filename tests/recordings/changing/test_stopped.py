"""Cancelled while it is being made, whatever goes wrong on the way: in the end nothing of it stands.

Drawn by number, as histories are (`tests/histories`): when the cancellation comes, who dies then, what Kaltura does by
halves, which answers are lost.
"""

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.recordings.changing.house import House, Moment, die, house
from tests.sampling import sampled
from tests.service import Json, found

NUMBERS = 45
DAYS: tuple[Json, ...] = (
    {},
    {"half_delete": {"times": 1}},
    {"half_delete": {"times": 2}},
    {"half_delete": {"times": 2, "answer": "success"}},
    {"half_delete": {"times": 1}, "index_lag": 0.05},
    {"half_delete": {"times": 1}, "search_down": True},
    {"half_delete": {"times": 2}, "half_add": {"children": 1, "answer": "success", "times": 1}},
    {"half_delete": {"times": 2}, "half_add": {"children": 2, "times": 1}},
    {"half_delete": {"times": 2}, "half_add": {"indexed": 1, "answer": "http_502", "times": 2}},
    {"half_delete": {"times": 1, "answer": "success"}, "half_link": {"indexed": 1, "times": 1}},
)
FAULTS = ("drop_before", "drop_after", "http_500", "http_429", "truncated")
MOMENTS = 36


class Dead(BaseException):
    """The process is gone, and what it was at with it."""


def gone() -> None:
    raise Dead


def document(chance: random.Random) -> Json:
    shapes: tuple[Json, ...] = (
        {"start": "2027-01-13T09:00:00", "recurrence": "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6", "exclude": ["2027-01-20"]},
        {"start": "2027-03-12T02:30:00", "recurrence": "FREQ=DAILY;COUNT=4"},
        {"start": "2027-01-13T09:00:00", "recurrence": {"dates": ["2027-01-13", "2027-01-20", "2027-02-05"]}},
    )
    return {
        "reference_id": "SIS-1",
        "title": "Stopped",
        "resource": {"system_name": "STOP-1", "name": "STOP-1"},
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        **chance.choice(shapes),
    }


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Moment]]:
    with house(tmp_path_factory.mktemp("stopped")) as running:
        yield running, running.keep()


@pytest.fixture(autouse=True)
def no_time_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("events", "links"):
        monkeypatch.setattr(f"app.recordings.scheduling.{name}.INDEX_LAG", 0.1)


def live(it: House, chance: random.Random, log: list[str], *, until: int | None = None) -> None:
    """Chains go on, and something happens at one moment of them; `until` a moment at which they are let be."""
    at, what = chance.randrange(MOMENTS), chance.choice(("die", "nothing", *FAULTS))
    if until is not None:
        at, happens, what = until, gone, "gone"
    elif what == "die":
        happens = die
    elif what == "nothing":
        at, happens = MOMENTS * 100, die
    else:
        happens = lambda: it.fault(what, times=1)  # noqa: E731
    log.append(f"{what} at {at}")
    with suppress(Dead):
        it.settle(at, happens, rounds=60)


@pytest.mark.parametrize("number", sampled(range(NUMBERS), 3))
def test_nothing_of_it_stands(empty: tuple[House, Moment], number: int) -> None:
    it, beginning = empty
    it.back_to(beginning)
    chance, log = random.Random(number), list[str]()
    recording = found(it.schedule(document(chance), prefer="respond-async"), 202)
    modes = chance.choice(DAYS)
    log.append(str(modes))
    it.sandbox.set_faults({"modes": modes})
    live(it, chance, log, until=chance.randrange(MOMENTS))
    found(it.client.delete(f"/recordings/{recording['id']}"), 202)
    live(it, chance, log, until=chance.randrange(MOMENTS))
    live(it, chance, log)
    it.heal()
    it.settle()
    it.sweep()
    shown = it.get(f"/recordings/{recording['id']}")
    assert shown["status"] == "cancelled", log
    left = it.left()
    standing = [(one["id"], one["recurrenceType"], one.get("parentId")) for one in left["events"] if one["status"] == 2]
    assert (standing, left["entries"], left["event_resources"]) == ([], [], []), log


def test_an_occurrence_that_is_gone_keeps_no_other_one_standing(empty: tuple[House, Moment]) -> None:
    """Kaltura has deleted the series by halves, and knows nothing of the first of its occurrences any more."""
    it, beginning = empty
    it.back_to(beginning)
    wanted = document(random.Random(0)) | {"start": "2027-01-13T09:00:00", "recurrence": "FREQ=WEEKLY;COUNT=6"}
    found(it.schedule(wanted, prefer="respond-async"), 202)
    made = it.settle().index("scheduleEvent.add") + 2
    it.back_to(beginning)
    recording = found(it.schedule(wanted, prefer="respond-async"), 202)
    with suppress(Dead):
        it.settle(made, gone)
    found(it.client.delete(f"/recordings/{recording['id']}"), 202)
    unknown = {"service": "schedule_scheduleEvent", "action": "cancel", "fault": "error", "code": "INVALID_OBJECT_ID"}
    it.sandbox.set_faults({"modes": {"half_delete": {"times": 1}}, "faults": [{**unknown, "times": 1}]})
    it.settle()
    assert it.get(f"/recordings/{recording['id']}")["status"] == "cancelled"
    assert len([one for one in it.left()["events"] if one["status"] == 2]) == 1


@pytest.mark.parametrize(
    ("fault", "stay"),
    [({"fault": "http_500", "times": 5}, 0), ({"fault": "error", "code": "SERVICE_FORBIDDEN"}, 1)],
    ids=["no answer", "refused"],
)
def test_a_series_that_is_gone_loses_its_links_unless_kaltura_refuses_that(
    empty: tuple[House, Moment], fault: Json, stay: int
) -> None:
    it, beginning = empty
    it.back_to(beginning)
    wanted = document(random.Random(0)) | {"start": "2027-01-13T09:00:00", "recurrence": "FREQ=WEEKLY;COUNT=6"}
    recording = found(it.schedule(wanted, prefer="respond-async"), 202)
    it.settle()
    found(it.client.delete(f"/recordings/{recording['id']}", headers={"Prefer": "respond-async"}), 202)
    unlinks = {"service": "schedule_scheduleEventResource", "action": "delete", **fault}
    it.sandbox.set_faults({"modes": {"half_delete": {"times": 1}}, "faults": [unlinks]})
    it.settle()
    assert it.get(f"/recordings/{recording['id']}")["status"] == "cancelled"
    left = it.left()
    assert [one["id"] for one in left["events"] if one["status"] == 2] == []
    assert len(left["event_resources"]) == stay
