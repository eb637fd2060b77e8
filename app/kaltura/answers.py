"""The shapes of Kaltura's answers, by which they are checked before they are believed; and its lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.kaltura.errors import Unknown
from app.kaltura.types import Read, TimedEvent

T = TypeVar("T")


def shaped(name: str, answer: object, shape: TypeAdapter[T]) -> T:
    """The answer to the action of that name, in its shape. Raises Unknown if it has another one."""
    try:
        return shape.validate_python(answer, strict=True)
    except ValidationError as error:
        # Only where and what kind: a value may be anything, also a session.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise Unknown(f"{name}: {where} is not as expected ({first['type']})") from None


def same(name: str | None, wanted: str) -> bool:
    """Whether two names are the same to Kaltura, which does not look at the case."""
    return name is not None and name.casefold() == wanted.casefold()


def by_start(event: TimedEvent) -> tuple[datetime, int]:
    """A key to sort by: start, then id."""
    return event.start, event.id


class Named(Read):
    """Whatever has an id, and may be of a kind that Lectern cannot read."""

    id: int


@dataclass(frozen=True, slots=True)
class Odd:
    """What a list has and nobody here can read: `id` is None where not even that can be told, `why` is for a log.

    `foreign`: it is something else altogether.
    """

    id: int | None
    why: str
    foreign: bool = False


def _or_odd(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError as error:
        # Only where and what kind: a value may be anything.
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        where = next(map(str, errors[0]["loc"][1:]), "it")  # behind the name of the shape
        number = value.get("id") if isinstance(value, dict) else None
        known = number if type(number) is int and 0 < number < 2**31 else None
        foreign = any("objectType" in one["loc"] for one in errors)
        return Odd(known, f"{where} is not as expected ({errors[0]['type']})", foreign)


def _not_all_foreign(found: list[T | Odd]) -> list[T | Odd]:
    if found and all(isinstance(one, Odd) and one.foreign for one in found):
        raise ValueError("it is a list of something else")
    return found


class Page(Read, Generic[T]):
    """One page of a list: `total` counts all pages (exchange 118)."""

    total: int = Field(alias="totalCount", ge=0)
    objects: list[T]

    @property
    def read(self) -> list[T]:
        return [one for one in self.objects if not isinstance(one, Odd)]

    @property
    def odd(self) -> list[Odd]:
        return [one for one in self.objects if isinstance(one, Odd)]


class LenientPage(Page[T], Generic[T]):
    """One page, of what anybody may have made: one that cannot be read hides no other."""

    objects: Annotated[list[Annotated[T | Odd, WrapValidator(_or_odd)]], AfterValidator(_not_all_foreign)]  # type: ignore[assignment]


class Listed(list[T]):
    """All that a list shows. `missing` is how many more there are by its total, which is its index's word (exchange
    655).

    `odd` are those of a lenient list that cannot be read; they count neither as shown nor as missing.
    """

    missing: int = 0
    odd: Sequence[Odd] = ()
