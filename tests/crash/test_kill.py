"""kill -9 at every point of a chain, then a restart: scenarios 1 and 2 of the fault table, on the way there and back.

All chains are held, each at its own point, when one kill finds them there; so every point is tried, by a real
process, in the time of a few restarts.

On PostgreSQL these are the points of one way there and of one way back; `--the-rest` tries the others there, too.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

from tests.conftest import Databases, kind_of, params_of
from tests.crash.rehearsal import BOOKED, NOTHING, TAKEN, rehearse, series, two_events
from tests.crash.stage import Stage, stage
from tests.crash.watching import Point, Watch
from tests.sampling import in_turn

REHEARSALS = {
    "series": rehearse(series),
    "two_events": rehearse(two_events),
    "booked_meanwhile": rehearse(two_events, BOOKED),
    "taken_meanwhile": rehearse(two_events, TAKEN),
}
ON_BOTH = ("two_events", "taken_meanwhile")

Case = tuple[str, Point]


def every_point(status: str) -> pytest.MarkDecorator:
    """Of every rehearsal that ends so."""
    cases = [(name, point) for name, found in REHEARSALS.items() if found.ends == status for point in found.points()]
    marks = {name: [pytest.mark.both_databases] if name in ON_BOTH else [] for name in REHEARSALS}
    params = [
        pytest.param(case, id=f"{case[0]}-{case[1]}", marks=[*marks[case[0]], in_turn(number, 6)])
        for number, case in enumerate(cases)
    ]
    return pytest.mark.parametrize("case", params)


@dataclass(frozen=True)
class Wreck:
    stage: Stage
    recordings: dict[Case, str]


@pytest.fixture(scope="module")
def wreck(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> Iterator[Callable[[str], Wreck]]:
    """By what was to be done: the service restarted, after a kill that found a chain at each point to be tried here."""
    with ExitStack() as stack:

        @cache
        def wrecked(name: str) -> Wreck:
            here = [one for one in request.session.items if one.path == request.path and kind_of(one) == databases.kind]
            cases: list[Case] = [params_of(one)["case"] for one in here]
            cases = [case for case in cases if case[0] == name]
            folder, url = tmp_path_factory.mktemp("wreck"), stack.enter_context(databases.one())
            it = stack.enter_context(stage(folder, database_url=url, workers=len(cases) + 2))
            watch = Watch(it.sandbox)
            recordings = {
                (name, point): it.held(watch, REHEARSALS[name], point, f"{name}-{point}") for name, point in cases
            }
            it.service.kill()
            watch.release(dead=True)
            it.service.restart()
            return Wreck(it, recordings)

        yield wrecked


def test_the_rehearsals_are_what_is_to_be_survived() -> None:
    """So that a rehearsal that does less, or ends in something else, is not taken for the truth."""
    entry, series_of_40, single = [0], REHEARSALS["series"].left, REHEARSALS["two_events"].left
    by_status = [status for *_, status in series_of_40["events"]]
    assert (series_of_40["entries"], series_of_40["links"]) == (entry, [(1, True)])
    assert (by_status.count(2), by_status.count(1)) == (1 + 36, 4)
    assert (single["entries"], single["links"]) == (entry, [(1, True), (2, True)])
    assert [(number, kind) for number, kind, *_ in single["events"]] == [(1, 1), (1, 2), (1, 2), (2, 0)]
    assert REHEARSALS["booked_meanwhile"].left == REHEARSALS["taken_meanwhile"].left == NOTHING
    for call in ("scheduleResource.add", "category.list", "media.add", "scheduleEvent.cancel", "scheduleEvent.add"):
        assert call in REHEARSALS["series"].calls


@every_point("scheduled")
def test_rows_1_and_2_killed_at_any_point_it_is_scheduled_once(wreck: Callable[[str], Wreck], case: Case) -> None:
    found = wreck(case[0])
    recording = found.stage.until(found.recordings[case], "scheduled")
    assert found.stage.standing(recording["id"]) == REHEARSALS[case[0]].left
    assert {step["status"] for step in recording["chain"]["steps"]} == {"succeeded"}


@every_point("failed")
def test_rows_1_and_2_killed_at_any_point_of_its_undoing_nothing_of_it_is_left(
    wreck: Callable[[str], Wreck], case: Case
) -> None:
    stage, recordings = wreck(case[0]).stage, wreck(case[0]).recordings
    recording = stage.until(recordings[case], "failed")
    assert stage.standing(recording["id"]) == NOTHING
    meddling = REHEARSALS[case[0]].meddling
    assert meddling is not None
    assert recording["problem"]["code"] == meddling.refusal
    statuses = [step["status"] for step in recording["chain"]["steps"]]
    assert (statuses.count("failed"), set(statuses) & {"running", "waiting"}) == (1, set())
    another = two_events(recording["reference_id"]) | {"on_conflict": "allow", "start": "2027-04-01T09:00:00"}
    assert stage.until(stage.accepted(another), "scheduled")["reference_id"] == recording["reference_id"]
