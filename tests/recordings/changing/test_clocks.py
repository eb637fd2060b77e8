"""A host's clock that is set back, or forward, between chains and within them: nothing is ordered by it."""

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text, update
from sqlmodel import col

from app.chains.models import Chain, ChainStatus
from app.chains.steps import Call, Context, Done
from app.chains.store import latest_chains
from app.database.types import new_id, utc_now
from app.recordings.changing.retire import SWITCH
from tests.clocks import HostClock, set_clock
from tests.recordings.changing.scene import Scene, begun, to_come, watched
from tests.recordings.changing.test_guards import etag
from tests.service import Lectern, eventually, found

pytestmark = pytest.mark.both_databases

LEAPS = [-3.0, -60.0, 60.0]  # seconds, at each request


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HostClock:
    return set_clock(0.0, monkeypatch)


def references(scene: Scene) -> list[str]:
    """The `referenceId` of every event that Kaltura was asked to make for the recording."""
    sent = [
        request["params"]["scheduleEvent"]["referenceId"]
        for request in scene.service.sandbox.requests()
        if (request["service"], request["action"]) == ("schedule_scheduleEvent", "add")
    ]
    return [reference for reference in sent if scene.id in reference]


def operations(scene: Scene) -> list[str]:
    return [chain["operation"] for chain in scene.service.get(f"{scene.path}/history")["items"]]


def is_latest(scene: Scene, shown: dict[str, Any], operation: str) -> None:
    """What was answered is what everybody is shown, of the newest chain."""
    assert (shown["chain"]["operation"], shown["chain"]["status"]) == (operation, "succeeded")
    assert scene.service.get(scene.path) == shown
    assert scene.service.get(f"{scene.path}/history")["items"][0] == shown["chain"]


@pytest.mark.parametrize("leap", LEAPS)
def test_three_patches_and_a_delete_while_the_clock_leaps(service: Lectern, clock: HostClock, leap: float) -> None:
    scene = begun(service)
    for number in range(1, 4):
        clock.off_by += leap
        is_latest(scene, scene.changed(start=scene.local(minutes=10 * number), title=f"Title {number}"), "update")
        scene.holds()
    clock.off_by += leap
    shown = scene.deleted()
    assert shown["status"] == "cancelled"
    is_latest(scene, shown, "cancel")
    scene.holds()
    assert operations(scene) == ["cancel", "update", "update", "update", "schedule"]
    assert len(set(references(scene))) == len(references(scene)) == 4


@pytest.mark.parametrize("leap", LEAPS)
def test_sessions_changed_one_by_one_while_the_clock_leaps(service: Lectern, clock: HostClock, leap: float) -> None:
    scene = begun(service)
    acts: list[Callable[[], Response]] = [
        lambda: scene.move(20, start=scene.local(20, hours=5)),
        lambda: scene.cancel(21),
        lambda: scene.restore(21),
        lambda: scene.move(20, start=scene.local(20, hours=6)),
    ]
    for act in acts:
        clock.off_by += leap
        found(act())
    scene.holds()
    assert operations(scene)[0] == "move_occurrence"
    assert len(set(references(scene))) == len(references(scene)) == 4


def test_in_the_middle_of_a_chain(service: Lectern, clock: HostClock) -> None:
    def set_back() -> None:
        clock.off_by -= 60

    scene = begun(service)
    for number in range(1, 4):
        with watched(service, "scheduleEvent.add", "before", set_back):
            is_latest(scene, scene.changed(start=scene.local(minutes=10 * number)), "update")
        scene.holds()
    assert len(set(references(scene))) == len(references(scene)) == 4


def test_numbers_of_a_change_that_was_undone_are_not_given_again(service: Lectern, clock: HostClock) -> None:
    """Also when it is followed by changes that make no event, and a clock that was set back."""
    scene = to_come(service)
    service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_FIELD_VALUE", times=1)
    clock.off_by -= 3
    assert scene.patch(start=scene.local(hours=1)).status_code == 422
    clock.off_by -= 3
    scene.changed(title="New")
    clock.off_by -= 3
    scene.changed(start=scene.local(hours=1))
    scene.holds()
    assert [reference.split("-")[2] for reference in references(scene)] == ["1", "2", "3"]


def test_what_is_stuck_is_resumed(service: Lectern, clock: HostClock) -> None:
    scene = begun(service)
    clock.off_by -= 3
    scene.changed(title="New")
    service.fault("http_429", "schedule_scheduleEvent", "add")
    clock.off_by -= 3
    answer = service.client.patch(scene.path, json={"start": scene.local(hours=1)}, headers={"Prefer": "respond-async"})
    chain_id = found(answer, 202)["chain"]["id"]
    eventually(lambda: service.get(scene.path)["chain"]["status"] == "waiting")
    with service.app.state.database.write() as session:
        session.execute(update(Chain).where(col(Chain.id) == chain_id).values(tried=1e9, next_attempt_at=0.0))
    service.until(scene.id, "stuck")
    service.heal()
    clock.off_by -= 3
    shown = found(service.client.post(f"{scene.path}/resume"))
    assert (shown["status"], shown["chain"]["id"]) == ("scheduled", chain_id)
    scene.holds()


@pytest.mark.parametrize("leap", [-3.0, 0.0])
def test_no_two_states_have_one_etag(service: Lectern, clock: HostClock, leap: float) -> None:
    """Whatever the time is, and however often anybody writes within one microsecond."""
    scene = begun(service)
    seen = [etag(scene)]
    for number in range(3):
        clock.off_by += leap
        scene.changed(title=f"Title {number}")
        seen.append(etag(scene))
    for _ in range(2):
        with service.app.state.database.write() as session:
            session.execute(text("UPDATE recording SET problem = NULL WHERE id = :id"), {"id": scene.id})
        seen.append(etag(scene))
    assert len(set(seen)) == len(seen) == 6


def test_numbers_of_chains_are_counted_for_each_subject(service: Lectern, clock: HostClock) -> None:
    """Whatever their ids say."""
    store, subjects = service.app.state.acceptance.store, [new_id("sub"), new_id("sub")]
    made = []
    for _ in range(3):
        clock.off_by -= 60
        for subject in subjects:
            with service.app.state.database.write() as session:
                made.append(store.create(session, subject, "sweep", ["look"], {}, delay=1e9))
    with service.app.state.database.write() as session:
        latest = latest_chains(session, [*subjects, "nobody"])
        session.execute(update(Chain).where(col(Chain.subject).in_(subjects)).values(status=ChainStatus.SUCCEEDED))
    assert {subject: (chain.id, chain.number) for subject, chain in latest.items()} == {
        subjects[0]: (made[-2], 3),
        subjects[1]: (made[-1], 3),
    }


def test_no_way_back_is_looked_at_before_what_was_decided(clock: HostClock) -> None:
    """What had begun when a change was decided on has begun, though another host goes on whose clock is behind."""
    decided = int(utc_now().timestamp()) + 60
    results = {"state": {"state": {"decided_at": decided}}}
    context: Context[Any] = Context("chn", "rec", {}, results, None)
    assert SWITCH.send(context, Call("switch")) == Done(decided)
    clock.off_by = 120
    later = SWITCH.send(context, Call("switch"))
    assert isinstance(later, Done)
    assert later.result > decided
