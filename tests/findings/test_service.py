"""Findings about the service and its encoders: raised by making it happen or by silence, gone when it is mended."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.database.types import utc_now
from app.findings import service as kinds_of_service
from app.findings.watch import Watch
from app.operations import readiness
from app.resources.models import Mirror, Resource
from app.sandbox.seed.seed import RESOURCE_ID
from tests.clocks import HostClock, set_clock
from tests.findings.world import Told, kinds, later, look, soon
from tests.resources.polls import PATH, book, make_round, refresh
from tests.service import Json, Lectern, eventually, found

STATE = "/resources/EXTRON-100-ABC/state"


def minutes(service: Lectern, clock: HostClock, count: int) -> None:
    """So many go by, in which the service is there."""
    for _ in range(count):
        clock.off_by += 60
        service.app.state.signs.write()


def silent(service: Lectern) -> list[Json]:
    """The copies of schedules grow old meanwhile: they are read at the time that it really is."""
    return [one for one in look(service) if one["kind"] == "encoder_silent"]


@pytest.mark.both_databases
def test_an_encoder_that_stops_polling_before_a_session(
    service: Lectern, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(service, soon(30))
    refresh(service)  # which polls
    clock = set_clock(0.0, monkeypatch)
    service.app.state.signs.write()
    minutes(service, clock, 4)
    assert silent(service) == []
    minutes(service, clock, 2)
    (one,) = silent(service)
    assert (one["kind"], one["severity"]) == ("encoder_silent", "now")
    assert one["subject"]["resource"]["id"] == RESOURCE_ID
    (session,) = service.get(PATH)["occurrences"]
    assert one["subject"]["occurrence_id"] == session["uid"]
    service.app.state.signs.write()  # of the poll just now
    assert silent(service) == []
    minutes(service, clock, 30)
    assert "has been running since" in silent(service)[0]["detail"]
    minutes(service, clock, 60)
    assert silent(service) == [], "nothing is recorded there any more"
    of_encoders = [one for one in told if one[1] == "encoder_silent"]
    assert of_encoders == [("raised", "encoder_silent"), ("cleared", "encoder_silent")] * 2


def test_an_encoder_is_not_silent_while_nobody_was_there_to_be_polled(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service was stopped for twenty minutes: all encoders have five minutes to come back."""
    book(service, soon(40))
    refresh(service)
    clock = set_clock(0.0, monkeypatch)
    service.app.state.signs.write()
    clock.off_by += 1200
    assert silent(service) == []
    minutes(service, clock, 4)
    assert silent(service) == []
    minutes(service, clock, 3)
    assert silent(service)


@pytest.mark.parametrize("booked", [False, True], ids=["nothing", "a session in two hours"])
def test_an_encoder_may_be_silent_when_it_has_nothing_to_do(
    service: Lectern, monkeypatch: pytest.MonkeyPatch, booked: bool
) -> None:
    if booked:
        book(service, soon(120))
    refresh(service)
    clock = set_clock(0.0, monkeypatch)
    service.app.state.signs.write()
    minutes(service, clock, 10)
    assert silent(service) == []


def test_a_resource_that_nobody_ever_polled_is_not_silent(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    start = soon(30).replace(second=0)
    service.made({"title": "t", "resource": RESOURCE_ID, "start": start.isoformat(), "duration_minutes": 50})
    clock = set_clock(0.0, monkeypatch)
    minutes(service, clock, 10)
    assert silent(service) == []


@pytest.mark.both_databases
def test_an_encoder_that_says_it_is_in_trouble(service: Lectern, told: Told) -> None:
    book(service, soon(30))
    refresh(service)
    (session,) = service.get(PATH)["occurrences"]
    for _ in range(2):
        found(service.client.put(STATE, json={"state": "error", "detail": "Disk full", "occurrence": session["uid"]}))
        (one,) = look(service)
    assert (one["kind"], one["severity"], one["subject"]["occurrence_id"]) == ("encoder_error", "now", session["uid"])
    assert "Disk full." in one["detail"]
    found(service.client.put(STATE, json={"state": "idle"}))
    assert look(service) == []
    assert told == [("raised", "encoder_error"), ("cleared", "encoder_error")]


def test_an_encoder_in_trouble_with_a_session_that_is_not_its_own(service: Lectern) -> None:
    book(service, soon(30))
    refresh(service)
    (session,) = service.get(PATH)["occurrences"]
    other = "/resources/EXTRON-200-DEF/state"
    for path, occurrence in ((STATE, "nonsense"), (other, session["uid"])):
        found(service.client.put(path, json={"state": "error", "occurrence": occurrence}))
        (one,) = look(service)
        assert (one["kind"], one["subject"]["occurrence_id"]) == ("encoder_error", None)
        found(service.client.put(path, json={"state": "idle"}))


def test_what_an_encoder_says_stays_within_one_line(service: Lectern) -> None:
    """`lectern check` and mail have a line for each finding: none may be made up."""
    found(service.client.put(STATE, json={"state": "error", "detail": "Disk full.\r\n\tok  all is well\n"}))
    (one,) = look(service)
    assert one["detail"].endswith("in trouble: Disk full. ok all is well.")


def test_a_copy_of_a_schedule_that_grows_old(service: Lectern, told: Told) -> None:
    refresh(service)
    service.fault("html", "schedule_scheduleEvent", "list")
    refresh(service)
    assert look(service) == []
    later(service, timedelta(minutes=11))
    (one,) = look(service)
    assert (one["kind"], one["severity"], one["subject"]["resource"]["id"]) == ("mirror_stale", "soon", RESOURCE_ID)
    later(service, timedelta(0))
    service.heal()
    refresh(service)
    assert look(service) == []
    assert told == [("raised", "mirror_stale"), ("cleared", "mirror_stale")]


def test_copies_that_grew_old_while_the_service_was_stopped(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has failed, and they are read soon after the start. What then is not read is a finding."""
    refresh(service)
    clock = set_clock(0.0, monkeypatch)
    service.app.state.signs.write()
    with service.app.state.database.write() as session:
        held = {"asked_at": 4e9, "lease_until": 4e9, "fence": col(Mirror.fence) + 1}  # nobody reads them now
        session.execute(update(Mirror).values(**held))
    clock.off_by += 1200
    service.app.state.signs.write()
    assert look(service) == []
    minutes(service, clock, 6)
    assert kinds(look(service)) == ["mirror_stale"]


def test_many_old_copies_are_one_finding(service: Lectern, told: Told) -> None:
    refresh(service)
    make_round(service)  # the next one, a minute later, would find these resources gone
    with service.app.state.database.write() as session:
        session.add_all(Resource(id=number, name="r", kind="camera") for number in range(1, 301))
        session.flush()
        long_ago = {"as_of": utc_now() - timedelta(minutes=20), "failure": "Kaltura is away"}
        held = {"asked_at": 4e9, "lease_until": 4e9}  # nobody looks at them now
        session.execute(update(Mirror).where(col(Mirror.resource_id) < 301).values(**long_ago, **held))
    (one,) = look(service)
    assert "300 resources" in one["detail"]
    assert told == [("raised", "mirror_stale")]


def test_kaltura_that_is_away(service: Lectern, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds_of_service, "AWAY", 0.0)
    service.fault("drop_before")
    service.client.get("/resources")
    (one,) = look(service)
    assert (one["kind"], one["severity"], one["subject"]["resource"]) == ("kaltura_away", "now", None)
    assert service.get("/readyz")["parts"]["findings"]["detail"] == "1 now: GET /findings lists them"
    service.heal()
    eventually(lambda: service.client.get("/resources").is_success)
    assert look(service) == []
    assert told == [("raised", "kaltura_away"), ("cleared", "kaltura_away")]


def test_a_sign_in_that_is_refused(service: Lectern, told: Told) -> None:
    sessions = service.app.state.watch._findings._sessions
    service.fault("error", "appToken", code="APP_TOKEN_EXPIRED")
    with sessions._lock:
        sessions._session = None  # the one there was is over
    service.client.get("/resources")
    (one,) = look(service)
    assert (one["kind"], one["severity"]) == ("sign_in_refused", "now")
    assert look(service) == [one], "also the time since when it is so"
    service.heal()
    eventually(lambda: service.client.get("/resources").is_success)
    assert look(service) == []
    assert told == [("raised", "sign_in_refused"), ("cleared", "sign_in_refused")]


def test_a_service_that_nobody_uses_asks_kaltura_by_itself(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a secret that ran out in the night would be found by the first lecturer."""
    watch: Watch = service.app.state.watch
    monkeypatch.setattr(readiness, "ASK_AFTER", 0.0)
    for each in watch._before:
        each()
    assert eventually(lambda: "scheduleEvent.list" in service.calls())
