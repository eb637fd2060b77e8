"""What requests bring besides a body: parameters that nobody knows, cursors, and how long an answer may wait.

Query parameters that an operation does not take are refused by name: a misspelt filter would filter nothing.
"""

import base64
import re
from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

LONGEST_WAIT = 30.0  # seconds


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
