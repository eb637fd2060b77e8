"""ETags (RFC 9110, 8.8.3) of what is polled, and the header that brings them back (13.1.2)."""

import hashlib
from typing import Annotated, Any

from fastapi import Header

HEADER: dict[str, Any] = {"ETag": {"description": "Of what is shown.", "schema": {"type": "string"}}}
NOT_MODIFIED = {"description": "Nothing has changed since that ETag.", "headers": HEADER}

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The `ETag` of the answer that you have; `W/`, lists and `*` are understood.",
        examples=['"5f2c9a1b7e3d4c60"'],
    ),
]


def digest(*parts: bytes) -> str:
    """32 hexadecimal digits of it all."""
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def matches(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison of an ETag with a list of tags, or `*`."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given
