"""The client against the sandbox: the calls of a chain in order, faults on the way, and sessions that end."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused, SignInFailed, Transient, Unknown
from app.kaltura.gate import SPREAD
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import http_client
from app.kaltura.types import CANCELLED, SERIES, EntryDraft, EventDraft, epoch
from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, CATEGORY_ID, PARTNER_ID, RESOURCE_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport

BY_SECRET = Credentials(PARTNER_ID, admin_secret=ADMIN_SECRET, user="lectern")
BY_TOKEN = Credentials(PARTNER_ID, app_token_id=APP_TOKEN_ID, app_token=APP_TOKEN)
START = datetime(2027, 1, 13, 14, tzinfo=UTC)
TERM = (START - timedelta(days=1), START + timedelta(days=365))
ENTRY = EntryDraft(
    name="MATH-123",
    reference_id="lectern-rec_1-0",
    tags=["mathematics"],
    category_ids=[CATEGORY_ID],
    owner="lecturer1",
    editors=["ta1"],
)


def series(reference_id: str = "lectern-rec_1-1", start: datetime = START, weeks: int = 5) -> EventDraft:
    return EventDraft(
        summary="MATH-123",
        start=start,
        end=start + timedelta(minutes=50),
        reference_id=reference_id,
        recurrence={
            "frequency": "weeks",
            "interval": 1,
            "byDay": "WE",
            "until": epoch(start + timedelta(weeks=weeks - 1, hours=1)),
            "timeZone": "UTC",
        },
    )


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def sessions_for(sandbox: Sandbox, credentials: Credentials = BY_SECRET) -> Sessions:
    return Sessions(http_client("http://sandbox", transport=SandboxTransport(sandbox)), credentials)


def client_for(sandbox: Sandbox, sessions: Sessions, read: float = 5.0) -> KalturaClient:
    return KalturaClient(http_client("http://sandbox", transport=SandboxTransport(sandbox), read=read), sessions)


@pytest.fixture
def kaltura(sandbox: Sandbox) -> Iterator[KalturaClient]:
    sessions = sessions_for(sandbox)
    client = client_for(sandbox, sessions)
    yield client
    client.close()
    sessions.close()


def sign_ins(sandbox: Sandbox) -> int:
    return sum(request["action"] in ("start", "startSession") for request in sandbox.requests())


@pytest.mark.parametrize("credentials", [BY_SECRET, BY_TOKEN], ids=["secret", "token"])
def test_the_calls_of_a_chain_and_its_undoing(sandbox: Sandbox, credentials: Credentials) -> None:
    sessions = sessions_for(sandbox, credentials)
    kaltura = client_for(sandbox, sessions)
    kaltura.ping()
    [room] = kaltura.list_resources(system_name="extron-100-abc")
    assert (room.id, room.kind) == (RESOURCE_ID, "camera")
    assert kaltura.get_resource(room.id) == room
    channel = kaltura.find_category("Canvas>site>channels>1234")
    assert channel is not None

    entry = kaltura.add_entry(ENTRY)
    assert kaltura.find_entries("lectern-rec_1-0") == [entry] == [kaltura.get_entry(entry.id)]

    assert kaltura.list_events_on_resource(room.id, *TERM) == []
    parent = kaltura.add_event(series())
    assert [found.id for found in kaltura.find_events("lectern-rec_1-1")] == [parent.id]
    assert parent.recurrence_type == SERIES
    children = kaltura.list_children(parent.id)
    assert [child.start for child in children] == [START + timedelta(weeks=n) for n in range(5)]
    assert kaltura.cancel_event(children[1].id).status == CANCELLED

    assert kaltura.get_conflicts([room.id], series(), parent.id, kind="both") == []
    link = kaltura.add_link(parent.id, room.id)
    assert kaltura.list_links(parent.id) == [link]
    shown = kaltura.list_events_on_resource(room.id, *TERM)
    assert [event.start for event in shown] == [START + timedelta(weeks=n) for n in (0, 2, 3, 4)]
    assert len(kaltura.list_children(parent.id)) == 5
    assert kaltura.get_conflicts([room.id], series("other", START + timedelta(minutes=10)), kind="both") == shown

    kaltura.delete_event(parent.id)
    kaltura.delete_entry(entry.id)
    assert kaltura.get_event(parent.id) is None
    assert kaltura.get_entry(entry.id) is None
    state = sandbox.state()
    assert not state["events"]
    assert not state["entries"]
    assert not state["event_resources"]
    assert sign_ins(sandbox) == 1
    kaltura.close()
    sessions.close()


def test_six_hundred_occurrences_come_in_two_pages(sandbox: Sandbox, kaltura: KalturaClient) -> None:
    every_day = {"frequency": "days", "interval": 1, "count": 600, "timeZone": "UTC"}
    end = START + timedelta(minutes=50)
    draft = EventDraft(summary="s", start=START, end=end, reference_id="r-1", recurrence=every_day)
    children = kaltura.list_children(kaltura.add_event(draft).id)
    assert [child.start for child in children] == [START + timedelta(days=n) for n in range(600)]
    assert [request["params"]["pager"]["pageIndex"] for request in sandbox.requests()[-2:]] == [1, 2]


def test_a_resource_is_made(kaltura: KalturaClient) -> None:
    made = kaltura.add_resource("location", "Room 702", "ROOM-702", "Second floor")
    assert kaltura.list_resources(ids=[made.id]) == [made]
    assert made.kind == "location"
    with pytest.raises(Refused, match="SYSTEM_NAME_ALREADY_EXISTS"):
        kaltura.add_resource("location", "Room 702", "room-702", None)


# Faults (the numbers are those of the rows in the list of fault scenarios)


def fault(sandbox: Sandbox, name: str, **more: object) -> None:
    always = {"service": "schedule_scheduleEvent", "action": "add", "fault": name}
    sandbox.set_faults({"faults": [{**always, **more}]})


@pytest.mark.parametrize(
    ("name", "more", "done"),
    [
        ("drop_before", {}, False),
        ("drop_after", {}, True),
        ("delay", {"seconds": 0.3}, True),  # 3
        ("http_500", {}, False),  # 6
        ("html", {}, False),  # 9
        ("truncated", {}, True),
        ("error", {"code": "INTERNAL_SERVERL_ERROR"}, False),  # 8
        ("error", {"code": "INTERNAL_DATABASE_ERROR"}, False),
    ],
)
def test_an_unknown_outcome_is_found_out_by_its_reference_id(
    sandbox: Sandbox, name: str, more: dict[str, object], done: bool
) -> None:
    sessions = sessions_for(sandbox)
    kaltura = client_for(sandbox, sessions, read=0.1)
    fault(sandbox, name, times=1, **more)
    with pytest.raises(Unknown):
        kaltura.add_event(series())
    assert len(kaltura.find_events("lectern-rec_1-1")) == done
    kaltura.close()
    sessions.close()


def test_a_limit_on_calls_says_how_long(sandbox: Sandbox, kaltura: KalturaClient) -> None:  # 7
    fault(sandbox, "http_429", retry_after=7)
    with pytest.raises(Transient) as caught:
        kaltura.add_event(series())
    assert caught.value.retry_after is not None
    assert 7 <= caught.value.retry_after <= 7 + SPREAD


def test_an_outage_of_the_search_makes_an_add_unknown_though_it_was_done(
    sandbox: Sandbox, kaltura: KalturaClient
) -> None:
    sandbox.set_faults({"modes": {"search_down": True}})
    with pytest.raises(Unknown):
        kaltura.add_event(series())
    with pytest.raises(Transient):
        kaltura.find_events("lectern-rec_1-1")
    assert sandbox.state()["events"]


def test_another_session_has_reserved_the_room(sandbox: Sandbox, kaltura: KalturaClient) -> None:
    sessions = sessions_for(sandbox)
    other = client_for(sandbox, sessions)
    assert other.get_conflicts([RESOURCE_ID], series(), kind="both") == []
    with pytest.raises(Transient) as caught:
        kaltura.get_conflicts([RESOURCE_ID], series(), kind="both")
    assert caught.value.retry_after == 5
    other.close()
    sessions.close()


# Sessions (10, 11)


def at_once(number: int, act: Callable[[], object]) -> list[object]:
    start = threading.Barrier(number)

    def one(_: int) -> object:
        start.wait(5)
        try:
            return act()
        except KalturaError as failure:
            return failure

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_all_workers_share_one_renewal(sandbox: Sandbox) -> None:
    sessions = sessions_for(sandbox)
    clients = [client_for(sandbox, sessions) for _ in range(8)]
    for client in clients:
        client.ping()
    assert sign_ins(sandbox) == 1
    sandbox.expire_sessions()
    free = iter(clients)
    found = at_once(8, lambda: next(free).get_resource(RESOURCE_ID))
    assert {getattr(room, "id", room) for room in found} == {RESOURCE_ID}
    assert sign_ins(sandbox) == 2
    for client in clients:
        client.close()
    sessions.close()


def test_a_write_under_an_expired_session_is_done_once(sandbox: Sandbox, kaltura: KalturaClient) -> None:
    kaltura.ping()
    sandbox.expire_sessions()
    parent = kaltura.add_event(series())
    assert [found.id for found in kaltura.find_events("lectern-rec_1-1")] == [parent.id]
    assert sign_ins(sandbox) == 2


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (Credentials(PARTNER_ID, admin_secret="wrong"), "START_SESSION_ERROR"),
        (Credentials(999_999, admin_secret=ADMIN_SECRET), "SERVICE_FORBIDDEN_CONTENT_BLOCKED"),
        (Credentials(PARTNER_ID, app_token_id="0_nope", app_token=APP_TOKEN), "APP_TOKEN_ID_NOT_FOUND"),
        (Credentials(PARTNER_ID, app_token_id=APP_TOKEN_ID, app_token="wrong"), "INVALID_APP_TOKEN_HASH"),
        (Credentials(999_999, app_token_id=APP_TOKEN_ID, app_token=APP_TOKEN), "INVALID_WIDGET_ID"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_sign_in_is_named(sandbox: Sandbox, credentials: Credentials, code: str) -> None:
    sessions = sessions_for(sandbox, credentials)
    with pytest.raises(SignInFailed) as caught:
        client_for(sandbox, sessions).ping()
    assert caught.value.code == code
    assert sessions.problem is caught.value
    sessions.close()
