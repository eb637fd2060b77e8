"""The connections that strangers hold: how many, and for how long.

    accepted ──▶ awaited: its request is not here in full ──▶ being answered ──▶ kept for the next one ──┐
                     ▲                                                                                    │
                     └──────────────────────────── its first byte ────────────────────────────────────────┘

Awaited for longer than `seconds`: closed. So is one that was answered before it was here; what is left of it is read
and dropped, DROPPED bytes at most: closed at once, its sender might find a reset connection, and no answer. Kept:
uvicorn closes it, after its `timeout_keep_alive`. An answer that nobody takes for ANSWER_SECONDS: closed. When there
are `most`, whoever has been awaited or kept for longest makes room for the next; where all are being answered, RESERVED
more are let in, to ask how the service is (app/http/limits.py).

uvicorn has none of this: its keep-alive begins after the first answer, and `limit_concurrency` counts requests, those
of supervisors too.
"""

import resource
from asyncio import Transport
from collections.abc import Callable
from math import inf
from time import monotonic

import structlog
from asgi_correlation_id import correlation_id
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app.database.types import new_id
from app.http.errors import BadRequest, HeadersTooLarge, Problem, render
from app.http.limits import MAX_HEAD

log = structlog.get_logger(__name__)

RESERVED = 16
ANSWER_SECONDS = 60.0
DROPPED = 17 * 1024 * 1024  # a term's declaration has 16 MiB at most
BACKLOG = 64  # accepted at once, before any of them is looked at here: each has a descriptor meanwhile
OWN_DESCRIPTORS = 400  # for databases, Kaltura, and what is accepted and not yet here, or closed and still here
TOLD_EVERY = 60.0  # seconds between two lines of one kind in the log: what a stranger can cause fills no disk


class Seldom:
    """Lines of the log, of each kind one a minute, with how many there would have been."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}
        self._times: dict[str, int] = {}

    def warn(self, event: str, detail: str) -> None:
        now = self._clock()
        self._times[event] = self._times.get(event, 0) + 1
        if now - self._told.get(event, -inf) >= TOLD_EVERY:
            self._told[event] = now
            log.warning(event, times=self._times.pop(event), detail=detail)


def room_for(wanted: int) -> int:
    """How many connections there may be: as many as are wanted, and well below the descriptors of the process."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    most = min(wanted, max(descriptors - OWN_DESCRIPTORS, descriptors // 2))
    if most < wanted:
        detail = f"The process may have {descriptors} descriptors: {wanted + OWN_DESCRIPTORS} are needed for so many."
        log.warning("fewer_connections", most=most, wanted=wanted, detail=detail)
    return most


class Connections(ServerState):
    """All of a server. `awaited`, the longest first, are those whose request is not here, and until when it has to be;
    never for one that is kept.
    """

    def __init__(self, most: int, seconds: float, seldom: Seldom) -> None:
        super().__init__()
        self.most = most
        self.seconds = seconds
        self.awaited: dict[Connection, float] = {}
        self._untaken: dict[Connection, float] = {}  # since when there is something of an answer left
        self._seldom = seldom

    @property
    def full(self) -> bool:
        return len(self.connections) > self.most

    def admit(self, new: "Connection") -> bool:
        """Makes room for it, if there is none. False: there is none to be made, and it is ended, or a reserved one."""
        there_is_room = not self.full
        if self.full:
            self._seldom.warn("connections_full", f"There are {self.most} connections: see LECTERN_CONNECTIONS.")
            if self.awaited:
                self.end(next(iter(self.awaited)))
                there_is_room = True
        if there_is_room or len(self.connections) <= self.most + RESERVED:
            self.wait_for(new)
        else:
            self.end(new)
        return there_is_room

    def wait_for(self, one: "Connection", *, kept: bool = False) -> None:
        self.awaited.pop(one, None)
        self.awaited[one] = inf if kept else monotonic() + self.seconds

    def end(self, one: "Connection") -> None:
        self.awaited.pop(one, None)
        one.transport.abort()

    def sweep(self) -> None:
        """To be called every second or so."""
        now = monotonic()
        for late in [one for one, until in self.awaited.items() if until < now]:
            self.end(late)
        left = [one for one in self.connections if isinstance(one, Connection) and one.untaken]
        self._untaken = {one: self._untaken.get(one, now) for one in left}
        for one, since in self._untaken.items():
            if now - since > ANSWER_SECONDS:
                self.end(one)


class Connection(HttpToolsProtocol):
    """uvicorn's, which tells when its request is awaited, and takes no endless head.

    A reserved one's requests find the crowd in their state.
    """

    server_state: Connections
    _coming = False  # a request has begun, and is not here in full
    _dropped: int | None = None  # bytes of it that came after its answer; None: it is not answered
    _head: int | None = None  # bytes of its head so far, but for those that came with its first one; None: it is here

    @property
    def untaken(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn does
        super().connection_made(transport)
        if not self.server_state.admit(self):
            self.app_state = {**self.app_state, "crowd": self.server_state}

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_state.awaited.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD and not self.transport.is_closing():
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._coming, self._head, self._dropped = True, 0, None
        if not self._is_answering:
            self.server_state.wait_for(self)

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._dropped is not None:
            self._dropped += len(body)
            if self._dropped > DROPPED:
                self.transport.close()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._coming = False
        self.server_state.awaited.pop(self, None)
        if self._dropped is not None and not self.transport.is_closing():
            self._keep()

    def on_response_complete(self) -> None:
        answered_early = self._coming and self._head is None
        super().on_response_complete()
        if answered_early:
            self._dropped = 0
        elif not self.transport.is_closing() and not self._is_answering:
            self.server_state.wait_for(self, kept=not self._coming)

    def _keep(self) -> None:
        """For the next request. uvicorn has let go of its timer: something came after the answer."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.server_state.wait_for(self, kept=True)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
        """Of what is no HTTP. uvicorn's own is plain text."""
        self._refuse(
            BadRequest("This is no HTTP request: a request line, headers or the length of a body are malformed.")
        )

    def _refuse(self, problem: Problem) -> None:
        """Answers what no operation sees, and ends the connection."""
        correlation_id.set(new_id("req"))
        answer = render(problem)
        answer.headers.update({"Connection": "close", "X-Request-ID": correlation_id.get() or ""})
        head = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
        self.transport.write(STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()
