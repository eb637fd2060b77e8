"""`lectern check --write` leaves nothing behind: when an answer is lost, when it is told to stop, when it is killed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.database.account import Account
from app.database.migrating import MIGRATIONS
from app.operations.checks import REFERENCE, Finding, check
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests import processes
from tests.processes import SIGN_IN, Process
from tests.service import NOTHING, Json, Lectern, eventually, lectern

ADDS = [("media", "add", "entries"), ("schedule_scheduleEvent", "add", "events")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("checks")) as running:
        yield running


def checked(service: Lectern) -> list[Finding]:
    service.calls()
    state, account = service.app.state, Account("sandbox:", 0)
    return list(check(state.database, MIGRATIONS, state.kaltura, account, per_second=5.0, confirms=True, write=True))


def wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if not finding.ok]


def entry(service: Lectern, reference: str) -> str:
    made: Json = service.kaltura(
        "media",
        "add",
        entry={"objectType": "KalturaMediaEntry", "mediaType": 1, "name": "x"} | {"referenceId": reference},
    )
    return str(made["id"])


def event(service: Lectern, reference: str, **more: object) -> int:
    return int(service.kaltura.add_event(referenceId=reference, **more)["id"])


# Killed, or told to stop, in the middle of a call


def run(folder: Path, url: str) -> Process:
    environment = {"LECTERN_KALTURA_URL": url, "LECTERN_DATABASE_URL": f"sqlite:///{folder}/lectern.db", **SIGN_IN}
    return processes.launch(["check", "--write"], folder, environment, folder / "check.log")


@contextmanager
def interrupted(
    folder: Path, how: signal.Signals, service: str, action: str, kind: str
) -> Iterator[tuple[Sandbox, str, int]]:
    """A check that got that signal when Kaltura had added one and not answered yet: Kaltura, its address, the code."""
    sandbox = Sandbox()
    with running(sandbox) as url:
        sandbox.set_faults({"faults": [{"service": service, "action": action, "fault": "delay", "seconds": 60}]})
        process = run(folder, url)
        eventually(lambda: sandbox.state()[kind], 30)
        process.send_signal(how)
        code = process.wait(30)
        sandbox.set_faults({})
        yield sandbox, url, code
    sandbox.close()


def left(sandbox: Sandbox) -> dict[str, Any]:
    state = sandbox.state()
    return {kind: state[kind] for kind in NOTHING}


@pytest.mark.parametrize(("of", "action", "kind"), ADDS)
def test_what_a_killed_check_has_left_the_next_one_removes(tmp_path: Path, of: str, action: str, kind: str) -> None:
    with interrupted(tmp_path, signal.SIGKILL, of, action, kind) as (sandbox, url, _code):
        (stays,) = left(sandbox)[kind]
        assert run(tmp_path, url).wait(30) == 0
        told = (tmp_path / "check.log").read_text()
        assert f"that an earlier check had left: {stays['id']}\n" in told
        assert left(sandbox) == NOTHING


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize(("of", "action", "kind"), ADDS)
def test_a_check_that_is_told_to_stop_tidies_up(
    tmp_path: Path, how: signal.Signals, code: int, of: str, action: str, kind: str
) -> None:
    with interrupted(tmp_path, how, of, action, kind) as (sandbox, _url, ended):
        assert ended == code
        assert left(sandbox) == NOTHING
    assert "Traceback" not in (tmp_path / "check.log").read_text()


# Lost answers, and others at work


@pytest.mark.parametrize(("of", "action", "kind"), ADDS)
def test_what_was_added_without_an_answer_is_removed(service: Lectern, of: str, action: str, kind: str) -> None:
    service.fault("drop_after", of, action, times=1)
    (told,) = wrong(checked(service))
    assert "it is not known whether" in told.checked
    assert REFERENCE in told.what_to_do
    assert service.left() == NOTHING


@pytest.mark.parametrize(("of", "kind"), [("media", "entries"), ("schedule_scheduleEvent", "events")])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_deletion_without_an_answer_is_made_again(service: Lectern, fault: str, of: str, kind: str) -> None:
    service.fault(fault, of, "delete", times=1)
    assert len(wrong(checked(service))) == 1
    assert service.left() == NOTHING
    assert wrong(checked(service)) == []


def test_what_cannot_be_looked_for_now_is_removed_by_the_next_check(service: Lectern) -> None:
    service.sandbox.set_faults(
        {
            "faults": [
                {"service": "media", "action": "add", "fault": "drop_after", "times": 1},
                {"service": "media", "action": "delete", "fault": "http_500", "times": 1},
            ]
        }
    )
    (told,) = wrong(checked(service))
    assert "Run it again later" in told.what_to_do
    (stays,) = service.left()["entries"]
    service.heal()
    findings = checked(service)
    assert wrong(findings) == []
    assert any(stays["id"] in finding.checked for finding in findings)
    assert service.left() == NOTHING


def test_two_checks_at_once_are_in_nobody_s_way(service: Lectern) -> None:
    """The other one takes ours for what was left, and is first."""

    def first(of: str, action: str, phase: str) -> None:
        if (action, phase) == ("delete", "before"):
            service.sandbox.watch = None
            for each in service.left()["entries"]:
                service.kaltura("media", "delete", entryId=each["id"])

    service.sandbox.watch = first
    assert wrong(checked(service)) == []
    assert service.left() == NOTHING


def test_what_may_not_be_deleted_is_named_and_no_second_one_is_added(service: Lectern) -> None:
    service.fault("error", "media", "delete", code="SERVICE_FORBIDDEN")
    for _ in range(2):
        (told,) = wrong(checked(service))
        (stays,) = service.left()["entries"]
        assert "Kaltura forbids media.delete (SERVICE_FORBIDDEN)" in told.checked
        assert stays["id"] in told.checked
    service.heal()
    assert wrong(checked(service)) == []
    assert service.left() == NOTHING


@pytest.mark.parametrize(
    "reference",
    ["lectern-check", f"{REFERENCE}r", f"{REFERENCE}-2", REFERENCE.upper(), f"x-{REFERENCE}", "lectern check write"],
)
def test_nothing_is_removed_but_what_carries_its_very_reference(service: Lectern, reference: str) -> None:
    theirs, meeting = entry(service, reference), event(service, reference)
    before = service.left()
    assert wrong(checked(service)) == []
    assert service.left() == before
    service.kaltura("media", "delete", entryId=theirs)
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=meeting)


def test_its_event_is_harmless(service: Lectern) -> None:
    checked(service)
    *_, sent = (
        each for each in service.sandbox.requests() if each["action"] == "add" and "scheduleEvent" in each["params"]
    )
    event_ = sent["params"]["scheduleEvent"]
    ahead = datetime.fromtimestamp(event_["startDate"], UTC) - datetime.now(UTC)
    assert timedelta(days=364) < ahead <= timedelta(days=365)
    assert event_["endDate"] - event_["startDate"] == 60
    assert not {"templateEntryId", "recurrence", "resourceIds", "entryIds"} & set(event_)
    assert not [
        each
        for each in service.sandbox.requests()
        if each["service"] == "schedule_scheduleEventResource" and each["action"] == "add"
    ]
