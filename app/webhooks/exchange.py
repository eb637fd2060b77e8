"""One exchange with a receiver: a signed body out, a status back. It is bounded in every way.

All of it takes `SECONDS` at most: the look-up of the name, the connection, and the answer to its end. Of the answer
`MAX_BYTES` are read at most. It follows no redirect, and takes no proxy from the environment. Each is a connection of
its own to an address that was checked just before, so a name that means something else by then changes nothing.
"""

import ssl
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass
from functools import cache
from time import monotonic

import httpcore
import httpx
import structlog

from app.webhooks.address import DEFAULT_PORTS, LookUp, Network, NotAllowed, Target, allowed, look_up

log = structlog.get_logger(__name__)

SECONDS = 10.0
MAX_BYTES = 65_536

_HEADERS = {"User-Agent": "lectern", "Content-Type": "application/json", "Connection": "close"}


class Undeliverable(Exception):  # noqa: N818
    """It was not delivered, or nobody knows. The text says why, and shows nothing that the other side has sent."""


class _Enough(Exception):  # noqa: N818
    """As much was read as will be."""


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """How webhooks are sent. `networks` are inside, and allowed all the same."""

    networks: Sequence[Network] = ()
    look_up: LookUp = look_up
    seconds: float = SECONDS

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Returns when the receiver has answered with 2xx. Raises Undeliverable."""
        line = _Line(monotonic() + self.seconds)
        try:
            line.addresses = allowed(target, self._found(target, line), self.networks)
            status = self._exchange(target, line, headers, body)
        except NotAllowed as error:
            raise Undeliverable(f"It must not be sent there: {error}.") from None
        except (httpcore.TimeoutException, TooLong):
            raise Undeliverable(f"No answer within {self.seconds:g} seconds.") from None
        except OSError:
            raise Undeliverable("Its host's name has no address.") from None
        except _Enough:
            raise Undeliverable(f"The head of its answer is longer than {MAX_BYTES} bytes.") from None
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            raise Undeliverable(_why(error)) from None
        if not 200 <= status < 300:
            raise Undeliverable(f"It answered {status}" + (", and no redirect is followed." if status < 400 else "."))

    def _found(self, target: Target, line: "_Line") -> Sequence[str]:
        """In a thread of its own, since nothing else bounds it. Raises OSError, TooLong."""
        found = Future[Sequence[str]]()

        def run() -> None:
            try:
                found.set_result(self.look_up(target.host, target.port))
            except Exception as error:
                found.set_exception(error if isinstance(error, OSError) else OSError("no such name"))

        threading.Thread(target=run, name="looking-up", daemon=True).start()
        return found.result(line.left())

    def _exchange(self, target: Target, line: "_Line", headers: Mapping[str, str], body: bytes) -> int:
        """The status. Raises httpcore's exceptions."""
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        sent = {**_HEADERS, "Host": _host(target), "Content-Length": str(len(body)), **headers}
        certificates = _certificates() if target.scheme == "https" else None
        with httpcore.HTTPConnection(origin, ssl_context=certificates, network_backend=line) as connection:
            request = httpcore.Request("POST", url, headers=list(sent.items()), content=body)
            response = connection.handle_request(request)
            try:
                for _ in response.iter_stream():
                    pass
            except _Enough:
                log.debug("answer_cut", status=response.status)  # nobody reads it, and its status is known
            finally:
                response.close()
            return response.status


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _why(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "Its certificate is not accepted, or it does not speak TLS there."
        if isinstance(cause, ConnectionRefusedError):
            return "Nothing listens at its address."
        cause = cause.__cause__ or cause.__context__
    return f"The connection failed ({type(error).__name__})."


class _Line(httpcore.SyncBackend):
    """Connects to `addresses`, whatever name it is given. Nothing of it lasts beyond `until` (monotonic seconds)."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.addresses: Sequence[str] = ()
        self.bytes_read = 0

    def left(self) -> float:
        """Raises httpcore.ReadTimeout when nothing is."""
        rest = self.until - monotonic()
        if rest <= 0:
            raise httpcore.ReadTimeout("the whole took too long")
        return rest

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self.addresses
        for number, address in enumerate(others):
            try:
                wait = self.left() / (len(self.addresses) - number)  # so that each has its turn
                return _Stream(super().connect_tcp(address, port, wait, local_address, socket_options), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return _Stream(super().connect_tcp(last, port, self.left(), local_address, socket_options), self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, line: _Line) -> None:
        self._stream = stream
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._line.bytes_read >= MAX_BYTES:
            raise _Enough
        read = self._stream.read(min(max_bytes, MAX_BYTES - self._line.bytes_read), self._line.left())
        self._line.bytes_read += len(read)
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for begin in range(0, len(buffer), 16_384):
            self._stream.write(buffer[begin : begin + 16_384], self._line.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._line.left()), self._line)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)
