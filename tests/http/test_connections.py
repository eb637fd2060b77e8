"""What strangers can hold, over real sockets: no connection for long, and never all of them."""

import asyncio
import errno
import json
import logging
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from app.http.limits import MAX_HEAD
from app.http.serving import connections
from app.http.serving.connections import RESERVED, Seldom
from app.http.serving.server import Server
from app.main import create_app
from app.recordings.document.document import EXAMPLE
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.processes import start_service
from tests.service import eventually, settings, with_tables

PATIENCE = 20.0  # seconds
MOST = 20
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def serving(folder: Path, transport: httpx.BaseTransport, **values: float | str) -> Iterator[Server]:
    """The service in a thread of this process, on a port of its own."""
    chosen = settings(with_tables(folder), port=0, connections=MOST, stop_seconds=2, **values)
    server = Server(create_app(chosen, transport=transport), chosen)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, PATIENCE)
        yield server
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with closing(Sandbox()) as sandbox, serving(tmp_path, SandboxTransport(sandbox), request_seconds=1.0) as running:
        yield running


def connected(server: Server, sent: bytes = b"") -> socket.socket:
    port = server.servers[0].sockets[0].getsockname()[1]
    made = socket.create_connection(("127.0.0.1", port), PATIENCE)
    with suppress(ConnectionError):  # it is refused before it has sent it all
        made.sendall(sent)
    return made


def read(connection: socket.socket, *, until: bytes = b"") -> bytes:
    """What comes, up to its end, or until something has come."""
    got = b""
    with suppress(ConnectionError):
        while (until == b"" or until not in got) and (more := connection.recv(65_536)):
            got += more
    return got


def asked(server: Server, request: bytes, *, until: bytes = b"") -> bytes:
    with connected(server, request) as connection:
        return read(connection, until=until)


def is_healthy(server: Server) -> bool:
    return asked(server, HEALTH, until=b"}").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("half", [b"", b"GET /hea", HEALTH[:-2]], ids=["nothing", "half a line", "half a head"])
def test_many_that_send_half_a_request_are_closed_and_stop_nobody(server: Server, half: bytes) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(connected(server, half)) for _ in range(3 * MOST)]
        for _ in range(3):
            assert is_healthy(server)
        assert len(server.server_state.connections) <= MOST + 1
        assert [read(one) for one in opened] == [b""] * len(opened)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\na\r\nx"], ids=["length", "chunks"]
)
def test_a_body_that_does_not_come_is_not_waited_for(server: Server, framing: bytes) -> None:
    begin = b"POST /recordings HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    assert asked(server, begin + framing) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /a b c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(server: Server, sent: bytes) -> None:
    head, _, body = asked(server, sent).partition(b"\r\n\r\n")
    told, shown = head.lower(), json.loads(body)
    assert told.startswith(b"http/1.1 400")
    assert b"content-type: application/problem+json" in told
    assert f"x-request-id: {shown['request_id']}".encode() in told
    assert shown["code"] == "bad_request"


@pytest.mark.parametrize(
    "path", ["/recordings/%ff", "/recordings/%zz", "/recordings/%", "/resources/%ff/upcoming", "/%"]
)
def test_an_address_that_is_badly_encoded_is_a_problem(server: Server, path: str) -> None:
    head, _, body = asked(server, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()).partition(
        b"\r\n\r\n"
    )
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "not_found"


def test_the_rest_of_a_request_that_was_answered_is_not_waited_for(server: Server) -> None:
    endless = b"POST /recordings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * 0x200000
    assert asked(server, endless).startswith(b"HTTP/1.1 413")


def test_a_request_that_is_refused_before_it_is_here_ends_no_connection(tmp_path: Path) -> None:
    head = b"POST /recordings HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    with (
        closing(Sandbox()) as sandbox,
        serving(tmp_path, SandboxTransport(sandbox), request_seconds=1.0, api_keys="a=" + "k" * 40) as server,
        connected(server) as connection,
    ):
        for _ in range(3):
            connection.sendall(head)
            assert read(connection, until=b"}").startswith(b"HTTP/1.1 401")
            connection.sendall(b"{bad}" + HEALTH)
            assert read(connection, until=b"}").startswith(b"HTTP/1.1 200")
        connection.sendall(head)
        assert b" 401 " in read(connection)  # and the rest is not waited for


def test_a_connection_that_is_kept_is_not_one_that_sends_nothing(server: Server) -> None:
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(HEALTH)
            assert read(connection, until=b"}").startswith(b"HTTP/1.1 200")
            threading.Event().wait(1.2)  # longer than a request may take
        connection.sendall(HEALTH[:10])
        assert read(connection) == b""


def test_requests_that_come_together_are_answered_one_after_the_other(server: Server) -> None:
    for rest in (HEALTH[:10], b"POST /recordings HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx"):
        with connected(server, HEALTH * 3 + rest) as connection:
            assert read(connection).count(b"HTTP/1.1 200") == 3  # and the rest of the fourth is not waited for


@pytest.mark.parametrize("size", [MAX_HEAD + 1, 60_000, 1_000_000])
def test_headers_that_are_too_large_are_refused_however_they_come(server: Server, size: int) -> None:
    answer = asked(server, HEALTH[:-2] + b"X: " + b"x" * size + b"\r\n\r\n")
    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"431")  # nothing: it was still sending
    assert is_healthy(server)


def test_a_head_without_an_end_is_refused_when_it_is_too_large(server: Server) -> None:
    with connected(server, HEALTH[:-2] + b"X: ") as connection:
        threading.Event().wait(0.2)  # until that has been read
        connection.sendall(b"x" * (MAX_HEAD + 1))
        assert read(connection).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["both", "HTTP/1.0"],
)
def test_a_body_that_two_would_read_differently_is_refused_and_the_connection_closed(
    server: Server, head: bytes
) -> None:
    answer = asked(server, b"POST /recordings " + head + b"0\r\n\r\n" + HEALTH)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"code": "bad_request"' in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_where_all_are_being_answered_supervisors_still_are(tmp_path: Path) -> None:
    away = threading.Event()

    def never(_request: httpx.Request) -> httpx.Response:
        away.wait(PATIENCE)
        return httpx.Response(500)

    slow = b"GET /resources HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving(tmp_path, httpx.MockTransport(never)) as server, ExitStack() as stack:
        try:
            for _ in range(MOST):
                stack.enter_context(connected(server, slow))
            eventually(lambda: len(server.server_state.tasks) == MOST, PATIENCE)
            assert is_healthy(server)
            refused = asked(server, b"GET /recordings HTTP/1.1\r\nHost: a\r\n\r\n")
            assert refused.startswith(b"HTTP/1.1 503")
            assert b'"code": "too_many_connections"' in refused
            for _ in range(2 * RESERVED):
                stack.enter_context(connected(server))
            assert is_healthy(server)
        finally:
            away.set()


def test_an_answer_that_nobody_takes_is_not_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 1.0)
    with connected(server, b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 200):
        eventually(lambda: any(one.untaken for one in server.server_state.connections), PATIENCE)  # type: ignore[union-attr]
        eventually(lambda: not server.server_state.connections, PATIENCE)


def test_what_a_stranger_can_cause_is_a_line_a_minute() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    with capture_logs() as lines:
        for _ in range(1000):
            seldom.warn("cannot_accept", "No.")
        now[0] = 60.0
        seldom.warn("cannot_accept", "No.")
    assert [line["times"] for line in lines] == [1, 1000]


def test_a_connection_that_cannot_be_accepted_is_told_of_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    with closing(loop), capture_logs() as lines, caplog.at_level(logging.ERROR):
        for number in (errno.EMFILE, errno.ENFILE) * 100:
            error = OSError(number, "Too many open files")
            server.complain(loop, {"message": "socket.accept() out of system resource", "exception": error})
        assert [line["event"] for line in lines] == ["cannot_accept"]
        assert not caplog.records
        server.complain(loop, {"message": "something else", "exception": ValueError("x")})
        assert [record.message.splitlines()[0] for record in caplog.records] == ["something else"]


def test_there_are_fewer_connections_than_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for descriptors in (256, 1024, 10_000):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=descriptors: (soft, soft))
        found.append(connections.room_for(700))
    assert found == [128, 624, 700]


def test_a_stop_ends_in_time_while_kaltura_trickles(tmp_path: Path) -> None:
    """Its threads wait for a sign-in whose answer comes a byte at a time."""
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.1):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as kaltura:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = kaltura.accept()
                    threading.Thread(target=trickle, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{kaltura.getsockname()[1]}"
        environment = {"LECTERN_STOP_SECONDS": "2", "LECTERN_API_KEYS": f"a={'k' * 32}"}
        ask = b"GET /resources HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n\r\n" % (b"k" * 32)
        try:
            with start_service(tmp_path, url, environment) as service, ExitStack() as stack:
                port = int(service.url.rsplit(":", 1)[1])
                for _ in range(60):  # more than there are threads for requests
                    one = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
                    one.sendall(ask)
                threading.Event().wait(1.0)  # until they are at it
                assert service.stop() == 0
        finally:
            over.set()
            kaltura.shutdown(socket.SHUT_RDWR)


def test_whoever_waits_for_kaltura_at_a_stop_is_told_to_come_again(tmp_path: Path) -> None:
    body, come, over = json.dumps(EXAMPLE), threading.Event(), threading.Event()
    head = f"POST /recordings/preview HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"

    class Slow(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            come.set()
            over.wait(PATIENCE)
            return super().handle_request(request)

    with closing(Sandbox()) as sandbox, serving(tmp_path, Slow(sandbox)) as server:
        with closing(connected(server, f"{head}Content-Type: application/json\r\n\r\n{body}".encode())) as connection:
            assert come.wait(PATIENCE)
            server.should_exit = True
            answer = read(connection)
        over.set()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"busy"' in answer
    assert b"retry-after: " in answer.lower()
