"""Killed at every moment of every change: in the end it is what it would have been, and the past is untouched.

In one process, which abandons the chain where it stands: `test_kill.py` does the same with real ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pytest

from tests.recordings.changing.cases import CASES, picture, prepared
from tests.recordings.changing.house import House, Moment, house, moments
from tests.recordings.changing.links import drifted, lost, unlisted
from tests.recordings.changing.scene import Scene
from tests.sampling import sampled
from tests.service import READING, Json, found

each_case = pytest.mark.parametrize("name", sampled(CASES, 3))


@dataclass(frozen=True)
class Rehearsal:
    """A case as it begins, and what the change comes to when nothing disturbs it."""

    scene: Scene
    start: Moment
    before: Json
    after: Json
    moments: list[str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests: each takes it back to where its case begins."""
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture(scope="module")
def rehearsed(service: House) -> Callable[[str], Rehearsal]:
    empty = service.keep()

    @cache
    def rehearse(name: str) -> Rehearsal:
        service.empty_sandbox()  # a room that another case has just reserved has the same id as one of this
        service.back_to(empty)
        case = CASES[name]
        scene = prepared(service, case, service.settle)
        start, before = service.keep(), picture(scene)
        service.calls()
        found(case.act(scene), 202)
        moments = service.settle()
        assert tuple(service.writes()) == case.calls
        return Rehearsal(scene, start, before, picture(scene), moments)

    return rehearse


@each_case
def test_rows_1_and_2_killed_at_any_moment_it_comes_to_the_same(
    service: House, rehearsed: Callable[[str], Rehearsal], name: str
) -> None:
    case, it = CASES[name], rehearsed(name)
    service.back_to(it.start)
    found(case.act(it.scene), 202)
    for number, death in enumerate(service.deaths()):
        if death.moment.rpartition(".")[2] in READING and name != "retime":
            continue  # to die before a question is to die after the commit before it
        service.after(death)
        assert picture(it.scene) == it.after, f"killed at {number} of {it.moments}"


@each_case
@pytest.mark.parametrize("fault", ["drop_after", "http_500"])
def test_rows_3_and_6_an_answer_that_is_lost_changes_nothing_about_the_end(
    service: House, rehearsed: Callable[[str], Rehearsal], name: str, fault: str
) -> None:
    case, it = CASES[name], rehearsed(name)
    for number, (moment, call) in enumerate(pairwise(it.moments)):
        if moment == "commit" and call != "commit" and call.split(".")[1] not in READING:
            service.back_to(it.start)
            found(case.act(it.scene), 202)
            service.settle(number, lambda: service.fault(fault, times=1))
            service.sweep()
            assert picture(it.scene) == it.after, f"{fault} at {call}, {number} of {it.moments}"


@pytest.mark.parametrize(
    "name", sampled(["cancel before it begins", "move again", "room", "back from another room"], 4)
)
def test_killed_at_any_moment_a_series_that_goes_by_halves_leaves_nothing_standing(
    service: House, rehearsed: Callable[[str], Rehearsal], name: str
) -> None:
    case, it = CASES[name], rehearsed(name)
    service.back_to(it.start)
    service.sandbox.set_faults({"modes": {"half_delete": True}})
    found(case.act(it.scene), 202)
    for death in service.deaths()[it.moments.index("scheduleEvent.delete") :]:
        service.after(death)
        seen = picture(it.scene)  # what is active is what SQL has scheduled
        assert {part: seen[part] for part in ("recording", "rows", "entries")} == {
            part: it.after[part] for part in ("recording", "rows", "entries")
        }


@pytest.mark.parametrize("name", sampled(["retime", "room", "move again", "another room", "back from another room"], 5))
def test_killed_at_any_moment_what_was_linked_by_halves_is_on_the_room_s_list(
    service: House, rehearsed: Callable[[str], Rehearsal], name: str
) -> None:
    case, it = CASES[name], rehearsed(name)
    service.back_to(it.start)
    service.sandbox.set_faults({"modes": {"half_link": {"indexed": 0, "times": 1}}})
    found(case.act(it.scene), 202)
    deaths = service.deaths()
    for number, death in enumerate(deaths):
        if number >= it.moments.index("scheduleEventResource.add"):
            service.after(death)
            assert not unlisted(it.scene), f"killed at {number} of {moments(deaths)}"
            assert picture(it.scene) == it.after, f"killed at {number} of {moments(deaths)}"
    assert "scheduleEventResource.delete" in moments(deaths)


def test_killed_at_any_moment_of_linking_again_by_resume_all_is_on_the_room_s_list(
    service: House, rehearsed: Callable[[str], Rehearsal]
) -> None:
    scene, before = rehearsed("words").scene, rehearsed("words").before
    service.back_to(rehearsed("words").start)
    lost(scene)
    drifted(scene)
    found(service.client.post(f"{scene.path}/resume"), 202)
    deaths = service.deaths()
    assert "scheduleEventResource.delete" in moments(deaths)
    for number, death in enumerate(deaths):
        service.after(death)
        assert not unlisted(scene), f"killed at {number} of {moments(deaths)}"
        assert picture(scene) == before, f"killed at {number} of {moments(deaths)}"


# Undone

REFUSED = {
    "links": ("schedule_scheduleEventResource", "add"),  # the last that can be refused
    "events": ("schedule_scheduleEvent", "add"),
}


@pytest.mark.parametrize("step", REFUSED)
@pytest.mark.parametrize(
    "name",
    sampled(
        [
            *("room", "retime", "exclusions", "move again", "restore"),
            *("another room", "back from another room", "a room, but for one session"),
            *("title and move", "retime of what has a title"),
            *("room of what was extended", "all but what is in conflict"),
        ],
        4,
    ),
)
def test_rows_1_and_2_killed_at_any_moment_of_its_undoing_everything_is_as_before(
    service: House, rehearsed: Callable[[str], Rehearsal], name: str, step: str
) -> None:
    case, it = CASES[name], rehearsed(name)
    refused = f"{REFUSED[step][0].removeprefix('schedule_')}.{REFUSED[step][1]}"
    service.back_to(it.start)
    found(case.act(it.scene), 202)
    service.fault("error", *REFUSED[step], code="INVALID_PARAMETER_CHAR")
    deaths = service.deaths()
    for number, death in enumerate(deaths):
        if number >= it.moments.index(refused):
            service.after(death)
            service.heal()
            chain = service.get(it.scene.path)["chain"]
            assert (chain["status"], [one["name"] for one in chain["steps"] if one["error"]]) == ("failed", [step])
            assert picture(it.scene) == it.before, f"killed at {number} of {moments(deaths)}"
