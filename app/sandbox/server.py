"""The sandbox alone: a small HTTP/1.1 server, one thread a connection.

    /api_v3/…               Kaltura
    GET  /_sandbox/requests  what was called
    GET  /_sandbox/state     what is there
    PUT  /_sandbox/faults    what goes wrong from now on
    POST /_sandbox/upload    an encoder uploads what it has recorded

Written by hand over sockets because benchmarks share the processor with it: a call costs a tenth of what
http.server's header parsing does, and a fault must be able to close a connection in mid-answer.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from io import BufferedIOBase
from socketserver import StreamRequestHandler, ThreadingMixIn
from socketserver import TCPServer as SocketServer
from typing import Any

from app.sandbox.simulator import Answer, Sandbox

MAX_LINE = 65_536
MAX_BODY = 64 * 1024 * 1024


class BadRequestError(Exception):
    """Not HTTP, or more of it than this server takes."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    keep_alive: bool


def read_request(stream: BufferedIOBase, send: Callable[[bytes], object]) -> Request | None:
    """The next request of a connection, None when the client has closed it; `send` tells it to go on."""
    line = stream.readline(MAX_LINE + 1)
    if not line.strip():
        return None
    try:
        method, target, version = line.decode("latin-1").split()
    except ValueError:
        raise BadRequestError from None
    headers = _read_headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    path, _, query = target.partition("?")
    closing = headers.get("connection", "").lower()
    keep_alive = closing != "close" if version == "HTTP/1.1" else closing == "keep-alive"
    return Request(method, path, query, headers, _read_body(stream, headers), keep_alive)


def _read_headers(stream: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        line = stream.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE or not line:
            raise BadRequestError
        if line in (b"\r\n", b"\n"):
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()


def _read_body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = []
        while size := _number(stream.readline(MAX_LINE).partition(b";")[0].strip(), 16):
            chunks.append(stream.read(size))
            stream.readline(MAX_LINE)
        stream.readline(MAX_LINE)
        return b"".join(chunks)
    return stream.read(_number(headers.get("content-length", "0").encode(), 10))


def _number(written: bytes, base: int) -> int:
    try:
        number = int(written, base)
    except ValueError:
        raise BadRequestError from None
    if not 0 <= number <= MAX_BODY:
        raise BadRequestError
    return number


def respond(sandbox: Sandbox, request: Request) -> Answer:
    """Kaltura's answer, or that of the sandbox's own pages."""
    if not request.path.startswith("/_sandbox"):
        content_type = request.headers.get("content-type", "")
        return sandbox.handle(request.path, request.query, content_type, request.body)
    match request.method, request.path.rstrip("/"):
        case "GET", "/_sandbox/requests":
            return _json(sandbox.requests())
        case "GET", "/_sandbox/state":
            return _json(sandbox.state())
        case "PUT", "/_sandbox/faults":
            return _done(request, partial(_set_faults, sandbox))
        case "POST", "/_sandbox/upload":
            return _done(request, sandbox.upload)
        case _, "/_sandbox/requests" | "/_sandbox/state" | "/_sandbox/faults" | "/_sandbox/upload":
            return _json({"error": "method not allowed"}, 405)
    return _json({"error": "not found"}, 404)


def _set_faults(sandbox: Sandbox, document: Any) -> Any:
    sandbox.set_faults(document)
    return document


def _done(request: Request, act: Callable[[Any], Any]) -> Answer:
    """What comes of a document; 400 with the reason if it is refused."""
    try:
        return _json(act(json.loads(request.body)))
    except ValueError as error:
        return _json({"error": str(error)}, 400)


def _json(document: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode(), "application/json")


def _bytes_of(answer: Answer, request: Request) -> bytes:
    head = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        "Connection: keep-alive" if request.keep_alive else "Connection: close",
    ]
    body = b"" if request.method == "HEAD" else answer.body
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class _Connection(StreamRequestHandler):
    """One client's connection; a closed answer ends it without a byte."""

    disable_nagle_algorithm = True
    server: "SandboxServer"

    def handle(self) -> None:
        try:
            while (request := read_request(self.rfile, self.connection.sendall)) is not None:
                answer = respond(self.server.sandbox, request)
                if answer.wait:
                    time.sleep(answer.wait)
                if answer.closed:
                    return
                self.connection.sendall(_bytes_of(answer, request))
                if not request.keep_alive:
                    return
        except (BadRequestError, OSError):
            return  # the client broke off or never spoke HTTP


class SandboxServer(ThreadingMixIn, SocketServer):
    """Serves one sandbox until `stop`."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((host, port), _Connection)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Take no more connections and close the open ones."""
        self.shutdown()
        self.server_close()
        with self._guard:
            idle = list(self._open)
        for connection in idle:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by its client meanwhile


def serve(sandbox: Sandbox, host: str, port: int, begin: Callable[[str], None]) -> None:
    """Run a sandbox alone until the process is interrupted; raises OSError if the address is not to be had.

    `begin` is called with the base URL when the address is taken, and before anyone is answered.
    """
    with SandboxServer(sandbox, host, port) as server:
        begin(server.url)
        server.serve_forever()


@contextmanager
def running(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """A sandbox served from a thread, on a free port unless one is given; yields its base URL."""
    server = SandboxServer(sandbox, host, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="sandbox", daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


__all__ = ["SandboxServer", "running", "serve"]
