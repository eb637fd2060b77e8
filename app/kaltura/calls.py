"""Calls any action of Kaltura's: under the shared session, its answer checked, its lists read to the last page."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from app.kaltura.answers import Listed, Odd, Page, shaped
from app.kaltura.crowds import Crowds
from app.kaltura.errors import KalturaError, Refused, SessionRefused, Transient, harmless
from app.kaltura.observing import Observe, observed, unobserved
from app.kaltura.session import Sessions
from app.kaltura.transport import MAX_BYTES, TOTAL_SECONDS, Http, checked, exchange
from app.kaltura.trips import Asked, copies, current, each_of, parts_of
from app.kaltura.types import BriefEvent, Category, Entry, Event, Link, Resource, TimedEvent

PAGE_SIZE = 500
"""Kaltura cuts a larger one down to it."""

LISTS = 4
"""In one answer to many calls, about: so many times as large as one answer may it be."""

MAX_MATCHES = 10_000
"""No list goes further (exchange 290)."""

T = TypeVar("T")
M = TypeVar("M", Resource, Entry, Event, TimedEvent, BriefEvent, Category, Link)
Identified = TypeVar("Identified", Resource, Category, Entry, Event)


class Calls:
    """The base of `KalturaClient`. `http` is one thread's own; `sessions` with their gate, and `crowds`, are shared."""

    def __init__(
        self,
        http: Http,
        sessions: Sessions,
        *,
        crowds: Crowds | None = None,
        observe: Observe = unobserved,
        total: float = TOTAL_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._http = http
        self._sessions = sessions
        self._crowds = crowds or Crowds()
        self._observe = observe
        self._total = total
        self._max_bytes = max_bytes

    def close(self) -> None:
        self._http.close()

    def _get(
        self, service: str, params: Mapping[str, int | str], shape: TypeAdapter[Identified], unknown: str
    ) -> Identified | None:
        try:
            found = self._ask(service, "get", params, shape)
        except Refused as refusal:
            if refusal.code == unknown:
                return None
            raise
        if found.id not in params.values():
            raise Transient(f"{service}.get: the answer is about another object", sent=True)
        return found

    def _list(self, service: str, wanted: Mapping[str, object], shape: TypeAdapter[Page[M]]) -> Listed[M]:
        return self._pages(service, "list", {"filter": wanted}, shape)

    def _pages(self, service: str, action: str, params: Mapping[str, object], shape: TypeAdapter[Page[M]]) -> Listed[M]:
        """Every object of every page, each once. Pages are counted by the total: a stale index leaves gaps in them."""
        found: dict[M, None] = {}
        odd: list[Odd] = []
        first_total = None
        for index in range(1, MAX_MATCHES // PAGE_SIZE + 1):
            pager = {"objectType": "KalturaFilterPager", "pageSize": PAGE_SIZE, "pageIndex": index}
            page = self._ask(service, action, {**params, "pager": pager}, shape)
            first_total = page.total if first_total is None else first_total
            if page.total != first_total:
                raise Transient(f"{service}.{action}: the list changed while it was read", sent=True)
            if page.total > MAX_MATCHES:
                break
            odd += page.odd
            found.update(dict.fromkeys(page.read))
            if index * PAGE_SIZE >= page.total:
                listed = Listed(found)
                listed.missing, listed.odd = max(0, page.total - len(found) - len(odd)), odd
                return listed
        raise Refused("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED", f"more than {MAX_MATCHES} objects")

    def _ask(
        self,
        service: str,
        action: str,
        params: Mapping[str, object],
        shape: TypeAdapter[T],
        *,
        writes: bool = False,
    ) -> T:
        """The answer in its shape; without `writes`, what is unknown is transient."""
        with observed(self._observe, service, action):
            try:
                answer = self._call(Asked(service, action, params, writes))
                return shaped(f"{service}.{action}", answer, shape)
            except KalturaError as error:
                raise (error if writes else harmless(error)) from None

    def _call(self, asked: Asked) -> object:
        """The answer: together with what others ask, where functions go side by side."""
        walker = current()
        if walker is not None:
            return walker.ask(asked)
        (answer,) = self.carry([asked])
        if isinstance(answer, KalturaError):
            raise answer
        return answer

    @property
    def most_parts(self) -> int:
        return self._sessions.gate.most_parts

    @property
    def user(self) -> str:
        """Kaltura's user that all is asked as, who owns what is made for nobody else; "" if the session is nobody's."""
        return self._sessions.user

    def carry(self, asked: Sequence[Asked]) -> list[Any]:
        """Sends calls in one request. For each its answer, or the KalturaError that it came to.

        Under the shared session; what Kaltura refuses because of that is sent once more under a new one.
        """
        try:
            ks = self._sessions.current()
        except KalturaError as error:
            return copies(error, len(asked))
        found = self._exchange(asked, ks)
        again = [number for number, one in enumerate(found) if isinstance(one, SessionRefused)]
        if again:
            try:
                ks = self._sessions.renew(ks)
            except KalturaError as error:
                second: list[Any] = copies(error, len(again))
            else:
                second = self._exchange([asked[number] for number in again], ks)
            for number, one in zip(again, second, strict=True):
                found[number] = one
        return found

    def _exchange(self, asked: Sequence[Asked], ks: str) -> list[Any]:
        alone = len(asked) == 1
        service, action = (asked[0].service, asked[0].action) if alone else ("multirequest", "")
        try:
            answer = exchange(
                self._http,
                self._sessions.gate,
                service,
                action,
                {**(asked[0].params if alone else parts_of(asked)), "ks": ks},
                hide=(ks,),
                total=self._total,
                max_bytes=self._max_bytes * min(len(asked), LISTS),
                parts=len(asked),
                check=checked if alone else each_of(len(asked)),
            )
        except KalturaError as error:
            return copies(error, len(asked))
        return [answer] if alone else list(cast("list[Any]", answer))


def filtered(object_type: str, values: Mapping[str, object]) -> dict[str, object]:
    """A filter of a list. Kaltura takes an empty value for no filter at all and answers everything (exchange 539)."""
    return {"objectType": object_type, **{name: given(name, value) for name, value in values.items()}}


def given(name: str, value: T) -> T:
    """`value`. Raises ValueError for one that Kaltura would take for no value."""
    if not value or (isinstance(value, str) and not value.strip(" ,\t\r\n")):
        raise ValueError(f"an empty {name} would match everything")
    return value
