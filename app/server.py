"""The server that the service runs in."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from app.settings import Settings

KEEP_ALIVE_SECONDS = 75  # longer than a minute, in which encoders poll and proxies keep a connection that nobody uses
GRACEFUL_SECONDS = 18  # for requests in flight at a stop; a supervisor waits 20 and more


class Server(uvicorn.Server):
    """Tells the workers of a stop at once, so that requests that wait for a chain are answered (202), not cut off."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            server_header=False,
        )
        super().__init__(config)
        self._workers = app.state.workers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._workers.stop, 0.0)
        await super().shutdown(sockets)
