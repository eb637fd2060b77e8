"""The network to Kaltura: httpcore's, and a deadline over all that is waited for.

A time-out of httpx is for one wait, and a peer that sends a byte at a time begins a new one with each. So whoever asks
says how long the whole may take, and each connect, write and read gets what is left of it:

    with within(60.0):
        transport.handle_request(...)  # and the reading of the answer

What is not bounded is the look-up of the host's name, which is the system's, and of several addresses each is tried
for as long as the first one.
"""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

import httpcore
import httpx

CONNECTIONS = 100
KEPT_SECONDS = 5.0  # for the next exchange; servers and what stands between end what is idle for longer
PIECE = 16_384  # bytes; httpcore begins a new wait whenever a peer has taken some of what it was given

_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that this thread waits for in this block takes at most so long. A block in another ends with it."""
    token = _deadline.set(min(_deadline.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def left() -> float:
    """Seconds until the deadline; none is infinite."""
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
