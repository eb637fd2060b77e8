"""Bodies that come late, and bodies in a coding. What is too much: tests/security/test_properties.py."""

import gzip
import json
import threading
from contextlib import closing
from pathlib import Path

import pytest

from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.http.test_connections import HEALTH, connected, read, serving
from tests.service import lectern, problem

BODY = json.dumps({"sections": [], "source": "x" * 200}).encode()


def test_who_is_refused_while_a_declaration_is_on_its_way_sees_why_and_may_go_on(tmp_path: Path) -> None:
    """Closed at once, the sender would find its connection reset, and perhaps no answer."""
    head = (
        b"POST /terms/nobody/plans HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    with (
        closing(Sandbox()) as sandbox,
        serving(tmp_path, SandboxTransport(sandbox)) as server,
        connected(server, head % len(BODY)) as connection,
    ):
        threading.Event().wait(0.3)  # as clients that send the head by itself
        connection.sendall(BODY)
        assert read(connection, until=b"}").startswith(b"HTTP/1.1 404")
        connection.sendall(HEALTH)
        assert read(connection, until=b"}").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/recordings"), ("PUT", "/calendars/campus"), ("POST", "/terms/t/plans")]
)
def test_a_compressed_body_is_refused_as_what_it_is(tmp_path: Path, method: str, path: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with lectern(tmp_path) as service:
        answer = service.client.request(method, path, content=gzip.compress(BODY), headers=headers)
        assert "Content-Encoding" in problem(answer, 415, "unsupported_media_type")["detail"]
