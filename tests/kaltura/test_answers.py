"""Wrong answers: never believed, unknown after a write, harmless after a read; and a session that ends."""

from collections.abc import Callable

import httpx
import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused, SessionRefused, SignInFailed, Transient, Unknown
from app.kaltura.gate import SPREAD
from app.kaltura.observing import Permissions
from app.kaltura.types import Link
from tests.kaltura.upstream import (
    CALLS,
    ENTRY,
    EVENT,
    LISTS,
    Reply,
    Upstream,
    answer,
    event,
    recorded,
    refusal,
)

READS = [
    "ping",
    "time",
    "get_resource",
    "get_entry",
    "get_event",
    "get_category",
    "get_conflicts",
    "newest_event_id",
    "newest_occurrences_at",
    *LISTS,
]
WRITES = [name for name in CALLS if name not in READS]
ANY_KIND = {("newest_event_id", "a list of something else")}  # which it may be
WRONG: dict[str, Reply] = {
    "nothing at all": lambda: httpx.Response(200),
    "a number": answer(7),
    "a sentence": answer("Fatal error"),
    "a list": answer([]),
    "an empty object": answer({}),
    "false": answer(False),
    "another type": answer({"objectType": "KalturaUser", "id": 1}),
    "an id that is a string": answer(event(1) | {"id": "1"}),
    "a list of something else": answer({"totalCount": 1, "objects": [{"objectType": "KalturaUser", "id": 1}]}),
    "a list without a total": answer({"objects": []}),
    "a list that is an object": answer({"totalCount": 1, "objects": {"0": event(1)}}),
    "a negative total": answer({"totalCount": -1, "objects": []}),
    "html": lambda: httpx.Response(200, html="<html>"),
    "an internal error": refusal("INTERNAL_SERVERL_ERROR"),
    "a database error": refusal("INTERNAL_DATABASE_ERROR"),
    "a bad gateway": lambda: httpx.Response(502),
}


def call(name: str) -> Callable[[KalturaClient], object]:
    return (CALLS.get(name) or LISTS[name])[0]


WRONG_READS = [(name, wrong) for name in READS for wrong in WRONG if (name, wrong) not in ANY_KIND]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_with_a_wrong_answer_is_unknown(upstream: Upstream, name: str, wrong: str) -> None:
    with pytest.raises(Unknown):
        call(name)(upstream.will(WRONG[wrong]))
    assert upstream.observed[-1][2] == "unknown"


@pytest.mark.parametrize(("name", "wrong"), WRONG_READS)
def test_a_read_with_a_wrong_answer_is_tried_again_later(upstream: Upstream, name: str, wrong: str) -> None:
    with pytest.raises(Transient) as caught:
        call(name)(upstream.will(WRONG[wrong]))
    assert caught.value.sent
    assert upstream.observed[-1][2] == "transient"


def test_null_is_not_an_object(upstream: Upstream) -> None:
    with pytest.raises(Unknown, match=r"media\.add: answer is not as expected"):
        upstream.will(answer(None)).add_entry(ENTRY)


def test_an_error_names_the_place_but_not_the_value(upstream: Upstream) -> None:
    with pytest.raises(Unknown) as caught:
        upstream.will(answer(event(1) | {"endDate": "canary"})).add_event(EVENT)
    assert str(caught.value) == "schedule_scheduleEvent.add: endDate is not as expected (datetime_type)"


@pytest.mark.parametrize("name", [*CALLS, *LISTS])
def test_a_reserved_resource_or_a_limit_is_transient_for_every_action(upstream: Upstream, name: str) -> None:
    replies: list[Reply] = [
        refusal("RESOURCE_IS_RESERVED"),
        lambda: httpx.Response(429, headers={"Retry-After": "9"}),
    ]
    for reply, pause in zip(replies, (5, 9), strict=True):
        with pytest.raises(Transient) as caught:
            call(name)(upstream.will(reply))
        assert caught.value.retry_after is not None
        assert pause <= caught.value.retry_after <= pause + SPREAD


# The session


def test_an_expired_session_is_renewed_once_and_the_call_repeated_once(upstream: Upstream) -> None:
    kaltura = upstream.will(recorded(298), recorded(24), recorded(298))
    kaltura.add_link(1989, 9)
    assert kaltura.add_link(1989, 9) == Link(event_id=1989, resource_id=9)
    assert [params["ks"] for _, params in upstream.calls] == ["ks-1", "ks-1", "ks-2"]
    assert upstream.sign_ins == 2


def test_a_session_that_is_refused_twice_is_transient(upstream: Upstream) -> None:
    with pytest.raises(SessionRefused) as caught:
        upstream.will(recorded(24), recorded(24)).add_event(EVENT)
    assert isinstance(caught.value, Transient)
    assert upstream.sign_ins == 2


def test_a_failed_sign_in_reaches_the_caller_as_a_reason_to_wait(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = SignInFailed("START_SESSION_ERROR", "no")

    def fail(_stale: str) -> str:
        raise failure

    kaltura = upstream.will(recorded(24))
    monkeypatch.setattr(kaltura._sessions, "renew", fail)
    with pytest.raises(SignInFailed) as caught:
        kaltura.add_event(EVENT)
    assert caught.value is failure


def test_every_call_is_observed_with_its_outcome(upstream: Upstream) -> None:
    upstream.will(recorded(1)).ping()
    with pytest.raises(KalturaError):
        upstream.will(lambda: httpx.Response(500)).cancel_event(1)
    assert upstream.observed == [("system", "ping", "done"), ("schedule_scheduleEvent", "cancel", "unknown")]


def test_what_kaltura_forbids_is_remembered_until_it_is_allowed_or_an_hour_has_gone_by() -> None:
    now = [0.0]
    permissions = Permissions(lambda: now[0])
    assert permissions.idle == float("inf")
    permissions.observe("schedule_scheduleEvent", "list", Refused("SERVICE_FORBIDDEN"), 0.1)
    permissions.observe("media", "add", Refused("FEATURE_FORBIDDEN"), 0.1)
    permissions.observe("media", "get", Refused("ENTRY_ID_NOT_FOUND"), 0.1)
    assert permissions.missing() == {
        "media.add": "FEATURE_FORBIDDEN",
        "schedule_scheduleEvent.list": "SERVICE_FORBIDDEN",
    }
    permissions.observe("media", "add", Transient("away"), 0.1)
    assert "media.add" in permissions.missing()
    permissions.observe("media", "add", None, 0.1)
    assert list(permissions.missing()) == ["schedule_scheduleEvent.list"]
    now[0] = 3600.0
    assert permissions.missing() == {}
    assert permissions.idle == 3600.0
