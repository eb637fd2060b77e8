"""Kaltura makes an event by halves, for good: it is made anew, and in the end there is one, and it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.chains.steps import Again, Call, Context, Failed, Outcome, Retry
from app.kaltura.errors import Transient
from app.kaltura.types import Event
from app.recordings.scheduling import events
from app.recordings.scheduling.context import Tools
from app.recurrence.server import STEADY
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.documents import SINGLE
from tests.service import IMPATIENT, NOTHING, Json, Lectern, found, lectern, problem

EVENT = "schedule_scheduleEvent"
COUNT = 20
SERIES: Json = {**SINGLE, "recurrence": {"frequency": "daily", "count": COUNT}}
each_answer = pytest.mark.parametrize("answer", ["none", "success", "http_502"])


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lectern]:
    monkeypatch.setattr(events, "INDEX_LAG", 0.5)
    monkeypatch.setattr(events, "LOOKS", 2)
    monkeypatch.setattr(events, "LOOK_EVERY", 0.5)
    with lectern(tmp_path, pauses=IMPATIENT) as running:
        yield running


def scheduled(service: Lectern, document: Json) -> Json:
    accepted = found(service.schedule(document, prefer="respond-async"), 202)
    return service.until(accepted["id"], "scheduled", 40.0)


def whole(service: Lectern, recording: Json) -> None:
    """There is one event, everybody sees all of its sessions, and so does SQL."""
    (made,) = recording["kaltura"]["events"]
    assert [one["id"] for one in service.left()["events"] if one["recurrenceType"] != 2] == [made["id"]]
    assert [link["eventId"] for link in service.left()["event_resources"]] == [made["id"]]
    listed = service.kaltura.events(
        {"pageSize": 500}, resourceIdsLike=RESOURCE_ID, statusEqual=2, recurrenceTypeIn="0,2"
    )["objects"]
    shown = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert sorted(one["id"] for one in listed) == sorted(one["event_id"] for one in shown)
    assert len(listed) == made["occurrences"]


def half(service: Lectern, **mode: Any) -> None:
    service.sandbox.set_faults({"modes": {"half_add": mode}})


@each_answer
@pytest.mark.parametrize("part", [{"children": 19}, {"children": 0}, {"indexed": 5}, {"children": 12, "indexed": 5}])
def test_a_series_of_which_a_part_was_made_is_made_anew(service: Lectern, part: Json, answer: str) -> None:
    half(service, answer=answer, times=1, **part)
    recording = scheduled(service, SERIES)
    whole(service, recording)
    assert recording["kaltura"]["events"][0]["occurrences"] == COUNT
    assert service.left()["events"][0]["referenceId"] != reference_at_first(service)


def reference_at_first(service: Lectern) -> str:
    """That of the first event that was sent."""
    sent = [one for one in service.sandbox.requests() if (one["service"], one["action"]) == (EVENT, "add")]
    return str(sent[0]["params"]["scheduleEvent"]["referenceId"])


@pytest.mark.parametrize("document", [SERIES, SINGLE], ids=["series", "single"])
def test_what_was_made_while_the_engine_was_down_is_made_anew(service: Lectern, document: Json) -> None:
    """It is found by its id, adopted, and never seen by the index."""
    during_add(service, {"engine_down": True})
    whole(service, scheduled(service, document))


def during_add(service: Lectern, modes: Json) -> None:
    """So it is while the next event is added, and until Lectern looks for it."""

    def watch(name: str, action: str, phase: str) -> None:
        if name == EVENT:
            if action == "add":
                service.sandbox.set_faults({"modes": modes if phase == "before" else {}})
            if phase == "after":
                service.sandbox.watch = None

    service.sandbox.watch = watch


def test_made_anew_three_times_and_then_it_is_a_failure(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOKS", 1)
    half(service, indexed=5, times=events.ANEW)
    whole(service, scheduled(service, SERIES))
    half(service, indexed=5, times=events.ANEW + 1)
    later = {**SERIES, "start": "2027-01-13T15:00:00"}
    before = service.left()
    shown = problem(service.schedule(later, prefer="wait=30"), 502, "schedule_differs")
    assert (len(shown["wanted"]), len(shown["got"])) == (COUNT, 5)
    assert service.left() == before
    assert before != NOTHING


# What a look comes to


FIRST, DAY = int(datetime(2027, 1, 13, 9, tzinfo=UTC).timestamp()), 86_400
SERIES_ID = 100


def child(event_id: int, number: int, **values: Any) -> Event:
    """The so-many-th session of the series."""
    start = datetime.fromtimestamp(FIRST + number * DAY, UTC)
    given = {"recurrence_type": 2, "status": 2, "start": start, "end": start, "parent_id": SERIES_ID, **values}
    return Event.model_validate({"id": event_id, **given})


@dataclass
class Fake:
    """A Kaltura that has these children of the series, and shows some of them. None: it does not answer."""

    stored: list[Event]
    indexed: list[Event] | None

    def list_children(self, _series_id: int) -> list[Event]:
        if self.indexed is None:
            raise Transient("no answer")
        return self.indexed

    def list_events(self, ids: range) -> list[Event]:
        return [event for event in self.stored if event.id in ids]


def look(kaltura: Fake, note: Json | None = None, *, seconds: float = 1e9, again: int = 0) -> Outcome:
    times = [[FIRST + number * DAY, FIRST + number * DAY, None, True] for number in range(4)]
    planned = {"kind": "series", "start": FIRST, "end": FIRST, "recurrence": {}, "occurrences": times}
    tools = Tools(kaltura, None, STEADY)  # type: ignore[arg-type]
    context = Context(
        "chn_1",
        "rec_1",
        {"events": {"1": planned}},
        {"events": {"1": SERIES_ID}},
        tools,
        step_seconds=seconds,
        again={("events", "1"): again},
    )
    return events.OCCURRENCES.send(context, Call("1", {"event_id": SERIES_ID}, note))


ALL = [child(SERIES_ID + 1 + number, number) for number in range(4)]
WHOLE = Fake(ALL, ALL[:1])
PART = Fake(ALL[:3], ALL[:3])


def looked(there: int, looks: int) -> Json:
    return {"there": there, "looks": looks}


@pytest.mark.parametrize(("kaltura", "there"), [(WHOLE, 4), (PART, 3), (Fake([], []), 0)])
def test_what_stays_as_it_is_in_so_many_looks_is_made_anew(kaltura: Fake, there: int) -> None:
    note: Json | None = None
    for number in range(1, events.LOOKS):
        found = look(kaltura, note)
        assert isinstance(found, Retry)
        note = found.note
        assert note == looked(there, number)
    found = look(kaltura, note)
    assert (found.step, found.key) == ("events", "1")  # type: ignore[union-attr]
    assert isinstance(found, Again)


def test_a_look_without_an_answer_is_no_look() -> None:
    found = look(Fake(ALL, None), looked(4, events.LOOKS - 2))
    assert found == Retry("no answer")  # without a note: the one that there is stays
    assert isinstance(look(WHOLE, looked(4, events.LOOKS - 2)), Retry)


def test_an_index_is_given_its_time_and_a_database_is_not() -> None:
    note = looked(4, 100)
    assert isinstance(look(WHOLE, note, seconds=events.INDEX_LAG - 1), Retry)
    assert isinstance(look(PART, looked(3, 100), seconds=0.0), Again)


def test_a_series_that_is_still_being_made_is_waited_for() -> None:
    found = look(PART, looked(2, 100))
    assert isinstance(found, Retry)
    assert found.note == looked(3, 1)


def test_others_events_in_between_do_not_make_a_series_incomplete() -> None:
    """Ids are given to whoever comes."""
    spread = [child(SERIES_ID + 1 + number * 100, number) for number in range(4)]
    strange = [child(SERIES_ID + 2, 1, parent_id=7), child(SERIES_ID + 3, 9, parent_id=None)]
    found = look(Fake([*spread, *strange], []))
    assert isinstance(found, Retry)
    assert found.note == looked(4, 1)


@pytest.mark.parametrize(
    "kaltura",
    [Fake([*ALL[:2], child(150, 7)], ALL[:2]), Fake([], [*ALL[:2], child(150, 7)]), Fake([*ALL, child(150, 3)], [])],
    ids=["another time in the database", "another time", "one twice"],
)
def test_what_is_not_fewer_is_a_difference_at_once(kaltura: Fake) -> None:
    found = look(kaltura)
    assert isinstance(found, Failed)
    assert found.error["code"] == "schedule_differs"


def test_after_three_times_it_is_a_difference() -> None:
    note = looked(4, 100)
    assert isinstance(look(WHOLE, note, again=events.ANEW - 1), Again)
    assert isinstance(look(WHOLE, note, again=events.ANEW), Failed)
