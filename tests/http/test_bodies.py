"""Bodies that come late, and bodies in a coding. What is too much: tests/security/test_properties.py."""

import gzip
import json
import re
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


def test_a_request_that_is_given_up_half_way_is_not_counted_as_our_mistake(tmp_path: Path) -> None:
    half = b"POST /recordings HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    with closing(Sandbox()) as sandbox, serving(tmp_path, SandboxTransport(sandbox)) as server:
        with connected(server, half):
            threading.Event().wait(0.3)
        with connected(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
            metrics = read(connection, until=b"process_start").decode()
    assert re.search(r'lectern_http_requests_total\{method="POST",route="none",status="499"\} 1\.0', metrics)
    assert not re.search(r'http_requests_total.*status="500"', metrics)
