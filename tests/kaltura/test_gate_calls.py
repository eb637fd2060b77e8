"""One call's trouble is nobody else's: what it takes for the gate to hold all calls back."""

import httpx
import pytest

from app.kaltura.errors import KalturaError, Throttled, Transient, Unknown
from app.kaltura.gate import DIFFERENT, LONGEST, OUTAGES, Gate
from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.transport import SandboxTransport
from tests.kaltura.campus import Campus


def busy(pause: float | None = 60.0) -> Unknown:
    return Unknown("HTTP 503 instead of an answer", pause, outage=True)


def ends(gate: Gate, call: str | None, end: KalturaError) -> KalturaError:
    with pytest.raises(type(end)) as caught, gate.turn(call):
        raise end
    assert caught.value is end
    return end


def test_one_call_s_retry_after_is_that_call_s_own(gate: Gate) -> None:
    for _ in range(4 * OUTAGES):
        error = ends(gate, "one document", busy())
        assert (error.retry_after, error.outage) == (60.0, False)
        assert gate.state().name == "closed"


def test_what_makes_one_object_and_looks_for_it_may_both_fail_for_long(gate: Gate) -> None:
    for number in range(4 * OUTAGES):
        ends(gate, ("add", "look")[number % 2], busy(None))
    assert gate.state().name == "closed"


def test_several_different_calls_in_a_row_hold_all_back_as_long_as_was_asked(gate: Gate) -> None:
    for number in range(OUTAGES):
        assert gate.state().name == "closed"
        ends(gate, f"call {number % DIFFERENT}", busy(300.0))
    assert gate.state().next_probe == 300.0


def test_an_answer_in_between_begins_the_row_anew(gate: Gate) -> None:
    for number in range(4 * OUTAGES):
        ends(gate, f"call {number}", busy())
        with gate.turn("another"):
            pass
    assert gate.state().name == "closed"


@pytest.mark.parametrize(
    ("end", "call"),
    [(Throttled("HTTP 429", 60.0, sent=True, outage=True), "one"), (busy(), None)],
    ids=["too many calls", "signing in"],
)
def test_what_all_depend_on_holds_all_back_at_once(gate: Gate, end: KalturaError, call: str | None) -> None:
    ends(gate, call, end)
    assert gate.state().next_probe == 60.0


def test_a_connection_that_cannot_be_made_is_nobody_s_own_trouble(gate: Gate) -> None:
    for _ in range(OUTAGES):
        ends(gate, "one", Transient("Kaltura cannot be reached", outage=True))
    assert 0 < (gate.state().next_probe or 0) <= LONGEST


class Choosy(SandboxTransport):
    """Refuses to answer what is about one object, and says for how long."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if b"unlucky" in request.read():
            return httpx.Response(503, headers={"Retry-After": "300"})
        return super().handle_request(request)


def test_one_document_that_gets_503_holds_no_other_back(campus: Campus) -> None:
    unlucky, *others = campus.clients
    unlucky._http._transport = Choosy(campus.sandbox)
    for _ in range(2 * OUTAGES):
        with pytest.raises(Transient) as caught:
            unlucky.find_entries("unlucky")
        assert (caught.value.retry_after, caught.value.outage) == (300.0, False)
        found = campus.ask(others[0])
        assert not isinstance(found, KalturaError)
    for _ in range(2 * OUTAGES):  # nor when it is the only one that asks for a while
        with pytest.raises(Transient):
            unlucky.find_entries("unlucky")
    assert [one.id for one in others[0].list_resources(ids=[RESOURCE_ID])] == [RESOURCE_ID]
