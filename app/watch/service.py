"""Asks the service what to record, and tells it how the encoder is. Everything unclear is `Unsure`."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from app.watch.schedule import Answer, read_answer

TIMEOUT = 10.0  # seconds
LONGEST_PAUSE = 3600.0  # seconds; the longest `Retry-After` that is honoured
MEANING = {
    400: "it does not answer to this name, unless LECTERN_ALLOWED_HOSTS has it",
    401: "the key is not valid (any more)",
    403: "the key may not read this resource",
    404: "there is no such resource, or its name is misspelt",
}


@dataclass(frozen=True, slots=True)
class New:
    """The schedule now. `asked` and `answered` are the steady clock's."""

    answer: Answer
    etag: str | None
    asked: float
    answered: float


@dataclass(frozen=True, slots=True)
class Same:
    """Nothing has changed."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """No answer, or none that says what the schedule is; `pause`: seconds that the service asks for."""

    why: str
    pause: float | None = None


class Service:
    """One resource at one service. Speaks with one thread at a time."""

    def __init__(
        self,
        url: str,
        key: str,
        resource: str,
        steady: Callable[[], float],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises ValueError for what is no address."""
        if not url.startswith(("http://", "https://")) or "@" in url or "?" in url:
            raise ValueError("The service's address must be one that begins with https:// or http://, without a key.")
        self._steady = steady
        self._path = f"{url.rstrip('/')}/resources/{quote(resource, safe='')}"
        headers = {"User-Agent": "lectern-watch"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            httpx.URL(self._path)
            self._client = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport)
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise ValueError("The service's address or the key has characters that cannot be sent.") from None

    def close(self) -> None:
        self._client.close()

    def poll(self, etag: str | None) -> New | Same | Unsure:
        """With the ETag of what is known; without one the answer is whole, and says what time it is."""
        asked = self._steady()
        try:
            response = self._client.get(f"{self._path}/upcoming", headers={"If-None-Match": etag} if etag else {})
        except httpx.HTTPError as error:
            return Unsure(f"no answer ({type(error).__name__})")
        if response.status_code == 304 and etag:
            return Same()
        if response.status_code != 200:
            meaning = MEANING.get(response.status_code)
            why = f"it answers {response.status_code}" + (f": {meaning}" if meaning else "")
            return Unsure(why, _pause(response.headers))
        try:
            answer = read_answer(response.content)
        except ValueError:
            return Unsure("its answer is no schedule")
        etag = response.headers.get("ETag", "")
        return New(answer, etag if etag.isascii() else None, asked, self._steady())

    def tell(self, state: str, detail: str | None, uid: str | None) -> str | None:
        """Says how the encoder is. What went wrong, None if nothing did; a service that does not know of it is fine."""
        said = {"state": state, "detail": detail, "occurrence": uid}
        try:
            response = self._client.put(f"{self._path}/state", json=said)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        return None if response.is_success or response.status_code in (404, 405) else f"{response.status_code}"


def _pause(headers: httpx.Headers) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date, which is compared with the answer's own, as the host's may be wrong."""
    asked = headers.get("Retry-After", "")
    try:
        if asked.strip().isdecimal():
            seconds = float(asked)
        else:
            seconds = (parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 1.0), LONGEST_PAUSE)
