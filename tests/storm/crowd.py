"""Many clients at once, in one event loop: to be run in a process of its own, so that what they do delays no probe.

readers    read one recording after another
pollers    ask for a room's schedule, each with the ETag that it was given last
previewers ask what would become of a document, which has to ask Kaltura
posters    send documents, and wait a moment for what becomes of them
dawdlers   send a byte at a time, half a head and no more, or half a body and are gone
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 90.0  # seconds until a client gives up
PAUSE = 1.0  # seconds between an answer and the next request of the same client
LINGER = 3.0  # seconds
TRICKLE = 0.5  # seconds between two bytes
Json = dict[str, Any]


@dataclass(frozen=True)
class Crowd:
    """How many of each. `services` are their addresses, among which clients are spread.

    It goes on for `seconds`, and until each client was answered; then `over` is made, a file, as `come` was before. For
    LINGER seconds more, clients come all the same.
    """

    services: Sequence[str]
    recordings: Sequence[str]
    room: str
    come: Path
    over: Path
    seconds: float
    readers: int = 200
    pollers: int = 50
    previewers: int = 100
    posters: int = 20
    dawdlers: int = 30


@dataclass
class Seen:
    """By what was done: how often it ended how (`200`, `503 busy`, `cut off`), and the seconds of good answers."""

    ends: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    accepted: list[str] = field(default_factory=list)
    unadvised: int = 0  # answers with 503 that did not say when to come again
    late: Counter[str] = field(default_factory=Counter)  # how it ended when services had been told to stop
    over: bool = False
    answered: int = 0  # clients, once at least

    def end(self, what: str, how: str) -> None:
        (self.late if self.over else self.ends[what])[how] += 1

    def note(self, what: str, seconds: float, answer: "Answer") -> None:
        code = f" {answer.json().get('code')}" if answer.status >= 400 else ""
        self.end(what, f"{answer.status}{code}")
        if answer.status < 400:
            self.seconds[what].append(seconds)
        self.unadvised += answer.status == 503 and not answer.headers.get("retry-after", "").isdigit()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        with suppress(ValueError):
            if isinstance(found := json.loads(self.body), dict):
                return found
        return {}


class Client:
    """One connection to a service, kept, and opened again when it is closed. (httpx costs ten times as much.)"""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, document: object = None, **headers: str) -> Answer:
        """A header is named `if_none_match`. Raises OSError and EOFError when the connection ends."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self._streams and self._streams[0].at_eof():
                    self.close()
                reader, writer = self._streams or await self.opened()
                writer.write(self.written(method, path, document, headers))
                return await self._read(reader)
        except BaseException:
            self.close()
            raise

    def written(self, method: str, path: str, document: object, headers: Mapping[str, str]) -> bytes:
        body = b"" if document is None else json.dumps(document).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(self._host, self._port)
        return self._streams

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-1])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(head[0].split()[1]), headers, body)


def document(name: str, day: int = 0) -> Json:
    """Four sessions in a room that is made for them."""
    return {
        "title": f"Storm {name}",
        "resource": {"system_name": name, "name": name},
        "start": f"2028-01-{10 + day % 7:02d}T{day // 7 % 24:02d}:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "recurrence": {"frequency": "weekly", "count": 4},
    }


def run(crowd: Crowd) -> Seen:
    seen = asyncio.run(_run(crowd))
    return replace(seen, ends=dict(seen.ends), seconds=dict(seen.seconds))  # without functions, to be sent


async def _run(crowd: Crowd) -> Seen:
    seen = Seen()
    kinds: list[tuple[int, Callable[[Crowd, Seen, int, Client], Awaitable[None]]]] = [
        (crowd.readers, _read),
        (crowd.pollers, _poll),
        (crowd.previewers, _preview),
        (crowd.posters, _post),
        (crowd.dawdlers, _dawdle),
    ]
    every = [
        asyncio.create_task(_again_and_again(act, crowd, seen, number)) for many, act in kinds for number in range(many)
    ]
    crowd.come.touch()
    await asyncio.sleep(crowd.seconds)
    while seen.answered < len(every) - crowd.dawdlers:
        await asyncio.sleep(0.1)
    seen.over = True
    crowd.over.touch()
    await asyncio.sleep(LINGER)
    for one in every:
        one.cancel()
    await asyncio.gather(*every, return_exceptions=True)
    for one in every:
        if not one.cancelled() and (error := one.exception()):
            raise error
    return seen


async def _again_and_again(
    act: Callable[[Crowd, Seen, int, Client], Awaitable[None]], crowd: Crowd, seen: Seen, number: int
) -> None:
    client, what = Client(crowd.services[number % len(crowd.services)]), act.__name__.strip("_")
    for turn in count():
        try:
            await act(crowd, seen, number + 1000 * turn, client)
        except TimeoutError:
            seen.end(what, "gave up")
        except (OSError, EOFError) as error:
            seen.end(what, f"cut off ({type(error).__name__})")
        seen.answered += turn == 0 and act is not _dawdle
        await asyncio.sleep(PAUSE)


async def _timed(seen: Seen, what: str, answer: Awaitable[Answer]) -> Answer:
    began = time.perf_counter()
    found = await answer
    seen.note(what, time.perf_counter() - began, found)
    return found


async def _read(crowd: Crowd, seen: Seen, number: int, client: Client) -> None:
    path = f"/recordings/{crowd.recordings[number % len(crowd.recordings)]}"
    await _timed(seen, "read", client.send("GET", path))


async def _poll(crowd: Crowd, seen: Seen, number: int, client: Client) -> None:
    path, etag = f"/resources/{crowd.room}/upcoming", ""
    for _ in range(10):
        answer = await _timed(seen, "poll", client.send("GET", path, if_none_match=etag or '"none"'))
        etag = answer.headers.get("etag", "")
        await asyncio.sleep(PAUSE / 2)


async def _preview(crowd: Crowd, seen: Seen, number: int, client: Client) -> None:
    asked = document(f"PREVIEW-{number}")
    await _timed(seen, "preview", client.send("POST", "/recordings/preview", asked))


async def _post(crowd: Crowd, seen: Seen, number: int, client: Client) -> None:
    sent = document(f"STORM-{number}")
    answer = await _timed(seen, "post", client.send("POST", "/recordings", sent, prefer="wait=2"))
    if answer.status in (201, 202):
        seen.accepted.append(answer.json()["id"])


async def _dawdle(crowd: Crowd, seen: Seen, number: int, client: Client) -> None:
    """How it ends is the service's to say; what it must not do is keep others from theirs."""
    whole = client.written("POST", "/recordings", document(f"SLOW-{number}"), {})
    reader, writer = await client.opened()
    try:
        match number % 3:
            case 0:
                for byte in whole:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(TRICKLE)
            case 1:
                writer.write(b"GET /hea")
                await reader.read()
            case _:
                writer.write(whole[:-20])
                await writer.drain()
                await asyncio.sleep(PAUSE / 2)
    finally:
        client.close()
    seen.end("dawdle", "closed")
