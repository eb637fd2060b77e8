"""Over real sockets: what was surely not sent, and what may have been done."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from app.kaltura import session
from app.kaltura.errors import KalturaError, Transient, Unknown
from app.kaltura.gate import Gate
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import exchange, http_client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\ntrue"


@contextmanager
def server(behave: Callable[[socket.socket], object]) -> Iterator[str]:
    """Listens on a free port; each connection's request is read up to its body, then `behave` has it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def failure(url: str, read: float = 5.0) -> KalturaError:
    with closing(http_client(url, read=read)) as http, pytest.raises(KalturaError) as caught:
        exchange(http, Gate(), "system", "ping", {})
    return caught.value


def test_a_closed_port_and_an_unknown_host_mean_not_sent() -> None:
    with server(lambda _: None) as url:
        pass
    for address in (url, "http://kaltura.invalid"):
        error = failure(address)
        assert isinstance(error, Transient)
        assert not error.sent


def test_a_server_that_speaks_no_tls_is_named() -> None:
    with server(lambda connection: connection.sendall(ANSWER)) as url:
        error = failure(url.replace("http:", "https:"))
    assert isinstance(error, Transient)
    assert "does not speak TLS" in error.reason


SILENCE = threading.Event()


@pytest.mark.parametrize(
    ("behave", "read"),
    [
        (lambda _: None, 5),
        (lambda connection: connection.sendall(ANSWER[:20]), 5),
        (lambda connection: connection.sendall(ANSWER[:-1]), 5),
        (lambda connection: connection.sendall(b"<html>canary</html>\r\n\r\n"), 5),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), 5),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000), 5),
        (lambda _: SILENCE.wait(0.3), 0.1),
    ],
    ids=["closed", "half a header", "half a body", "no HTTP", "odd length", "endless header", "silence"],
)
def test_a_connection_that_breaks_after_sending_is_unknown(
    behave: Callable[[socket.socket], object], read: float
) -> None:
    with server(behave) as url:
        error = failure(url, read)
    assert isinstance(error, Unknown)
    assert "canary" not in str(error)


# A peer that trickles: each byte comes well before any wait is over, and after fifteen seconds it would be an answer.

TRICKLED = 150
HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Long: "


def trickle(connection: socket.socket, begin: bytes, rest: bytes) -> None:
    with suppress(OSError):  # it is not waited for
        connection.sendall(begin)
        for _ in range(TRICKLED):
            SILENCE.wait(0.1)
            connection.sendall(b" ")
        connection.sendall(rest)


TRICKLES: dict[str, Callable[[socket.socket], None]] = {
    "header": lambda connection: trickle(connection, HEADER, b"x\r\n\r\ntrue"),
    "body": lambda connection: trickle(
        connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (TRICKLED + 4), b"true"
    ),
}


@pytest.mark.parametrize("behave", TRICKLES.values(), ids=TRICKLES.keys())
def test_an_exchange_ends_in_time_whatever_trickles_in(behave: Callable[[socket.socket], None]) -> None:
    with server(behave) as url, closing(http_client(url)) as http, pytest.raises(Unknown):
        exchange(http, Gate(), "system", "ping", {}, total=0.5)


def test_a_request_that_nobody_reads_ends_in_time() -> None:
    with (
        server(lambda _: SILENCE.wait(3)) as url,
        closing(http_client(url)) as http,
        pytest.raises(Unknown, match="WriteTimeout"),
    ):
        exchange(http, Gate(), "system", "ping", {"name": "x" * 30_000_000}, total=0.5)


def test_a_sign_in_ends_in_time_over_all_its_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SIGN_IN_SECONDS", 0.5)
    with server(TRICKLES["header"]) as url, closing(http_client(url)) as http:
        sessions = Sessions(http, Credentials(101, app_token_id="0_a", app_token="x"))
        with pytest.raises(Transient):
            sessions.current()


def test_no_proxy_of_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with server(lambda connection: connection.sendall(ANSWER)) as url, closing(http_client(url)) as http:
        assert exchange(http, Gate(), "system", "ping", {}) is True


def test_a_connection_that_was_closed_while_idle_is_simply_opened_again() -> None:
    with server(lambda connection: connection.sendall(ANSWER)) as url, closing(http_client(url)) as http:
        for _ in range(3):
            assert exchange(http, Gate(), "system", "ping", {}) is True
            SILENCE.wait(0.05)
