"""Kaltura sessions (KS): opaque tokens that carry partner, type, user and expiry, signed with the store's key.

no ks ── SERVICE_FORBIDDEN, but for a few services
a ks ── bad signature ── INVALID_KS with the ks itself (exchanges 28, 32)
     └─ expired, ended, used up ── INVALID_KS with EXPIRED (exchange 24), LOGOUT (exchange 43), EXCEEDED_ACTIONS_LIMIT
     (exchange 40)
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from app.sandbox.errors import KalturaError
from app.sandbox.store.state import Store

USER, ADMIN = 0, 2


@dataclass(frozen=True)
class Session:
    partner: int
    type: int
    user: str
    expires: int  # epoch seconds
    privileges: str = ""
    widget: bool = False
    epoch: int = 0  # sessions of an earlier epoch are expired, see `expire_all`
    nonce: str = ""
    ks: str = ""

    @property
    def actions_limit(self) -> int | None:
        for privilege in self.privileges.split(","):
            name, _, value = privilege.partition(":")
            if name == "actionslimit" and value.isdigit():
                return int(value)
        return None


class Sessions:
    """Makes and checks session tokens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.signing_key()
        self._epoch = int(store.meta("session_epoch") or 0)
        self._used: dict[str, int] = {}

    def make(self, **facts: Any) -> str:
        session = Session(**facts, epoch=self._epoch, nonce=secrets.token_hex(8))
        carried = asdict(session)
        del carried["ks"]
        payload = json.dumps(carried, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._signature(payload) + payload).decode().rstrip("=")

    def read(self, ks: str) -> Session:
        """The session of a token with a good signature, whatever its age; raises INVALID_KS."""
        try:
            raw = base64.b64decode(ks + "=" * (-len(ks) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _invalid(ks) from None
        if not hmac.compare_digest(raw[:20], self._signature(raw[20:])):
            raise _invalid(ks)
        return Session(**(json.loads(raw[20:]) | {"ks": ks}))

    def check(self, session: Session, now: int) -> None:
        """Raise INVALID_KS unless the session may be used; counts a use against `actionslimit`."""
        if session.expires <= now or session.epoch < self._epoch:
            raise _invalid("EXPIRED")
        if self._store.one("SELECT 1 FROM ended_sessions WHERE ks = ?", (_digest(session.ks),)):
            raise _invalid("LOGOUT")
        if session.actions_limit is not None:
            self._used[session.ks] = self._used.get(session.ks, 0) + 1
            if self._used[session.ks] > session.actions_limit:
                raise _invalid("EXCEEDED_ACTIONS_LIMIT")

    def acting_as(self, partner: int, user: str) -> Session:
        """An ADMIN session of no token, for what the sandbox does itself."""
        return Session(partner, ADMIN, user, expires=0)

    def end(self, session: Session) -> None:
        self._store.run("INSERT OR IGNORE INTO ended_sessions VALUES (?)", (_digest(session.ks),))

    def expire_all(self) -> None:
        self._epoch += 1
        self._store.set_meta("session_epoch", str(self._epoch))

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:20]


def _digest(ks: str) -> str:
    return hashlib.sha256(ks.encode()).hexdigest()


def _invalid(ks: str) -> KalturaError:
    return KalturaError("INVALID_KS", KSID=ks, ERR_CODE=-1, ERR_DESC="INVALID_STR")
