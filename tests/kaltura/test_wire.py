"""Over real sockets: what was surely not sent, and what may have been done."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from app.kaltura.errors import KalturaError, Transient, Unknown
from app.kaltura.gate import Gate
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
