"""What requests bring besides a body: parameters that nobody knows, cursors, how long an answer may wait, and what it
is to be.

Query parameters that an operation does not take are refused by name: a misspelt filter would filter nothing.
"""

import base64
import re
from collections.abc import Iterator, Sequence

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

LONGEST_WAIT = 30.0  # seconds
_WEIGHT = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")


def as_cursor(plain: str) -> str:
    """What a list needs to read on, such that nobody is tempted to write it by hand."""
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def of_cursor(cursor: str) -> str:
    """What it was made of. Raises ValueError for what was never made so."""
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def wait_of(prefer: str | None, default: float) -> float:
    """How long an answer may wait, in seconds, by `Prefer`. What cannot be read is ignored (RFC 7240, section 2)."""
    said = prefer or ""
    wait = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?=$|[,;\s])", said, re.IGNORECASE)
    if wait:
        return min(float(wait[1]), LONGEST_WAIT)
    return 0.0 if re.search(r"(?:^|[,\s])respond-async(?=$|[,;\s])", said, re.IGNORECASE) else default


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """Which of these media types an answer is to be, by `Accept` (RFC 9110, section 12.5.1).

    Of those that it likes as much, the one that it names most exactly, and first. What it likes none of gets the first
    one that is offered.
    """
    ranges = [_range(each) for each in (accept or "").split(",")]

    def rank(media_type: str) -> tuple[float, int, int]:
        names = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
        likes = [(names.index(name), -place, weight) for place, (name, weight) in enumerate(ranges) if name in names]
        exact, place, weight = max(likes, default=(0, 0, 0.0))
        return (weight, exact, place) if weight else (0.0, 0, 0)

    return max(offered, key=rank)


def _range(said: str) -> tuple[str, float]:
    """A media range without its parameters, and its weight."""
    name, *parameters = (part.strip().lower() for part in said.split(";"))
    weights = [float(found[1]) for one in parameters if (found := _WEIGHT.fullmatch(one))]
    return name, weights[0] if weights else 1.0


async def only_known(request: Request) -> None:
    """To be declared for the whole application: raises RequestValidationError with each that is not known."""
    if not request.query_params:
        return
    parts = list(_parts(request.scope["route"].dependant))
    if request.state.client is None and any(part.own_oauth_scopes for part in parts):
        return  # a stranger, who is told that first
    known = sorted({field.alias for part in parts for field in part.query_params})
    rule = f"is not a parameter here; known: {', '.join(known)}" if known else "is not a parameter here; there is none"
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise RequestValidationError(
            [{"type": "rule", "loc": ("query", name), "ctx": {"rule": rule}} for name in unknown]
        )


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    """What an operation declares: itself, and all that it depends on."""
    yield dependant
    for each in dependant.dependencies:
        yield from _parts(each)
