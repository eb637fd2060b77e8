"""Answers of Kaltura's, checked before they are believed."""

from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from app.kaltura.errors import Unknown
from app.kaltura.types import Event

T = TypeVar("T")


def shaped(name: str, answer: object, shape: TypeAdapter[T]) -> T:
    try:
        return shape.validate_python(answer, strict=True)
    except ValidationError as error:
        # Only where and what kind: a value may be anything, also a session.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise Unknown(f"{name}: {where} is not as expected ({first['type']})") from None


def same(name: str | None, wanted: str) -> bool:
    return name is not None and name.casefold() == wanted.casefold()


def by_start(event: Event) -> tuple[datetime, int]:
    return event.start, event.id
