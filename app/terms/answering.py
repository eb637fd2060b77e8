"""The way of a term through a request: a plan is made and waited for, begun to be applied, shown."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, TypeVar

from fastapi import Request, Response
from sqlmodel import Session
from starlette.requests import ClientDisconnect

from app.database.database import Database
from app.database.types import utc_now
from app.http.errors import BadRequest, PayloadTooLarge, Problem, UnsupportedMediaType
from app.http.threads import Threads
from app.terms import keeping, showing
from app.terms.applying import asking
from app.terms.applying.applier import Applier
from app.terms.meetings.settings import TermSettings
from app.terms.planning.making import Asked, Planner
from app.terms.reading.read import Form
from app.terms.schemas import ApplyView, TermView

T = TypeVar("T")

MAX_BODY = 16 * 1024 * 1024  # bytes
IN_MEMORY = 1024 * 1024  # bytes of a body; the rest is in a file
LOOK_AGAIN = "2"  # seconds
FORMS: dict[str, Form] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """One a process. `client` is the name of whoever asks. Each raises the problem that it is to be told."""

    database: Database
    threads: Threads
    planner: Planner
    applier: Applier
    _making: set[asyncio.Task[Problem | None]] = field(default_factory=set)

    def put(self, client: str, name: str, settings: TermSettings) -> tuple[TermView, bool]:
        """The term, and whether it is new."""
        with self.database.write(turn(client, name)) as session:
            new = keeping.put(session, client, name, settings)
            session.flush()
            return term_view(session, client, name), new

    def opt(self, client: str, name: str, who: keeping.Who, key: str, *, out: bool) -> None:
        with self.database.write(turn(client, name)) as session:
            keeping.opt(session, client, name, who, key, out=out)

    async def plan(
        self,
        client: str,
        name: str,
        request: Request,
        profile: str | None,
        complete: bool,
        charset: str | None,
        wait: float,
    ) -> Response:
        """201 with the plan, 202 while it is still being made."""
        await self.threads.reading.run(self._ensure_there, client, name)
        try:
            asked = Asked(*form_of(request.headers.get("content-type", ""), charset), profile, complete)
            body = await _spooled(request)
        except Problem as refusal:
            await self.threads.writing.run(self.planner.refuse, client, name, refusal)
            raise
        try:
            plan_id = await self.threads.writing.run(self.planner.begin, client, name)
        except BaseException:
            body.close()
            raise
        task = asyncio.create_task(self._make(plan_id, body, asked))
        self._making.add(task)
        task.add_done_callback(self._making.discard)
        done, _ = await asyncio.wait([task], timeout=wait)
        if done and (problem := task.result()):
            raise problem
        return await self.threads.ending.run(self._answer, client, name, plan_id)

    async def _make(self, plan_id: str, body: IO[bytes], asked: Asked) -> Problem | None:
        with closing(body):
            return await self.threads.planning.run(self.planner.make, plan_id, body, asked)

    def _ensure_there(self, client: str, name: str) -> None:
        with self.database.read() as session:
            keeping.find_term(session, client, name)

    def _answer(self, client: str, name: str, plan_id: str) -> Response:
        with self.database.read() as session:
            view = showing.plan_view(session, client, name, plan_id)
        headers = {"Location": f"/terms/{name}/plans/{plan_id}"}
        status = 201
        if view.status == "making":
            status, headers["Retry-After"] = 202, LOOK_AGAIN
        return Response(view.model_dump_json(by_alias=True), status, headers, media_type="application/json")

    def apply(self, client: str, name: str, plan_id: str, allow: list[str]) -> Response:
        """202 with a new apply, 200 with the one that is there."""
        with self.database.write(turn(client, name)) as session:
            apply, new = asking.begin(session, client, name, plan_id, allow, utc_now())
            session.flush()
            view = showing.shown_apply(session, apply)
        self.applier.thread.wake()
        headers = {"Location": f"/terms/{name}/applies/{view.id}"}
        if new:
            headers["Retry-After"] = LOOK_AGAIN
        return Response(view.model_dump_json(), 202 if new else 200, headers, media_type="application/json")

    def stop(self, client: str, name: str, apply_id: str) -> ApplyView:
        return self._change(client, name, apply_id, asking.stop)

    def resume(self, client: str, name: str, apply_id: str) -> ApplyView:
        return self._change(client, name, apply_id, asking.resume)

    def _change(self, client: str, name: str, apply_id: str, act: Callable[..., None]) -> ApplyView:
        with self.database.write(turn(client, name)) as session:
            apply = asking.find_apply(session, client, name, apply_id)
            act(session, apply)
            session.flush()
            view = showing.shown_apply(session, apply)
        self.applier.thread.wake()
        return view


def turn(client: str, name: str) -> str:
    """What is decided of one term is decided one after another."""
    return f"term {client} {name}"


def form_of(content_type: str, charset: str | None) -> tuple[Form, str | None]:
    """What a body is, and its charset, if something says it. Raises UnsupportedMediaType."""
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    form = FORMS.get(media_type.lower())
    if form is None:
        raise UnsupportedMediaType(f"Send it with one of these as Content-Type: {', '.join(FORMS)}.")
    said = {name.lower(): value.strip('"') for name, _, value in (one.partition("=") for one in parameters)}
    return form, charset or said.get("charset")


async def _spooled(request: Request) -> IO[bytes]:
    """The body, of which no more than a little is kept in memory. One that ends in the middle is none."""
    body = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - whoever makes the plan closes it
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise PayloadTooLarge("A declaration has at most 16 MiB. Send it in several terms.")
            body.write(chunk)
    except ClientDisconnect:
        body.close()
        raise BadRequest("The body ended in the middle.") from None
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body


def term_view(session: Session, client: str, name: str) -> TermView:
    """Raises NotFound."""
    term = keeping.find_term(session, client, name)
    recordings, plan_id = keeping.kept(session, client, name)
    return TermView(
        term=term.name,
        settings=TermSettings.model_validate(term.settings),
        recordings=recordings,
        plan_id=plan_id,
        created_at=term.created_at,
        updated_at=term.updated_at,
    )
