"""One exchange with Kaltura over HTTP: bytes out, a JSON value or a KalturaError back. Nothing else knows httpx.

A request is `POST /api_v3/service/<service>/action/<action>` with a JSON object as body (exchange 1). Kaltura reads it
only under exactly ``Content-Type: application/json`` (exchange 62); the body always says ``"format": 1``, or the answer
were XML.

A time-out of httpx is for one wait, and a peer that sends a byte at a time begins a new one with each. So whoever asks
says how long the whole may take, and each connect, write and read gets what is left of it:

    with within(60.0):
        transport.handle_request(...)  # and the reading of the answer

What is not bounded is the look-up of the host's name, which is the system's, and of several addresses each is tried
for as long as the first one.
"""

import json
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from math import inf
from time import monotonic

import httpcore
import httpx

from app.kaltura.errors import KalturaError, Throttled, Transient, Unknown, from_code
from app.kaltura.gate import Gate

TOTAL_SECONDS = 60.0
"""For one exchange, once it is its turn; a series of 1,000 takes Kaltura eight seconds to add and nine to cancel."""

MAX_BYTES = 10_000_000
"""Of one answer; a page of 500 events is about 0.4 MB."""

LONGEST_PAUSE = 300.0
"""Seconds; a longer Retry-After is cut to it."""

_HEADERS = {
    "User-Agent": "lectern",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # so that the limit on bytes means what is held in memory
}

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_WHY: Mapping[type[BaseException], str] = {
    socket.gaierror: ": its host name has no address (DNS)",
    ssl.SSLError: ": its certificate is not accepted, or it does not speak TLS there",
    ConnectionRefusedError: ": nothing listens at its address",
    httpx.ConnectTimeout: ": no connection within the time-out",
}
_FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)


class Http:
    """One thread's way to Kaltura: httpx' transport, without the Client around it.

    What a Client adds (redirects, cookies, proxies of the environment) is not wanted here, and a quarter of what a
    request costs.
    """

    def __init__(self, base_url: str, transport: httpx.BaseTransport, timeout: httpx.Timeout) -> None:
        self._base = base_url.rstrip("/").removesuffix("/api_v3")
        host = httpx.URL(self._base).netloc.decode("ascii")
        self._headers = httpx.Headers({"Host": host, **_HEADERS})
        self._transport = transport
        self._extensions = {"timeout": timeout.as_dict()}

    @contextmanager
    def post(self, service: str, action: str, body: bytes) -> Iterator[httpx.Response]:
        """The answer, whose body is still to be read. Raises httpx' exceptions."""
        # Put together from its parts: finding out what httpx would takes it as long as sending them.
        headers = self._headers.copy()
        headers["Content-Length"] = str(len(body))
        request = httpx.Request(
            "POST",
            _address(self._base, service, action),
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions=self._extensions,
        )
        response = self._transport.handle_request(request)
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        self._transport.close()


def http_client(
    base_url: str,
    *,
    transport: httpx.BaseTransport | None = None,
    connect: float = 5.0,
    read: float = 30.0,
) -> Http:
    """`transport` stands in for the network (the embedded sandbox). Times are in seconds, `read` for each wait."""
    network = Network(_certificates()) if transport is None else transport
    return Http(base_url, network, httpx.Timeout(read, connect=connect, pool=connect))


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once a process: it takes 19 ms, and every worker thread has a client."""
    return httpx.create_ssl_context(trust_env=False)


def checked(answer: object, hide: Iterable[str]) -> object:
    """`answer`, unless it is one of Kaltura's errors, which is raised. No error shows what is in `hide`."""
    if isinstance(answer, dict) and answer.get("objectType") == "KalturaAPIException":
        raise _kaltura_error(answer, hide)
    return answer


def exchange(
    http: Http,
    gate: Gate,
    service: str,
    action: str,
    params: Mapping[str, object],
    *,
    hide: Iterable[str] = (),
    total: float = TOTAL_SECONDS,
    max_bytes: int = MAX_BYTES,
    for_itself: bool = True,
    parts: int = 1,
    check: Callable[[object, Iterable[str]], object] = checked,
) -> object:
    """What `check` makes of the JSON value that Kaltura answers with, in a turn of its own through the gate.

    Not `for_itself`: no call gets an answer while this one gets none. `parts` is how many calls it is.

    Raises Refused for an error of Kaltura's that is for good; Transient when nothing was sent or Kaltura said that it
    did nothing; Unknown for everything else. `hide` is what no error may show. ValueError for parameters that are not
    JSON (a lone surrogate, NaN), before anything is sent.
    `total` is over all of it, connecting and headers included; less where the caller has less left (`within`).
    """
    body = json.dumps({**params, "format": 1}, ensure_ascii=False, allow_nan=False).encode()
    with gate.turn(hash((service, action, body)) if for_itself else None, parts):
        try:
            with within(total):
                answer = _decoded(_posted(http, service, action, body, max_bytes))
        except KalturaError as error:
            error.outage = True  # no answer of Kaltura's: nobody would get one
            raise
        return check(answer, hide)


@lru_cache
def _address(base: str, service: str, action: str) -> httpx.URL:
    """Remembered, because httpx takes a third of its time for a request to put one together."""
    return httpx.URL(f"{base}/api_v3/service/{service}" + (f"/action/{action}" if action else ""))


def _posted(http: Http, service: str, action: str, body: bytes, max_bytes: int) -> bytes:
    try:
        with http.post(service, action, body) as response:
            _check_status(response)
            return _read(response, max_bytes)
    except _NOT_SENT as error:
        raise Transient(f"Kaltura cannot be reached{_why(error)} ({type(error).__name__})") from None
    except _FOREIGN as error:
        # From None, here and below: the exception's text may hold what the other side sent.
        raise Unknown(f"the connection to Kaltura failed ({type(error).__name__})") from None


def _why(error: BaseException | None) -> str:
    """What is in the way of a connection, in words of ours: the exception's own may hold names."""
    while error is not None:
        for kind, why in _WHY.items():
            if isinstance(error, kind):
                return why
        error = error.__cause__ or error.__context__
    return ""


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: a number or a date), at most five minutes; None if neither."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return min(float(value), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_PAUSE)


def _check_status(response: httpx.Response) -> None:
    """Kaltura answers all but its collapses with 200 (the others seen: exchanges 596 and 662, both without a body)."""
    status = response.status_code
    pause = retry_after(response.headers.get("Retry-After"))
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("Kaltura asks for fewer calls (HTTP 429)", pause, sent=True)
    if response.is_redirect or response.is_client_error:
        raise Unknown(f"HTTP {status} instead of an answer: is Kaltura's address right?")
    if status != httpx.codes.OK:
        raise Unknown(f"HTTP {status} instead of an answer", pause)


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unknown("the answer is compressed, which was not asked for")
    raw = bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > max_bytes:
            raise Unknown(f"the answer is larger than {max_bytes} bytes")
        if left() <= 0:
            raise Unknown("the answer took too long")
    return bytes(raw)


def _decoded(raw: bytes) -> object:
    try:
        return json.loads(raw.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        if raw.lstrip()[:1] == b"<":
            raise Unknown("a web page instead of an answer: is Kaltura's address right, is a proxy between?") from None
        raise Unknown("the answer is not JSON") from None


def _no_constant(_name: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def _kaltura_error(answer: dict[str, object], hide: Iterable[str]) -> KalturaError:
    code, message, args = answer.get("code"), answer.get("message"), answer.get("args")
    if not isinstance(code, str) or not code:
        return Unknown("an error without a code")
    return from_code(
        code,
        message if isinstance(message, str) else "",
        # Empty arguments are a list, others an object of strings (exchanges 29, 207).
        {name: value for name, value in args.items() if isinstance(value, str)} if isinstance(args, dict) else {},
        hide,
    )


# The network: httpcore's, and a deadline over all that is waited for

CONNECTIONS = 100
KEPT_SECONDS = 5.0  # for the next exchange; servers and what stands between end what is idle for longer
PIECE = 16_384  # bytes; httpcore begins a new wait whenever a peer has taken some of what it was given

_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limits all that this thread waits for inside the block. A block within another ends no later than that one."""
    token = _deadline.set(min(_deadline.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def left() -> float:
    """Seconds until this thread's deadline; infinite without one."""
    return _deadline.get() - monotonic()


def _wait(timeout: float | None, over: type[httpcore.TimeoutException]) -> float | None:
    """How long to wait now, at most. Raises `over` where there is nothing left."""
    rest = left()
    if rest <= 0:
        raise over("the whole took too long")
    return timeout if rest == inf else rest if timeout is None else min(rest, timeout)


class _Stream(httpcore.NetworkStream):
    """A connection that looks at the deadline before each wait."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _wait(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for begin in range(0, len(buffer), PIECE):
            self._stream.write(buffer[begin : begin + PIECE], _wait(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait = _wait(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Makes such connections."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        wait = _wait(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, wait, local_address, socket_options))


class Network(httpx.BaseTransport):
    """What `httpx.HTTPTransport` is, over such connections: it takes none. Raises httpx' exceptions."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        with _in_words_of_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _in_words_of_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


_SHARED = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


@contextmanager
def _in_words_of_httpx() -> Iterator[None]:
    """httpcore's exceptions as those of the same names in httpx."""
    try:
        yield
    except _SHARED as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
