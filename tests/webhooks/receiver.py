"""A campus system that is sent notices: well, or in one of the ways in which such systems are not."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

Json = dict[str, Any]
LONG = 30.0  # seconds; nothing here takes as long, unless it would take for ever


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False


@dataclass
class Receiver:
    """`behaviour` names what it does; `taken` is what it took, in order, each verified by the official library."""

    secret: str = ""
    behaviour: str = "take"
    taken: list[Json] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)  # the ids of all that came in, taken or not
    elsewhere: list[str] = field(default_factory=list)  # paths that only a redirect leads to
    refuses: Callable[[Json], bool] = lambda _notice: False
    free: threading.Event = field(default_factory=threading.Event)  # whom it holds goes on
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/lectern"

    def told(self) -> list[str]:
        """The types of what it took, each notice once."""
        return list({notice["id"]: notice["type"] for notice in self.taken}.values())

    def of(self, subject: str) -> list[int]:
        """The numbers of what it was told of a subject, in the order of their first coming."""
        found = [notice["data"]["number"] for notice in self.taken if notice["data"]["subject"] == subject]
        return list(dict.fromkeys(found))

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.path != "/lectern":
            self.elsewhere.append(handler.path)
        notice = Webhook(self.secret).verify(body, dict(handler.headers.items()))
        assert notice["id"] == handler.headers["webhook-id"]
        self.tries.append(notice["id"])
        if self.refuses(notice):
            handler.send_error(500)
            return
        getattr(self, f"_{self.behaviour}")(handler, notice)

    def _take(self, handler: BaseHTTPRequestHandler, notice: Json) -> None:
        self.taken.append(notice)
        handler.send_response(204)
        handler.end_headers()

    def _fail(self, handler: BaseHTTPRequestHandler, _notice: Json) -> None:
        handler.send_error(500)

    def _redirect(self, handler: BaseHTTPRequestHandler, _notice: Json) -> None:
        handler.send_response(307)
        handler.send_header("Location", f"http://127.0.0.1:{self.port}/inside")
        handler.end_headers()

    def _hold(self, _handler: BaseHTTPRequestHandler, _notice: Json) -> None:
        self.free.wait(LONG)

    def _trickle(self, handler: BaseHTTPRequestHandler, _notice: Json) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not self.free.wait(0.05):
            handler.wfile.write(b".")

    def _cut(self, handler: BaseHTTPRequestHandler, notice: Json) -> None:
        """It has taken it; but nobody can know."""
        self.taken.append(notice)
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half of ")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    def _flood(self, handler: BaseHTTPRequestHandler, notice: Json) -> None:
        """More than anybody wants to read. What it could send is the last of `tries`."""
        self.taken.append(notice)
        handler.send_response(200)
        handler.end_headers()
        while not self.free.is_set():
            handler.wfile.write(b"." * 65_536)

    def _flood_head(self, handler: BaseHTTPRequestHandler, _notice: Json) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.free.is_set():
            handler.wfile.write(b"X-More: " + b"." * 60_000 + b"\r\n")


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """It listens on a port of this machine: the one that it had, if it has listened before."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(ConnectionError):
                receiver.handle(self)

        def do_GET(self) -> None:
            receiver.elsewhere.append(self.path)

        def log_message(self, format: str, *args: object) -> None:
            """Kept quiet."""

    with Server(("127.0.0.1", receiver.port), Handler) as server:
        receiver.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.free.set()
            server.shutdown()


def in_order(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted(numbers)
