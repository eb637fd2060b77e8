"""Who looks at a page, and whether a form is theirs: what each page and each form depends on.

    page ── Anyone ──▶ the session's client, or of an open service the local one; else to the sign-in
    form ── the same, then: from a page of ours (Origin), and with the word that only its page has ──▶ its fields

A key is sent once, at the sign-in. An `Authorization` header means nothing here: a browser sends it by itself.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import SecurityScopes
from pydantic import BaseModel, ValidationError

from app.access import sessions
from app.access.door import address_of, too_many
from app.access.keys import LOCAL, Client
from app.access.scopes import Scope
from app.http.errors import BadRequest, Forbidden, PreconditionFailed, UnsupportedMediaType

COOKIE = "lectern_console"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 300
LONGEST_NUMBER = 10  # digits; Kaltura's ids have no more
M = TypeVar("M", bound=BaseModel)
_OPEN = secrets.token_urlsafe(sessions.TOKEN_BYTES)  # what forms of an open service are made with, in this process


class SignedOut(Exception):  # noqa: N818 - nothing went wrong
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True, slots=True)
class Person:
    """`token` is the session's; `is_open`: the service asks nobody who they are."""

    client: Client
    token: str
    is_open: bool = False

    @property
    def form_token(self) -> str:
        return sessions.form_token(self.token)

    @property
    def reads(self) -> bool:
        return Scope.RECORDINGS_READ in self.client.scopes

    @property
    def writes(self) -> bool:
        return Scope.RECORDINGS_WRITE in self.client.scopes

    @property
    def sees_rooms(self) -> bool:
        return Scope.SCHEDULE_READ in self.client.scopes

    @property
    def keeps_calendars(self) -> bool:
        return Scope.CALENDARS_WRITE in self.client.scopes


async def person_of(request: Request) -> Person | None:
    """Raises TooManyRequests."""
    state = request.app.state
    if state.keys.is_open:
        person = Person(LOCAL, _OPEN, is_open=True)
        request.state.person, request.state.client = person, LOCAL
        return person
    token = request.cookies.get(COOKIE, "")
    client = await state.threads.reading.run(sessions.find, state.database, state.keys, token) if token else None
    if client is None:
        count_stranger(request)
        return None
    wait = state.counted.take(client.key).wait if state.counted else 0
    if wait:
        raise too_many(wait)
    person = Person(client, token)
    request.state.person, request.state.client = person, client
    return person


def count_stranger(request: Request) -> None:
    """Raises TooManyRequests: whoever guesses keys guesses few."""
    wait = request.app.state.strangers.take(address_of(request.scope)).wait
    if wait:
        raise too_many(wait, "Too many requests without a valid API key from this address.")


async def _signed_in(request: Request, scopes: SecurityScopes) -> Person:
    person = await person_of(request)
    if person is None:
        raise SignedOut
    missing = [scope for scope in scopes.scopes if scope not in person.client.scopes]
    if missing:
        raise Forbidden(f"Your key lacks the scope {missing[0]}, which this needs.", scope=missing[0])
    return person


Anyone = Annotated[Person, Security(_signed_in)]
Reader = Annotated[Person, Security(_signed_in, scopes=[Scope.RECORDINGS_READ.value])]
Writer = Annotated[Person, Security(_signed_in, scopes=[Scope.RECORDINGS_WRITE.value])]
Viewer = Annotated[Person, Security(_signed_in, scopes=[Scope.SCHEDULE_READ.value])]
CalendarWriter = Annotated[Person, Security(_signed_in, scopes=[Scope.CALENDARS_WRITE.value])]


# Forms


async def fields_of(request: Request) -> Mapping[str, list[str]]:
    """What a form says. Raises Forbidden for one of another site's page."""
    _ensure_ours(request)
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(f"A form is sent as {FORM}.")
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise BadRequest("The form cannot be read.") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return found


def _ensure_ours(request: Request) -> None:
    """By what browsers tell of where a form stood. What is no browser knows the form's word, or it does not."""
    origin = request.headers.get("Origin")
    host = request.headers.get("Host", "").lower()
    foreign = origin is not None and origin.lower().partition("://")[2] != host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This form comes from another site's page.")


class Form(dict[str, list[str]]):
    """The fields of a form that its own page has sent."""

    def one(self, name: str) -> str:
        """The first value, without space around it; empty if there is none."""
        return (self.get(name) or [""])[0].strip()

    def number(self, name: str) -> int | str:
        """The same, as a number if it is one. What is too long for any is left for its model to refuse."""
        text = self.one(name)
        return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else text

    def ensure_made_for(self, version: str) -> None:
        """Raises PreconditionFailed for a form that was made before something changed, as by being sent before."""
        if self.one("version") != version:
            raise PreconditionFailed("It has changed since you looked, perhaps by this very form. Look at it again.")


def read_as(model: type[M], said: Mapping[str, Any]) -> M:
    """What a form says, as a model of the API's. Raises RequestValidationError."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in error.errors()]) from None


async def _form(request: Request, person: Anyone) -> Form:
    form = Form(await fields_of(request))
    if not hmac.compare_digest(form.one("form").encode(), person.form_token.encode()):
        raise Forbidden("This form is not of your session any more: load its page anew.")
    return form


Posted = Annotated[Form, Depends(_form)]
