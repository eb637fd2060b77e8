"""What is in the way of several changes at once. On resources that are still to be made: nobody else has booked those,
and nobody is asked."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recordings.changing.final_state import Placed, Planned, conflicts
from app.recordings.document.document import EXAMPLE, RecordingDocument
from app.recordings.models import Recording
from app.resources.conflicts import MOST

NOON = datetime(2027, 1, 13, 12, tzinfo=UTC)
NOBODY: Any = None  # neither SQL nor Kaltura is asked
Span = tuple[datetime, datetime]


class Moment(datetime):
    """A time that counts how often such times are compared."""

    compared = 0

    def __lt__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__lt__(other)

    def __gt__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__gt__(other)


def change(number: int, spans: Sequence[Span], resource: str = "new", on_conflict: str = "reject") -> Planned:
    """A change by which a recording goes there with all that it has."""
    document = RecordingDocument.model_validate({**EXAMPLE, "title": f"T{number}", "on_conflict": on_conflict})
    placed: list[Placed] = [(resource, start, end) for start, end in spans]
    recording = Recording(id=f"rec_{number}")  # type: ignore[call-arg]
    return Planned(recording, document, resource, placed, placed, left=[], own_resources=[], pairs=[])


def told(planned: Sequence[Planned], joined: Mapping[str, Collection[str]] | None = None) -> list[tuple[str, ...]]:
    """Of each conflict whose it is, with what, and when each of the two begins."""
    return [
        (pair["recording_id"], pair["start"], pair["booked"]["title"], pair["booked"]["start"])
        for pair in conflicts(NOBODY, NOBODY, planned, joined or {})
    ]


def minutes(begin: float, end: float) -> Span:
    return NOON + timedelta(minutes=begin), NOON + timedelta(minutes=end)


def shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


SPANS = st.builds(
    lambda begin, length: minutes(begin, begin + length),
    st.integers(0, 600),
    st.sampled_from([10, 50, 60, 1440]),
)
CHANGES = st.lists(
    st.tuples(
        st.lists(SPANS, max_size=6).map(sorted),
        st.sampled_from(["one", "another"]),
        st.sampled_from(["reject", "skip", "allow"]),
    ),
    max_size=6,
)


@given(CHANGES)
def test_each_is_told_what_it_meets_of_all_others_by_their_starts(drawn: Sequence[tuple[list[Span], str, str]]) -> None:
    """Who leaves out what it meets minds only those with which it goes: here the first one."""
    planned = [change(number, *one) for number, one in enumerate(drawn)]
    expected = [
        (one.id, shown(start), other.document.title, shown(begin))
        for kind in ("reject", "skip")
        for one in planned
        if one.document.on_conflict == kind
        for _, start, end in one.added
        for begin, other in sorted(
            (
                (begin, other)
                for other in (planned if kind == "reject" else planned[:1])
                for where, begin, until in other.occurrences
                if other is not one and where == one.resource and begin < end and start < until
            ),
            key=itemgetter(0),
        )
    ]
    assert told(planned, {one.id: [planned[0].id] for one in planned}) == expected


def test_of_too_many_the_first_are_told_to_each() -> None:
    spans = [minutes(2 * number, 2 * number + 1) for number in range(MOST + 100)]
    found = told([change(1, spans), change(2, spans)])
    times = [shown(start) for start, _ in spans[:MOST]]
    assert found == [("rec_1", time, "T2", time) for time in times] + [("rec_2", time, "T1", time) for time in times]


def test_each_session_that_meets_something_is_told() -> None:
    spans = [minutes(2 * number, 2 * number + 1) for number in range(MOST - 100)]
    found = told([change(1, spans), change(2, spans, on_conflict="allow"), change(3, spans, on_conflict="allow")])
    assert len(found) == MOST
    assert {time for _, time, *_ in found} == {shown(start) for start, _ in spans}


@pytest.mark.parametrize("apart", [15, 0], ids=["one after another", "all at the same time"])
def test_twice_as_many_changes_are_twice_the_work(apart: int) -> None:
    """Each in one room with all others, on each of many days."""

    def compared(count: int) -> int:
        begins = [Moment(2027, 1, 13, tzinfo=UTC) + timedelta(minutes=apart * number) for number in range(count)]
        planned = [
            change(number, [(day, day + timedelta(minutes=10)) for day in days])
            for number, days in enumerate([[begin + timedelta(days=n) for n in range(50)] for begin in begins])
        ]
        Moment.compared = 0
        conflicts(NOBODY, NOBODY, planned, {})
        return Moment.compared

    assert compared(80) < 2.5 * compared(40)
