"""The embedded way in: an httpx transport, with the bytes of the wire and the exceptions of a broken one."""

import time

import httpx

from app.sandbox.simulator import Sandbox


class SandboxTransport(httpx.BaseTransport):
    """Hands requests to a sandbox in the same process; answers held back longer than the read timeout time out."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._sandbox.handle(
            request.url.path,
            request.url.query.decode("ascii"),
            request.headers.get("content-type", ""),
            request.read(),
        )
        timeout = request.extensions.get("timeout", {}).get("read")
        if timeout is not None and answer.wait > timeout:
            time.sleep(timeout)
            raise httpx.ReadTimeout("timed out", request=request)
        if answer.wait:
            time.sleep(answer.wait)
        if answer.closed:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        headers = {**answer.headers, "Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        return httpx.Response(answer.status, headers=headers, content=answer.body)
