"""Who asks: API keys, and the dependency that every operation declares.

A key is sent as `Authorization: Bearer <key>`, or as the password of HTTP Basic, which encoders speak. Only the
SHA-256 of a key is kept in memory; keys are compared as bytes, in constant time.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from app.errors import Unauthorized
from app.settings import Settings

SHORTEST_KEY = 32  # characters: nobody guesses that


@dataclass(frozen=True, slots=True)
class Client:
    """A system that sends documents. Recordings belong to its name, so that a new key changes nothing."""

    name: str


LOCAL = Client("local")  # who asks an open service


@dataclass(frozen=True, slots=True)
class Keyring:
    """Each client's key, by digest. Empty: the service is open."""

    clients: tuple[tuple[bytes, Client], ...] = ()

    def owner(self, key: str) -> Client | None:
        given = _digest(key)
        found = None
        for digest, client in self.clients:  # all of them, always: how long it takes says nothing
            if secrets.compare_digest(digest, given):
                found = client
        return found


def keyring(settings: Settings) -> Keyring:
    """The keys in `LECTERN_API_KEYS` (`client=key,client=key`).

    Raises ValueError, without a word of a key, if one is unreadable or if there is none where there must be.
    """
    pairs = [pair.strip() for pair in settings.api_keys.get_secret_value().split(",") if pair.strip()]
    found = []
    for number, pair in enumerate(pairs, 1):
        name, _, key = pair.partition("=")
        if not name.strip() or len(key.strip()) < SHORTEST_KEY:
            raise ValueError(
                f"LECTERN_API_KEYS: entry {number} must be client=key, the key at least {SHORTEST_KEY} characters long"
            )
        found.append((_digest(key.strip()), Client(name.strip())))
    if not found and not settings.may_be_open:
        raise ValueError(
            "LECTERN_API_KEYS is needed: without a key, Lectern runs only with the embedded sandbox, "
            "or with itself and Kaltura on loopback addresses"
        )
    return Keyring(tuple(found))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


_BEARER = HTTPBearer(auto_error=False, description="An API key.")
_BASIC = HTTPBasic(auto_error=False, description="Any user name; the API key as password.")


def client_of(keys: Keyring, authorization: str | None) -> Client | None:
    """Who sends this `Authorization` header; None for nobody that is known."""
    if not keys.clients:
        return LOCAL
    key = _key(authorization or "")
    return keys.owner(key) if key else None


def _key(authorization: str) -> str:
    """The key in the header, or an empty string."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _client(
    request: Request,
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    _basic: Annotated[HTTPBasicCredentials | None, Security(_BASIC)],
) -> Client:
    found = client_of(request.app.state.keyring, request.headers.get("Authorization"))
    if found is None:
        raise Unauthorized()
    return found


CurrentClient = Annotated[Client, Depends(_client)]
