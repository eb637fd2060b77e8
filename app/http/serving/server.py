"""The server that the service runs in."""

import asyncio
import errno
import os
import socket
import threading
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from app.http.serving.connections import BACKLOG, Connection, Connections, Seldom, room_for
from app.settings import Settings

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 75  # longer than a minute, in which encoders poll and proxies keep a connection that nobody uses
SWEEP_TICKS = 10  # of uvicorn's, each a tenth of a second
NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of `host`, as asyncio would make them. Raises ValueError where that cannot be.

    uvicorn would find out when the service is at work already, and say it in its log.
    """
    sockets = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sockets.append(socket.socket(family, kind, protocol))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sockets[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sockets[-1].bind(address)
    except OSError as error:
        for each in sockets:
            each.close()
        raise ValueError(
            f"Lectern cannot listen on {host}, port {port}: {error.strerror}. End what listens there, or choose "
            "another address with --host and --port, or LECTERN_HOST and LECTERN_PORT."
        ) from None
    return sockets


class Server(uvicorn.Server):
    """Bounds connections, and a stop: what still waits when its seconds are over is left.

    Tells of a stop at once, so that requests that wait for a chain (202), for a notice (200) or for Kaltura (503) are
    answered, and not cut off.
    """

    server_state: Connections

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=Connection,
            loop="uvloop",
            ws="none",
            log_config=None,
            access_log=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, settings.stop_seconds // 2),  # the rest is for all else
            server_header=False,
        )
        super().__init__(config)
        self._seldom = Seldom()
        self.server_state = Connections(room_for(settings.connections), settings.request_seconds, self._seldom)
        self._workers = app.state.workers
        self._threads = app.state.threads
        self._listening = app.state.listening
        self._stop = app.state.stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self.complain)
        await super().startup(sockets)
        for each in sockets or ():  # of which uvicorn says nothing
            host, port = each.getsockname()[:2]
            log.info("listening", address=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    def complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio tells of each connection that it cannot accept, thousands of times a second."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in NO_MORE:
            self._seldom.warn("cannot_accept", f"No connection can be accepted ({errno.errorcode[error.errno]}).")
        else:
            loop.default_exception_handler(context)

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            self.server_state.sweep()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            self._stop.begin()
            end = threading.Timer(self._stop.seconds, self._leave)
            end.daemon = True
            end.start()
        super().handle_exit(sig, frame)

    def _leave(self) -> None:
        """A thread that waits for Kaltura cannot be ended, and Python would wait for it. Chains are found by their
        leases, and databases roll back.
        """
        log.warning("stop_cut_short", seconds=self._stop.seconds)
        os._exit(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._threads.stop()
        self._listening.stop(0.0)
        await asyncio.to_thread(self._workers.stop, 0.0)
        await super().shutdown(sockets)
