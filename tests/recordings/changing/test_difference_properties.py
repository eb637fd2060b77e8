"""What holds for every change, whatever stands there and whatever is asked for (`changing/difference.py`)."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.recordings.changing.difference import CANCELLED, EXCLUDED, SCHEDULED, Row, Target, slot_of
from app.recordings.document.document import RecordingDocument, Schedule
from tests.recordings.changing.occurrences import aimed, applied, as_rows
from tests.recurrence.support import generated, intervals

# The two zones change their clocks twice within the months from which documents are drawn, the times lie in it.
ZONES = ["America/New_York", "Europe/London", "Asia/Kolkata"]
TIMES = ["01:30:00", "02:30:00", "09:00:00", "17:45:00"]
DAYS = st.dates(date(2027, 2, 20), date(2027, 4, 10))
RULES: st.SearchStrategy[dict[str, Any] | None] = st.none() | st.builds(
    lambda **values: values,
    frequency=st.sampled_from(["daily", "weekly"]),
    days=st.lists(st.sampled_from(["MO", "TU", "WE", "FR"]), unique=True),
    interval=st.sampled_from([1, 1, 2]),
    count=st.integers(1, 30),
)
EXTRAS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"date": DAYS.map(str)},
        optional={"start": st.sampled_from(["08:00", "02:30"]), "duration_minutes": st.just(30)},
    ),
    max_size=4,
    unique_by=lambda extra: extra["date"],
)


@st.composite
def documents(draw: st.DrawFn, zone: str) -> Schedule:
    dates = sorted(map(str, draw(st.lists(DAYS, min_size=1, max_size=20, unique=True))))
    first = draw(DAYS.map(str) | st.just(dates[0]))
    document = {
        "title": "t",
        "resource": 1,
        "start": f"{first}T{draw(st.sampled_from(TIMES))}",
        "time_zone": zone,
        "duration_minutes": draw(st.sampled_from([50, 90])),
        "recurrence": {"dates": dates} if first == dates[0] else draw(RULES),
        "include": [extra for extra in draw(EXTRAS) if extra["date"] >= first],
        "exclude": sorted({str(day) for day in draw(st.lists(DAYS, max_size=4))}),
    }
    try:
        return RecordingDocument.model_validate(document).schedule(zone)
    except ValueError:
        assume(False)  # it excludes all that it has
        raise


Scene = tuple[list[Row], Schedule, datetime, bool]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """What stands there, the document that is wanted, a moment, and whether the room stays."""
    zone = draw(st.sampled_from(ZONES))
    before = draw(documents(zone))
    after = draw(documents(zone) | st.just(before))
    rows = as_rows(before)
    changed = {index: draw(_by_hand(rows[index])) for index in draw(st.sets(st.sampled_from(range(len(rows)))))}
    now = rows[0].start + timedelta(hours=draw(st.integers(-30, 30 * 24)))
    rows = sorted((changed.get(index, row) for index, row in enumerate(rows)), key=lambda row: row.start)
    return rows, after, now, draw(st.booleans())


@st.composite
def _by_hand(draw: st.DrawFn, row: Row) -> Row:
    """A session that was cancelled, restored or moved."""
    what = draw(st.sampled_from(["cancelled", "restored", "moved", "moved and cancelled"]))
    if what == "restored":
        return replace(row, status=SCHEDULED, restored=True, event=2)
    if what.startswith("moved"):
        shift = timedelta(hours=draw(st.integers(-200, 200)))
        row = replace(row, start=row.start + shift, end=row.end + shift, status=SCHEDULED, moved=True, event=3)
    return replace(row, status=CANCELLED) if what.endswith("cancelled") else row


def is_decided(row: Row) -> bool:
    return row.moved or row.restored or row.status == CANCELLED


def aim(scene: Scene) -> Target:
    rows, after, now, same_resource = scene
    return aimed(rows, after, now=now, same_resource=same_resource)


@given(scenes())
@settings(max_examples=100)
def test_what_has_begun_is_not_touched(scene: Scene) -> None:
    rows, _, now, _ = scene
    target = aim(scene)
    begun = {row.id for row in rows if row.start <= now}
    touched = {row.id for row in target.rows} | target.left | target.dropped
    assert begun.isdisjoint(touched | {session for made in target.made for session, _ in made.occurrences})


@given(scenes())
@settings(max_examples=100)
def test_each_date_of_the_document_has_one_session_which_keeps_its_id(scene: Scene) -> None:
    rows, after, now, _ = scene
    final = applied(rows, aim(scene))
    ids = {row.slot: row.id for row in rows}
    assert max(Counter(row.slot for row in final).values(), default=1) == 1
    assert [row for row in final if row.id != ids.get(row.slot, row.id)] == []
    wanted = {slot_of(one): one for one in after.occurrences}
    ahead = {row.slot for row in final if row.start > now}
    assert ahead <= wanted.keys() | {row.slot for row in rows if is_decided(row)}
    begun = {row.slot for row in rows if row.start <= now}
    assert {slot for slot, one in wanted.items() if one.start > now and slot not in begun} <= ahead


@given(scenes())
@settings(max_examples=100)
def test_a_session_is_as_the_document_says_unless_it_was_changed_by_hand(scene: Scene) -> None:
    rows, after, now, _ = scene
    were = {row.slot: row for row in rows}
    wanted = {slot_of(one): one for one in after.occurrences}
    for row in applied(rows, aim(scene)):
        if row.start <= now or row.slot is None:
            continue
        one, was = wanted.get(row.slot), were.get(row.slot)
        assert was or one
        assert not was or (row.moved, row.restored) == (was.moved, was.restored)
        if was and is_decided(was):
            assert row.status == was.status
        if was and (was.moved or one is None):
            assert (row.start, row.end) == (was.start, was.end)
        elif one and one.start > now:
            assert (row.start, row.end) == (one.start, one.end)
            assert (was and is_decided(was)) or row.status == (EXCLUDED if one.excluded_by else SCHEDULED)


@given(scenes(), st.data())
@settings(max_examples=100)
def test_what_was_decided_by_hand_outlives_any_number_of_documents(scene: Scene, data: st.DataObject) -> None:
    rows, after, now, same_resource = scene
    decided = {row.id: row for row in rows if is_decided(row) and row.start > now}
    final = rows
    for one in (after, data.draw(documents(after.zone.key)), after):
        final = applied(final, aimed(final, one, now=now, same_resource=same_resource))
    for row in final:
        if was := decided.get(row.id):
            assert (row.status, row.moved, row.restored) == (was.status, was.moved, was.restored)
            assert not was.moved or (row.start, row.end) == (was.start, was.end)
    assert decided.keys() <= {row.id for row in final}


@given(scenes())
@settings(max_examples=100)
def test_what_is_scheduled_is_in_one_event_that_stays_or_is_made(scene: Scene) -> None:
    rows, _, now, same_resource = scene
    target = aim(scene)
    made = Counter(session for one in target.made for session, stays in one.occurrences if stays)
    before = {row.id: row for row in rows}
    assert max(made.values(), default=1) == 1
    assert target.left <= {row.id for row in rows if row.start > now and row.status == SCHEDULED}
    for row in applied(rows, target):
        stays = row.id in before and before[row.id].status == SCHEDULED and row.id not in target.left
        if row.status != SCHEDULED:
            assert row.id not in made
        elif row.start > now:
            assert stays != (row.id in made)
            assert not stays or (row.start, row.end) == (before[row.id].start, before[row.id].end)
        if stays and row.start > now and not same_resource:
            assert row.id not in {each.id for each in target.rows}  # its new time has passed: it stays in its room


@given(scenes())
@settings(max_examples=100)
def test_kaltura_makes_of_the_events_what_is_wanted_and_what_is_to_be_cancelled(scene: Scene) -> None:
    rows = scene[0]
    target = aim(scene)
    times = {row.id: (row.start, row.end) for row in applied(rows, target)}
    for made in target.made:
        assert made.planned.kind == "series"
        assert len(made.planned.occurrences) == len(made.occurrences)
        assert generated(made.planned) == intervals(made.planned.occurrences)
        assert made.occurrences[0][1]
        assert made.occurrences[-1][1]
        for occurrence, (session, stays) in zip(made.planned.occurrences, made.occurrences, strict=True):
            assert not stays or times[str(session)] == (occurrence.start, occurrence.end)


@given(scenes())
@settings(max_examples=100)
def test_the_same_again_changes_nothing_more(scene: Scene) -> None:
    rows, after, now, _ = scene
    final = applied(rows, aim(scene))
    again = aimed(final, after, now=now)
    assert (again.left, again.dropped, again.made) == (frozenset[str](), frozenset[str](), ())
    assert applied(final, again) == final
