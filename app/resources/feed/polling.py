"""`/resources/{id}/upcoming` and `.ics`: a poll that finds nothing new costs no query of its own.

    GET ──▶ Shortcut ── answered at this address before, and still true? may this key see it? ──▶ 304, or the content
                │ no                                ▲
                ▼                                   │ kept: until its resource's version changes, or what its window
             the router ──▶ Feed.answer ──▶ SQL ────┘ shows does, whichever is first

The shortcut stands before the router and gives only answers that the router's endpoint gave; all else, every refusal
too, it leaves to that.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.keys import Client
from app.database.database import Database
from app.database.types import utc_now
from app.http.errors import ScheduleUnknown
from app.http.threads import Threads
from app.resources.feed import etags, ics, page
from app.resources.feed.memory import Answer, Form, Key, Memory
from app.resources.feed.versions import NEVER, Known, Versions
from app.resources.mirror.freshness import STALE_AFTER, longest
from app.resources.models import Mirror, Resource
from app.resources.naming import only
from app.resources.schemas import ResourceName

FIRST_WAIT = 2.0  # seconds that a request waits for the first look at its resource's schedule
FIRST_POLL = 0.05  # seconds
TOLD_EVERY = 300.0  # seconds between two notes that a resource is being asked for: it stays of interest for an hour
LONGEST_QUERY = 300  # bytes; an answer to more is not kept

Headers = list[tuple[bytes, bytes]]
Who = Callable[[Scope, int], Client | None]
"""Who sends this request, if they may see that resource."""

Polled = Callable[[Client, int], object]
"""Told who asks, and for which resource."""

Seen = Callable[[str, bool, int], object]
"""Told of each answer from memory: its method, whether it is a calendar, its status."""

_CACHE = (b"cache-control", b"private, no-cache")
_TYPES = {"json": b"application/json", "ics": ics.MEDIA_TYPE.encode()}


class Feed:
    """One a process, for its one event loop. `ask` notes that somebody wants to see a resource.

    `per_second`: refreshes of all processes together, at most.
    """

    def __init__(
        self,
        database: Database,
        threads: Threads,
        ask: Callable[[int], object],
        per_second: float,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._threads = threads
        self._ask = ask
        self._per_second = per_second
        self.clock = clock
        self.versions = Versions(database)
        self.memory = Memory()

    async def answer(
        self,
        key: Key,
        reference: str,
        window: page.Window,
        form: Form,
        if_none_match: str | None,
        find: Callable[[str], Awaitable[Sequence[Resource]]],
        may_see: Callable[[int, str | None], bool],
        polled: Callable[[int], object] = lambda _resource_id: None,
    ) -> Response:
        """The schedule of the resource that `reference` names; `find` looks for those that are not known here.

        `may_see`: whether whoever asks may, by the resource's id and system name. `polled` is told which it is.

        Raises InvalidDocument, NotFound, AmbiguousResource, ScheduleUnknown, KalturaUnavailable.
        """
        window.at(self.clock())
        await self.versions.look()
        named: Sequence[Known | Resource] = self.versions.named(reference)
        if not named:
            named = await find(reference)
        resource_id = only([(one.id, one.system_name) for one in named], may_see)
        polled(resource_id)
        known = await self.mirrored(resource_id, FIRST_WAIT)
        answer = await self._threads.feed.run(self._make, key, reference, resource_id, window, form)
        if len(named) == 1 and len(key[1]) <= LONGEST_QUERY:  # whoever asks, it means the same one
            self.memory.keep(key, answer)
        status, headers, body = self._render(answer, known, if_none_match)
        response = Response(body, status)
        response.raw_headers[:] = headers
        return response

    def replay(self, key: Key, if_none_match: str | None) -> tuple[int, Headers, bytes] | None:
        """The answer kept for an address, if it is still true as of the latest look. Its content may be gone."""
        answer = self.memory.answers[key]
        known = self.versions.resources[answer.resource_id]
        if answer.version != known.version or self.clock() >= answer.until or not self._still_named(answer):
            return None
        if answer.content is None and not etags.matches(if_none_match, self._etag(answer, known)):
            return None
        self._tell(known)
        found = self._render(answer, known, if_none_match)
        self.memory.used(key, content=found[0] == 200)
        return found

    async def mirrored(self, resource_id: int, wait: float) -> Known:
        """The resource, once its schedule is known: waits so many seconds for the first look at it, which is asked for.

        Raises ScheduleUnknown.
        """
        await self.versions.look()
        until = time.monotonic() + wait
        known = self.versions.resources.get(resource_id)
        if known is None or known.as_of == NEVER:
            self._ask(resource_id)
        while known is None or known.as_of == NEVER:
            if time.monotonic() >= until:
                raise ScheduleUnknown()
            await asyncio.sleep(FIRST_POLL)
            await self.versions.look(FIRST_POLL)
            known = self.versions.resources.get(resource_id)
        self._tell(known)
        return known

    def _tell(self, known: Known) -> None:
        now = time.monotonic()
        if now - known.told > TOLD_EVERY:
            known.told = now
            self._ask(known.id)

    def _still_named(self, answer: Answer) -> bool:
        names = self.versions.names
        if answer.names is not names:
            if [one.id for one in self.versions.named(answer.reference)] != [answer.resource_id]:
                return False
            answer.names = names
        return True

    def _make(self, key: Key, reference: str, resource_id: int, window: page.Window, form: Form) -> Answer:
        names, now = self.versions.names, self.clock()
        with self._database.read() as session:
            # The version first: what is read after it is that version or a later one, and then read again.
            version, resource = session.execute(
                select(col(Mirror.version), Resource)
                .join(Resource, col(Resource.id) == col(Mirror.resource_id))
                .where(col(Mirror.resource_id) == resource_id)
            ).one()
            found = page.page(session, resource_id, window, now)
        name = ResourceName(id=resource.id, system_name=resource.system_name, name=resource.name)
        content: page.Content | bytes
        if form == "json":
            content = page.content(name, key[0].decode("latin-1"), window, found, now)
            etag, link, size = content.etag, content.link, len(content.occurrences)
        else:
            places = {resource.id: resource.name}
            content = ics.calendar(resource.name, found.rows, places, truncated=found.more is not None)
            etag, link, size = etags.digest(content), None, len(content)
        return Answer(reference, resource_id, names, version, found.until, window, form, etag, link, content, size)

    def _is_stale(self, known: Known) -> bool:
        age = self.clock() - known.as_of
        return age > STALE_AFTER and (known.failing or age > longest(self.versions.wanted, self._per_second))

    def _etag(self, answer: Answer, known: Known) -> str:
        """Of what is shown: that it is stale, too."""
        return f'"{answer.etag}-stale"' if answer.form == "json" and self._is_stale(known) else f'"{answer.etag}"'

    def _render(self, answer: Answer, known: Known, if_none_match: str | None) -> tuple[int, Headers, bytes]:
        etag = self._etag(answer, known)
        headers = [(b"etag", etag.encode()), _CACHE]
        if if_none_match is not None and (if_none_match == etag or etags.matches(if_none_match, etag)):
            return 304, headers, b""
        content = answer.content
        if isinstance(content, page.Content):
            content = page.as_json(content, answer.window, self.clock(), known.as_of, self._is_stale(known))
        if answer.link:
            headers.append((b"link", answer.link.encode()))
        body = content or b""
        headers += [(b"content-type", _TYPES[answer.form]), (b"content-length", str(len(body)).encode())]
        return 200, headers, body


class Shortcut:
    """The ASGI application `app`, past which `feed` gives what it has given before."""

    def __init__(self, app: ASGIApp, feed: Feed, who: Who, seen: Seen, polled: Polled) -> None:
        self._app = app
        self._seen = seen
        self._feed = feed
        self._who = who
        self._polled = polled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, self._after_change(send))
            return
        found = await self._found(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        status, headers, body = found
        self._seen(scope["method"], scope["path"].endswith(".ics"), status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _after_change(self, send: Send) -> Send:
        """Whoever is told here that something is done sees it here at once."""

        async def told(message: Message) -> None:
            self._feed.versions.expire()
            await send(message)

        return told

    async def _found(self, scope: Scope) -> tuple[int, Headers, bytes] | None:
        key = scope["raw_path"], scope["query_string"]
        answer = self._feed.memory.answers.get(key)
        if answer is None:
            return None
        client = self._who(scope, answer.resource_id)
        if client is None:
            return None
        self._polled(client, answer.resource_id)
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
        if_none_match = ", ".join(given) if given else None
        try:
            await self._feed.versions.look()
        except SQLAlchemyError:
            return None  # the endpoint meets it again, and its handler tells
        # Meanwhile it may have been dropped.
        return self._feed.replay(key, if_none_match) if key in self._feed.memory.answers else None
