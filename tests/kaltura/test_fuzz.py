"""Whatever bytes and values come: a result in its shape, or a KalturaError. Nothing else."""

import json
from contextlib import closing, suppress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kaltura.errors import KalturaError, scrubbed
from app.kaltura.gate import Gate
from app.kaltura.transport import LONGEST_PAUSE, exchange, http_client, retry_after
from tests.kaltura.upstream import CALLS, LISTS, Upstream, answer, event

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
NAMES = st.sampled_from(["id", "parentId", "status", "startDate", "endDate", "summary", "tags", "objectType", "name"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXT, inner, max_size=3),
    max_leaves=8,
)
ERRORS = st.fixed_dictionaries(
    {"objectType": st.just("KalturaAPIException")}, optional={"code": VALUES, "message": VALUES, "args": VALUES}
)
ALMOST = st.dictionaries(NAMES, VALUES, max_size=3).map(lambda wrong: event(1) | wrong)
ANSWERS = VALUES | ERRORS | ALMOST | st.builds(lambda n, o: {"totalCount": n, "objects": o}, VALUES, st.lists(ALMOST))


@pytest.mark.parametrize("name", [*CALLS, *LISTS])
@settings(max_examples=30)
@given(value=ANSWERS)
def test_any_value(name: str, value: object) -> None:
    upstream = Upstream()
    kaltura = upstream.will(*[answer(value)] * 20)
    with suppress(KalturaError):
        (CALLS.get(name) or LISTS[name])[0](kaltura)
    kaltura.close()


@settings(max_examples=200)
@given(body=st.binary() | VALUES.map(json.dumps).map(str.encode), status=st.sampled_from([200, 200, 200, 429, 500]))
def test_any_bytes(body: bytes, status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    with closing(http_client("https://kaltura.example", transport=transport)) as http, suppress(KalturaError):
        json.dumps(exchange(http, Gate(), "system", "ping", {}))


@given(
    header=st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [-+A-Z\d]{3,5}\Z")
)
def test_any_pause(header: str) -> None:
    pause = retry_after(header)
    assert pause is None or 0 <= pause <= LONGEST_PAUSE


@given(before=TEXT, after=TEXT, secret=st.text("abcXYZ019+/=_-", min_size=12, max_size=300))
def test_no_session_survives_scrubbing(before: str, after: str, secret: str) -> None:
    shown = scrubbed(f"{before}{secret}{after}", [secret])
    assert secret not in shown
    shown.encode()
