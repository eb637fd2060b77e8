"""Whatever the other side sends, or doesn't: one of three kinds of error, and never a text of its own choosing."""

import gzip
import json
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
import respx

from app.kaltura.errors import CODES, KalturaError, Refused, SessionRefused, Transient, Unknown
from app.kaltura.gate import SPREAD, Gate
from app.kaltura.transport import Http, exchange, http_client, retry_after

URL = "https://kaltura.example/api_v3/service/media/action/get"
SESSION = "the-session"
SECRET = "canary-in-an-answer"


@pytest.fixture
def http() -> Iterator[Http]:
    with closing(http_client("https://kaltura.example")) as client:
        yield client


def ask(http: Http, **limits: float) -> object:
    return exchange(http, Gate(), "media", "get", {"entryId": "0_a", "ks": SESSION}, hide=(SESSION,), **limits)  # type: ignore[arg-type]


def failure(http: Http, **limits: float) -> KalturaError:
    with pytest.raises(KalturaError) as caught:
        ask(http, **limits)
    printed = "".join(traceback.format_exception(caught.value))
    assert SECRET not in printed
    assert SESSION not in printed
    return caught.value


def family(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from family(child)


NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout"}
SENT_OR_UNCLEAR = {
    "CloseError",
    "CookieConflict",
    "DecodingError",
    "HTTPError",
    "HTTPStatusError",
    "InvalidURL",
    "LocalProtocolError",
    "NetworkError",
    "ProtocolError",
    "ProxyError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "RequestError",
    "RequestNotRead",
    "ResponseNotRead",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "TimeoutException",
    "TooManyRedirects",
    "TransportError",
    "UnsupportedProtocol",
    "WriteError",
    "WriteTimeout",
}


def test_every_exception_of_httpx_is_accounted_for() -> None:
    theirs = {kind.__name__ for kind in family(Exception) if kind.__module__.split(".")[0] == "httpx"}
    assert theirs == NOT_SENT | SENT_OR_UNCLEAR


def raised(name: str) -> Exception:
    kind = getattr(httpx, name)
    if name in {"RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed"}:
        return kind()  # type: ignore[no-any-return]
    if name == "HTTPStatusError":
        return httpx.HTTPStatusError(SECRET, request=httpx.Request("POST", URL), response=httpx.Response(500))
    return kind(SECRET)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", sorted(NOT_SENT))
def test_without_a_connection_nothing_was_sent(respx_mock: respx.MockRouter, http: Http, name: str) -> None:
    respx_mock.post(URL).mock(side_effect=raised(name))
    error = failure(http)
    assert isinstance(error, Transient)
    assert not error.sent
    assert name in error.reason


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://no-such-host.invalid", "its host name has no address (DNS)"),
        ("http://127.0.0.1:9", "nothing listens at its address"),
    ],
)
def test_a_connection_that_fails_says_why_without_a_name(address: str, says: str) -> None:
    with closing(http_client(address)) as http:
        error = failure(http)
    assert isinstance(error, Transient)
    assert error.reason == f"Kaltura cannot be reached: {says} (ConnectError)"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, "", "HTTP 404 instead of an answer: is Kaltura's address right?"),
        (200, "  <!DOCTYPE html><title>Sign on", "a web page instead of an answer: is Kaltura's address right"),
        (200, "Sign on", "the answer is not JSON"),
    ],
)
def test_what_is_no_kaltura_is_named(
    respx_mock: respx.MockRouter, http: Http, status: int, body: str, says: str
) -> None:
    respx_mock.post(URL).respond(status, text=body)
    error = failure(http)
    assert isinstance(error, Unknown)
    assert says in error.reason


@pytest.mark.parametrize("name", sorted(SENT_OR_UNCLEAR))
def test_after_sending_the_outcome_is_unknown(respx_mock: respx.MockRouter, http: Http, name: str) -> None:
    respx_mock.post(URL).mock(side_effect=raised(name))
    assert isinstance(failure(http), Unknown)


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 401, 403, 404, 408, 413, 500, 502, 503, 504, 599])
def test_a_status_that_kaltura_does_not_use_is_unknown(respx_mock: respx.MockRouter, http: Http, status: int) -> None:
    respx_mock.post(URL).respond(status, text=SECRET, headers={"Location": "https://elsewhere.example/"})
    error = failure(http)
    assert isinstance(error, Unknown)
    assert str(status) in error.reason
    assert len(respx_mock.calls) == 1


def test_503_keeps_its_pause(respx_mock: respx.MockRouter, http: Http) -> None:
    respx_mock.post(URL).respond(503, headers={"Retry-After": "7"})
    assert 7 <= (failure(http).retry_after or 0) <= 7 + SPREAD


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("86400", 300), ("0", None), (None, None), ("soon", None), ("-5", None), ("٣", None), ("", None)],
)
def test_429_is_transient_and_keeps_its_pause(
    respx_mock: respx.MockRouter, http: Http, header: str | None, seconds: float | None
) -> None:
    respx_mock.post(URL).respond(429, headers=[] if header is None else [(b"Retry-After", header.encode())])
    error = failure(http)
    assert isinstance(error, Transient)
    assert error.sent
    if seconds is None:
        assert error.retry_after is None
    else:
        assert seconds <= (error.retry_after or 0) <= seconds + SPREAD


@pytest.mark.parametrize(("ahead", "low", "high"), [(60, 55, 60), (-60, 0, 0), (86_400, 300, 300)])
def test_retry_after_may_be_a_date(ahead: int, low: float, high: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    pause = retry_after(date)
    assert pause is not None
    assert low <= pause <= high


@pytest.mark.parametrize(
    "absurd",
    [
        "Fri, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Fri, 99999999999999999999 Jan 2027 00:00:00 GMT",
        "Fri, 01 Jan 2027 00:00:00 +99999999999999999999",
    ],
)
def test_a_date_that_is_none_is_no_pause(respx_mock: respx.MockRouter, http: Http, absurd: str) -> None:
    respx_mock.post(URL).respond(503, headers={"Retry-After": absurd})
    error = failure(http)
    assert isinstance(error, Unknown)
    assert error.retry_after is None


BROKEN = {
    "nothing": b"",
    "html": b"<!DOCTYPE html><html><body>" + SECRET.encode() + b"</body></html>",
    "xml": b'<?xml version="1.0"?><xml><result><error><code>SERVICE_FORBIDDEN</code></error></result></xml>',
    "truncated": b'{"id": "0_a", "name": "' + SECRET.encode(),
    "two values": b'{"id": 1} {"id": 2}',
    "not utf-8": b'{"name": "\xff\xfe"}',
    "utf-16": json.dumps({"id": 1}).encode("utf-16"),
    "nan": b'{"id": NaN}',
    "infinity": b"[-Infinity]",
    "too deep": b"[" * 200_000,
    "too long a number": b"1" * 10_000,
    "an error without a code": b'{"objectType": "KalturaAPIException", "message": "' + SECRET.encode() + b'"}',
    "an error with an odd code": b'{"objectType": "KalturaAPIException", "code": {"a": 1}}',
    "an error with an empty code": b'{"objectType": "KalturaAPIException", "code": ""}',
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_unknown(respx_mock: respx.MockRouter, http: Http, body: bytes) -> None:
    respx_mock.post(URL).respond(200, content=body, headers={"Content-Type": "application/json"})
    assert isinstance(failure(http), Unknown)


class Trickle(httpx.SyncByteStream):
    """An answer that never ends; counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.taken += 1000
            yield b" " * 1000

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("limits", [{"max_bytes": 50_000}, {"total": 0.0}], ids=["bytes", "time"])
def test_an_endless_answer_is_left_at_the_limit(limits: dict[str, float]) -> None:
    stream = Trickle()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))
    with closing(http_client("https://kaltura.example", transport=transport)) as http:
        assert isinstance(failure(http, **limits), Unknown)
    assert stream.taken <= 51_000
    assert stream.closed


def test_a_compressed_answer_is_not_unpacked(respx_mock: respx.MockRouter, http: Http) -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    respx_mock.post(URL).respond(200, content=bomb, headers={"Content-Encoding": "gzip"})
    assert isinstance(failure(http), Unknown)


def test_the_request_is_as_kaltura_wants_it(respx_mock: respx.MockRouter, http: Http) -> None:
    route = respx_mock.post(URL).respond(200, json=True)
    assert exchange(http, Gate(), "media", "get", {"name": "Überblick 数学 📹", "entryId": "0_a"}) is True
    request = route.calls.last.request
    assert request.headers["Content-Type"] == "application/json"
    assert request.url.query == b""
    assert json.loads(request.content) == {"name": "Überblick 数学 📹", "entryId": "0_a", "format": 1}


@pytest.mark.parametrize(
    "base", ["https://kaltura.example", "https://kaltura.example/", "https://kaltura.example/api_v3/"]
)
def test_the_address_may_be_written_in_several_ways(respx_mock: respx.MockRouter, base: str) -> None:
    respx_mock.post(URL).respond(200, json=None, content=b"null")
    with closing(http_client(base)) as http:
        assert ask(http) is None


@pytest.mark.parametrize("value", ["\ud800", float("nan")])
def test_what_is_not_json_is_never_sent(respx_mock: respx.MockRouter, http: Http, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError or json's own
        exchange(http, Gate(), "media", "get", {"name": value})
    assert not respx_mock.calls


def test_no_cookie_is_kept(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post(URL).respond(200, json=True, headers={"Set-Cookie": "a=b; Path=/"})
    with closing(http_client("https://kaltura.example")) as http:
        ask(http)
        ask(http)
    assert "Cookie" not in route.calls.last.request.headers


# Kaltura's own errors, which come with HTTP 200


def answer_with(respx_mock: respx.MockRouter, code: str, message: object = "", args: object = ()) -> None:
    error = {"objectType": "KalturaAPIException", "code": code, "message": message, "args": args}
    respx_mock.post(URL).respond(200, json=error)


KINDS = {
    "RESOURCE_IS_RESERVED": Transient,
    "INVALID_KS": SessionRefused,
    "INTERNAL_SERVERL_ERROR": Unknown,
    "INTERNAL_SERVER_ERROR": Unknown,
    "INTERNAL_DATABASE_ERROR": Unknown,
}


def test_the_table_of_codes_is_the_one_tested_here() -> None:
    assert KINDS.keys() == CODES.keys()


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_some_codes_are_not_refusals(
    respx_mock: respx.MockRouter, http: Http, code: str, kind: type[KalturaError]
) -> None:
    answer_with(respx_mock, code, f'Invalid KS "{SESSION}"', {"KSID": SESSION})
    error = failure(http)
    assert type(error) is kind
    assert error.retry_after == (5 if code == "RESOURCE_IS_RESERVED" else None)


@pytest.mark.parametrize("args", [[], {}, None, "x", {"ID": ["a"]}, {"ID": 7}])
def test_any_other_code_is_refused_whatever_its_arguments(
    respx_mock: respx.MockRouter, http: Http, args: object
) -> None:
    answer_with(respx_mock, "SCHEDULE_TIME_IN_USE", "Another event is already scheduled during this time", args)
    error = failure(http)
    assert isinstance(error, Refused)
    assert (error.code, error.arguments) == ("SCHEDULE_TIME_IN_USE", {})
    assert error.message == "Another event is already scheduled during this time"


def test_a_refusal_keeps_kalturas_words_but_no_session(respx_mock: respx.MockRouter, http: Http) -> None:
    other_session = "djJ8MTAzf" + "Ab-_" * 40
    answer_with(
        respx_mock, "INVALID_OBJECT_ID", f"Invalid\r\nid [{SESSION}] [{other_session}]", {"ID": SESSION, "N": "99"}
    )
    error = failure(http)
    assert isinstance(error, Refused)
    assert error.message == "Invalid id [[hidden]] [[hidden]]"
    assert error.arguments == {"ID": "[hidden]", "N": "99"}


def test_a_refusal_is_short(respx_mock: respx.MockRouter, http: Http) -> None:
    answer_with(respx_mock, "a sentence " * 100, "many words " * 1000, {f"k{n}": "v " * 1000 for n in range(1000)})
    error = failure(http)
    assert isinstance(error, Refused)
    assert len(error.code) <= 300
    assert len(error.message) <= 300
    assert len(error.arguments) <= 20
    assert all(len(value) <= 300 for value in error.arguments.values())


def test_a_sentence_as_code_is_a_refusal_too(respx_mock: respx.MockRouter, http: Http) -> None:
    answer_with(respx_mock, "Can't update single schedule event with recurring data")  # 412
    assert isinstance(failure(http), Refused)
