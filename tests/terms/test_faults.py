"""What goes wrong while a term is applied: nothing is lost, nothing is made twice, and others go on."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from app.chains.models import ChainStatus
from app.chains.store import Claim
from app.chains.worker import Workers
from app.database import background
from app.main import create_app
from app.resources.models import Round
from app.resources.rounds import RESOURCES
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.terms.applying import carrying, together
from app.terms.applying.applier import Applier
from app.terms.models import Apply
from tests.chains.troubled import first_in_line
from tests.client import client_of
from tests.clocks import set_clock
from tests.sandbox.kaltura import embedded
from tests.service import IMPATIENT, Json, Lectern, eventually, found, settings
from tests.terms import every_kind
from tests.terms.campus import TERM, Registrar, add_rooms, but, campus, counts, section

PATIENCE = 30.0  # seconds


@pytest.fixture
def registrar(tmp_path: Path, database_url: str) -> Iterator[Registrar]:
    with campus(tmp_path, database_url=database_url, pauses=IMPATIENT, term_chains=2) as registrar:
        registrar.set()
        yield registrar


def of(registrar: Registrar, key: str) -> Json:
    (one,) = [one for one in registrar.recordings() if one["section"] == key and one["status"] == "scheduled"]
    return one


def second_night(registrar: Registrar) -> Json:
    """The plan that has everything, to be applied."""
    registrar.applied(every_kind.FIRST)
    service = registrar.service
    service.made(every_kind.mine(TERM["rooms"]))
    found(service.client.patch(f"/recordings/{of(registrar, 'by-hand')['id']}", json=every_kind.BY_HAND))
    found(service.client.delete(f"/recordings/{of(registrar, 'held')['id']}"))
    plan = registrar.plan(every_kind.second())
    assert counts(plan) == every_kind.COUNTS, registrar.items(plan)
    return plan


def all_is_done_once(registrar: Registrar, done: Json) -> None:
    assert (done["counts"]["done"], done["items"]) == (every_kind.TO_DO, [])
    scheduled = Counter(one["section"] for one in registrar.recordings() if one["status"] == "scheduled")
    assert scheduled == dict.fromkeys(every_kind.SCHEDULED, 1)
    assert registrar.plan(every_kind.second())["status"] == "nothing_to_do"
    nothing_twice(registrar.service)


def nothing_twice(service: Lectern) -> None:
    names = Counter(one["name"] for one in service.left()["entries"])
    assert set(names.values()) == {1}, names


# A process that dies at an item


def dies_once(act: Callable[..., Any], key: Callable[..., Any], died: list[Any]) -> Callable[..., Any]:
    """As if the process were killed right after it, the first time for each key: what is not committed is lost."""

    @wraps(act)
    def once(*arguments: Any, **more: Any) -> Any:
        done = act(*arguments, **more)
        if (which := key(*arguments)) not in died:
            died.append(which)
            raise OperationalError("", {}, ConnectionError("killed"))
        return done

    return once


@pytest.mark.both_databases
def test_whatever_is_lost_before_it_is_committed_is_done_again(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = second_night(registrar)
    died = list[tuple[str, int]]()
    monkeypatch.setattr(background, "AFTER_FAILURE", 0.01)
    for module, name, key in (
        (carrying, "create", lambda _session, _store, _apply, item, *_, **__: ("begin", item.n)),
        (carrying, "begin", lambda _session, _store, _apply, item, *_: ("begin", item.n)),
        (carrying, "end", lambda _session, item, _chain: ("end", item.n)),
        (together, "begin", lambda _session, _store, _apply, items, *_: ("begin", items[0].n)),
    ):
        monkeypatch.setattr(module, name, dies_once(getattr(module, name), key, died))
    done = registrar.apply(plan)
    kinds = {item["n"]: item["kind"] for item in registrar.items(plan)}
    assert {kinds[n] for _, n in died} == {"create", "change", "rekey", "adopt", "cancel", "unchanged"}
    all_is_done_once(registrar, done)


@pytest.mark.both_databases
def test_whatever_is_committed_without_anybody_knowing_is_not_done_again(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = second_night(registrar)
    died = list[Any]()
    monkeypatch.setattr(background, "AFTER_FAILURE", 0.01)
    for name, key in (
        ("_write", lambda _self, _apply, items, _act: ("begin", items[0].n)),
        ("_end", lambda _self, _apply, ended: ("end", *ended)),
    ):
        monkeypatch.setattr(Applier, name, dies_once(getattr(Applier, name), key, died))
    done = registrar.apply(plan)
    assert len(died) >= every_kind.TO_DO
    all_is_done_once(registrar, done)


@pytest.mark.both_databases
def test_a_chain_that_was_claimed_as_it_was_made_and_never_run_is_taken_over(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process had died right after the commit, before it handed the chain to a worker."""
    lost = list[Claim]()
    hand_over = Workers.run_claimed

    def lose_the_first(workers: Workers[Any], claim: Claim) -> None:
        if lost:
            hand_over(workers, claim)
        else:
            lost.append(claim)

    monkeypatch.setattr(Workers, "run_claimed", lose_the_first)
    with campus(tmp_path, database_url=database_url, pauses=IMPATIENT, lease_seconds=2) as registrar:
        registrar.set()
        sections = [section(f"S{hour}", start=f"{hour:02}:00", end=f"{hour:02}:50") for hour in range(8, 12)]
        assert registrar.apply(registrar.plan(sections))["counts"]["done"] == len(sections)
        assert lost
        nothing_twice(registrar.service)


def test_a_chain_that_ends_makes_the_next_item_begin(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.terms.applying.applier.PAUSE", 600.0)
    sections = [section(f"S{hour}", start=f"{hour:02}:00", end=f"{hour:02}:50") for hour in range(8, 14)]
    assert registrar.apply(registrar.plan(sections))["counts"]["done"] == len(sections)


def test_when_an_apply_is_over_other_chains_wake_nobody(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    registrar.applied([section("S8")])
    woken = list[None]()
    applier = registrar.service.app.state.terms.applier
    monkeypatch.setattr(applier.thread, "wake", lambda: woken.append(None))
    days = (date(2027, 2, 1) + timedelta(days) for days in count())

    def is_quiet() -> bool:
        before = len(woken)
        registrar.service.made(every_kind.mine(TERM["rooms"]) | {"start": f"{next(days)}T20:00:00", "recurrence": None})
        return len(woken) == before

    eventually(is_quiet)


# Kaltura is away


def test_kaltura_is_away_for_an_hour_in_the_middle(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = [section(f"S{hour}", start=f"{hour:02}:00", end=f"{hour:02}:50") for hour in range(8, 20)]
    apply_id = registrar.begin(registrar.plan(sections))

    def shown() -> Json:
        apply: Json = registrar.service.get(f"{registrar.path}/applies/{apply_id}")
        return apply

    eventually(lambda: shown()["counts"]["done"])
    registrar.service.fault("drop_before")
    clock = set_clock(0.0, monkeypatch)
    told = eventually(lambda: [one["problem"] for one in shown()["items"] if one["problem"]], 30.0)
    assert {problem["code"] for problem in told} == {"waiting"}
    assert all("Kaltura" in problem["detail"] for problem in told)
    clock.off_by = 3600.0
    meanwhile = shown()
    assert (meanwhile["status"], meanwhile["counts"]["failed"]) == ("running", 0)
    assert 0 < meanwhile["counts"]["done"] < len(sections)
    registrar.service.heal()
    assert registrar.ended(apply_id)["counts"]["done"] == len(sections)
    assert Counter(one["section"] for one in registrar.recordings()) == {one["section"]: 1 for one in sections}
    nothing_twice(registrar.service)


def test_rooms_are_swapped_when_kaltura_is_back(registrar: Registrar) -> None:
    """Resources are named by a list of all of them. While it is too old, and Kaltura is away, the swap waits for it."""
    left, right, third = section("L", "SCI 101"), section("R", "SCI 210"), section("T", "SCI 101", "13:00", "13:50")
    registrar.applied([left, right, third])
    plan = registrar.plan(
        [but(left, room="SCI 210"), but(right, room="SCI 101"), but(third, start="14:00", end="14:50")]
    )
    service = registrar.service
    service.app.state.refreshers.ask()
    eventually(lambda: list_of_resources(service).as_of, PATIENCE)  # it is not being read just now
    service.fault("drop_before")
    set_list_of_resources(service, as_of=None, due_at=None)
    apply_id = registrar.begin(plan)
    eventually(lambda: list_of_resources(service).failure, PATIENCE)
    eventually(lambda: outcome_of(registrar, plan, "T") == "waiting", PATIENCE)
    assert [one["outcome"] for one in registrar.items(plan)] == ["pending", "pending", "waiting"]
    service.heal()
    eventually(lambda: outcome_of(registrar, plan, "T") == "done", PATIENCE)
    set_list_of_resources(service, due_at=time.time())  # as a minute later
    assert registrar.ended(apply_id)["counts"]["done"] == 3
    rooms = {one["section"]: one["resource"]["system_name"] for one in registrar.recordings()}
    assert rooms == {"L": "EXTRON-SCI-210", "R": "EXTRON-SCI-101", "T": "EXTRON-SCI-101"}


def outcome_of(registrar: Registrar, plan: Json, key: str) -> str:
    (one,) = [one for one in registrar.items(plan) if one["section"] == key]
    return str(one["outcome"])


def set_list_of_resources(service: Lectern, **values: Any) -> None:
    with service.app.state.database.write() as session:
        session.execute(update(Round).where(col(Round.name) == RESOURCES).values(**values))


def list_of_resources(service: Lectern) -> Round:
    """What is known of it: when it was read, why not."""
    with service.app.state.database.read() as session:
        return session.get(Round, RESOURCES) or Round(name=RESOURCES)


# Somebody else


@pytest.mark.both_databases
@pytest.mark.parametrize("status", [ChainStatus.UNDOING, ChainStatus.WAITING])
def test_a_room_that_somebody_s_chain_in_trouble_holds_keeps_no_other_room_waiting(
    registrar: Registrar, status: ChainStatus
) -> None:
    service = registrar.service
    room = service.get("/resources/EXTRON-SCI-101")["id"]
    plan = registrar.plan(
        [section("held"), *(section(f"S{hour}", "SCI 210", f"{hour}:00", f"{hour}:50") for hour in (10, 11, 12))]
    )
    with first_in_line(service.app.state.database, room, status):
        apply_id = registrar.begin(plan)
        eventually(lambda: service.get(f"{registrar.path}/applies/{apply_id}")["counts"]["done"] == 3)
    assert registrar.ended(apply_id)["counts"]["done"] == 4


def test_what_a_lecturer_changed_after_the_plan_is_stale_whatever_was_to_be_done(registrar: Registrar) -> None:
    plan = second_night(registrar)
    touched = ("later", "left", "off", "old-number")
    own = next(one for one in registrar.service.get("/recordings", limit=100)["items"] if one["title"] == "Course mine")
    for recording in (*(of(registrar, key) for key in touched), own):
        found(registrar.service.client.patch(f"/recordings/{recording['id']}", json={"title": "By a lecturer"}))
    done = registrar.apply(plan)
    stale = {one["section"] for one in done["items"] if one["outcome"] == "stale"}
    assert stale == {"later", "left", "right", "off", "new-number", "mine"}, "who swaps goes along"
    assert {one["section"]: one["outcome"] for one in done["items"]}["fresh"] == "conflict", "its room was not left"
    ended = {item["section"]: item["outcome"] for item in registrar.items(plan)}
    assert {key for key, outcome in ended.items() if outcome == "done"} == {"title", "by-hand", "fresh-too"}
    by_a_lecturer = [
        one for one in registrar.service.get("/recordings", limit=100)["items"] if "lecturer" in one["title"]
    ]
    assert {one["status"] for one in by_a_lecturer} == {"scheduled"}
    assert len(by_a_lecturer) == len(touched) + 1


@pytest.mark.both_databases
def test_of_applies_at_once_one_runs(registrar: Registrar) -> None:
    sections = [section(f"S{hour}", start=f"{hour:02}:00", end=f"{hour:02}:50") for hour in range(8, 14)]
    plans = [registrar.plan(sections)["id"] for _ in range(2)] * 4
    start = threading.Barrier(len(plans))

    def begin(plan_id: str) -> tuple[int, Json]:
        start.wait()
        answer = registrar.service.client.post(f"{registrar.path}/plans/{plan_id}/apply", json={})
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(len(plans)) as clients:
        answers = list(clients.map(begin, plans))
    assert Counter(status for status, _ in answers)[202] == 1
    (begun,) = {shown["id"] for status, shown in answers if status in (200, 202)}
    refused = {shown["code"] for status, shown in answers if status == 409}
    assert refused <= {"apply_running", "plan_superseded"}
    assert registrar.ended(begun)["counts"]["done"] == len(sections)
    assert len(registrar.recordings()) == len(sections)
    nothing_twice(registrar.service)


@pytest.mark.both_databases
def test_two_replicas_do_each_item_once(tmp_path: Path, database_url: str) -> None:
    """Both think that it is their turn, again and again."""
    sandbox = Sandbox(server_zone="UTC")
    with ExitStack() as stack:
        services = []
        for _ in range(2):
            own = settings(tmp_path, database_url=database_url, kaltura_server_time_zone="UTC")
            app = create_app(own, transport=SandboxTransport(sandbox))
            services.append(Lectern(app, stack.enter_context(client_of(app)), sandbox, embedded(sandbox).sign_in()))
        add_rooms(services[0], [name for name in TERM["rooms"].values() if name])
        registrar = Registrar(services[0])
        registrar.set()
        plan = second_night(registrar)
        apply_id, owners = registrar.begin(plan), set[str | None]()
        while registrar.service.get(f"{registrar.path}/applies/{apply_id}")["status"] == "running":
            with services[1].app.state.database.write() as session:
                owners.add(session.get_one(Apply, apply_id).owner)
                session.execute(update(Apply).values(lease_until=0.0))
            services[1].app.state.terms.applier.thread.wake()  # or all may be done before it looks by itself
        assert len(owners - {None}) == 2
        all_is_done_once(registrar, registrar.ended(apply_id))
    sandbox.close()
