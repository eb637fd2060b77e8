"""Chains that are in flight while Lectern is replaced by another version: they end as if it had not been.

`SHIPPED` says which steps chains were ever begun with. Whoever takes a step out of an operation keeps it among the
definition's `retired` ones, and whoever adds one minds that chains in flight have no results of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app.chains.steps import Call, Definition, Done, Step
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.scheduling import accept
from app.recordings.scheduling.context import Tools
from tests.crash.rehearsal import standing
from tests.recordings.changing.cases import CASES, Case, picture, prepared
from tests.recordings.changing.house import House, Moment, house, moments
from tests.service import found

CHANGE = (
    *("resource", "state", "conflicts", "categories", "words", "assignments"),
    *("events", "occurrences", "exclusions", "links", "switch", "retire", "mend"),
)
SHIPPED = {
    "schedule": ("resource", "conflicts", "template_entry", "events", "occurrences", "exclusions", "links"),
    **dict.fromkeys(("update", "move_occurrence", "cancel_occurrence", "restore_occurrence", "mend"), CHANGE),
    "cancel": ("state", "switch", "retire", "mend", "entry"),
    "sweep": ("look", "remove"),
}
MORE: Step[Tools] = Step("more", lambda _context: [Call("more")], lambda _context, _call: Done())
Version = Callable[[Definition[Tools]], Definition[Tools]]


def known() -> dict[str, Definition[Tools]]:
    return dict(DEFINITIONS)


def as_shipped(definition: Definition[Tools]) -> Definition[Tools]:
    """The version whose new chains have today's steps."""
    names = SHIPPED[definition.operation]
    others = [step for name, step in definition.known.items() if name not in names]
    return replace(definition, steps=[definition.known[name] for name in names], retired=others)


def as_it_is(definition: Definition[Tools]) -> Definition[Tools]:
    return definition


def one_more_and_one_less(definition: Definition[Tools]) -> Definition[Tools]:
    first, second, third, *others = definition.steps
    if not others:
        return replace(definition, steps=[MORE, *definition.steps])
    return replace(definition, steps=[first, MORE, second, *others], retired=[*definition.retired, third])


NEXT: dict[str, Version] = {"as it is": as_it_is, "one step more and one less": one_more_and_one_less}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Moment]]:
    with house(tmp_path_factory.mktemp("versions")) as found:
        yield found, found.keep()


@pytest.fixture
def running(empty: tuple[House, Moment]) -> House:
    running, at_first = empty
    running.back_to(at_first)
    return running


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Version], None]:
    """Makes all definitions those of a version of Lectern."""
    now = known()

    def install(version: Version) -> None:
        for operation in now.keys() & SHIPPED.keys():
            monkeypatch.setitem(DEFINITIONS, operation, version(now[operation]))
        monkeypatch.setattr(accept, "SCHEDULE", version(now["schedule"]).steps)

    return install


def test_each_step_that_was_ever_shipped_is_known() -> None:
    missing = {operation: set(names) - known()[operation].known.keys() for operation, names in SHIPPED.items()}
    assert missing == {operation: set() for operation in SHIPPED}


def shipped_steps(running: House, path: str) -> bool:
    chain = running.get(path)["chain"]
    return [step["name"] for step in chain["steps"]] == list(SHIPPED[chain["operation"]])


@pytest.mark.parametrize("version", NEXT)
@pytest.mark.parametrize("name", ["words", "retime", "move again", "cancel", "cancel before it begins"])
def test_a_change_that_is_in_flight_goes_on_with_its_steps(
    running: House, install: Callable[[Version], None], name: str, version: str
) -> None:
    install(as_shipped)
    case: Case = CASES[name]
    scene = prepared(running, case, running.settle)
    found(case.act(scene), 202)
    deaths = running.deaths()
    after = picture(scene)
    install(NEXT[version])
    for number, death in enumerate(deaths):
        if death.moment == "commit":
            running.after(death)
            assert shipped_steps(running, scene.path)
            assert picture(scene) == after, f"another version at {number} of {moments(deaths)}"


@pytest.mark.parametrize("version", NEXT)
def test_a_document_that_is_in_flight_goes_on_with_its_steps(
    running: House, install: Callable[[Version], None], version: str
) -> None:
    install(as_shipped)
    recording = found(running.schedule(), 202)
    deaths = running.deaths()
    left = standing(running.sandbox.state(), recording["id"])
    install(NEXT[version])
    for number, death in enumerate(deaths):
        running.after(death)
        assert running.get(f"/recordings/{recording['id']}")["status"] == "scheduled"
        assert shipped_steps(running, f"/recordings/{recording['id']}")
        stands = standing(running.sandbox.state(), recording["id"])
        assert stands == left, f"another version at {number} of {moments(deaths)}"
