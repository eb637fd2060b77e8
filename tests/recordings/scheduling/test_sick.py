"""A sick chain blocks nobody; what was cancelled is gone from the feed at once; what is stuck can be resumed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.chains.pauses import Pauses
from app.database.types import utc_now
from app.resources.feed import page
from tests.chains.stored import Bench, bench
from tests.conftest import Databases
from tests.data.chains.make import unsure
from tests.recordings.documents import SINGLE
from tests.service import Json, found, problem

ASYNC = {"Prefer": "respond-async"}
ROOM = 562931
AT_ONCE, NEVER = Pauses(aside=0.0), Pauses(aside=1e9)
DAYS = page.Window(datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))
SERIES = {"recurrence": {"frequency": "daily", "count": 3}}


@pytest.fixture
def it(tmp_path: Path, databases: Databases) -> Iterator[Bench]:
    with databases.one() as url, bench(tmp_path, database_url=url) as made:
        yield made


def send(it: Bench, method: str, path: str, **more: Any) -> Json:
    """What is accepted."""
    sent: Json = found(it.service.client.request(method, path, headers=ASYNC, **more), 202)
    return sent


def post(it: Bench, **changes: Any) -> str:
    return f"/recordings/{send(it, 'POST', '/recordings', json=SINGLE | changes)['id']}"


def scheduled(it: Bench, **changes: Any) -> str:
    path = post(it, **changes)
    it.run()
    assert status(it, path) == "scheduled"
    return path


def status(it: Bench, path: str) -> str:
    return str(it.service.get(path)["status"])


def shown(it: Bench) -> list[str]:
    """The titles that an encoder is shown."""
    with it.database.read() as session:
        return [booking.title for _, booking in page.page(session, ROOM, DAYS, utc_now()).rows]


def version(it: Bench) -> int:
    with it.database.read() as session:
        return int(session.connection().exec_driver_sql("SELECT sum(version) FROM mirror").scalar_one())


def titles(it: Bench) -> list[str]:
    return sorted(one["summary"] for one in it.service.sandbox.state()["events"])


@pytest.mark.parametrize(("fault", "action"), [("http_500", "media.add"), ("drop_after", "schedule_scheduleEvent.add")])
def test_a_chain_in_trouble_lets_others_by_and_minds_them_afterwards(it: Bench, fault: str, action: str) -> None:
    service, _, name = action.partition(".")
    it.service.fault(fault, service, name)
    sick = post(it, title="sick")
    it.run(pauses=AT_ONCE)
    it.service.heal()
    assert status(it, sick) == "scheduling"
    scheduled(it, title="healthy")
    it.run_to_the_end()
    assert it.service.get(sick)["problem"]["code"] == "schedule_conflict"
    assert titles(it) == ["healthy"]
    assert it.outcome()["lanes"] == 0


@pytest.mark.parametrize("pauses", [AT_ONCE, NEVER], ids=["stepped aside", "kept its lanes"])
def test_it_goes_on_where_it_was_if_nobody_is_in_its_way(it: Bench, pauses: Pauses) -> None:
    """Its own event, of which it never heard, is not in its way either."""
    it.service.fault("drop_after", "schedule_scheduleEvent", "add", times=1)
    sick = post(it, title="sick", **SERIES)
    it.run(pauses=pauses)
    other = post(it, title="other", start="2027-01-13T15:00:00")
    it.run(pauses=pauses)
    assert (status(it, other) == "scheduled") is (pauses is AT_ONCE)
    it.run_to_the_end()
    assert (status(it, sick), status(it, other)) == ("scheduled", "scheduled")
    assert len(it.service.sandbox.state()["event_resources"]) == 2
    assert len(shown(it)) == 4


def test_what_was_found_again_is_not_sent_again_though_conflicts_cannot_be_asked_for(it: Bench) -> None:
    """Its event was made and is known by then; the step that made it is not over."""
    it.service.fault("drop_after", "schedule_scheduleEvent", "add", times=1)
    sick = post(it, title="sick", **SERIES)
    it.run(pauses=AT_ONCE)
    it.service.fault("http_500", "schedule_scheduleEvent", "getConflicts", times=1)
    it.run_to_the_end()
    assert status(it, sick) == "scheduled"
    assert it.service.calls().count("scheduleEvent.add") == 1


def test_a_change_that_stepped_aside_asks_for_conflicts_anew(it: Bench) -> None:
    one = scheduled(it, title="one", **SERIES)
    send(it, "PATCH", one, json={"start": "2027-01-13T12:00:00"})
    it.service.fault("http_500", "schedule_scheduleEventResource", "add")
    it.run(pauses=AT_ONCE)
    it.service.heal()
    scheduled(it, title="two", start="2027-01-14T12:00:00")
    it.run_to_the_end()
    assert it.service.get(f"{one}/history")["items"][0]["status"] == "failed"
    assert it.service.get(one)["start"] == "2027-01-13T09:00:00"
    assert sorted(set(shown(it))) == ["one", "two"]


def test_a_cancellation_waits_for_no_other_recording(it: Bench) -> None:
    unwanted, partly = (
        scheduled(it, title="unwanted"),
        scheduled(it, title="partly", start="2027-02-13T15:00:00", **SERIES),
    )
    it.service.fault("http_500", "media", "add")
    post(it, title="sick", start="2027-01-13T11:00:00")
    it.run(pauses=NEVER)
    first = it.service.get(f"{partly}/occurrences")["items"][0]["id"]
    send(it, "DELETE", unwanted)
    send(it, "DELETE", f"{partly}/occurrences/{first}")
    it.run(pauses=NEVER)
    assert status(it, unwanted) == "cancelled"
    assert it.service.get(f"{partly}/occurrences")["items"][0]["status"] == "cancelled"


def test_who_comes_after_a_cancellation_waits_for_it(it: Bench) -> None:
    """The room is free then."""
    unwanted = scheduled(it, title="unwanted")
    it.service.fault("http_500", "schedule_scheduleEvent", "delete")
    send(it, "DELETE", unwanted)
    it.run(pauses=NEVER)
    instead = post(it, title="instead")
    it.run(pauses=NEVER)
    assert status(it, instead) == "scheduling"
    it.service.heal()
    it.run_to_the_end()
    assert (status(it, unwanted), status(it, instead)) == ("cancelled", "scheduled")


def test_what_was_cancelled_is_gone_from_the_feed_at_once(it: Bench) -> None:
    """Before its chain has done anything."""
    whole, partly = scheduled(it, title="whole"), scheduled(it, title="partly", start="2027-01-13T15:00:00", **SERIES)
    assert len(shown(it)) == 4
    before = version(it)
    send(it, "DELETE", whole)
    assert shown(it) == ["partly"] * 3
    assert version(it) > before
    before = version(it)
    first = it.service.get(f"{partly}/occurrences")["items"][0]["id"]
    send(it, "DELETE", f"{partly}/occurrences/{first}")
    assert shown(it) == ["partly"] * 2
    assert version(it) > before
    it.run_to_the_end()
    assert shown(it) == ["partly"] * 2
    send(it, "POST", f"{partly}/occurrences/{first}/restore")
    it.run_to_the_end()
    assert shown(it) == ["partly"] * 3


def test_a_session_whose_cancellation_is_refused_is_shown_again(it: Bench) -> None:
    path = scheduled(it, title="kept", **SERIES)
    first = it.service.get(f"{path}/occurrences")["items"][0]["id"]
    (series,) = (one for one in it.service.sandbox.state()["events"] if one["recurrenceType"] == 1)
    it.service.kaltura.update(series["id"], referenceId="somebody else's")
    send(it, "DELETE", f"{path}/occurrences/{first}")
    assert len(shown(it)) == 2
    it.run_to_the_end()
    assert it.service.get(f"{path}/history")["items"][0]["status"] == "failed"
    assert len(shown(it)) == 3


# Resuming


@pytest.mark.parametrize("changed", [False, True], ids=["its document", "the one that it is to have"])
def test_a_put_of_a_stuck_document_takes_it_up(it: Bench, changed: bool) -> None:
    first = SINGLE | {"reference_id": "PUT"}
    path = "/recordings/by-reference/PUT"
    if changed:
        send(it, "PUT", path, json=first)
        it.run_to_the_end()
    wanted = first | {"title": "Another"} if changed else first
    it.service.fault("http_500", "media", "update" if changed else "add")
    send(it, "PUT", path, json=wanted)
    it.run(patience=0.0)
    it.service.heal()
    recording = f"/recordings/{it.service.get('/recordings')['items'][0]['id']}"
    assert status(it, recording) == "stuck"
    if changed:
        problem(it.service.client.put(path, json=first), 409, "not_changeable")
    send(it, "PUT", path, json=wanted)
    it.run_to_the_end()
    assert status(it, recording) == "scheduled"
    assert it.service.get(recording)["title"] == wanted["title"]


def test_a_stuck_sweep_is_resumed_by_its_chain(it: Bench) -> None:
    unsure(it)
    it.database_sql("UPDATE chain SET next_attempt_at = 0 WHERE operation = 'sweep'")
    it.service.fault("http_500")
    it.run(patience=0.0)
    it.service.heal()
    part = it.service.client.get("/readyz").json()["parts"]["chains"]
    assert part["state"] == "degraded"
    chain_id = next(word.strip(",()") for word in part["detail"].split() if word.startswith("chn_"))
    assert send(it, "POST", f"/chains/{chain_id}/resume")["operation"] == "sweep"
    it.run()
    ended = problem(it.service.client.post(f"/chains/{chain_id}/resume"), 409, "nothing_to_resume")
    assert ended["status"] == 409
    assert len(it.service.sandbox.state()["entries"]) == 1
    problem(it.service.client.post("/chains/chn_nobody/resume"), 404, "not_found")


def test_a_stuck_recording_is_resumed_by_its_chain(it: Bench) -> None:
    it.service.fault("http_500", "media", "add")
    path = post(it)
    it.run(patience=0.0)
    it.service.heal()
    send(it, "POST", f"/chains/{it.service.get(path)['chain']['id']}/resume")
    assert status(it, path) == "scheduling"
    it.run_to_the_end()
    assert status(it, path) == "scheduled"


def test_what_is_resumed_looks_anew_at_what_is_booked_by_now(it: Bench) -> None:
    """While it was stuck, its room was anybody's."""
    it.service.fault("http_500", "media", "add")
    sick = post(it, title="sick")
    it.run(patience=0.0)
    it.service.heal()
    scheduled(it, title="healthy")
    it.service.calls()
    send(it, "POST", f"{sick}/resume")
    it.run_to_the_end()
    assert it.service.get(sick)["problem"]["code"] == "schedule_conflict"
    assert "media.add" not in it.service.calls()


def test_who_holds_others_up_for_long_is_told(it: Bench) -> None:
    it.service.fault("http_500", "media", "add")
    path = post(it, title="sick")
    it.run(pauses=NEVER)
    post(it, title="waits")
    it.run(pauses=NEVER)
    assert it.service.client.get("/readyz").json()["parts"]["chains"]["state"] == "ok"
    it.database_sql("UPDATE chain SET next_attempt_at = next_attempt_at - 601 WHERE waiting_for IS NOT NULL")
    part = it.service.client.get("/readyz").json()["parts"]["chains"]
    assert part["state"] == "degraded"
    assert it.service.get(path)["chain"]["id"] in part["detail"]
