"""A series that Kaltura makes by halves is made anew, and whoever does that may die at any moment of it."""

from collections.abc import Callable, Iterator

import pytest

from app.recordings.scheduling import events
from tests.crash.rehearsal import series, standing
from tests.recordings.changing.cases import CASES, picture, prepared
from tests.recordings.changing.house import House, Moment, house, moments
from tests.sampling import sampled
from tests.service import READING, Json, found

ADD = "scheduleEvent.add"
# The first series is made by half, without a word or with an answer as if nothing were wrong.
HALVES: dict[str, Json] = {
    "no session": {"half_add": {"children": 0, "times": 1}},
    "not in the index": {"half_add": {"indexed": 0, "times": 1}},
}
each_half = pytest.mark.parametrize("modes", HALVES.values(), ids=HALVES)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Moment]]:
    with house(tmp_path_factory.mktemp("halves")) as running:
        yield running, running.keep()


@pytest.fixture
def running(empty: tuple[House, Moment], monkeypatch: pytest.MonkeyPatch) -> House:
    """As it begins. What takes a minute to be believed would be asked for thousands of times here."""
    monkeypatch.setattr(events, "INDEX_LAG", 0.0)
    monkeypatch.setattr(events, "LOOKS", 2)
    running, beginning = empty
    running.back_to(beginning)
    return running


def killed_at_each_moment(
    running: House, modes: Json, act: Callable[[], object], seen: Callable[[], Json], wanted: Json
) -> None:
    """From the first series that is added on, but for questions: to die before one is to die after what was before."""
    running.sandbox.set_faults({"modes": modes})
    act()
    deaths = running.deaths()
    first = moments(deaths).index(ADD)
    assert moments(deaths).count(ADD) > 1
    for number, death in enumerate(deaths[first:], first):
        if death.moment.rpartition(".")[2] not in READING:
            running.after(death)
            running.sweep()
            assert seen() == wanted, f"killed at {number} of {moments(deaths)}"


@each_half
@pytest.mark.parametrize("name", sampled(["retime", "move", "exclusions"], 3))
def test_a_change_comes_to_the_same(running: House, name: str, modes: Json) -> None:
    case = CASES[name]
    scene = prepared(running, case, running.settle)
    start = running.keep()
    found(case.act(scene), 202)
    running.settle()
    wanted = picture(scene)
    running.back_to(start)
    killed_at_each_moment(running, modes, lambda: found(case.act(scene), 202), lambda: picture(scene), wanted)


@each_half
def test_a_document_comes_to_the_same(running: House, modes: Json) -> None:
    document = {**series("HALL"), "recurrence": {"frequency": "daily", "count": 4}, "exclude": ["2027-01-14"]}
    start, ids = running.keep(), list[str]()

    def act() -> None:
        ids.append(found(running.schedule(document), 202)["id"])

    def seen() -> Json:
        assert running.get(f"/recordings/{ids[-1]}")["status"] == "scheduled"
        return standing(running.sandbox.state(), ids[-1])

    act()
    running.settle()
    wanted = seen()
    running.back_to(start)
    killed_at_each_moment(running, modes, act, seen, wanted)


@each_half
def test_one_that_is_refused_in_the_end_leaves_everything_as_it_was(running: House, modes: Json) -> None:
    """Made by halves each time, also the last one is removed."""
    case = CASES["retime"]
    scene = prepared(running, case, running.settle)
    before = picture(scene)
    running.sandbox.set_faults({"modes": {name: {**half, "times": None} for name, half in modes.items()}})
    found(case.act(scene), 202)
    running.settle()
    running.sweep()
    shown = running.get(scene.path)
    assert [one["error"]["code"] for one in shown["chain"]["steps"] if one["error"]] == ["schedule_differs"]
    assert next(one for one in shown["chain"]["steps"] if one["name"] == "events")["attempts"] >= 1 + events.ANEW
    assert picture(scene) == before
