"""How Lectern knows its own in Kaltura: the `referenceId` that it gives to everything it makes."""

import re
from base64 import b32encode
from hashlib import sha256

_OURS = re.compile(r"lectern-(rec_[^-]+)-[0-9]+(?:-[a-z2-7]+)?")


def reference(recording_id: str, number: int | str, token: str = "") -> str:
    """`lectern-<recording id>-<n>-<token>`: 0 is the template entry, events count from 1.

    Older versions gave no token.
    """
    return "-".join(filter(None, ("lectern", recording_id, str(number), token)))


def token_of(chain_id: str, again: int = 0) -> str:
    """What is in the references of this chain alone; another one in that of what it makes anew the so-many-th time.

    After a backup was put back a number may be given twice, a token never.
    """
    return b32encode(sha256(f"{chain_id}/{again}".encode()).digest())[:8].decode().lower()


def recording_of(reference_id: str | None) -> str | None:
    """The recording that made a Kaltura object, by the object's `referenceId`; None for everyone else's."""
    ours = _OURS.fullmatch(reference_id or "")
    return ours[1] if ours else None
